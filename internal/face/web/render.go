package web

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"html/template"
	"net/http"
	"strconv"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// frame is what the shell around every page shows.
type frame struct {
	Title   string
	Theme   string // "", light, dark
	Keys    bool   // single-key shortcuts (WCAG 2.1.4: they can be switched off)
	CSS, JS string
	Link    string // script for who may come by a link
	Mark    string
	Body    template.HTML
	Rail    []railGroup
	Crumbs  []crumb
	Here    string
	Host    string
	Actor   act.Actor
	Role    string
	Now     time.Time
	Local   string
	Ledger  *Ledger
	Browser string
	Logout  string
	Leave   template.HTML // button that ends acting as somebody else
	Version string
	Flash   *flashView
	Query   string
}

type flashView struct{ State, Doc, Record, URL string }

// part renders one of our own templates.
func (f *Face) part(name string, data any) (template.HTML, error) {
	var b strings.Builder
	err := f.base.ExecuteTemplate(&b, name, data)
	return template.HTML(b.String()), err // html/template has escaped it
}

// show renders a declared page and sends it within the shell.
func (f *Face) show(v *visit, s *Sheet, status int) {
	var b bytes.Buffer
	if err := s.route.tmpl.ExecuteTemplate(&b, "page", s); err != nil {
		f.fail(v, core.Wrap(core.Internal, err, errPanic.Public))
		return
	}
	body := template.HTML(b.String()) // html/template has escaped it
	if s.try != nil && !s.shown {
		// The form is not in the page any more: say what came of it on top.
		if note, err := f.part("faults", faultLines(s.try.err)); err == nil {
			body = note + body
		}
	}
	f.wrap(v, s, body, status)
}

func faultLines(err *core.Error) []string {
	if err == nil {
		return nil
	}
	return []string{upper(err.Sentence())}
}

// showPart sends one of our own templates within the shell.
func (f *Face) showPart(v *visit, s *Sheet, name string, data any, status int) {
	body, err := f.part(name, data)
	if err != nil {
		f.fail(v, core.Wrap(core.Internal, err, errPanic.Public))
		return
	}
	f.wrap(v, s, body, status)
}

func (f *Face) wrap(v *visit, s *Sheet, body template.HTML, status int) {
	shell := "shell"
	if alone(s.route.Path) || v.outside() {
		shell = "alone"
	}
	fr := f.frame(v, s, body)
	if v.outside() {
		fr.Link = f.assets.urls["link.js"]
	}
	var b bytes.Buffer
	if err := f.base.ExecuteTemplate(&b, shell, fr); err != nil {
		f.Logger.Error("page failed", "path", v.r.URL.Path, "error", err)
		http.Error(v.w, errPanic.Public, http.StatusInternalServerError)
		return
	}
	f.send(v, b.Bytes(), status)
}

func (f *Face) frame(v *visit, s *Sheet, body template.HTML) frame {
	theme := cookie(v.r, themeCookie)
	if theme != "light" && theme != "dark" {
		theme = ""
	}
	return frame{
		Title: s.title(), Theme: theme, Keys: cookie(v.r, keysCookie) != "off", Body: body,
		CSS: f.assets.urls["app.css"], JS: f.assets.urls["app.js"], Mark: f.assets.urls["mark.svg"],
		Rail: f.railFor(v.actor, s.url.Path), Crumbs: f.crumbs(s), Here: s.Here(), Host: hostname(v.r.Host),
		Actor: v.actor, Role: v.actor.Role.String(), Now: v.now, Local: v.now.In(f.Location).Format("15:04 MST"),
		Ledger: f.ledger(v), Browser: f.Browser, Logout: f.logoutFor(v.actor), Leave: leave(f, s), Version: f.Version,
		Flash: f.flashed(v), Query: s.Query.Get("q"),
	}
}

// leave is the way back to oneself.
func leave(f *Face, s *Sheet) template.HTML {
	if s.Actor.By == nil || f.Leave == "" {
		return ""
	}
	b, err := s.Button(f.Leave, "Be yourself again", "_next", "/", "_class", "small")
	if err != nil {
		f.Logger.Error("no way back from acting as somebody", "error", err)
	}
	return b
}

func (f *Face) logoutFor(a act.Actor) string {
	if op, ok := f.Registry.Op(f.Logout); !ok || !f.Bus.May(a, op) {
		return ""
	}
	return f.Logout
}

func (f *Face) ledger(v *visit) *Ledger {
	if f.Ledger == nil || v.outside() {
		return nil
	}
	l := f.Ledger(v.ctx())
	return &l
}

func (f *Face) flashed(v *visit) *flashView {
	fl := takeFlash(v.w, v.r)
	op, ok := f.Registry.Op(fl.Op)
	if !ok {
		return nil
	}
	view := &flashView{State: fl.State, Doc: headline(op.Doc), Record: fl.Record}
	if f.Config.Record != "" && fl.Record != "" {
		view.URL = fill(f.Config.Record, map[string]string{"id": fl.Record})
	}
	return view
}

// small is the size under which packing costs more than it saves.
const small = 1024

// send writes a whole page, packed when the browser takes it. Packing beside a
// secret is what BREACH needs, and it needs to make the victim's browser ask
// with his cookie, too: SameSite=Strict leaves that to nobody.
func (f *Face) send(v *visit, page []byte, status int) {
	h := v.w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Add("Vary", "Accept-Encoding, Cookie")
	if len(page) > small && takesGzip(v.r) {
		h.Set("Content-Encoding", "gzip")
		page = f.packed(page)
	}
	h.Set("Content-Length", strconv.Itoa(len(page)))
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		_, _ = v.w.Write(page)
	}
}

func (f *Face) packed(page []byte) []byte {
	var b bytes.Buffer
	z := f.zips.Get().(*gzip.Writer)
	defer f.zips.Put(z)
	z.Reset(&b)
	_, _ = z.Write(page) // a Buffer takes everything
	_ = z.Close()
	return b.Bytes()
}

// statuses is the one table from codes to HTTP (RFC 9110 15).
var statuses = map[core.Code]int{
	core.Invalid:         http.StatusUnprocessableEntity,
	core.Unauthenticated: http.StatusUnauthorized,
	core.Denied:          http.StatusForbidden,
	core.Unproved:        http.StatusForbidden,
	core.NotFound:        http.StatusNotFound,
	core.Conflict:        http.StatusConflict,
	core.Stale:           http.StatusPreconditionFailed,
	core.Unconfirmed:     http.StatusPreconditionRequired,
	core.Throttled:       http.StatusTooManyRequests,
	core.Unavailable:     http.StatusServiceUnavailable,
	core.Internal:        http.StatusInternalServerError,
}

func statusOf(c core.Code) int {
	if s, ok := statuses[c]; ok {
		return s
	}
	return http.StatusInternalServerError
}

var errorTitles = map[int]string{
	401: "Log in first", 403: "Not for you", 404: "Not found", 405: "Not here", 409: "That does not fit", 412: "Changed meanwhile",
	422: "Not valid", 429: "Too many attempts", 500: "Something broke", 503: "Not available now",
}

type errorPage struct {
	*Sheet
	Status   int
	Heading  string
	Sentence string
	Faults   []core.Fault
	Exit     string // operation that ends his session, when that is all he may
}

// fail answers with a calm page. The cause goes to the operator only.
func (f *Face) fail(v *visit, err error) {
	e := core.AsError(err)
	if e.Code == core.Internal {
		f.Logger.Error("page failed", "path", v.r.URL.Path, "error", err)
	}
	if e.Code == core.Unauthenticated {
		f.toLogin(v)
		return
	}
	f.failAs(v, statusOf(e.Code), upper(e.Public), e.Faults)
}

func (f *Face) failAs(v *visit, status int, sentence string, faults []core.Fault) {
	f.failPage(v, errorPage{Status: status, Sentence: sentence, Faults: faults})
}

func (f *Face) failPage(v *visit, p errorPage) {
	p.Heading, p.Sentence = errorTitles[p.Status], strings.TrimSuffix(p.Sentence, ".")+"."
	p.Sheet = f.sheet(v, &route{Page: act.Page{Path: "/error", Title: p.Heading}}, nil, v.r.URL)
	f.showPart(v, p.Sheet, "error", p, p.Status)
}

func (f *Face) wrongMethod(v *visit) {
	v.w.Header().Set("Allow", "GET, HEAD")
	f.failAs(v, http.StatusMethodNotAllowed, fmt.Sprintf("this address answers GET, not %s", v.r.Method), nil)
}

// foreign answers a form that another site sent, and puts it on record.
func (f *Face) foreign(v *visit) {
	if op, ok := strings.CutPrefix(v.r.URL.Path, "/do/"); ok {
		_, _ = f.Bus.Refuse(v.ctx(), act.Call{Op: op, Actor: v.actor}, core.Errorf(core.Denied, "the form came from another site")) // the answer is ours
	}
	f.failAs(v, http.StatusForbidden, "This form came from another site, so nothing was done. Open the page here and send it again", nil)
}
