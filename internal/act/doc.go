// Package act is the one door: whatever changes or reads anything is an
// operation declared here and called through the Bus (SPEC L1).
//
// A feature declares operations as values (Change, Query, Stream, Job), says
// which kinds of object it keeps (Kind), and which pages it shows (Page). It
// puts them into a Feature; the house makes a Registry of all features, and
// the faces (REST, CLI, web) draw themselves from that Registry.
//
// What the Bus guarantees, whoever calls:
//
//   - The input is decoded strictly and validated before anything else.
//   - The right is checked on the target in the same transaction as the change.
//   - A change that recorded no event is rolled back; so is one that recorded
//     an undeclared event, left a declared one out, or touched an object that
//     none of its events names. A query can never write.
//   - The log record is committed together with the change, or neither is.
//   - Denied, invalid and failed calls are records too.
//   - An answer leaves only after COMMIT. A failed COMMIT fails every call in
//     the batch, and nothing of them remains.
//
// SQL is passed as an untyped constant: the parameter's type is not exported,
// so text put together at run time does not compile in a feature.
package act
