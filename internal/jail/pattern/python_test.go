package pattern

import (
	"bytes"
	"encoding/json"
	"math/rand/v2"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// A question is what module re and this package are asked alike.
type question struct {
	Expr  string `json:"expr"`
	Multi bool   `json:"multi"`
	Text  string `json:"text"`
}

type answer struct {
	OK    bool      `json:"ok"`
	Slow  bool      `json:"slow"` // Python gave no answer
	Why   string    `json:"why"`
	Found []*string `json:"found"`
}

func complete() bool { return os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1" }

// askPython has Python answer all questions. Without Python the test is skipped.
func askPython(t *testing.T, questions []question) []answer {
	t.Helper()
	python, err := exec.LookPath("python3")
	if err != nil && !complete() {
		t.Skip(err)
	}
	var in bytes.Buffer
	for _, q := range questions {
		if err := json.NewEncoder(&in).Encode(q); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.CommandContext(t.Context(), python, "testdata/re.py")
	cmd.Stdin = &in
	cmd.Env = append(os.Environ(), "PYTHONUTF8=1")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	var answers []answer
	for line := range strings.Lines(string(out)) {
		var a answer
		if err := json.Unmarshal([]byte(line), &a); err != nil {
			t.Fatal(err)
		}
		answers = append(answers, a)
	}
	if len(answers) != len(questions) {
		t.Fatalf("%d answers to %d questions", len(answers), len(questions))
	}
	return answers
}

func ours(q question) answer {
	p, err := Compile(q.Expr, q.Multi)
	if err != nil {
		return answer{Why: err.Error()}
	}
	var m Machine
	if !m.Match(p, []byte(q.Text), 0) {
		if m.GaveUp() && p.Linear() && !p.looks {
			return answer{Why: "gave up where it need not"}
		}
		if m.GaveUp() {
			return answer{OK: true, Why: "gave up"}
		}
		return answer{OK: true}
	}
	a := answer{OK: true}
	for i := range p.names {
		var text *string
		if begin, end, ok := m.Group(i); ok {
			s := q.Text[begin:end]
			text = &s
		}
		a.Found = append(a.Found, text)
	}
	return a
}

func (a answer) String() string {
	b, _ := json.Marshal(a.Found)
	if !a.OK {
		return "refused: " + a.Why
	}
	return string(b)
}

// TestRandomExpressionsMatchAsInPython compares with Python on expressions and
// texts that nobody thought of.
func TestRandomExpressionsMatchAsInPython(t *testing.T) {
	count := 5_000
	if complete() {
		count = 50_000
	}
	random := rand.New(rand.NewPCG(5, 2))
	questions := make([]question, count)
	for i := range questions {
		g := generator{random: random}
		questions[i] = question{Expr: g.expr(4), Multi: random.IntN(4) == 0, Text: text(random)}
	}
	matched, bad, slow, gaveUp := 0, 0, 0, 0
	for i, want := range askPython(t, questions) {
		got := ours(questions[i])
		switch {
		case want.Slow:
			slow++
			continue
		case got.Why == "gave up":
			gaveUp++
			continue
		}
		if got.OK == want.OK && (!got.OK || got.String() == want.String()) {
			if got.Found != nil {
				matched++
			}
			continue
		}
		if bad++; bad < 20 {
			t.Errorf("%q (multi %v) in %q:\n got %v %s\nwant %v %s", questions[i].Expr, questions[i].Multi, questions[i].Text, got, got.Why, want, want.Why)
		}
	}
	t.Logf("%d of %d matched, %d differ, to %d Python gave no answer, on %d we gave up", matched, count, bad, slow, gaveUp)
	if gaveUp > count/500 {
		t.Errorf("gave up on %d of %d", gaveUp, count)
	}
	if matched < count/10 {
		t.Errorf("only %d of %d matched: the test asks the wrong questions", matched, count)
	}
}

func text(random *rand.Rand) string {
	var b strings.Builder
	for range random.IntN(16) {
		b.WriteString(pick(random, "a", "b", "c", "A", " ", "1", "\n", "é", "ab", "_", "ſ", "K"))
	}
	return b.String()
}

func pick(random *rand.Rand, of ...string) string { return of[random.IntN(len(of))] }

// A generator writes random expressions.
type generator struct {
	random *rand.Rand
	groups int
}

func (g *generator) expr(depth int) string {
	var b strings.Builder
	for i := range 1 + g.random.IntN(3) {
		if i > 0 && g.random.IntN(4) == 0 {
			b.WriteByte('|')
		}
		b.WriteString(g.item(depth))
	}
	return b.String()
}

// item never makes a group possessive: there module re of Python 3.11 errs (its
// issue 101955, "The span of capturing group is wrong"). Nor does it repeat a group
// {0,2}?, where doc.go tells of a difference.
func (g *generator) item(depth int) string {
	atom := pick(g.random, "a", "b", "c", "ab", ".", `\w`, `\s`, `\d`, `\S`, "[ab]", "[^a]", "[^\\s]", "é", " ", `\n`, "[a-c]", "A", "k", `\W`)
	more := []string{"{0,2}?", "*+", "?+"}
	if depth > 0 && g.random.IntN(2) == 0 {
		atom, more = g.nest(depth-1), nil
	}
	if g.random.IntN(8) == 0 {
		return pick(g.random, "^", "$", `\b`, `\B`, `\Z`, `\A`) + atom
	}
	return atom + pick(g.random, append([]string{"", "", "", "", "*", "+", "?", "*?", "+?", "??", "{2}", "{1,2}"}, more...)...)
}

func (g *generator) nest(depth int) string {
	switch g.random.IntN(10) {
	case 0:
		return "(?:" + g.expr(depth) + ")"
	case 1:
		return "(?=" + g.expr(depth) + ")"
	case 2:
		return "(?!" + g.expr(depth) + ")"
	case 3:
		return "(?i:" + g.expr(depth) + ")"
	case 4:
		return "(?>" + g.expr(depth) + ")"
	case 5:
		return pick(g.random, "(?<=a)", "(?<!b)", "(?<=[ab].)", "(?<=^)")
	case 6:
		if g.groups > 0 {
			return `(?:\` + string(rune('0'+min(9, g.groups))) + ")"
		}
	case 7:
		if g.groups > 0 {
			return "(?(" + string(rune('0'+min(9, g.groups))) + ")" + g.item(depth) + "|" + g.item(depth) + ")"
		}
	}
	inner := g.expr(depth)
	g.groups++
	return "(" + inner + ")"
}
