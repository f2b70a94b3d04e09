package apache

import (
	"path"
	"slices"
	"strings"
	"unicode"
)

// Use is a line of a .htaccess that says what handles a file, or may.
type Use struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
	Kind string `json:"kind"`
	Site string `json:"site,omitempty"`
}

// The kinds of a use.
const (
	Handler  = "handler"
	Type     = "type"
	Programs = "programs"
	Foreign  = "foreign"
	Rewrite  = "rewrite" // only the first of a file is told
	Flag     = "flag"
	Engine   = "engine"
	Lua      = "lua"
)

var why = map[string]string{
	Handler:  "chooses what handles a file",
	Type:     "names a plain media type, which goes because a type can be a handler; Apache’s own list of types most likely has it, or can have it",
	Programs: "lets Apache run programs of the folder",
	Foreign:  "is of no module that comes with Apache, and goes with the rest of FileInfo",
	Rewrite:  "rewrites; a rewrite rule can name a handler",
	Flag:     "names a handler, a type or another server in a rewrite rule",
	Engine:   "switches PHP on or off",
	Lua:      "is of mod_lua, which is allowed wherever .htaccess is read",
}

// Why says what the line does.
func (u Use) Why() string { return why[u.Kind] }

// Breaks reports whether the policy forbids a use, so that the site answers 500 there.
func (p Policy) Breaks(u Use) bool {
	switch u.Kind {
	case Handler, Type, Programs, Foreign:
		return !p.exempt(path.Dir(u.File))
	case Rewrite, Flag:
		return !p.Rewrite && !p.exempt(path.Dir(u.File))
	}
	return false
}

// Leaves reports whether a use chooses a handler and the policy cannot forbid it.
func (p Policy) Leaves(u Use) bool {
	return u.Kind != Rewrite && !p.Breaks(u) && !p.exempt(path.Dir(u.File))
}

// Site looks at one .htaccess in the light of what it was allowed before.
func (c *Config) Site(file, text string) (out []Use) {
	dir := path.Dir(file)
	host := c.hostOf(dir)
	had, _ := c.At(dir, host)
	if had.nothing() {
		return nil
	}
	s := site{c: c, had: had}
	rewrites := false
	for l := range logical(text) {
		if l.comment() || s.conditional(l) {
			continue
		}
		name, args := l.split()
		kind := s.judge(name, args)
		if kind == "" || kind == Rewrite && rewrites {
			continue
		}
		rewrites = rewrites || kind == Rewrite
		out = append(out, Use{File: file, Line: l.no, Text: printable(l.text), Kind: kind, Site: c.Hosts[host].Name})
	}
	return out
}

// site is one .htaccess while it is read.
type site struct {
	c    *Config
	had  Allowed
	skip []bool // conditions around the line that do not hold
}

// conditional follows <IfModule>; other conditions count as holding.
func (s *site) conditional(l line) bool {
	name, args := l.split()
	switch {
	case strings.HasPrefix(name, "<if") && name != "<if":
		w := words(args)
		skip := false
		if name == "<ifmodule" && len(w) == 1 {
			m, not := strings.CutPrefix(w[0], "!")
			skip = s.c.modules.has(m) == not
		}
		s.skip = append(s.skip, skip)
	case strings.HasPrefix(name, "</if") && name != "</if" && len(s.skip) > 0:
		s.skip = s.skip[:len(s.skip)-1]
	}
	return slices.Contains(s.skip, true)
}

// judge says what kind of use a directive is; "": none, or it was not allowed before.
func (s *site) judge(name, args string) string {
	in := classOf(name)
	may := s.had.listed(name) || slices.ContainsFunc(in, s.had.may)
	switch {
	case slices.Contains(in, "All") && handles(name):
		if s.c.modules.loaded("lua_module") {
			return Lua
		}
	case slices.Contains(in, "All"):
	case name == "options":
		return s.options(args)
	case in == nil && !handles(name):
		if name[0] != '<' && s.had.may("FileInfo") {
			return Foreign
		}
	case !may:
	case name == "addtype" || name == "forcetype":
		return typed(first(args))
	case handles(name):
		return Handler
	case name == "rewriterule":
		return flags(args)
	case strings.HasPrefix(name, "php_") && strings.EqualFold(first(args), "engine"):
		return Engine
	}
	return ""
}

func first(args string) string {
	if w := words(args); len(w) > 0 {
		return w[0]
	}
	return ""
}

// typed tells a media type that is no more from one that modules take for a handler,
// such as application/x-httpd-php.
func typed(name string) string {
	top, sub, ok := strings.Cut(strings.ToLower(name), "/")
	if ok && slices.Contains([]string{"image", "audio", "video", "font", "model", "text", "application"}, top) &&
		!strings.HasPrefix(sub, "x-httpd") && !strings.HasPrefix(sub, "x-server-parsed") && sub != "x-type-map" {
		return Type
	}
	return Handler
}

// options tells of options that run programs.
func (s *site) options(args string) string {
	if s.had.scripts() == nil {
		return ""
	}
	for _, o := range words(args) {
		if o = strings.TrimPrefix(o, "+"); slices.Contains(scripts, strings.ToLower(o)) {
			return Programs
		}
	}
	return ""
}

// flags tells a RewriteRule that names a handler, a type or a proxy from others.
func flags(args string) string {
	w := words(args)
	if len(w) < 3 {
		return Rewrite
	}
	for f := range strings.SplitSeq(strings.Trim(strings.Join(w[2:], ""), "[]"), ",") {
		name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(f)), "=")
		if slices.Contains([]string{"h", "handler", "t", "type", "p", "proxy"}, name) {
			return Flag
		}
	}
	return Rewrite
}

// printable is text as it may be shown: one line, without control characters.
func printable(s string) string {
	s = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, strings.ToValidUTF8(s, "�"))
	if r := []rune(s); len(r) > 120 {
		s = string(r[:120]) + "…"
	}
	return s
}
