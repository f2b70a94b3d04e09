// Package factor keeps second factors: one-time codes of an app, passkeys, and
// recovery codes; and says who must have one (SPEC A5).
//
// Kinds of object: "totp" and "recovery" (of one account, id of the account),
// "passkey", "factor" (an account whose factors were reset, until it has one
// again), and "mfa" (who must have a factor; one object, "policy").
//
// A code counts once: the step of the newest accepted code, the counter and the
// challenge of a passkey, and each recovery code are used up in the transaction
// that lets somebody in. A reset by an administrator never opens an account to its
// password alone: until it has a factor again, a one-time link is asked for too,
// and its owner is told. Nobody removes the last factor of an account that must have one.
//
// It never keeps a seed that it could read (the keeper seals it and checks codes),
// never a recovery code, only what checks it, and lets nobody in by itself: the
// feature login asks Check and Use.
//
// Ports: Accounts, Sessions (who is in one, and that he proved himself), Codes (the
// keeper), Passkeys (WebAuthn), Notices, Links and NIS2.
//
// Sources: RFC 6238 (codes), WebAuthn Level 3, NIST SP 800-63B-4 3.1.5 and 4.2.
// Annex points: 2690:11.3.2 (a), 2690:11.7.
package factor
