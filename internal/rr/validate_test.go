package rr_test

import (
	"fmt"
	"strings"
	"testing"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// seen returns the faults as "field: accepted".
func seen(f core.Faults) []string {
	var out []string
	for _, x := range f {
		out = append(out, x.Field+": "+x.Accepted)
	}
	return out
}

func TestValidateNamesEachBrokenRule(t *testing.T) {
	const none = ""
	for name, c := range map[string]struct{ text, fault, warning string }{
		"good":                       {"", none, none},
		"CNAME beside others":        {"www A 192.0.2.1\nwww CNAME e.example.", "line 7, www.z.example. CNAME: a CNAME beside no other record; this name also has A", none},
		"several CNAMEs":             {"www CNAME e.example.\nwww CNAME f.example.", "one CNAME record", none},
		"CNAME at the apex":          {"@ CNAME e.example.", "no CNAME at the zone's own name", none},
		"second SOA":                 {"@ SOA a. b. 1 7200 900 604800 3", "exactly one SOA record, not several", none},
		"SOA elsewhere":              {"sub SOA a. b. 1 7200 900 604800 3", "a SOA record only at the zone's own name", none},
		"outside the zone":           {"w.other.example. A 192.0.2.1", "a name in the zone z.example.", none},
		"below a DNAME":              {"d DNAME e.example.\nx.d A 192.0.2.1", "no records below the DNAME at d.z.example.", none},
		"several DNAMEs":             {"d DNAME e.example.\nd DNAME f.example.", "one DNAME record", none},
		"DNAME at a delegation":      {"d DNAME e.example.\nd NS f.example.", "a DNAME or a delegation", none},
		"DNAME and CNAME":            {"d DNAME e.example.\nd CNAME f.example.", "a CNAME beside no other", none},
		"DNAME at the apex":          {"@ DNAME e.example.", none, none},
		"DS without delegation":      {"d DS 1 13 2 " + strings.Repeat("AB", 32), "only beside the NS", none},
		"DS at the apex":             {"@ DS 1 13 2 " + strings.Repeat("AB", 32), "in the parent zone", none},
		"DS at a delegation":         {"d DS 1 13 2 " + strings.Repeat("AB", 32) + "\nd NS e.example.", none, none},
		"MX to an address":           {"@ MX 10 192.0.2.1", "not the address 192.0.2.1", none},
		"NS to an absolute address":  {"d NS 192.0.2.1.", "not the address 192.0.2.1.", none},
		"null MX":                    {"@ MX 0 .", none, none},
		"null MX and another":        {"@ MX 0 .\n@ MX 10 m.other.example.", "the null MX stands alone", none},
		"NS to the root":             {"d NS .", "not the root", none},
		"too long":                   {longSet(), "at most", none},
		"MX to an alias":             {"@ MX 10 m\nm CNAME e.example.", none, "m.z.example. is an alias"},
		"MX to a wildcard's alias":   {"@ MX 10 m\n* CNAME e.example.", none, "m.z.example. is an alias"},
		"SRV to nothing":             {"_x._tcp SRV 0 0 1 gone", none, "gone.z.example. has no address"},
		"MX by a wildcard":           {"@ MX 10 m\n* A 192.0.2.1", none, none},
		"MX below a delegation":      {"@ MX 10 m.sub\nsub NS ns.other.example.", none, none},
		"missing glue":               {"sub NS ns.sub", none, "missing glue"},
		"glue":                       {"sub NS ns.sub\nns.sub A 192.0.2.1", none, none},
		"glue at the delegation":     {"sub NS sub\nsub A 192.0.2.1", none, none},
		"glue of a sibling":          {"sub NS ns.twin\ntwin NS ns.twin\nns.twin A 192.0.2.1", none, none},
		"apex NS without address":    {"@ NS ns3", none, "missing glue"},
		"hidden below a delegation":  {"sub NS ns.other.example.\nwww.sub A 192.0.2.1", none, "www.sub.z.example. A: never answered"},
		"hidden beside a delegation": {"sub NS ns.other.example.\nsub TXT x", none, "sub.z.example. TXT: never answered"},
		"hidden beside glue":         {"sub NS ns.sub\nns.sub A 192.0.2.1\nns.sub TXT x", none, "ns.sub.z.example. TXT: never answered"},
		"wildcard delegation":        {"*.w NS ns.other.example.", none, "not defined"},
		"odd host name":              {"a!b A 192.0.2.1", none, "letters, digits and hyphens"},
		"underscore and wildcard":    {"_a A 192.0.2.1\n* A 192.0.2.1", none, none},
	} {
		t.Run(name, func(t *testing.T) {
			faults, warnings := parse(t, head+c.text+"\n").Validate()
			expect(t, "fault", seen(faults), c.fault)
			expect(t, "warning", seen(warnings), c.warning)
		})
	}
}

// expect checks that there is the one finding wanted, or none.
func expect(t *testing.T, kind string, got []string, want string) {
	t.Helper()
	switch {
	case want == "" && len(got) > 0:
		t.Errorf("unwanted %s: %q", kind, got)
	case want != "" && (len(got) != 1 || !strings.Contains(got[0], want)):
		t.Errorf("%s: got %q, want …%s…", kind, got, want)
	}
}

func longSet() string {
	var b strings.Builder
	for i := range 300 {
		fmt.Fprintf(&b, "big TXT \"%0250d\"\n", i)
	}
	return b.String()
}

func TestValidateAsksForSOAAndNS(t *testing.T) {
	faults, _ := rr.Validate([]rr.RRset{{Name: "a.z.example.", Type: "A", TTL: 1, Data: []string{"192.0.2.1"}}}, "z.example.")
	got := strings.Join(seen(faults), "\n")
	if len(faults) != 2 || !strings.Contains(got, "exactly one SOA") || !strings.Contains(got, "NS records at") {
		t.Errorf("got %s", got)
	}
}

func TestValidateRefusesTwoSetsOfOneNameAndType(t *testing.T) {
	z := parse(t, head)
	sets := append(z.Sets, rr.RRset{Name: "a.z.example.", Type: "A", TTL: 1, Data: []string{"192.0.2.1"}},
		rr.RRset{Name: "a.z.example.", Type: "A", TTL: 2, Data: []string{"192.0.2.2"}})
	if faults, _ := rr.Validate(sets, z.Origin); len(faults) != 1 || !strings.Contains(faults[0].Accepted, "RFC 2181 5.2") {
		t.Errorf("got %v", faults)
	}
}

func TestASingleNameserverIsWarnedOf(t *testing.T) {
	z := parse(t, strings.Replace(head, "@ NS ns2.other.example.\n", "", 1))
	if faults, warnings := z.Validate(); len(faults) != 0 || len(warnings) != 1 || !strings.Contains(warnings[0].Accepted, "RFC 2182") {
		t.Errorf("got %v, %v", faults, warnings)
	}
}

func TestSampleWithBrokenCNAMEIsNamedWithItsLine(t *testing.T) {
	z, err := sample(t, "broken-cname.zone", "")
	if err != nil {
		t.Fatal(err)
	}
	faults, _ := z.Validate()
	expect(t, "fault", seen(faults), "line 6, www.broken.example. CNAME")
}

func TestOneMistakeDoesNotFillTheReport(t *testing.T) {
	z := parse(t, head+"$GENERATE 1-500 h$ A 192.0.2.1\n")
	faults, _ := rr.Validate(z.Sets, "other.example.")
	if len(faults) != 101 || !strings.Contains(faults[100].Accepted, "only the first 100") {
		t.Errorf("%d faults, the last %v", len(faults), faults[len(faults)-1])
	}
}
