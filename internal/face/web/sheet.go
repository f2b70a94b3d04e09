package web

import (
	"html"
	"html/template"
	"net/url"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Sheet is what a page's template sees as its dot. Its exported names are the
// whole interface between a feature's page and the face; doc.go has examples.
type Sheet struct {
	Path  map[string]string // parameters of the path
	Query url.Values        // the query string
	Actor act.Actor         // who looks
	Now   time.Time         // the one time of this page

	face    *Face
	visit   *visit
	route   *route
	url     *url.URL
	results map[string]act.Result
	faults  map[string]error
	try     *attempt
	shown   bool // the attempt was shown by one of the page's forms
}

func (f *Face) sheet(v *visit, p *route, params map[string]string, u *url.URL) *Sheet {
	return &Sheet{Path: params, Query: u.Query(), Actor: v.actor, Now: v.now, face: f, visit: v, route: p, url: u}
}

// Get returns the output of the query that the page declared under that name,
// nil when it failed.
func (s *Sheet) Get(name string) any { return s.results[name].Output }

// Version returns the version of that query's target, for a form's _expect.
func (s *Sheet) Version(name string) uint64 { return s.results[name].Version }

// Fault returns why that query failed, as a sentence, or "".
func (s *Sheet) Fault(name string) string {
	if err := s.faults[name]; err != nil {
		return core.AsError(err).Sentence()
	}
	return ""
}

// May reports whether the actor's role may call the operation.
func (s *Sheet) May(op string) bool {
	o, ok := s.face.Registry.Op(op)
	return ok && s.may(o)
}

// Is reports whether the actor has one of the roles, by name.
func (s *Sheet) Is(roles ...string) bool {
	return slices.ContainsFunc(roles, func(name string) bool {
		r, ok := act.ParseRole(name)
		return ok && s.Actor.Role&r != 0
	})
}

// Host is the name by which the panel was called.
func (s *Sheet) Host() string { return hostname(s.visit.r.Host) }

// Here is the page's own address.
func (s *Sheet) Here() string { return s.url.RequestURI() }

// With is the page's own address with query parameters set, or removed by "".
// Changing anything but "after" goes back to the first page.
func (s *Sheet) With(pairs ...any) string {
	q := copied(s.Query)
	q.Del("after")
	for i := 0; i+1 < len(pairs); i += 2 {
		name, value := plain(pairs[i]), plain(pairs[i+1])
		if q.Del(name); value != "" {
			q.Set(name, value)
		}
	}
	if len(q) == 0 {
		return s.url.EscapedPath()
	}
	return s.url.EscapedPath() + "?" + q.Encode()
}

func copied(q url.Values) url.Values {
	c := url.Values{}
	for k, v := range q {
		c[k] = slices.Clone(v)
	}
	return c
}

// Sort makes the head of a column that can be sorted: its page's query
// parameter "sort" is name, or -name for the other direction.
func (s *Sheet) Sort(name, title string) (template.HTML, error) {
	type head struct{ URL, Title, Dir string }
	h := head{URL: s.With("sort", name), Title: title}
	switch s.Query.Get("sort") {
	case name:
		h.Dir, h.URL = "ascending", s.With("sort", "-"+name)
	case "-" + name:
		h.Dir = "descending"
	}
	return s.face.part("sort", h)
}

// Pager makes the foot of a list: next is the cursor of the following page, ""
// or 0 on the last one. It goes into the query parameter "after".
func (s *Sheet) Pager(next any) (template.HTML, error) {
	type pager struct{ First, Next string }
	var p pager
	if s.Query.Get("after") != "" {
		p.First = s.With()
	}
	if cursor := plain(next); cursor != "" && cursor != "0" {
		p.Next = s.With("after", cursor)
	}
	return s.face.part("pager", p)
}

// Tasks returns what the actor may do, ordered by name: changes whose name
// starts with prefix ("" for all).
func (s *Sheet) Tasks(prefix string) []Task {
	var tasks []Task
	for _, op := range s.face.Registry.Ops() {
		if op.Method == "change" && strings.HasPrefix(op.Name, prefix) && s.may(op) && !s.face.entry(op) {
			tasks = append(tasks, Task{op.Name, headline(op.Doc), "/do/" + op.Name, human(noun(op.Name))})
		}
	}
	return tasks
}

// Task is one operation that can be called.
type Task struct{ Name, Doc, URL, Noun string }

// Begins reports whether it makes something new.
func (t Task) Begins() bool {
	return strings.HasSuffix(t.Name, ".create") || strings.HasSuffix(t.Name, ".import")
}

// Pages returns the rail's entries that the actor may see.
func (s *Sheet) Pages() []RailItem {
	var items []RailItem
	for _, g := range s.face.railFor(s.Actor, s.url.Path) {
		items = append(items, g.Items...)
	}
	return items
}

// Ledger is the state of the action log.
func (s *Sheet) Ledger() *Ledger { return s.face.ledger(s.visit) }

// Next is where the log-in page leads afterwards.
func (s *Sheet) Next() string {
	if to := localPath(s.Query.Get("next")); to != "" {
		return to
	}
	return "/"
}

// LoginOp and SetupOp name the operations behind the entry pages.
func (s *Sheet) LoginOp() string { return s.face.Login }
func (s *Sheet) SetupOp() string { return s.face.Setup }

// entry reports whether op belongs to the way in and out, not to daily work.
func (f *Face) entry(op *act.Op) bool {
	inside := op.Roles &^ (act.Stranger | act.Entrant | act.System)
	return inside == 0 || slices.Contains([]string{f.Login, f.Setup, f.Logout, f.Leave, f.Prove}, op.Name)
}

// title is what the page calls itself: its template's "title", or the declared
// one with path parameters filled in.
func (s *Sheet) title() string {
	if s.route.tmpl != nil && s.route.tmpl.Lookup("title") != nil {
		var b strings.Builder
		if err := s.route.tmpl.ExecuteTemplate(&b, "title", s); err == nil && strings.TrimSpace(b.String()) != "" {
			return html.UnescapeString(strings.TrimSpace(b.String()))
		}
	}
	return fill(s.route.Title, s.Path)
}

func fill(pattern string, params map[string]string) string {
	for name, value := range params {
		pattern = strings.ReplaceAll(pattern, "{"+name+"}", value)
	}
	return pattern
}
