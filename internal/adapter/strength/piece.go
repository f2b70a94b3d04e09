package strength

import (
	"math"
	"unicode"
)

// kind is what a piece of a password is.
type kind int

const (
	loose    kind = iota // follows no pattern
	joint                // a blank between two pieces
	word                 // of the lists of words and names
	known                // of the lists of passwords
	own                  // of the user's words
	keyboard             // goes on beside where it was on a keyboard
	row                  // goes on in the alphabet or in the digits
	repeat               // comes again
	date                 // a date or a year
)

// piece is a way to guess the characters from from to before to.
type piece struct {
	from, to int
	kind     kind
	cost     float64 // log10 of the guesses it takes
	common   bool    // a password as it stands
	swapped  bool    // with signs for letters
}

// Costs, in guesses.
const (
	plainCost  = 10
	signCost   = 20
	manyCost   = 32 // what a Chinese character in running text is worth: 5 bits
	jointCost  = 2
	switchCost = 2  // where one piece ends and the next begins
	leastWord  = 50 // as the paper: no word of several letters is cheaper
	leastOwn   = 10
)

// looseCost is what one character is worth that follows no pattern: less than
// what chance would make of it, since most people's fingers are no chance.
func (t text) looseCost(i int) float64 {
	r := t.runes[i]
	switch {
	case unicode.In(r, unicode.Han, unicode.Hangul, unicode.So):
		return math.Log10(manyCost)
	case !unicode.IsLetter(r) && !unicode.IsDigit(r):
		return math.Log10(signCost)
	case t.upper[i] && i > 0 && unicode.IsLetter(t.runes[i-1]) && !t.upper[i-1]:
		return math.Log10(plainCost * 2) // a capital within a word
	}
	return math.Log10(plainCost)
}

// capitals is in how many ways a guesser varies the case until it is that of the
// word: all small, the first, the last or all large, then by number.
func (t text) capitals(from, to int) float64 {
	large, heads, n := 0, 0, to-from
	for i := from; i < to; i++ {
		if t.upper[i] {
			large++
			if i == from || i == to-1 || t.joint(i-1) {
				heads++
			}
		}
	}
	switch {
	case large == 0:
		return 1
	case large == n, large == heads:
		return 2
	}
	ways := 0.0
	for i := 1; i <= min(large, n-large); i++ {
		ways += choose(n, i)
	}
	return ways
}

func choose(n, k int) float64 {
	ways := 1.0
	for i := 1; i <= k; i++ {
		ways = ways * float64(n-k+i) / float64(i)
	}
	return ways
}

// readings are the letters that a digit or sign stands for.
func readings(r rune) string {
	switch r {
	case '4', '@':
		return "a"
	case '8':
		return "b"
	case '(', '{', '[', '<':
		return "c"
	case '3', '€':
		return "e"
	case '6', '9':
		return "g"
	case '1', '!', '|':
		return "il"
	case '0':
		return "o"
	case '5', '$':
		return "s"
	case '7':
		return "tl"
	case '+':
		return "t"
	case '%':
		return "x"
	case '2':
		return "z"
	}
	return ""
}
