package sign

import (
	"cmp"
	"slices"

	"hostward/internal/rr"
)

// Types that mean something here (IANA, "Resource Record TYPEs").
const (
	typeA          = 1
	typeNS         = 2
	typeCNAME      = 5
	typeSOA        = 6
	typePTR        = 12
	typeAAAA       = 28
	typeDNAME      = 39
	typeDS         = 43
	typeRRSIG      = 46
	typeNSEC       = 47
	typeDNSKEY     = 48
	typeNSEC3      = 50
	typeNSEC3PARAM = 51
	typeCDS        = 59
	typeCDNSKEY    = 60
)

// made reports whether a type is made by signing, wherever it stands.
func made(code uint16) bool {
	return code == typeRRSIG || code == typeNSEC || code == typeNSEC3 || code == typeNSEC3PARAM
}

// madeAtApex reports whether a type is made by signing at the apex. Elsewhere
// it is data: signaling names have CDS (RFC 9615).
func madeAtApex(code uint16) bool {
	return made(code) || code == typeDNSKEY || code == typeCDS || code == typeCDNSKEY
}

// Makes reports whether signing makes an RRset of the zone itself.
func Makes(origin rr.Name, k rr.Key) bool {
	code, ok := rr.TypeCode(k.Type)
	return ok && (made(code) || k.Name == origin && madeAtApex(code))
}

// role is what a name is in its zone, which decides what of it is signed.
type role uint8

const (
	inside role = iota // authoritative: everything is signed
	apex               // the same
	cut                // delegated: DS is the parent's, everything else is glue (RFC 4035 2.2)
	below              // below a delegation or a DNAME: not signed, not in the chain
)

// set is an RRset with what is needed again and again.
type set struct {
	rr.RRset
	code uint16
	sigs []signature // in the order of the plan's signers
}

// node is a name with everything that stands there. It never changes once it is in a zone.
type node struct {
	name rr.Name
	key  place
	role role
	sets []set // by type
	term       // of the signatures
}

// find returns where the set of a type is, or would be.
func (n *node) find(code uint16) (int, bool) {
	return slices.BinarySearchFunc(n.sets, code, func(s set, c uint16) int { return cmp.Compare(s.code, c) })
}

func (n *node) has(code uint16) bool {
	_, ok := n.find(code)
	return ok
}

// get returns the set of a type, or an empty one.
func (n *node) get(code uint16) set {
	if n != nil {
		if i, ok := n.find(code); ok {
			return n.sets[i]
		}
	}
	return set{}
}

// put adds or replaces a set; an equal one stays, and keeps its signatures. A
// set without data is removed.
func (n *node) put(s set) {
	i, ok := n.find(s.code)
	switch {
	case len(s.Data) == 0 && ok:
		n.sets = slices.Delete(n.sets, i, i+1)
	case len(s.Data) == 0 || ok && n.sets[i].Equal(s.RRset):
	case ok:
		n.sets[i] = s
	default:
		n.sets = slices.Insert(n.sets, i, s)
	}
}

// clone returns a copy that may be changed before it is put into a zone.
func (n *node) clone() *node {
	c := *n
	c.sets = append(make([]set, 0, len(n.sets)+1), n.sets...)
	return &c
}

// hides reports whether what stands below the name is not of this zone: it is
// delegated, or DNAME stands there (RFC 6672 2.4).
func (n *node) hides() bool { return n.key != "" && n.has(typeNS) || n.has(typeDNAME) }

// signed reports whether the zone signs a type at a name of that role.
func (r role) signed(code uint16) bool {
	switch r {
	case below:
		return false
	case cut:
		return code == typeDS || code == typeNSEC
	}
	return true
}

// chained reports whether a name of that role is in the chain.
func (r role) chained() bool { return r != below }
