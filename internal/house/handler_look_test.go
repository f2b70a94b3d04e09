package house_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/chromedp/chromedp"

	"hostward/internal/face/web/webtest"
	"hostward/internal/store/storetest"
)

// TestHandlersInChromium sets the handler policy, excepts a folder, and hands in
// files of IIS, as an administrator does.
func TestHandlersInChromium(t *testing.T) {
	w := emptyWorld(t, storetest.SQLite(t))
	w.populate()
	b := w.openPanel(t)
	b.Session(w.people["administrator"].cookie)
	b.As(webtest.Light)
	b.Open("/handlers")
	says(b, "as Apache’s own configuration lets them")
	says(b, "not tested on a real server")
	b.Click("main details:first-of-type summary")
	b.Fill("handlers", "forbidden")
	b.Click("form[action='/do/handler.set'] .foot button")
	at(b, "/handlers")
	says(b, "sites choose no handlers by .htaccess")
	b.Open("/do/handler.exception.add")
	b.Fill("folder", "/var/www/*")
	b.Click(".foot button")
	says(b, "without wildcards")
	b.Open("/do/handler.exception.add")
	b.Fill("folder", "/var/www/old")
	b.Click(".foot button")
	at(b, "/handlers")
	says(b, "/var/www/old")
	b.Visit("handlers", "/handlers")

	file := filepath.Join(t.TempDir(), "web.config")
	if err := os.WriteFile(file, []byte("<configuration>\n<system.webServer><handlers>\n<clear/></handlers></system.webServer></configuration>"), 0o600); err != nil {
		t.Fatal(err)
	}
	b.Open("/do/handler.iis.impact")
	b.Must(chromedp.SetUploadFiles(chromedp.CSS(`[name="file"]`), []string{file}))
	b.Click(".foot button")
	says(b, "<clear/>")
	says(b, "Not tested on a real IIS")
	b.Check("handlers-iis")
}
