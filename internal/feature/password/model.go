package password

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"

	"hostward/internal/core"
)

// Levels are the five levels of strength, weakest first.
var levels = []string{"very weak", "weak", "medium", "strong", "very strong"}

const (
	strong       = 3 // what NIS2 mode asks for at least
	defaultLevel = strong
)

// The floor, which holds at every level (NIST SP 800-63B-4 3.1.1.2): characters
// of a password that stands alone, and of one beside a second factor. 256 bytes
// hold 64 characters of any script.
const (
	minAlone  = 15
	minBeside = 8
	maxBytes  = 256
)

// List is an offline list of breached passwords.
type List struct {
	File    string    `json:"file"`
	Digest  string    `json:"digest"`  // SHA-256 of its content
	Kind    string    `json:"kind"`    // "SHA-1" or "NTLM"
	Entries int64     `json:"entries"` // passwords it knows
	Source  string    `json:"source"`  // SHA-256 of the list it was made of
	Adopted time.Time `json:"adopted,omitzero" log:"-"`
}

// policy is what the database says.
type policy struct {
	Level int
	List  List
}

var self = core.Ref{Kind: "password", ID: "policy"}

// state is what the log's digest of the policy covers.
type state struct {
	Level   int    `json:"level"`
	File    string `json:"file"`
	Digest  string `json:"digest"`
	Kind    string `json:"kind"`
	Entries int64  `json:"entries"`
	Source  string `json:"source"`
	Adopted int64  `json:"adopted"`
}

// demand is what is asked now, in a form that differs when more is asked: the
// level and the list.
func demand(level int, digest string) string { return strconv.Itoa(level) + " " + digest }

// levelOf is the level within a demand.
func levelOf(demand string) int {
	text, _, _ := strings.Cut(demand, " ")
	n, err := strconv.Atoi(text)
	if err != nil {
		return len(levels) - 1
	}
	return min(max(n, 0), len(levels)-1)
}

func levelNamed(name string) int { return slices.Index(levels, name) }

// length counts characters as people see them: a letter and the accents that
// a keyboard sends behind it are one, as they are in NFC.
func length(password string) (n int) {
	for _, r := range password {
		if !unicode.Is(unicode.Mn, r) {
			n++
		}
	}
	return n
}

// Guess is how guessable a password is.
type Guess struct {
	Score   int      // 0 to 4, an index of the levels
	Guesses float64  // log10 of the guesses it takes
	Common  bool     // everybody chooses it, or it is one of his own names
	Why     []string // what makes it guessable, half sentences
	Advice  []string // what would help, half sentences
}

// judgement is what is to be said about one password.
type judgement struct {
	Guess
	fault string // why it is not accepted; "" when it is
}

// judge holds a password against all that is asked. It is a plain function: the
// list was asked and the guess was made before.
func judge(password string, second, breached bool, level int, g Guess) judgement {
	least := minAlone
	if second {
		least = minBeside
	}
	j := judgement{Guess: g}
	switch {
	case length(password) < least:
		j.fault = fmt.Sprintf("must have at least %d characters; a sentence is easy to remember", least)
	case len(password) > maxBytes:
		j.fault = fmt.Sprintf("must have at most %d bytes", maxBytes)
	case g.Common:
		j.fault = "must not be one that everybody chooses, nor your own name"
	case breached:
		j.fault = "must not be one that was found in a breach elsewhere: attackers try those first"
	case g.Score < level:
		j.fault = fmt.Sprintf("is %s, and at least %s is asked for%s", levels[g.Score], levels[level], because(g))
	}
	return j
}

func because(g Guess) string {
	var b strings.Builder
	if len(g.Why) > 0 {
		b.WriteString(": " + strings.Join(g.Why, ", "))
	}
	if len(g.Advice) > 0 {
		b.WriteString("; " + strings.Join(g.Advice, ", "))
	}
	return b.String()
}
