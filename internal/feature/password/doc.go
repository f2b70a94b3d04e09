// Package password says what a password must be: one policy for panel log-ins,
// and for the system users, database users and mailboxes to come (SPEC A3).
//
// Strength is guessability, in five levels, and never a rule of composition. At
// every level the floor of NIST SP 800-63B-4 3.1.1.2 holds: 15 characters for a
// password that stands alone, 8 for one beside a second factor, 64 accepted at
// least, nothing that is common, breached, or one's own name. In NIS2 mode the
// level is "strong" at least.
//
// Nothing here expires by the calendar. When more is asked than before, each
// password is held against it at its next log-in, by the feature that keeps it;
// Demand says in one word what is asked now, so that it knows when to look.
//
// It is one object of kind "password" with the id "policy". It never keeps a
// password, never puts one or a part of one into an error, a record or a reason,
// and never estimates inside a transaction.
//
// Ports: Estimator (guessability), Breached (the offline list), NIS2, Census (how
// the passwords that are kept stand), Link (who may ask before he has an account).
//
// Annex points: 2690:11.6.2 (a) and (b), 2690:11.6.3.
package password
