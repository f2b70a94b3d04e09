package house_test

import (
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"hostward/internal/core"
	"hostward/internal/face/web/webtest"
	"hostward/internal/store/storetest"
)

// openPanel serves the panel on localhost, where browsers know passkeys without a
// certificate of a known authority, and opens it in a browser of its own.
func (w *world) openPanel(t *testing.T) *webtest.Tab {
	t.Helper()
	return w.openPanelAt(t, "127.0.0.1", "localhost")
}

// openPanelAt has it listen on an address, and the browser call it by a name.
func (w *world) openPanelAt(t *testing.T, address, name string) *webtest.Tab {
	t.Helper()
	l, err := new(net.ListenConfig).Listen(t.Context(), "tcp", net.JoinHostPort(address, "0"))
	must(t, err)
	server := &httptest.Server{Listener: l, EnableHTTP2: true, Config: &http.Server{Handler: w.web, ReadHeaderTimeout: time.Minute,
		ConnContext: func(ctx context.Context, _ net.Conn) context.Context { return core.WithConnected(ctx, time.Now()) }}}
	server.StartTLS()
	t.Cleanup(server.Close)
	u, err := url.Parse(server.URL)
	must(t, err)
	return webtest.Open(t, "https://"+net.JoinHostPort(name, u.Port()))
}

// authenticator gives the browser one that its user has unlocked.
func authenticator(b *webtest.Tab) {
	b.T.Helper()
	if _, err := chromedp.Call(b.Context, webauthn.Enable, webauthn.EnableParams{}); err != nil {
		b.T.Fatal(err)
	}
	_, err := chromedp.Call(b.Context, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true,
		HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}})
	if err != nil {
		b.T.Fatal(err)
	}
}

func at(b *webtest.Tab, path string) {
	b.T.Helper()
	b.Until(fmt.Sprintf("location.pathname === %q", path))
}

func says(b *webtest.Tab, text string) {
	b.T.Helper()
	b.Until(fmt.Sprintf("document.querySelector('main')?.innerText.includes(%q)", text))
}

// loginAs types name and password into the log-in page.
func loginAs(b *webtest.Tab, p *person) {
	b.T.Helper()
	b.Open("/login")
	b.Fill("login", p.login)
	b.Fill("password", p.password)
	b.Click("#f-login-enter .foot button")
}

func logout(b *webtest.Tab) {
	b.T.Helper()
	b.Open("/login")
	b.Click("form[action='/do/session.end'] button")
	b.Until("document.querySelector('#f-login-enter')")
}

// TestAPasskeyInChromium makes a passkey, and gets in with it: without a password,
// as a second factor, and before what opens doors. What it answered once, it
// answers for nothing else.
func TestAPasskeyInChromium(t *testing.T) {
	w := emptyWorld(t, storetest.SQLite(t))
	w.populate()
	p := w.customer()
	b := w.openPanel(t)
	authenticator(b)

	loginAs(b, p)
	at(b, "/")
	b.Open("/security/passkey?next=/security")
	b.Fill("name", "my phone")
	b.Check("passkey-add")
	b.Click("[data-passkey] button")
	says(b, "Copy or print this now")
	b.Check("recovery-codes")
	b.Click("main a.button.main")
	at(b, "/security")
	says(b, "my phone")

	logout(b)
	b.Click("#f-login-passkey [data-passkey] button")
	at(b, "/")
	if got := webtest.Eval[string](b, "document.querySelector('.who b').textContent"); got != p.login {
		t.Errorf("the passkey let in %q, want %q", got, p.login)
	}

	logout(b)
	loginAs(b, p)
	at(b, "/step")
	b.Check("step-factor")
	b.Click("[data-passkey] button")
	at(b, "/")

	w.pass(20 * time.Minute) // longer than a proof is fresh
	b.Open("/do/token.create?name=script&expires_in=3&scope=read")
	says(b, "Prove once more who you are")
	b.Check("prove")
	b.Click(".proof [data-passkey] button")
	says(b, "Copy this now")

	replay(t, b)

	b.Open("/security")
	b.Click("a[aria-label], .ends a[href*='passkey.remove']")
	says(b, "Passkey removed")
	b.Click("button.danger")
	at(b, "/security")
	says(b, "You have no second factor")
}

// replay sends one answer of the passkey twice.
func replay(t *testing.T, b *webtest.Tab) {
	t.Helper()
	logout(b)
	const send = `(async () => {
		const ask = await (await fetch('/ask/login.challenge', {method: 'POST', body: new URLSearchParams()})).json();
		const publicKey = PublicKeyCredential.parseRequestOptionsFromJSON(JSON.parse(ask.output.options));
		const passkey = JSON.stringify((await navigator.credentials.get({publicKey})).toJSON());
		const post = () => fetch('/do/login.passkey', {method: 'POST', body: new URLSearchParams({passkey, _next: '/'})});
		const first = await post();
		await fetch('/do/session.end', {method: 'POST', body: new URLSearchParams()});
		const second = await post();
		return first.status + ' ' + new URL(first.url).pathname + ' ' + second.status + ' ' + (await second.text()).includes('used before');
	})()`
	if got := webtest.Eval[string](b, send); got != "200 / 401 true" {
		t.Errorf("one answer sent twice: %q, want that it goes through once", got)
	}
	b.Click("#f-login-passkey [data-passkey] button")
	at(b, "/")
}

// TestPasskeysBelongToOneName refuses to make or ask for passkeys where browsers
// would not find them again.
func TestPasskeysBelongToOneName(t *testing.T) {
	w := emptyWorld(t, storetest.SQLite(t), "[panel]", "url = https://panel.example.org:8443")
	w.populate()
	for host, want := range map[string]core.Code{"panel.example.org:8443": "", "192.0.2.1:8443": core.Conflict, "evil.example": core.Conflict, "": core.Conflict} {
		a := w.customer()
		w.enter("guest", a)
		a.Host = host
		r, err := w.call(must1(w.Registry.Op("passkey.offer")), actCall(a.Actor))
		if core.CodeOf(err) != want && (want != "" || err != nil) {
			t.Errorf("called as %q: %v, want %q", host, err, want)
		}
		if want == "" && !strings.Contains(fmt.Sprint(fields(r.Output)), `"id":"panel.example.org"`) {
			t.Errorf("called as %q: %v", host, fields(r.Output))
		}
	}
}
