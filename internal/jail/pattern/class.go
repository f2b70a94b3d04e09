package pattern

import "strings"

// class reads [...].
func (p *parser) class(f flags) (*node, error) {
	s := &set{negated: p.take("^")}
	for first := true; first || !p.take("]"); first = false {
		if !p.more() {
			return nil, p.fault("unterminated character set")
		}
		if err := p.member(s, f); err != nil {
			return nil, err
		}
	}
	if f&ignoreCase != 0 {
		s.fold(f&asciiOnly != 0)
	}
	return simple(s), nil
}

// simple makes a set of a single character a text, which is quicker.
func simple(s *set) *node {
	if len(s.ranges) == 2 && s.ranges[0] == s.ranges[1] && len(s.classes) == 0 && !s.negated {
		return &node{kind: isText, text: string(s.ranges[0])}
	}
	return &node{kind: isSet, set: s.done()}
}

// member reads a character, a range or a class within [...].
func (p *parser) member(s *set, f flags) error {
	low, c, err := p.one(f)
	switch {
	case err != nil:
		return err
	case !strings.HasPrefix(p.src[p.at:], "-") || strings.HasPrefix(p.src[p.at:], "-]"):
		s.put(low, c)
		return nil
	}
	p.at++
	if !p.more() {
		return p.fault("unterminated character set")
	}
	high, other, err := p.one(f)
	if err == nil && (c.of != nil || other.of != nil || high < low) {
		err = p.fault("bad character range")
	}
	s.add(low, high)
	return err
}

func (s *set) put(r rune, c class) {
	if c.of != nil {
		s.classes = append(s.classes, c)
	} else {
		s.add(r, r)
	}
}

// one reads a character or a class.
func (p *parser) one(f flags) (rune, class, error) {
	if !p.take("\\") {
		return p.takeRune(), class{}, nil
	}
	if c, ok := classEscape(p.peek(), f); ok {
		p.at++
		return 0, c, nil
	}
	if p.take("b") {
		return '\b', class{}, nil
	}
	r, err := p.character()
	return r, class{}, err
}
