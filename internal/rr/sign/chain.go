package sign

import (
	"cmp"
	"crypto/sha1" // #nosec G505 -- the only hash NSEC3 has (RFC 5155 11); it hides names, it protects nothing
	"encoding/base32"
	"slices"
	"strings"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// nsec returns the NSEC set of a node, whose follower in the chain is next
// (RFC 4034 4).
func (z *Zone) nsec(n, next *node) set {
	return set{code: typeNSEC, RRset: rr.RRset{Name: n.name, Type: "NSEC", TTL: z.chainTTL,
		Data: []string{nameText(next.name) + typeNames(n.types(typeNSEC))}}}
}

// Fields of NSEC3 and NSEC3PARAM: SHA-1, no opt-out, no extra iterations, no
// salt (RFC 5155 3.1, 4.1; RFC 9276 3.1).
const (
	nsec3Param = "1 0 0 -"
	hashSize   = sha1.Size
	hashLabel  = 32 // octets of a hash as a label
)

// hashName hashes a name in wire form (RFC 5155 5).
func hashName(wire []byte) [hashSize]byte { return sha1.Sum(wire) } // #nosec G401 -- see the import

// base32hex is how hashes are written as names (RFC 5155 3.3, RFC 4648 7).
func base32hex(h string) string { return base32.HexEncoding.EncodeToString([]byte(h)) }

// hashed is a name in the NSEC3 chain.
type hashed struct {
	key   place  // the hash, 20 octets
	types string // what the chain says of the name, as typeNames writes it
}

// nsec3 returns the set of a hashed name; next is the hash that follows.
func (z *Zone) nsec3(h hashed, next place) set {
	return set{code: typeNSEC3, RRset: rr.RRset{Name: z.hashedName(h.key), Type: "NSEC3", TTL: z.chainTTL,
		Data: []string{nsec3Param + " " + base32hex(string(next)) + h.types}}}
}

// hashedTypes is the way back from a set to its types.
func hashedTypes(s set) string { return s.Data[0][len(nsec3Param)+1+hashLabel:] }

func (z *Zone) hashedName(key place) rr.Name {
	label := strings.ToLower(base32hex(string(key))) + "."
	if z.plan.Origin == "." {
		return rr.Name(label)
	}
	return rr.Name(label) + z.plan.Origin
}

// hash returns where a name stands in the NSEC3 chain.
func (z *Zone) hash(name rr.Name) place {
	h := z.plan.hash(name.Wire())
	return place(h[:])
}

// chainAll makes the whole chain anew. nodes are all names of the zone, in
// order, and in no zone yet.
func (z *Zone) chainAll(nodes []*node) error {
	chained := make([]*node, 0, len(nodes))
	for _, n := range nodes {
		if n.role.chained() {
			chained = append(chained, n)
		}
	}
	z.hashes = list{}
	if z.plan.NSEC3 {
		names, err := z.hashAll(chained)
		z.hashes = newList(names)
		return err
	}
	for i, n := range chained {
		n.put(z.nsec(n, chained[(i+1)%len(chained)]))
	}
	return nil
}

// hashAll returns the NSEC3 chain of names, and of the empty non-terminals
// above them (RFC 5155 7.1).
func (z *Zone) hashAll(chained []*node) ([]*node, error) {
	var names []hashed
	var above place
	for _, n := range chained {
		names = append(names, hashed{z.hash(n.name), typeNames(n.types())})
		for p := n.key.parent(); !above.below(p); p = p.parent() {
			names = append(names, hashed{key: z.hash(nameAt(n.name, n.key, p))})
		}
		above = n.key
	}
	slices.SortFunc(names, func(a, b hashed) int { return cmp.Compare(a.key, b.key) })
	nodes := make([]*node, len(names))
	for i, h := range names {
		next := names[(i+1)%len(names)].key
		if next == h.key && len(names) > 1 {
			return nil, errCollision(h.key)
		}
		s := z.nsec3(h, next)
		nodes[i] = &node{name: s.Name, key: h.key, sets: []set{s}}
	}
	return nodes, nil
}

func errCollision(key place) error {
	return core.Errorf(core.Conflict, "two names have the same NSEC3 hash %s, so the zone cannot be signed with NSEC3: use NSEC", base32hex(string(key)))
}
