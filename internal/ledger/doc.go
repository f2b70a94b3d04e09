// Package ledger is the action log (SPEC 2): records that are written in the
// transaction of the change they describe, become leaves of an RFC 6962 Merkle
// tree, and cannot be altered, removed, inserted or reordered unseen.
//
//	Book      writes records, inside the bus's transaction: committed
//	Sealer    turns committed records into tiles and a signed checkpoint: sealed
//	List ...  read them again, with personal values opened where they still exist
//	Prove     makes proofs that a standard C2SP tool checks
//	Verify    recomputes everything and names the first thing that is not right
//
// docs/log-format.md describes every byte. Keys are elsewhere (Keys): who
// writes the log cannot sign it.
package ledger
