// Package nameserver is the embedded authoritative server (SPEC D3). It
// answers from images in memory, one per zone, that are replaced atomically:
// readers take no lock, and a query sees one version of a zone or the next,
// never a mixture.
//
// It is fed by an ordered stream of change sets and knows no database, no
// feature and no key. In production it is a process of its own; ChangeSet is
// what crosses the socket.
//
// It never recurses, and never answers for a zone it was not given. Zones are
// unsigned for now. An image keeps RRSIG and NSEC like any other type, so
// what signing adds is choosing them when the DO bit is set (RFC 4035 3.1).
package nameserver
