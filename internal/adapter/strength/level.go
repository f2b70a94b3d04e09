package strength

import (
	"slices"
	"strings"
)

// Levels are the names of the scores 0 to 4, as messages and settings have them
// (SPEC A3).
const Levels = "very weak, weak, medium, strong, very strong"

func levels() []string { return strings.Split(Levels, ", ") }

// Level names a score. What is below 0 is very weak, above 4 very strong.
func Level(score int) string {
	all := levels()
	return all[min(max(score, 0), len(all)-1)]
}

// ParseLevel gives the score of a level's name, whatever its case; blanks around
// it do not count, and one or more blanks, "-" or "_" stand between two words.
func ParseLevel(name string) (score int, ok bool) {
	words := strings.FieldsFunc(strings.ToLower(name), func(r rune) bool { return strings.ContainsRune(" -_\t", r) })
	score = slices.Index(levels(), strings.Join(words, " "))
	return max(score, 0), score >= 0
}

// shortest is the fewest characters that can be more than weak. NIST SP
// 800-63B-4 3.1.1.2 asks for as many where a second factor stands beside it.
const shortest = 8

// score cuts guesses (log10) into levels, for 10^4 guesses a second: a hundred
// cores with a hash of 10 ms, as the library and the first zxcvbn have it. Very
// weak falls within 100 s, weak within 3 h, medium within 12 days, strong within
// 3 years. The keeper's argon2id costs three times as much.
func score(guesses float64, characters int) int {
	n := 0
	for _, limit := range []float64{6, 8, 10, 12} {
		if guesses >= limit {
			n++
		}
	}
	if characters < shortest {
		n = min(n, 1)
	}
	return n
}
