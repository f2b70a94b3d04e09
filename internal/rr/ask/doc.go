// Package ask asks a nameserver one question, as a stranger would, and judges
// the signatures of its answer. It follows nothing and keeps nothing: who is to
// be asked next, and what an answer means, is the caller's business.
//
// An answer is at most 65,535 octets. Datagrams with another id or question are
// passed over, since anybody may send them (RFC 5452 9.1); names are compared
// without regard to case. Records of other classes and of types that the house
// does not know are kept as RFC 3597 has them or left out. TTLs are in seconds, and
// one above 2^31-1 is 0 (RFC 2181 8).
package ask
