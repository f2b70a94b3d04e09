// Package login is the way in, and what keeps a person in: passwords, sessions,
// known devices, one-time links, and acting as somebody else (SPEC A3, A7 to A10).
//
// Kinds of object: "credential" (the password of one account, id of the
// account), "session", "device" (a browser from which its owner got in before),
// "setup" (a one-time link), "limits" (one object) and "throttle" (one object,
// "login", for what is remembered about failures).
//
// A log-in is an operation of a stranger. A failed one is refused and yet kept:
// it counts. Unknown names, closed accounts and wrong passwords have one text and
// one cost. Failures count for the network with the name, for the network, and
// for the name from everywhere: the network waits first; a name that failed too
// often is locked for passwords, whether or not anybody has it. Passkeys, browsers
// that are known, and links stay open, so that nobody can lock somebody else out.
//
// A session is that of an act.Entrant as long as a step is left: a second factor,
// the link that goes with a reset, setting up a factor, a stronger password. What
// is left is worked out at every use, so that a new rule holds for old sessions
// too. Every change of what a session may do gives it another token.
//
// It never keeps a password or a token, only what checks them; never hashes
// inside a transaction; never writes down a log-in name that belongs to nobody,
// since people type passwords into the wrong field.
//
// Ports: see Ports. Sources: NIST SP 800-63B-4 3.1.1 (passwords), 3.2.2 (failures), 5
// (sessions), RFC 8265 4.2 (preparation of passwords). Annex points: 2690:11.3
// (administrators), 2690:11.6 (authentication; (b) links, (d) failures, (e) idle
// sessions), 2690:11.7 (more than one factor).
package login
