package nameserver_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/core"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
)

const readable = `$TTL 300
@ SOA ns.other.test. host\.master 7 3600 900 604800 300
@ NS ns
@ NS ns.other.test.
@ MX 10 mail.a
@ MINFO here there.elsewhere.
ns A 192.0.2.1
ns AAAA 2001:db8::1
mail.a A 192.0.2.2
*.wild CNAME deep.deep.deep
deep.deep.deep PTR @
srv SRV 1 2 3 ns
cut NS ns.cut
ns.cut A 192.0.2.9
gone DNAME other.test.
text TXT "with \"quotes\"" "and \000 octets" ""
\001\.x TXT "odd"
https HTTPS 1 . alpn="h2" ipv4hint=192.0.2.3
rp RP host.master text
naptr NAPTR 1 2 "u" "E2U+sip" "!^.*$!sip:x@z.example!" .
unknown TYPE65400 \# 3 010203
ns 60 RRSIG A 13 3 60 20270101000000 20260101000000 12345 @ AAAA
ns 300 RRSIG AAAA 13 3 300 20270101000000 20260101000000 12345 @ BBBB
@ NSEC3PARAM 1 0 0 -
0p9mhaveqvm6t7vbl5lop2u3t2rp3tom NSEC3 1 0 0 - 2t7b4g4vsa5smi47k61mv5bv1a22bojr NS SOA
0p9mhaveqvm6t7vbl5lop2u3t2rp3tom RRSIG NSEC3 13 3 300 20270101000000 20260101000000 12345 @ CCCC
`

func TestWhatIsServedCanBeReadBack(t *testing.T) {
	const zone = rr.Name("z.example.")
	z, err := rr.ParseZone(strings.NewReader(readable), rr.Options{Origin: zone, KeepSigned: true})
	if err != nil {
		t.Fatal(err)
	}
	s, err := nameserver.New(nameserver.Config{})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := s.Sets(t.Context(), zone); core.CodeOf(err) != core.NotFound {
		t.Errorf("a zone that is not served: %v", err)
	}
	if err := s.Apply(t.Context(), []nameserver.ChangeSet{{Zone: zone, Version: 3, Full: true, Set: z.Sets}}); err != nil {
		t.Fatal(err)
	}
	got, version, err := s.Sets(t.Context(), zone)
	if err != nil || version != 3 {
		t.Fatal(version, err)
	}
	if d := cmp.Diff(sorted(z.Sets), sorted(got)); d != "" {
		t.Errorf("(-fed +read)\n%s", d)
	}
	if st, err := s.Standing(t.Context(), zone); err != nil || st.Version != 3 || st.Serial != 7 || st.Expires.IsZero() {
		t.Errorf("its standing is %+v", st)
	}
}

// sorted are sets in one order, the signatures of a name together.
func sorted(sets []rr.RRset) (out []string) {
	for _, r := range sets {
		for _, d := range r.Data {
			if r.Type == "RRSIG" {
				r.TTL = 0
			}
			out = append(out, rr.Record{Name: r.Name, Type: r.Type, TTL: r.TTL, Data: d}.String())
		}
	}
	slices.Sort(out)
	return out
}
