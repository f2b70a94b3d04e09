package pattern

import (
	"bytes"
	"unicode/utf8"
)

// take consumes a run and returns where it ends, or -1. What could be given back
// or taken later is on the stack.
func (m *Machine) take(in *inst, pc, pos int32) int32 {
	if in.last {
		return m.takeAll(in, pos)
	}
	low := m.least(in, pos)
	if low < 0 {
		return -1
	}
	if in.mode == lazy {
		return m.takeLittle(in, pc, low)
	}
	if in.max < 0 && m.memory.on && m.looks == 0 {
		return m.takeEach(in, pc, low)
	}
	end, _ := in.run(m.text, int(low), in.rest())
	m.steps += (end - int(low)) >> 4
	return m.longest(in, frame{takeBack, pc, int32(end), low})
}

// takeAll consumes a run of which nothing can be given back.
func (m *Machine) takeAll(in *inst, pos int32) int32 {
	low := m.least(in, pos)
	if low < 0 {
		return -1
	}
	end, count := in.run(m.text, int(low), in.rest())
	m.steps += count >> 4
	if !in.tx.allows(m.text, end) {
		return -1
	}
	return int32(end)
}

// rest is how many characters a run may take beyond its least.
func (in *inst) rest() int {
	if in.max < 0 {
		return -1
	}
	return int(in.max - in.min)
}

// least takes what a run must have, and returns -1 if it is not there.
func (m *Machine) least(in *inst, pos int32) int32 {
	if in.min == 0 {
		return pos
	}
	end, count := in.run(m.text, int(pos), int(in.min))
	if count < int(in.min) {
		return -1
	}
	return int32(end)
}

// longest returns the last place of a run, up to f.pos, at which the program can
// go on.
func (m *Machine) longest(in *inst, f frame) int32 {
	for ; f.pos > f.arg && !in.tx.allows(m.text, int(f.pos)); f.pos = prev(m.text, f.pos) {
		m.steps++
	}
	if f.pos > f.arg {
		m.push(f)
	} else if !in.tx.allows(m.text, int(f.pos)) {
		return -1
	}
	return f.pos
}

// less gives back one more character of a run, or as many as it takes.
func (m *Machine) less(f frame) int32 {
	f.pos = prev(m.text, f.pos)
	return m.longest(&m.p.prog[f.pc], f)
}

// prev returns where the character before a place begins.
func prev(text []byte, pos int32) int32 {
	for pos--; pos > 0 && !utf8.RuneStart(text[pos]); pos-- {
	}
	return pos
}

// takeEach is take for a match that remembers: it leaves every end of the run on
// the stack, and stops where an earlier one came along.
func (m *Machine) takeEach(in *inst, pc, pos int32) int32 {
	for at := int(pos); at >= 0 && !m.seen(in.mark, int32(at)); at = in.next(m.text, at) {
		m.steps++
		if in.tx.allows(m.text, at) {
			m.push(frame{tryElse, pc + 1, int32(at), 0})
		}
	}
	return -1
}

// takeLittle takes nothing beyond the least, or as little as lets the program go on.
func (m *Machine) takeLittle(in *inst, pc, pos int32) int32 {
	f := frame{takeMore, pc, pos, int32(in.rest())}
	if m.seen(in.mark, pos) {
		return -1
	}
	if in.tx.allows(m.text, int(pos)) {
		m.push(f)
		return pos
	}
	return m.one(f)
}

// one takes one more character into a lazy run, or as many as it takes.
func (m *Machine) one(f frame) int32 {
	in := &m.p.prog[f.pc]
	for f.arg != 0 {
		next := in.next(m.text, int(f.pos))
		if next < 0 || m.seen(in.mark, int32(next)) {
			return -1
		}
		m.steps++
		f.arg--
		if f.pos = int32(next); in.tx.allows(m.text, next) {
			m.push(f)
			return f.pos
		}
	}
	return -1
}

// run is set.run for an instruction: it ends where the text begins that may not
// stand there.
func (in *inst) run(text []byte, at, max int) (end, count int) {
	end, count = in.set.run(text, at, max)
	if in.text == nil {
		return end, count
	}
	if i := bytes.Index(text[at:min(len(text), end+len(*in.text)-1)], []byte(*in.text)); i >= 0 {
		end = at + i
		count = utf8.RuneCount(text[at:end])
	}
	return end, count
}

// next is set.next in the same way.
func (in *inst) next(text []byte, at int) int {
	if in.text != nil && at <= len(text) && bytes.HasPrefix(text[at:], []byte(*in.text)) {
		return -1
	}
	return in.set.next(text, at)
}

// quick is takeAll for characters of ASCII. It returns -1 if there is no such run,
// and unknown if it is to be looked at closer.
func (in *inst) quick(text []byte, pos int32) int32 {
	at, most := int(pos), len(text)
	if in.max >= 0 {
		most = min(most, at+int(in.max))
	}
	table := &in.set.table
	for at < most && table[text[at]] == yes && text[at] < utf8.RuneSelf {
		at++
	}
	switch {
	case at < most && text[at] >= utf8.RuneSelf:
		return unknown
	case at-int(pos) < int(in.min) || !in.tx.allows(text, at):
		return -1
	}
	return int32(at)
}

const unknown = -2
