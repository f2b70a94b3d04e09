package pattern

import (
	"bytes"
	"unicode"
	"unicode/utf8"
)

// A set is a set of characters. What it says of ASCII is in the table; beyond
// that are ranges and classes.
type set struct {
	table   [256]uint8 // by the first byte of a character: no, yes, or look closer
	ranges  []rune     // pairs of first and last
	classes []class
	negated bool
	but     bool // everything is in it but the character stop
	stop    byte
}

const (
	no uint8 = iota
	yes
	closer
)

// A class is one of \w, \d and \s, or its complement.
type class struct {
	of    func(rune) bool
	not   bool
	ascii bool
}

func isWord(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsNumber(r) }

func isDigit(r rune) bool { return unicode.Is(unicode.Nd, r) }

// isSpace is Python's str.isspace: besides Unicode's spaces the separators of
// ASCII.
func isSpace(r rune) bool { return unicode.IsSpace(r) || r >= 0x1c && r <= 0x1f }

func (c class) contains(r rune) bool {
	return (c.of(r) && (!c.ascii || r < utf8.RuneSelf)) != c.not
}

// setOf returns the set of one character.
func setOf(r rune) *set {
	s := &set{}
	s.add(r, r)
	return s.done()
}

func (s *set) add(first, last rune) { s.ranges = append(s.ranges, first, last) }

// fold adds to each character of the ranges those that differ in case only.
func (s *set) fold(ascii bool) {
	for i, n := 0, len(s.ranges); i < n; i += 2 {
		for r := s.ranges[i]; r <= s.ranges[i+1]; r++ {
			for f := unicode.SimpleFold(r); f != r; f = unicode.SimpleFold(f) {
				if !ascii || f < utf8.RuneSelf {
					s.add(f, f)
				}
			}
		}
	}
}

// done fills the table from ranges and classes.
func (s *set) done() *set {
	for b := range rune(utf8.RuneSelf) {
		if s.member(b) {
			s.table[b] = yes
		}
	}
	high := s.high()
	for b := utf8.RuneSelf; b < 256; b++ {
		if s.table[b] = high; high == closer && b < 0xc0 { // no character begins with these
			s.table[b] = no
		}
	}
	s.lacks(high)
	return s
}

// lacks notes if a set has everything but one character of ASCII.
func (s *set) lacks(high uint8) {
	missing := 0
	for b := range byte(utf8.RuneSelf) {
		if s.table[b] == no {
			missing++
			s.stop = b
		}
	}
	s.but = missing == 1 && high == yes
}

// high says what is known of characters beyond ASCII without looking at them.
func (s *set) high() uint8 {
	for _, c := range s.classes {
		if !c.ascii {
			return closer
		}
		if c.not { // \W of ASCII: all of them
			return map[bool]uint8{false: yes, true: no}[s.negated]
		}
	}
	for i := 1; i < len(s.ranges); i += 2 {
		if s.ranges[i] >= utf8.RuneSelf {
			return closer
		}
	}
	if s.negated {
		return yes
	}
	return no
}

func (s *set) member(r rune) bool {
	for i := 0; i < len(s.ranges); i += 2 {
		if s.ranges[i] <= r && r <= s.ranges[i+1] {
			return !s.negated
		}
	}
	for _, c := range s.classes {
		if c.contains(r) {
			return !s.negated
		}
	}
	return s.negated
}

// next returns where the character at a place ends if it is in the set, and -1
// otherwise.
func (s *set) next(text []byte, at int) int {
	if at >= len(text) {
		return -1
	}
	switch b := text[at]; s.table[b] {
	case no:
		return -1
	case yes:
		if b < utf8.RuneSelf {
			return at + 1
		}
	}
	r, size := utf8.DecodeRune(text[at:])
	if !s.member(r) {
		return -1
	}
	return at + size
}

// run returns where a run of characters of the set ends, at most max of them
// (negative: any number), and how many there are; without max the number may be
// that of bytes.
func (s *set) run(text []byte, at, max int) (end, count int) {
	if max < 0 {
		if s.but {
			return s.runTo(text, at)
		}
		max = len(text)
	}
	for from := at; ; {
		for ; at-from < max && at < len(text) && text[at] < utf8.RuneSelf; at++ {
			if s.table[text[at]] != yes {
				return at, count + at - from
			}
		}
		count, max = count+at-from, max-(at-from)
		if max == 0 || at >= len(text) {
			return at, count
		}
		end := s.next(text, at)
		if end < 0 {
			return at, count
		}
		at, from, count, max = end, end, count+1, max-1
	}
}

// runTo is run for a set of everything but one character.
func (s *set) runTo(text []byte, at int) (end, count int) {
	end = len(text)
	if i := bytes.IndexByte(text[at:], s.stop); i >= 0 {
		end = at + i
	}
	return end, end - at
}

// disjoint reports whether no character of the set can begin with a byte of t.
func (s *set) disjoint(t *table) bool {
	for b := range 256 {
		if s.table[b] != no && t.has(byte(b)) {
			return false
		}
	}
	return true
}

// beginnings returns the bytes with which a character of the set begins.
func (s *set) beginnings() *table {
	t := &table{}
	for b := range 256 {
		if s.table[b] != no && (b < utf8.RuneSelf || b >= 0xc2) {
			t.put(byte(b))
		}
	}
	return t
}
