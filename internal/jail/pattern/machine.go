package pattern

import (
	"bytes"
	"unicode/utf8"
)

// A Machine matches, and keeps the memory that this takes. It is not for use by
// several goroutines at once.
type Machine struct {
	p      *Pattern
	text   []byte
	slots  []int32
	regs   []int32
	stack  []frame
	steps  int
	limit  int
	looks  int // look-around that is under way
	memory memory
	gaveUp bool
}

// A frame says what to do when a way fails.
type frame struct {
	do  undo
	pc  int32
	pos int32
	arg int32
}

type undo uint8

const (
	tryElse  undo = iota // go on at pc and pos
	takeBack             // give back one more character of the run at pc, down to arg
	takeMore             // take one more character into the run at pc, up to arg in all
	setSlot              // slot pc was pos
	setReg               // register pc was pos
)

// Match looks for the first match that begins at from or later, and reports
// whether there is one. A condition at its beginning sees the text before from.
func (m *Machine) Match(p *Pattern, text []byte, from int) bool {
	m.prepare(p, text)
	for at := p.candidate(text, from); at >= 0; at = p.candidate(text, at+1) {
		for i := range m.slots {
			m.slots[i] = -1
		}
		m.stack = m.stack[:0]
		if _, ok := m.run(0, int32(at)); ok {
			return true
		}
		if m.gaveUp {
			break
		}
	}
	m.forget()
	return false
}

func (m *Machine) prepare(p *Pattern, text []byte) {
	if need := 2 * len(p.names); cap(m.slots) < need {
		m.slots = make([]int32, need)
	}
	if cap(m.regs) < int(p.regs) {
		m.regs = make([]int32, p.regs)
	}
	m.slots, m.regs = m.slots[:2*len(p.names)], m.regs[:p.regs]
	m.p, m.text, m.steps, m.looks, m.gaveUp = p, text, 0, 0, false
	m.limit = p.patience(len(text))
	m.memory.on = false
}

// forget makes the groups of a match that failed empty.
func (m *Machine) forget() {
	for i := range m.slots {
		m.slots[i] = -1
	}
}

// Group returns where a group of the last match begins and ends, and false if it
// took no part. Group 0 is the match.
func (m *Machine) Group(i int) (begin, end int, ok bool) {
	if 2*i+1 >= len(m.slots) || m.slots[2*i] < 0 || m.slots[2*i+1] < 0 {
		return 0, 0, false
	}
	return int(m.slots[2*i]), int(m.slots[2*i+1]), true
}

// GaveUp reports whether the last match took more steps than its expression may
// have (see Pattern.Linear), and therefore counts as none.
func (m *Machine) GaveUp() bool { return m.gaveUp }

func (m *Machine) push(f frame) { m.stack = append(m.stack, f) }

// run goes through the program from pc on until it ends, or until all ways have
// failed. This is one long function because it is where the time goes.
func (m *Machine) run(pc, pos int32) (end int32, ok bool) {
	base, prog, text := len(m.stack), m.p.prog, m.text
	for {
		in := &prog[pc]
		m.steps++
		switch in.op {
		case opByte:
			if int(pos) < len(text) && text[pos] == in.b {
				pos++
				pc++
				continue
			}
		case opText:
			if rest := text[pos:]; len(rest) >= len(*in.text) && string(rest[:len(*in.text)]) == *in.text {
				pos += int32(len(*in.text))
				pc++
				continue
			}
		case opSet:
			if next := in.set.next(text, int(pos)); next >= 0 {
				pos = int32(next)
				pc++
				continue
			}
		case opRun:
			if in.maybe && int(pos) < len(text) && text[pos] < utf8.RuneSelf { // the most common one
				next := pos
				if in.set.table[text[pos]] == yes {
					next++
				}
				if in.tx.allows(text, int(next)) {
					pos = next
					pc++
					continue
				}
			} else {
				next := int32(unknown)
				if in.plain {
					next = in.quick(text, pos)
				}
				if next == unknown {
					next = m.take(in, pc, pos)
				}
				if next >= 0 {
					pos = next
					pc++
					continue
				}
			}
		case opSplit:
			switch first := in.tx.allows(text, int(pos)); {
			case m.memory.on && m.seen(in.mark, pos):
			case !first:
				pc = in.y
				continue
			default:
				if in.ty.allows(text, int(pos)) {
					m.push(frame{tryElse, in.y, pos, 0})
				}
				pc = in.x
				continue
			}
		case opJump:
			pc = in.x
			continue
		case opSave:
			if len(m.stack) > 0 || m.looks > 0 { // otherwise nothing goes back behind here
				m.push(frame{setSlot, in.arg, m.slots[in.arg], 0})
			}
			m.slots[in.arg] = pos
			pc++
			continue
		case opPlace:
			if stands(in, text, int(pos)) {
				pc++
				continue
			}
		case opRef:
			if next := m.again(in, pos); next >= 0 {
				pos = next
				pc++
				continue
			}
		case opCond:
			pc++
			if m.slots[2*in.arg+1] < 0 {
				pc = in.y
			}
			continue
		case opLook:
			if m.look(in, pc, pos) {
				pc = in.x
				continue
			}
		case opNeed:
			if bytes.Contains(text[pos:], []byte(*in.text)) {
				pc++
				continue
			}
		case opSee:
			rest := text[pos:]
			if in.not != (len(rest) >= len(*in.text) && string(rest[:len(*in.text)]) == *in.text) {
				pc++
				continue
			}
		case opAtomic:
			m.looks++ // the first way it matches counts, even if the match failed behind it before
			next, ok := m.inside(pc, pos)
			if m.looks--; ok {
				pos, pc = next, in.x
				continue
			}
		case opEnter:
			m.push(frame{setReg, in.arg, m.regs[in.arg], 0})
			m.regs[in.arg] = pos
			pc++
			continue
		case opRound:
			if pc = in.x; m.regs[in.arg] == pos {
				pc = in.y
			}
			continue
		case opDone, opMatch:
			return pos, true
		}
		if pc, pos, ok = m.back(base); !ok {
			return -1, false
		}
	}
}

// back undoes what was done since the last choice and says where to go on, if
// there is a choice left.
func (m *Machine) back(base int) (pc, pos int32, ok bool) {
	if m.steps > m.limit && !m.remember() {
		m.stack = m.stack[:base]
		return 0, 0, false
	}
	for len(m.stack) > base {
		f := m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		switch f.do {
		case setSlot:
			m.slots[f.pc] = f.pos
		case setReg:
			m.regs[f.pc] = f.pos
		case tryElse:
			return f.pc, f.pos, true
		case takeBack:
			if pos := m.less(f); pos >= 0 {
				return f.pc + 1, pos, true
			}
		case takeMore:
			if pos := m.one(f); pos >= 0 {
				return f.pc + 1, pos, true
			}
		}
	}
	return 0, 0, false
}

// again returns where the text of a group ends that stands here again.
func (m *Machine) again(in *inst, pos int32) int32 {
	begin, end := m.slots[2*in.arg], m.slots[2*in.arg+1]
	if begin < 0 || end < begin {
		return -1
	}
	if in.not {
		return sameFold(m.text, begin, end, pos)
	}
	for ; begin < end; begin++ {
		if int(pos) >= len(m.text) || m.text[begin] != m.text[pos] {
			return -1
		}
		pos++
	}
	return pos
}

func sameFold(text []byte, begin, end, pos int32) int32 {
	for begin < end {
		a, size := utf8.DecodeRune(text[begin:end])
		b, other := utf8.DecodeRune(text[pos:])
		if other == 0 || !equalFold(a, b) {
			return -1
		}
		begin += int32(size)
		pos += int32(other)
	}
	return pos
}

// look reports whether look-around holds. It takes back what it did, but for
// the groups of one that must match and does.
func (m *Machine) look(in *inst, pc, pos int32) bool {
	if in.arg > 0 {
		if pos = before(m.text, pos, in.arg); pos < 0 {
			return in.not
		}
	}
	base := len(m.stack)
	m.looks++ // what fails in here may hold from elsewhere: nothing is remembered
	_, ok := m.inside(pc, pos)
	m.looks--
	if ok && in.not {
		m.unwind(base)
	}
	return ok != in.not && !m.gaveUp
}

// inside runs the program behind pc up to its opDone, the first way it can, and
// forgets the other ways.
func (m *Machine) inside(pc, pos int32) (end int32, ok bool) {
	base := len(m.stack)
	if end, ok = m.run(pc+1, pos); !ok {
		return -1, false
	}
	kept := m.stack[:base]
	for _, f := range m.stack[base:] {
		if f.do == setSlot || f.do == setReg {
			kept = append(kept, f)
		}
	}
	m.stack = kept
	return end, true
}

// unwind sets slots and registers back to what they were.
func (m *Machine) unwind(base int) {
	for len(m.stack) > base {
		f := m.stack[len(m.stack)-1]
		m.stack = m.stack[:len(m.stack)-1]
		if f.do == setSlot {
			m.slots[f.pc] = f.pos
		} else {
			m.regs[f.pc] = f.pos
		}
	}
}

// before goes so many characters back.
func before(text []byte, pos, count int32) int32 {
	for ; count > 0; count-- {
		if pos <= 0 {
			return -1
		}
		for pos--; pos > 0 && !utf8.RuneStart(text[pos]); pos-- {
		}
	}
	return pos
}
