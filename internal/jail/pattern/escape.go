package pattern

import (
	"strconv"
	"strings"
)

// plainEscapes are those that mean one character each.
const plainEscapes = "a\af\fn\nr\rt\tv\v\\\\"

// classEscape returns the class that a letter after a backslash means.
func classEscape(letter byte, f flags) (class, bool) {
	of := map[byte]func(rune) bool{'w': isWord, 'd': isDigit, 's': isSpace}[letter|0x20]
	return class{of: of, not: letter < 'a', ascii: f&asciiOnly != 0}, of != nil
}

func placeEscape(letter byte) (place, bool) {
	at, ok := map[byte]place{'A': textBegin, 'Z': textEnd, 'b': wordEdge, 'B': noWordEdge}[letter]
	return at, ok
}

// escape reads what follows a backslash outside of a class.
func (p *parser) escape(f flags) (*node, error) {
	letter := p.peek()
	if at, ok := placeEscape(letter); ok {
		p.at++
		return &node{kind: isPlace, at: at, wide: f&asciiOnly == 0}, nil
	}
	if c, ok := classEscape(letter, f); ok {
		p.at++
		return &node{kind: isSet, set: (&set{classes: []class{c}}).done()}, nil
	}
	if letter >= '1' && letter <= '9' && !p.octalAhead() {
		return p.numbered(f)
	}
	r, err := p.character()
	if err != nil {
		return nil, err
	}
	return literal(r, f), nil
}

// octalAhead reports three octal digits, which are a character and no group.
func (p *parser) octalAhead() bool {
	return len(p.src) >= p.at+3 && strings.Trim(p.src[p.at:p.at+3], "01234567") == ""
}

// numbered reads a reference to a group by its number, of two digits at most.
func (p *parser) numbered(f flags) (*node, error) {
	end := p.at + 1
	if end < len(p.src) && p.src[end] >= '0' && p.src[end] <= '9' {
		end++
	}
	number, _ := strconv.Atoi(p.src[p.at:end])
	p.at = end
	return p.refer(number, f)
}

// character reads an escape that means one character.
func (p *parser) character() (rune, error) {
	if !p.more() {
		return 0, p.fault("bad escape (end of pattern)")
	}
	letter := p.peek()
	if i := strings.IndexByte(plainEscapes, letter); i >= 0 && i%2 == 0 {
		p.at++
		return rune(plainEscapes[i+1]), nil
	}
	switch {
	case letter == 'x':
		return p.coded(2, 16)
	case letter == 'u':
		return p.coded(4, 16)
	case letter == 'U':
		return p.coded(8, 16)
	case letter >= '0' && letter <= '7':
		return p.octal()
	case letter|0x20 >= 'a' && letter|0x20 <= 'z' || letter >= '8' && letter <= '9':
		return 0, p.fault("bad escape \\%c", letter)
	}
	return p.takeRune(), nil
}

// coded reads a letter and so many digits.
func (p *parser) coded(count, base int) (rune, error) {
	from := p.at + 1
	if from+count > len(p.src) {
		return 0, p.fault("incomplete escape")
	}
	return p.value(p.src[from:from+count], from+count, base)
}

// octal reads up to three digits.
func (p *parser) octal() (rune, error) {
	end := p.at
	for end < len(p.src) && end < p.at+3 && p.src[end] >= '0' && p.src[end] <= '7' {
		end++
	}
	r, err := p.value(p.src[p.at:end], end, 8)
	if err == nil && r > 0o377 {
		err = p.fault("octal escape outside of 0 to 0o377")
	}
	return r, err
}

func (p *parser) value(digits string, end, base int) (rune, error) {
	n, err := strconv.ParseUint(digits, base, 32)
	if err != nil || n > 0x10ffff || n >= 0xd800 && n < 0xe000 {
		return 0, p.fault("incomplete escape, or no character: %q", digits)
	}
	p.at = end
	return rune(n), nil
}
