package zone_test

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/store/storetest"
)

// many makes zones that share an address.
func (w *world) many(who act.Actor, prefix string, n int) (ids []string) {
	w.t.Helper()
	for i := range n {
		z, _ := must[zone.Changed](w, who, "zone.create", fields{"name": fmt.Sprintf("%s%d.example", prefix, i), "nameservers": []string{"ns1.hosting.example"}})
		must[zone.Changed](w, who, "zone.edit", fields{"zone": z.ID, "changes": []fields{
			line("add", "@", "A", "300", "192.0.2.80"), line("add", "www", "A", "", "192.0.2.80"), line("add", "www", "A", "", "192.0.2.8"), line("add", "x", "A", "", "192.0.2.180")}})
		ids = append(ids, z.ID)
	}
	return ids
}

func (w *world) ended() string {
	w.t.Helper()
	select {
	case s := <-w.ends:
		return s
	case <-time.After(generous):
		w.t.Fatal("the job does not end")
		return ""
	}
}

func TestAnAddressIsReplacedInAllZonesOfOnesOwn(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		mine, others := w.many(customer, "mine", 5), w.many(stranger, "other", 2)
		in := fields{"type": "a", "from": "192.0.2.80", "to": "198.51.100.1"}
		found, _ := must[zone.Matches](w, customer, "zone.bulk.find", in)
		if found.Zones != 5 || len(found.Records) != 10 || found.More {
			t.Fatalf("found %+v", found)
		}
		if _, err := w.do(customer, "zone.bulk.replace", in, confirmed); err != nil {
			t.Fatal(err)
		}
		if got := w.ended(); got != "replaced 10 records in 5 zones" {
			t.Errorf("the job ended with %s", got)
		}
		for _, id := range mine {
			s, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": id, "type": "A"})
			if got := fmt.Sprint(s.RRsets[0].TTL, s.RRsets[0].Data, s.RRsets[1].Data, s.RRsets[2].Data); got != "300 [198.51.100.1] [192.0.2.8 198.51.100.1] [192.0.2.180]" || s.Version != 3 {
				t.Errorf("%s has %s, version %d", s.Name, got, s.Version)
			}
			if running, rows := w.digests(id); running != rows {
				t.Errorf("the digest is %s, of the rows %s", running, rows)
			}
		}
		for _, id := range others {
			if s, _ := must[zone.Shown](w, stranger, "zone.show", fields{"zone": id}); s.Version != 2 {
				t.Errorf("%s of somebody else was changed", s.Name)
			}
		}
	})
}

func TestAReplacementThatAZoneRefusesIsCounted(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), nil)
	w.many(customer, "mine", 2)
	for _, name := range []string{"mine0.example", "mine1.example"} {
		must[zone.Changed](w, customer, "zone.edit", fields{"zone": name, "changes": []fields{line("add", "@", "MX", "", "10 b.example.net.")}})
	}
	must[zone.Changed](w, customer, "zone.edit", fields{"zone": "mine0.example", "changes": []fields{line("add", "@", "MX", "", "20 c.example.net.")}})
	// In the first zone the null MX would stand beside another (RFC 7505 3).
	if _, err := w.do(customer, "zone.bulk.replace", fields{"type": "MX", "from": "10 b.example.net", "to": "0 ."}, confirmed); err != nil {
		t.Fatal(err)
	}
	if got := w.ended(); !strings.HasPrefix(got, "replaced 1 record in 1 zone; 1 zone was refused, the first is mine0.example: ") {
		t.Errorf("the job ended with %s", got)
	}
	if s, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": "mine0.example", "type": "MX"}); s.RRsets[0].Data[0] != "10 b.example.net." {
		t.Errorf("the refused zone has %v", s.RRsets[0].Data)
	}
}

func TestAReplacementNeedsTwoKindsOfDataThatDiffer(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), nil)
	for _, in := range []fields{
		{"type": "A", "from": "192.0.2.1", "to": "192.0.2.1"}, {"type": "A", "from": "x", "to": "192.0.2.1"},
		{"type": "SOA", "from": "a", "to": "b"}, {"type": "NOPE", "from": "a", "to": "b"},
	} {
		w.fails(core.Invalid, customer, "zone.bulk.find", in)
	}
	w.fails(core.Denied, auditor, "zone.bulk.find", fields{"type": "A", "from": "192.0.2.1", "to": "192.0.2.2"})
}

func TestAReplacementIsLookedAtInThePanelFirst(t *testing.T) {
	p := newPanel(t)
	p.many(customer, "mine", 2)
	b := p.as("shop")
	if status, text := b.get("/zones/bulk?type=A&from=192.0.2.80&to=nowhere"); status != http.StatusOK {
		t.Fatalf("%d %s", status, text)
	}
	_, text := b.get("/zones/bulk?type=A&from=192.0.2.80&to=198.51.100.1")
	holdsAll(t, "the page", text, "mine1.example", "www.mine0.example.", "Replace them all", "4\u00a0records")
	form := b.form(text)
	form.Set("_do", "run")
	form.Set("_confirmed", "1")
	if status, to := b.send("zone.bulk.replace", form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, to)
	}
	if got := p.ended(); got != "replaced 4 records in 2 zones" {
		t.Errorf("the job ended with %s", got)
	}
}
