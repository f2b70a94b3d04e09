package pattern

// A table says which bytes may stand at a place, and whether the text may end
// there.
type table struct {
	bits [4]uint64
	end  bool
}

func (t *table) put(b byte) { t.bits[b>>6] |= 1 << (b & 63) }

func (t *table) has(b byte) bool { return t.bits[b>>6]&(1<<(b&63)) != 0 }

// allows reports whether what stands at a place of the text is in the table.
func (t *table) allows(text []byte, at int) bool {
	if at < len(text) {
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

// everything is the table that allows everything.
var everything = &table{bits: [4]uint64{^uint64(0), ^uint64(0), ^uint64(0), ^uint64(0)}, end: true}
