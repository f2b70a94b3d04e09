package pattern

import (
	"fmt"
	"strings"
	"testing"
	"time"
)

// find returns the groups of a match as text, "-" for those without part.
func find(p *Pattern, text string) string {
	var m Machine
	if !m.Match(p, []byte(text), 0) {
		if m.GaveUp() {
			return "gave up"
		}
		return "no match"
	}
	var out []string
	for i := range p.names {
		begin, end, ok := m.Group(i)
		if !ok {
			out = append(out, "-")
			continue
		}
		out = append(out, fmt.Sprintf("%q", text[begin:end]))
	}
	return strings.Join(out, " ")
}

func TestExpressionsMatchAsInPython(t *testing.T) {
	for _, c := range []struct{ expr, text, want string }{
		{`a|ab`, "ab", `"a"`},
		{`(a|ab)(c|bcd)(d*)`, "abcd", `"abcd" "a" "bcd" ""`},
		{`^a*?b`, "aab", `"aab"`},
		{`(\d+)-(\d+)?`, "x12-", `"12-" "12" -`},
		{`(?P<x>\w+) (?P=x)`, "foo bar bar", `"bar bar" "bar"`},
		{`(?(1)a|b)(c)?`, "bc", `"bc" "c"`},
		{`(x)?(?(1)a|b)`, "xa", `"xa" "x"`},
		{`(x)?(?(1)a|b)$`, "xb", `"b" -`},
		{`^\S+ (?!no)(\w+)`, "is yes", `"is yes" "yes"`},
		{`(?<=a)b`, "ab", `"b"`},
		{`(?<!a)b`, "ab b", `"b"`},
		{`(?i)straSSe`, "STRASSE", `"STRASSE"`},
		{`x(?i:a)A`, "xAA", `"xAA"`},
		{`[^a-z\s]+`, "ab É1", `"É1"`},
		{`\w+`, "- Ünïcode9_", `"Ünïcode9_"`},
		{`\bfoo\b`, "éfoo foo", `"foo"`},
		{`(?a)\bfoo\b`, "éfoo foo", `"foo"`},
		{`a{2,3}`, "aaaa", `"aaa"`},
		{`a{,2}b`, "aaab", `"aab"`},
		{`a{x}`, "a{x}", `"a{x}"`},
		{`(a*)*b`, "aab", `"aab" ""`},
		{`(?:a|b)*?c`, "abc", `"abc"`},
		{`a++b`, "aab", `"aab"`},
		{`a++ab`, "aaab", "no match"},
		{`(?>a|ab)c`, "abc", "no match"},
		{`foo$`, "foo\n", `"foo"`},
		{`foo\Z`, "foo\n", "no match"},
		{`[]a]+`, "]a", `"]a"`},
		{`[\d\-x]+`, "1-x", `"1-x"`},
		{`\x41\u0042\103`, "ABC", `"ABC"`},
		{`(?x) a b # c
			d`, "abd", `"abd"`},
		{`(?#comment)a`, "a", `"a"`},
		{`.*`, "é\nx", `"é"`},
		{`(?s).*`, "é\nx", "\"é\\nx\""},
		{`(a)|(b)`, "b", `"b" - "b"`},
		{`(?=(\w+)):?\1`, "ab", `"ab" "ab"`},
		{`((?:(?! x ).)*) x`, "é b x x ", `"é b x" "é b"`},
		{`((?:(?! x ).)*?)(?:b|\Z)`, "é b x x ", `"é b" "é "`},
		{`((?:(?!ab)\w){2,3})(\w*)$`, "aaab", `"aaab" "aa" "ab"`},
		{`^((?:(?!,).){2})+$`, "aaaa", `"aaaa" "aa"`},
		{`(?:(?!é).)*+`, "ab é", `"ab "`},
		{`((?P<a>\S+)|.*) x(?(a): |.*)`, "a b x: y", `"a b x: y" "a b" -`},
		{`((?P<a>\S+)|.*) x(?(a): |.*)`, "a x: y", `"a x: " "a" "a"`},
		{`((?P<a>\S+)|.*) x(?(a): |.*)`, "a x, y", `"a x, y" "a" -`},
		{`(?=.*(b))(?(1)a|c)b`, "ab", `"ab" "b"`},
		{`(?:(a)|b)+c(?(1)d|e)`, "abcd", `"abcd" "a"`},
		{`\d+$`, "12\n", `"12"`},
		{`\d{1,3}?$`, "1234", `"234"`},
	} {
		p, err := Compile(c.expr, false)
		if err != nil {
			t.Errorf("%s: %v", c.expr, err)
			continue
		}
		if got := find(p, c.text); got != c.want {
			t.Errorf("%s in %q: %s, want %s", c.expr, c.text, got, c.want)
		}
	}
}

// TestLargeExpressionsAreReadOrRefusedSoon: reading is bounded as matching is.
func TestLargeExpressionsAreReadOrRefusedSoon(t *testing.T) {
	nested := func(inner, count string) string {
		return strings.Repeat("(?:", 150) + inner + strings.Repeat(")"+count, 150)
	}
	for name, c := range map[string]struct {
		expr    string
		refused bool
	}{
		"sets in any case":               {"(?i)" + strings.Repeat(`[\x00-\U0010ffff]`, 1000), false},
		"characters or not":              {strings.Repeat("a?", 15_000), false},
		"groups or not":                  {strings.Repeat("(?:ab)?", 6000), false},
		"many alternatives":              {strings.Repeat("(?:aa|bb|cc|dd)", 4000), true},
		"many sets":                      {strings.Repeat("[ab]", 16_000), false},
		"repetition of repetition":       {nested("ab", "{1000}"), true},
		"perhaps":                        {nested("ab", "{0,1000}"), true},
		"repetition of nothing":          {nested("", "{1000}"), true},
		"groups in groups":               {strings.Repeat("(", 300) + strings.Repeat(")", 300), true},
		"more than an expression can be": {strings.Repeat("a", 70_000), true},
	} {
		began := time.Now()
		_, err := Compile(c.expr, false)
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s: took %v", name, took)
		}
		if (err != nil) != c.refused {
			t.Errorf("%s: %.200v", name, err)
		}
	}
}
