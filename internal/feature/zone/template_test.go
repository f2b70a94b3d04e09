package zone_test

import (
	"strings"
	"testing"

	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/store/storetest"
)

func (w *world) fresh() zone.Changed {
	w.t.Helper()
	z, _ := must[zone.Changed](w, customer, "zone.create", fields{"name": "fresh.example", "nameservers": []string{"ns1.hosting.example"}})
	return z
}

func TestEachTemplateMakesAZoneThatIsValid(t *testing.T) {
	list, _ := must[zone.Templates](newWorld(t, storetest.SQLite(t), nil), customer, "zone.template.list", nil)
	if len(list.Templates) < 8 {
		t.Errorf("there are only %d templates", len(list.Templates))
	}
	for _, p := range list.Templates {
		name := p.Name
		t.Run(name, func(t *testing.T) {
			w := newWorld(t, storetest.SQLite(t), nil)
			z := w.fresh()
			in := fields{"zone": z.ID, "template": name, "ip4": "192.0.2.1", "ip6": "2001:db8::1", "mail": "mail.hosting.example", "value": "20260101", "name": "s1"}
			out, _ := must[zone.Changed](w, customer, "zone.template.apply", in)
			if out.Added < 2 || len(out.Warnings) > 0 && name != "no-mail" {
				t.Errorf("%+v", out)
			}
			if _, r := must[zone.Changed](w, customer, "zone.template.apply", in); r.State != "unchanged" {
				t.Errorf("the second time it answered %s", r.State)
			}
		})
	}
}

func TestATemplateNamesWhatIsThereAndDoublesNothing(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		z := w.fresh()
		must[zone.Changed](w, customer, "zone.template.apply", fields{"zone": z.ID, "template": "google-workspace"})
		in := fields{"zone": z.ID, "template": "no-mail"}
		out, _ := must[zone.Changed](w, customer, "zone.template.apply", in)
		said := strings.Join(out.Warnings, "; ")
		if !strings.Contains(said, "1 smtp.google.com. is") && !strings.Contains(said, "(1 smtp.google.com.) and stays") {
			t.Errorf("it does not name the MX: %s", said)
		}
		if text := w.text(z.ID, 0); strings.Count(text, "v=spf1") != 1 || !strings.Contains(text, "smtp.google.com") {
			t.Errorf("the zone is\n%s", text)
		}
		in["existing"] = "replace"
		must[zone.Changed](w, customer, "zone.template.apply", in)
		if text := w.text(z.ID, 0); strings.Count(text, "v=spf1") != 1 || strings.Contains(text, "google") {
			t.Errorf("the zone is\n%s", text)
		}
	})
}

func TestATemplateLeavesOutWhatHasNoValue(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), nil)
	z := w.fresh()
	out, _ := must[zone.Changed](w, customer, "zone.template.apply", fields{"zone": z.ID, "template": "web", "ip4": "192.0.2.1"})
	if said := strings.Join(out.Warnings, "; "); !strings.Contains(said, "ip6 is empty") {
		t.Errorf("it says %s", said)
	}
	w.fails(core.Invalid, customer, "zone.template.apply", fields{"zone": z.ID, "template": "verification"})
	w.fails(core.Invalid, customer, "zone.template.apply", fields{"zone": z.ID, "template": "web", "ip4": "nowhere"})
	w.fails(core.NotFound, stranger, "zone.template.apply", fields{"zone": z.ID, "template": "no-mail"})
}
