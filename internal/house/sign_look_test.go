package house_test

import (
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/face/web/webtest"
	"hostward/internal/store/storetest"
)

// TestSigningInChromium signs a zone as a customer does, waits with it, and reads
// what the registrar is to be told.
func TestSigningInChromium(t *testing.T) {
	w := emptyWorld(t, storetest.SQLite(t))
	w.populate()
	id := w.zone()
	b := w.openPanel(t)
	b.Session(w.people["customer"].cookie)
	b.As(webtest.Light)
	page := "/zones/" + id + "/signing"
	b.Open("/zones/" + id)
	b.Click("a[href='" + page + "']")
	says(b, "This zone is not signed")
	b.Visit("signing-none", page)
	b.As(webtest.Light)
	b.Click("form[action='/do/zone.sign'] button")
	says(b, "Time line")
	b.Visit("signing-begun", page)
	b.As(webtest.Light)
	for range 20 { // until no resolver can remember unsigned answers
		w.must(act.SystemActor("test"), "zone.key.turn", map[string]any{"zone": id, "parent": []any{map[string]any{"name": "a.example", "failed": false, "ds": []string{}, "ttl": 3600}}})
		w.pass(20 * time.Minute)
		b.Open(page) // who does nothing for long is logged out
	}
	says(b, "For the registrar")
	b.Visit("signing-ds", page)
	b.As(webtest.Light)
	b.Click("form[action='/do/zone.key.roll'] button")
	says(b, "another one takes its place")
	b.Visit("signing-roll", page)
}
