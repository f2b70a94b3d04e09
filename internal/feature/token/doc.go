// Package token keeps API tokens: proofs for programs, made by a person for
// himself (SPEC A6).
//
// An object of kind "token" belongs to the account that made it. A token acts
// as its owner and never as more: role and tenant are read from the account at
// every use, and a closed account's tokens open nothing.
//
// What a token may is written down when it is made: scopes are operations times
// objects, and what asks for a fresh second factor is in them only by its full
// name. It can be bound to networks, always has an end, and may end earlier when
// nobody uses it; its owner is told before it does.
//
// It never keeps the token, only SHA-256 of it; never lets a token make another,
// since one that leaked could then live for ever; never makes one outside a
// session with a second factor, except at the local command line, which every
// administrator is told of.
//
// Ports: see Ports. Annex points: 2690:11.2 (rights of systems), 2690:11.6
// (authentication), 2690:11.7 (no way around the second factor).
package token
