package house_test

import (
	"fmt"
	"testing"

	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"hostward/internal/face/web/webtest"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/store/storetest"
)

// text is what the page shows where a selector points.
func shown(b *webtest.Tab, selector string) string {
	b.T.Helper()
	return webtest.Eval[string](b, fmt.Sprintf("document.querySelector(%q)?.textContent ?? ''", selector))
}

// TestTheDoorsInChromium goes through them as people do: a link and a new password
// that is judged while it is typed, a second factor that must be set up, a recovery
// code, acting as somebody, and back.
func TestTheDoorsInChromium(t *testing.T) {
	w := emptyWorld(t, storetest.SQLite(t))
	w.populate()
	w.must(console, "mfa.set", map[string]any{"group": "resellers", "required": true, "grace": 0})
	p := &person{login: "keramik", password: "a kiln that hums at four in the morning"}
	p.ID = fields(w.must(console, "account.create", map[string]any{"login": p.login, "role": "reseller", "name": "Keramik Berger"}).Output)["id"].(string)
	b := w.openPanel(t)
	b.As(webtest.Light)

	setPassword(t, b, w.link(p.ID), p.password)
	codes := enrol(t, b, w, p)
	withRecoveryCode(t, b, p, codes)
	actAs(t, b, w)
}

func setPassword(t *testing.T, b *webtest.Tab, token, password string) {
	t.Helper()
	b.Open("/setup#token=" + token)
	b.Until("!location.hash") // the token is out of the address bar
	b.Fill("password", "keramik2026")
	says(b, "It must have at least 15 characters")
	b.Check("password-weak")
	b.Click(".judge button")
	says(b, "this one is accepted")
	b.Check("password-made-up")
	webtest.Eval[bool](b, "document.querySelector('[name=password]').value = '', true")
	b.Fill("password", password)
	says(b, "this one is accepted")
	b.Click(".foot button")
	at(b, "/login")
}

func enrol(t *testing.T, b *webtest.Tab, w *world, p *person) (codes []string) {
	t.Helper()
	loginAs(b, p)
	at(b, "/step")
	b.Check("step-enrol")
	b.Click("form[action='/do/totp.begin'] button")
	says(b, "Scan this")
	b.Check("totp-begin")
	seed := shown(b, ".once code")
	b.Fill("code", "000000")
	b.Click(".foot button")
	says(b, "Is not what the app shows now")
	b.Fill("code", accounttest.Code(seed, w.now()))
	b.Click(".foot button")
	says(b, "Recovery codes")
	codes = webtest.Eval[[]string](b, "document.querySelector('.once pre').textContent.trim().split('\\n')")
	b.Click("main a.button.main")
	at(b, "/")
	return codes
}

func withRecoveryCode(t *testing.T, b *webtest.Tab, p *person, codes []string) {
	t.Helper()
	logout(b)
	loginAs(b, p)
	at(b, "/step")
	b.Must(chromedp.SendKeys(chromedp.CSS("[name=code]"), codes[3]+kb.Enter))
	at(b, "/")
	b.Visit("my-security", "/security")
	b.As(webtest.Light)
	says(b, "9\u00a0recovery codes")
	b.Click("form[action='/do/recovery.renew'] button")
	says(b, "Copy or print this now")
}

func actAs(t *testing.T, b *webtest.Tab, w *world) {
	t.Helper()
	admin := w.people["administrator"]
	b.Session(admin.cookie)
	b.Open("/do/session.act?account=" + w.people["customer"].ID)
	b.Fill("why", "he asked for help with his zone")
	b.Click(".foot button")
	b.Until("document.querySelector('.as')")
	b.Check("acting")
	b.Open("/security")
	if n := webtest.Eval[int](b, "document.querySelectorAll('#f-token-create, #f-password-change').length"); n > 1 {
		t.Errorf("%d forms for the person himself are shown to who acts as him", n)
	}
	b.Click(".as button")
	b.Until("!document.querySelector('.as')")
	if who := shown(b, ".who b"); who != admin.login {
		t.Errorf("back as %q", who)
	}
}
