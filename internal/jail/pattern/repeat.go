package pattern

import (
	"strconv"
	"strings"
)

// quantifier reads *, +, ? or {m,n}. A brace that is no quantifier stands for
// itself.
func (p *parser) quantifier() (min, max int, ok bool) {
	switch p.peek() {
	case '*':
		min, max = 0, -1
	case '+':
		min, max = 1, -1
	case '?':
		min, max = 0, 1
	case '{':
		return p.braces()
	default:
		return 0, 0, false
	}
	p.at++
	return min, max, true
}

func (p *parser) braces() (min, max int, ok bool) {
	inner, _, found := strings.Cut(p.src[p.at+1:], "}")
	if !found || inner == "" {
		return 0, 0, false
	}
	low, high, comma := strings.Cut(inner, ",")
	if !digits(low) || !digits(high) {
		return 0, 0, false
	}
	p.at += len(inner) + 2
	min, max = number(low, 0), number(high, -1)
	if !comma {
		max = min
	}
	return min, max, true
}

func digits(s string) bool { return strings.Trim(s, "0123456789") == "" }

func number(s string, otherwise int) int {
	if s == "" {
		return otherwise
	}
	n, err := strconv.Atoi(s)
	if err != nil {
		return mostCount + 1
	}
	return n
}

// repeat puts a quantifier on the last of some items.
func (p *parser) repeat(items []*node, min, max int) ([]*node, error) {
	if len(items) == 0 || items[len(items)-1].kind == isPlace {
		return nil, p.fault("nothing to repeat")
	}
	last := items[len(items)-1]
	switch {
	case last.kind == isRepeat:
		return nil, p.fault("multiple repeat")
	case max >= 0 && max < min:
		return nil, p.fault("a repetition's least is more than its most")
	case min > mostCount || max > mostCount:
		return nil, p.fault("repetition of more than %d", mostCount)
	}
	m := greedy
	if p.take("?") {
		m = lazy
	} else if p.take("+") {
		m = possessive
	}
	items[len(items)-1] = &node{kind: isRepeat, subs: []*node{last}, min: min, max: max, mode: m}
	return items, nil
}
