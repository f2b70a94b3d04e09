package passkey_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"testing"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/webauthn"
	"github.com/chromedp/chromedp"

	"hostward/internal/adapter/passkey"
	"hostward/internal/face/web/webtest"
)

// browser is Chromium with an authenticator that it makes up, on a page of its own.
type browser struct {
	*webtest.Tab
	party passkey.Party
	id    webauthn.AuthenticatorID
}

// openBrowser serves the page on localhost, the one host where browsers take
// plain HTTP for secure.
func openBrowser(t *testing.T) *browser {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		fmt.Fprint(w, `<!doctype html><html lang="en"><title>Passkey</title><main>Passkey</main></html>`)
	}))
	t.Cleanup(server.Close)
	address, err := url.Parse(server.URL)
	if err != nil {
		t.Fatal(err)
	}
	origin := "http://localhost:" + address.Port()
	b := &browser{Tab: webtest.Open(t, origin), party: passkey.Party{ID: "localhost", Name: "Panel", Origins: []string{origin}}}
	call(b, webauthn.Enable, webauthn.EnableParams{})
	b.id = call(b, webauthn.AddVirtualAuthenticator, webauthn.AddVirtualAuthenticatorParams{Options: &webauthn.VirtualAuthenticatorOptions{
		Protocol: webauthn.AuthenticatorProtocolCtap2, Transport: webauthn.AuthenticatorTransportInternal, HasResidentKey: true,
		HasUserVerification: true, IsUserVerified: true, AutomaticPresenceSimulation: true}}).AuthenticatorID
	b.Open("/")
	return b
}

func call[P, R any](b *browser, c cdp.Command[P, R], params P) R {
	b.T.Helper()
	return must[R](b.T)(chromedp.Call(b.Context, c, params))
}

// create and get do what the panel's script will do. What the browser refuses
// comes back as the name of its exception.
func (b *browser) create(options json.RawMessage) string {
	b.T.Helper()
	return webtest.Eval[string](b.Tab, fmt.Sprintf(`navigator.credentials.create({publicKey: PublicKeyCredential.parseCreationOptionsFromJSON(%s)}).then(JSON.stringify, e => e.name)`, options))
}

func (b *browser) get(options json.RawMessage) string {
	b.T.Helper()
	return webtest.Eval[string](b.Tab, fmt.Sprintf(`navigator.credentials.get({publicKey: PublicKeyCredential.parseRequestOptionsFromJSON(%s)}).then(JSON.stringify, e => e.name)`, options))
}

func (b *browser) register() passkey.Key {
	b.T.Helper()
	options := must[json.RawMessage](b.T)(b.party.Create(challenge(0), anna(), nil))
	answer := b.create(options)
	key, err := b.party.Created(challenge(0), []byte(answer))
	if err != nil {
		b.T.Fatalf("%v: %s", err, answer)
	}
	return key
}

// login is a log-in without a name, the n-th.
func (b *browser) login(n int, key passkey.Key) (passkey.Key, bool, error) {
	b.T.Helper()
	answer := []byte(b.get(must[json.RawMessage](b.T)(b.party.AskAny(challenge(n)))))
	claim, err := passkey.Parse(answer)
	if err != nil {
		b.T.Fatalf("%v: %s", err, answer)
	}
	if string(claim.KeyID) != string(key.ID) || string(claim.Handle) != string(anna().Handle) {
		b.T.Fatalf("%+v", claim)
	}
	return b.party.Answer(challenge(n), key, claim.Handle, true, answer)
}

// add does without webauthn.AddCredential, which always sends a member that
// Chromium 156 takes only from authenticators with the extension cmtgKey.
func (b *browser) add(c *webauthn.Credential) {
	b.T.Helper()
	call(b, cdp.Command[map[string]any, cdp.Empty]{Method: webauthn.CommandAddCredential}, map[string]any{"authenticatorId": b.id,
		"credential": map[string]any{"credentialId": c.CredentialID, "isResidentCredential": c.IsResidentCredential, "rpId": c.RpID,
			"privateKey": c.PrivateKey, "userHandle": c.UserHandle, "signCount": c.SignCount}})
}

func TestAPasskeyOfARealBrowserLogsInWithoutAName(t *testing.T) {
	b := openBrowser(t)
	key := b.register()
	if !key.Verified || key.Algorithm() != "ES256" || key.Party != "localhost" || !slices.Equal(key.Transports, []string{"internal"}) {
		t.Errorf("%+v", key)
	}
	next, verified, err := b.login(1, key)
	if err != nil || !verified || next.Count <= key.Count {
		t.Errorf("verified %t, count %d after %d: %v", verified, next.Count, key.Count, err)
	}
	answer := b.get(must[json.RawMessage](t)(b.party.Ask(challenge(2), []passkey.Key{key}, false)))
	if _, _, err := b.party.Answer(challenge(2), next, anna().Handle, false, []byte(answer)); err != nil {
		t.Errorf("as a second factor: %v: %s", err, answer)
	}
}

func TestARealBrowserMakesNoSecondPasskey(t *testing.T) {
	b := openBrowser(t)
	again := must[json.RawMessage](t)(b.party.Create(challenge(1), anna(), []passkey.Key{b.register()}))
	if got := b.create(again); got != "InvalidStateError" {
		t.Errorf("it says %s", got)
	}
}

func TestARealBrowserWithABadAuthenticatorIsRefused(t *testing.T) {
	b := openBrowser(t)
	key := b.register()
	for i, c := range []struct {
		bits webauthn.SetResponseOverrideBitsParams
		want error
	}{
		{webauthn.SetResponseOverrideBitsParams{IsBadUV: new(true)}, passkey.ErrUnverified},
		{webauthn.SetResponseOverrideBitsParams{IsBadUP: new(true)}, passkey.ErrAbsent},
		{webauthn.SetResponseOverrideBitsParams{IsBogusSignature: new(true)}, passkey.ErrSignature},
	} {
		c.bits.AuthenticatorID = b.id
		call(b, webauthn.SetResponseOverrideBits, c.bits)
		if _, _, err := b.login(i+1, key); !errors.Is(err, c.want) {
			t.Errorf("%v, want %v", err, c.want)
		}
	}
}

// The copy has the private key and the counter of the moment it was taken.
func TestACopiedPasskeyOfARealBrowserIsNoticed(t *testing.T) {
	b := openBrowser(t)
	key := b.register()
	copied := call(b, webauthn.GetCredential, webauthn.GetCredentialParams{AuthenticatorID: b.id, CredentialID: key.ID}).Credential
	for n := range 2 {
		next, _, err := b.login(n+1, key)
		if err != nil {
			t.Fatal(err)
		}
		key = next
	}
	call(b, webauthn.RemoveCredential, webauthn.RemoveCredentialParams{AuthenticatorID: b.id, CredentialID: key.ID})
	b.add(copied)
	if _, _, err := b.login(3, key); !errors.Is(err, passkey.ErrCloned) {
		t.Errorf("%v", err)
	}
}
