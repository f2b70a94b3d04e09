package web

import (
	"cmp"
	"errors"
	"fmt"
	"html/template"
	"io/fs"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
)

// route is one declared page, ready to be shown.
type route struct {
	act.Page
	segs []string
	tmpl *template.Template
}

// static reports whether the path has no parameters.
func (p *route) static() bool { return !strings.Contains(p.Path, "{") }

// match returns the parameters of path, if it fits.
func (p *route) match(path string) (map[string]string, bool) {
	segs := split(path)
	if len(segs) != len(p.segs) {
		return nil, false
	}
	params := map[string]string{}
	for i, want := range p.segs {
		if name, ok := strings.CutPrefix(want, "{"); ok && segs[i] != "" {
			params[strings.TrimSuffix(name, "}")] = segs[i]
		} else if want != segs[i] {
			return nil, false
		}
	}
	return params, true
}

func split(path string) []string {
	segs := strings.Split(strings.Trim(path, "/"), "/")
	for i, s := range segs {
		if plain, err := url.PathUnescape(s); err == nil {
			segs[i] = plain
		}
	}
	return segs
}

// loadPages parses the pages of all features, and our own where no feature has
// one for the same path.
func (f *Face) loadPages() error {
	var faults []error
	pages := f.Registry.Pages()
	for _, own := range f.ownPages() {
		for _, p := range pages {
			if p.Path == own.Path {
				own.Roles &^= p.Roles
			}
		}
		if own.Roles != 0 {
			pages = append(pages, own)
		}
	}
	for _, p := range pages {
		r, err := f.loadPage(p)
		faults = append(faults, err)
		f.pages = append(f.pages, r)
	}
	// A word beats a parameter in the same place: "/zones/new" before "/zones/{zone}".
	slices.SortStableFunc(f.pages, func(a, b *route) int {
		return cmp.Compare(strings.Count(a.Path, "{"), strings.Count(b.Path, "{"))
	})
	return errors.Join(faults...)
}

func (f *Face) ownPages() []act.Page {
	own := func(path, title, file string, roles act.Role) act.Page {
		return act.Page{Feature: "web", Path: path, Title: title, Roles: roles, Icon: "overview", Template: files, File: "template/own/" + file}
	}
	return []act.Page{
		own("/", "Overview", "overview.html", act.Readers),
		own("/login", "Log in", "login.html", act.Stranger|act.Readers),
		own("/setup", "Set up Hostward", "setup.html", act.Stranger|act.Readers),
		own("/tasks", "All tasks", "tasks.html", act.Readers),
	}
}

func (f *Face) loadPage(p act.Page) (*route, error) {
	r := &route{Page: p, segs: split(p.Path)}
	if p.Path == "" || p.Title == "" || p.Template == nil || p.Roles == 0 {
		return r, fmt.Errorf("page %q of %s needs Path, Title, Template and Roles", p.Path, p.Feature)
	}
	text, err := fs.ReadFile(p.Template, p.File)
	if err != nil {
		return r, fmt.Errorf("page %s of %s: %w", p.Path, p.Feature, err)
	}
	t, err := f.base.Clone()
	if err != nil {
		return r, err
	}
	if r.tmpl, err = t.New("page").Parse(string(text)); err != nil {
		return r, fmt.Errorf("page %s of %s: %w", p.Path, p.Feature, err)
	}
	return r, nil
}

// find returns the page of a path for a role; one for other roles if it has none.
func (f *Face) find(path string, role act.Role) (*route, map[string]string) {
	var others *route
	var theirs map[string]string
	for _, p := range f.pages {
		params, ok := p.match(path)
		if ok && p.Roles&role != 0 {
			return p, params
		}
		if ok && others == nil {
			others, theirs = p, params
		}
	}
	return others, theirs
}

// alone are the pages for people who are not logged in yet.
func alone(path string) bool { return path == "/login" || path == "/setup" || path == "/forgot" }

// page answers GET of a declared page.
func (f *Face) page(v *visit) {
	f.showPage(v, v.r.URL, http.StatusOK, nil)
}

// showPage shows the page at u; try, if any, is the form that was just sent
// from it and did not go through.
func (f *Face) showPage(v *visit, u *url.URL, status int, try *attempt) {
	p, params := f.find(u.EscapedPath(), v.actor.Role)
	if f.unready(v) && u.Path != "/setup" {
		v.redirect("/setup")
		return
	}
	switch {
	case p == nil && v.outside():
		f.toLogin(v) // whether a page exists is no stranger's business
		return
	case p == nil:
		f.fail(v, core.Errorf(core.NotFound, "there is no page at this address"))
		return
	case v.actor.Role&p.Roles == 0 && v.outside():
		f.toLogin(v)
		return
	case v.actor.Role&p.Roles == 0 && p.Path == f.Step: // no step is left
		v.redirect(or(u.Query().Get("next"), "/"))
		return
	case v.actor.Role&p.Roles == 0:
		f.denied(v, f.first(p, params, u), core.Errorf(core.Denied, "this page is for %s", p.Roles))
		return
	}
	s := f.sheet(v, p, params, u)
	s.try = try
	if err := f.read(v, s); err != nil {
		f.fail(v, err)
		return
	}
	f.show(v, s, status)
}

func (f *Face) unready(v *visit) bool {
	return f.Ready != nil && v.stranger() && !f.Ready(v.ctx())
}

// first is an operation that a page calls, "" for none: what a refusal is about.
func (f *Face) first(p *route, params map[string]string, u *url.URL) string {
	if p.Calls == nil {
		return ""
	}
	calls := p.Calls(params, u.Query())
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		return calls[name].Op
	}
	return ""
}

// denied refuses on record (SPEC L1).
func (f *Face) denied(v *visit, op string, err error) {
	if op != "" {
		_, err = f.Bus.Refuse(v.ctx(), act.Call{Op: op, Actor: v.actor}, err)
	}
	f.fail(v, err)
}

// read runs the page's queries. What is absent or needs a log-in is the answer
// to the whole page; anything else the page shows beside the rest.
func (f *Face) read(v *visit, s *Sheet) error {
	if s.route.Calls == nil {
		return nil
	}
	s.results, s.faults = f.Bus.Read(v.ctx(), v.actor, s.route.Calls(s.Path, s.Query))
	for name, err := range s.faults {
		switch core.CodeOf(err) {
		case core.Denied, core.Invalid, core.Throttled:
		default:
			if name == "" || core.CodeOf(err) != core.Internal {
				return err
			}
		}
	}
	return nil
}
