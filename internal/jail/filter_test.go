package jail_test

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/jail"
)

func filter(t *testing.T, d jail.Definition) *jail.Filter {
	t.Helper()
	if d.Location == nil {
		d.Location = time.UTC
	}
	f, err := jail.NewFilter(d)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func TestALiveLineWithAnOddDateCountsAsNow(t *testing.T) {
	f := filter(t, jail.Definition{Fail: []string{`^\s*bad <HOST>$`}})
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for _, c := range []struct {
		line string
		at   time.Time
		skew time.Duration
	}{
		{"Nov 27 11:59:30 bad 192.0.2.1", at.Add(-30 * time.Second), 0},
		{"Nov 27 11:59:00 bad 192.0.2.1", at.Add(-time.Minute), 0},
		{"Nov 27 10:00:00 bad 192.0.2.1", at, -2 * time.Hour},
		{"Nov 27 14:00:00 bad 192.0.2.1", at, 2 * time.Hour},
		{"bad 192.0.2.1", at, 0},
	} {
		got, ok := f.Match([]byte(c.line), at)
		if !ok || !got.Time.Equal(c.at) || got.Skew != c.skew {
			t.Errorf("%s: %v %v, skew %v; want %v, skew %v", c.line, ok, got.Time, got.Skew, c.at, c.skew)
		}
	}
}

func TestOldLinesArePassedOverWhenCatchingUp(t *testing.T) {
	f := filter(t, jail.Definition{Fail: []string{`^\s*bad <HOST>$`}, FindTime: 10 * time.Minute})
	f.SetMode(jail.CatchUp)
	at := time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)
	for line, want := range map[string]bool{
		"Nov 27 11:49:59 bad 192.0.2.1": false,
		"Nov 27 11:50:00 bad 192.0.2.1": true,
		"Nov 27 11:58:00 bad 192.0.2.1": true,
	} {
		got, ok := f.Clone().Match([]byte(line), at)
		if ok != want || ok && got.Time.Equal(at) {
			t.Errorf("%s: %v %v", line, ok, got.Time)
		}
	}
	if _, ok := f.Clone().Match([]byte("bad 192.0.2.1"), at); ok {
		t.Error("a line without a date counts, and nobody knows from when it is")
	}
}

func TestHostsAreAddressesNetworksOrNames(t *testing.T) {
	for _, c := range []struct{ regex, dns, text, host, addr, id string }{
		{`^<HOST>$`, "", "192.0.2.1", "192.0.2.1", "192.0.2.1/32", ""},
		{`^<HOST>$`, "", "::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1/32", ""},
		{`^<HOST>$`, "", "[2001:db8::1]", "2001:db8::1", "2001:db8::1/128", ""},
		{`^<HOST>$`, "", "example.org", "example.org", "invalid Prefix", ""},
		{`^<HOST>$`, "no", "example.org", "none", "", ""},
		{`^<HOST>$`, "", "192.0.2.999", "192.0.2.999", "invalid Prefix", ""},
		{`^<SUBNET>$`, "", "192.0.2.77/24", "192.0.2.77", "192.0.2.0/24", ""},
		{`^<ADDR>/<CIDR>$`, "", "192.0.2.77/99", "192.0.2.77", "invalid Prefix", ""},
		{`^<F-ID>\S+</F-ID> <ADDR>$`, "", "bot7 192.0.2.1", "192.0.2.1", "192.0.2.1/32", "bot7"},
		{`^<F-ID/>$`, "", "192.0.2.1", "", "192.0.2.1/32", "192.0.2.1"},
	} {
		got, ok := filter(t, jail.Definition{Fail: []string{c.regex}, UseDNS: c.dns}).Match([]byte(c.text), now)
		if !ok {
			if c.host != "none" {
				t.Errorf("%s in %s: no match", c.regex, c.text)
			}
			continue
		}
		if got.Host != c.host || got.Addr.String() != c.addr || got.ID != c.id {
			t.Errorf("%s in %s: host %q, address %v, id %q", c.regex, c.text, got.Host, got.Addr, got.ID)
		}
	}
}

func TestLinesOfOneConnectionAreJoined(t *testing.T) {
	f := filter(t, jail.Definition{
		Prefix: `^<F-MLFID>\[\d+\]</F-MLFID> <F-CONTENT>.+</F-CONTENT>$`,
		Fail: []string{
			`^<F-NOFAIL>hello</F-NOFAIL> <ADDR>`,
			`^wrong password of <F-USER>\S+</F-USER>`,
			`^<F-MLFGAINED>welcome</F-MLFGAINED>`,
			`^<F-MLFFORGET>bye</F-MLFFORGET>`,
		},
	})
	var got []string
	for _, line := range []string{
		"[1] hello 192.0.2.1", "[1] wrong password of eve", // a failure: the address is known from before
		"[2] wrong password of bob", "[2] hello 192.0.2.2", // pending until the address is known
		"[3] hello 192.0.2.3", "[3] welcome", "[3] wrong password of amy",
	} {
		if failure, ok := f.Match([]byte(line), now); ok {
			got = append(got, fmt.Sprintf("%s %s %q", failure.Host, failure.User, failure.Lines))
		}
	}
	want := []string{
		`192.0.2.1 eve ["[1] hello 192.0.2.1" "[1] wrong password of eve"]`,
		`192.0.2.2 bob ["[2] wrong password of bob" "[2] hello 192.0.2.2"]`,
		`192.0.2.3 amy ["[3] hello 192.0.2.3" "[3] welcome" "[3] wrong password of amy"]`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// TestAnExpressionThatWouldRunForEverIsGivenUp: with module re each of these takes
// years on such a line.
func TestAnExpressionThatWouldRunForEverIsGivenUp(t *testing.T) {
	line := []byte(strings.Repeat("a", 5000) + "!")
	for regex, giveUp := range map[string]bool{
		`^(?:a+)+$<HOST>`:                   false, // bounded by remembering
		`^(?:a|aa)+$<HOST>`:                 false,
		`^(?:.*.*.*.*.*)=<HOST>`:            false,
		`^(a+)+\1\1$<HOST>`:                 true,
		`^(?:a*)*(?:a*)*(?:a*)*[^a!]<HOST>`: false,
	} {
		f := filter(t, jail.Definition{Fail: []string{regex}})
		began := time.Now()
		if _, ok := f.Match(line, now); ok {
			t.Errorf("%s matches", regex)
		}
		if took := time.Since(began); took > time.Minute {
			t.Errorf("%s took %v", regex, took)
		}
		if (f.GaveUp() > 0) != giveUp {
			t.Errorf("%s: gave up %d times", regex, f.GaveUp())
		}
	}
}

func TestLinesOfAnyBytesAreRead(t *testing.T) {
	f := filter(t, jail.Definition{Fail: []string{`user <F-USER>.+</F-USER> from <HOST>`}})
	for line, user := range map[string]string{
		"user b\xffb from 192.0.2.1\r\n":   "b\ufffdb",
		"user \x00\x01 from 192.0.2.1\n":   "\x00\x01",
		"user \xe2\x82 from 192.0.2.1":     "\ufffd",
		"user \xe2\x82\xff from 192.0.2.1": "\ufffd\ufffd",
		"user \u00e9 from 192.0.2.1":       "\u00e9",
	} {
		got, ok := f.Match([]byte(line), now)
		if !ok || got.User != user {
			t.Errorf("%q: %v, user %q, want %q", line, ok, got.User, user)
		}
	}
	latin := filter(t, jail.Definition{Fail: []string{`user <F-USER>.+</F-USER> from <HOST>`}, Encoding: "latin-1"})
	if got, ok := latin.Match([]byte("user \xe9 from 192.0.2.1"), now); !ok || got.User != "\u00e9" {
		t.Errorf("latin-1: %v %q", ok, got.User)
	}
}

func TestALineThatDoesNotMatchAllocatesNothing(t *testing.T) {
	f := filter(t, jail.Definition{Fail: []string{`Failed password for .* from <HOST>$`}})
	line := []byte("Nov 27 12:00:00 web01 CRON[123]: pam_unix(cron:session): session closed for user root")
	f.Match(line, now)
	if n := testing.AllocsPerRun(100, func() { f.Match(line, now) }); n != 0 {
		t.Errorf("%v allocations", n)
	}
}

// TestAMatchDoesNotChangeWithItsLine: the reader of a log uses its memory again.
func TestAMatchDoesNotChangeWithItsLine(t *testing.T) {
	f := filter(t, jail.Definition{Fail: []string{`^ bad <F-USER>\S+</F-USER> <HOST>$`}})
	line := []byte("Nov 27 12:00:00 bad eve 192.0.2.1")
	got, ok := f.Match(line, now)
	copy(line, bytes.Repeat([]byte("x"), len(line)))
	if !ok || got.User != "eve" || got.Host != "192.0.2.1" || got.Lines[0] != "Nov 27 12:00:00 bad eve 192.0.2.1" || got.Line != got.Lines[0] {
		t.Errorf("%v %+v", ok, got)
	}
}

func FuzzMatch(f *testing.F) {
	f.Add(`^(?P<x>a)?(?(x)b|c)(?!d)<HOST>`, "ab192.0.2.1\nc", true)
	f.Add(`<F-MLFID>\d+</F-MLFID>\s*(?i:from) <ADDR>$`, "Jan  2 03:04:05 12 FROM ::1", false)
	f.Add(`^<F-ID>.*?</F-ID>\Z|(?<=x)<HOST>`, "\xff\xfe", false)
	f.Fuzz(func(t *testing.T, regex, text string, multi bool) {
		d := jail.Definition{Fail: []string{regex}, Location: time.UTC}
		if multi {
			d.MaxLines = 3
		}
		m, err := jail.NewFilter(d)
		if err != nil {
			return
		}
		for line := range strings.Lines(text) {
			m.Match([]byte(line), now)
		}
	})
}

// TestWhatFiltersNeedIsDocumented holds docs/bans.md against the filters that Debian
// ships: which need more than a finite automaton knows, and which of those are bounded
// by a number of steps only. HOSTWARD_UPDATE=1 writes the table.
func TestWhatFiltersNeedIsDocumented(t *testing.T) {
	if _, err := os.Stat(shipped + "/filter.d"); err != nil && !complete() {
		t.Skip(err)
	}
	table := "| filter | needs | time |\n|---|---|---|\n"
	for _, name := range filters(t, shipped) {
		def, err := jail.ReadFilter(os.DirFS(shipped), name)
		if err != nil {
			t.Fatal(err)
		}
		needs, linear := filter(t, def).Beyond()
		if len(needs) == 0 {
			continue
		}
		bound := "bounded by the length"
		if !linear {
			bound = "a number of steps"
		}
		table += fmt.Sprintf("| %s | %s | %s |\n", name, strings.Join(needs, ", "), bound)
	}
	const doc, begin, end = "../../docs/bans.md", "<!-- filters -->\n", "<!-- end -->"
	text, err := os.ReadFile(doc)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, _ := strings.Cut(string(text), begin)
	old, after, ok := strings.Cut(rest, end)
	if !ok {
		t.Fatalf("%s has no place for the table", doc)
	}
	if os.Getenv("HOSTWARD_UPDATE") == "1" {
		if err := os.WriteFile(doc, []byte(before+begin+table+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if old != table {
		t.Errorf("%s is not up to date (HOSTWARD_UPDATE=1 writes it); it is\n%s", doc, table)
	}
}
