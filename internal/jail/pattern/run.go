package pattern

import "unicode/utf8"

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
	end, _ := in.set.run(m.text, int(low), in.rest())
	m.steps += (end - int(low)) >> 4
	return m.longest(in, frame{takeBack, pc, int32(end), low})
}

// takeAll consumes a run of which nothing can be given back.
func (m *Machine) takeAll(in *inst, pos int32) int32 {
	low := m.least(in, pos)
	if low < 0 {
		return -1
	}
	end, count := in.set.run(m.text, int(low), in.rest())
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
	end, count := in.set.run(m.text, int(pos), int(in.min))
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
	for at := int(pos); at >= 0 && !m.seen(in.mark, int32(at)); at = in.set.next(m.text, at) {
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
		next := in.set.next(m.text, int(f.pos))
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
