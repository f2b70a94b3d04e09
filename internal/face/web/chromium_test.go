package web_test

import (
	"fmt"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/face/web/webtest"
)

// tab is a browser that looks at a panel.
type tab struct {
	*webtest.Tab
	p *panel
}

func openTab(t *testing.T, p *panel, who *act.Actor) *tab {
	t.Helper()
	b := &tab{webtest.Open(t, p.URL), p}
	if who != nil {
		b.Session(p.sessions.open(*who).Reveal())
	}
	return b
}

func (b *tab) at(path string) {
	b.T.Helper()
	b.Until(fmt.Sprintf(`document.readyState === 'complete' && (location.pathname + location.search) === %q`, path))
}

type stop struct{ name, path string }

// stops are the pages that every look is tested on.
func (p *panel) stops(t *testing.T) []stop {
	id := p.zone(t, admin, "example.org", record{"@", "MX", 0, "10 mail.example.org."}, record{"www", "A", 300, "192.0.2.80"},
		record{"_dmarc", "TXT", 0, strings.Repeat("v=DMARC1; p=reject; ", 12)}, record{"<script>alert(1)</script>", "TXT", 0, `"><img src=x onerror=alert(1)>`})
	for i := range 70 {
		p.zone(t, admin, fmt.Sprintf("%s%d.example", []string{"bakery", "north-sea-charters", "kita", "atelier", "xn--mnchen-3ya"}[i%5], i), make([]record, 0)...)
	}
	return []stop{{"overview", "/"}, {"zones", "/zones"}, {"zone", "/zones/" + id}, {"new", "/zones/new"}, {"log", "/log"}, {"record", "/log/r_1"}, {"empty", "/empty"},
		{"tasks", "/tasks"}, {"do", "/do/zone.create"}, {"delete", "/do/zone.delete?zone=" + id + "&_next=/zones"}, {"query", "/do/zone.list?most=10"}, {"search", "/search?q=exam"}, {"nothing", "/search?q=zzz"}, {"missing", "/nowhere"}}
}

func TestEveryPageIsAccessibleAndKeepsThePolicyInEveryLook(t *testing.T) {
	p := newPanel(t)
	b := openTab(t, p, &admin)
	messages := b.Console()
	for _, s := range p.stops(t) {
		b.Visit(s.name, s.path)
	}
	b.Quiet(messages, "404") // the page that is missing
}

func TestThePagesOfTheWayInAreAccessible(t *testing.T) {
	p := newPanel(t)
	b := openTab(t, p, nil)
	b.Visit("login", "/login")
	b.Visit("setup", "/setup")
}
