package nameserver

import (
	"hash/maphash"
	"maps"
)

// table is a map that is never changed once it is read: an edit copies only
// the shards it touches, so that a change in a great zone stays cheap.
type table[V any] struct {
	seed   maphash.Seed
	shards []map[string]V // a power of two
	n      int
}

// crowded is the most keys a shard holds before the table is cut finer: what
// one change may have to copy.
const crowded = 128

func newTable[V any]() *table[V] {
	return &table[V]{seed: maphash.MakeSeed(), shards: make([]map[string]V, 1)}
}

// get looks up without allocating.
func (t *table[V]) get(key []byte) V {
	if len(t.shards) == 1 {
		return t.shards[0][string(key)]
	}
	return t.shards[maphash.Bytes(t.seed, key)&uint64(len(t.shards)-1)][string(key)]
}

// getString is get for a key that is a string already.
func (t *table[V]) getString(key string) V {
	if len(t.shards) == 1 {
		return t.shards[0][key]
	}
	return t.shards[maphash.String(t.seed, key)&uint64(len(t.shards)-1)][key]
}

// all ranges over keys and values in no order.
func (t *table[V]) all(yield func(string, V) bool) {
	for _, s := range t.shards {
		for k, v := range s {
			if !yield(k, v) {
				return
			}
		}
	}
}

// edit is a table in the making. It shares the shards it has not touched.
type edit[V any] struct {
	table[V]
	own []bool
}

func (t *table[V]) edit() *edit[V] {
	e := &edit[V]{table: *t, own: make([]bool, len(t.shards))}
	e.shards = append([]map[string]V(nil), t.shards...)
	return e
}

// shard returns the shard of a key, copied on first use.
func (e *edit[V]) shard(key string) map[string]V {
	i := int(maphash.String(e.seed, key) & uint64(len(e.shards)-1))
	if len(e.shards) == 1 {
		i = 0
	}
	if !e.own[i] {
		e.own[i] = true
		if e.shards[i] = maps.Clone(e.shards[i]); e.shards[i] == nil {
			e.shards[i] = map[string]V{}
		}
	}
	return e.shards[i]
}

func (e *edit[V]) set(key string, v V) {
	s := e.shard(key)
	before := len(s)
	s[key] = v
	e.n += len(s) - before
	if e.n > crowded*len(e.shards) {
		e.split()
	}
}

func (e *edit[V]) remove(key string) {
	s := e.shard(key)
	before := len(s)
	delete(s, key)
	e.n += len(s) - before
}

// split makes eight times as many shards.
func (e *edit[V]) split() {
	old := e.shards
	e.shards = make([]map[string]V, 8*len(old))
	e.own = make([]bool, len(e.shards))
	for _, s := range old {
		for k, v := range s {
			e.shard(k)[k] = v
		}
	}
}

// done returns the finished table; the edit is not used again.
func (e *edit[V]) done() *table[V] { return &e.table }
