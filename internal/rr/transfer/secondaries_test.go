package transfer_test

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"hostward/internal/core/coretest"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
	"hostward/internal/rr/transfer/transfertest"
)

// serves reports which serial a server has, 0 for none.
func serves(at netip.AddrPort, zone rr.Name) uint32 {
	m := new(dns.Msg)
	m.SetQuestion(string(zone), dns.TypeSOA)
	c := dns.Client{Timeout: time.Second}
	got, _, err := c.Exchange(m, at.String())
	if err != nil || len(got.Answer) != 1 || !got.Authoritative {
		return 0
	}
	soa, ok := got.Answer[0].(*dns.SOA)
	if !ok {
		return 0
	}
	return soa.Serial
}

// theirs is the zone as a peer gives it away, read by the library.
func theirs(t testing.TB, at netip.AddrPort, zone rr.Name) []string {
	t.Helper()
	m := new(dns.Msg)
	m.SetAxfr(string(zone))
	ch, err := new(dns.Transfer).In(m, at.String())
	if err != nil {
		t.Fatal(err)
	}
	var out []string
	for e := range ch {
		if e.Error != nil {
			t.Fatal(e.Error)
		}
		for _, r := range e.RR {
			out = append(out, strings.ToLower(r.String()))
		}
	}
	slices.Sort(out)
	return slices.Compact(out) // the SOA is there twice
}

func loopback(port int) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))
}

func same(t testing.TB, at netip.AddrPort, sets []rr.RRset) {
	t.Helper()
	want := zoneLines(t, sets)
	slices.Sort(want)
	if d := cmp.Diff(want, theirs(t, at, soaOf(sets).Name)); d != "" {
		t.Errorf("the secondary serves another zone:\n%s", d)
	}
}

// TestSecondariesFollow runs through the life of a secondary: it fetches the
// zone, follows a NOTIFY, is cut off and catches up, and comes back after so
// long that the history is gone.
func TestSecondariesFollow(t *testing.T) {
	for _, p := range transfertest.Secondaries() {
		for _, a := range append([]transfer.Algorithm{""}, transfer.SHA256, transfer.SHA512) {
			t.Run(p.Name+"/"+string(a), func(t *testing.T) {
				t.Parallel()
				var key *transfer.Key
				if a != "" {
					k := newKey(t, "shared.key.example.", a)
					key = &k
				}
				follow(t, p, key)
			})
		}
	}
}

func follow(t *testing.T, p transfertest.Server, key *transfer.Key) {
	ours := startPrimary(t, key)
	ours.publish(sample(t, 1, 1500), false)
	s := transfertest.Setting{Dir: t.TempDir(), Listen: coretest.Free(t), Ours: loopback(ours.port), Zone: "z.example", Key: key}
	p.Start(t, s)
	reaches := func(serial uint32) {
		t.Helper()
		what := func() string { return fmt.Sprintf("%s serves serial %d, saw\n%s", p.Name, serial, ours.seen()) }
		transfertest.Until(t, what, func() bool { return serves(s.Listen, origin) == serial })
	}
	notify := func(serial uint32) {
		t.Helper()
		soa := soaOf(sample(t, serial, 0))
		if err := testClient().Notify(testContext(t), transfer.Peer{Address: s.Listen.String(), Key: key}, origin, &soa); err != nil {
			t.Fatal(err)
		}
	}
	how := func(kind transfer.Kind) {
		t.Helper()
		want := "AXFR: whole"
		if p.Differences {
			want = "IXFR: " + string(kind)
		}
		seen := ours.seen()
		for deadline := time.Now().Add(20 * time.Second); !strings.Contains(seen, want); seen += ours.seen() { // it is noted after it was sent
			if time.Now().After(deadline) {
				t.Errorf("want %s, saw\n%s", want, seen)
				return
			}
			time.Sleep(5 * time.Millisecond) // between two looks
		}
	}
	reaches(1)
	same(t, s.Listen, sample(t, 1, 1500))
	ours.seen()

	ours.publish(sample(t, 2, 1499, "new A 192.0.2.77"), false)
	notify(2)
	reaches(2)
	how(transfer.Difference)
	same(t, s.Listen, sample(t, 2, 1499, "new A 192.0.2.77"))

	ours.leave(true)
	ours.publish(sample(t, 3, 1498, "new 60 A 192.0.2.77"), false)
	ours.publish(sample(t, 4, 1498), false)
	ours.leave(false)
	notify(4)
	reaches(4)
	how(transfer.Difference)
	same(t, s.Listen, sample(t, 4, 1498))

	ours.publish(sample(t, 5, 1400, "newest A 192.0.2.78"), true)
	notify(5)
	reaches(5)
	how(transfer.Whole)
	same(t, s.Listen, sample(t, 5, 1400, "newest A 192.0.2.78"))
}
