package strength

import (
	"context"
	"go/parser"
	"go/token"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"

	"hostward/internal/core"
)

// sentences are all that a Guess may say.
var sentences = []string{
	whyWord, whyKnown, whyOwn, whyKeyboard, whyRow, whyRepeat, whyDate, whyShort, whyAllKnown, whyAllOwn, whyAllRepeat,
	adviceWords, adviceOwn, adviceKeys, adviceRepeat, adviceDate, adviceSwaps, adviceOther,
}

func open(t testing.TB) tables {
	t.Helper()
	tab, err := loadTables()
	if err != nil {
		t.Fatal(err)
	}
	return tab
}

// worstSteps and worstPieces bound one estimate: the lookups in the lexicons, and
// the pieces that are weighed. Climbing from many starts found nothing dearer than
// 72 ones: 15,102 and 3,290. Words of the user that are made for it take part in
// full: 3 readings of each letter, from each place, in both directions.
const (
	worstSteps  = 20_000
	worstOwn    = worstSteps + 2*3*span*mostOwn*ownSize
	worstPieces = 5_000
)

func TestNoInputIsDear(t *testing.T) {
	tab, own := open(t), ownLexicon([]string{"anna.kranewitt", "Anna Kranewitt Bakery", "panel.example"})
	r := rand.New(rand.NewPCG(1, 2))
	for _, signs := range []string{
		"a", "1", "ё", "🐔", "1|", "1!", "7t+l", "-1", "1-", " i1l", "qwe", "l33tsp34k", "4@({[<!1|7+$5690", "1234567890", "12051985", "19", "1.1.19",
		"abcdeilnorstz 1!|7+$50342869@(<%-_.", "\xff", "ab",
	} {
		from := []rune(signs)
		for try := range 20 {
			runes := make([]rune, span)
			for i := range runes {
				runes[i] = from[(i+try*r.IntN(len(from)))%len(from)]
			}
			p := tab.cheapest(own, read(string(runes)))
			if p.steps > worstSteps || len(p.found) > worstPieces {
				t.Errorf("%q: %d steps, %d pieces", string(runes), p.steps, len(p.found))
			}
		}
	}
}

func TestNoWordsOfTheUserAreDear(t *testing.T) {
	tab, r := open(t), rand.New(rand.NewPCG(3, 4))
	words := make([]string, 1000)
	for i := range words {
		word := make([]byte, 100)
		for j := range word {
			word[j] = "1il"[r.IntN(3)]
		}
		words[i] = "i" + string(word)
	}
	dashes := []string{"a" + strings.Repeat("-", 30), "a-a_a.a a-a", strings.Repeat("-", 30) + "a", "- - - -"}
	for password, words := range map[string][]string{
		strings.Repeat("1", span): words, "a" + strings.Repeat("-", span-2) + "a": dashes, strings.Repeat("a-", span/2): dashes,
		strings.Repeat("a.-_ ", span/5): dashes,
	} {
		if p := tab.cheapest(ownLexicon(words), read(password)); p.steps > worstOwn {
			t.Errorf("%.10q…: %d steps", password, p.steps)
		}
	}
}

func FuzzAnyPassword(f *testing.F) {
	for _, s := range []string{"", "\x00", "\xff\xfe", "Tr0ub4dor&3", "anna.kranewitt-2026", "12.05.1985", "1!|7+$", "İıſK", "ﷺ", "é", "👍🏽", "пароль"} {
		f.Add(s, "anna@kranewitt.example")
		f.Add(strings.Repeat(s, 100), s)
	}
	tab := open(f)
	f.Fuzz(func(t *testing.T, password, words string) {
		own := ownLexicon(strings.Split(words, ","))
		x := read(password)
		g := tab.estimate(own, x)
		if g.Score < 0 || g.Score > 4 || g.Guesses < 0 || math.IsNaN(g.Guesses) || math.IsInf(g.Guesses, 0) {
			t.Errorf("%+v", g)
		}
		if len(g.Why) > mostWhy || len(g.Advice) > mostAdvice || g.Score < 4 && (len(g.Why) == 0 || len(g.Advice) == 0) {
			t.Errorf("%q, %q", g.Why, g.Advice)
		}
		onlySays(t, password, g)
		begin := x.slice(0, min(span, len(x.runes)))
		p := tab.cheapest(own, begin)
		if p.steps > worstOwn || len(p.found) > worstPieces {
			t.Errorf("%d steps, %d pieces", p.steps, len(p.found))
		}
		if g.Guesses < p.cost {
			t.Errorf("10^%.2f is worse than its beginning, 10^%.2f", g.Guesses, p.cost)
		}
		covers(t, p)
	})
}

// covers wants the pieces of a path to be the text, one after the other.
func covers(t *testing.T, p path) {
	t.Helper()
	at := 0
	for _, q := range p.pieces {
		if q.from != at || q.to <= q.from || q.cost < 0 {
			t.Errorf("%+v begins at %d", q, at)
		}
		at = q.to
	}
	if at != len(p.runes) {
		t.Errorf("the pieces end at %d of %d", at, len(p.runes))
	}
}

// onlySays wants g to say sentences of the list, and nothing of the password
// that is not in them anyway.
func onlySays(t *testing.T, password string, g Guess) {
	t.Helper()
	wording := strings.Join(sentences, "\n")
	for _, said := range slices.Concat(g.Why, g.Advice) {
		if !slices.Contains(sentences, said) {
			t.Errorf("%q is no sentence of the list", said)
		}
		for r := []rune(password); len(r) >= 4; r = r[1:] {
			if piece := string(r[:4]); strings.Contains(said, piece) && !strings.Contains(wording, piece) {
				t.Errorf("%q says %q of the password", said, piece)
			}
		}
	}
}

func TestAWordIsFoundInEveryDress(t *testing.T) {
	lex := newLexicon([]entry{{"tilt", newMark(7, word, false)}, {"kranewitt", newMark(7, word, false)}, {"кура", newMark(7, word, false)}, {"kran", newMark(9, known, true)}})
	for password, to := range map[string]int{
		"kranewitt": 9, "KraneWitt": 9, "ttiwenark": 9, "kr4n3w1tt": 9, "k r a n e w i t t": 17, "Кура": 4, "kränéwitt": 9, "kran-ewitt9": 10,
	} {
		found, _ := read(password).words(lex)
		if !slices.ContainsFunc(found, func(p piece) bool { return p.from == 0 && p.to == to && p.kind == word }) {
			t.Errorf("%q: %+v", password, found)
		}
	}
	for _, password := range []string{"kranewit", "kran ewitten", "kane", "", "9999", "7117"} {
		found, _ := read(password).words(lex)
		if slices.ContainsFunc(found, func(p piece) bool { return p.kind == word }) {
			t.Errorf("%q: %+v", password, found)
		}
	}
}

func TestAWordOfTwoListsHasTheBestOfBoth(t *testing.T) {
	for _, lists := range [][]entry{
		{{"summer", newMark(5, known, true)}, {"summer", newMark(9, word, false)}},
		{{"summer", newMark(5, word, false)}, {"summer", newMark(9, known, true)}},
	} {
		if l := newLexicon(lists); len(l.marks) != 1 || l.marks[0] != newMark(5, word, true) {
			t.Errorf("%x", l.marks)
		}
	}
}

func TestOnlySoMuchIsRead(t *testing.T) {
	if n := len(read(strings.Repeat("é", 1<<20)).runes); n != farthest {
		t.Errorf("%d characters of a password", n)
	}
	lex := ownLexicon(slices.Repeat([]string{strings.Repeat("anna.", 1000), strings.Repeat("kranewitt", 1000)}, 1000))
	if len(lex.ends) > mostOwn || len(lex.letters) > mostOwn*ownSize || lex.word(0) != "anna" {
		t.Errorf("%d own words of %d letters", len(lex.ends), len(lex.letters))
	}
	for i := range lex.ends {
		if len(lex.word(i)) > ownSize {
			t.Errorf("an own word of %d letters", len(lex.word(i)))
		}
	}
}

func TestListsAreWholeAndInOrder(t *testing.T) {
	lex := open(t).lex
	if len(lex.ends) < 70_000 || len(lex.ends) != len(lex.marks) {
		t.Fatalf("%d words, %d marks", len(lex.ends), len(lex.marks))
	}
	for i := 1; i < len(lex.ends); i++ {
		if lex.word(i-1) >= lex.word(i) {
			t.Fatalf("%q stands before %q", lex.word(i-1), lex.word(i))
		}
	}
}

func TestDatesAreOfTheCalendar(t *testing.T) {
	for text, to := range map[string]int{
		"12051985": 8, "19850512": 8, "31.12.99": 8, "1.2.2026": 8, "2026-11-27": 10, "11/27/2026": 10, "2049": 4, "120585": 6, "05/2026": 7,
	} {
		found := read(text).dates()
		if !slices.ContainsFunc(found, func(p piece) bool { return p.from == 0 && p.to == to }) {
			t.Errorf("%q: %+v", text, found)
		}
	}
	tab := open(t)
	if bare, parted := tab.cheapest(ownLexicon(nil), read("12051985")), tab.cheapest(ownLexicon(nil), read("12.05.1985")); bare.cost >= parted.cost {
		t.Errorf("separators are for nothing: %+v, %+v", bare.pieces, parted.pieces)
	}
	for _, text := range []string{"99999999", "00.00.0000", "2050", "1899", "32.12.1990", "13.13.1990", "1.2", "a.b.cccc"} {
		if found := read(text).dates(); slices.ContainsFunc(found, func(p piece) bool { return p.to-p.from == len(text) }) {
			t.Errorf("%q: %+v", text, found)
		}
	}
}

func TestOneTurnIsFreeAgainWhenAnotherEnds(t *testing.T) {
	e := New(1)
	leave, err := e.enter(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	late, cancel := context.WithCancel(t.Context())
	refused := make(chan error)
	go func() {
		_, err := e.Estimate(late, "x", nil)
		refused <- err
	}()
	cancel()
	if err := <-refused; core.CodeOf(err) != core.Unavailable {
		t.Errorf("a second at once: %v", err)
	}
	leave()
	if _, err := e.Estimate(t.Context(), "x", nil); err != nil {
		t.Errorf("after the first: %v", err)
	}
}

// Package data does nothing until asked. Any other of that library unpacks all
// lists in its init, in every process of the program.
func TestStartingCostsNothing(t *testing.T) {
	files, err := os.ReadDir(".")
	if err != nil {
		t.Fatal(err)
	}
	seen := 0
	for _, file := range files {
		if !strings.HasSuffix(file.Name(), ".go") {
			continue
		}
		f, err := parser.ParseFile(token.NewFileSet(), file.Name(), nil, parser.ImportsOnly)
		if err != nil {
			t.Fatal(err)
		}
		for _, spec := range f.Imports {
			if strings.Contains(spec.Path.Value, "zxcvbn") {
				seen++
				if spec.Path.Value != `"github.com/ccojocar/zxcvbn-go/data"` {
					t.Errorf("%s imports %s", file.Name(), spec.Path.Value)
				}
			}
		}
	}
	if seen == 0 {
		t.Error("nothing of the library is imported: the test looks at the wrong place")
	}
}
