package zone_test

import (
	"net/http"
	"strings"
	"testing"

	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/store/storetest"
)

func TestPastedLinesAreAdded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		z := w.kranewitt()
		out, _ := must[zone.Changed](w, customer, "zone.paste", fields{"zone": z.ID, "text": `
@  NS ns1.old-host.example.
fresh 300 IN A 192.0.2.1
fresh 300 IN A 192.0.2.2
full.kranewitt.example 60 IN A 192.0.2.3
host$ 60 A 192.0.2.9
$GENERATE 1-2 n$ 60 A 192.0.2.$
@ 60 DNSKEY 257 3 13 mdsswUyr3DPW132mOi8V9xESWE8jTo0dxCjjnopKl+GqJxpVXckHAeF+KkxLbxILfDLUT0rAK9iUzy1L53eKGQ==
fresh 300 RRSIG A 13 3 300 20300101000000 20200101000000 1 kranewitt.example. AAAA
`})
		said := strings.Join(out.Warnings, "; ")
		for _, part := range []string{"NS is left out", "DNSKEY is left out", "final dot is missing", "RRSIG"} {
			if !strings.Contains(said, part) {
				t.Errorf("the answer does not say %q: %s", part, said)
			}
		}
		text := w.text(z.ID, 0)
		for _, part := range []string{"192.0.2.2", "192.0.2.3", "n2 "} {
			if !strings.Contains(text, part) {
				t.Errorf("%s is not in the zone", part)
			}
		}
		if strings.Contains(text, "old-host") || strings.Contains(text, "DNSKEY") || strings.Contains(text, "kranewitt.example.kranewitt") {
			t.Errorf("the zone is\n%s", text)
		}
		if running, rows := w.digests(z.ID); running != rows {
			t.Errorf("the digest is %s, of the rows %s", running, rows)
		}
	})
}

func TestAPastedFileReplacesTheRecordsAndKeepsTheNameservers(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		z := w.kranewitt()
		text := "@ SOA ns1.old.example. hostmaster.old.example. 1 2 3 4 5\n@ NS ns1.old.example.\nonly 60 A 192.0.2.1\n"
		must[zone.Changed](w, customer, "zone.paste", fields{"zone": z.ID, "text": text, "how": "replace"})
		s, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": z.ID})
		if s.Sets != 3 || strings.Contains(w.text(z.ID, 0), "old.example") {
			t.Errorf("the zone is\n%s", w.text(z.ID, 0))
		}
		must[zone.Changed](w, customer, "zone.paste", fields{"zone": z.ID, "text": text, "how": "replace", "apex": true})
		if got := w.text(z.ID, 0); !strings.Contains(got, "ns1.old.example.") {
			t.Errorf("the zone is\n%s", got)
		}
	})
}

func TestAPastedTextWithFaultsChangesNothing(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), nil)
	z := w.kranewitt()
	before := w.rows()
	for text, want := range map[string]string{
		"www A nowhere\n":                       "line 1",
		"a A 192.0.2.1\n$INCLUDE other\n":       "line 2",
		"x.elsewhere.example. A 192.0.2.1\n":    "zone kranewitt.example",
		"mail CNAME www\n":                      "CNAME",
		"$ORIGIN other.example.\nw A 192.0.2.1": "zone kranewitt.example",
	} {
		if said := w.fails(core.Invalid, customer, "zone.paste", fields{"zone": z.ID, "text": text}); !strings.Contains(said, want) {
			t.Errorf("%q is refused with %s", text, said)
		}
	}
	w.fails(core.NotFound, stranger, "zone.paste", fields{"zone": z.ID, "text": "a A 192.0.2.1\n"})
	if w.rows() != before {
		t.Error("something was changed")
	}
}

func TestTextIsPastedInThePanelAfterLookingAtTheDifference(t *testing.T) {
	p := newPanel(t)
	z := p.kranewitt()
	b := p.as("shop")
	_, text := b.get("/zones/" + z.ID + "/paste")
	form := b.form(text)
	form.Set("text", "fresh 300 A 192.0.2.1\n")
	form.Set("_do", "preview")
	_, text = b.send("zone.paste", form)
	holdsAll(t, "the preview", text, "What would happen", "fresh.kranewitt.example. A", "300 192.0.2.1")
	form = b.form(text)
	form.Set("_do", "run")
	if status, to := b.send("zone.paste", form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, to)
	}
	if got := p.ask("fresh.kranewitt.example.", 1); got != "192.0.2.1" {
		t.Errorf("the nameserver says %s", got)
	}
}
