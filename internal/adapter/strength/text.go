package strength

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

const (
	// span is how many characters one estimate looks at: its work grows with
	// their square.
	span = 72
	// farthest is how many are read at all.
	farthest = 1024
)

// text is a password as a guesser reads it: small letters, Latin ones without
// their accents, and nothing that is seen only together with its neighbour.
type text struct {
	runes []rune
	upper []bool // was a capital
}

// read makes the text of a password. What a keyboard composes in two ways is one
// text (NFC, as it is hashed). Bytes that are no UTF-8 are one character each.
func read(password string) (t text) {
	for _, r := range norm.NFC.String(beginning(password, farthest)) {
		if !unseen(r) {
			t.runes = append(t.runes, plain(r))
			t.upper = append(t.upper, unicode.IsUpper(r))
		}
	}
	return t
}

// beginning cuts between characters.
func beginning(s string, most int) string {
	n := 0
	for at := range s {
		if n++; n > most {
			return s[:at]
		}
	}
	return s
}

// unseen are accents that stand alone, joiners, and tones of skin.
func unseen(r rune) bool {
	return unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf) || '\U0001F3FB' <= r && r <= '\U0001F3FF'
}

// plain leads "É", "ｅ" and "ⓔ" back to "e". Letters of other scripts keep
// their marks: "й" is no "и".
func plain(r rune) rune {
	if r <= unicode.MaxASCII {
		return unicode.ToLower(r)
	}
	if first, _ := utf8.DecodeRuneInString(norm.NFKD.String(string(r))); first <= unicode.MaxASCII {
		return unicode.ToLower(first)
	}
	return unicode.ToLower(r)
}

func (t text) slice(from, to int) text { return text{t.runes[from:to], t.upper[from:to]} }

func (t text) reversed() text {
	r := text{slices.Clone(t.runes), slices.Clone(t.upper)}
	slices.Reverse(r.runes)
	slices.Reverse(r.upper)
	return r
}

// joints hold pieces together.
const joints = " -_."

// joint reports whether one stands at i.
func (t text) joint(i int) bool {
	return i > 0 && i < len(t.runes)-1 && strings.ContainsRune(joints, t.runes[i])
}

// bare is a word without joints, as a lexicon has it: a walk passes them by.
func (t text) bare() string {
	return strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) || strings.ContainsRune(joints, r) {
			return -1
		}
		return r
	}, string(t.runes))
}

// letters reports whether there is one from from to before to, as far as the text goes.
func (t text) letters(from, to int) bool {
	return slices.ContainsFunc(t.runes[max(from, 0):min(to, len(t.runes))], unicode.IsLetter)
}

// repeats reports whether the whole, blanks aside, is something of at most 8
// characters, over and over; the last time may lack one.
func (t text) repeats() bool {
	s := slices.DeleteFunc(slices.Clone(t.runes), unicode.IsSpace)
	for size := 1; size <= 8 && 2*size-1 <= len(s) && len(s) > 2; size++ {
		if slices.Equal(s[size:], s[:len(s)-size]) {
			return true
		}
	}
	return false
}
