package house_test

import (
	"fmt"
	"strings"
	"testing"

	"hostward/internal/face/web/webtest"
	"hostward/internal/store/storetest"
)

// TestTheFirewallInChromium opens a service to a set, adds rules and puts them in
// order, and is kept from shutting itself out, as an administrator does.
func TestTheFirewallInChromium(t *testing.T) {
	w := emptyWorld(t, storetest.SQLite(t))
	w.populate()
	b := w.openPanel(t)
	b.Session(w.people["administrator"].cookie)
	b.As(webtest.Light)
	b.Open("/firewall")
	says(b, "MySQL and MariaDB")
	says(b, "by default")
	b.Open("/firewall/sets/new")
	b.Fill("set", "office")
	b.Fill("networks", "192.0.2.0/24\n2001:db8::/32")
	b.Click("form[action='/do/firewall.set.put'] .foot button")
	at(b, "/firewall")
	says(b, "@office")
	b.Open("/firewall/services/mysql")
	says(b, "better closed")
	refill(b, "to", "@office, 198.51.100.7")
	b.Click(".foot button")
	at(b, "/firewall")
	says(b, "service mysql")
	for _, comment := range []string{"monitoring", "backup"} {
		b.Open("/firewall/rules/new")
		b.Fill("ports", "9100")
		b.Fill("comment", comment)
		b.Click(".foot button")
		at(b, "/firewall")
		says(b, comment)
	}
	b.Click("form[action='/do/firewall.rule.move'] button")
	b.Until(`document.querySelector("[aria-label=Rules] tbody tr")?.innerText.includes("backup")`)
	b.Open("/firewall/services/panel")
	refill(b, "to", "nobody")
	b.Click(".foot button")
	says(b, "shut out")
	w.must(console, "firewall.setting.change", map[string]any{"output": "deny", "containers": "closed"})
	b.Visit("firewall", "/firewall")
	b.As(webtest.Light)
	b.Visit("firewall-service", "/firewall/services/imap")
	b.Visit("firewall-rule", "/firewall/rules/new")
	b.Visit("firewall-sets", "/firewall/sets/new")
	b.Visit("firewall-set", "/firewall/sets/office")
}

// TestALargeFirewallIsOrdered: 100,000 networks are set, and ordered, with records
// that stay small.
func TestALargeFirewallIsOrdered(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	var file strings.Builder
	for i := range 100_000 {
		fmt.Fprintf(&file, "10.%d.%d.%d\n", i>>15, i>>7&255, i&127*2)
	}
	w.must(console, "firewall.set.load", map[string]any{"set": "blocklist", "file": file.String()})
	w.must(console, "firewall.rule.add", map[string]any{"direction": "input", "action": "drop", "protocol": "any", "peers": "@blocklist"})
	r := w.must(console, "control.apply", map[string]any{"control": "firewall"})
	if r.Record == "" {
		t.Errorf("it left no record: %+v", r)
	}
}
