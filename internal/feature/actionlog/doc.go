// Package actionlog shows the action log to everyone who may see a part of it
// (SPEC L9): lists, one record, the live tail, exports, proofs, verification.
//
// It is the one feature that reads the log's own tables, and it writes
// nothing: records are made by the door alone. Every look at the log is on
// record before the answer leaves (SPEC L1). Annex points: 2690:3.2.
package actionlog
