package pattern

// foresee notes, for each choice of the program, what either way can begin with,
// for each run what can follow it, and gives numbers to the states that a long
// match remembers.
func (c *compiler) foresee() {
	for pc := range c.prog {
		in := &c.prog[pc]
		switch in.op {
		case opSplit:
			in.tx, in.ty = c.first(in.x), c.first(in.y)
			c.number(in)
		case opRun:
			in.tx = c.first(int32(pc) + 1)
			in.last = in.set.disjoint(in.tx) || in.mode == possessive
			in.maybe = in.last && in.min == 0 && in.max == 1 && in.text == nil
			in.plain = in.last && in.text == nil && !in.set.but
			if in.max < 0 {
				c.number(in)
			}
		}
	}
}

func (c *compiler) number(in *inst) {
	in.mark = c.marks
	c.marks++
}

// first returns the bytes that can stand where the program goes on at pc.
func (c *compiler) first(pc int32) *table {
	if c.seen == nil {
		c.seen = make([]int32, len(c.prog))
	}
	c.walk++
	f := foresight{compiler: c}
	f.from(pc)
	if f.table == *everything || c.walks > mostWalks {
		return everything
	}
	return &f.table
}

// foresight walks all ways from a place of a program up to the first character
// each consumes.
type foresight struct {
	*compiler
	table table
}

func (f *foresight) from(pc int32) {
	if f.walks++; f.seen[pc] == f.walk || f.walks > mostWalks {
		return
	}
	f.seen[pc] = f.walk
	switch in := &f.prog[pc]; in.op {
	case opByte:
		f.table.put(in.b)
	case opText:
		f.table.put((*in.text)[0])
	case opSet:
		f.table.join(in.set.beginnings())
	case opRun:
		f.table.join(in.set.beginnings())
		if in.min == 0 {
			f.from(pc + 1)
		}
	case opSplit:
		f.from(in.x)
		f.from(in.y)
	case opCond:
		f.from(pc + 1)
		f.from(in.y)
	case opRound:
		f.from(in.x)
		f.from(in.y)
	case opJump, opLook:
		f.from(in.x)
	case opRef, opDone, opMatch:
		f.table = *everything
	case opPlace:
		f.place(in.at, pc+1)
	default: // opSave, opEnter, and opAtomic, whose inside follows
		f.from(pc + 1)
	}
}

// place: behind an end there can be a line break or nothing.
func (f *foresight) place(at place, next int32) {
	switch at {
	case lastEnd, lineEnd:
		f.table.put('\n')
		f.table.end = true
	case textEnd:
		f.table.end = true
	default:
		f.from(next)
	}
}
