package zone_test

import (
	"context"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/rr"
	"hostward/internal/store/storetest"
)

// eachCatalog runs f on both engines with a catalog that is followed.
func eachCatalog(t *testing.T, f func(t *testing.T, w *world, catalog string)) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := newWorld(t, url, func(p *zone.Ports, _ *act.Config) { listed(p) })
		out, _ := must[zone.Changed](w, admin, "zone.fetch", listing)
		f(t, w, out.ID)
	})
}

// listed has every zone that is asked for be a catalog.
func listed(p *zone.Ports) {
	p.Fetch = func(_ context.Context, name rr.Name, _ zone.Primary) ([]rr.RRset, error) {
		version := "version 0 TXT \"2\"\n"
		if name == "broken.example." {
			version = ""
		}
		z, err := rr.ParseZone(strings.NewReader("$ORIGIN "+string(name)+"\n@ 0 SOA invalid. invalid. 1 60 60 60 0\n@ 0 NS invalid.\n"+version+"one.zones 0 PTR example.org.\n"), rr.Options{})
		return z.Sets, err
	}
	p.Untaken = func(string) []zone.Untaken { return []zone.Untaken{{Zone: "example.net", Why: "it is not there"}} }
}

func TestThePageOfACatalogSaysWhatBecameOfItsZones(t *testing.T) {
	p := newPanel(t, listed)
	catalog, _ := must[zone.Changed](p.world, admin, "zone.fetch", listing)
	if err := p.zones.Enlist(context.Background(), p.Bus, catalog.ID, "example.org.", "one", abroad(t, 7)); err != nil {
		t.Fatal(err)
	}
	member, _ := must[zone.Shown](p.world, admin, "zone.show", fields{"zone": "example.org"})
	b := p.as("admin")
	for path, want := range map[string][]string{
		"/zones/" + catalog.ID: {"This is a catalog", "1\u00a0zone now", "1\u00a0zone could not be taken", "example.net", "it is not there"},
		"/zones/" + member.ID:  {"This zone follows", `href="/zones/` + catalog.ID + `"`, "a catalog"},
		"/zones":               {"catalog</span>", "secondary</span>"},
	} {
		code, page := b.get(path)
		for _, w := range want {
			if code != 200 || !strings.Contains(page, w) {
				t.Errorf("%s: %d, without %q:\n%s", path, code, w, page)
			}
		}
	}
	if _, page := b.get("/zones/" + catalog.ID); strings.Contains(page, "/signing") || strings.Contains(page, "Make it your own") {
		t.Error("the page of a catalog offers what it cannot do")
	}
}

var listing = fields{"name": "catalog.example", "primaries": []string{"192.0.2.53"}, "follow": true, "catalog": true}

func TestACatalogIsForAdministratorsAndMustBeOne(t *testing.T) {
	eachCatalog(t, func(t *testing.T, w *world, catalog string) {
		w.fails(core.Denied, customer, "zone.fetch", with(listing, fields{"name": "mine.example"}))
		w.fails(core.Invalid, admin, "zone.fetch", with(listing, fields{"name": "once.example", "follow": false}))
		if why := w.fails(core.Invalid, admin, "zone.fetch", with(listing, fields{"name": "broken.example"})); !strings.Contains(why, "says no version") {
			t.Error(why)
		}
		shown, _ := must[zone.Shown](w, admin, "zone.show", fields{"zone": catalog})
		if !shown.Lists || shown.Taken != 0 || len(shown.Untaken) != 1 || shown.Serving != "" {
			t.Errorf("%+v", shown)
		}
		w.fails(core.Conflict, admin, "zone.unfollow", fields{"zone": catalog}, confirmed)
	})
}

func TestWhatACatalogListsComesAndGoesWithIt(t *testing.T) {
	eachCatalog(t, func(t *testing.T, w *world, catalog string) {
		ctx := context.Background()
		if err := w.zones.Enlist(ctx, w.Bus, catalog, "example.org.", "one", abroad(t, 7, "www A 192.0.2.1")); err != nil {
			t.Fatal(err)
		}
		if leaf := w.last(); !strings.Contains(leaf, "zone.enlist") || !strings.Contains(leaf, catalog) {
			t.Errorf("the record: %s", leaf)
		}
		shown, _ := must[zone.Shown](w, admin, "zone.show", fields{"zone": "example.org"})
		if shown.Catalog != catalog || shown.Follows != "192.0.2.53:53" || shown.Lists {
			t.Errorf("%+v", shown.Zone)
		}
		if running, rows := w.digests(shown.ID); running != rows {
			t.Errorf("the running digest %s is not that of the rows, %s", running, rows)
		}
		if err := w.zones.Enlist(ctx, w.Bus, catalog, "example.org.", "one", abroad(t, 7)); core.CodeOf(err) != core.Conflict {
			t.Errorf("twice: %v", err)
		}
		if err := w.zones.Enlist(ctx, w.Bus, shown.ID, "example.net.", "one", abroad(t, 7)); core.CodeOf(err) != core.Conflict {
			t.Errorf("listed by what is no catalog: %v", err)
		}
		if why := w.fails(core.Conflict, admin, "zone.delete", fields{"zone": "example.org"}, confirmed); !strings.Contains(why, "catalog.example") {
			t.Error(why)
		}
		if err := w.zones.Delist(ctx, w.Bus, shown.ID, shown.ID); core.CodeOf(err) != core.Conflict {
			t.Errorf("dropped by what is no catalog: %v", err)
		}
		if err := w.zones.Delist(ctx, w.Bus, catalog, shown.ID); err != nil {
			t.Fatal(err)
		}
		w.fails(core.NotFound, admin, "zone.show", fields{"zone": "example.org"})

		// Brought back by a person it follows on, from where the primary was, and is
		// nobody's who could drop it.
		back, _ := must[zone.Changed](w, admin, "zone.undelete", fields{"zone": shown.ID})
		if back.Serial != 7 {
			t.Errorf("it came back with serial %d, the primary has 7", back.Serial)
		}
		if err := w.zones.Delist(ctx, w.Bus, catalog, shown.ID); core.CodeOf(err) != core.Conflict {
			t.Errorf("dropped again: %v", err)
		}
		if running, rows := w.digests(shown.ID); running != rows {
			t.Errorf("after it came back the running digest %s is not that of the rows, %s", running, rows)
		}
	})
}

func TestZonesOutliveTheirCatalog(t *testing.T) {
	eachCatalog(t, func(t *testing.T, w *world, catalog string) {
		ctx := context.Background()
		if err := w.zones.Enlist(ctx, w.Bus, catalog, "example.org.", "one", abroad(t, 7)); err != nil {
			t.Fatal(err)
		}
		must[zone.Changed](w, admin, "zone.delete", fields{"zone": catalog}, confirmed)
		shown, _ := must[zone.Shown](w, admin, "zone.show", fields{"zone": "example.org"})
		if err := w.zones.Delist(ctx, w.Bus, catalog, shown.ID); core.CodeOf(err) != core.NotFound {
			t.Errorf("dropped by a catalog that is gone: %v", err)
		}
		must[zone.Changed](w, admin, "zone.delete", fields{"zone": "example.org"}, confirmed)
	})
}
