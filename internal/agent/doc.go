// Package agent is the small process with root's hands (SPEC 5). It holds what
// each control should be, brings it about, looks whether it is so, and writes
// down what it did.
//
// # What it believes
//
// Nobody. An order comes with the proof that a sealed record of the log holds
// its digest; the key of that log is pinned at the first order and changed by
// root alone. The order's number must grow, its words are validated again by the
// control that will plan for it, and each step must be among what that control
// declared to own.
//
// # What always holds
//
// An order ends in force or undone, whatever fails and whoever dies in between:
//
//	doing     the steps that undo it are durable before the first step is done
//	waiting   everything is done; it is undone unless it is confirmed in time
//	undoing   until looking finds what was there before
//
// The verdict is that a second look leaves nothing to do, never a return code. An
// order that needs no confirmation and was cut off is carried on with at the next
// start; one that needs it is undone. The time to confirm runs on the clock that
// counts from boot and through suspension, so that setting the time changes
// nothing, and a boot in between undoes it.
//
// # What it keeps
//
// Its folder holds the last order of each control that holds (so that the machine
// comes up right without the panel), the one under way, the pinned key, and the
// journal: lines of JSON, each with the SHA-256 of the one before. The panel turns
// them into records of its log.
//
// It has no network socket and never opens the database.
package agent
