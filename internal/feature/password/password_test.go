package password

import (
	"strings"
	"testing"
)

func TestWhatAPasswordMustNotBe(t *testing.T) {
	good := Guess{Score: 4}
	for _, c := range []struct {
		password         string
		second, breached bool
		level            int
		guess            Guess
		want             string
	}{
		{"", false, false, 0, good, "at least 15"},
		{"fourteen chars", false, false, 0, good, "at least 15"},
		{"äöüäöüäöüäöüäö", false, false, 0, good, "at least 15"},
		{strings.Repeat("e\u0301", 14), false, false, 0, good, "at least 15"}, // NFD: 28 code points, 14 characters
		{"seven77", true, false, 0, good, "at least 8"},
		{"eight888", true, false, 0, good, ""},
		{strings.Repeat("long ", 52), false, false, 0, good, "at most 256"},
		{"fifteen chars !", false, false, 4, good, ""},
		{"fifteen chars !", false, true, 0, good, "breach"},
		{"fifteen chars !", false, false, 0, Guess{Score: 4, Common: true}, "everybody"},
		{"fifteen chars !", false, false, 3, Guess{Score: 2, Why: []string{"a row of letters"}, Advice: []string{"add a word"}}, "is medium, and at least strong is asked for: a row of letters; add a word"},
		{"fifteen chars !", false, false, 2, Guess{Score: 2}, ""},
		{strings.Repeat("\U0001F414\U0001F986\U0001F9A2\U0001F989", 16), false, false, 4, good, ""}, // 64 characters of four bytes
	} {
		got := judge(c.password, c.second, c.breached, c.level, c.guess).fault
		if c.want == "" && got != "" || !strings.Contains(got, c.want) {
			t.Errorf("%q: %q, want something about %q", c.password, got, c.want)
		}
		if len(c.password) > 3 && strings.Contains(got, c.password) {
			t.Errorf("the refusal of %q says the password", c.password)
		}
	}
}

func TestADemandTellsItsLevel(t *testing.T) {
	for level := range levels {
		if got := levelOf(demand(level, "abc")); got != level {
			t.Errorf("level %d reads as %d", level, got)
		}
	}
	for _, odd := range []string{"", "x", "9 abc"} {
		if got := levelOf(odd); got != len(levels)-1 {
			t.Errorf("%q reads as level %d: what is not understood asks for the most", odd, got)
		}
	}
}

func TestGeneratedPasswordsAreLongAndDiffer(t *testing.T) {
	seen := map[string]bool{}
	for range 1000 {
		p := generate().Reveal()
		if len(p) != 34 || strings.Trim(p, consonants+vowels+"-") != "" || seen[p] {
			t.Fatalf("made %q", p)
		}
		seen[p] = true
	}
}
