package house_test

import (
	"testing"

	"hostward/internal/face/web/webtest"
	"hostward/internal/store/storetest"
)

// TestNameserversInChromium makes a key and adds a nameserver as an administrator
// does, and lets a key change records as a customer does.
func TestNameserversInChromium(t *testing.T) {
	w := emptyWorld(t, storetest.SQLite(t))
	w.populate()
	id := w.zone()
	name := fields(w.must(console, "zone.show", map[string]any{"zone": id}).Output)["name"].(string)
	b := w.openPanel(t)
	b.Session(w.people["administrator"].cookie)
	b.As(webtest.Light)
	b.Open("/peers")
	says(b, "No other nameserver yet")
	b.Open("/keys/new")
	b.Fill("name", "transfer.example")
	b.Click(".foot button")
	says(b, "Copy this now")
	b.Check("tsig-made")
	w.given = append(w.given, shown(b, ".once code"))
	b.Open("/peers/new")
	b.Check("peer-new")
	b.Fill("name", "ns2.example.net")
	b.Fill("key", "transfer.example")
	b.Fill("notify", "127.0.0.1:9")
	b.Click(".foot button")
	at(b, "/peers")
	says(b, "ns2.example.net")
	b.Visit("peers", "/peers")

	b.Session(w.people["customer"].cookie)
	b.As(webtest.Light)
	b.Open("/keys/new")
	b.Fill("name", "acme."+name)
	b.Click(".foot button")
	says(b, "Copy this now")
	b.Click("main a.button.main")
	says(b, "For certificates by DNS")
	b.Fill("zone", name)
	b.Check("tsig-allow")
	b.Click(".foot button")
	at(b, "/keys")
	says(b, "_acme-challenge."+name)
	b.Visit("keys", "/keys")
	b.As(webtest.Light)
	b.Visit("zones", "/zones")
	b.As(webtest.Light)
	b.Visit("zone-fetch", "/zones/fetch")
}
