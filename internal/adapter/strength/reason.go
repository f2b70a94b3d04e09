package strength

import (
	"cmp"
	"slices"
)

// The sentences of a Guess. They are the whole of what it can say.
const (
	whyWord     = "it has a common word or name"
	whyKnown    = "it has a password that many people choose"
	whyOwn      = "it has one of your own names"
	whyKeyboard = "letters beside each other on the keyboard"
	whyRow      = "a row of letters or digits"
	whyRepeat   = "it repeats itself"
	whyDate     = "a date or a year"
	whyShort    = "it is short"

	whyAllKnown  = "it is one that many people choose"
	whyAllOwn    = "it is made of your own names"
	whyAllRepeat = "it is one short piece over and over"

	adviceWords  = "add two or three words that do not belong together"
	adviceOwn    = "leave out your own names and those of your machines"
	adviceKeys   = "words are better than keys or letters in their order"
	adviceRepeat = "say everything once: a second time adds almost nothing"
	adviceDate   = "leave out dates and years: they are tried early"
	adviceSwaps  = "digits and signs in place of letters help little"
	adviceOther  = "take another one: four or five words are easy to remember"
)

// why is the sentence about a kind, "" for what is no weakness.
func (k kind) why() string {
	return map[kind]string{word: whyWord, known: whyKnown, own: whyOwn,
		keyboard: whyKeyboard, row: whyRow, repeat: whyRepeat, date: whyDate}[k]
}

// advice is what would help against a kind, beyond more words.
func (k kind) advice() string {
	return map[kind]string{own: adviceOwn, keyboard: adviceKeys, row: adviceKeys, repeat: adviceRepeat, date: adviceDate}[k]
}

const (
	mostWhy    = 3
	mostAdvice = 2
)

// guess puts a path into words. over says that the password is one short piece
// over and over. A very strong one needs no words.
func (p *path) guess(over bool) Guess {
	g := Guess{Score: score(p.cost, len(p.runes)), Guesses: p.cost}
	kinds := p.weaknesses()
	first, k := p.whole(over)
	g.Common = first != ""
	if g.Score == 4 && !g.Common {
		return g
	}
	if first == "" && (len(kinds) == 0 || len(p.runes) < shortest) {
		first = whyShort
	}
	g.advise(p, kinds)
	g.say(first, slices.DeleteFunc(kinds, func(other kind) bool { return other == k }))
	return g
}

// whole is the sentence about what is common as a whole, and the kind of which
// nothing more needs to be said.
func (p *path) whole(over bool) (string, kind) {
	switch {
	case p.ofOwn():
		return whyAllOwn, own
	case p.common():
		return whyAllKnown, known
	case over:
		return whyAllRepeat, repeat
	}
	return "", loose
}

// weaknesses are the kinds of the path, that which saves a guesser most first.
func (p *path) weaknesses() (kinds []kind) {
	saved := map[kind]float64{}
	for _, q := range p.pieces {
		if q.kind.why() == "" {
			continue
		}
		if _, known := saved[q.kind]; !known {
			kinds = append(kinds, q.kind)
		}
		for i := q.from; i < q.to; i++ {
			saved[q.kind] += p.looseCost(i)
		}
		saved[q.kind] -= q.cost
	}
	slices.SortStableFunc(kinds, func(a, b kind) int { return cmp.Compare(saved[b], saved[a]) })
	return kinds
}

func (g *Guess) say(first string, kinds []kind) {
	if first != "" {
		g.Why = append(g.Why, first)
	}
	for _, k := range kinds {
		if len(g.Why) < mostWhy {
			g.Why = append(g.Why, k.why())
		}
	}
}

func (g *Guess) advise(p *path, kinds []kind) {
	g.Advice = append(g.Advice, adviceWords)
	if g.Common {
		g.Advice[0] = adviceOther
	}
	for _, k := range kinds {
		if a := k.advice(); a != "" && len(g.Advice) < mostAdvice {
			g.Advice = append(g.Advice, a)
		}
	}
	if len(g.Advice) < mostAdvice && slices.ContainsFunc(p.pieces, func(q piece) bool { return q.swapped }) {
		g.Advice = append(g.Advice, adviceSwaps)
	}
}
