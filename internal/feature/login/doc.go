// Package login is the way in with a password, and what keeps a person in:
// credentials, sessions and one-time links (SPEC A3, A7, A8, A10).
//
// Kinds of object: "credential" (the password of one account, id of the
// account), "session", "setup" (a one-time link) and "throttle" (one object,
// "login", for what is remembered about failures).
//
// A log-in is an operation of a stranger. A failed one is refused and yet kept:
// it counts. Unknown names, closed accounts and wrong passwords have one text
// and one cost. After five failures the network they came from waits for this
// name; other networks do not, so that nobody can lock an administrator out.
//
// It never keeps a password or a token, only what checks them; never hashes
// inside a transaction; never writes down a log-in name that belongs to nobody,
// since people type passwords into the wrong field.
//
// Ports: Accounts (who is who), Hasher (the keeper's argon2id), and, both
// optional, Policy (strength, beyond the floor that always holds) and Report
// (one line per failure for a ban filter). A second factor and passkeys will be
// further proofs of the same session, whose time goes into act.Actor.Proof.
//
// Sources: NIST SP 800-63B-4 3.1.1 (passwords), RFC 8265 4.2 (their
// preparation). Annex points: 2690:11.3 (administrators), 2690:11.6
// (authentication; (b) links, (d) failures, (e) idle sessions).
package login
