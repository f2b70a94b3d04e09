package web

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"runtime/debug"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// visit is one request with who asks. The actor is resolved once, here.
type visit struct {
	w     http.ResponseWriter
	r     *http.Request
	actor act.Actor
	now   time.Time
	lost  bool // the cookie's session is over
}

func (v *visit) ctx() context.Context { return v.r.Context() }
func (v *visit) stranger() bool       { return v.actor.Role == act.Stranger }

// outside reports whether he is not in yet: a stranger, or somebody with a step left.
func (v *visit) outside() bool { return v.actor.Role&(act.Stranger|act.Entrant) != 0 }

// visited resolves the session and keeps a fault of ours from ending the server.
func (f *Face) visited(next func(*visit)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		v := &visit{w: w, r: r, now: f.Clock()}
		defer func() {
			if p := recover(); p != nil {
				if p == http.ErrAbortHandler {
					panic(p)
				}
				f.Logger.Error("page failed", "path", r.URL.Path, "panic", p, "stack", string(debug.Stack()))
				f.fail(v, core.AsError(errPanic))
			}
		}()
		v.actor, v.lost = f.actor(r, !strings.HasPrefix(r.URL.Path, "/stream/"))
		if err := f.Bus.Admitted(r.Context(), v.actor); err != nil && !f.anyhow(r) {
			f.shut(v, err)
			return
		}
		next(v)
	}
}

// anyhow reports whether a request asks for what is open from everywhere.
func (f *Face) anyhow(r *http.Request) bool {
	name, asked := strings.CutPrefix(r.URL.Path, "/do/")
	op, ok := f.Registry.Op(name)
	return asked && ok && op.Anyhow && r.Method == http.MethodPost
}

// shut is for somebody who may not act from where he is: nothing of the panel is
// shown but the way out, and what he wanted is refused on record.
func (f *Face) shut(v *visit, err error) {
	op, _ := strings.CutPrefix(v.r.URL.Path, "/do/")
	if p, params := f.find(v.r.URL.EscapedPath(), v.actor.Role); p != nil {
		op = f.first(p, params, v.r.URL)
	}
	if _, ok := f.Registry.Op(op); ok {
		_, err = f.Bus.Refuse(v.ctx(), act.Call{Op: op, Actor: v.actor}, err)
	}
	e := core.AsError(err)
	v.actor = act.Actor{Kind: "stranger", Role: act.Stranger} // of the page: no rail, no name, no state
	f.failPage(v, errorPage{Status: statusOf(e.Code), Sentence: upper(e.Public), Exit: f.Logout})
}

var errPanic = core.Errorf(core.Internal, "something went wrong on the server; its log says what")

// actor is whose session it is, or a stranger. lost: there was one, it is over.
func (f *Face) actor(r *http.Request, use bool) (a act.Actor, lost bool) {
	return f.who(r, core.NewSecret(cookie(r, sessionCookie)), use)
}

// who is whose session a token opens, at this request.
func (f *Face) who(r *http.Request, token core.Secret, use bool) (a act.Actor, lost bool) {
	a = act.Actor{Kind: "stranger", Role: act.Stranger}
	if !token.Empty() {
		known, err := f.Session(r.Context(), token, use)
		switch {
		case err == nil:
			a = known
		case core.CodeOf(err) != core.Unauthenticated:
			f.Logger.Error("session not readable", "error", err)
		default:
			lost = true
		}
	}
	a.Door, a.Address, a.Agent, a.Host, a.Connected = "web", address(r), agent(r), host(r), core.Connected(r.Context())
	for by := a.By; by != nil; by = by.By { // a copy of ours: Session made it for this request
		by.Door, by.Address = a.Door, a.Address
	}
	return a, lost
}

func address(r *http.Request) string {
	host, _, err := net.SplitHostPort(r.RemoteAddr)
	if err != nil {
		return r.RemoteAddr
	}
	return host
}

// host is the name by which the browser called, cut: strangers choose it.
func host(r *http.Request) string {
	if len(r.Host) > 300 {
		return ""
	}
	return r.Host
}

// agent is the browser's own name, cut: strangers choose it.
func agent(r *http.Request) string {
	s := strings.ToValidUTF8(r.UserAgent(), "\uFFFD")
	if len(s) > 256 {
		s = strings.ToValidUTF8(s[:256], "")
	}
	return s
}

// localPath returns p when it is a path on this host, and otherwise "": what
// follows // or /\ would be another host's name for a browser.
func localPath(p string) string {
	u, err := url.Parse(p)
	if err != nil || u.IsAbs() || u.Host != "" || !strings.HasPrefix(p, "/") ||
		strings.HasPrefix(p, "//") || strings.ContainsAny(p, "\\\r\n\t") {
		return ""
	}
	return p
}

func (v *visit) redirect(to string) {
	if to = localPath(to); to == "" {
		to = "/"
	}
	v.w.Header().Set("Location", to)
	v.w.WriteHeader(http.StatusSeeOther)
}

// toLogin sends a stranger to the log-in page, and who has a step left to that
// one, and back afterwards.
func (f *Face) toLogin(v *visit) {
	to := "/login"
	if v.actor.Role == act.Entrant && f.Step != "" {
		to = f.Step
	}
	if v.r.Method == http.MethodGet && v.r.URL.Path != "/" && v.r.URL.Path != to {
		to += "?next=" + url.QueryEscape(v.r.URL.RequestURI())
	}
	if v.lost {
		setCookie(v.w, sessionCookie, "", 0)
	}
	v.redirect(to)
}
