// Package outside looks at a zone as a stranger would (SPEC D8): it starts at the
// root, finds who delegates the zone and who serves it, asks each of them, and
// says what is not as it should be and what to do about it. It trusts neither our own
// nameserver nor our database, and it tells sign.Next which DS each server of the parent
// has, since rollovers wait for that.
//
// It believes what it hears as far as anybody does who is not validating: names and
// addresses in answers lead only to Config.Allow'ed addresses, at port 53, and the number
// of questions, their time and the sizes of answers are bounded. The DS is asked over TCP
// and held against the parent's own keys, not against a chain from the root: whoever can
// change packets on the path to the parent can change what is measured.
//
// A server that cannot be reached over IPv6 because this machine has none is not held
// against the zone.
//
// # Findings
//
// Errors, which break the zone for somebody, now or soon:
//
//   - no-delegation: the parent has no NS records for the zone
//   - no-address: a nameserver's name has no address
//   - glue-missing, glue-wrong: the parent has no address, or another one than the zone, for
//     a nameserver inside of the zone
//   - private-address: a nameserver's address is not one of the internet
//   - server-silent: it does not answer, over UDP or at all
//   - server-lame: it answers, and does not have the zone
//   - no-tcp: it answers over UDP only
//   - open-recursion: it asks others on behalf of strangers
//   - ds-broken: a DS at the parent leads to no key that signs the keys
//   - signature-missing, signature-broken: over SOA, NS, DNSKEY, CDS or CDNSKEY
//   - denial-broken: that a name does not exist is not proved
//   - resolver-refuses: the resolver of the settings answers SERVFAIL
//
// Warnings, which weaken it:
//
//   - parent-silent, parents-differ, ds-unproved: the parent's own affairs
//   - ns-differs: other NS at the parent, or on one server, than elsewhere
//   - one-server, one-network: one accident takes all servers away
//   - no-edns: it answers without EDNS only
//   - serial-differs, keys-differ: servers have different versions
//   - soa-odd: timers of the SOA outside of what is usual
//   - open-transfer: it transfers the zone to strangers
//   - ds-stray: a DS of no key beside a good one
//   - digest-weak, algorithm-weak: validators drop them, or will
//   - tag-collision: two keys with one tag
//   - signature-ends: in less than 7 days
//   - cds-odd: CDS and CDNSKEY contradict each other, the keys, or another server's
//   - resolver-unproved: a DS, and no AD from the resolver
//
// Notices:
//
//   - no-ipv6: no nameserver has an IPv6 address
//   - ttl-odd: a TTL below a minute or above two days
//   - ds-missing: signed, and no DS at the parent
//   - cds-waits: CDS asks for another DS than the parent has
//   - not-measured: no way there from here, or the bounds of the check were reached
package outside
