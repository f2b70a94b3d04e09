package pattern

import (
	"fmt"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// flags are those of module re that change how an expression is read.
type flags uint8

const (
	ignoreCase flags = 1 << iota
	multiLine
	dotAll
	verbose
	asciiOnly
	unicodeAll // the rule anyway
)

// flagOf knows the letters of flags.
func flagOf(letter byte) flags {
	i := strings.IndexByte("imsxau", letter)
	if i < 0 {
		return 0
	}
	return 1 << i
}

const (
	deepest   = 200    // groups within groups
	mostCount = 1000   // of a repetition
	longest   = 65_536 // bytes of an expression
)

// parser reads an expression from left to right.
type parser struct {
	src    string
	at     int
	flags  flags
	depth  int
	names  []string // of groups, by number; 0 is the whole match
	closed []bool
	asked  []int // groups that conditions ask for by number
}

func parse(src string, f flags) (*node, *parser, error) {
	p := &parser{src: src, flags: f, names: []string{""}, closed: []bool{false}}
	if len(src) > longest {
		return nil, nil, fmt.Errorf("expression of %d bytes is longer than %d", len(src), longest)
	}
	if !utf8.ValidString(src) {
		return nil, nil, fmt.Errorf("expression is not valid UTF-8")
	}
	p.globals()
	root, err := p.alternatives(p.flags)
	switch {
	case err != nil:
		return nil, nil, err
	case p.at < len(src):
		return nil, nil, p.fault("unbalanced parenthesis")
	case slices.ContainsFunc(p.asked, func(g int) bool { return g >= len(p.names) }):
		return nil, nil, fmt.Errorf("condition on a group that does not exist")
	}
	return root, p, nil
}

func (p *parser) fault(format string, args ...any) error {
	return fmt.Errorf("%s at position %d", fmt.Sprintf(format, args...), p.at)
}

// globals reads flags at the beginning, which hold for the whole expression.
func (p *parser) globals() {
	for strings.HasPrefix(p.src[p.at:], "(?") {
		end := strings.IndexByte(p.src[p.at:], ')')
		if end < 3 {
			return
		}
		var f flags
		for _, letter := range []byte(p.src[p.at+2 : p.at+end]) {
			if flagOf(letter) == 0 {
				return
			}
			f |= flagOf(letter)
		}
		p.flags |= f
		p.at += end + 1
	}
}

func (p *parser) more() bool { return p.at < len(p.src) }

func (p *parser) peek() byte {
	if p.more() {
		return p.src[p.at]
	}
	return 0
}

func (p *parser) take(s string) bool {
	if !strings.HasPrefix(p.src[p.at:], s) {
		return false
	}
	p.at += len(s)
	return true
}

func (p *parser) takeRune() rune {
	r, size := utf8.DecodeRuneInString(p.src[p.at:])
	p.at += size
	return r
}

// until returns what stands before a mark and goes behind it.
func (p *parser) until(mark, what string) (string, error) {
	before, _, ok := strings.Cut(p.src[p.at:], mark)
	if !ok || before == "" {
		return "", p.fault("missing %s", what)
	}
	p.at += len(before) + len(mark)
	return before, nil
}

// alternatives reads a|b|c, up to a closing parenthesis or the end.
func (p *parser) alternatives(f flags) (*node, error) {
	if p.depth++; p.depth > deepest {
		return nil, p.fault("groups are nested too deep")
	}
	defer func() { p.depth-- }()
	var all []*node
	for {
		n, err := p.sequence(f)
		if err != nil {
			return nil, err
		}
		if all = append(all, n); !p.take("|") {
			break
		}
	}
	if len(all) == 1 {
		return all[0], nil
	}
	return &node{kind: isAlt, subs: all}, nil
}

func (p *parser) sequence(f flags) (*node, error) {
	var items []*node
	for p.more() && p.peek() != '|' && p.peek() != ')' {
		if skipped, err := p.skip(f); err != nil {
			return nil, err
		} else if skipped {
			continue
		}
		var err error
		if min, max, ok := p.quantifier(); ok {
			items, err = p.repeat(items, min, max)
		} else {
			items, err = p.item(items, f)
		}
		if err != nil {
			return nil, err
		}
	}
	return cat(items), nil
}

// skip passes comments, and with the flag x also blanks.
func (p *parser) skip(f flags) (bool, error) {
	switch {
	case p.take("(?#"):
		_, after, ok := strings.Cut(p.src[p.at:], ")")
		if !ok {
			return false, p.fault("unterminated comment")
		}
		p.at = len(p.src) - len(after)
		return true, nil
	case f&verbose != 0 && strings.IndexByte(" \t\n\r\v\f", p.peek()) >= 0:
		p.at++
		return true, nil
	case f&verbose != 0 && p.take("#"):
		_, after, _ := strings.Cut(p.src[p.at:], "\n")
		p.at = len(p.src) - len(after)
		return true, nil
	}
	return false, nil
}

func (p *parser) item(items []*node, f flags) ([]*node, error) {
	n, err := p.atom(f)
	return append(items, n), err
}

func (p *parser) atom(f flags) (*node, error) {
	switch r := p.takeRune(); r {
	case '.':
		return &node{kind: isSet, set: dot(f)}, nil
	case '^':
		return &node{kind: isPlace, at: either(f, textBegin, lineBegin)}, nil
	case '$':
		return &node{kind: isPlace, at: either(f, lastEnd, lineEnd)}, nil
	case '(':
		return p.group(f)
	case '[':
		return p.class(f)
	case '\\':
		return p.escape(f)
	default:
		return literal(r, f), nil
	}
}

func either(f flags, single, multi place) place {
	if f&multiLine != 0 {
		return multi
	}
	return single
}

func dot(f flags) *set {
	s := &set{negated: true}
	if f&dotAll == 0 {
		s.add('\n', '\n')
	}
	return s.done()
}

// literal is a character that stands for itself, in either case if that does
// not matter.
func literal(r rune, f flags) *node {
	if f&ignoreCase == 0 || unicode.SimpleFold(r) == r {
		return &node{kind: isText, text: string(r)}
	}
	s := &set{}
	s.add(r, r)
	s.fold(f&asciiOnly != 0)
	return &node{kind: isSet, set: s.done()}
}
