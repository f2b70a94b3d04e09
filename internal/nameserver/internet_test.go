package nameserver

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/miekg/dns"

	"hostward/internal/core"
)

func unhex(t testing.TB, s string) []byte {
	t.Helper()
	b, err := hex.DecodeString(s)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// The example of RFC 9018 A.1.
func TestCookiesAreThoseOfRFC9018(t *testing.T) {
	var secret Secret
	copy(secret[:], unhex(t, "e5e973e5a6b2a43f48e7dc849e37bfcf"))
	client, from, then := unhex(t, "2464c4abcf10c957"), netip.MustParseAddr("198.51.100.100"), uint32(1559731985)
	want := unhex(t, "2464c4abcf10c957010000005cf79f111f8130c3eee29480")
	of := secrets{newSecret(), secret}
	if got := (secrets{secret}).appendCookie(bytes.Clone(client), client, from, then); !bytes.Equal(got, want) {
		t.Errorf("got %x, want %x", got, want)
	}
	for name, c := range map[string]struct {
		from string
		now  uint32
		ok   bool
	}{
		"fresh":            {"198.51.100.100", then, true},
		"an hour old":      {"198.51.100.100", then + 3600, true},
		"older":            {"198.51.100.100", then + 3601, false},
		"a little ahead":   {"198.51.100.100", then - 300, true},
		"far ahead":        {"198.51.100.100", then - 301, false},
		"somebody else's":  {"198.51.100.101", then, false},
		"of another world": {"2001:db8::1", then, false},
	} {
		if _, ok := of.check(want, netip.MustParseAddr(c.from), c.now); ok != c.ok {
			t.Errorf("%s: %v", name, ok)
		}
	}
}

// answer asks a responder and reads what it says; nil is no answer.
func answer(t testing.TB, r *responder, msg []byte) *dns.Msg {
	t.Helper()
	b := r.respond(msg, nil)
	if b == nil {
		return nil
	}
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil {
		t.Fatalf("%x: %v", b, err)
	}
	return m
}

func option[T dns.EDNS0](t testing.TB, m *dns.Msg) (out T) {
	t.Helper()
	if o := m.IsEdns0(); o != nil {
		for _, e := range o.Option {
			if found, ok := e.(T); ok {
				return found
			}
		}
	}
	t.Fatalf("the option is missing: %v", m)
	return out
}

func with(options ...dns.EDNS0) func(*dns.Msg) {
	return func(m *dns.Msg) {
		m.SetEdns0(1232, false)
		m.IsEdns0().Option = options
	}
}

func cookie(hex string) *dns.EDNS0_COOKIE {
	return &dns.EDNS0_COOKIE{Code: dns.EDNS0COOKIE, Cookie: hex}
}

func TestCookiesAreGivenAndKnown(t *testing.T) {
	r := loaded(t, "")
	r.from = asker{addr: netip.MustParseAddr("192.0.2.1")}
	r.now = moment{unix: 1_800_000_000}
	const client = "0102030405060708"
	ask := func(c string) string {
		return option[*dns.EDNS0_COOKIE](t, answer(t, r, packet(t, "www.university.example.", dns.TypeA, with(cookie(c))))).Cookie
	}
	given := ask(client)
	if len(given) != 48 || !strings.HasPrefix(given, client) {
		t.Fatalf("cookie %s", given)
	}
	if again := ask(given); again != given || r.count.known.Load() != 1 {
		t.Errorf("a young cookie came back as %s", again)
	}
	r.now.unix += cookieRenew
	if renewed := ask(given); renewed == given || r.count.known.Load() != 2 {
		t.Errorf("an old cookie was not renewed: %s", renewed)
	}
	if other := ask(client + strings.Repeat("ab", 16)); other == given || r.count.strange.Load() != 1 {
		t.Errorf("a foreign cookie: %s", other)
	}
	for _, bad := range []string{"", "01", client + "00", client + strings.Repeat("00", 7), client + strings.Repeat("00", 33)} {
		m := answer(t, r, packet(t, "www.university.example.", dns.TypeA, with(&dns.EDNS0_LOCAL{Code: dns.EDNS0COOKIE, Data: unhex(t, bad)})))
		if m.Rcode != dns.RcodeFormatError {
			t.Errorf("a cookie of %d octets: %s", len(bad)/2, dns.RcodeToString[m.Rcode])
		}
	}
	alone := answer(t, r, packet(t, ".", dns.TypeA, func(m *dns.Msg) { m.Question = nil; with(cookie(client))(m) }))
	if alone.Rcode != dns.RcodeSuccess || len(alone.Question) != 0 || option[*dns.EDNS0_COOKIE](t, alone).Cookie == "" {
		t.Errorf("asked for a cookie alone: %v", alone)
	}
}

func TestAnswersThatLookTheSameAreLimited(t *testing.T) {
	const rate = 10
	r := loaded(t, "")
	exempt, err := core.ParseNetwork("203.0.113.0/24")
	if err != nil {
		t.Fatal(err)
	}
	r.limiter = newLimiter(Limit{Rate: rate, Slip: 2, Exempt: []core.Network{exempt}})
	count := func(from string, n int, question func(i int) []byte) (sent, slipped int) {
		r.from = asker{addr: netip.MustParseAddr(from)}
		for i := range n {
			if b := r.respond(question(i), nil); b != nil && b[2]&2 == 0 {
				sent++
			} else if b != nil {
				slipped++
			}
		}
		return sent, slipped
	}
	www := func(int) []byte { return packet(t, "www.university.example.", dns.TypeA, nil) }
	random := func(i int) []byte { return packet(t, fmt.Sprintf("no%d.university.example.", i), dns.TypeA, nil) }
	wild := func(i int) []byte {
		return packet(t, fmt.Sprintf("s%d.students.university.example.", i), dns.TypeA, nil)
	}
	foreign := func(i int) []byte { return packet(t, fmt.Sprintf("no%d.example.", i), dns.TypeA, nil) }
	referral := func(i int) []byte {
		return packet(t, fmt.Sprintf("no%d.physics.university.example.", i), dns.TypeA, nil)
	}
	for name, q := range map[string]func(int) []byte{"one answer": www, "denials of a zone": random, "a wildcard": wild, "errors": foreign, "referrals": referral} {
		if sent, slipped := count("192.0.2.1", 110, q); sent != rate || slipped != 50 {
			t.Errorf("%s: %d sent, %d slipped", name, sent, slipped)
		}
	}
	if sent, _ := count("192.0.2.250", 10, www); sent != 0 {
		t.Errorf("another host of the network got %d", sent)
	}
	if sent, _ := count("198.51.100.1", 10, www); sent != rate {
		t.Errorf("another network got %d", sent)
	}
	if sent, _ := count("203.0.113.9", 100, www); sent != 100 {
		t.Errorf("an exempt network got %d", sent)
	}
	r.now.ms += 500
	if sent, _ := count("192.0.2.1", 10, www); sent != rate/2 {
		t.Errorf("after half a second %d", sent)
	}
	r.now.unix = 1_800_000_000
	given := r.secrets.appendCookie(unhex(t, "0102030405060708"), unhex(t, "0102030405060708"), r.from.addr, r.now.unix)
	if sent, _ := count("192.0.2.1", 100, func(int) []byte {
		return packet(t, "www.university.example.", dns.TypeA, with(cookie(hex.EncodeToString(given))))
	}); sent != 100 {
		t.Errorf("with a cookie %d", sent)
	}
	r.from = asker{addr: netip.MustParseAddr("192.0.2.1"), stream: true}
	if m := answer(t, r, www(0)); m == nil || m.Truncated {
		t.Error("TCP is limited")
	}
	if n := testing.AllocsPerRun(100, func() { r.judge() }); n != 0 {
		t.Errorf("judging allocates %v times", n)
	}
}

func TestWhatTheServerSaysOfItself(t *testing.T) {
	ask := func(r *responder, name string, typ uint16) string {
		m := answer(t, r, packet(t, name, typ, func(m *dns.Msg) { m.Question[0].Qclass = dns.ClassCHAOS }))
		if m.Rcode != dns.RcodeSuccess {
			return dns.RcodeToString[m.Rcode]
		}
		return m.Answer[0].(*dns.TXT).Txt[0]
	}
	r := loaded(t, "")
	r.version = "a server"
	for name, want := range map[string]string{"version.bind.": "a server", "VERSION.server.": "a server", "id.server.": "fuzz", "hostname.bind.": "fuzz", "authors.bind.": "REFUSED"} {
		if got := ask(r, name, dns.TypeTXT); got != want {
			t.Errorf("%s: %s", name, got)
		}
	}
	r.version, r.nsid = "", ""
	for _, name := range []string{"version.bind.", "id.server."} {
		if got := ask(r, name, dns.TypeTXT); got != "REFUSED" {
			t.Errorf("%s, though nothing is configured: %s", name, got)
		}
	}
}

func TestOptionsOfStreams(t *testing.T) {
	r := loaded(t, "")
	question := packet(t, "www.university.example.", dns.TypeA, with(&dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE}, &dns.EDNS0_PADDING{Padding: make([]byte, 9)}))
	r.from.stream = true
	m := answer(t, r, question)
	if k := option[*dns.EDNS0_TCP_KEEPALIVE](t, m); k.Timeout != 100 {
		t.Errorf("keepalive %d", k.Timeout)
	}
	if len(m.IsEdns0().Option) != 1 {
		t.Errorf("padded though nothing is hidden: %v", m)
	}
	r.from.tls = true
	if n := len(r.respond(question, nil)); n != paddingBlock {
		t.Errorf("%d octets over TLS", n)
	}
	r.from = asker{}
	if m := answer(t, r, question); len(m.IsEdns0().Option) != 0 {
		t.Errorf("options of streams over UDP: %v", m)
	}
	told := packet(t, "www.university.example.", dns.TypeA, with(&dns.EDNS0_TCP_KEEPALIVE{Code: dns.EDNS0TCPKEEPALIVE, Timeout: 5}))
	if m := answer(t, r, told); m.Rcode != dns.RcodeFormatError {
		t.Errorf("a question that sets the time: %v", m)
	}
}

// FuzzCookie: no option makes the server panic or believe a cookie it did not make.
func FuzzCookie(f *testing.F) {
	f.Add([]byte{1, 2, 3, 4, 5, 6, 7, 8, 1, 0, 0, 0, 0, 0, 0, 0, 1, 2, 3, 4, 5, 6, 7, 8})
	r := loaded(f, "")
	base := packet(f, "www.university.example.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, true) })
	f.Fuzz(func(t *testing.T, data []byte) {
		if len(data) > 1000 {
			return
		}
		b := bytes.Clone(base)
		binary.BigEndian.PutUint16(b[len(b)-2:], uint16(len(data)+4))
		b = append(b, 0, optionCookie, byte(len(data)>>8), byte(len(data)))
		b = append(b, data...)
		m := answer(t, r, b)
		if r.valid {
			t.Fatalf("believed %x", data)
		}
		good := len(data) == 8 || len(data) >= 16 && len(data) <= 40
		if good != (m.Rcode == dns.RcodeSuccess) {
			t.Fatalf("%d octets: %v", len(data), m)
		}
	})
}
