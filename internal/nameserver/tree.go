package nameserver

import (
	"bytes"
	"encoding/binary"
	"iter"
	"slices"
	"sort"
)

// tree is an ordered set of nodes that is never changed once it is read: an
// edit makes new pages for the nodes it touches and shares all others.
type tree struct {
	pages []page
	// the first octets of each page's first key, and when its first signature
	// expires; empty for a single page
	heads  []uint64
	expiry []uint32
}

// spot is a place in a tree.
type spot struct{ page, i int }

// search returns the first node not below key, and whether it is key's own.
// The spot may lie behind the last node of its page.
func (t *tree) search(key []byte) (spot, bool) {
	if len(t.pages) == 0 {
		return spot{}, false
	}
	p := t.pageOf(key)
	i, ok := t.pages[p].search(key)
	return spot{p, i}, ok
}

// pageOf returns the last page that does not begin above key.
func (t *tree) pageOf(key []byte) int {
	if len(t.pages) == 1 {
		return 0
	}
	want := head8(key)
	low, high := 0, len(t.heads) // the first page that begins above
	for low < high {
		mid := int(uint(low+high) >> 1)
		if h := t.heads[mid]; h < want || h == want && bytes.Compare(t.pages[mid].key(0), key) <= 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return max(low-1, 0)
}

func head8(b []byte) uint64 {
	if len(b) >= 8 {
		return binary.BigEndian.Uint64(b)
	}
	var h [8]byte
	copy(h[:], b)
	return binary.BigEndian.Uint64(h[:])
}

func (t *tree) get(key []byte) (node, bool) {
	s, ok := t.search(key)
	if !ok {
		return nil, false
	}
	return t.at(s).body, true
}

func (t *tree) at(s spot) entry { return t.pages[s.page].at(s.i) }

// from returns the node at a spot or, behind the end of a page, the next.
func (t *tree) from(s spot) (entry, bool) {
	if s.page >= len(t.pages) {
		return entry{}, false
	}
	if s.i < t.pages[s.page].count() {
		return t.at(s), true
	}
	if s.page+1 == len(t.pages) {
		return entry{}, false
	}
	return t.pages[s.page+1].at(0), true
}

// before moves to the node before a spot; false at the beginning.
func (t *tree) before(s spot) (spot, bool) {
	if s.i > 0 {
		return spot{s.page, s.i - 1}, true
	}
	if s.page == 0 {
		return s, false
	}
	return spot{s.page - 1, t.pages[s.page-1].count() - 1}, true
}

// last returns the spot of the last node.
func (t *tree) last() (spot, bool) {
	if len(t.pages) == 0 {
		return spot{}, false
	}
	p := len(t.pages) - 1
	return spot{p, t.pages[p].count() - 1}, true
}

// all ranges over the nodes in order.
func (t *tree) all() iter.Seq[entry] {
	return func(yield func(entry) bool) {
		for _, p := range t.pages {
			for i := range p.count() {
				if !yield(p.at(i)) {
					return
				}
			}
		}
	}
}

// soonest returns when the first signature expires, noExpiry if there is none.
func (t *tree) soonest() uint32 {
	switch {
	case len(t.pages) == 0:
		return noExpiry
	case len(t.expiry) == 0:
		return t.pages[0].soonest()
	}
	return slices.Min(t.expiry)
}

func (t *tree) octets() (n int) {
	for _, p := range t.pages {
		n += len(p)
	}
	return n
}

// edit returns the tree with these nodes put in place of those of their keys,
// and the nodes removed whose body is nil. The entries are in order.
func (t *tree) edit(entries []entry) tree {
	var out tree
	done := 0 // pages taken over so far
	for len(entries) > 0 {
		at, n := 0, len(entries)
		var old page
		if len(t.pages) > 0 {
			at = max(t.pageOf(entries[0].key), done)
			old = t.pages[at]
			n = t.reach(entries, at)
		}
		out.take(t, done, at)
		for _, p := range pack(merge(old, entries[:n])) {
			out.add(p)
		}
		entries = entries[n:]
		done = min(at+1, len(t.pages))
	}
	out.take(t, done, len(t.pages))
	return out.sealed()
}

// take appends pages of another tree.
func (t *tree) take(from *tree, first, end int) {
	if len(from.heads) == 0 {
		for _, p := range from.pages[first:end] {
			t.add(p)
		}
		return
	}
	t.grow(len(from.pages))
	t.pages = append(t.pages, from.pages[first:end]...)
	t.heads = append(t.heads, from.heads[first:end]...)
	t.expiry = append(t.expiry, from.expiry[first:end]...)
}

// grow makes room for about as many pages, once.
func (t *tree) grow(n int) {
	if t.pages == nil {
		n += 8
		t.pages, t.heads, t.expiry = make([]page, 0, n), make([]uint64, 0, n), make([]uint32, 0, n)
	}
}

func (t *tree) add(p page) {
	t.pages = append(t.pages, p)
	t.heads = append(t.heads, head8(p.key(0)))
	t.expiry = append(t.expiry, p.soonest())
}

// sealed drops what a tree of one page does not need: most zones are one.
func (t *tree) sealed() tree {
	if len(t.pages) > 1 {
		return *t
	}
	return tree{pages: slices.Clip(t.pages)}
}

// reach returns how many of the entries belong to a page.
func (t *tree) reach(entries []entry, at int) int {
	if at+1 == len(t.pages) {
		return len(entries)
	}
	next := t.pages[at+1].key(0)
	return sort.Search(len(entries), func(i int) bool { return bytes.Compare(entries[i].key, next) >= 0 })
}

// merge returns the nodes of a page with the edits among them.
func merge(p page, edits []entry) []entry {
	i, n := 0, 0
	if p != nil {
		n = p.count()
	}
	out := make([]entry, 0, n+len(edits))
	for _, e := range edits {
		for ; i < n && bytes.Compare(p.key(i), e.key) < 0; i++ {
			out = append(out, p.at(i))
		}
		if i < n && bytes.Equal(p.key(i), e.key) {
			i++
		}
		if e.body != nil {
			out = append(out, e)
		}
	}
	for ; i < n; i++ {
		out = append(out, p.at(i))
	}
	return out
}
