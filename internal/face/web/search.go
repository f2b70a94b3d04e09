package web

import (
	"cmp"
	"encoding/json"
	"net/http"
	"net/url"
	"slices"
	"strings"

	"hostward/internal/act"
)

// Hit is one answer of the search.
type Hit struct {
	Name string `json:"name"`
	Kind string `json:"kind"`
	URL  string `json:"url"`
}

const (
	maxHits  = 30
	maxQuery = 200
)

// hits finds pages, objects and tasks that the actor may see, in that order.
func (f *Face) hits(v *visit, text string) ([]Hit, error) {
	text = strings.TrimSpace(text)
	if len(text) > maxQuery {
		text = strings.ToValidUTF8(text[:maxQuery], "")
	}
	found := f.pageHits(v.actor, text)
	if text == "" {
		return found, nil
	}
	objects, err := f.objectHits(v, text)
	found = append(found, objects...)
	found = append(found, f.taskHits(v.actor, text)...)
	return found[:min(len(found), maxHits)], err
}

func (f *Face) pageHits(a act.Actor, text string) (found []Hit) {
	for _, p := range f.pages {
		if p.static() && p.Roles&a.Role != 0 && !alone(p.Path) && holds(text, p.Title, p.Section, p.Words) {
			found = append(found, Hit{p.Title, "Page", p.Path})
		}
	}
	return found
}

func (f *Face) objectHits(v *visit, text string) (found []Hit, err error) {
	objects, err := f.Bus.Find(v.ctx(), v.actor, text, maxHits)
	for ref, name := range objects {
		if k, ok := f.Registry.Kind(ref.Kind); ok && k.Path != "" {
			found = append(found, Hit{name, human(ref.Kind), strings.ReplaceAll(k.Path, "{id}", url.PathEscape(ref.ID))})
		}
	}
	slices.SortFunc(found, func(a, b Hit) int {
		return cmp.Or(cmp.Compare(len(a.Name), len(b.Name)), cmp.Compare(a.Name, b.Name), cmp.Compare(a.URL, b.URL))
	})
	return found, err
}

func (f *Face) taskHits(a act.Actor, text string) (found []Hit) {
	for _, op := range f.Registry.Ops() {
		if op.Method != "stream" && f.Bus.May(a, op) && !f.entry(op) && holds(text, op.Name, op.Doc) {
			found = append(found, Hit{headline(op.Doc), "Task", "/do/" + op.Name})
		}
	}
	return found
}

// holds reports whether every word of text is in one of the names.
func holds(text string, names ...string) bool {
	all := strings.ToLower(strings.Join(names, " "))
	for word := range strings.FieldsSeq(strings.ToLower(text)) {
		if !strings.Contains(all, word) {
			return false
		}
	}
	return true
}

type searchPage struct {
	*Sheet
	Text string
	Hits []Hit
}

// search is the palette for people without JavaScript, and has an address.
func (f *Face) search(v *visit) {
	if v.outside() {
		f.toLogin(v)
		return
	}
	text := v.r.URL.Query().Get("q")
	hits, err := f.hits(v, text)
	if err != nil {
		f.fail(v, err)
		return
	}
	s := f.sheet(v, &route{Page: act.Page{Path: "/search", Title: "Search"}}, nil, v.r.URL)
	f.showPart(v, s, "search", searchPage{s, text, hits}, http.StatusOK)
}

func (f *Face) searchJSON(v *visit) {
	if v.outside() {
		http.Error(v.w, "log in first", http.StatusUnauthorized)
		return
	}
	hits, err := f.hits(v, v.r.URL.Query().Get("q"))
	if err != nil {
		f.Logger.Error("search failed", "error", err) // pages and tasks are still an answer
	}
	if hits == nil {
		hits = []Hit{}
	}
	v.w.Header().Set("Content-Type", "application/json")
	_ = json.NewEncoder(v.w).Encode(hits) // the browser has left, or it has it
}
