// Package witness is both sides of C2SP tlog-witness: the server that cosigns
// checkpoints of logs it is told to watch, and the client with which our own
// log asks witnesses. Two hosting companies can so watch each other: a log
// that was rolled back or rewritten does not get past the other's memory
// (SPEC L8).
//
// The server implements add-checkpoint and the retrieval of the latest
// cosigned checkpoint as https://c2sp.org/tlog-witness has them in July 2026,
// with Ed25519 cosignatures (https://c2sp.org/tlog-cosignature, type 0x04).
// It has no sign-subtree and no ML-DSA-44 key.
//
// What a witness promises rests on its state folder. Who restores that folder
// from an old copy, or deletes it, must retire the key.
package witness
