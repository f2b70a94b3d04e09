package strength

import (
	"math"
	"slices"
	"unicode"
)

// tables are what every estimate needs. They are not changed once they are made.
type tables struct {
	lex     *lexicon
	layouts []layout
}

// path is the cheapest way to cut a text into pieces.
type path struct {
	text
	found  []piece // every piece, cut or not
	pieces []piece // the cut
	cost   float64 // log10 of the guesses it takes
	steps  int     // the work in the lexicons
}

// cheapest finds it. users are the user's own words.
func (t tables) cheapest(users *lexicon, x text) path {
	p := path{text: x}
	for _, lex := range []*lexicon{users, t.lex} {
		found, steps := x.words(lex)
		p.found, p.steps = append(p.found, found...), p.steps+steps
	}
	for _, l := range t.layouts {
		p.found = append(p.found, x.copies(l)...)
	}
	p.found = append(p.found, x.dates()...)
	p.cut()
	return p
}

// cut goes through the text once: the cheapest cut of a beginning is the cheapest
// cut of a shorter one and one piece more.
func (p *path) cut() {
	best := make([]float64, len(p.runes)+1)
	last := make([]piece, len(p.runes)+1)
	byEnd := make([][]piece, len(p.runes)+1)
	for _, q := range p.found {
		byEnd[q.to] = append(byEnd[q.to], q)
	}
	for to := 1; to <= len(p.runes); to++ {
		last[to] = p.single(to - 1)
		best[to] = best[to-1] + last[to].cost
		for _, q := range byEnd[to] {
			if c := best[q.from] + q.switched(); c < best[to] {
				best[to], last[to] = c, q
			}
		}
	}
	p.cost = best[len(p.runes)]
	for at := len(p.runes); at > 0; at = last[at].from {
		p.pieces = append(p.pieces, last[at])
	}
	slices.Reverse(p.pieces)
}

// single is a character by itself.
func (p *path) single(i int) piece {
	if p.joint(i) {
		return piece{from: i, to: i + 1, kind: joint, cost: math.Log10(jointCost)}
	}
	return piece{from: i, to: i + 1, kind: loose, cost: p.looseCost(i)}
}

func (p piece) switched() float64 {
	if p.from == 0 {
		return p.cost
	}
	return p.cost + math.Log10(switchCost)
}

// common reports whether the whole is a password of the lists, or is one but for
// digits and signs before and behind it that add nothing.
func (p *path) common() bool {
	veryWeak := score(p.cost, len(p.runes)) == 0
	return slices.ContainsFunc(p.found, func(q piece) bool {
		whole := q.from == 0 && q.to == len(p.runes)
		rest := p.letters(0, q.from) || p.letters(q.to, len(p.runes))
		return q.common && q.kind != own && (whole || veryWeak && !rest && p.letters(q.from, q.to))
	})
}

// ofOwn reports whether the whole is the user's own words, however many, with
// digits, blanks and the usual signs.
func (p *path) ofOwn() bool {
	const none, bare, named = 0, 1, 2 // not reached; without a word yet; with one
	reached := make([]int, len(p.runes)+1)
	reached[0] = bare
	for to := 1; to <= len(p.runes); to++ {
		if r := p.runes[to-1]; unicode.IsDigit(r) || unicode.IsSpace(r) || slices.Contains([]rune("!.-_@"), r) {
			reached[to] = reached[to-1]
		}
		for _, q := range p.found {
			if q.kind == own && q.to == to && reached[q.from] != none {
				reached[to] = named
			}
		}
	}
	return reached[len(p.runes)] == named
}
