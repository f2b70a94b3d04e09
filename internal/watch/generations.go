package watch

import "iter"

// generations is a map of at most so many entries. It has two halves: when the young
// one is full, the old one is forgotten. What is asked for stays young. A nil one is
// empty.
type generations[K comparable, V any] struct {
	young, old map[K]V
	most       int
}

func newGenerations[K comparable, V any](most int) *generations[K, V] {
	return &generations[K, V]{young: map[K]V{}, most: most / 2}
}

func (g *generations[K, V]) get(k K) (v V, ok bool) {
	if g == nil {
		return v, false
	}
	if v, ok = g.young[k]; ok {
		return v, true
	}
	if v, ok = g.old[k]; ok {
		delete(g.old, k)
		g.put(k, v)
	}
	return v, ok
}

func (g *generations[K, V]) put(k K, v V) {
	if _, ok := g.young[k]; !ok && len(g.young) >= g.most {
		g.old, g.young = g.young, map[K]V{}
	}
	delete(g.old, k)
	g.young[k] = v
}

func (g *generations[K, V]) drop(which func(K) bool) {
	for _, half := range []map[K]V{g.young, g.old} {
		for k := range half {
			if which(k) {
				delete(half, k)
			}
		}
	}
}

// all goes over the entries, the old ones first.
func (g *generations[K, V]) all() iter.Seq2[K, V] {
	return func(yield func(K, V) bool) {
		for _, half := range []map[K]V{g.old, g.young} {
			for k, v := range half {
				if !yield(k, v) {
					return
				}
			}
		}
	}
}
