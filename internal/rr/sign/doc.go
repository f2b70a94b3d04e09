// Package sign signs zones (SPEC D5): it makes the records of DNSSEC, keeps a
// signed zone up to date change by change, and says what is to happen to its
// keys, and when. It is pure: no clock, no randomness, no files, no network, and
// no private key, which is with whoever stands behind a Signer.
//
// The parts:
//
//   - Public, DS, Forms: keys and what the parent is told of them. ECDSAP256SHA256
//     and ED25519 (RFC 6605, RFC 8080; RFC 9904 recommends both), digests SHA-256
//     and SHA-384, key tags (RFC 4034 appendix B).
//   - Signals, Bootstrap: CDS and CDNSKEY (RFC 7344, RFC 8078), and their copies
//     at signaling names (RFC 9615).
//   - Zone: a signed zone in memory. New signs all of it; Apply, Renew and
//     Reconfigure each return the next version and exactly what is different in
//     it, ready for IXFR. The chain is NSEC (RFC 4034 4) or NSEC3 without salt, extra
//     iterations or opt-out (RFC 5155, RFC 9276 3.1).
//   - Next: the life of keys as data. Given what is recorded and what was
//     observed it returns what to do now and when to look again (RFC 7583, RFC 6781 4).
//
// What is signed and what stands in the chain follows RFC 4035 2 and RFC 5155 7.1:
// delegations are in the chain and not signed except for their DS, glue and what
// DNAME hides (RFC 6672 2.4) is neither, empty non-terminals stand in the NSEC3 chain
// only. Canonical form and order are those of RFC 4034 6 with RFC 6840 5.1. The TTL
// of the chain is that of negative answers (RFC 9077).
//
// Times in records are seconds since 1970 in 32 bits (RFC 4034 3.1.5): the package
// works until 2106. TTLs are in seconds, other spans are a time.Duration. Errors
// are core errors: Invalid for input that breaks a rule, Conflict for a zone that NSEC3
// cannot hash, and what a Signer returned, wrapped.
package sign
