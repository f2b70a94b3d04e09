package web

import (
	"cmp"
	"net"
	"slices"
	"strings"

	"hostward/internal/act"
)

// RailItem is one entry of the rail.
type RailItem struct {
	Title, URL, Icon string
	Key              string // after "g"
	Current          bool
	roles            act.Role
	order            int
}

type railGroup struct {
	Title string
	Items []RailItem
}

// groups orders the pages without parameters that name a section: the section
// is the group's heading, the page's title its entry. The overview comes first.
func (f *Face) groups() []railGroup {
	var groups []railGroup
	keys := map[string]bool{}
	pages := slices.DeleteFunc(slices.Clone(f.pages), func(p *route) bool {
		return !p.static() || p.Section == "" && p.Path != "/"
	})
	slices.SortStableFunc(pages, func(a, b *route) int {
		return cmp.Or(-cmp.Compare(b2i(a.Path == "/"), b2i(b.Path == "/")), cmp.Compare(a.Order, b.Order), cmp.Compare(a.Path, b.Path))
	})
	for _, p := range pages {
		item := RailItem{Title: p.Title, URL: p.Path, Icon: p.Icon, roles: p.Roles, order: p.Order, Key: freeKey(p.Title, keys)}
		i := slices.IndexFunc(groups, func(g railGroup) bool { return g.Title == p.Section })
		if i < 0 {
			groups, i = append(groups, railGroup{Title: p.Section}), len(groups)
		}
		groups[i].Items = append(groups[i].Items, item)
	}
	return groups
}

func b2i(b bool) int {
	if b {
		return 1
	}
	return 0
}

// freeKey is the first letter of the title that no other entry has taken.
func freeKey(title string, taken map[string]bool) string {
	for _, r := range strings.ToLower(title) {
		if k := string(r); r >= 'a' && r <= 'z' && !taken[k] {
			taken[k] = true
			return k
		}
	}
	return ""
}

// railFor leaves out what the actor may not see and marks where he is.
func (f *Face) railFor(a act.Actor, path string) []railGroup {
	var shown []railGroup
	here := f.entryOf(path)
	for _, g := range f.rail {
		mine := railGroup{Title: g.Title}
		for _, item := range g.Items {
			if item.roles&a.Role != 0 {
				item.Current = item.URL == here
				mine.Items = append(mine.Items, item)
			}
		}
		if mine.Items != nil {
			shown = append(shown, mine)
		}
	}
	return shown
}

// entryOf is the rail entry that path lies under: the longest that begins it.
func (f *Face) entryOf(path string) string {
	best := ""
	for _, g := range f.rail {
		for _, item := range g.Items {
			if len(item.URL) > len(best) && (item.URL == path || item.URL != "/" && strings.HasPrefix(path, item.URL+"/")) {
				best = item.URL
			}
		}
	}
	return best
}

// crumb is one step of the way to a page.
type crumb struct{ Title, URL string }

// crumbs are the pages above this one, from the host's own name down. The
// overview is the host itself and has none.
func (f *Face) crumbs(s *Sheet) []crumb {
	if s.route.Path == "/" {
		return nil
	}
	way := []crumb{{hostname(s.visit.r.Host), "/"}}
	for i, c := range s.url.Path {
		if c != '/' || i == 0 {
			continue
		}
		if p, params := f.find(s.url.Path[:i], s.Actor.Role); p != nil && p.Roles&s.Actor.Role != 0 {
			way = append(way, crumb{fill(p.Title, params), s.url.Path[:i]})
		}
	}
	return way
}

// hostname is the host without its port. Who has several panels wants to see
// which one he is in.
func hostname(host string) string {
	if name, _, err := net.SplitHostPort(host); err == nil {
		return name
	}
	return host
}
