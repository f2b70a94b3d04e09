package pattern

import "math"

// A memory holds the states of a match that need not be entered again, as bits:
// mark of the choice, groups that conditions ask for, place in the text.
type memory struct {
	on   bool
	bits []uint64
	row  int // bits for each mark and each way the conditions can stand
}

const (
	mostConds  = 4       // more, and the states are too many
	keptMemory = 1 << 14 // words that are kept for the next match
)

// remember begins to keep states, where that helps, and reports whether the match
// may go on.
func (m *Machine) remember() bool {
	if m.memory.on || !m.p.linear {
		m.gaveUp = true
		return false
	}
	m.memory.on, m.memory.row = true, len(m.text)+1
	words := (int(m.p.marks)<<len(m.p.conds)*m.memory.row + 63) / 64
	if cap(m.memory.bits) < words || cap(m.memory.bits) > keptMemory {
		m.memory.bits = make([]uint64, words)
	}
	m.memory.bits = m.memory.bits[:words]
	clear(m.memory.bits)
	if m.limit = math.MaxInt; m.p.looks {
		m.limit = m.p.most(len(m.text))
	}
	return true
}

// seen reports whether a choice was met at a place before, as far as states are
// kept, and keeps it.
func (m *Machine) seen(mark, pos int32) bool {
	if !m.memory.on || m.looks > 0 || mark < 0 {
		return false
	}
	row := int(mark)
	for _, group := range m.p.conds {
		row <<= 1
		if m.slots[2*group+1] >= 0 {
			row |= 1
		}
	}
	bit := row*m.memory.row + int(pos)
	word, mask := &m.memory.bits[bit>>6], uint64(1)<<(bit&63)
	if *word&mask != 0 {
		return true
	}
	*word |= mask
	return false
}
