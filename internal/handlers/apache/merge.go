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

// At returns what .htaccess may do in a folder of a host, and the section that has
// the last word; nil: none has, and it may do nothing.
func (c *Config) At(dir string, host int) (Allowed, *Section) {
	var list []*Section
	all := parts(dir)
	for i := range c.Sections {
		s := &c.Sections[i]
		if (s.Host == 0 || s.Host == host) && covers(parts(s.Path), all) {
			list = append(list, s)
		}
	}
	slices.SortStableFunc(list, func(a, b *Section) int {
		return cmp.Or(cmp.Compare(len(parts(a.Path)), len(parts(b.Path))), cmp.Compare(min(a.Host, 1), min(b.Host, 1)))
	})
	var out Allowed
	var last *Section
	for _, s := range list {
		out = out.then(s)
		last = s
	}
	return out, last
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
		got, last := c.At(s.Path, s.Host)
		may := got.Loose(p)
		if may == nil || last != s {
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
