package pattern

import (
	"bytes"
	"fmt"
	"slices"
	"unicode/utf8"
)

// A Pattern is a compiled expression. It does not change and may be used by
// several machines at once.
type Pattern struct {
	expr     string
	prog     []inst
	names    []string
	required []string
	conds    []int
	regs     int32
	marks    int32
	linear   bool // states can be remembered
	looks    bool
	tail     []string // what a plain automaton does not know
	anchor   place
	anchored bool // by anchor
	prefix   []byte
	first    *table
}

// Compile reads an expression. With multiline, ^ and $ stand at each line, as with
// Python's re.MULTILINE.
func Compile(expr string, multiline bool) (*Pattern, error) {
	var f flags
	if multiline {
		f = multiLine
	}
	root, parser, err := parse(expr, f)
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", expr, err)
	}
	c, err := compile(root)
	if err != nil {
		return nil, fmt.Errorf("reading %q: %w", expr, err)
	}
	p := &Pattern{expr: expr, prog: c.prog, names: parser.names, conds: c.conds, regs: c.regs, marks: c.marks}
	p.judge(root)
	p.begin(root, c)
	p.required = required(root)
	return p, nil
}

// String returns the expression as it was given.
func (p *Pattern) String() string { return p.expr }

// Names returns the names of the groups by number; what has no name has an empty
// one, and so has group 0, the whole match.
func (p *Pattern) Names() []string { return p.names }

// Group returns the number of the group of a name, and -1 if there is none.
func (p *Pattern) Group(name string) int { return slices.Index(p.names, name) }

// Required returns strings of which at least one is in every text that matches;
// none if nothing is known.
func (p *Pattern) Required() []string { return p.required }

// Linear reports whether the time of a match is bounded by the length of the
// text times that of the expression. The others get a number of steps in
// proportion to the text.
func (p *Pattern) Linear() bool { return p.linear }

// Beyond names what the expression needs that a finite automaton does not know,
// such as "back-reference", in alphabetical order.
func (p *Pattern) Beyond() []string { return p.tail }

// farthest is how far look-around may look so that its time counts as constant.
const farthest = 64

func (p *Pattern) judge(root *node) {
	p.linear = len(p.conds) <= mostConds
	root.visit(func(n *node) {
		what := ""
		switch n.kind {
		case isRef:
			what, p.linear = "back-reference", false
		case isCond:
			what = "condition"
		case isAtomic:
			what = "atomic group"
			p.unremembered(n)
		case isRepeat:
			if n.mode == possessive {
				what = "possessive repetition"
				if _, ok := n.subs[0].single(); !ok {
					p.unremembered(n)
				}
			}
		case isLook:
			what = lookName(n)
			p.unremembered(n.subs[0])
		}
		if what != "" && !slices.Contains(p.tail, what) {
			p.tail = append(p.tail, what)
		}
	})
	slices.Sort(p.tail)
}

// unremembered notes that states within a part cannot be remembered, as what fails
// or matches in there may do otherwise from elsewhere.
func (p *Pattern) unremembered(n *node) {
	p.looks = true
	if _, most := n.width(); most > farthest {
		p.linear = false
	}
}

func lookName(n *node) string {
	if n.back {
		return "look-behind"
	}
	return "look-ahead"
}

// patience is after how many steps a match begins to remember, or gives up.
func (p *Pattern) patience(length int) int {
	if p.linear {
		return 8*length + 256
	}
	return p.most(length)
}

// most is how many steps a match may take that cannot remember all.
func (p *Pattern) most(length int) int { return 100*length + 10_000 }

// begin notes how a match can begin.
func (p *Pattern) begin(root *node, c *compiler) {
	switch {
	case begins(root, textBegin):
		p.anchor, p.anchored = textBegin, true
	case begins(root, lineBegin):
		p.anchor, p.anchored = lineBegin, true
	default:
		p.prefix = []byte(prefix(root))
		p.first = c.first(0)
	}
}

// begins reports whether every match of a node begins at such a place.
func begins(n *node, at place) bool {
	switch n.kind {
	case isPlace:
		return n.at == at
	case isCat:
		return len(n.subs) > 0 && begins(n.subs[0], at)
	case isAlt:
		return !slices.ContainsFunc(n.subs, func(s *node) bool { return !begins(s, at) })
	case isGroup, isAtomic:
		return begins(n.subs[0], at)
	}
	return false
}

// prefix is the text that every match begins with.
func prefix(n *node) string {
	switch n.kind {
	case isText:
		return n.text
	case isCat:
		if len(n.subs) > 0 {
			return prefix(n.subs[0])
		}
	case isGroup, isAtomic:
		return prefix(n.subs[0])
	}
	return ""
}

// candidate returns the next place at which a match can begin, or -1.
func (p *Pattern) candidate(text []byte, from int) int {
	switch {
	case from > len(text):
		return -1
	case p.anchored:
		return p.anchorage(text, from)
	case len(p.prefix) > 0:
		return found(from, bytes.Index(text[from:], p.prefix))
	}
	for ; from <= len(text); from++ {
		if p.first.allows(text, from) && (from == len(text) || utf8.RuneStart(text[from])) {
			return from
		}
	}
	return -1
}

func (p *Pattern) anchorage(text []byte, from int) int {
	switch {
	case from == 0:
		return 0
	case p.anchor == textBegin:
		return -1
	case text[from-1] == '\n':
		return from
	}
	return found(from+1, bytes.IndexByte(text[from:], '\n'))
}

func found(from, i int) int {
	if i < 0 {
		return -1
	}
	return from + i
}

// Must compiles an expression that is known to be right.
func Must(expr string) *Pattern {
	p, err := Compile(expr, false)
	if err != nil {
		panic(err)
	}
	return p
}

// Matches reports whether the expression matches anywhere in a text.
func (p *Pattern) Matches(text string) bool {
	var m Machine
	return m.Match(p, []byte(text), 0)
}
