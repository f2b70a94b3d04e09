package sign

import (
	"cmp"
	"iter"
	"slices"
	"sort"
)

// list holds nodes in the order of their keys. It never changes: an edit makes
// another list that shares all but a few chunks with the old one, so that a
// change of one name costs the same in a zone of a hundred names and of a million.
type list struct{ chunks []*chunk }

// chunk is a run of nodes, and what its nodes have in common.
type chunk struct {
	nodes []*node
	owner *edit // the edit that made it and may change it
	term        // of all the nodes together
}

// A chunk is split when it has mostNodes.
const mostNodes = 256

// newList makes a list of sorted nodes.
func newList(nodes []*node) list {
	var l list
	for run := range slices.Chunk(nodes, mostNodes/2) {
		c := &chunk{nodes: slices.Clone(run)}
		c.sum()
		l.chunks = append(l.chunks, c)
	}
	return l
}

// sum computes what a chunk keeps about its nodes.
func (c *chunk) sum() {
	c.term = noTerm
	for _, n := range c.nodes {
		c.term = c.join(n.term)
	}
}

// find returns where the first node at or after key is; chunk is len(chunks) at the end.
func (l list) find(key place) (chunk, index int, found bool) {
	chunk = sort.Search(len(l.chunks), func(i int) bool { return last(l.chunks[i].nodes).key >= key })
	if chunk == len(l.chunks) {
		return chunk, 0, false
	}
	index, found = slices.BinarySearchFunc(l.chunks[chunk].nodes, key, func(n *node, k place) int { return cmp.Compare(n.key, k) })
	return chunk, index, found
}

func last(nodes []*node) *node { return nodes[len(nodes)-1] }

// get returns the node with that key, or nil.
func (l list) get(key place) *node {
	if c, i, ok := l.find(key); ok {
		return l.chunks[c].nodes[i]
	}
	return nil
}

// atOrAfter returns the first node whose key is not less than key, or nil.
func (l list) atOrAfter(key place) *node {
	c, i, _ := l.find(key)
	if c == len(l.chunks) {
		return nil
	}
	return l.chunks[c].nodes[i]
}

// before returns the last node whose key is less than key, or nil.
func (l list) before(key place) *node {
	switch c, i, _ := l.find(key); {
	case i > 0:
		return l.chunks[c].nodes[i-1]
	case c > 0:
		return last(l.chunks[c-1].nodes)
	}
	return nil
}

// first and last return the ends; the list must not be empty.
func (l list) first() *node { return l.chunks[0].nodes[0] }
func (l list) last() *node  { return last(l.chunks[len(l.chunks)-1].nodes) }

// all yields the nodes in order.
func (l list) all() iter.Seq[*node] { return l.from("") }

// from yields the nodes that are not less than key, in order.
func (l list) from(key place) iter.Seq[*node] {
	return func(yield func(*node) bool) {
		c, i, _ := l.find(key)
		for ; c < len(l.chunks); c, i = c+1, 0 {
			for _, n := range l.chunks[c].nodes[i:] {
				if !yield(n) {
					return
				}
			}
		}
	}
}

func (l list) len() (n int) {
	for _, c := range l.chunks {
		n += len(c.nodes)
	}
	return n
}

// edit is a list that is being changed. Chunks of the list it began with stay as
// they are.
type edit struct{ list }

func (l list) edit() *edit { return &edit{list{slices.Clone(l.chunks)}} }

// newEdit begins with sorted nodes that are in no zone yet.
func newEdit(nodes []*node) *edit {
	e := newList(nodes).edit()
	for _, c := range e.chunks {
		c.owner = e
	}
	return e
}

// own returns chunk i, copied if another list has it too.
func (e *edit) own(i int) *chunk {
	if c := e.chunks[i]; c.owner != e {
		e.chunks[i] = &chunk{nodes: append(make([]*node, 0, len(c.nodes)+1), c.nodes...), owner: e}
	}
	return e.chunks[i]
}

// put adds a node, or replaces the one with its key.
func (e *edit) put(n *node) {
	if len(e.chunks) == 0 {
		e.chunks = []*chunk{{owner: e}}
	}
	i, at, found := e.find(n.key)
	if i == len(e.chunks) {
		i, at = i-1, len(e.chunks[i-1].nodes)
	}
	c := e.own(i)
	if found {
		c.nodes[at] = n
		return
	}
	c.nodes = slices.Insert(c.nodes, at, n)
	if len(c.nodes) >= mostNodes {
		e.split(i)
	}
}

func (e *edit) split(i int) {
	c := e.chunks[i]
	half := len(c.nodes) / 2
	right := &chunk{nodes: slices.Clone(c.nodes[half:]), owner: e}
	c.nodes = slices.Clip(c.nodes[:half])
	e.chunks = slices.Insert(e.chunks, i+1, right)
}

// remove takes the node with that key out, if there is one.
func (e *edit) remove(key place) {
	i, at, found := e.find(key)
	if !found {
		return
	}
	c := e.own(i)
	c.nodes = slices.Delete(c.nodes, at, at+1)
	if len(c.nodes) == 0 {
		e.chunks = slices.Delete(e.chunks, i, i+1)
	}
}

// done returns the changed list; the edit is over.
func (e *edit) done() list {
	for _, c := range e.chunks {
		if c.owner == e {
			c.sum()
			c.owner = nil
		}
	}
	return e.list
}
