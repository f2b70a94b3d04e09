package passkey_test

import (
	"strings"
	"testing"

	"hostward/internal/adapter/passkey"
	"hostward/internal/core"
)

func TestSitesThatBrowsersKnowAreAccepted(t *testing.T) {
	for _, p := range []passkey.Party{
		site(),
		{ID: "localhost", Name: "Panel", Origins: []string{"http://localhost:8080", "https://localhost", "http://localhost"}},
		{ID: "example.org", Name: "Panel", Origins: []string{"https://panel.example.org", "https://example.org:8443"}},
		{ID: "xn--bcher-kva.example", Name: "Bücher", Origins: []string{"https://xn--bcher-kva.example"}},
	} {
		if err := p.Validate(); err != nil {
			t.Errorf("%+v: %v", p, err)
		}
	}
}

func TestEveryFaultOfASiteIsNamed(t *testing.T) {
	for _, c := range []struct {
		party passkey.Party
		want  string // fields, in order
	}{
		{passkey.Party{}, "id name origins"},
		{passkey.Party{ID: "192.0.2.1", Name: "x", Origins: []string{"https://192.0.2.1"}}, "id"},
		{passkey.Party{ID: "::1", Name: "x", Origins: []string{"https://[::1]"}}, "id"},
		{passkey.Party{ID: "Panel.example.org", Name: "x", Origins: []string{"https://Panel.example.org"}}, "id origins"},
		{passkey.Party{ID: "panel.example.org:8443", Name: "x", Origins: []string{"https://panel.example.org:8443"}}, "id origins"},
		{passkey.Party{ID: "bücher.example", Name: "x", Origins: []string{"https://xn--bcher-kva.example"}}, "id origins"},
		{passkey.Party{ID: "localhost", Name: "x", Origins: []string{"http://localhost:80"}}, "origins"},
		{passkey.Party{ID: "panel", Name: "x", Origins: []string{"https://panel"}}, "id"},
	} {
		var fields []string
		for _, f := range core.AsError(c.party.Validate()).Faults {
			fields = append(fields, f.Field)
		}
		if got := strings.Join(fields, " "); got != c.want {
			t.Errorf("%+v: %s, want %s", c.party, got, c.want)
		}
	}
}

func TestOriginsThatNoBrowserWritesAreRefused(t *testing.T) {
	for _, origin := range []string{"", "panel.example.org", "https://panel.example.org/", "https://panel.example.org:443", "https://panel.example.org:",
		"http://panel.example.org", "https://PANEL.example.org", "https://other.example.org", "https://example.org", "https://xpanel.example.org",
		"https://panel.example.org.evil.example", "https://a@panel.example.org", "https://panel.example.org?x", "https://panel.example.org#x", "https://panel.example.org:x",
		"ftp://panel.example.org", "null", "android:apk-key-hash:x", "https://*.panel.example.org/x"} {
		p := site()
		p.Origins = []string{origin}
		if err := p.Validate(); core.CodeOf(err) != core.Invalid {
			t.Errorf("%q: %v", origin, err)
		}
	}
}
