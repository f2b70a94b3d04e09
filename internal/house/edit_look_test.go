package house_test

import (
	"testing"

	"hostward/internal/face/web/webtest"
	"hostward/internal/store/storetest"
)

// TestTheZoneEditorInChromium writes records as a customer does, sees what is
// wrong and what would change before anything is sent, and goes back afterwards.
func TestTheZoneEditorInChromium(t *testing.T) {
	w := emptyWorld(t, storetest.SQLite(t))
	w.populate()
	page := "/zones/" + w.zone()
	b := w.openPanel(t)
	b.Session(w.people["customer"].cookie)
	b.As(webtest.Light)
	b.Open(page + "/edit")
	b.Fill("changes.0.name", "shop")
	b.Fill("changes.0.type", "AAAA")
	b.Fill("changes.0.data", "192.0.2.9")
	b.Until(`document.querySelector('.member .fault:not([hidden])')?.textContent.includes('IPv6')`)
	b.Check("a fault while typing")
	b.Shot("edit-fault")
	webtest.Eval[string](b, `document.querySelector('[name="changes.0.type"]').value = ''`)
	b.Fill("changes.0.type", "A")
	b.Until(`document.querySelector('.check-said')?.textContent.includes('192.0.2.9') && !document.querySelector('.member .fault:not([hidden])')`)
	b.Fill("changes.1.name", "shop2")
	b.Fill("changes.1.type", "TXT")
	b.Fill("changes.1.data", "v=spf1 -all")
	b.Until(`document.querySelector('.check-said')?.textContent.includes('"v=spf1 -all"')`)
	b.Check("a row that the page added")
	b.Shot("edit-diff")
	b.Click("button.main[value=run]")
	b.Until(`location.pathname === '` + page + `' && document.querySelector('main').textContent.includes('192.0.2.9')`)
	b.Click("#q")
	b.Press("shop2")
	b.Until(`document.querySelectorAll('#records tbody tr:not([hidden])').length === 1`)
	b.Visit("edit-zone", page)
	b.As(webtest.Light)
	b.Visit("edit-restore", page+"/history?restore=1")
	b.As(webtest.Light)
	b.Open(page + "/history?restore=1")
	b.Click("form[action='/do/zone.restore'] button[value=run]")
	b.Until(`location.pathname === '` + page + `' && location.search === '' && document.querySelector('main') && !document.querySelector('main').textContent.includes('192.0.2.9')`)
	b.Visit("edit-deleted", "/zones/deleted")
	for name, at := range map[string]string{"edit-paste": page + "/paste", "edit-template": page + "/template", "edit-bulk": "/zones/bulk?type=A&from=192.0.2.80&to=198.51.100.1"} {
		b.Visit(name, at)
	}
}
