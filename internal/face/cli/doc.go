// Package cli shows the registry's operations as commands: the parts of an
// operation's name are its words, its positional fields are arguments, the
// others are flags. It speaks REST: over the Unix socket in the data folder,
// or over the network with --server and a token.
//
// Secrets are never arguments or flags, which everyone on the machine can
// read: they are the first lines of standard input, one each in the order of
// the fields, or are asked for without echo on a terminal.
//
// A field called like a flag of every command gets the last noun in front: the
// data of zone.record.add is --record-data.
//
// Exit codes are those of SPEC 0, in one table in exit.go.
package cli
