package web

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/url"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// The cookies. The __Host- prefix binds them to this very host and to TLS, so
// that neither a neighbour's subdomain nor plain HTTP can set one (SPEC A7).
const (
	sessionCookie = "__Host-session"
	flashCookie   = "__Host-flash"
	themeCookie   = "__Host-theme"
	keysCookie    = "__Host-keys"
	deviceCookie  = "__Host-device"
)

// Opener is the output of an operation that opens a session: the face puts the
// token into the session cookie. Its token field is not shown.
type Opener interface {
	OpensSession() (token core.Secret, until time.Time)
}

// Closer is the output of an operation that ends the caller's own session.
type Closer interface{ ClosesSession() }

// Knower is the output of an operation by which a browser becomes known: the face
// keeps the token as a cookie of its own, and shows it to operations that have a
// field for it.
type Knower interface {
	KnowsDevice() (token core.Secret, until time.Time)
}

func setCookie(w http.ResponseWriter, name, value string, age time.Duration) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", Secure: true, HttpOnly: true, SameSite: http.SameSiteStrictMode}
	c.MaxAge = int(age / time.Second)
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

func cookie(r *http.Request, name string) string {
	c, err := r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// keep carries what an operation said about the session and the browser into
// cookies. A new token opens another session, so that the rest of the visit is its.
func (f *Face) keep(v *visit, output any) {
	switch o := output.(type) {
	case Opener:
		token, until := o.OpensSession()
		if !token.Empty() {
			setCookie(v.w, sessionCookie, token.Reveal(), until.Sub(v.now))
			v.actor, v.lost = f.who(v.r, token, false)
		}
	case Closer:
		setCookie(v.w, sessionCookie, "", 0)
	}
	if o, ok := output.(Knower); ok {
		if token, until := o.KnowsDevice(); !token.Empty() {
			setCookie(v.w, deviceCookie, token.Reveal(), until.Sub(v.now))
		}
	}
}

// known puts the browser's own token where an operation has a field for it. What
// was sent in its place does not count.
func known(r *http.Request, op *act.Op, values url.Values) {
	for _, p := range op.Input {
		if p.Form == "device" {
			values.Set(p.Name, cookie(r, deviceCookie))
		}
	}
}

// flash is what the page after a redirect says. It holds names only: the
// sentence is made from the registry, so a forged one cannot say anything new.
type flash struct {
	Op     string `json:"o"`
	State  string `json:"s"`
	Record string `json:"r"`
}

func setFlash(w http.ResponseWriter, f flash) {
	b, err := json.Marshal(f)
	if err == nil {
		setCookie(w, flashCookie, base64.RawURLEncoding.EncodeToString(b), time.Minute)
	}
}

func takeFlash(w http.ResponseWriter, r *http.Request) (f flash) {
	raw := cookie(r, flashCookie)
	if raw == "" {
		return f
	}
	setCookie(w, flashCookie, "", 0)
	b, err := base64.RawURLEncoding.DecodeString(raw)
	if err != nil || json.Unmarshal(b, &f) != nil {
		return flash{}
	}
	return f
}
