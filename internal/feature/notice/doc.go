// Package notice tells people what was done about their accounts: that a second
// factor was reset, that somebody acted as them, that a token was made at the
// command line (SPEC A5, A6, A9). A notice stands in the panel until its owner
// has seen it, and goes out as mail where he has an address and the server may send.
//
// Kinds of object: "notice" (one for one account) and "letter" (a mail that waits
// to be sent; it is gone when it was). Both belong to the account's tenant; a
// letter to nobody to the provider, see Queue.
//
// A letter never holds a secret: a recovery link is made when the letter goes
// out, by the feature that it is about. It never sends anything itself: whoever
// has hands for that asks for what is Due and says with letter.settle how it went.
//
// Other features call Tell and Queue inside their own operations, and name Tells
// among the events these may record. Port: Accounts.
//
// Annex points: 2690:11.6 (authentication), 2690:3.2 (logging, monitoring).
package notice
