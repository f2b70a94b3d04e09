package rr

import "slices"

// Change is what happens to one RRset.
type Change struct {
	Old     RRset    `json:"old"`               // Data is empty where the set is new
	New     RRset    `json:"new"`               // Data is empty where the set is gone
	Added   []string `json:"added,omitempty"`   // data of the new records
	Removed []string `json:"removed,omitempty"` // data of the records that go
}

// Key names the RRset.
func (c Change) Key() Key { return c.New.Key() }

// Lines returns the change as a diff: "- record", "+ record". A set whose TTL
// changes is shown whole.
func (c Change) Lines() []string {
	removed, added := c.Removed, c.Added
	if c.Old.TTL != c.New.TTL && len(c.Old.Data) > 0 && len(c.New.Data) > 0 {
		removed, added = c.Old.Data, c.New.Data
	}
	var out []string
	for _, d := range removed {
		out = append(out, "- "+Record{c.Old.Name, c.Old.TTL, c.Old.Type, d}.String())
	}
	for _, d := range added {
		out = append(out, "+ "+Record{c.New.Name, c.New.TTL, c.New.Type, d}.String())
	}
	return out
}

// Diff returns what turns old into new, sorted by Key. A set absent and one
// with empty Data are the same.
func Diff(old, new []RRset) []Change {
	type pair struct{ old, new RRset }
	pairs := map[Key]pair{}
	for _, s := range old {
		pairs[s.Key()] = pair{old: s}
	}
	for _, s := range new {
		p := pairs[s.Key()]
		p.new = s
		pairs[s.Key()] = p
	}
	var out []Change
	for k, p := range pairs {
		if c, changed := change(k, p.old, p.new); changed {
			out = append(out, c)
		}
	}
	slices.SortFunc(out, func(a, b Change) int { return a.Key().Compare(b.Key()) })
	return out
}

func change(k Key, old, new RRset) (Change, bool) {
	old.Name, old.Type, new.Name, new.Type = k.Name, k.Type, k.Name, k.Type
	c := Change{Old: old, New: new, Added: without(new.Data, old.Data), Removed: without(old.Data, new.Data)}
	retimed := old.TTL != new.TTL && len(old.Data) > 0 && len(new.Data) > 0
	return c, retimed || len(c.Added)+len(c.Removed) > 0
}

// without returns what of a is not in b.
func without(a, b []string) []string {
	have := make(map[string]bool, len(b))
	for _, s := range b {
		have[s] = true
	}
	var out []string
	for _, s := range a {
		if !have[s] {
			out = append(out, s)
		}
	}
	return out
}
