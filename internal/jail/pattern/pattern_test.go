package pattern

import (
	"fmt"
	"strings"
	"testing"
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
