package outside_test

import (
	"context"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hostward/internal/adapter/outside"
)

// What servers of strangers say may make a zone look bad. It never makes the check fail,
// ask on and on, or take much longer than it may.
func TestHostileServersAreHarmless(t *testing.T) {
	for name, answer := range map[string]func(w dns.ResponseWriter, q *dns.Msg, ask func(*dns.Msg) *dns.Msg){
		"other ids": func(w dns.ResponseWriter, q *dns.Msg, ask func(*dns.Msg) *dns.Msg) {
			r := ask(q)
			r.Id++
			_ = w.WriteMsg(r)
		},
		"other names": func(w dns.ResponseWriter, q *dns.Msg, ask func(*dns.Msg) *dns.Msg) {
			r := ask(q)
			r.Question[0].Name = "other.test."
			_ = w.WriteMsg(r)
		},
		"loops in names": func(w dns.ResponseWriter, q *dns.Msg, _ func(*dns.Msg) *dns.Msg) {
			octets, _ := new(dns.Msg).SetReply(q).Pack() // it was unpacked a moment ago
			octets[7] = 1
			_, _ = w.Write(append(octets, 0xC0, byte(len(octets)), 0, 1, 0, 1, 0, 0, 0, 0, 0, 0))
		},
		"noise": func(w dns.ResponseWriter, _ *dns.Msg, _ func(*dns.Msg) *dns.Msg) {
			_, _ = w.Write([]byte(strings.Repeat("\xFF", 500)))
		},
		"thousands of records": func(w dns.ResponseWriter, q *dns.Msg, _ func(*dns.Msg) *dns.Msg) {
			r := new(dns.Msg).SetReply(q)
			r.Authoritative = true
			for i := range 3000 {
				a := net.IPv4(198, 18, byte(i>>8), byte(i))
				r.Answer = append(r.Answer, &dns.NS{Hdr: dns.RR_Header{Name: "z.test.", Rrtype: dns.TypeNS, Class: 1}, Ns: "n" + strings.ReplaceAll(a.String(), ".", "-") + ".z.test."})
			}
			if w.LocalAddr().Network() == "udp" {
				r.Truncate(512)
			}
			_ = w.WriteMsg(r)
		},
	} {
		t.Run(name, func(t *testing.T) {
			w := newTree(t)
			w.cfg.Wait, w.cfg.Time = 200*time.Millisecond, 1500*time.Millisecond
			w.machines[childA].front, w.machines[childB].front = front(t, answer), front(t, answer)
			asked := w.count()
			began := time.Now()
			r := w.check()
			if len(r.Findings) == 0 || *asked > 700 || time.Since(began) > 10*time.Second {
				t.Errorf("%d questions in %s: %s", *asked, time.Since(began), written(r))
			}
		})
	}
}

// count counts the connections that are opened.
func (w *tree) count() *int {
	var mu sync.Mutex
	n, dial := new(int), w.cfg.Dial
	w.cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		mu.Lock()
		*n++
		mu.Unlock()
		return dial(ctx, network, address)
	}
	return n
}

// Servers whose names lead to each other's names lead nowhere, and soon.
func TestDelegationsThatLeadToEachOtherEnd(t *testing.T) {
	w := newTree(t)
	w.parents(func(m *machine) {
		m.lines = slices.DeleteFunc(m.lines, func(l string) bool { return strings.Contains(l, "z ") || strings.Contains(l, ".z") })
		m.lines = append(m.lines, "z NS a.y", "z NS b.y", "y NS a.x", "y NS b.x", "x NS a.y", "x NS b.z")
	})
	asked := w.count()
	r := w.check()
	if got := ids(r); !slices.Contains(got, outside.NoAddress) || *asked > 650 {
		t.Errorf("%d questions: %s", *asked, written(r))
	}
}

func TestOnlyAllowedAddressesAreAsked(t *testing.T) {
	w := newTree(t)
	w.cfg.Allow = func(a netip.Addr) bool { return a.String() != childA && a.String() != testB }
	dial := w.cfg.Dial
	w.cfg.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
		if at := netip.MustParseAddrPort(address); !w.cfg.Allow(at.Addr()) {
			t.Errorf("%s was asked", at)
		}
		return dial(ctx, network, address)
	}
	if got := ids(w.check()); !slices.Equal(got, []outside.ID{outside.PrivateAddress}) {
		t.Errorf("found %v", got)
	}
}

func TestAConfigThatCannotWorkIsRefused(t *testing.T) {
	good := newTree(t).cfg
	for _, change := range []func(*outside.Config){
		func(c *outside.Config) { c.Dial = nil }, func(c *outside.Config) { c.Allow = nil }, func(c *outside.Config) { c.Clock = nil },
		func(c *outside.Config) { c.Resolver = "resolver.example" }, func(c *outside.Config) { c.Wait = -1 },
	} {
		c := good
		change(&c)
		if _, err := outside.New(c); err == nil {
			t.Errorf("%+v is accepted", c)
		}
	}
	o, err := outside.New(good)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := o.Check(t.Context(), "."); err == nil {
		t.Error("the root has a parent")
	}
	if _, err := o.Check(t.Context(), zone); err == nil {
		t.Error("no server answers, and a parent was found")
	}
}
