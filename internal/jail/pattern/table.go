package pattern

// A table says which bytes may stand at a place, and whether the text may end
// there.
type table struct {
	bits [4]uint64
	end  bool
}

func (t *table) put(b byte) { t.bits[b>>6] |= 1 << (b & 63) }

func (t *table) has(b byte) bool { return t.bits[b>>6]&(1<<(b&63)) != 0 }

// allows reports whether what stands at a place of the text is in the table. No
// table allows everything.
func (t *table) allows(text []byte, at int) bool {
	switch {
	case t == nil:
		return true
	case at < len(text):
		return t.has(text[at])
	}
	return t.end
}

func (t *table) join(other *table) {
	for i := range t.bits {
		t.bits[i] |= other.bits[i]
	}
	t.end = t.end || other.end
}

// full is the table that allows everything.
func full() *table {
	const all = ^uint64(0)
	return &table{bits: [4]uint64{all, all, all, all}, end: true}
}
