package pattern

import (
	"errors"
	"slices"
)

// A compiler writes the program for an expression.
type compiler struct {
	prog  []inst
	sets  []*set
	regs  int32
	marks int32
	conds []int          // groups that conditions ask for
	needs map[int]string // by group: what must follow once it has matched
	nodes int            // written so far, those that became nothing too
	seen  []int32
	walk  int32 // number of the walk that seen is about
	walks int   // instructions that were looked at to foresee what follows
	err   error
}

const (
	mostNodes = 200_000   // of an expression, its repetitions written out
	mostWalks = 2_000_000 // then nothing more is foreseen, and matching takes longer
)

var errTooLarge = errors.New("expression is too large once its repetitions are written out")

func compile(root *node) (*compiler, error) {
	c := &compiler{needs: map[int]string{}}
	c.foretell(root, map[int]bool{})
	root.visit(func(n *node) {
		if n.kind == isCond && !slices.Contains(c.conds, n.group) {
			c.conds = append(c.conds, n.group)
		}
	})
	c.group(&node{kind: isGroup, subs: []*node{root}})
	c.emit(inst{op: opMatch})
	if c.err == nil {
		c.foresee()
	}
	return c, c.err
}

func (c *compiler) emit(i inst) int32 {
	if len(c.prog) >= mostInsts {
		c.err = errTooLarge
		return 0
	}
	i.mark = -1
	c.prog = append(c.prog, i)
	return int32(len(c.prog) - 1)
}

func (c *compiler) here() int32 { return int32(len(c.prog)) }

func (c *compiler) node(n *node) {
	if c.nodes++; c.nodes > mostNodes {
		c.err = errTooLarge
	}
	if c.err != nil {
		return
	}
	switch n.kind {
	case isText:
		c.text(n.text)
	case isSet:
		c.emit(inst{op: opSet, set: c.shared(n.set)})
	case isCat:
		for _, sub := range n.subs {
			c.node(sub)
		}
	case isAlt:
		c.alternatives(n.subs)
	case isRepeat:
		c.repeat(n)
	case isGroup:
		c.group(n)
	case isRef:
		c.emit(inst{op: opRef, arg: int32(n.group), not: n.fold})
	case isCond:
		c.condition(n)
	case isLook:
		c.look(n)
	case isAtomic:
		c.atomic(n.subs[0])
	case isPlace:
		c.emit(inst{op: opPlace, at: n.at, wide: n.wide})
	}
}

func (c *compiler) text(s string) {
	if len(s) == 1 {
		c.emit(inst{op: opByte, b: s[0]})
	} else if s != "" {
		c.emit(inst{op: opText, text: &s})
	}
}

// shared returns the set of the program that says the same.
func (c *compiler) shared(s *set) *set {
	for _, old := range c.sets {
		if old.table == s.table && old.negated == s.negated && slices.Equal(old.ranges, s.ranges) && len(old.classes)+len(s.classes) == 0 {
			return old
		}
	}
	c.sets = append(c.sets, s)
	return s
}

func (c *compiler) alternatives(subs []*node) {
	var ends []int32
	for i, sub := range subs {
		if i == len(subs)-1 {
			c.node(sub)
			break
		}
		split := c.emit(inst{op: opSplit})
		c.prog[split].x = c.here()
		c.node(sub)
		ends = append(ends, c.emit(inst{op: opJump}))
		c.prog[split].y = c.here()
	}
	for _, end := range ends {
		c.prog[end].x = c.here()
	}
}

func (c *compiler) group(n *node) {
	c.emit(inst{op: opSave, arg: int32(2 * n.group)})
	c.node(n.subs[0])
	c.emit(inst{op: opSave, arg: int32(2*n.group + 1)})
	if word := c.needs[n.group]; word != "" {
		c.emit(inst{op: opNeed, text: &word})
	}
}

func (c *compiler) condition(n *node) {
	cond := c.emit(inst{op: opCond, arg: int32(n.group)})
	c.node(n.subs[0])
	jump := c.emit(inst{op: opJump})
	c.prog[cond].y = c.here()
	c.node(n.subs[1])
	c.prog[jump].x = c.here()
}

func (c *compiler) look(n *node) {
	width := int32(-1)
	if sub := n.subs[0]; sub.kind == isText && !n.back && sub.text != "" {
		c.emit(inst{op: opSee, not: n.not, text: &sub.text})
		return
	}
	if n.back {
		least, most := n.subs[0].width()
		if least != most {
			c.err = errors.New("look-behind requires a fixed width")
		}
		width = int32(least)
	}
	look := c.emit(inst{op: opLook, not: n.not, arg: width})
	c.node(n.subs[0])
	c.emit(inst{op: opDone})
	c.prog[look].x = c.here()
}

func (c *compiler) atomic(n *node) {
	atomic := c.emit(inst{op: opAtomic})
	c.node(n)
	c.emit(inst{op: opDone})
	c.prog[atomic].x = c.here()
}

func (c *compiler) repeat(n *node) {
	sub := n.subs[0]
	if s, ok := sub.single(); ok && n.max != 0 {
		c.emit(inst{op: opRun, set: c.shared(s), min: int32(n.min), max: int32(n.max), mode: n.mode})
		return
	}
	if s, text, ok := sub.tempered(); ok && n.max != 0 {
		c.emit(inst{op: opRun, set: c.shared(s), text: &text, min: int32(n.min), max: int32(n.max), mode: n.mode})
		return
	}
	if n.mode == possessive {
		c.atomic(&node{kind: isRepeat, subs: n.subs, min: n.min, max: n.max})
		return
	}
	for range n.min {
		c.node(sub)
	}
	if n.max < 0 {
		c.loop(sub, n.mode)
	} else {
		c.optional(sub, n.max-n.min, n.mode)
	}
}

// loop repeats without end. A round that matches nothing is the last one.
func (c *compiler) loop(sub *node, m mode) {
	reg := c.regs
	c.regs++
	split := c.emit(inst{op: opSplit})
	body := c.emit(inst{op: opEnter, arg: reg})
	c.node(sub)
	round := c.emit(inst{op: opRound, arg: reg, x: split})
	c.choose(split, body, c.here(), m)
	c.prog[round].y = c.here()
}

// optional repeats a number of times at most: (a(a(a)?)?)?
func (c *compiler) optional(sub *node, times int, m mode) {
	var splits []int32
	for range times {
		splits = append(splits, c.emit(inst{op: opSplit}))
		c.node(sub)
	}
	for _, split := range splits {
		c.choose(split, split+1, c.here(), m)
	}
}

func (c *compiler) choose(split, in, out int32, m mode) {
	if c.err != nil {
		return
	}
	if m == lazy {
		in, out = out, in
	}
	c.prog[split].x, c.prog[split].y = in, out
}

// foretell notes what the text must still hold once a group has matched: where a
// condition that no way leads around asks for the group later on, what the
// condition's first branch needs. It goes through what every match goes through;
// seen are the groups in front.
func (c *compiler) foretell(n *node, seen map[int]bool) {
	switch n.kind {
	case isCat:
		for _, sub := range n.subs {
			c.foretell(sub, seen)
		}
		return
	case isGroup:
		c.foretell(n.subs[0], seen)
	case isCond:
		if words := needOf(n.subs[0]).solid().words; len(words) == 1 && seen[n.group] {
			c.needs[n.group] = words[0]
		}
	}
	n.consuming(func(sub *node) {
		if sub.kind == isGroup {
			seen[sub.group] = true
		}
	})
}
