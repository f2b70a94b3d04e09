package zone_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/rr"
)

func TestADeletedZoneComesBackAsItWas(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		z := w.kranewitt()
		was := w.text(z.ID, 0)
		must[zone.Changed](w, customer, "zone.delete", fields{"zone": z.ID}, confirmed)
		list, _ := must[zone.DeletedZones](w, customer, "zone.deleted.list", fields{"search": "krane"})
		if len(list.Zones) != 1 || list.Zones[0].ID != z.ID || list.Zones[0].At.IsZero() {
			t.Fatalf("the list of deleted zones is %+v", list)
		}
		back, r := must[zone.Changed](w, customer, "zone.undelete", fields{"zone": "kranewitt.example"})
		if back.ID != z.ID || !rr.SerialAfter(back.Serial, z.Serial) || r.State == act.Unchanged {
			t.Errorf("it came back as %+v, %s", back, r.State)
		}
		old, now := fmt.Sprint(z.Serial), fmt.Sprint(back.Serial)
		if got := strings.Replace(w.text(z.ID, 0), now, old, 1); got != was {
			t.Errorf("it came back as\n%s\nand was\n%s", got, was)
		}
		if running, rows := w.digests(z.ID); running != rows {
			t.Errorf("the digest is %s, of the rows %s", running, rows)
		}
		w.fails(core.Conflict, customer, "zone.undelete", fields{"zone": z.ID})
		w.fails(core.NotFound, customer, "zone.undelete", fields{"zone": "kranewitt.example"})
	})
}

func TestANameThatIsTakenMeanwhileKeepsTheOldZoneAway(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		z := w.kranewitt()
		must[zone.Changed](w, customer, "zone.delete", fields{"zone": z.ID}, confirmed)
		other, _ := must[zone.Changed](w, stranger, "zone.create", fields{"name": "kranewitt.example", "nameservers": []string{"ns1.hosting.example"}})
		if said := w.fails(core.Conflict, customer, "zone.undelete", fields{"zone": z.ID}); !strings.Contains(said, "another zone kranewitt.example") {
			t.Errorf("refused with %q", said)
		}
		must[zone.Changed](w, stranger, "zone.delete", fields{"zone": other.ID}, confirmed)
		must[zone.Changed](w, customer, "zone.undelete", fields{"zone": z.ID})
	})
}

func TestDeletedZonesAreSeenInOnesOwnScopeOnly(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		z := w.kranewitt()
		must[zone.Changed](w, customer, "zone.delete", fields{"zone": z.ID}, confirmed)
		for _, who := range []act.Actor{admin, reseller, customer, auditor} {
			if list, _ := must[zone.DeletedZones](w, who, "zone.deleted.list", nil); len(list.Zones) != 1 {
				t.Errorf("%s sees %d deleted zones", who.Name, len(list.Zones))
			}
		}
		if list, _ := must[zone.DeletedZones](w, stranger, "zone.deleted.list", nil); len(list.Zones) != 0 {
			t.Errorf("a stranger sees %+v", list)
		}
		w.fails(core.NotFound, stranger, "zone.undelete", fields{"zone": z.ID})
		w.fails(core.NotFound, stranger, "zone.undelete", fields{"zone": "kranewitt.example"})
	})
}

func TestTheListOfDeletedZonesHasPages(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for i := range 5 {
			owner := []act.Actor{customer, reseller}[i%2]
			z, _ := must[zone.Changed](w, owner, "zone.create", fields{"name": fmt.Sprintf("z%d.example", i), "nameservers": []string{"ns1.hosting.example"}})
			must[zone.Changed](w, owner, "zone.delete", fields{"zone": z.ID}, confirmed)
		}
		var seen []string
		for after, more := "", true; more; {
			page, _ := must[zone.DeletedZones](w, reseller, "zone.deleted.list", fields{"limit": 2, "after": after})
			for _, z := range page.Zones {
				seen = append(seen, z.Name)
			}
			after, more = page.Next, page.Next != ""
		}
		if got := strings.Join(seen, " "); got != "z4.example z3.example z2.example z1.example z0.example" {
			t.Errorf("the pages hold %s", got)
		}
	})
}

func TestARestoreHasTheOldRecordsAndAHigherSerial(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		z := w.kranewitt()
		for i := range 3 {
			must[zone.Changed](w, customer, "zone.record.set", fields{"zone": z.ID, "name": "x", "type": "A", "data": []string{fmt.Sprintf("192.0.2.%d", i+1)}})
		}
		newest, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": z.ID})
		_, r := must[zone.Changed](w, customer, "zone.restore", fields{"zone": z.ID, "version": 2}, preview)
		if r.State != "preview" {
			t.Errorf("a preview answered %s", r.State)
		}
		back, _ := must[zone.Changed](w, customer, "zone.restore", fields{"zone": z.ID, "version": 2}, expect(4))
		if back.Version != 5 || !rr.SerialAfter(back.Serial, newest.Serial) || back.Added != 2 || back.Removed != 2 {
			t.Errorf("the restore made %+v", back)
		}
		if s, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": z.ID, "search": "x.kran"}); s.RRsets[0].Data[0] != "192.0.2.1" {
			t.Errorf("x has %v", s.RRsets)
		}
		if running, rows := w.digests(z.ID); running != rows {
			t.Errorf("the digest is %s, of the rows %s", running, rows)
		}
		if _, r := must[zone.Changed](w, customer, "zone.restore", fields{"zone": z.ID, "version": 2}); r.State != act.Unchanged {
			t.Errorf("once more answered %s", r.State)
		}
		for _, v := range []int{-1, 6} {
			w.fails(core.Invalid, customer, "zone.restore", fields{"zone": z.ID, "version": v})
		}
		w.fails(core.Stale, customer, "zone.restore", fields{"zone": z.ID, "version": 3}, expect(4))
		w.fails(core.NotFound, stranger, "zone.restore", fields{"zone": z.ID, "version": 1})
	})
}

// What signing makes is refused from people; a version from before may hold it.
func TestARestoreLeavesOutWhatSigningMakes(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		z := w.kranewitt()
		must[zone.Changed](w, customer, "zone.record.add", fields{"zone": z.ID, "name": "@", "type": "DNSKEY", "data": "257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ=="})
		must[zone.Changed](w, customer, "zone.record.remove", fields{"zone": z.ID, "name": "@", "type": "DNSKEY"})
		if _, err := w.do(customer, "zone.sign", fields{"zone": z.ID}); err != nil {
			t.Fatal(err)
		}
		must[zone.Changed](w, customer, "zone.record.add", fields{"zone": z.ID, "name": "later", "type": "A", "data": "192.0.2.1"})
		must[zone.Changed](w, customer, "zone.restore", fields{"zone": z.ID, "version": 2})
		if text := w.text(z.ID, 0); strings.Contains(text, "DNSKEY") || strings.Contains(text, "later") {
			t.Errorf("the zone is now\n%s", text)
		}
	})
}

func TestAZoneIsRestoredAndBroughtBackInThePanel(t *testing.T) {
	p := newPanel(t)
	z := p.kranewitt()
	must[zone.Changed](p.world, customer, "zone.record.set", fields{"zone": z.ID, "name": "mail", "type": "A", "data": []string{"192.0.2.99"}})
	b := p.as("shop")
	_, text := b.get("/zones/" + z.ID + "/history")
	holdsAll(t, "the history", text, `name="from"`, `name="to"`, "Compare the two", "restore=1")
	_, text = b.get("/zones/" + z.ID + "/history?from=2&to=1")
	holdsAll(t, "the comparison", text, "Version 2 to 1", "mail.kranewitt.example. A")
	_, text = b.get("/zones/" + z.ID + "/history?restore=1")
	holdsAll(t, "the page", text, "Restoring version 1", "mail.kranewitt.example. A", "192.0.2.25", "Restore version 1")
	form := b.form(text)
	form.Set("_do", "run")
	if status, to := b.send("zone.restore", form); status != http.StatusSeeOther || to != "/zones/"+z.ID {
		t.Fatalf("%d %s", status, to)
	}
	if got := p.ask("mail.kranewitt.example.", 1); got != "192.0.2.25" {
		t.Errorf("the nameserver says %s", got)
	}
	must[zone.Changed](p.world, customer, "zone.delete", fields{"zone": z.ID}, confirmed)
	_, text = b.get("/zones/deleted")
	holdsAll(t, "the deleted zones", text, "kranewitt.example", "Bring back")
	if status, to := b.send("zone.undelete", map[string][]string{"zone": {z.ID}, "_next": {"/zones/" + z.ID}, "_do": {"run"}, "_key": {core.NewID("web")}}); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, to)
	}
	if got := p.ask("mail.kranewitt.example.", 1); got != "192.0.2.25" {
		t.Errorf("the nameserver says %s after the zone came back", got)
	}
}
