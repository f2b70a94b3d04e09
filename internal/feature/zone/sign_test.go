package zone_test

import (
	"context"
	"encoding/base64"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/host"
	"hostward/internal/keeper"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
	"hostward/internal/store/storetest"
)

// registry of a world: a parent that does what a test says, and a clock.
type outside struct {
	*world
	mu   sync.Mutex
	at   time.Time
	ds   []string // that the parent has
	zone zone.Changed
}

// eachOutside runs f on both engines with a zone of the customer's.
func eachOutside(t *testing.T, f func(t *testing.T, o *outside)) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		o := &outside{at: time.Date(2026, 11, 27, 12, 0, 0, 0, time.UTC)}
		o.world = newWorld(t, url, func(p *zone.Ports, c *act.Config) { c.Clock = o.now })
		o.zone, _ = must[zone.Changed](o.world, customer, "zone.create", fields{"name": "example.org"})
		f(t, o)
	})
}

func (o *outside) now() time.Time {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.at
}

func (o *outside) sleep(d time.Duration) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.at = o.at.Add(d)
}

// turn has the zone's keys looked at, with what the parent has now.
func (o *outside) turn() zone.Signing {
	o.t.Helper()
	out, err := o.zones.Turn(context.Background(), o.Bus, o.zone.ID, []zone.ParentServer{{Name: "a.parent.example", DS: o.ds, TTL: 3600}})
	if err != nil {
		o.t.Fatal(err)
	}
	return out
}

// until turns, as often as the keys ask for it, until a zone stands as a test
// wants, and at most so long.
func (o *outside) until(what string, most time.Duration, ok func(zone.Signing) bool) zone.Signing {
	o.t.Helper()
	for end := o.now().Add(most); ; o.sleep(20 * time.Minute) {
		out := o.turn()
		if ok(out) {
			return out
		}
		if o.now().After(end) {
			o.t.Fatalf("%s: not within %s; it is %+v", what, most, out)
		}
	}
}

// obey has the parent do what the zone asks for.
func (o *outside) obey(s zone.Signing) {
	o.ds = nil
	for _, f := range s.DS {
		o.ds = append(o.ds, f.DS[0].Data)
	}
}

func (o *outside) plan() host.SetZone {
	o.t.Helper()
	var steps []host.Step
	err := o.Look(context.Background(), "test", func(v *act.View) (err error) {
		steps, err = o.zones.Control().Plan(context.Background(), v, core.Ref{Kind: "zone", ID: o.zone.ID}, 0)
		return err
	})
	if err != nil {
		o.t.Fatal(err)
	}
	return steps[0].(host.SetZone)
}

func (o *outside) sound() {
	o.t.Helper()
	if running, rows := o.digests(o.zone.ID); running != rows {
		o.t.Errorf("the running digest %s is not that of the rows, %s", running, rows)
	}
}

func settled(s zone.Signing) bool { return s.State == "signed" }

func wantsDS(s zone.Signing) bool { return len(s.DS) > 0 }

func TestOneClickSigns(t *testing.T) {
	eachOutside(t, func(t *testing.T, o *outside) {
		before := o.plan()
		out, r := must[zone.Signing](o.world, customer, "zone.sign", fields{"zone": "example.org"})
		if len(out.Keys) != 1 || out.Keys[0].Role != sign.CSK || !out.Keys[0].SignData || out.State != "changing" {
			t.Fatalf("signed as %+v", out)
		}
		if len(out.DS) != 0 {
			t.Error("a DS is shown while resolvers may still remember unsigned answers")
		}
		p := o.plan()
		if p.Signing == nil || len(p.Signing.Keys) != 1 || p.Version != before.Version+1 || !p.Full {
			t.Fatalf("the plan is %+v", p)
		}
		if _, err := o.keeper.SignZone(t.Context(), "example.org.", p.Signing.Keys[0].Sealed, nil); err != nil {
			t.Errorf("the keeper does not know the key of the plan: %v", err)
		}
		if len(r.Changes) != 1 || r.Changes[0].Name != "zone.signing.changed" {
			t.Errorf("recorded: %+v", r.Changes)
		}
		if leaf := o.last(); strings.Contains(leaf, base64.StdEncoding.EncodeToString(p.Signing.Keys[0].Sealed)) {
			t.Errorf("the record holds the sealed key: %s", leaf)
		}
		o.sound()
		if out, r := must[zone.Signing](o.world, customer, "zone.sign", fields{"zone": "example.org"}); r.State != act.Unchanged {
			t.Errorf("signing it again: %s, %+v", r.State, out)
		}
		o.until("the DS is shown", 48*time.Hour, wantsDS)
		o.sound()
	})
}

func TestEveryKindOfKeyIsReplacedWithoutHelpButTheParents(t *testing.T) {
	for name, how := range map[string]fields{
		"csk": {}, "split": {"keys": "split", "algorithm": "ed25519", "denial": "nsec3"},
	} {
		t.Run(name, func(t *testing.T) {
			eachOutside(t, func(t *testing.T, o *outside) {
				how["zone"] = "example.org"
				must[zone.Signing](o.world, customer, "zone.sign", how)
				o.obey(o.until("the DS is shown", 48*time.Hour, wantsDS))
				first := o.until("all is well", 5*24*time.Hour, settled)
				must[zone.Signing](o.world, customer, "zone.key.roll", fields{"zone": "example.org"})
				o.obey(o.until("another DS is wanted", 9*24*time.Hour, func(s zone.Signing) bool {
					return len(s.DS) == 1 && s.DS[0].Tag != first.DS[0].Tag
				}))
				last := o.until("all is well with other keys", 9*24*time.Hour, settled)
				if len(last.Keys) != len(first.Keys) {
					t.Errorf("keys before: %+v, after: %+v", first.Keys, last.Keys)
				}
				for _, k := range last.Keys {
					if slices.ContainsFunc(first.Keys, func(f zone.Key) bool { return f.ID == k.ID }) {
						t.Errorf("the key %d is still there", k.Tag)
					}
				}
				if n := o.count(`SELECT count(*) FROM zone_key`); n != len(last.Keys) {
					t.Errorf("%d private keys are kept for %d keys", n, len(last.Keys))
				}
				o.sound()
			})
		})
	}
}

func TestSigningEndsOnlyWhenNoDSIsLeft(t *testing.T) {
	eachOutside(t, func(t *testing.T, o *outside) {
		must[zone.Signing](o.world, customer, "zone.sign", fields{"zone": "example.org"})
		o.obey(o.until("the DS is shown", 48*time.Hour, wantsDS))
		o.until("all is well", 5*24*time.Hour, settled)
		o.fails(core.Unconfirmed, customer, "zone.unsign", fields{"zone": "example.org"}) // it asks first
		must[zone.Signing](o.world, customer, "zone.unsign", fields{"zone": "example.org"}, confirmed)
		for range 200 {
			if out := o.turn(); out.State != "leaving" {
				t.Fatalf("it is %s while the parent has the DS", out.State)
			}
			o.sleep(time.Hour)
		}
		if p := o.plan(); p.Signing == nil || !p.Signing.RemoveDS {
			t.Fatal("the parent is not asked to remove the DS")
		}
		o.ds = nil
		o.until("it is unsigned", 9*24*time.Hour, func(s zone.Signing) bool { return s.State == "unsigned" })
		if p := o.plan(); p.Signing != nil {
			t.Error("it is still planned as signed")
		}
		o.until("its keys are destroyed", 9*24*time.Hour, func(zone.Signing) bool { return o.count(`SELECT count(*) FROM zone_key`) == 0 })
		o.sound()
		must[zone.Signing](o.world, customer, "zone.sign", fields{"zone": "example.org"})
		o.until("the DS is shown again", 9*24*time.Hour, wantsDS)
	})
}

func TestSigningCanEndAtOnce(t *testing.T) {
	eachOutside(t, func(t *testing.T, o *outside) {
		must[zone.Signing](o.world, customer, "zone.sign", fields{"zone": "example.org"})
		out, _ := must[zone.Signing](o.world, customer, "zone.unsign", fields{"zone": "example.org", "now": true}, confirmed)
		if p := o.plan(); out.State != "unsigned" || p.Signing != nil {
			t.Errorf("it is %s, planned as %+v", out.State, p.Signing)
		}
		o.sound()
	})
}

func TestWhatSigningMakesIsNotTakenFromPeople(t *testing.T) {
	eachOutside(t, func(t *testing.T, o *outside) {
		key := fields{"zone": "example.org", "name": "@", "type": "DNSKEY", "data": "257 3 13 " + base64.StdEncoding.EncodeToString(make([]byte, 64))}
		must[zone.Changed](o.world, customer, "zone.record.add", key)
		if s := o.fails(core.Invalid, customer, "zone.sign", fields{"zone": "example.org"}); !strings.Contains(s, "DNSKEY") {
			t.Errorf("signing says %q", s)
		}
		must[zone.Changed](o.world, customer, "zone.record.remove", key)
		must[zone.Signing](o.world, customer, "zone.sign", fields{"zone": "example.org"})
		if s := o.fails(core.Invalid, customer, "zone.record.add", key); !strings.Contains(s, "DNSKEY") {
			t.Errorf("adding says %q", s)
		}
		o.sound()
	})
}

func TestSignaturesAreRenewedAsAVersion(t *testing.T) {
	eachOutside(t, func(t *testing.T, o *outside) {
		o.fails(core.Conflict, customer, "zone.resign", fields{"zone": "example.org"})
		must[zone.Signing](o.world, customer, "zone.sign", fields{"zone": "example.org"})
		before := o.plan()
		out, _ := must[zone.Changed](o.world, customer, "zone.resign", fields{"zone": "example.org"})
		after := o.plan()
		if out.Version != before.Version+1 || after.Version != out.Version || !rr.SerialAfter(out.Serial, serial(before)) {
			t.Errorf("from %d to %d", before.Version, out.Version)
		}
		o.sound()
	})
}

func serial(s host.SetZone) uint32 {
	for _, set := range s.Set {
		if soa, ok := rr.ParseSOA(set.Data[0]); ok && set.Type == "SOA" {
			return soa.Serial
		}
	}
	return 0
}

func TestZoneKeysAreSealedAgain(t *testing.T) {
	eachOutside(t, func(t *testing.T, o *outside) {
		must[zone.Signing](o.world, customer, "zone.sign", fields{"zone": "example.org", "keys": "split"})
		generation, err := o.keeper.Renew(t.Context(), keeper.DNSSEC)
		if err != nil {
			t.Fatal(err)
		}
		n, err := o.zones.Reseal(t.Context(), o.Bus, func(ctx context.Context, name rr.Name, sealed []byte) ([]byte, error) {
			return o.keeper.Reseal(ctx, keeper.DNSSEC, keeper.ZoneKeyAD(name), sealed)
		})
		if err != nil || n != 2 {
			t.Fatal(n, err)
		}
		if err := o.keeper.Retire(t.Context(), keeper.DNSSEC, generation); err != nil {
			t.Fatal(err)
		}
		for _, k := range o.plan().Signing.Keys {
			if _, err := o.keeper.SignZone(t.Context(), "example.org.", k.Sealed, nil); err != nil {
				t.Error(err)
			}
		}
		o.sound()
	})
}

func TestNewZonesAreSignedWhereSomebodyDecidedSo(t *testing.T) {
	eachOutside(t, func(t *testing.T, o *outside) {
		must[zone.Default](o.world, reseller, "zone.default.set", fields{"sign": "yes", "keys": "split"})
		made, _ := must[zone.Changed](o.world, customer, "zone.create", fields{"name": "new.example"})
		o.zone = made
		p := o.plan()
		if p.Signing == nil || len(p.Signing.Keys) != 2 || p.Version != 1 {
			t.Fatalf("a customer's new zone below a reseller who wants it signed: %+v", p)
		}
		o.sound()
		imported, _ := must[zone.Changed](o.world, customer, "zone.import", fields{"file": sample(t, "kranewitt.example.zone")})
		o.zone = imported
		if p := o.plan(); p.Signing == nil {
			t.Error("an imported zone is not signed")
		}
		must[zone.Default](o.world, customer, "zone.default.set", fields{"sign": "no"})
		other, _ := must[zone.Changed](o.world, customer, "zone.create", fields{"name": "plain.example"})
		o.zone = other
		if p := o.plan(); p.Signing != nil {
			t.Error("the customer wants none signed, and it is")
		}
		d, _ := must[zone.Default](o.world, customer, "zone.default.set", fields{"sign": "inherit"})
		if !d.Wish.Signed || d.From != agency {
			t.Errorf("inherited: %+v", d)
		}
		o.fails(core.NotFound, stranger, "zone.default.show", fields{"owner": "shop"})
	})
}
