package ask_test

import (
	"context"
	"errors"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hostward/internal/rr"
	"hostward/internal/rr/ask"
	"hostward/internal/rr/sign"
	"hostward/internal/rr/sign/signtest"
)

const zone = rr.Name("z.test.")

var dial = new(net.Dialer).DialContext

// server answers on the loopback, over UDP and TCP, until the test ends.
func server(t *testing.T, handler dns.HandlerFunc) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p, err := net.ListenPacket("udp", l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range []*dns.Server{{Listener: l, Handler: handler}, {PacketConn: p, Handler: handler}} {
		started := make(chan struct{})
		s.NotifyStartedFunc = func() { close(started) }
		go func() { _ = s.ActivateAndServe() }() // ends with Shutdown
		<-started
		t.Cleanup(func() { _ = s.Shutdown() })
	}
	return l.Addr().String()
}

// address answers a question with one address.
func address(q *dns.Msg) *dns.Msg {
	r := new(dns.Msg).SetReply(q)
	r.Authoritative = true
	r.Answer = []dns.RR{&dns.A{Hdr: dns.RR_Header{Name: "WWW.z.test.", Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 1 << 31}, A: net.IPv4(192, 0, 2, 1)}}
	return r
}

func TestAnAnswerIsReadAsTheHouseWritesIt(t *testing.T) {
	at := server(t, func(w dns.ResponseWriter, q *dns.Msg) {
		r := address(q)
		if q.IsEdns0() != nil {
			r.SetEdns0(1232, q.IsEdns0().Do())
		}
		_ = w.WriteMsg(r) // who asked may be gone
	})
	for _, stream := range []bool{false, true} {
		r, err := ask.Client{Dial: dial, Wait: 5 * time.Second}.Ask(t.Context(), at, ask.Question{Name: "www.z.test.", Type: "A", Stream: stream})
		if err != nil {
			t.Fatal(err)
		}
		want := rr.Record{Name: "www.z.test.", TTL: 0, Type: "A", Data: "192.0.2.1"} // TTL: RFC 2181 8
		if got := r.Find(ask.Answer, "www.z.test.", "A"); !slices.Equal(got, []rr.Record{want}) || !r.Authoritative || !r.EDNS || r.Code != "NOERROR" {
			t.Errorf("stream %t: %+v", stream, r)
		}
	}
}

// Whoever can guess neither id nor question is passed over, and the answer that comes
// after is taken.
func TestWhatIsNoAnswerIsPassedOver(t *testing.T) {
	at := server(t, func(w dns.ResponseWriter, q *dns.Msg) {
		for _, spoil := range []func(*dns.Msg){
			func(m *dns.Msg) { m.Id++ }, func(m *dns.Msg) { m.Question[0].Name = "other.test." }, func(m *dns.Msg) { m.Response = false },
			func(m *dns.Msg) { m.Question = nil }, func(m *dns.Msg) { m.Opcode = dns.OpcodeNotify },
		} {
			r := address(q.Copy())
			r.Answer[0].(*dns.A).A = net.IPv4(203, 0, 113, 66)
			spoil(r)
			_ = w.WriteMsg(r)
		}
		_, _ = w.Write([]byte{1, 2, 3})
		_ = w.WriteMsg(address(q))
	})
	c := ask.Client{Dial: dial, Wait: 5 * time.Second}
	r, err := c.Ask(t.Context(), at, ask.Question{Name: "www.z.test.", Type: "A"})
	if got := r.Find(ask.Answer, "www.z.test.", "A"); err != nil || len(got) != 1 || got[0].Data != "192.0.2.1" {
		t.Errorf("%v, %v", got, err)
	}
	if _, err := c.Ask(t.Context(), at, ask.Question{Name: "www.z.test.", Type: "A", Stream: true}); err == nil {
		t.Error("over TCP an answer to something else is taken")
	}
}

func TestSilenceEndsInTimeAndAClosedPortIsTold(t *testing.T) {
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	c, began := ask.Client{Dial: dial, Wait: 50 * time.Millisecond}, time.Now()
	_, err = c.Ask(t.Context(), silent.LocalAddr().String(), ask.Question{Name: zone, Type: "SOA"})
	if err == nil || errors.Is(err, ask.ErrUnreachable) || time.Since(began) > 5*time.Second {
		t.Errorf("%v after %s", err, time.Since(began))
	}
	_, err = c.Ask(t.Context(), silent.LocalAddr().String(), ask.Question{Name: zone, Type: "SOA", Stream: true})
	if !errors.Is(err, ask.ErrUnreachable) {
		t.Errorf("a closed port: %v", err)
	}
	if _, err := c.Ask(t.Context(), silent.LocalAddr().String(), ask.Question{Name: zone, Type: "NOTYPE"}); err == nil {
		t.Error("a type that there is not is asked for")
	}
}

// signed is a small zone and its key.
func signed(t *testing.T, nsec3 bool, now time.Time) (sets map[string][]rr.Record, key sign.Key) {
	t.Helper()
	z, err := rr.ParseZone(strings.NewReader("@ SOA ns h 1 7200 900 1209600 300\n@ NS ns\nns A 192.0.2.1\n"), rr.Options{Origin: zone, TTL: 300})
	if err != nil {
		t.Fatal(err)
	}
	key = signtest.Key(sign.ECDSAP256SHA256, 1, signtest.CSK)
	s, err := sign.New(context.Background(), sign.Config{Origin: zone, Keys: []sign.Key{key}, NSEC3: nsec3}, z.Sets, now)
	if err != nil {
		t.Fatal(err)
	}
	sets = map[string][]rr.Record{}
	for set := range s.Sets() {
		for _, r := range set.Records() {
			sets[r.Type] = append(sets[r.Type], r)
		}
	}
	return sets, key
}

func TestSignaturesAreJudged(t *testing.T) {
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	sets, key := signed(t, false, now)
	name := ask.KeyName(sets["DNSKEY"][0])
	p := ask.Prove(sets["SOA"], sets["RRSIG"], sets["DNSKEY"], zone, now)
	if !slices.Equal(p.Valid, []string{name}) || len(p.Faults) > 0 || p.Expires.Before(now.Add(7*24*time.Hour)) {
		t.Errorf("%+v", p)
	}
	other := slices.Clone(sets["SOA"])
	other[0].Data = strings.Replace(other[0].Data, " 1 ", " 2 ", 1)
	stranger := []rr.Record{{Name: zone, TTL: 300, Type: "DNSKEY", Data: signtest.Key(sign.ECDSAP256SHA256, 2, signtest.CSK).Data()}}
	for what, p := range map[string]ask.Proof{
		"other data":      ask.Prove(other, sets["RRSIG"], sets["DNSKEY"], zone, now),
		"after the end":   ask.Prove(sets["SOA"], sets["RRSIG"], sets["DNSKEY"], zone, now.Add(60*24*time.Hour)),
		"before the time": ask.Prove(sets["SOA"], sets["RRSIG"], sets["DNSKEY"], zone, now.Add(-24*time.Hour)),
		"other keys":      ask.Prove(sets["SOA"], sets["RRSIG"], stranger, zone, now),
		"another zone":    ask.Prove(sets["SOA"], sets["RRSIG"], sets["DNSKEY"], "test.", now),
	} {
		if len(p.Valid) > 0 || len(p.Faults) != 1 || !p.Expires.IsZero() {
			t.Errorf("%s: %+v", what, p)
		}
	}
	ds := rr.Record{Name: zone, TTL: 300, Type: "DS", Data: key.DS(zone, sign.SHA384).String()}
	if !ask.Fits(ds, sets["DNSKEY"][0]) || ask.Fits(ds, stranger[0]) || ask.KeyName(ds) != name {
		t.Errorf("%s is of %s, not of %s", ds, sets["DNSKEY"][0], stranger[0])
	}
}

// Many keys with one tag, and as many signatures by them, cost next to nothing.
func TestATrapOfKeysAndSignaturesIsLeftSoon(t *testing.T) {
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	sets, key := signed(t, false, now)
	var sigs []rr.Record
	for _, r := range sets["RRSIG"] {
		if strings.HasPrefix(r.Data, "SOA ") {
			r.Data = strings.Replace(r.Data, " 300 ", " 301 ", 1)
			sigs = slices.Repeat([]rr.Record{r}, 400)
		}
	}
	keys := slices.Repeat([]rr.Record{{Name: zone, TTL: 300, Type: "DNSKEY", Data: key.Data()}}, 400)
	began := time.Now()
	p := ask.Prove(sets["SOA"], sigs, keys, zone, now)
	if len(p.Valid) > 0 || len(p.Faults) != 32 || time.Since(began) > time.Second {
		t.Errorf("%d faults after %s", len(p.Faults), time.Since(began))
	}
	heavy := rr.Record{Name: "00000000000000000000000000000000.z.test.", TTL: 300, Type: "NSEC3", Data: "1 0 65535 FF 00000000000000000000000000000000 A"}
	if ask.Denies(slices.Repeat([]rr.Record{heavy}, 1000), "nothing.z.test.") || time.Since(began) > 2*time.Second {
		t.Errorf("NSEC3 was hashed for %s", time.Since(began))
	}
}

func TestTheChainDeniesWhatIsNotThere(t *testing.T) {
	for _, nsec3 := range []bool{false, true} {
		sets, _ := signed(t, nsec3, time.Now())
		chain := slices.Concat(sets["NSEC"], sets["NSEC3"])
		if len(chain) != 2 || !ask.Denies(chain, "nothing.z.test.") || !ask.Denies(chain, "zzz.z.test.") || ask.Denies(chain[:0], "nothing.z.test.") {
			t.Errorf("NSEC3 %t: %v", nsec3, chain)
		}
		one := slices.DeleteFunc(chain, func(r rr.Record) bool { return ask.Denies([]rr.Record{r}, "nothing.z.test.") })
		if len(one) != 1 || ask.Denies(one, "nothing.z.test.") {
			t.Errorf("NSEC3 %t: each record denies the name", nsec3)
		}
	}
}

// Whatever comes, it is read or refused, and what was read can be written and judged.
func FuzzMessagesAreReadOrRefused(f *testing.F) {
	q := new(dns.Msg)
	q.SetQuestion("www.z.test.", dns.TypeA)
	seed, err := address(q).Pack()
	if err != nil {
		f.Fatal(err)
	}
	f.Add(seed)
	now := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	f.Fuzz(func(t *testing.T, octets []byte) {
		r, ok := ask.Read(octets)
		if !ok {
			return
		}
		for _, section := range r.Sections {
			for _, record := range section {
				if _, err := rr.Pack(record.Type, record.Data); err != nil {
					t.Errorf("%s: %v", record, err)
				}
			}
			ask.Prove(section, section, section, zone, now)
			ask.Denies(section, zone)
			if len(section) > 1 {
				ask.Fits(section[0], section[1])
			}
		}
	})
}
