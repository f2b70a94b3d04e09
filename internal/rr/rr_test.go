package rr_test

import (
	"bytes"
	"math"
	"math/rand/v2"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/core"
	"hostward/internal/rr"
)

func sample(t testing.TB, file string, origin rr.Name) (*rr.Zone, error) {
	t.Helper()
	b, err := os.ReadFile("testdata/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return rr.ParseZone(bytes.NewReader(b), rr.Options{Origin: origin})
}

func parse(t testing.TB, text string) *rr.Zone {
	t.Helper()
	z, err := rr.ParseZone(strings.NewReader(text), rr.Options{})
	if err != nil {
		t.Fatalf("parsing: %v", err)
	}
	return z
}

const head = "$ORIGIN z.example.\n$TTL 300\n@ SOA ns.other.example. h.other.example. 1 7200 900 604800 300\n@ NS ns.other.example.\n@ NS ns2.other.example.\n"

func find(z *rr.Zone, name rr.Name, typ string) rr.RRset {
	for _, s := range z.Sets {
		if s.Name == name && s.Type == typ {
			return s
		}
	}
	return rr.RRset{}
}

func TestSampleZonesParseAndRoundTrip(t *testing.T) {
	for file, want := range map[string]struct {
		origin rr.Name
		sets   int
	}{
		"kranewitt.example.zone":     {"kranewitt.example.", 24},
		"university.example.zone":    {"university.example.", 178},
		"xn--bcher-kva.example.zone": {"xn--bcher-kva.example.", 5},
		"2.0.192.in-addr.arpa.zone":  {"2.0.192.in-addr.arpa.", 67},
	} {
		t.Run(file, func(t *testing.T) {
			z, err := sample(t, file, want.origin)
			if err != nil {
				t.Fatal(err)
			}
			if len(z.Sets) != want.sets {
				t.Errorf("%d RRsets, want %d", len(z.Sets), want.sets)
			}
			if faults, _ := z.Validate(); len(faults) > 0 {
				t.Errorf("faults in a good zone: %v", faults)
			}
			var b bytes.Buffer
			if err := rr.WriteZone(&b, z); err != nil {
				t.Fatal(err)
			}
			again := parse(t, b.String())
			if again.Origin != z.Origin {
				t.Errorf("origin %s came back as %s", z.Origin, again.Origin)
			}
			if d := cmp.Diff(z.Sets, again.Sets); d != "" {
				t.Errorf("what is written reads differently:\n%s", d)
			}
		})
	}
}

func TestTheOriginIsTheOwnerOfTheSOA(t *testing.T) {
	z, err := sample(t, "university.example.zone", "")
	if err != nil || z.Origin != "university.example." {
		t.Fatalf("origin %q, %v", z.Origin, err)
	}
	if _, err := rr.ParseZone(strings.NewReader("a.example. 5 A 192.0.2.1\n"), rr.Options{}); err == nil {
		t.Error("a file without SOA and without a given origin was taken")
	}
}

func TestSampleCornersAreRead(t *testing.T) {
	z, err := sample(t, "university.example.zone", "")
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []rr.RRset{
		{"university.example.", "TXT", 86400, []string{`"single" "record" "of several strings; with a semicolon and a \"quote\""`}},
		{"university.example.", "SOA", 86400, []string{`ns.university.example. dns\.admin.university.example. 2026112201 7200 3600 1209600 3600`}},
		{`\.dot.university.example.`, "TXT", 86400, []string{`"a label that begins with a dot"`}},
		{"upper.case.university.example.", "A", 86400, []string{"198.51.100.55"}},
		{"node012.university.example.", "AAAA", 86400, []string{"2001:db8:71::1:12"}},
		{"unknown.university.example.", "TYPE65400", 86400, []string{`\# 4 0A000001`}},
		{"www.university.example.", "A", 86400, []string{"198.51.100.80", "198.51.100.81"}},
		{"lab-120.university.example.", "A", 86400, []string{"203.0.113.120"}},
	} {
		if got := find(z, want.Name, want.Type); !got.Equal(want) {
			t.Errorf("%s %s:\n got %q\nwant %q", want.Name, want.Type, got.Data, want.Data)
		}
	}
}

func TestSyntaxErrorsNameLineColumnAndWhatIsAccepted(t *testing.T) {
	_, err := sample(t, "broken-syntax.zone", "")
	if core.CodeOf(err) != core.Invalid {
		t.Fatalf("code %v", core.CodeOf(err))
	}
	want := []core.Fault{{Field: "line 5, column 9", Value: "ten", Accepted: "MX takes a preference from 0 to 65535 and a host name: 10 mail"}}
	if d := cmp.Diff(want, core.AsError(err).Faults); d != "" {
		t.Error(d)
	}
}

func TestZoneFileFaults(t *testing.T) {
	for name, c := range map[string]struct{ text, field, accepted string }{
		"include":             {head + "$INCLUDE /etc/passwd\n", "line 6, column 1", "other files are never read"},
		"unknown directive":   {head + "$FOO x\n", "line 6, column 1", "$ORIGIN, $TTL and $GENERATE"},
		"open parenthesis":    {head + "a TXT ( \"x\"\nb A 192.0.2.1\n", "line 6, column 7", "closing parenthesis"},
		"nested parenthesis":  {head + "a TXT ( ( \"x\" ) )\n", "line 6, column 9", "pairs"},
		"open quote":          {head + "a TXT \"x\n", "line 6, column 7", "closing quote"},
		"unknown type":        {head + "a AX 192.0.2.1\n", "line 6, column 3", "a record type"},
		"question type":       {head + "a ANY x\n", "line 6, column 3", "a record type"},
		"no data":             {head + "a A\n", "line 6, column 3", "the data is missing"},
		"no type":             {head + "a 300 IN\n", "line 6, column 7", "which are missing"},
		"bad address":         {head + "a A 192.0.2.256\n", "line 6, column 5", "an IPv4 address"},
		"address of 6 for 4":  {head + "a A 2001:db8::1\n", "line 6, column 5", "an IPv4 address"},
		"too many fields":     {head + "a A 192.0.2.1 192.0.2.2\n", "line 6, column 15", "an IPv4 address"},
		"class":               {head + "a CH TXT x\n", "line 6, column 3", "class IN"},
		"long label":          {head + strings.Repeat("x", 64) + " A 192.0.2.1\n", "line 6, column 1", "at most 63"},
		"long name":           {head + strings.Repeat("x2345678.", 30) + " A 192.0.2.1\n", "line 6, column 1", "at most 255"},
		"empty label":         {head + "a..b A 192.0.2.1\n", "line 6, column 1", "empty"},
		"bad escape":          {head + "a\\999 A 192.0.2.1\n", "line 6, column 1", "broken escape"},
		"TTL too great":       {head + "a 2147483648 A 192.0.2.1\n", "line 6, column 3", "2147483647"},
		"bad $TTL":            {"$TTL soon\n" + head, "line 1, column 6", "follows $TTL"},
		"no TTL":              {"z.example. NS ns.other.example.\n", "line 1, column 12", "a TTL before the type"},
		"no owner":            {" A 192.0.2.1\n", "line 1, column 2", "begins with a name"},
		"relative, no origin": {"a 5 A 192.0.2.1\n", "line 1, column 1", "there is no origin"},
		"control character":   {head + "a TXT \"x\x01\"\n", "line 6, column 9", `\DDD`},
		"UTF-8 in a string":   {head + "a TXT \"Grüße\"\n", "line 6, column 7", `\DDD`},
		"broken UTF-8 name":   {head + "b\xfc A 192.0.2.1\n", "line 6, column 1", "broken UTF-8"},
		"column in letters":   {head + "bücher A 192.0.2.999\n", "line 6, column 10", "an IPv4 address"},
		"generate range":      {head + "$GENERATE 5-1 h$ A 192.0.2.$\n", "line 6, column 11", "a range"},
		"generate too much":   {head + "$GENERATE 1-999999 h$ A 192.0.2.1\n", "line 6, column 11", "a range"},
		"generate data":       {head + "$GENERATE 250-260 h$ A 192.0.2.$\n", "line 6, column 24", "an IPv4 address"},
		"generate format":     {head + "$GENERATE 1-2 h${0,3 A 192.0.2.$\n", "line 6, column 15", "base"},
		"generic length":      {head + "a TYPE65400 \\# 3 0A0B\n", "line 6, column 13", "octets in hex"},
		"generic for known":   {head + "a TYPE1 \\# 3 0A0B0C\n", "line 6, column 9", "these octets are no A"},
		"TXT as if unknown":   {head + "a TYPE65400 hello\n", "line 6, column 13", `\# length hex`},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := rr.ParseZone(strings.NewReader(c.text), rr.Options{})
			if err == nil {
				t.Fatal("the file was taken")
			}
			f := core.AsError(err).Faults
			if core.CodeOf(err) != core.Invalid || len(f) != 1 {
				t.Fatalf("want one fault of an invalid input, got %v", err)
			}
			if f[0].Field != c.field || !strings.Contains(f[0].Accepted, c.accepted) {
				t.Errorf("got %s: %s\nwant %s: …%s…", f[0].Field, f[0].Accepted, c.field, c.accepted)
			}
		})
	}
}

func TestTheFirstFaultsAreReportedTogether(t *testing.T) {
	_, err := rr.ParseZone(strings.NewReader(head+strings.Repeat("a A nowhere\n", 20)), rr.Options{})
	f := core.AsError(err).Faults
	if len(f) != 10 || f[0].Field != "line 6, column 5" || f[9].Field != "line 15, column 5" {
		t.Errorf("got %d faults: %v", len(f), f)
	}
}

func TestLinesAfterAnUnreadableOwnerAreNotBlamed(t *testing.T) {
	_, err := rr.ParseZone(strings.NewReader(head+"a..b A 192.0.2.1\n  A 192.0.2.2\n  TXT x\nc A 192.0.2.3\n"), rr.Options{})
	if f := core.AsError(err).Faults; len(f) != 1 {
		t.Errorf("got %v", f)
	}
}

func TestLimits(t *testing.T) {
	_, err := rr.ParseZone(strings.NewReader(head), rr.Options{MaxRecords: 2})
	if f := core.AsError(err).Faults; len(f) != 1 || !strings.Contains(f[0].Accepted, "at most 2 records") {
		t.Errorf("records: %v", err)
	}
	if _, err := rr.ParseZone(strings.NewReader(head), rr.Options{MaxBytes: 20}); core.CodeOf(err) != core.Invalid {
		t.Errorf("octets: %v", err)
	}
	if _, err := rr.ParseZone(strings.NewReader(head+"$GENERATE 1-1000 h$ A 192.0.2.1\n"), rr.Options{MaxRecords: 500}); core.CodeOf(err) != core.Invalid {
		t.Errorf("generated records: %v", err)
	}
}

func TestWhatIsReadOtherwiseThanWrittenIsNoted(t *testing.T) {
	z := parse(t, head+"a 60 A 192.0.2.1\na 30 A 192.0.2.2\nb NSEC c.z.example. A\n")
	if got := find(z, "a.z.example.", "A").TTL; got != 30 {
		t.Errorf("TTL %d, want the lowest", got)
	}
	if len(z.Notes) != 2 || !strings.HasPrefix(z.Notes[0].Field, "line 6, a.z.example. A") || z.Notes[1].Value != "1" {
		t.Errorf("notes: %v", z.Notes)
	}
	if find(z, "b.z.example.", "NSEC").Data != nil {
		t.Error("a NSEC record of another signing was kept")
	}
}

func TestZoneFileForms(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want rr.RRset
	}{
		"class before TTL":        {"a IN 60 A 192.0.2.1", rr.RRset{"a.z.example.", "A", 60, []string{"192.0.2.1"}}},
		"TTL before class":        {"a 60 IN A 192.0.2.1", rr.RRset{"a.z.example.", "A", 60, []string{"192.0.2.1"}}},
		"units":                   {"a 1h30m A 192.0.2.1", rr.RRset{"a.z.example.", "A", 5400, []string{"192.0.2.1"}}},
		"lower case":              {"A in a 192.0.2.1", rr.RRset{"a.z.example.", "A", 300, []string{"192.0.2.1"}}},
		"duplicates":              {"a A 192.0.2.1\na A 192.0.2.1", rr.RRset{"a.z.example.", "A", 300, []string{"192.0.2.1"}}},
		"sorted":                  {"a A 192.0.2.9\na A 192.0.2.10\na A 10.0.0.1", rr.RRset{"a.z.example.", "A", 300, []string{"10.0.0.1", "192.0.2.9", "192.0.2.10"}}},
		"carriage returns":        {"a A 192.0.2.1\r\nb A 192.0.2.2\r", rr.RRset{"b.z.example.", "A", 300, []string{"192.0.2.2"}}},
		"relative target":         {"a MX 10 Mail", rr.RRset{"a.z.example.", "MX", 300, []string{"10 mail.z.example."}}},
		"at sign as target":       {"a CNAME @", rr.RRset{"a.z.example.", "CNAME", 300, []string{"z.example."}}},
		"IDN owner":               {"bücher A 192.0.2.1", rr.RRset{"xn--bcher-kva.z.example.", "A", 300, []string{"192.0.2.1"}}},
		"IDN target":              {"a MX 10 Bücher", rr.RRset{"a.z.example.", "MX", 300, []string{"10 xn--bcher-kva.z.example."}}},
		"generic for known":       {`a TYPE1 \# 4 C0000201`, rr.RRset{"a.z.example.", "A", 300, []string{"192.0.2.1"}}},
		"generic, empty":          {`a TYPE65400 \# 0`, rr.RRset{"a.z.example.", "TYPE65400", 300, []string{`\# 0`}}},
		"adjoining quote":         {`a HTTPS 1 . alpn="h2,h3" port=8443`, rr.RRset{"a.z.example.", "HTTPS", 300, []string{`1 . alpn="h2,h3" port="8443"`}}},
		"parentheses":             {"a TXT ( \"x\" ; one\n \"y\" )", rr.RRset{"a.z.example.", "TXT", 300, []string{`"x" "y"`}}},
		"octet in a string":       {`a TXT "Gr\195\188n"`, rr.RRset{"a.z.example.", "TXT", 300, []string{`"Gr\195\188n"`}}},
		"generate, offset":        {"$GENERATE 1-2 h${10,4,x} A 192.0.2.$", rr.RRset{"h000c.z.example.", "A", 300, []string{"192.0.2.2"}}},
		"generate, quoted data":   {`$GENERATE 7-7 @ MX "10 mx$"`, rr.RRset{"z.example.", "MX", 300, []string{"10 mx7.z.example."}}},
		"generate, quoted string": {`$GENERATE 7-7 g TXT "it is $"`, rr.RRset{"g.z.example.", "TXT", 300, []string{`"it is 7"`}}},
		"generate, nibbles":       {`$GENERATE 18-18 ${0,7,n}.ip6 PTR h$`, rr.RRset{"2.1.0.0.ip6.z.example.", "PTR", 300, []string{"h18.z.example."}}},
		"generate, step and ttl":  {`$GENERATE 0-8/4 s$ 60 IN A 192.0.2.$`, rr.RRset{"s8.z.example.", "A", 60, []string{"192.0.2.8"}}},
		"byte order mark":         {"bom A 192.0.2.1", rr.RRset{"bom.z.example.", "A", 300, []string{"192.0.2.1"}}},
	} {
		t.Run(name, func(t *testing.T) {
			z := parse(t, "\uFEFF"+head+c.text+"\n")
			if got := find(z, c.want.Name, c.want.Type); !got.Equal(c.want) {
				t.Errorf("got %+v\nwant %+v", got, c.want)
			}
		})
	}
}

func TestWithoutTTLTheMinimumOfTheSOACounts(t *testing.T) {
	z := parse(t, "$ORIGIN z.example.\n@ SOA ns h 1 2 3 4 77\n@ NS ns\n")
	if got := find(z, "z.example.", "NS").TTL; got != 77 {
		t.Errorf("TTL %d, want 77", got)
	}
}

func TestNames(t *testing.T) {
	for in, want := range map[string]rr.Name{
		"www": "www.z.example.", "@": "z.example.", ".": ".", "A.B.": "a.b.",
		"bücher": "xn--bcher-kva.z.example.", "Straße.example.": "xn--strae-oqa.example.",
		`a\.b`: `a\.b.z.example.`, `\065`: "a.z.example.", `a b`: `a\032b.z.example.`, "*": "*.z.example.",
	} {
		if got, err := rr.ParseName(in, "z.example."); err != nil || got != want {
			t.Errorf("%q: %q, %v; want %q", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		"":                       "missing",
		"a..b":                   `label 2 "" is empty`,
		".a":                     `label 1 "" is empty`,
		strings.Repeat("a", 64):  "64 octets long",
		`a\`:                     "broken escape",
		"xn--a.\u0300\u0300bad.": "label 2",
		"a\xff":                  "broken UTF-8",
	} {
		if _, err := rr.ParseName(in, "z.example."); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v; want …%s…", in, err, want)
		}
	}
}

func TestNamesOrderCanonically(t *testing.T) {
	// RFC 4034 6.1
	want := []rr.Name{"example.", "a.example.", "yljkjljk.a.example.", "z.a.example.", "zabc.a.example.", "z.example.", `\001.z.example.`, "*.z.example.", `\200.z.example.`}
	got := slices.Clone(want)
	rand.Shuffle(len(got), func(i, j int) { got[i], got[j] = got[j], got[i] })
	slices.SortFunc(got, rr.Name.Compare)
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

func TestNameRelations(t *testing.T) {
	if rr.Name(`a\.z.example.`).Under("z.example.") || !rr.Name(`a\\.z.example.`).Under("z.example.") {
		t.Error("an escaped dot was taken for a separator, or the other way round")
	}
	if rr.Name("az.example.").Under("z.example.") || !rr.Name("z.example.").Under(".") {
		t.Error("Under does not respect labels")
	}
	if got := rr.Name(`a\.b.c.`).Parent(); got != "c." {
		t.Errorf("parent %q", got)
	}
	if got := rr.Name("xn--bcher-kva.example.").Unicode(); got != "bücher.example." {
		t.Errorf("for people: %q", got)
	}
	n := rr.Name(`a\.b.\200.example.`)
	if back, _, err := rr.NameFromWire(n.Wire()); err != nil || back != n {
		t.Errorf("wire: %q, %v", back, err)
	}
}

func TestParseRecord(t *testing.T) {
	r, err := rr.ParseRecord("Www MX 5 Mail", "z.example.", 60)
	if want := (rr.Record{"www.z.example.", 60, "MX", "5 mail.z.example."}); err != nil || r != want {
		t.Errorf("%+v, %v", r, err)
	}
	for _, bad := range []string{"", "; nothing", "a A 192.0.2.1\nb A 192.0.2.2", "a A x", "$TTL 5", "a MX 5"} {
		if r, err := rr.ParseRecord(bad, "z.example.", 60); core.CodeOf(err) != core.Invalid {
			t.Errorf("%q was taken: %+v, %v", bad, r, err)
		}
	}
	if d, err := rr.ParseData("cname", "x", "z.example."); err != nil || d != "x.z.example." {
		t.Errorf("data: %q, %v", d, err)
	}
}

func TestPackIsWhatTheStandardSays(t *testing.T) {
	for _, c := range []struct{ typ, data, wire string }{
		{"A", "192.0.2.1", "\xc0\x00\x02\x01"},
		{"MX", "10 Mail.Example.", "\x00\x0a\x04mail\x07example\x00"},
		{"TXT", `"ab" "c"`, "\x02ab\x01c"},
		{"NAPTR", `1 2 "s" "" "" A.b.`, "\x00\x01\x00\x02\x01s\x00\x00\x01a\x01b\x00"},
		{"HTTPS", "0 Svc.Example.", "\x00\x00\x03Svc\x07Example\x00"}, // not folded: RFC 4034 6.2 does not list it
		{"TYPE65400", `\# 2 0A0B`, "\x0a\x0b"},
	} {
		w, err := rr.Pack(c.typ, c.data)
		if err != nil || string(w) != c.wire {
			t.Errorf("%s %s: %q, %v", c.typ, c.data, w, err)
		}
	}
	if _, err := rr.Pack("A", "x"); err == nil {
		t.Error("rubbish was packed")
	}
	if d, err := rr.Unpack("MX", []byte("\x00\x0a\x04Mail\x00")); err != nil || d != "10 mail." {
		t.Errorf("unpacked %q, %v", d, err)
	}
}

func TestDiffIsByRecord(t *testing.T) {
	old := parse(t, head+"a A 192.0.2.1\na A 192.0.2.2\nb TXT x\nc 60 A 192.0.2.3\n")
	now := parse(t, head+"a A 192.0.2.2\na A 192.0.2.3\nc 90 A 192.0.2.3\nd TXT y\n")
	var got []string
	for _, c := range rr.Diff(old.Sets, now.Sets) {
		got = append(got, c.Lines()...)
	}
	want := []string{
		"- a.z.example. 300 IN A 192.0.2.1", "+ a.z.example. 300 IN A 192.0.2.3",
		`- b.z.example. 300 IN TXT "x"`,
		"- c.z.example. 60 IN A 192.0.2.3", "+ c.z.example. 90 IN A 192.0.2.3",
		`+ d.z.example. 300 IN TXT "y"`,
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
	if len(rr.Diff(now.Sets, now.Sets)) != 0 {
		t.Error("a zone differs from itself")
	}
}

func TestSerialNext(t *testing.T) {
	now := time.Date(2026, 11, 22, 12, 0, 0, 0, time.UTC)
	for old, want := range map[uint32]uint32{
		1:              2,
		0:              1,
		math.MaxUint32: 1,
		2026112100:     2026112200,
		2026112200:     2026112201,
		2026112299:     2026112300,
		2026112301:     2026112302, // ahead of today: up by one
		2030010100:     2030010101, // no date that could be meant
		1763817600:     1763817601, // seconds since 1970
		4000000000:     4000000001,
	} {
		got := rr.SerialNext(old, now)
		if got != want || !rr.SerialAfter(got, old) {
			t.Errorf("after %d comes %d, want %d", old, got, want)
		}
	}
}

func TestAccumulatorIsIncremental(t *testing.T) {
	z, err := sample(t, "university.example.zone", "")
	if err != nil {
		t.Fatal(err)
	}
	var whole, stepwise rr.Accumulator
	for _, s := range z.Sets {
		whole.Add(s)
	}
	shuffled := slices.Clone(z.Sets)
	rand.Shuffle(len(shuffled), func(i, j int) { shuffled[i], shuffled[j] = shuffled[j], shuffled[i] })
	extra := rr.RRset{Name: "x.", Type: "A", TTL: 1, Data: []string{"192.0.2.1"}}
	stepwise.Add(extra)
	for _, s := range shuffled {
		stepwise.Add(s)
	}
	if stepwise.Sum() == whole.Sum() {
		t.Error("an RRset more makes no difference")
	}
	stepwise.Remove(extra)
	if stepwise.Sum() != whole.Sum() {
		t.Error("order or a removed RRset made a difference")
	}
	changed := extra
	changed.TTL = 2
	whole.Add(extra)
	stepwise.Add(changed)
	if stepwise.Sum() == whole.Sum() {
		t.Error("the TTL makes no difference")
	}
}

func TestGroupMakesSetsOfRecordsAndBack(t *testing.T) {
	records := []rr.Record{
		{"b.z.", 60, "A", "192.0.2.2"}, {"a.z.", 60, "TXT", `"x"`}, {"b.z.", 30, "A", "192.0.2.1"}, {"b.z.", 60, "A", "192.0.2.2"},
		{"z.", 60, "NS", "ns."}, {"z.", 60, "A", "192.0.2.3"}, {"z.", 60, "SOA", "a. b. 1 2 3 4 5"},
	}
	sets, mixed := rr.Group(records)
	want := []rr.RRset{
		{"z.", "SOA", 60, []string{"a. b. 1 2 3 4 5"}}, {"z.", "NS", 60, []string{"ns."}}, {"z.", "A", 60, []string{"192.0.2.3"}},
		{"a.z.", "TXT", 60, []string{`"x"`}}, {"b.z.", "A", 30, []string{"192.0.2.1", "192.0.2.2"}},
	}
	if d := cmp.Diff(want, sets); d != "" {
		t.Error(d)
	}
	if len(mixed) != 1 || mixed[0].String() != "b.z. A" {
		t.Errorf("mixed %v", mixed)
	}
	if got := sets[4].Records(); len(got) != 2 || got[1].String() != "b.z. 30 IN A 192.0.2.2" {
		t.Errorf("records %v", got)
	}
	if !slices.IsSortedFunc(sets, func(a, b rr.RRset) int { return a.Key().Compare(b.Key()) }) {
		t.Error("SortRRsets and Key.Compare differ")
	}
}

func TestSOAReadsBack(t *testing.T) {
	const data = `ns.z. dns\.admin.z. 2026112201 7200 3600 1209600 3600`
	soa, ok := rr.ParseSOA(data)
	if !ok || soa.Serial != 2026112201 || soa.Minimum != 3600 || soa.String() != data {
		t.Errorf("%+v, %v", soa, ok)
	}
	for _, bad := range []string{"", "a. b. 1 2 3 4", "a. b. 1 2 3 4 -5"} {
		if _, ok := rr.ParseSOA(bad); ok {
			t.Errorf("%q was taken", bad)
		}
	}
}

func TestParseTTL(t *testing.T) {
	for in, want := range map[string]uint32{"0": 0, "2147483647": rr.MaxTTL, "1h30m": 5400, "2W": 1209600, "1d12": 86412} {
		if got, err := rr.ParseTTL(in); err != nil || got != want {
			t.Errorf("%q: %d, %v", in, got, err)
		}
	}
	for _, bad := range []string{"", "h", "1x", "-1", "2147483648", "4000w", "1h2147483647"} {
		if got, err := rr.ParseTTL(bad); core.CodeOf(err) != core.Invalid {
			t.Errorf("%q: %d, %v", bad, got, err)
		}
	}
}

func TestUnpackRefusesWhatIsNoData(t *testing.T) {
	for typ, wire := range map[string]string{"A": "\x01\x02\x03", "AAAA": "", "MX": "\x00\x0a\x04mai", "SOA": "\x00", "NAPTR": "\x00\x01\x00\x01\x05a", "ANY": "x"} {
		if d, err := rr.Unpack(typ, []byte(wire)); core.CodeOf(err) != core.Invalid {
			t.Errorf("%s %q: %q, %v", typ, wire, d, err)
		}
	}
}
