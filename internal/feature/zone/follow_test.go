package zone_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/rr"
	"hostward/internal/store/storetest"
)

// abroad is a zone as a primary elsewhere has it, signed.
func abroad(t testing.TB, serial int, lines ...string) []rr.RRset {
	t.Helper()
	text := fmt.Sprintf("$ORIGIN example.org.\n$TTL 300\n@ SOA ns1 h %d 3600 900 1209600 300\n@ NS ns1\nns1 A 192.0.2.53\n@ DNSKEY 257 3 15 l02Woi0iS8Aa25FQkUd9RMzZHJpBoRQwAQEX1SxZJA4=\n"+
		"@ RRSIG SOA 15 2 300 20370101000000 20260101000000 1 @ AAAA\n@ NSEC @ SOA NS RRSIG NSEC DNSKEY\n%s\n", serial, strings.Join(lines, "\n"))
	z, err := rr.ParseZone(strings.NewReader(text), rr.Options{KeepSigned: true})
	if err != nil {
		t.Fatal(err)
	}
	return z.Sets
}

// eachAbroad runs f on both engines with a primary that gives what sets says.
func eachAbroad(t *testing.T, f func(t *testing.T, w *world, sets *[]rr.RRset)) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		sets := abroad(t, 7, "www A 192.0.2.1")
		w := newWorld(t, url, func(p *zone.Ports, _ *act.Config) {
			p.Fetch = func(_ context.Context, _ rr.Name, from zone.Primary) ([]rr.RRset, error) {
				if from.Addresses[0].String() != "192.0.2.53:53" {
					return nil, core.Errorf(core.Unavailable, "the zone could not be fetched")
				}
				return sets, nil
			}
			p.MayUse = func(_ context.Context, _ *act.View, key rr.Name) (bool, error) { return key == "mine.example.", nil }
		})
		f(t, w, &sets)
	})
}

var fetched = fields{"name": "example.org", "primaries": []string{"192.0.2.53"}}

func with(f fields, more fields) fields {
	out := fields{}
	for _, m := range []fields{f, more} {
		for k, v := range m {
			out[k] = v
		}
	}
	return out
}

func TestAZoneIsTakenOverWithoutTheOthersSignatures(t *testing.T) {
	eachAbroad(t, func(t *testing.T, w *world, _ *[]rr.RRset) {
		out, r := must[zone.Changed](w, customer, "zone.fetch", fetched)
		if len(r.Changes) != 1 || r.Changes[0].Name != "zone.fetched" || out.Serial != 7 {
			t.Errorf("%+v, %+v", out, r.Changes)
		}
		shown, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": out.ID})
		if shown.Found != 4 || shown.Follows != "" {
			t.Errorf("%d RRsets, follows %q", shown.Found, shown.Follows)
		}
		must[zone.Changed](w, customer, "zone.record.add", fields{"zone": out.ID, "name": "x", "type": "A", "data": "192.0.2.9"})
	})
}

func TestAFollowingZoneIsChangedByItsPrimaryAlone(t *testing.T) {
	eachAbroad(t, func(t *testing.T, w *world, sets *[]rr.RRset) {
		out, _ := must[zone.Changed](w, customer, "zone.fetch", with(fetched, fields{"follow": true}))
		sound := func() {
			t.Helper()
			if running, rows := w.digests(out.ID); running != rows {
				t.Errorf("the running digest %s is not that of the rows, %s", running, rows)
			}
		}
		sound()
		add := fields{"zone": out.ID, "name": "x", "type": "A", "data": "192.0.2.9"}
		for op, in := range map[string]fields{"zone.record.add": add, "zone.sign": {"zone": out.ID}, "zone.restore": {"zone": out.ID, "version": 1}} {
			if _, err := w.do(customer, op, in); op != "zone.restore" && (core.CodeOf(err) != core.Conflict || !strings.Contains(err.Error(), "192.0.2.53:53")) {
				t.Errorf("%s: %v", op, err)
			}
		}
		*sets = abroad(t, 9, "new A 192.0.2.2")
		got, err := w.zones.Receive(context.Background(), w.Bus, out.ID, "192.0.2.53:53", *sets)
		if err != nil || got.Serial != 9 || got.Version != 2 {
			t.Fatalf("%+v, %v", got, err)
		}
		if leaf := w.last(); !strings.Contains(leaf, "zone.received") || !strings.Contains(leaf, "192.0.2.53:53") {
			t.Errorf("the record: %s", leaf)
		}
		sound()
		if again, err := w.zones.Receive(context.Background(), w.Bus, out.ID, "192.0.2.53:53", *sets); err != nil || again.Version != 2 {
			t.Errorf("the same again: %+v, %v", again, err)
		}
		w.fails(core.Unconfirmed, customer, "zone.unfollow", fields{"zone": out.ID})
		own, _ := must[zone.Changed](w, customer, "zone.unfollow", fields{"zone": out.ID}, confirmed)
		if !rr.SerialAfter(own.Serial, 9) {
			t.Errorf("its serial is %d", own.Serial)
		}
		sound()
		must[zone.Changed](w, customer, "zone.record.add", add)
		if shown, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": out.ID, "type": "RRSIG"}); shown.Found != 0 {
			t.Error("signatures of the primary are left")
		}
		w.fails(core.Conflict, customer, "zone.unfollow", fields{"zone": out.ID}, confirmed)
		if _, err := w.zones.Receive(context.Background(), w.Bus, out.ID, "192.0.2.53:53", *sets); core.CodeOf(err) != core.Conflict {
			t.Errorf("a late transfer: %v", err)
		}
	})
}

func TestWhatCannotBeFetchedMakesNoZone(t *testing.T) {
	eachAbroad(t, func(t *testing.T, w *world, sets *[]rr.RRset) {
		w.fails(core.Unavailable, customer, "zone.fetch", with(fetched, fields{"primaries": []string{"192.0.2.99"}}))
		w.fails(core.Invalid, customer, "zone.fetch", with(fetched, fields{"primaries": []string{"ns1.example.org"}}))
		w.fails(core.Invalid, customer, "zone.fetch", with(fetched, fields{"key": "another.example"}))
		*sets = (*sets)[1:]
		for _, follow := range []bool{false, true} {
			if _, err := w.do(customer, "zone.fetch", with(fetched, fields{"follow": follow})); err == nil {
				t.Errorf("a zone without its SOA was taken (follow %v)", follow)
			}
		}
		if n := w.count(`SELECT count(*) FROM zone_zone`); n != 0 {
			t.Errorf("%d zones are left", n)
		}
	})
}
