// Package access says from where administrators, their tokens and auditors may
// act (SPEC A1). There are two modes: "all-but-listed" lets everybody in but the
// networks of one list, "only-listed" nobody but those of another. Each mode keeps
// its own list: one list for both would turn blocked networks into allowed ones.
//
// It is one object of kind "access" with the id "administrators". The bus asks
// Admit before every operation of an account, so that the lists hold within a
// session too, and for who has a step left to do before he is in one; log-in asks
// it for somebody who is about to get in. Resellers and customers are not concerned,
// and neither is the local command line, which is the way back in.
//
// A change that would shut out the address it comes from is refused with that
// address, unless it is forced. Try tells beforehand whom a change would have
// refused in the last 90 days.
//
// It never trusts its memory: a look-up asks the database for the version of the
// list and only then the set that was made of that version. Ports: Sets (where
// such sets are kept), Logins (the log), Accounts.
//
// Annex points: 2690:6.7.2 (b) to (d), 2690:11.3.2, 2690:11.4.
package access
