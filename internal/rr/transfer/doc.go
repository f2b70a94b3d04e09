// Package transfer moves zones between servers by the standard: signatures of
// messages (TSIG, RFC 8945), NOTIFY (RFC 1996), AXFR (RFC 5936) and IXFR
// (RFC 1995) both ways, over TCP and TLS (RFC 9103), the timers of a secondary,
// and dynamic update (RFC 2136).
//
// It is protocol only: it has no database and keeps nothing between calls.
// Connections are dialed by a function of the caller's or handed in; what
// comes in is bounded by Limits and by the 65,535 octets of a message. Times
// on the wire are seconds; deadlines of sockets are the machine's own.
package transfer
