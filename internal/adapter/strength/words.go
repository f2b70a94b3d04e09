package strength

import "math"

// walk looks for the words of a lexicon in a text, beginning at start. It follows
// every reading of digits and signs at once, and only where some word of the
// lexicon goes on: many signs multiply nothing.
type walk struct {
	text
	lex   *lexicon
	start int
	skips int // blanks passed since
	steps int // how often the lexicon was asked
	found []piece
}

// words finds the words of both directions. steps bounds the work in a test.
func (t text) words(lex *lexicon) (found []piece, steps int) {
	ahead, back := walk{text: t, lex: lex}, walk{text: t.reversed(), lex: lex}
	ahead.all()
	back.all()
	for _, p := range back.found {
		p.from, p.to = len(t.runes)-p.to, len(t.runes)-p.from
		p.cost += math.Log10(2)
		ahead.found = append(ahead.found, p)
	}
	return ahead.found, ahead.steps + back.steps
}

func (w *walk) all() {
	for w.start = range w.runes {
		w.step(w.start, w.lex.root(), 0)
	}
}

// step reads the character at i. swaps counts what is not as the word is written.
func (w *walk) step(i int, n node, swaps int) {
	if i == len(w.runes) {
		return
	}
	if i > w.start && w.joint(i) {
		w.skips++
		w.step(i+1, n, swaps)
		w.skips--
	}
	w.read(i, n, w.runes[i], swaps)
	for _, r := range readings(w.runes[i]) {
		w.read(i, n, r, swaps+1)
	}
}

func (w *walk) read(i int, n node, r rune, swaps int) {
	w.steps++
	n, ok := w.lex.next(n, r)
	if !ok {
		return
	}
	if m, ok := w.lex.end(n); ok && w.stands(i+1, swaps) {
		w.found = append(w.found, w.piece(i+1, m, swaps))
	}
	w.step(i+1, n, swaps)
}

// stands reports whether what was found is meant. Letters are, digits read as
// letters only beside one that is, and words in pieces only from blank to blank:
// "his" is not meant in "whi skey".
func (w *walk) stands(to, swaps int) bool {
	if w.skips > 0 && (w.letters(w.start-1, w.start) || w.letters(to, to+1)) {
		return false
	}
	return swaps == 0 || w.letters(w.start, to)
}

// piece prices a word: its place in the list, the ways to write its capitals, and
// twice as much for each of the first three swaps or blanks: who makes one makes all.
func (w *walk) piece(to int, m mark, swaps int) piece {
	least := float64(leastWord)
	if m.kind() == own {
		least = leastOwn
	}
	guesses := max(float64(m.rank()), least) * w.capitals(w.start, to) * math.Exp2(float64(min(swaps+w.skips, 3)))
	return piece{w.start, to, m.kind(), math.Log10(guesses), m.common(), swaps > 0}
}
