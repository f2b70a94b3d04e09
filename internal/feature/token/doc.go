// Package token keeps API tokens: proofs for programs, made by a person for
// himself (SPEC A6).
//
// An object of kind "token" belongs to the account that made it. A token acts
// as its owner and never as more: role and tenant are read from the account at
// every use, and a closed account's tokens open nothing.
//
// It never keeps the token, only SHA-256 of it; never lets a token make
// another, since one that leaked could then live for ever; never makes one
// without an end.
//
// Ports: Accounts (who is who) and Sessions (whether somebody really logged
// in). Scopes, networks and the second factor at minting come with SPEC A5/A6:
// they are further columns and further checks in Resolve.
//
// Annex points: 2690:11.2 (rights of systems), 2690:11.6 (authentication).
package token
