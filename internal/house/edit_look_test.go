package house_test

import (
	"archive/zip"
	"bytes"
	"encoding/base64"
	"fmt"
	"io"
	"net/url"
	"strings"
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
	b.Until(`document.querySelector('[name="changes.0.parts.0"]') && document.querySelector('.row-hint').textContent.includes('IPv6')`)
	b.Fill("changes.0.parts.0", "192.0.2.9")
	b.Until(`document.querySelector('.parts .fault:not([hidden])')?.textContent.includes('IPv6')`)
	b.Check("a fault while typing")
	b.Shot("edit-fault")
	webtest.Eval[string](b, `document.querySelector('[name="changes.0.type"]').value = ''`)
	b.Fill("changes.0.type", "A")
	b.Until(`document.querySelector('.parts').dataset.kind === 'A' && document.querySelector('[name="changes.0.parts.0"]').value === '192.0.2.9'`)
	b.Until(`document.querySelector('.check-said')?.textContent.includes('192.0.2.9') && !document.querySelector('.member .fault:not([hidden])')`)
	b.Fill("changes.1.name", "shop2")
	b.Fill("changes.1.type", "TXT")
	b.Fill("changes.1.parts.0", "v=spf1 -all")
	b.Until(`document.querySelector('.check-said')?.textContent.includes('"v=spf1 -all"')`)
	b.Fill("changes.2.type", "SRV")
	b.Until(`document.querySelector('[name="changes.2.name"]').placeholder.includes('_sip._tcp')`)
	b.Fill("changes.2.name", "_sip._tcp")
	for i, v := range []string{"0", "5", "99999", "sip"} {
		b.Fill(fmt.Sprintf("changes.2.parts.%d", i), v)
	}
	b.Until(`document.querySelector('[id="f-zone-edit-changes-2-parts-2-said"]')?.textContent.includes('65535')`)
	b.Check("a row that the page added")
	b.Shot("edit-srv")
	webtest.Eval[string](b, `document.querySelector('[name="changes.2.parts.2"]').value = ''`)
	b.Fill("changes.2.parts.2", "5060")
	b.Until(`document.querySelector('.check-said')?.textContent.includes('0 5 5060 sip')`)
	b.Shot("edit-diff")
	b.Click("button[value='as:text']")
	b.Until(`document.querySelector('[name="changes.2.data"]')?.value === '0 5 5060 sip' && !document.querySelector('.parts')`)
	b.Click("button[value='as:parts']")
	b.Until(`document.querySelector('[name="changes.2.parts.3"]')?.value === 'sip'`)
	b.Click("button.main[value=run]")
	b.Until(`location.pathname === '` + page + `' && document.querySelector('main').textContent.includes('192.0.2.9')`)
	b.Click("#q")
	b.Press("shop2")
	b.Until(`document.querySelectorAll('#records tbody tr:not([hidden])').length === 1`)
	for _, typ := range []string{"MX", "CAA", "TLSA", "LOC", "MX&text=1"} {
		b.Visit("edit-"+strings.ToLower(typ), page+"/edit?type="+typ)
		b.As(webtest.Light)
	}
	name := webtest.Eval[string](b, `document.querySelector('h1 .soft').textContent`) + "."
	b.Visit("edit-many", page+"/edit?set="+url.QueryEscape(name+" NS")+"&set="+url.QueryEscape(name+" SOA")+"&set="+url.QueryEscape("www."+name+" A")+"&set="+url.QueryEscape("_sip._tcp."+name+" SRV"))
	b.As(webtest.Light)
	b.Visit("edit-zone", page)
	b.As(webtest.Light)
	b.Visit("edit-restore", page+"/history?restore=1")
	b.As(webtest.Light)
	b.Open(page + "/history?restore=1")
	b.Click("form[action='/do/zone.restore'] button[value=run]")
	b.Until(`location.pathname === '` + page + `' && location.search === '' && document.querySelector('main') && !document.querySelector('main').textContent.includes('192.0.2.9')`)
	b.Visit("edit-deleted", "/zones/deleted")
	b.As(webtest.Light)
	b.Open("/zones/import/many")
	webtest.Eval[string](b, `(() => { const d = new DataTransfer(); d.items.add(new File([Uint8Array.from(atob('`+archive(t)+`'), c => c.charCodeAt(0))], 'zones.zip'));
		document.querySelector('#f-zone-bulk-import input[type=file]').files = d.files; return ''; })()`)
	b.Click("#f-zone-bulk-import button.danger")
	b.Until(`document.querySelector('.plan')?.textContent.includes('line 4')`)
	b.Check("what many files would do")
	b.Shot("edit-many-files")
	b.As(webtest.Phone)
	b.Shot("edit-many-files-phone")
	b.As(webtest.Light)
	b.Click("#f-zone-bulk-import button.sure")
	b.Until(`location.pathname === '/jobs' && document.querySelector('main')?.textContent.includes('zone.bulk.import')`)
	b.Until(`(async () => (await (await fetch('/zones?q=orchard')).text()).includes('orchard.example'))()`)
	for name, at := range map[string]string{"edit-paste": page + "/paste", "edit-template": page + "/template", "edit-bulk": "/zones/bulk?type=A&from=192.0.2.80&to=198.51.100.1"} {
		b.Visit(name, at)
	}
}

// archive is a zip of two zone files in base64; one has a fault.
func archive(t *testing.T) string {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for name, more := range map[string]string{"orchard.example.zone": "", "db.meadow.example": "mail A nowhere\n"} {
		f, err := z.Create(name)
		if err == nil {
			_, err = io.WriteString(f, "$TTL 1h\n@ SOA ns1.example.net. h.example.net. 1 4h 1h 2w 15m\n@ NS ns1.example.net.\n"+more)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if err := z.Close(); err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(b.Bytes())
}
