package apache

import (
	"path"
	"slices"
	"strings"
	"unicode"
)

// Use is a line of a .htaccess that chooses a handler.
type Use struct {
	File string `json:"file"`
	Line int    `json:"line"`
	Text string `json:"text"`
	Why  string `json:"why"`
	Site string `json:"site,omitempty"`
}

// Uses are the lines of one .htaccess that a policy touches.
type Uses struct {
	Breaks  []Use // are not allowed any more: the site answers 500 there
	Remains []Use // name a handler, and stay allowed
}

// Site looks at one .htaccess in the light of what it was allowed before.
func (c *Config) Site(p Policy, file, text string) (out Uses) {
	dir := path.Dir(file)
	if p.exempt(dir) {
		return out
	}
	host := c.hostOf(dir)
	had, _ := c.At(dir, host)
	if had.nothing() {
		return out
	}
	s := site{c: c, p: p, had: had, now: had.Under(p, c.modules)}
	for l := range logical(text) {
		if l.comment() || s.conditional(l) {
			continue
		}
		name, args := l.split()
		use := Use{File: file, Line: l.no, Text: printable(l.text), Site: c.Hosts[host].Name}
		var breaks bool
		if breaks, use.Why = s.judge(name, args); use.Why == "" {
			continue
		}
		if breaks {
			out.Breaks = append(out.Breaks, use)
		} else {
			out.Remains = append(out.Remains, use)
		}
	}
	return out
}

// site is one .htaccess while it is read.
type site struct {
	c        *Config
	p        Policy
	had, now Allowed
	skip     []bool // conditions around the line that do not hold
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

// judge says what becomes of a directive: whether it breaks, and why it is told.
func (s *site) judge(name, args string) (breaks bool, why string) {
	in := classOf(name)
	may := func(a Allowed) bool { return a.listed(name) || slices.ContainsFunc(in, a.may) }
	switch {
	case slices.Contains(in, "All") && !handles(name):
		return false, ""
	case name == "options":
		return s.options(args)
	case in == nil && !handles(name):
		if name[0] != '<' && s.had.may("FileInfo") {
			return true, "it is of no module that comes with Apache, and is withheld with the rest"
		}
	case handles(name) && slices.Contains(in, "All"):
		if !s.had.nothing() && s.c.modules.loaded("lua_module") {
			return false, "Apache allows directives of mod_lua wherever .htaccess is read"
		}
	case name == "rewriterule" && may(s.had) && !may(s.now):
		return true, "a rewrite rule can name a handler"
	case may(s.had) && !may(s.now):
		return true, "it chooses what handles a file"
	case name == "rewriterule" && may(s.now):
		return false, flags(args)
	case strings.HasPrefix(name, "php_") && may(s.had) && strings.EqualFold(first(args), "engine"):
		return false, "it switches PHP on or off, which Apache cannot withhold by name"
	}
	return false, ""
}

func first(args string) string {
	if w := words(args); len(w) > 0 {
		return w[0]
	}
	return ""
}

// options tells of options that run programs.
func (s *site) options(args string) (bool, string) {
	if !s.had.may("Options") && !s.had.listed("Options") {
		return false, ""
	}
	for _, o := range words(args) {
		if o = strings.TrimPrefix(o, "+"); slices.Contains(scripts, strings.ToLower(o)) && s.had.scripts() != nil {
			return true, "it makes Apache run programs of the folder"
		}
	}
	return false, ""
}

// flags tells of a RewriteRule that names a handler, a type or a proxy.
func flags(args string) string {
	w := words(args)
	if len(w) < 3 {
		return ""
	}
	for f := range strings.SplitSeq(strings.Trim(w[2], "[]"), ",") {
		name, _, _ := strings.Cut(strings.ToLower(strings.TrimSpace(f)), "=")
		switch name {
		case "h", "handler", "t", "type":
			return "a rewrite rule names a handler or type"
		case "p", "proxy":
			return "a rewrite rule hands the request to another server"
		}
	}
	return ""
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
