package zone_test

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
	"testing"

	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/store/storetest"
)

func TestACheckNamesTheLineOfEachFault(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), nil)
	z := w.kranewitt()
	ask := func(lines ...fields) zone.Checked {
		out, _ := must[zone.Checked](w, customer, "zone.check", fields{"zone": z.ID, "changes": lines})
		return out
	}
	one := ask(line("add", "www2", "A", "", "300.1.1.1"))
	if len(one.Faults) != 1 || one.Faults[0].Line != 0 || one.Faults[0].Field != "data" {
		t.Errorf("one bad line: %+v", one)
	}
	two := ask(line("add", "ok", "A", "", "192.0.2.1"), line("add", "www2", "A", "soon", "192.0.2.1"))
	if len(two.Faults) != 1 || two.Faults[0].Line != 1 || two.Faults[0].Field != "ttl" {
		t.Errorf("a bad second line: %+v", two)
	}
	whole := ask(line("add", "mail", "CNAME", "", "www"))
	if len(whole.Faults) == 0 || whole.Faults[0].Line != -1 || whole.Diff != nil {
		t.Errorf("a CNAME beside others: %+v", whole)
	}
	good := ask(line("add", "fresh", "A", "300", "192.0.2.7"))
	if len(good.Faults) != 0 || !slices.Equal(good.Diff, []string{"+ fresh.kranewitt.example. 300 IN A 192.0.2.7"}) {
		t.Errorf("a good line: %+v", good)
	}
	part := func(name, typ string, parts ...string) fields {
		return fields{"action": "add", "name": name, "type": typ, "parts": parts}
	}
	for _, c := range []struct {
		line fields
		at   string
	}{
		{part("x", "MX", "10", ""), "parts.1"}, {part("x", "CAA", "0", "issues", "ca.example"), "parts.1"}, {part("x", "A", "192.0.2.300"), "parts.0"},
		{part("x", "TLSA", "3", "1", "1", "digest"), "parts.3"}, {part("x", "TYPE65400", "1"), "data"}, {part("x", "MX", "10", "mail.example.net."), ""},
		{part("x", "CNAME", "www.kranewitt.example"), "parts.0"}, {part("x", "HTTPS", "1", ".", "port=x"), "parts.2"},
	} {
		out := ask(c.line)
		if c.at == "" && len(out.Faults) != 0 || c.at != "" && (len(out.Faults) != 1 || out.Faults[0].Line != 0 || out.Faults[0].Field != c.at) {
			t.Errorf("%v: %+v, want one of %q", c.line, out.Faults, c.at)
		}
	}
	text := ask(part("x", "TXT", `say "no"`))
	if len(text.Faults) != 0 || !slices.Equal(text.Diff, []string{`+ x.kranewitt.example. 3600 IN TXT "say \"no\""`}) {
		t.Errorf("free text: %+v", text)
	}
	if none := ask(); none.Faults != nil || none.Diff != nil {
		t.Errorf("nothing at all: %+v", none)
	}
	w.fails(core.NotFound, stranger, "zone.check", fields{"zone": z.ID})
}

func TestTextNeedsNoQuotesAndIsCutIntoPieces(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t), nil)
	z := w.kranewitt()
	long := "v=DKIM1; k=rsa; p=" + strings.Repeat("A", 400)
	escapes := strings.Repeat("A", 254) + `\"` + "B"
	for _, c := range []struct{ data, want string }{
		{"v=spf1 mx -all", `"v=spf1 mx -all"`},
		{`"v=spf1 mx -all"`, `"v=spf1 mx -all"`},
		{`"two" "texts"`, `"two" "texts"`},
		{`C:\new`, `"C:\\new"`},
		{long, `"` + long[:255] + `" "` + long[255:] + `"`},
		{`"` + long + `"`, `"` + long[:255] + `" "` + long[255:] + `"`},
		{strings.Repeat("A", 254) + `\B`, `"` + strings.Repeat("A", 254) + `\\" "B"`},
		{"grün", `"gr\195\188n"`},
	} {
		must[zone.Changed](w, customer, "zone.edit", fields{"zone": z.ID, "changes": []fields{line("set", "t", "TXT", "", c.data)}})
		s, _ := must[zone.Shown](w, customer, "zone.show", fields{"zone": z.ID, "search": "t.kranewitt", "type": "TXT"})
		if got := s.RRsets[0].Data[0]; got != c.want {
			t.Errorf("%s became %s, want %s", c.data, got, c.want)
		}
	}
	w.fails(core.Invalid, customer, "zone.edit", fields{"zone": z.ID, "changes": []fields{line("set", "t", "TXT", "", `"`+escapes)}})
}

// Several records are deleted, or get another TTL, in one change set that is
// looked at first; no JavaScript runs here.
func TestSeveralRecordsAreChangedAtOnce(t *testing.T) {
	p := newPanel(t)
	z := p.kranewitt()
	b := p.as("shop")
	at := "/zones/" + z.ID + "/edit?set=" + url.QueryEscape("mail.kranewitt.example. A") + "&set=" + url.QueryEscape("kranewitt.example. TXT")
	_, text := b.get(at + "&do=ttl&ttl=2h")
	form := b.form(text)
	form.Set("_do", "run")
	if status, to := b.send("zone.edit", form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, to)
	}
	if got := p.records(z.ID, "mail.kranewitt.example. A"); got[0] != "7200 192.0.2.25" {
		t.Errorf("mail has %q", got)
	}
	_, text = b.get(at + "&do=remove")
	holdsAll(t, "the page", text, "Delete records", `data-check="zone.check"`)
	form = b.form(text)
	if form.Get("changes.1.action") != "remove" || form.Get("changes.1.data") != "" {
		t.Errorf("the form begins with %v", form)
	}
	form.Set("_do", "run")
	if status, to := b.send("zone.edit", form); status != http.StatusSeeOther {
		t.Fatalf("%d %s", status, to)
	}
	left, _ := must[zone.Shown](p.world, customer, "zone.show", fields{"zone": z.ID, "only": []string{"mail.kranewitt.example. A", "kranewitt.example. TXT"}})
	if left.Found != 0 {
		t.Errorf("there still is %+v", left.RRsets)
	}
}
