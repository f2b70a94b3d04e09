package pattern

import (
	"unicode"
	"unicode/utf8"
)

// stands reports whether a condition on a place of the text holds.
func stands(in *inst, text []byte, pos int) bool {
	switch in.at {
	case textBegin:
		return pos == 0
	case lineBegin:
		return pos == 0 || text[pos-1] == '\n'
	case lastEnd:
		return pos == len(text) || pos == len(text)-1 && text[pos] == '\n'
	case lineEnd:
		return pos == len(text) || text[pos] == '\n'
	case textEnd:
		return pos == len(text)
	case wordEdge:
		return atEdge(text, pos, in.wide)
	default: // in Python 3.11 there is none in a text without characters
		return len(text) > 0 && !atEdge(text, pos, in.wide)
	}
}

// atEdge reports whether a word begins or ends at a place.
func atEdge(text []byte, pos int, wide bool) bool {
	left, _ := utf8.DecodeLastRune(text[:pos])
	right, _ := utf8.DecodeRune(text[pos:])
	return inWord(left, wide) != inWord(right, wide)
}

func inWord(r rune, wide bool) bool {
	if r < utf8.RuneSelf {
		return r == '_' || r|0x20 >= 'a' && r|0x20 <= 'z' || r >= '0' && r <= '9'
	}
	return wide && isWord(r)
}

func equalFold(a, b rune) bool {
	if a == b {
		return true
	}
	for r := unicode.SimpleFold(a); r != a; r = unicode.SimpleFold(r) {
		if r == b {
			return true
		}
	}
	return false
}
