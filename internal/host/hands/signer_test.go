package hands_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/host/hands"
	"hostward/internal/keeper"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// desk is a signer with a keeper and a nameserver, and a clock that is set.
type desk struct {
	*testing.T
	*hands.Signer
	server *nameserver.Server
	keeper keeper.Keeper
	how    *host.Signing

	mu     sync.Mutex
	at     time.Time
	signed int // statements
	broken bool
}

func newDesk(t *testing.T) *desk {
	t.Helper()
	k, err := keeper.Open(keeper.Config{Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	d := &desk{T: t, keeper: k, server: server(t), at: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)}
	d.how = d.key()
	d.again()
	return d
}

// again is a signer that remembers nothing, as after a restart.
func (d *desk) again() {
	d.Signer = hands.NewSigner(hands.NewNameserver(d.server), d.server, d, func() time.Time { return d.at })
}

func (d *desk) key() *host.Signing {
	d.Helper()
	public, sealed, err := d.keeper.NewZoneKey(d.Context(), "z.example.", sign.EntryPoint, sign.Ed25519)
	if err != nil {
		d.Fatal(err)
	}
	return &host.Signing{Keys: []host.SigningKey{{Public: public, Duty: sign.Duty{Publish: true, SignKeys: true, SignData: true}, Sealed: sealed}}}
}

// SignZone counts what is asked of the keeper.
func (d *desk) SignZone(ctx context.Context, zone rr.Name, sealed []byte, messages [][]byte) ([][]byte, error) {
	d.mu.Lock()
	d.signed += len(messages)
	broken := d.broken
	d.mu.Unlock()
	if broken {
		return nil, errors.New("the keeper is away")
	}
	return d.keeper.SignZone(ctx, zone, sealed, messages)
}

func soa(serial int) rr.RRset {
	return rr.RRset{Name: "z.example.", Type: "SOA", TTL: 300, Data: []string{fmt.Sprintf("ns.other.example. h.other.example. %d 3600 900 604800 300", serial)}}
}

func a(name, address string) rr.RRset {
	return rr.RRset{Name: rr.Name(name + ".z.example."), Type: "A", TTL: 300, Data: []string{address}}
}

func (d *desk) whole(version uint64, sets ...rr.RRset) host.SetZone {
	all := append([]rr.RRset{soa(int(version)), {Name: "z.example.", Type: "NS", TTL: 300, Data: []string{"ns.other.example."}}}, sets...)
	return host.SetZone{Zone: ref("z"), Name: "z.example.", Version: version, Full: true, Set: all, Signing: d.how}
}

func (d *desk) part(from, to uint64, sets ...rr.RRset) host.SetZone {
	return host.SetZone{Zone: ref("z"), Name: "z.example.", From: from, Version: to, Set: append([]rr.RRset{soa(int(to))}, sets...), Signing: d.how}
}

// does carries out a step, wants everything signed, with the serial of the version, and
// returns how many signatures it took.
func (d *desk) does(step host.SetZone) int {
	d.Helper()
	before := d.signed
	if err := d.Do(d.Context(), []host.Step{step}); err != nil {
		d.Fatal(err)
	}
	sets, version, err := d.server.Sets(d.Context(), "z.example.")
	if err != nil || version != step.Version {
		d.Fatalf("version %d is served, %v", version, err)
	}
	z, err := sign.Load(d.config(), sign.Stored(sets), d.at)
	if err != nil {
		d.Fatal(err)
	}
	if !z.Complete() || z.Serial() != uint32(step.Version) || z.Expires().Sub(d.at) < 7*24*time.Hour {
		d.Errorf("version %d: complete %v, serial %d, expires in %s", version, z.Complete(), z.Serial(), z.Expires().Sub(d.at))
	}
	return d.signed - before
}

func (d *desk) config() sign.Config {
	c := sign.Config{Origin: "z.example.", NSEC3: d.how.NSEC3}
	for _, k := range d.how.Keys {
		c.Keys = append(c.Keys, sign.Key{Public: k.Public, Duty: k.Duty, Signer: nobody{}})
	}
	return c
}

type nobody struct{}

func (nobody) Sign(context.Context, []byte) ([]byte, error) { return nil, errors.New("nobody signs") }

func hosts(n int) (out []rr.RRset) {
	for i := range n {
		out = append(out, a(fmt.Sprintf("h%03d", i), "192.0.2.1"))
	}
	return out
}

func TestAChangeCostsWhatItChangesAlsoAfterARestart(t *testing.T) {
	d := newDesk(t)
	if n := d.does(d.whole(1, hosts(200)...)); n < 400 {
		t.Errorf("a zone of 200 names took %d signatures", n)
	}
	for _, step := range []struct {
		what string
		most int
		host.SetZone
	}{
		{"another address", 4, d.part(1, 2, a("h007", "192.0.2.2"))},
		{"a new name", 8, d.part(2, 3, a("h007x", "192.0.2.2"))},
		{"a name that goes", 8, d.part(3, 5, rr.RRset{Name: "h100.z.example.", Type: "A"})},
	} {
		if n := d.does(step.SetZone); n > step.most {
			t.Errorf("%s took %d signatures", step.what, n)
		}
	}
	d.again()
	if n := d.does(d.part(5, 6, a("new", "192.0.2.3"))); n > 8 {
		t.Errorf("after a restart, a new name took %d signatures", n)
	}
	d.again()
	if n := d.does(d.whole(7, append(hosts(100), a("new", "192.0.2.3"), a("h007x", "192.0.2.2"), a("extra", "192.0.2.4"))...)); n > 330 {
		t.Errorf("the whole zone again, a part of it new, took %d signatures", n)
	}
}

func TestOtherKeysAndAnotherChainAreOneVersion(t *testing.T) {
	d := newDesk(t)
	d.does(d.whole(1, hosts(20)...))
	d.how = d.key()
	d.does(d.whole(2, hosts(20)...))
	nsec3 := *d.how
	nsec3.NSEC3 = true
	d.how = &nsec3
	d.does(d.whole(3, hosts(20)...))
	sets, _, _ := d.server.Sets(t.Context(), "z.example.")
	if slices.ContainsFunc(sets, func(s rr.RRset) bool { return s.Type == "NSEC" }) {
		t.Error("the other chain is still there")
	}
}

func TestSignaturesAreMadeAnewWhenTheZoneIsTouched(t *testing.T) {
	d := newDesk(t)
	d.does(d.whole(1, hosts(20)...))
	for v := range uint64(10) {
		d.at = d.at.Add(6 * 24 * time.Hour)
		if v%3 == 0 {
			d.again()
		}
		d.does(d.part(v+1, v+2))
	}
}

func TestAZoneThatCannotBeSignedIsServedAsItWas(t *testing.T) {
	d := newDesk(t)
	d.does(d.whole(1, hosts(3)...))
	d.broken = true
	other := host.SetZone{Zone: ref("o"), Name: "o.example.", Version: 1, Full: true, Set: whole("o", "o.example.", 1, "192.0.2.1").Set}
	err := d.Do(t.Context(), []host.Step{d.part(1, 2, a("new", "192.0.2.3")), other})
	if err == nil || !strings.Contains(err.Error(), "the keeper is away") {
		t.Errorf("the error is %v", err)
	}
	held, _ := d.server.Held(t.Context())
	if held["z.example."].Version != 1 || held["o.example."].Version != 1 {
		t.Errorf("served are %+v", held)
	}
	d.broken = false
	d.does(d.part(1, 2, a("new", "192.0.2.3")))
}

func TestADifferenceFromWhatIsNotServedIsRefused(t *testing.T) {
	d := newDesk(t)
	if err := d.Do(t.Context(), []host.Step{d.part(1, 2, a("new", "192.0.2.3"))}); core.CodeOf(err) != core.Conflict {
		t.Errorf("nothing is served: %v", err)
	}
	d.does(d.whole(5, hosts(3)...))
	d.again()
	if err := d.Do(t.Context(), []host.Step{d.part(3, 6, a("new", "192.0.2.3"))}); core.CodeOf(err) != core.Conflict {
		t.Errorf("another version is served: %v", err)
	}
}
