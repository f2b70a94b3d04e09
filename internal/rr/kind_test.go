package rr_test

import (
	"strings"
	"testing"

	"hostward/internal/rr"
)

// joined splits data and joins it again; "" if it has no parts.
func joined(t *testing.T, typ, data string) (string, []string) {
	t.Helper()
	k, ok := rr.KindOf(typ)
	if !ok {
		return "", nil
	}
	parts, ok := k.Split(data)
	if !ok {
		return "", nil
	}
	text, faults := k.Join(parts, ".")
	if len(faults) != 0 {
		t.Fatalf("%s %s was split into %q, which are refused: %v", typ, data, parts, faults)
	}
	again, err := rr.ParseData(typ, text, ".")
	if err != nil {
		t.Fatalf("%s %s was split into %q, which make %s: %v", typ, data, parts, text, err)
	}
	return again, parts
}

func TestEveryKindIsJoinedToTheSameRecord(t *testing.T) {
	tried := map[string]bool{}
	for _, s := range everyType() {
		r, err := rr.ParseRecord("a "+s, "z.example.", 300)
		if err != nil || strings.HasPrefix(s, `\#`) {
			continue
		}
		if got, _ := joined(t, r.Type, r.Data); got == r.Data {
			tried[r.Type] = true
		} else if got != "" {
			t.Errorf("%s %s came back as %s", r.Type, r.Data, got)
		}
	}
	for _, k := range rr.Kinds() {
		if !tried[k.Type] && k.Type != "TXT" { // everyType's is several strings
			t.Errorf("no record of type %s was split", k.Type)
		}
	}
}

func TestWhatNoPartsCanSayStaysALine(t *testing.T) {
	for _, c := range []struct {
		typ, data string
		parts     int // 0: stays
	}{
		{"TXT", `"v=spf1 -all"`, 1}, {"TXT", `"a" "b"`, 0}, {"TXT", `"\200"`, 0}, {"TXT", `"\195\164"`, 1}, {"TXT", `"a\010b"`, 0}, {"TXT", `""`, 0},
		{"TXT", `" lead"`, 0}, {"TXT", `"say \"x\" \\ y;z"`, 1}, {"TXT", rr.Text(strings.Repeat("k", 600)), 1}, {"TXT", rr.Text(strings.Repeat("k", 5000)), 0},
		{"A", `\# 4 C0000201`, 0}, {"CAA", `0 issue ";"`, 3}, {"CAA", `0 contactemail "a@b.example"`, 0}, {"HTTPS", "1 .", 3}, {"HTTPS", `1 . alpn="h2,h3" key65333="a b"`, 3},
		{"LOC", "48 N 16 E 0m", 4}, {"LOC", "48 12 30.000 N 16 22 20.000 E 171.00m 10m 100m 10m", 4}, {"MX", "10", 0}, {"MX", "10 mail more", 0}, {"HINFO", `"" ""`, 2},
	} {
		want, err := rr.ParseData(c.typ, c.data, ".")
		got, parts := joined(t, c.typ, c.data)
		if len(parts) != c.parts || err == nil && c.parts > 0 && got != want {
			t.Errorf("%s %s became %q and %s, want %d parts and %s", c.typ, c.data, parts, got, c.parts, want)
		}
	}
}

func TestAFaultNamesItsPart(t *testing.T) {
	for _, c := range []struct {
		typ   string
		parts []string
		field string
		says  string
	}{
		{"MX", []string{"ten", "mail"}, "parts.0", "65535"}, {"MX", []string{"10"}, "parts.1", "given"}, {"MX", []string{"10", "a b"}, "parts.1", "spaces"},
		{"MX", []string{"10", "a..b"}, "parts.1", ""}, {"A", []string{"2001:db8::1"}, "parts.0", "IPv4"}, {"AAAA", []string{"fe80::1%eth0"}, "parts.0", "IPv6"},
		{"CAA", []string{"0", "issues", "x"}, "parts.1", "issuewild"}, {"CAA", []string{"256", "issue", "x"}, "parts.0", "255"},
		{"NAPTR", []string{"1", "1", strings.Repeat("s", 256), "", "", "."}, "parts.2", "255"}, {"LOC", []string{"48 12", "16 E", "0m"}, "parts.0", "N or S"},
		{"A", []string{"192.0.2.1", "x"}, "parts", "1 parts"},
	} {
		k, _ := rr.KindOf(c.typ)
		_, faults := k.Join(c.parts, "z.example.")
		if len(faults) != 1 || faults[0].Field != c.field || !strings.Contains(faults[0].Accepted, c.says) {
			t.Errorf("%s %q: %v, want one of %s that says %q", c.typ, c.parts, faults, c.field, c.says)
		}
	}
}

func FuzzKind(f *testing.F) {
	for _, s := range everyType() {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, line string) {
		r, err := rr.ParseRecord("a "+line, "z.example.", 300)
		if err != nil {
			return
		}
		if got, parts := joined(t, r.Type, r.Data); parts != nil && got != r.Data {
			t.Fatalf("%s %s was split into %q and came back as %s", r.Type, r.Data, parts, got)
		}
	})
}
