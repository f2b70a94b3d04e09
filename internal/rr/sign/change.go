package sign

import (
	"slices"

	"hostward/internal/rr"
)

// Signed is an RRset with the signatures over it.
type Signed struct {
	rr.RRset
	// Sigs is the data of the RRSIG records that cover the set, in canonical
	// presentation form. Their TTL is the set's (RFC 4034 3), so the RRSIGs of one
	// name may have several and are no RRset of their own (RFC 4035 2.2). Empty for
	// delegations and glue.
	Sigs []string `json:"sigs,omitempty"`
}

// Records returns the set and its RRSIGs as single records.
func (s Signed) Records() []rr.Record {
	out := s.RRset.Records()
	for _, d := range s.Sigs {
		out = append(out, rr.Record{Name: s.Name, TTL: s.TTL, Type: "RRSIG", Data: d})
	}
	return out
}

// Equal reports whether both are the same, TTL and signatures included.
func (s Signed) Equal(other Signed) bool {
	return s.RRset.Equal(other.RRset) && slices.Equal(s.Sigs, other.Sigs)
}

// Change is what happens to one RRset of a signed zone, or to its signatures alone.
type Change struct {
	Old Signed `json:"old"` // Data is empty where the set is new
	New Signed `json:"new"` // Data is empty where the set is gone
}

// Key names the RRset.
func (c Change) Key() rr.Key { return c.New.Key() }

// signedSet returns a set of a node as others see it.
func (p *plan) signedSet(s *set, labels int) Signed {
	out := Signed{RRset: s.RRset}
	for i := range s.sigs {
		out.Sigs = append(out.Sigs, s.sigs[i].data(s.RRset, labels, p.originText))
	}
	return out
}

// signedSets calls yield for each set of a node.
func (p *plan) signedSets(n *node, yield func(Signed) bool) bool {
	labels := labelsOf(n.name.Wire())
	for i := range n.sets {
		if !yield(p.signedSet(&n.sets[i], labels)) {
			return false
		}
	}
	return true
}

// changes returns what is different between two versions of a name; either may be nil.
func (p *plan) changes(old, new *node) (out []Change) {
	labels := 0
	for _, n := range []*node{old, new} {
		if n != nil {
			labels = labelsOf(n.name.Wire())
		}
	}
	for _, code := range codes(old, new) {
		was, is := old.get(code), new.get(code)
		if was.same(is) {
			continue
		}
		c := Change{p.signedSet(&was, labels), p.signedSet(&is, labels)}
		c.Old.Name, c.Old.Type = or(was.Name, is.Name), or(was.Type, is.Type)
		c.New.Name, c.New.Type = c.Old.Name, c.Old.Type
		out = append(out, c)
	}
	return out
}

// codes returns the types that stand at one of the nodes, in order.
func codes(nodes ...*node) (out []uint16) {
	for _, n := range nodes {
		if n == nil {
			continue
		}
		for _, s := range n.sets {
			out = append(out, s.code)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// same reports whether two sets are equal, signatures included.
func (s set) same(other set) bool {
	return s.RRset.Equal(other.RRset) && slices.Equal(s.sigs, other.sigs)
}
