package date

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"hostward/internal/jail/pattern"
)

// kind says how the text of a template's match becomes a time.
type kind uint8

const (
	byFields kind = iota
	byEpoch
	byLongEpoch // perhaps in milliseconds or microseconds
	byTAI64N
)

// A template is one form of a date. It does not change.
type template struct {
	name     string
	pattern  string // as given; empty for those without fields
	expr     string
	compiled *pattern.Pattern
	kind     kind
	anchored bool // at the beginning or the end of a line
	weight   float64
	group    int // that holds the seconds, of those without fields
	quick    quick
}

// edges says where a match may begin and end.
type edges struct {
	line, word, end bool // begins with the line, or with a word; ends with one
}

const (
	atLine  = "{^LN-BEG}" // at the beginning of a pattern: at that of a line
	unbound = "{UNB}"     // anywhere
)

// parseTemplate reads a date pattern.
func parseTemplate(text string) (*template, error) {
	t, err := newTemplate(text)
	if err != nil {
		return nil, fmt.Errorf("date pattern %q: %w", text, err)
	}
	return t, nil
}

func newTemplate(text string) (*template, error) {
	key := text
	if !strings.Contains(text, "%") {
		key = strings.ToUpper(text)
	}
	anchored := strings.HasPrefix(key, atLine) || strings.HasPrefix(key, "^")
	switch strings.TrimPrefix(strings.TrimPrefix(key, atLine), "^") {
	case "EPOCH":
		return plainEpoch(byEpoch, anchored)
	case "LEPOCH":
		return plainEpoch(byLongEpoch, anchored)
	case "TAI64N":
		t := &template{name: "TAI64N", kind: byTAI64N, weight: 1}
		return t, t.bind("@[0-9a-f]{24}", edges{line: anchored, end: true})
	}
	if epochTag.MatchString(text) {
		return patternEpoch(text, strings.Contains(key, "LEPOCH"))
	}
	t := &template{pattern: text, weight: 1}
	e := edges{word: true, end: true}
	if rest, ok := strings.CutPrefix(text, unbound); ok {
		text, e = rest, edges{}
	} else if rest, ok := strings.CutPrefix(text, atLine); ok {
		text, e = rest, edges{line: true, end: true}
	}
	expr, name, err := expand(text)
	if err != nil {
		return nil, err
	}
	t.name = name
	if letters.MatchString(text) {
		expr = "(?iu)" + expr
	}
	t.quick = quickOf(t.pattern)
	return t, t.bind(expr, e)
}

var (
	epochTag = regexp.MustCompile(`(?i)(?:^|[^\\])\{L?EPOCH\}`)
	letters  = regexp.MustCompile(`(?:^|[^%])%[aAbBpc]`)
)

const (
	epoch     = `\d{10,11}\b(?:\.\d{3,6})?`
	longEpoch = `\d{10,11}(?:\d{3}(?:\.\d{1,6}|\d{3})?)?`
)

var epochs = map[kind]struct{ name, expr string }{byEpoch: {"Epoch", epoch}, byLongEpoch: {"LongEpoch", longEpoch}}

// plainEpoch is a number of seconds at the beginning of a line, in brackets there, or
// in a line of SELinux's audit.
func plainEpoch(k kind, anchored bool) (*template, error) {
	e := epochs[k]
	t := &template{name: e.name, kind: k, weight: 1, group: 1}
	if anchored {
		return t, t.bind(`((?P<square>(?<=^\[))?`+e.expr+`)(?(square)(?=\]))`, edges{line: true, end: true})
	}
	return t, t.bind(`((?:^|(?P<square>(?<=^\[))|(?P<selinux>(?<=\baudit\()))`+e.expr+`)(?:(?(selinux)(?=:\d+\)))|(?(square)(?=\])))`, edges{end: true})
}

// patternEpoch is a pattern with {EPOCH} in it.
func patternEpoch(text string, long bool) (*template, error) {
	k := byEpoch
	if long {
		k = byLongEpoch
	}
	t := &template{name: text, kind: k, weight: 1, group: 2}
	expr := epochTag.ReplaceAllStringFunc(text, func(m string) string {
		return m[:strings.IndexByte(m, '{')] + "(" + epochs[k].expr + ")"
	})
	return t, t.bind("("+expr+")", edges{word: true, end: true})
}

// What a date pattern says itself of where it begins and ends, so that nothing
// more is asked for.
var (
	ownBegin   = regexp.MustCompile(`^\(*(?:\(\?\w+\))?(?:\^|\(*\*\*|\((?:\?:)?\^)`)
	ownEnd     = regexp.MustCompile(`(?:^|[^\\])(?:\$\)?|\\b|\\s|\*\*\)*)$`)
	lineBegin  = pattern.Must(`^(?:\(\?\w+\))?(?:\^|\((?:\?:)?\^(?!\|))`)
	lineEnd    = pattern.Must(`(?<![\\\|])(?:\$\)?)$`)
	grouped    = pattern.Must(`(?<!(?:\(\?))(?<!\\)\((?!\?)`)
	flagsAlone = regexp.MustCompile(`\(\?[a-z]+\)`)
	whole      = regexp.MustCompile(`^((?:\(\?\w+\))?\^?(?:\(\?\w+\))?)(.*?)(\$?)$`)
	starsBegin = regexp.MustCompile(`^\(*(?:\(\?\w+\))?\(*\*\*`)
	starsEnd   = regexp.MustCompile(`(^|[^\\])\*\*\)*$`)
)

// bind compiles an expression with its edges. Its group 1 is what is cut out of
// the line: the whole date, unless the expression has a group of its own.
func (t *template) bind(expr string, e edges) error {
	expr = strings.TrimSpace(expr)
	flags := ""
	if at := flagsAlone.FindStringIndex(expr); at != nil {
		flags = expr[at[0]:at[1]]
		expr = expr[:at[0]] + expr[at[1]:]
	}
	begin := (e.word || e.line) && !ownBegin.MatchString(expr)
	end := e.end && !ownEnd.MatchString(expr)
	if !grouped.Matches(expr) {
		expr = whole.ReplaceAllString(expr, "$1($2)$3")
	}
	if begin && e.line {
		expr = `^(?:\W{0,2})?` + expr
		t.anchored = true
		if !strings.HasPrefix(t.name, atLine) {
			t.name = atLine + t.name
		}
	} else if begin {
		expr = `(?=^|\b|\W)` + expr
	}
	if end {
		expr += `(?=\b|\W|$)`
	}
	t.anchored = t.anchored || lineBegin.Matches(expr) || lineEnd.Matches(expr)
	noStars := func(s string) string { return strings.ReplaceAll(s, "**", "") }
	expr = starsEnd.ReplaceAllStringFunc(starsBegin.ReplaceAllStringFunc(expr, noStars), noStars)
	t.expr = flags + expr
	var err error
	t.compiled, err = pattern.Compile(t.expr, false)
	return err
}

// A span is a match: where it begins and ends, and what is cut out.
type span struct {
	begin, end       int
	cutBegin, cutEnd int
	from, to         int  // where it was looked for
	read             bool // a quick way has read it already
}

// find looks for a match between from and to; what is before from is seen. If a
// quick way reads the date it is put into n.
func (t *template) find(m *pattern.Machine, line []byte, from, to int, n *naive) (span, bool) {
	if t.quick != nil && from == 0 && to == len(line) {
		if end := t.quick(line, n); end > 0 {
			return span{end: end, cutEnd: end, read: true}, true
		}
	}
	if !m.Match(t.compiled, line[:to], from) {
		return span{}, false
	}
	s := span{from: from, to: to}
	s.begin, s.end, _ = m.Group(0)
	s.cutBegin, s.cutEnd, _ = m.Group(1)
	return s, true
}

// time reads the match, which must be the machine's last one unless it was read
// into n already.
func (t *template) time(m *pattern.Machine, line []byte, s span, c *calendar, n *naive) (time.Time, bool) {
	if s.read {
		return c.time(n)
	}
	text := func(group int) string {
		begin, end, ok := m.Group(group)
		if !ok {
			return ""
		}
		return string(line[begin:end])
	}
	switch t.kind {
	case byTAI64N:
		return taiTime(text(1))
	case byEpoch, byLongEpoch:
		return epochTime(text(t.group), t.kind == byLongEpoch)
	}
	*n = naive{}
	for i, name := range t.compiled.Names() {
		if _, _, ok := m.Group(i); !ok || name == "" {
			continue
		}
		if !n.set(name, text(i)) {
			return time.Time{}, false
		}
	}
	return c.time(n)
}
