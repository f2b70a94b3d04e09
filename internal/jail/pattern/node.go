package pattern

// A node is one part of an expression, as it was read.
type node struct {
	kind  kind
	text  string  // of a text
	set   *set    // of one character out of a set
	subs  []*node // what it is made of
	min   int     // of a repetition
	max   int     // of a repetition; negative: without end
	mode  mode
	group int // of a group, a reference, a condition
	at    place
	not   bool // of look-around: must not match
	back  bool // of look-around: looks behind
	fold  bool // of a reference: the case of letters does not matter
	wide  bool // of a place: by Unicode's words
}

type kind uint8

const (
	isText   kind = iota
	isSet         // one character
	isCat         // one after another
	isAlt         // one or else another
	isRepeat      // of subs[0]
	isGroup       // subs[0], remembered
	isRef         // what a group matched, again
	isCond        // subs[0] if the group matched, subs[1] otherwise
	isLook        // subs[0] stands here, or does not, and nothing is consumed
	isAtomic      // subs[0], the first way it matches
	isPlace       // a place in the text
)

// mode says how much a repetition takes.
type mode uint8

const (
	greedy mode = iota
	lazy
	possessive
)

// place is a condition on where in the text the match is.
type place uint8

const (
	textBegin  place = iota // \A, and ^ without the flag m
	lineBegin               // ^ with it
	lastEnd                 // $: the end, or before a line break that is the end
	lineEnd                 // $ with the flag m
	textEnd                 // \Z
	wordEdge                // \b
	noWordEdge              // \B
)

func cat(nodes []*node) *node {
	if nodes = merged(nodes); len(nodes) == 1 {
		return nodes[0]
	}
	return &node{kind: isCat, subs: nodes}
}

// merged joins texts that stand side by side.
func merged(nodes []*node) []*node {
	var out []*node
	for _, n := range nodes {
		if last := len(out) - 1; n.kind == isText && last >= 0 && out[last].kind == isText {
			out[last] = &node{kind: isText, text: out[last].text + n.text}
		} else {
			out = append(out, n)
		}
	}
	return out
}

// single reports whether a node is exactly one character, and of which set.
func (n *node) single() (*set, bool) {
	switch {
	case n.kind == isSet:
		return n.set, true
	case n.kind == isText && oneRune(n.text):
		return setOf([]rune(n.text)[0]), true
	}
	return nil, false
}

func oneRune(s string) bool {
	count := 0
	for range s {
		count++
	}
	return count == 1
}

// visit calls f for a node and all below it.
func (n *node) visit(f func(*node)) {
	f(n)
	for _, sub := range n.subs {
		sub.visit(f)
	}
}

// consuming is visit without what stands in look-around.
func (n *node) consuming(f func(*node)) {
	if n.kind == isLook {
		return
	}
	f(n)
	for _, sub := range n.subs {
		sub.consuming(f)
	}
}

// tempered reports whether a node is one character of a set that must not begin a
// text, as in (?! from )., and of which set, and which text.
func (n *node) tempered() (*set, string, bool) {
	if n.kind != isCat || len(n.subs) != 2 {
		return nil, "", false
	}
	look := n.subs[0]
	if look.kind != isLook || look.back || !look.not || look.subs[0].kind != isText || look.subs[0].text == "" {
		return nil, "", false
	}
	s, ok := n.subs[1].single()
	return s, look.subs[0].text, ok
}
