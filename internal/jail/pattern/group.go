package pattern

import (
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// group reads what begins with a parenthesis.
func (p *parser) group(f flags) (*node, error) {
	if !p.take("?") {
		return p.capture("", f)
	}
	switch {
	case p.take("P<"):
		return p.named(f)
	case p.take("P="):
		return p.reference(f)
	case p.take(":"):
		return p.inner(f)
	case p.take(">"):
		return p.wrap(f, node{kind: isAtomic})
	case p.take("="):
		return p.wrap(f, node{kind: isLook})
	case p.take("!"):
		return p.wrap(f, node{kind: isLook, not: true})
	case p.take("<="):
		return p.wrap(f, node{kind: isLook, back: true})
	case p.take("<!"):
		return p.wrap(f, node{kind: isLook, back: true, not: true})
	case p.take("("):
		return p.condition(f)
	}
	return p.flagged(f)
}

// inner reads up to the closing parenthesis.
func (p *parser) inner(f flags) (*node, error) {
	n, err := p.alternatives(f)
	if err == nil && !p.take(")") {
		err = p.fault("missing ), unterminated group")
	}
	if err == nil && (n.kind == isRepeat || n.kind == isPlace) {
		n = &node{kind: isCat, subs: []*node{n}} // so that (?:a*)* is no multiple repeat
	}
	return n, err
}

func (p *parser) wrap(f flags, around node) (*node, error) {
	n, err := p.inner(f)
	around.subs = []*node{n}
	return &around, err
}

func (p *parser) capture(name string, f flags) (*node, error) {
	number := len(p.names)
	p.names = append(p.names, name)
	p.closed = append(p.closed, false)
	n, err := p.wrap(f, node{kind: isGroup, group: number})
	p.closed[number] = true
	return n, err
}

func (p *parser) named(f flags) (*node, error) {
	name, err := p.until(">", "group name")
	if err != nil {
		return nil, err
	}
	if !identifier(name) {
		return nil, p.fault("bad character in group name %q", name)
	}
	if slices.Contains(p.names, name) {
		return nil, p.fault("redefinition of group %q", name)
	}
	return p.capture(name, f)
}

func identifier(s string) bool {
	for i, r := range s {
		if r != '_' && !unicode.IsLetter(r) && (i == 0 || !unicode.IsDigit(r)) {
			return false
		}
	}
	return s != ""
}

// reference reads (?P=name).
func (p *parser) reference(f flags) (*node, error) {
	name, err := p.until(")", "group name")
	if err != nil {
		return nil, err
	}
	number := slices.Index(p.names, name)
	if number <= 0 {
		return nil, p.fault("unknown group name %q", name)
	}
	return p.refer(number, f)
}

func (p *parser) refer(number int, f flags) (*node, error) {
	switch {
	case number >= len(p.names):
		return nil, p.fault("invalid group reference %d", number)
	case !p.closed[number]:
		return nil, p.fault("cannot refer to an open group")
	}
	return &node{kind: isRef, group: number, fold: f&ignoreCase != 0}, nil
}

// condition reads (?(group)yes|no).
func (p *parser) condition(f flags) (*node, error) {
	name, err := p.until(")", "group name")
	if err != nil {
		return nil, err
	}
	number, err := p.askedFor(name)
	if err != nil {
		return nil, err
	}
	n, err := p.sequence(f)
	otherwise := cat(nil)
	if err == nil && p.take("|") {
		otherwise, err = p.sequence(f)
	}
	if err == nil && !p.take(")") {
		err = p.fault("condition with more than two branches, or without an end")
	}
	return &node{kind: isCond, group: number, subs: []*node{n, otherwise}}, err
}

func (p *parser) askedFor(name string) (int, error) {
	if identifier(name) {
		number := slices.Index(p.names, name)
		if number <= 0 {
			return 0, p.fault("unknown group name %q", name)
		}
		return number, nil
	}
	number, err := strconv.Atoi(name)
	if err != nil || number <= 0 || !digits(name) {
		return 0, p.fault("bad group number %q", name)
	}
	p.asked = append(p.asked, number)
	return number, nil
}

// flagged reads (?flags-flags:…).
func (p *parser) flagged(f flags) (*node, error) {
	letters, _, ok := strings.Cut(p.src[p.at:], ":")
	on, off, _ := strings.Cut(letters, "-")
	add, okOn := flagsOf(on)
	del, okOff := flagsOf(off)
	if !ok || letters == "" || !okOn || !okOff || add&del != 0 || del&(asciiOnly|unicodeAll) != 0 || add&(asciiOnly|unicodeAll) == asciiOnly|unicodeAll {
		return nil, p.fault("unknown extension, or flags that are not at the start of the expression: (?%.12s", p.src[p.at:])
	}
	p.at += len(letters) + 1
	if add&unicodeAll != 0 {
		f &^= asciiOnly
	}
	return p.inner(f&^del | add)
}

func flagsOf(letters string) (flags, bool) {
	var f flags
	for i := range len(letters) {
		one := flagOf(letters[i])
		if one == 0 {
			return 0, false
		}
		f |= one
	}
	return f, true
}
