package transfer

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"hostward/internal/rr"
)

// View gives all RRsets at a name of a zone, in any order; none where there is
// nothing. Signatures may come in a set for each TTL.
type View func(name rr.Name) []rr.RRset

// ViewOf is a View of RRsets in memory.
func ViewOf(sets []rr.RRset) View {
	m := map[rr.Name][]rr.RRset{}
	for _, s := range sets {
		m[s.Name] = append(m[s.Name], s)
	}
	return func(name rr.Name) []rr.RRset { return m[name] }
}

// Apply returns what the steps change in a zone, sorted, the SOA with it. It
// reads only the names they touch. Each step must remove what is there, TTLs
// aside, and the first must begin at the zone's serial; if not, the error
// wraps ErrNotApply and nothing of it is to be used. What a step adds may be
// there already with the same TTL: NSD 4.6 sends such steps (2026-11).
//
// One rr.Change speaks of a set with one TTL: signatures of several TTLs at a
// name get the lowest here; Condense keeps each.
func Apply(zone rr.Name, read View, steps []Step) ([]rr.Change, error) {
	d := newDraft(read)
	for _, s := range steps {
		if err := d.apply(zone, s); err != nil {
			return nil, err
		}
	}
	return d.changes(), nil
}

// draft is a zone with changes that are not made yet.
type draft struct {
	read  View
	nodes map[rr.Name]*node
}

// node is a name as it was, and as it is to be: type -> data -> TTL.
type node struct {
	before []rr.RRset
	sets   map[string]map[string]uint32
}

func newDraft(read View) *draft { return &draft{read: read, nodes: map[rr.Name]*node{}} }

func (d *draft) node(name rr.Name) *node {
	if n, ok := d.nodes[name]; ok {
		return n
	}
	n := &node{before: d.read(name), sets: map[string]map[string]uint32{}}
	for _, s := range n.before {
		for _, data := range s.Data {
			n.put(s.Type, data, s.TTL)
		}
	}
	d.nodes[name] = n
	return n
}

func (n *node) put(typ, data string, ttl uint32) {
	if n.sets[typ] == nil {
		n.sets[typ] = map[string]uint32{}
	}
	n.sets[typ][data] = ttl
}

// drop removes one record and reports whether it was there.
func (n *node) drop(typ, data string) bool {
	_, ok := n.sets[typ][data]
	delete(n.sets[typ], data)
	if len(n.sets[typ]) == 0 {
		delete(n.sets, typ)
	}
	return ok
}

// apply takes one step.
func (d *draft) apply(zone rr.Name, s Step) error {
	top := d.node(zone)
	if !follows(top, s.Old) {
		return fmt.Errorf("%w: the zone is not at the serial of %s", ErrNotApply, s.Old)
	}
	for _, r := range s.Removed {
		if !d.node(r.Name).drop(r.Type, r.Data) {
			return fmt.Errorf("%w: %s is not there to be removed", ErrNotApply, r)
		}
	}
	for _, r := range s.Added {
		n := d.node(r.Name)
		if ttl, ok := n.sets[r.Type][r.Data]; ok && ttl != r.TTL {
			return fmt.Errorf("%w: %s is there with another TTL", ErrNotApply, r)
		}
		n.put(r.Type, r.Data, r.TTL)
	}
	delete(top.sets, "SOA")
	top.put("SOA", s.New.Data, s.New.TTL)
	return nil
}

// follows reports whether the zone has the serial of a SOA record.
func follows(top *node, soa rr.Record) bool {
	want, ok := serial(soa)
	for data := range top.sets["SOA"] {
		have, also := rr.ParseSOA(data)
		return ok && also && have.Serial == want
	}
	return false
}

// changes returns what is to be other than it was.
func (d *draft) changes() []rr.Change {
	var before, after []rr.RRset
	for name, n := range d.nodes {
		old, _ := rr.Group(flat(n.before))
		before = append(before, old...)
		after = append(after, n.records(name)...)
	}
	return rr.Diff(before, after)
}

func flat(sets []rr.RRset) (out []rr.Record) {
	for _, s := range sets {
		out = append(out, s.Records()...)
	}
	return out
}

// records returns the node as it is to be, as RRsets.
func (n *node) records(name rr.Name) []rr.RRset {
	var out []rr.Record
	for typ, set := range n.sets {
		for data, ttl := range set {
			out = append(out, rr.Record{Name: name, TTL: ttl, Type: typ, Data: data})
		}
	}
	sets, _ := rr.Group(out)
	return sets
}

// types returns the types at the node, sorted.
func (n *node) types() []string { return slices.Sorted(maps.Keys(n.sets)) }

// sortSets sorts as zones are sorted; parts of one set by TTL.
func sortSets(sets []rr.RRset) {
	rr.SortRRsets(sets)
	for i := 0; i < len(sets); {
		j := i + 1
		for j < len(sets) && sets[j].Name == sets[i].Name && sets[j].Type == sets[i].Type {
			j++
		}
		slices.SortFunc(sets[i:j], func(a, b rr.RRset) int { return cmp.Compare(a.TTL, b.TTL) })
		i = j
	}
}
