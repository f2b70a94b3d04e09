// Package peer keeps what other nameservers and programs need to talk to ours: TSIG
// keys (RFC 8945), what a key may change by dynamic update (SPEC D6), and the
// servers that take zones from here (SPEC D4).
//
// A TSIG key belongs to a tenant; its name is a domain name that both sides use.
// Administrators call theirs as they like, others below a zone of their own, so that
// nobody takes a name away. The secret is shown once, when the key is made, and kept
// sealed. A server is the administrator's; without any, nobody gets a zone.
//
// The package never talks to anybody: Servers and Keys say what the nameserver is to
// be told, and the house tells it.
//
// Annex points: 2690:6.7 (best practice for DNS), 2690:9.2 (keys are managed).
package peer
