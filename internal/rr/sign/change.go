package sign

import (
	"maps"
	"slices"
	"strings"

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

// Plain returns what the changes leave in the form in which nameservers are fed:
// each RRset that is different, and at each name whose signatures are, all RRSIGs
// together as one set. A set that is gone has no data. The zone is the one that
// the changes led to.
func (z *Zone) Plain(changes []Change) []rr.RRset {
	var out []rr.RRset
	resigned := map[rr.Name]bool{}
	for _, c := range changes {
		if !c.Old.RRset.Equal(c.New.RRset) {
			out = append(out, c.New.RRset)
		}
		if !slices.Equal(c.Old.Sigs, c.New.Sigs) {
			resigned[c.New.Name] = true
		}
	}
	for _, name := range slices.Sorted(maps.Keys(resigned)) {
		out = append(out, z.rrsigs(name))
	}
	return out
}

// All returns the zone in the form of Plain.
func (z *Zone) All() []rr.RRset {
	var out []rr.RRset
	for n := range z.everything() {
		for _, s := range n.sets {
			out = append(out, s.RRset)
		}
		if sigs := z.plan.rrsigs(n); len(sigs.Data) > 0 {
			out = append(out, sigs)
		}
	}
	return out
}

// rrsigs returns the RRSIGs at a name; their TTLs are those of what they cover (RFC
// 4034 3), so that of the set says nothing.
func (z *Zone) rrsigs(name rr.Name) rr.RRset {
	out := rr.RRset{Name: name, Type: "RRSIG"}
	for _, n := range []*node{z.names.get(placeOf(name.Wire(), len(z.plan.apexWire))), z.hashNode(name)} {
		if n != nil {
			more := z.plan.rrsigs(n)
			out.TTL, out.Data = max(out.TTL, more.TTL), append(out.Data, more.Data...)
		}
	}
	return out
}

func (p *plan) rrsigs(n *node) rr.RRset {
	out := rr.RRset{Name: n.name, Type: "RRSIG"}
	p.signedSets(n, func(s Signed) bool {
		if len(s.Sigs) > 0 {
			out.TTL, out.Data = max(out.TTL, s.TTL), append(out.Data, s.Sigs...)
		}
		return true
	})
	return out
}

// Stored makes what Load takes of a zone in the form of Plain.
func Stored(sets []rr.RRset) []Signed {
	sigs := map[rr.Key][]string{}
	for _, s := range sets {
		if s.Type != "RRSIG" {
			continue
		}
		for _, d := range s.Data {
			covered, _, _ := strings.Cut(d, " ")
			k := rr.Key{Name: s.Name, Type: covered}
			sigs[k] = append(sigs[k], d)
		}
	}
	var out []Signed
	for _, s := range sets {
		if s.Type != "RRSIG" {
			out = append(out, Signed{s, sigs[s.Key()]})
		}
	}
	return out
}

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
