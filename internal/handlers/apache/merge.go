package apache

import (
	"cmp"
	"path"
	"slices"
	"strings"
)

// parts are the components of a path; none of "/".
func parts(dir string) []string {
	return strings.FieldsFunc(dir, func(r rune) bool { return r == '/' })
}

// covers reports whether a pattern is about dir or a folder above it.
func covers(pattern, dir []string) bool {
	if len(pattern) > len(dir) {
		return false
	}
	for i, own := range pattern {
		ok, err := path.Match(strings.ReplaceAll(own, "[!", "[^"), dir[i])
		if err != nil || !ok && own != dir[i] {
			return false
		}
	}
	return true
}

// wild reports whether text is a pattern.
func wild(text string) bool { return strings.ContainsAny(text, "*?[") }

// meets reports whether two patterns may be about the same folder, or the first
// about one above.
func meets(a, b []string) bool {
	if len(a) > len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] && !wild(a[i]) && !wild(b[i]) {
			return false
		}
	}
	return true
}

// sequence returns the sections that speak of a folder of a host, in the order in
// which Apache merges them: deeper after shallower, those of the host after those of
// the main server, later after earlier. Of a pattern only what surely speaks of all it
// means: what stands above, and the same pattern.
func (c *Config) sequence(dir string, host int) (list []*Section) {
	all := parts(dir)
	for i := range c.Sections {
		s := &c.Sections[i]
		own := parts(s.Path)
		if (s.Host == 0 || s.Host == host) && covers(own, all) && (!wild(dir) || len(own) < len(all) || s.Path == dir) {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b *Section) int {
		return cmp.Or(cmp.Compare(len(parts(a.Path)), len(parts(b.Path))), cmp.Compare(min(a.Host, 1), min(b.Host, 1)))
	})
	return list
}

// At returns what .htaccess may do in a folder of a host, and the section that has
// the last word; nil: none has, and it may do nothing.
func (c *Config) At(dir string, host int) (out Allowed, last *Section) {
	for _, s := range c.sequence(dir, host) {
		out, last = out.then(s), s
	}
	return out, last
}

// word is what a section makes of what is above it, and what of that the policy would
// take away because of this section; nil: it holds, or another has the last word.
func (c *Config) word(s *Section, p Policy) (says Allowed, loose []string) {
	var all Allowed
	var over, listed *Section
	for _, t := range c.sequence(s.Path, s.Host) {
		all = all.then(t)
		if t == s {
			says = all
		}
		if t.over {
			over = t
		}
		if t.listed {
			listed = t
		}
	}
	if over == s {
		loose = all.looseClasses()
	}
	if listed == s {
		loose = append(loose, all.looseList(p)...)
	}
	return says, loose
}

// unsure reports whether what the list of a section must hold cannot be told without
// knowing which folders there are, or differs from host to host: what it takes over
// from others is theirs by a pattern, or by sections of a host above one of the main
// server.
func (c *Config) unsure(s *Section) bool {
	return slices.ContainsFunc(c.Sections, func(t Section) bool {
		lacks := t.listed && !s.listed || t.over && !s.over
		host := s.Host == 0 && t.Host != 0 && len(parts(t.Path)) < len(parts(s.Path))
		pattern := (t.Host == 0 || t.Host == s.Host) && t.Path != s.Path && (wild(t.Path) || wild(s.Path))
		return lacks && (host || pattern) && meets(parts(t.Path), parts(s.Path))
	})
}

// then is what is allowed when a section comes on top.
func (a Allowed) then(s *Section) Allowed {
	if s.over {
		a.Classes, a.Nonfatal = s.says.Classes, s.says.Nonfatal
		if s.says.may("Options") {
			a.Options = s.says.Options
		}
	}
	if s.listed {
		a.List = s.says.List
	}
	return a
}

// exempt reports whether a folder is an exception of the policy.
func (p Policy) exempt(dir string) bool {
	return slices.ContainsFunc(p.Exceptions, func(e string) bool { return dir == e || strings.HasPrefix(dir, strings.TrimSuffix(e, "/")+"/") })
}

// Grant is a folder in which .htaccess may do what the policy takes away.
type Grant struct {
	Path   string   `json:"path"`
	Host   string   `json:"host,omitempty"`
	File   string   `json:"file"`
	Line   int      `json:"line"`
	May    []string `json:"may"`
	Except bool     `json:"except,omitempty"` // it is an exception
}

// Grants lists every folder in which the policy does not hold.
func (c *Config) Grants(p Policy) (out []Grant) {
	for i := range c.Sections {
		s := &c.Sections[i]
		_, may := c.word(s, p)
		if may == nil {
			continue
		}
		out = append(out, Grant{Path: s.Path, Host: c.Hosts[s.Host].Name, File: s.File, Line: s.Line, May: may, Except: p.exempt(s.Path)})
	}
	return out
}

// Roots are the folders in which a .htaccess may count: all that is served, and all
// that a section allows something in.
func (c *Config) Roots() (out []string) {
	for _, h := range c.Hosts {
		out = append(out, h.Roots...)
	}
	for i := range c.Sections {
		s := &c.Sections[i]
		if got, _ := c.At(s.Path, s.Host); !got.nothing() && s.Path != "/" {
			out = append(out, s.Path)
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}
