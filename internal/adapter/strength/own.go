package strength

import (
	"slices"
	"strings"
	"unicode"
)

// Bounds of what the caller may say about the user, so that a strange account
// cannot make an estimate dear.
const (
	mostOwn = 40 // words and parts together
	ownSize = 24 // characters of each
	wordEnd = 96 // characters of a word that are looked at
)

// ownLexicon holds the user's own words and their parts: "anna.bauer85@example.net"
// is also anna, bauer85, bauer, example and net. One Latin letter or two are no part.
func ownLexicon(words []string) *lexicon {
	var all []entry
	seen := map[string]bool{}
	for _, w := range words[:min(len(words), mostOwn)] {
		for _, p := range read(beginning(w, wordEnd)).parts() {
			if len(all) < mostOwn && !seen[p] {
				seen[p] = true
				all = append(all, entry{p, newMark(1, own, true)})
			}
		}
	}
	return newLexicon(all)
}

// parts cuts a word at signs, and once more at digits.
func (t text) parts() (all []string) {
	w := string(t.runes)
	noLetter := func(r rune) bool { return !unicode.IsLetter(r) }
	sign := func(r rune) bool { return noLetter(r) && !unicode.IsDigit(r) }
	for _, p := range slices.Concat([]string{t.bare()}, strings.FieldsFunc(w, sign), strings.FieldsFunc(w, noLetter)) {
		r := []rune(p)
		if len(r) > 2 || len(r) == 2 && r[0] > unicode.MaxASCII {
			all = append(all, string(r[:min(len(r), ownSize)]))
		}
	}
	return all
}
