package zone_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
)

func TestAForeignZoneIsNotFoundByAnyOperation(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		z := w.kranewitt()
		edits := []fields{line("add", "x", "A", "", "192.0.2.1")}
		for op, in := range map[string]fields{
			"zone.show": {}, "zone.history": {}, "zone.diff": {}, "zone.delete": {},
			"zone.edit":          {"changes": edits},
			"zone.record.add":    {"name": "x", "type": "A", "data": "192.0.2.1"},
			"zone.record.set":    {"name": "x", "type": "A", "data": []string{"192.0.2.1"}},
			"zone.record.remove": {"name": "www", "type": "CNAME"},
		} {
			for _, name := range []string{"kranewitt.example", z.ID} {
				in["zone"] = name
				w.fails(core.NotFound, stranger, op, in, confirmed)
				if leaf := w.last(); !strings.Contains(leaf, `"outcome":"refused"`) || !strings.Contains(leaf, op) {
					t.Errorf("%s: the record is %s", op, leaf)
				}
			}
		}
		var b strings.Builder
		if err := w.export(stranger, z.ID, 0, &b); core.CodeOf(err) != core.NotFound || b.Len() > 0 {
			t.Errorf("exported %d octets, %v", b.Len(), err)
		}
		text := sample(t, "kranewitt.example.zone")
		w.fails(core.NotFound, stranger, "zone.import", fields{"file": text, "name": "kranewitt.example", "replace": true})
		w.fails(core.NotFound, stranger, "zone.import", fields{"file": text, "replace": true})
		w.fails(core.Conflict, stranger, "zone.import", fields{"file": text})
		w.fails(core.NotFound, stranger, "zone.create", fields{"name": "new.example", "owner": shop})
		w.fails(core.Denied, auditor, "zone.edit", fields{"zone": z.ID, "changes": edits})
		if list, _ := must[zone.Listed](w, stranger, "zone.list", fields{}); list.Total != 0 || len(list.Zones) != 0 {
			t.Errorf("a stranger sees %+v", list)
		}
		w.fails(core.NotFound, stranger, "zone.list", fields{"owner": shop})
		for _, who := range []act.Actor{customer, reseller, admin, auditor} {
			if list, _ := must[zone.Listed](w, who, "zone.list", fields{}); list.Total != 1 || list.Zones[0].OwnerName != "shop" {
				t.Errorf("%s sees %+v", who.Name, list)
			}
		}
		if shown, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": z.ID}); shown.Version != 1 {
			t.Error("the zone was changed")
		}
	})
}

func TestNobodyTakesAPartOfAnotherTenantsZone(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		must[zone.Changed](w, customer, "zone.create", fields{"name": "shop.example.org"})
		for _, name := range []string{"www.shop.example.org", "a.b.shop.example.org", "example.org"} {
			if s := w.fails(core.Denied, stranger, "zone.create", fields{"name": name}); !strings.Contains(s, "administrator") {
				t.Errorf("%q does not say who can", s)
			}
		}
		w.fails(core.Conflict, stranger, "zone.create", fields{"name": "shop.example.org"})
		w.fails(core.Invalid, stranger, "zone.create", fields{"name": "org"})
		w.fails(core.Invalid, admin, "zone.create", fields{"name": "."})
		for who, name := range map[string]string{"itself": "www.shop.example.org", "beside": "shop2.example.org"} {
			a := customer
			if who == "beside" {
				a = stranger
			}
			must[zone.Changed](w, a, "zone.create", fields{"name": name})
		}
		must[zone.Changed](w, reseller, "zone.create", fields{"name": "b.shop.example.org"}) // acts for its customer too
		must[zone.Changed](w, admin, "zone.create", fields{"name": "c.shop.example.org", "owner": "rival"})
		must[zone.Changed](w, admin, "zone.create", fields{"name": "example"})
		must[zone.Changed](w, customer, "zone.delete", fields{"zone": "shop.example.org"}, confirmed)
		w.fails(core.Denied, stranger, "zone.create", fields{"name": "shop.example.org"}) // its parts are still there
	})
}

func TestZonesAreListedInPagesAndFoundByPartOfTheName(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		names := []string{"alpha.example", "beta.example", "gamma.example", "under_score.example", "xn--bcher-kva.example"}
		for i, n := range names {
			owner := []string{"shop", "agency"}[i%2]
			must[zone.Changed](w, admin, "zone.create", fields{"name": n, "owner": owner})
		}
		must[zone.Changed](w, admin, "zone.create", fields{"name": "delta.example", "owner": "rival"})
		var got []string
		after := ""
		for range 10 {
			page, _ := must[zone.Listed](w, reseller, "zone.list", fields{"limit": 2, "after": after})
			for _, z := range page.Zones {
				got = append(got, z.Name)
			}
			if page.Total != 5 {
				t.Fatalf("total %d", page.Total)
			}
			if after = page.Next; after == "" {
				break
			}
		}
		if !slices.Equal(got, names) {
			t.Errorf("pages hold %q, want %q", got, names)
		}
		for text, want := range map[string]int64{"ALPHA": 1, "büch": 1, "bcher": 1, "under_": 1, "a%": 0, ".example": 5} {
			if page, _ := must[zone.Listed](w, reseller, "zone.list", fields{"search": text}); page.Total != want {
				t.Errorf("%q finds %d zones, want %d", text, page.Total, want)
			}
		}
		if hits := w.find("büch"); len(hits) != 1 || hits[0].Name != "bücher.example" || hits[0].Owner != shop {
			t.Errorf("%+v", hits)
		}
	})
}

func (w *world) find(text string) (hits []act.Hit) {
	w.t.Helper()
	err := w.Look(context.Background(), "test", func(v *act.View) (err error) {
		hits, err = w.kind.Find(context.Background(), v, text, 10)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return hits
}

func TestADeletedZoneIsGoneAndItsNameIsFree(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		z := w.kranewitt()
		w.fails(core.Unconfirmed, customer, "zone.delete", fields{"zone": z.ID})
		must[zone.Changed](w, customer, "zone.delete", fields{"zone": z.ID}, confirmed)
		w.fails(core.NotFound, customer, "zone.show", fields{"zone": z.ID})
		w.fails(core.NotFound, customer, "zone.delete", fields{"zone": "kranewitt.example"}, confirmed)
		if running, rows := w.digests(z.ID); running != rows || running == "" {
			t.Errorf("what is kept must be covered: %q, %q", running, rows)
		}
		again := w.kranewitt()
		if again.ID == z.ID || again.Version != 1 {
			t.Errorf("%+v", again)
		}
	})
}

func TestAnAccountKnowsWhatItOwns(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.kranewitt()
		for tenant, want := range map[string]string{shop: "1 zone", rival: ""} {
			err := w.Look(t.Context(), "test", func(v *act.View) error {
				got, err := w.zones.Holds(t.Context(), v, tenant)
				if got != want {
					t.Errorf("%s holds %q, want %q", tenant, got, want)
				}
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
		}
	})
}
