package nameserver_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"go.uber.org/goleak"

	"hostward/internal/core"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var loopback = netip.MustParseAddrPort("127.0.0.1:0")

// run starts a server and stops it with the test.
func run(t testing.TB, cfg nameserver.Config) *nameserver.Server {
	t.Helper()
	if cfg.Listen == nil {
		cfg.Listen = []netip.AddrPort{loopback}
	}
	s, err := nameserver.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan error, 1)
	go func() { done <- s.Serve() }()
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := s.Shutdown(ctx); err != nil {
			t.Errorf("shutting down: %v", err)
		}
		if err := <-done; err != nil {
			t.Errorf("serving: %v", err)
		}
		if n := s.Stats().Panics; n != 0 {
			t.Errorf("%d packets met a panic", n)
		}
	})
	return s
}

func zone(t testing.TB, text string) *rr.Zone {
	t.Helper()
	z, err := rr.ParseZone(strings.NewReader(text), rr.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return z
}

func load(t testing.TB, s *nameserver.Server, zones ...*rr.Zone) {
	t.Helper()
	var sets []nameserver.ChangeSet
	for _, z := range zones {
		sets = append(sets, nameserver.ChangeSet{Zone: z.Origin, Version: 1, Full: true, Set: z.Sets})
	}
	if err := s.Apply(t.Context(), sets); err != nil {
		t.Fatal(err)
	}
}

// ask sends one question; opts change it.
func ask(t testing.TB, s *nameserver.Server, network, name string, typ uint16, opts ...func(*dns.Msg)) *dns.Msg {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(name, typ)
	for _, o := range opts {
		o(m)
	}
	c := dns.Client{Net: network, Timeout: 5 * time.Second, UDPSize: 4096}
	got, _, err := c.Exchange(m, s.Addrs()[0].String())
	if err != nil {
		t.Fatalf("%s %s over %s: %v", name, dns.Type(typ), network, err)
	}
	return got
}

func edns(size uint16) func(*dns.Msg) { return func(m *dns.Msg) { m.SetEdns0(size, false) } }

// text writes an answer in a few lines: code, flags, sections.
func text(m *dns.Msg) string {
	var b strings.Builder
	b.WriteString(dns.RcodeToString[m.Rcode])
	for name, on := range map[string]bool{" aa": m.Authoritative} {
		if on {
			b.WriteString(name)
		}
	}
	if m.Truncated {
		b.WriteString(" tc")
	}
	if m.RecursionAvailable || m.AuthenticatedData || m.Zero {
		b.WriteString(" ra/ad/z!")
	}
	b.WriteByte('\n')
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		var lines []string
		for _, r := range section {
			if r.Header().Rrtype != dns.TypeOPT {
				lines = append(lines, string("=-+"[i])+" "+strings.Join(strings.Fields(r.String()), " ")+"\n")
			}
		}
		if i == 2 {
			slices.Sort(lines)
		}
		b.WriteString(strings.Join(lines, ""))
	}
	return b.String()
}

const corners = `$ORIGIN z.test.
$TTL 300
@ SOA ns h.other. 7 7200 900 604800 60
@ NS ns
@ NS ns.other.
@ MX 10 mail
@ MX 20 mail.other.
ns A 192.0.2.53
ns AAAA 2001:db8::53
mail A 192.0.2.25
www A 192.0.2.80
a.b.ent TXT "deep"
*.wild TXT "covered"
*.wild MX 5 mail
sub.here.wild A 192.0.2.1
*.star CNAME www
c1 CNAME c2
c2 CNAME c3
c3 CNAME www
dangling CNAME nothing
far CNAME www.two.test.
away CNAME www.outside.
loop1 CNAME loop2
loop2 CNAME loop1
del NS ns.del
del NS ns.other.
del DS 1 13 2 3490A6806D47F17A34C29E2CE80E8A999FFBE4BE8D2B1C7B5A3C3E6A8B2D1F90
ns.del A 192.0.2.99
sib NS ns.del
bare NS ns.outside.
todel CNAME www.del
d DNAME target
x.target A 192.0.2.70
_s._tcp SRV 0 0 80 www
_s._tcp SRV 0 1 81 www
`

const second = "$ORIGIN two.test.\n$TTL 300\n@ SOA ns.z.test. h.other. 3 7200 900 604800 60\n@ NS ns.z.test.\nwww A 192.0.2.202\n"
const child = "$ORIGIN child.two.test.\n$TTL 300\n@ SOA ns.z.test. h.other. 4 7200 900 604800 60\n@ NS ns.z.test.\nwww A 192.0.2.203\n"

func TestAnswers(t *testing.T) {
	s := run(t, nameserver.Config{})
	load(t, s, zone(t, corners), zone(t, second+"child NS ns.z.test.\nchild DS 1 13 2 3490A6806D47F17A34C29E2CE80E8A999FFBE4BE8D2B1C7B5A3C3E6A8B2D1F90\n"), zone(t, child))
	const soa = "- z.test. 60 IN SOA ns.z.test. h.other. 7 7200 900 604800 60\n"
	const nsOfDel = "- del.z.test. 300 IN NS ns.del.z.test.\n- del.z.test. 300 IN NS ns.other.\n+ ns.del.z.test. 300 IN A 192.0.2.99\n"
	for name, c := range map[string]struct {
		name string
		typ  uint16
		want string
	}{
		"positive":                    {"www.z.test.", dns.TypeA, "NOERROR aa\n= www.z.test. 300 IN A 192.0.2.80\n"},
		"the case of the question":    {"wWw.Z.tESt.", dns.TypeA, "NOERROR aa\n= wWw.Z.tESt. 300 IN A 192.0.2.80\n"},
		"NODATA, RFC 2308":            {"www.z.test.", dns.TypeAAAA, "NOERROR aa\n" + soa},
		"NXDOMAIN, RFC 2308":          {"no.z.test.", dns.TypeA, "NXDOMAIN aa\n" + soa},
		"NXDOMAIN below a host":       {"x.y.www.z.test.", dns.TypeA, "NXDOMAIN aa\n" + soa},
		"empty non-terminal":          {"b.ent.z.test.", dns.TypeTXT, "NOERROR aa\n" + soa},
		"below an empty non-terminal": {"x.ent.z.test.", dns.TypeTXT, "NXDOMAIN aa\n" + soa},
		"wildcard, RFC 4592":          {"foo.wild.z.test.", dns.TypeTXT, "NOERROR aa\n= foo.wild.z.test. 300 IN TXT \"covered\"\n"},
		"wildcard, several labels":    {"a.b.wild.z.test.", dns.TypeTXT, "NOERROR aa\n= a.b.wild.z.test. 300 IN TXT \"covered\"\n"},
		"wildcard, no data":           {"foo.wild.z.test.", dns.TypeA, "NOERROR aa\n" + soa},
		"wildcard, with additional":   {"foo.wild.z.test.", dns.TypeMX, "NOERROR aa\n= foo.wild.z.test. 300 IN MX 5 mail.z.test.\n+ mail.z.test. 300 IN A 192.0.2.25\n"},
		"wildcard itself":             {"*.wild.z.test.", dns.TypeTXT, "NOERROR aa\n= *.wild.z.test. 300 IN TXT \"covered\"\n"},
		"wildcard's parent":           {"wild.z.test.", dns.TypeTXT, "NOERROR aa\n" + soa},
		"the closest encloser blocks": {"x.here.wild.z.test.", dns.TypeTXT, "NXDOMAIN aa\n" + soa},
		"the encloser itself":         {"here.wild.z.test.", dns.TypeTXT, "NOERROR aa\n" + soa},
		"wildcard CNAME":              {"q.star.z.test.", dns.TypeA, "NOERROR aa\n= q.star.z.test. 300 IN CNAME www.z.test.\n= www.z.test. 300 IN A 192.0.2.80\n"},
		"CNAME asked for":             {"c1.z.test.", dns.TypeCNAME, "NOERROR aa\n= c1.z.test. 300 IN CNAME c2.z.test.\n"},
		"CNAME chain":                 {"c1.z.test.", dns.TypeA, "NOERROR aa\n= c1.z.test. 300 IN CNAME c2.z.test.\n= c2.z.test. 300 IN CNAME c3.z.test.\n= c3.z.test. 300 IN CNAME www.z.test.\n= www.z.test. 300 IN A 192.0.2.80\n"},
		"CNAME chain to no data":      {"c3.z.test.", dns.TypeTXT, "NOERROR aa\n= c3.z.test. 300 IN CNAME www.z.test.\n" + soa},
		"CNAME to nothing, RFC 6604":  {"dangling.z.test.", dns.TypeA, "NXDOMAIN aa\n= dangling.z.test. 300 IN CNAME nothing.z.test.\n" + soa},
		"CNAME into another zone":     {"far.z.test.", dns.TypeA, "NOERROR aa\n= far.z.test. 300 IN CNAME www.two.test.\n= www.two.test. 300 IN A 192.0.2.202\n"},
		"CNAME out of our zones":      {"away.z.test.", dns.TypeA, "NOERROR aa\n= away.z.test. 300 IN CNAME www.outside.\n"},
		"CNAME below a delegation":    {"todel.z.test.", dns.TypeA, "NOERROR aa\n= todel.z.test. 300 IN CNAME www.del.z.test.\n" + nsOfDel},
		"aliases in a circle":         {"loop1.z.test.", dns.TypeA, "NOERROR aa\n= loop1.z.test. 300 IN CNAME loop2.z.test.\n= loop2.z.test. 300 IN CNAME loop1.z.test.\n"},
		"referral":                    {"www.del.z.test.", dns.TypeA, "NOERROR\n" + nsOfDel},
		"referral at the cut":         {"del.z.test.", dns.TypeNS, "NOERROR\n" + nsOfDel},
		"glue is no answer":           {"ns.del.z.test.", dns.TypeA, "NOERROR\n" + nsOfDel},
		"referral, glue of a sibling": {"sib.z.test.", dns.TypeA, "NOERROR\n- sib.z.test. 300 IN NS ns.del.z.test.\n+ ns.del.z.test. 300 IN A 192.0.2.99\n"},
		"referral without glue":       {"x.bare.z.test.", dns.TypeA, "NOERROR\n- bare.z.test. 300 IN NS ns.outside.\n"},
		"DS at the parent, RFC 4035":  {"del.z.test.", dns.TypeDS, "NOERROR aa\n= del.z.test. 300 IN DS 1 13 2 3490A6806D47F17A34C29E2CE80E8A999FFBE4BE8D2B1C7B5A3C3E6A8B2D1F90\n"},
		"no DS at the parent":         {"bare.z.test.", dns.TypeDS, "NOERROR aa\n" + soa},
		"DS below a cut":              {"x.del.z.test.", dns.TypeDS, "NOERROR\n" + nsOfDel},
		"DS, parent and child served": {"child.two.test.", dns.TypeDS, "NOERROR aa\n= child.two.test. 300 IN DS 1 13 2 3490A6806D47F17A34C29E2CE80E8A999FFBE4BE8D2B1C7B5A3C3E6A8B2D1F90\n"},
		"DS, only the child served":   {"z.test.", dns.TypeDS, "NOERROR aa\n" + soa},
		"the nearest zone answers":    {"www.child.two.test.", dns.TypeA, "NOERROR aa\n= www.child.two.test. 300 IN A 192.0.2.203\n"},
		"DNAME, RFC 6672":             {"x.d.z.test.", dns.TypeA, "NOERROR aa\n= d.z.test. 300 IN DNAME target.z.test.\n= x.d.z.test. 300 IN CNAME x.target.z.test.\n= x.target.z.test. 300 IN A 192.0.2.70\n"},
		"DNAME to nothing":            {"y.d.z.test.", dns.TypeA, "NXDOMAIN aa\n= d.z.test. 300 IN DNAME target.z.test.\n= y.d.z.test. 300 IN CNAME y.target.z.test.\n" + soa},
		"DNAME's owner":               {"d.z.test.", dns.TypeA, "NOERROR aa\n" + soa},
		"DNAME asked for":             {"d.z.test.", dns.TypeDNAME, "NOERROR aa\n= d.z.test. 300 IN DNAME target.z.test.\n"},
		"MX with additional":          {"z.test.", dns.TypeMX, "NOERROR aa\n= z.test. 300 IN MX 10 mail.z.test.\n= z.test. 300 IN MX 20 mail.other.\n+ mail.z.test. 300 IN A 192.0.2.25\n"},
		"NS with additional":          {"z.test.", dns.TypeNS, "NOERROR aa\n= z.test. 300 IN NS ns.z.test.\n= z.test. 300 IN NS ns.other.\n+ ns.z.test. 300 IN A 192.0.2.53\n+ ns.z.test. 300 IN AAAA 2001:db8::53\n"},
		"SRV, each host once":         {"_s._tcp.z.test.", dns.TypeSRV, "NOERROR aa\n= _s._tcp.z.test. 300 IN SRV 0 0 80 www.z.test.\n= _s._tcp.z.test. 300 IN SRV 0 1 81 www.z.test.\n+ www.z.test. 300 IN A 192.0.2.80\n"},
		"ANY is one RRset, RFC 8482":  {"ns.z.test.", dns.TypeANY, "NOERROR aa\n= ns.z.test. 300 IN A 192.0.2.53\n"},
		"ANY of nothing":              {"no.z.test.", dns.TypeANY, "NXDOMAIN aa\n" + soa},
		"ANY of an alias":             {"c1.z.test.", dns.TypeANY, "NOERROR aa\n= c1.z.test. 300 IN CNAME c2.z.test.\n"},
		"type nobody knows":           {"www.z.test.", 65400, "NOERROR aa\n" + soa},
		"not ours":                    {"www.example.", dns.TypeA, "REFUSED\n"},
		"not ours, above":             {"test.", dns.TypeA, "REFUSED\n"},
		"the root":                    {".", dns.TypeNS, "REFUSED\n"},
	} {
		t.Run(name, func(t *testing.T) {
			for _, network := range []string{"udp", "tcp"} {
				if got := text(ask(t, s, network, c.name, c.typ)); got != c.want {
					t.Errorf("over %s got\n%swant\n%s", network, got, c.want)
				}
			}
		})
	}
	t.Run("DNAME, too long, RFC 6672 2.2", func(t *testing.T) {
		long := strings.Repeat(strings.Repeat("x", 60)+".", 4) + "d.z.test." // fits itself
		m := ask(t, s, "udp", long, dns.TypeA)
		if m.Rcode != dns.RcodeYXDomain || len(m.Answer) != 1 || m.Answer[0].Header().Rrtype != dns.TypeDNAME {
			t.Errorf("got %s", text(m))
		}
	})
}

func TestTheRootZoneCanBeServed(t *testing.T) {
	s := run(t, nameserver.Config{})
	load(t, s, zone(t, "$ORIGIN .\n$TTL 60\n@ SOA a. b. 1 2 3 4 5\n@ NS ns.test.\nns.test. A 192.0.2.1\n"))
	if got, want := text(ask(t, s, "udp", "x.y.", dns.TypeA)), "NXDOMAIN aa\n- . 5 IN SOA a. b. 1 2 3 4 5\n"; got != want {
		t.Errorf("got %s", got)
	}
	if got, want := text(ask(t, s, "udp", ".", dns.TypeNS)), "NOERROR aa\n= . 60 IN NS ns.test.\n+ ns.test. 60 IN A 192.0.2.1\n"; got != want {
		t.Errorf("got %s", got)
	}
}

func TestWhatIsNotServedIsRefusedWithTheRightCode(t *testing.T) {
	s := run(t, nameserver.Config{})
	load(t, s, zone(t, corners))
	for name, c := range map[string]struct {
		typ   uint16
		opt   func(*dns.Msg)
		rcode int
		ede   uint16
	}{
		"CHAOS version.bind": {dns.TypeTXT, func(m *dns.Msg) {
			m.Question[0] = dns.Question{Name: "version.bind.", Qtype: dns.TypeTXT, Qclass: dns.ClassCHAOS}
		}, dns.RcodeRefused, dns.ExtendedErrorCodeNotSupported},
		"AXFR": {dns.TypeAXFR, func(*dns.Msg) {}, dns.RcodeRefused, dns.ExtendedErrorCodeProhibited},
		"IXFR": {dns.TypeIXFR, func(m *dns.Msg) {
			m.Ns = []dns.RR{&dns.SOA{Hdr: dns.RR_Header{Name: "z.test.", Rrtype: dns.TypeSOA, Class: 1}, Ns: ".", Mbox: "."}}
		}, dns.RcodeRefused, dns.ExtendedErrorCodeProhibited},
		"foreign": {dns.TypeA, func(m *dns.Msg) { m.Question[0].Name = "x.example." }, dns.RcodeRefused, dns.ExtendedErrorCodeNotAuthoritative},
		"NOTIFY":  {dns.TypeSOA, func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify }, dns.RcodeNotAuth, dns.ExtendedErrorCodeProhibited},
		"UPDATE":  {dns.TypeSOA, func(m *dns.Msg) { m.Opcode = dns.OpcodeUpdate }, dns.RcodeRefused, dns.ExtendedErrorCodeProhibited},
	} {
		t.Run(name, func(t *testing.T) {
			m := ask(t, s, "udp", "z.test.", c.typ, edns(1232), c.opt)
			if m.Rcode != c.rcode || m.Authoritative || len(m.Answer)+len(m.Ns) > 0 {
				t.Errorf("got %s", text(m))
			}
			o := m.IsEdns0()
			if o == nil || len(o.Option) != 1 || o.Option[0].(*dns.EDNS0_EDE).InfoCode != c.ede {
				t.Errorf("EDE: %v, want %d", o, c.ede)
			}
			if bare := ask(t, s, "udp", "z.test.", c.typ, c.opt); bare.IsEdns0() != nil {
				t.Error("OPT was sent to somebody who did not ask with it (RFC 6891 7)")
			}
		})
	}
}

func TestEDNS(t *testing.T) {
	s := run(t, nameserver.Config{NSID: "ns-a"})
	load(t, s, zone(t, corners))
	m := ask(t, s, "udp", "www.z.test.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(4096, true) })
	if o := m.IsEdns0(); o == nil || o.UDPSize() != 1232 || !o.Do() || o.Version() != 0 || len(o.Option) != 0 {
		t.Errorf("OPT: %v", o)
	}
	m = ask(t, s, "udp", "www.z.test.", dns.TypeA, edns(1232), func(m *dns.Msg) { m.IsEdns0().SetVersion(1) })
	if o := m.IsEdns0(); m.Rcode != dns.RcodeBadVers || o.Version() != 0 || len(m.Answer) != 0 {
		t.Errorf("version 1: %v", m)
	}
	m = ask(t, s, "udp", "www.z.test.", dns.TypeA, edns(1232), func(m *dns.Msg) {
		m.IsEdns0().Option = []dns.EDNS0{&dns.EDNS0_NSID{Code: dns.EDNS0NSID}, &dns.EDNS0_LOCAL{Code: 65001, Data: []byte("x")}}
	})
	if o := m.IsEdns0(); len(o.Option) != 1 || o.Option[0].(*dns.EDNS0_NSID).Nsid != fmt.Sprintf("%x", "ns-a") {
		t.Errorf("NSID: %v", o)
	}
}

func TestTruncation(t *testing.T) {
	var b strings.Builder
	b.WriteString(corners)
	for i := range 20 {
		fmt.Fprintf(&b, "big TXT \"%060d\"\nhosts MX %d h%d\nh%d AAAA 2001:db8::%d\nwide NS n%d.wide\nn%d.wide AAAA 2001:db8::%d\n", i, i, i, i, i, i, i, i)
	}
	s := run(t, nameserver.Config{})
	load(t, s, zone(t, b.String()))
	for size, truncated := range map[uint16]bool{0: true, 100: true, 512: true, 1232: true, 4096: true} {
		var opts []func(*dns.Msg)
		if size > 0 {
			opts = append(opts, edns(size))
		}
		m := ask(t, s, "udp", "big.z.test.", dns.TypeTXT, opts...)
		if m.Truncated != truncated || len(m.Answer) != 0 || m.Len() > max(int(min(size, 1232)), 512) {
			t.Errorf("size %d: %d octets, %s", size, m.Len(), text(m))
		}
	}
	if m := ask(t, s, "tcp", "big.z.test.", dns.TypeTXT); m.Truncated || len(m.Answer) != 20 {
		t.Errorf("over TCP: %s", text(m))
	}
	m := ask(t, s, "udp", "hosts.z.test.", dns.TypeMX, edns(800))
	if m.Truncated || len(m.Answer) != 20 || len(m.Extra) < 5 || len(m.Extra) > 20 {
		t.Errorf("additional records are left out, not the answer: tc=%v, %d, %d", m.Truncated, len(m.Answer), len(m.Extra))
	}
	if m := ask(t, s, "udp", "www.wide.z.test.", dns.TypeA, edns(512)); !m.Truncated {
		t.Errorf("glue that does not fit truncates (RFC 9471): %s", text(m))
	}
	if m := ask(t, s, "tcp", "www.wide.z.test.", dns.TypeA); m.Truncated || len(m.Extra) != 20 {
		t.Errorf("glue over TCP: %s", text(m))
	}
}

func TestLongAnswersKeepTheirPointersSound(t *testing.T) {
	var b strings.Builder
	b.WriteString(corners)
	for i := range 900 {
		fmt.Fprintf(&b, "many MX %d host%d.some-rather-long-label\nhost%d.some-rather-long-label A 192.0.2.1\n*.w MX %d host%d.some-rather-long-label\n", i, i, i, i, i)
	}
	s := run(t, nameserver.Config{})
	load(t, s, zone(t, b.String()))
	for _, name := range []string{"many.z.test.", "x.w.z.test."} {
		m := ask(t, s, "tcp", name, dns.TypeMX)
		if len(m.Answer) != 900 || m.Truncated {
			t.Fatalf("%s: %d records", name, len(m.Answer))
		}
		for i, r := range m.Answer {
			if want := fmt.Sprintf("host%d.some-rather-long-label.z.test.", i); r.(*dns.MX).Mx != want {
				t.Fatalf("%s: record %d names %s", name, i, r.(*dns.MX).Mx)
			}
		}
		for _, r := range m.Extra {
			if !strings.HasSuffix(r.Header().Name, ".some-rather-long-label.z.test.") {
				t.Fatalf("%s: additional owner %s", name, r.Header().Name)
			}
		}
	}
}

func TestApplyReturnsOnlyWhenServed(t *testing.T) {
	s := run(t, nameserver.Config{})
	load(t, s, zone(t, corners))
	for i := range 200 {
		addr := fmt.Sprintf("192.0.2.%d", i)
		err := s.Apply(t.Context(), []nameserver.ChangeSet{{Zone: "z.test.", Version: uint64(i + 2),
			Set: []rr.RRset{{Name: "www.z.test.", Type: "A", TTL: 300, Data: []string{addr}}}}})
		if err != nil {
			t.Fatal(err)
		}
		network := []string{"udp", "tcp"}[i%2]
		if m := ask(t, s, network, "www.z.test.", dns.TypeA); m.Answer[0].(*dns.A).A.String() != addr {
			t.Fatalf("change %d over %s: %s", i, network, text(m))
		}
	}
}

func TestApplyIsAllOrNothing(t *testing.T) {
	s := run(t, nameserver.Config{})
	load(t, s, zone(t, corners))
	good := nameserver.ChangeSet{Zone: "z.test.", Version: 2, Set: []rr.RRset{{Name: "new.z.test.", Type: "A", TTL: 1, Data: []string{"192.0.2.1"}}}}
	for name, bad := range map[string]nameserver.ChangeSet{
		"outside":     {Zone: "z.test.", Version: 3, Set: []rr.RRset{{Name: "x.other.", Type: "A", TTL: 1, Data: []string{"192.0.2.1"}}}},
		"bad data":    {Zone: "z.test.", Version: 3, Set: []rr.RRset{{Name: "x.z.test.", Type: "A", TTL: 1, Data: []string{"x"}}}},
		"no SOA":      {Zone: "z.test.", Version: 3, Set: []rr.RRset{{Name: "z.test.", Type: "SOA"}}},
		"no SOA full": {Zone: "new.test.", Version: 1, Full: true},
		"unknown":     {Zone: "unknown.test.", Version: 1, Set: good.Set},
		"bad type":    {Zone: "z.test.", Version: 3, Set: []rr.RRset{{Name: "x.z.test.", Type: "ANY", TTL: 1, Data: []string{"x"}}}},
		"bad name":    {Zone: "..", Version: 3, Full: true},
	} {
		t.Run(name, func(t *testing.T) {
			err := s.Apply(t.Context(), []nameserver.ChangeSet{good, bad})
			if err == nil || core.CodeOf(err) == core.Internal {
				t.Errorf("error %v", err)
			}
			if m := ask(t, s, "udp", "new.z.test.", dns.TypeA); m.Rcode != dns.RcodeNameError {
				t.Errorf("half of it is served: %s", text(m))
			}
		})
	}
}

func TestVersionsOnlyGrow(t *testing.T) {
	s := run(t, nameserver.Config{})
	load(t, s, zone(t, corners))
	set := func(version uint64, addr string) nameserver.ChangeSet {
		return nameserver.ChangeSet{Zone: "Z.test.", Version: version, Set: []rr.RRset{{Name: "www.z.test.", Type: "A", TTL: 1, Data: []string{addr}}}}
	}
	if err := s.Apply(t.Context(), []nameserver.ChangeSet{set(5, "192.0.2.5"), set(4, "192.0.2.4"), set(5, "192.0.2.6")}); err != nil {
		t.Fatal(err)
	}
	if m := ask(t, s, "udp", "www.z.test.", dns.TypeA); m.Answer[0].(*dns.A).A.String() != "192.0.2.5" {
		t.Errorf("got %s", text(m))
	}
	if v := s.Versions(); len(v) != 1 || v["z.test."] != 5 {
		t.Errorf("versions %v", v)
	}
}

func TestAZoneIsReplacedByAnotherOneOrAnEarlierOneOnlyWhole(t *testing.T) {
	s := run(t, nameserver.Config{})
	soa := rr.RRset{Name: "z.test.", Type: "SOA", TTL: 60, Data: []string{"ns. h. 1 2 3 4 5"}}
	whole := func(object string, version uint64) nameserver.ChangeSet {
		return nameserver.ChangeSet{Zone: "z.test.", Object: object, Version: version, Full: true, Set: []rr.RRset{soa}}
	}
	part := func(object string, from, to uint64) nameserver.ChangeSet {
		return nameserver.ChangeSet{Zone: "z.test.", Object: object, From: from, Version: to, Set: []rr.RRset{{Name: "www.z.test.", Type: "A", TTL: 1, Data: []string{"192.0.2.1"}}}}
	}
	for _, step := range []struct {
		what    string
		change  nameserver.ChangeSet
		refused bool
		want    nameserver.Held
	}{
		{"the first", whole("a", 7), false, nameserver.Held{Object: "a", Version: 7}},
		{"its difference", part("a", 7, 9), false, nameserver.Held{Object: "a", Version: 9}},
		{"the same again", part("a", 7, 9), false, nameserver.Held{Object: "a", Version: 9}},
		{"a difference from another version", part("a", 8, 10), true, nameserver.Held{Object: "a", Version: 9}},
		{"a database that went back", whole("a", 3), false, nameserver.Held{Object: "a", Version: 3}},
		{"another zone's difference", part("b", 3, 4), true, nameserver.Held{Object: "a", Version: 3}},
		{"another zone", whole("b", 1), false, nameserver.Held{Object: "b", Version: 1}},
		{"a drop that comes late", nameserver.ChangeSet{Zone: "z.test.", Object: "a", Version: 8, Drop: true}, false, nameserver.Held{Object: "b", Version: 1}},
		{"its own drop", nameserver.ChangeSet{Zone: "z.test.", Object: "b", Version: 2, Drop: true}, false, nameserver.Held{}},
		{"a difference of what is gone", part("b", 1, 2), true, nameserver.Held{}},
	} {
		err := s.Apply(t.Context(), []nameserver.ChangeSet{step.change})
		held, _ := s.Held(t.Context())
		if (core.CodeOf(err) == core.Conflict) != step.refused || held["z.test."] != step.want {
			t.Errorf("%s: %v, and %+v is served, want %+v", step.what, err, held["z.test."], step.want)
		}
	}
}

func TestADroppedZoneIsRefused(t *testing.T) {
	s := run(t, nameserver.Config{})
	load(t, s, zone(t, corners), zone(t, second))
	if err := s.Apply(t.Context(), []nameserver.ChangeSet{{Zone: "z.test.", Version: 2, Drop: true}}); err != nil {
		t.Fatal(err)
	}
	if m := ask(t, s, "udp", "www.z.test.", dns.TypeA); m.Rcode != dns.RcodeRefused {
		t.Errorf("got %s", text(m))
	}
	if m := ask(t, s, "udp", "www.two.test.", dns.TypeA); m.Rcode != dns.RcodeSuccess {
		t.Errorf("the other zone: %s", text(m))
	}
}

// exchange sends raw packets over one TCP connection.
func dial(t testing.TB, s *nameserver.Server) net.Conn {
	t.Helper()
	c, err := net.DialTimeout("tcp", s.Addrs()[0].String(), 5*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = c.Close() })
	if err := c.SetDeadline(time.Now().Add(10 * time.Second)); err != nil {
		t.Fatal(err)
	}
	return c
}

func framed(t testing.TB, id uint16, name string) []byte {
	m := new(dns.Msg)
	m.SetQuestion(name, dns.TypeA)
	m.Id = id
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)
}

func TestPipelinedQuestionsAreAllAnswered(t *testing.T) {
	s := run(t, nameserver.Config{})
	load(t, s, zone(t, corners))
	c := dial(t, s)
	var all []byte
	const n = 500
	for i := range n {
		all = append(all, framed(t, uint16(i), "www.z.test.")...)
	}
	all = append(all, all[:7]...) // and the start of another
	go func() { _, _ = c.Write(all) }()
	for i := range n {
		var head [2]byte
		if _, err := io.ReadFull(c, head[:]); err != nil {
			t.Fatalf("answer %d: %v", i, err)
		}
		b := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(c, b); err != nil {
			t.Fatal(err)
		}
		if got := binary.BigEndian.Uint16(b); got != uint16(i) || b[3]&15 != 0 {
			t.Fatalf("answer %d has id %d", i, got)
		}
	}
}

func TestAnIdleConnectionIsEnded(t *testing.T) {
	s := run(t, nameserver.Config{Idle: 50 * time.Millisecond})
	load(t, s, zone(t, corners))
	c := dial(t, s)
	if _, err := c.Write([]byte{0}); err != nil { // half a length
		t.Fatal(err)
	}
	if _, err := c.Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("got %v, want the end", err)
	}
}

func TestConnectionsAreLimited(t *testing.T) {
	s := run(t, nameserver.Config{Connections: 2})
	load(t, s, zone(t, corners))
	for range 2 {
		c := dial(t, s)
		if _, err := c.Write(framed(t, 1, "www.z.test.")); err != nil {
			t.Fatal(err)
		}
		if _, err := io.ReadFull(c, make([]byte, 2)); err != nil {
			t.Fatal(err)
		}
	}
	c := dial(t, s)
	if _, err := c.Read(make([]byte, 1)); err == nil {
		t.Error("a third connection was served")
	}
	if st := s.Stats(); st.Open != 2 || st.Refused != 1 {
		t.Errorf("stats %+v", st)
	}
}

func TestAWildcardSocketAnswersFromTheAddressAsked(t *testing.T) {
	s := run(t, nameserver.Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("0.0.0.0:0")}})
	load(t, s, zone(t, corners))
	for _, host := range []string{"127.0.0.1", "127.0.0.2"} {
		// a connected socket takes packets from the asked address only
		c, err := net.Dial("udp4", net.JoinHostPort(host, fmt.Sprint(s.Addrs()[0].Port())))
		if err != nil {
			t.Fatal(err)
		}
		_ = c.SetDeadline(time.Now().Add(5 * time.Second))
		_, _ = c.Write(framed(t, 9, "www.z.test.")[2:])
		if _, err := c.Read(make([]byte, 512)); err != nil {
			t.Errorf("%s: %v", host, err)
		}
		_ = c.Close()
	}
}

func TestIPv6(t *testing.T) {
	if l, err := net.Listen("tcp6", "[::1]:0"); err != nil {
		t.Skip("this machine has no IPv6")
	} else {
		_ = l.Close()
	}
	s := run(t, nameserver.Config{Listen: []netip.AddrPort{netip.MustParseAddrPort("[::1]:0")}})
	load(t, s, zone(t, corners))
	for _, network := range []string{"udp", "tcp"} {
		if m := ask(t, s, network, "www.z.test.", dns.TypeA); len(m.Answer) != 1 {
			t.Errorf("%s: %s", network, text(m))
		}
	}
}

func TestStatsCount(t *testing.T) {
	s := run(t, nameserver.Config{})
	load(t, s, zone(t, corners))
	ask(t, s, "udp", "www.z.test.", dns.TypeA)
	ask(t, s, "tcp", "no.z.test.", dns.TypeA)
	ask(t, s, "udp", "no.example.", dns.TypeA)
	st := s.Stats()
	if st.Zones != 1 || st.Queries != 3 || st.TCP != 1 || st.Rcodes[0] != 1 || st.Rcodes[3] != 1 || st.Rcodes[5] != 1 {
		t.Errorf("%+v", st)
	}
}

func TestBadConfigurationIsRefusedWhole(t *testing.T) {
	_, err := nameserver.New(nameserver.Config{Payload: 100, Sockets: -1, NSID: strings.Repeat("x", 300), Connections: -1, Idle: -1})
	if f := core.AsError(err).Faults; core.CodeOf(err) != core.Invalid || len(f) != 5 {
		t.Errorf("got %v", err)
	}
}

func TestAnAddressInUseIsAnError(t *testing.T) {
	s := run(t, nameserver.Config{})
	if _, err := nameserver.New(nameserver.Config{Listen: s.Addrs()}); err == nil {
		t.Error("two servers share an address")
	}
}

func TestTheSameQuestionGivesTheSameOctets(t *testing.T) {
	s := run(t, nameserver.Config{})
	load(t, s, zone(t, corners))
	var first []byte
	for range 3 {
		m := ask(t, s, "udp", "z.test.", dns.TypeMX, func(m *dns.Msg) { m.Id = 7 })
		b, err := m.Pack()
		if err != nil {
			t.Fatal(err)
		}
		if first != nil && !bytes.Equal(first, b) {
			t.Error("answers differ")
		}
		first = b
	}
}

func TestChangeSetsCrossASocket(t *testing.T) {
	want := nameserver.ChangeSet{Zone: "z.test.", Version: 7, Full: true, Set: zone(t, corners).Sets}
	b, err := json.Marshal(want)
	if err != nil {
		t.Fatal(err)
	}
	var got nameserver.ChangeSet
	if err := json.Unmarshal(b, &got); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, got); d != "" {
		t.Error(d)
	}
}

// An alias and its target are replaced together: an answer that had one of
// the old and one of the new would lack the address.
func TestAQueryNeverSeesHalfAChange(t *testing.T) {
	s := run(t, nameserver.Config{})
	load(t, s, zone(t, corners+"moving CNAME t1\nt1 A 192.0.2.1\n"))
	done := make(chan error, 1)
	go func() {
		defer close(done)
		for v := uint64(2); v <= 300; v++ {
			old, now := rr.Name(fmt.Sprintf("t%d.z.test.", v-1)), rr.Name(fmt.Sprintf("t%d.z.test.", v))
			if err := s.Apply(context.Background(), []nameserver.ChangeSet{{Zone: "z.test.", Version: v, Set: []rr.RRset{
				{Name: "moving.z.test.", Type: "CNAME", TTL: 1, Data: []string{string(now)}},
				{Name: old, Type: "A"}, {Name: now, Type: "A", TTL: 1, Data: []string{"192.0.2.1"}},
			}}}); err != nil {
				done <- err
				return
			}
		}
	}()
	for running := true; running; {
		select {
		case err := <-done:
			if err != nil {
				t.Fatal(err)
			}
			running = false
		default:
		}
		if m := ask(t, s, "udp", "moving.z.test.", dns.TypeA); len(m.Answer) != 2 {
			t.Fatalf("half a change: %s", text(m))
		}
	}
}
