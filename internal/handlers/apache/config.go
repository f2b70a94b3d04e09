package apache

import (
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"
)

// Files are the files of the machine. A host.Eyes is one.
type Files interface {
	ReadFile(path string) ([]byte, bool, error)
	Glob(pattern string) ([]string, error)
}

// Source is where a configuration begins, and what is known besides.
type Source struct {
	Root    string            // ServerRoot that is compiled in: "/etc/apache2"
	Main    string            // the first file
	Modules Modules           // that are loaded
	Defines map[string]string // by -D, and variables of the environment
	DropIn  string            // the file that is ours
	Names   map[string]string // a file by which path it is really at, where links lead elsewhere
}

// Config is what a configuration says about .htaccess.
type Config struct {
	Sections []Section // in order of appearance
	Hosts    []Host    // the first is the main server
	Names    []string  // what .htaccess is called
	Files    []File    // in order of appearance
	Blind    []string  // what was not followed
	Reached  bool      // the drop-in is read
	src      Source
	modules  Modules
}

// Host is the main server or a virtual one.
type Host struct {
	Name  string   // its ServerName; empty for the main server
	Roots []string // folders that it serves
	File  string
	Line  int
}

// Section is one <Directory> that says something of .htaccess.
type Section struct {
	Host   int
	Path   string // without a slash at its end; may hold wildcards
	File   string
	Line   int // of its last word about .htaccess
	says   Allowed
	open   string   // how it begins
	wrap   []string // <IfModule …> around it, as they begin
	early  bool     // of the main server, and read before the drop-in
	span   [2]int   // of the last word about .htaccess, in the original
	over   bool     // it has AllowOverride
	listed bool     // it has AllowOverrideList
}

// File is one file of the configuration.
type File struct {
	Path     string
	text     string // as it is
	original string // as it was before lines of it were replaced
	replaced []replacement
}

// Limits of a configuration; more than that is not one.
const (
	mostFiles = 10_000
	deepest   = 64
)

// Parse reads a configuration: as it is, or, if before, as it was before anything
// of ours.
func Parse(files Files, src Source, before bool) (*Config, error) {
	p := &parser{files: files, before: before, vars: map[string]string{}, Config: &Config{Hosts: []Host{{}}, src: src, modules: src.Modules}, root: src.Root}
	for k, v := range src.Defines {
		p.vars[k] = v
	}
	if err := p.file(src.Main, nil, 0); err != nil {
		return nil, err
	}
	if len(p.Names) == 0 {
		p.Names = []string{".htaccess"}
	}
	for i := range p.Hosts {
		slices.Sort(p.Hosts[i].Roots)
		p.Hosts[i].Roots = slices.Compact(p.Hosts[i].Roots)
	}
	return p.Config, nil
}

type parser struct {
	*Config
	files  Files
	before bool
	vars   map[string]string
	root   string // ServerRoot
	host   int
	stack  []frame
}

// frame is an open section.
type frame struct {
	name, args, open string
	skip             bool // its condition does not hold
	section          int  // of Sections; -1
	host             int  // to go back to
}

func (p *parser) blind(format string, args ...any) {
	note := fmt.Sprintf(format, args...)
	if !slices.Contains(p.Blind, note) {
		p.Blind = append(p.Blind, note)
	}
}

func (p *parser) file(name string, from *line, depth int) error {
	if p.src.Names[name] != "" {
		name = p.src.Names[name]
	}
	if depth > deepest || len(p.Files) > mostFiles {
		return fmt.Errorf("the configuration includes itself, or more than %d files: stopped at %s", mostFiles, name)
	}
	if name == p.src.DropIn {
		p.Reached = true
		if p.before {
			return nil
		}
	}
	data, ok, err := p.files.ReadFile(name)
	if err != nil {
		return fmt.Errorf("reading %s: %w", name, err)
	}
	if !ok {
		if from == nil {
			return fmt.Errorf("there is no %s", name)
		}
		return nil
	}
	f := File{Path: name, text: string(data)}
	f.original, f.replaced = original(f.text)
	p.Files = append(p.Files, f)
	text := f.text
	if p.before {
		text = f.original
	}
	open := len(p.stack)
	for l := range logical(text) {
		if l.comment() {
			continue
		}
		if err := p.line(&f, l, depth); err != nil {
			return err
		}
	}
	if len(p.stack) != open {
		p.blind("%s: a section is not closed in the file that opens it", name)
		p.stack = p.stack[:min(open, len(p.stack))]
	}
	return nil
}

func (p *parser) skipping() bool {
	return slices.ContainsFunc(p.stack, func(f frame) bool { return f.skip })
}

func (p *parser) line(f *File, l line, depth int) error {
	name, args := l.split()
	switch {
	case strings.HasPrefix(name, "</"):
		p.closes(name[2:])
		return nil
	case name[0] == '<':
		p.opens(f, l, name[1:], p.expand(args))
		return nil
	case p.skipping():
		return nil
	}
	args = p.expand(args)
	switch name {
	case "include", "includeoptional":
		return p.include(f, l, args, depth)
	case "allowoverride", "allowoverridelist":
		p.override(f, l, name, args)
	default:
		p.setting(f, l, name, words(args))
	}
	return nil
}

func (p *parser) closes(name string) {
	name = strings.TrimSuffix(strings.TrimSpace(name), ">")
	if n := len(p.stack); n > 0 && p.stack[n-1].name == name {
		p.host = p.stack[n-1].host
		p.stack = p.stack[:n-1]
	}
}

func (p *parser) opens(f *File, l line, name, args string) {
	fr := frame{name: name, args: args, open: l.text, section: -1, host: p.host}
	if !p.skipping() {
		w := words(args)
		switch name {
		case "ifmodule", "ifdefine":
			fr.skip = len(w) == 1 && !p.holds(name, w[0])
		case "virtualhost":
			p.Hosts = append(p.Hosts, Host{File: f.Path, Line: p.line0(f, l.no)})
			p.host = len(p.Hosts) - 1
		case "macro":
			fr.skip = true
			p.blind("%s:%d: a macro; what it says of .htaccess is not followed", f.Path, p.line0(f, l.no))
		case "perl":
			fr.skip = true
			p.blind("%s:%d: a program writes configuration here; it is not followed", f.Path, p.line0(f, l.no))
		}
	}
	p.stack = append(p.stack, fr)
}

// line0 is the number of a line in the file as it is.
func (p *parser) line0(f *File, no int) int {
	if p.before {
		return now(no, f.replaced)
	}
	return no
}

func (p *parser) holds(what, name string) bool {
	name, not := strings.CutPrefix(name, "!")
	if what == "ifmodule" {
		return p.modules.has(name) != not
	}
	_, defined := p.vars[name]
	return defined != not
}

// within finds the <Directory> around a line. False: there is none, or one of those
// that say nothing about .htaccess, as with a regular expression.
func (p *parser) within() (*frame, bool) {
	for i := len(p.stack) - 1; i >= 0; i-- {
		switch fr := &p.stack[i]; {
		case fr.name == "directory":
			return fr, !strings.HasPrefix(strings.TrimSpace(fr.args), "~")
		case !strings.HasPrefix(fr.name, "if") || fr.name == "if":
			return nil, false
		}
	}
	return nil, false
}

func (p *parser) override(f *File, l line, name, args string) {
	fr, ok := p.within()
	if !ok {
		return
	}
	if fr.section < 0 {
		dir := words(fr.args)
		if len(dir) != 1 || !strings.HasPrefix(dir[0], "/") {
			p.blind("%s:%d: <Directory %s> is not followed", f.Path, p.line0(f, l.no), fr.args)
			return
		}
		fr.section = len(p.Sections)
		p.Sections = append(p.Sections, Section{Host: p.host, Path: path.Clean(dir[0]), open: fr.open, wrap: p.wraps(), early: p.host == 0 && !p.Reached})
	}
	s := &p.Sections[fr.section]
	s.File, s.Line, s.span = f.Path, p.line0(f, l.no), [2]int{l.start, l.end}
	if name == "allowoverride" {
		s.says, s.over = s.says.override(words(args)), true
	} else {
		s.says, s.listed = s.says.list(words(args)), true
	}
}

// wraps are the conditions around a line.
func (p *parser) wraps() (out []string) {
	for _, fr := range p.stack {
		if fr.name != "directory" && strings.HasPrefix(fr.name, "if") {
			out = append(out, fr.open)
		}
	}
	return out
}

func (p *parser) setting(f *File, l line, name string, w []string) {
	h := &p.Hosts[p.host]
	switch {
	case name == "use":
		p.blind("%s:%d: a macro is used; it is not followed", f.Path, p.line0(f, l.no))
	case len(w) == 0:
	case name == "define":
		p.vars[w[0]] = strings.Join(w[1:], " ")
	case name == "undefine":
		delete(p.vars, w[0])
	case name == "serverroot":
		p.root = w[0]
	case name == "servername":
		h.Name = w[0]
	case name == "accessfilename":
		for _, n := range w {
			if !slices.Contains(p.Names, n) {
				p.Names = append(p.Names, n)
			}
		}
	case name == "documentroot":
		p.serves(h, w[0])
	case (name == "alias" || name == "scriptalias") && len(w) == 2:
		p.serves(h, w[1])
	case name == "virtualdocumentroot" || name == "virtualscriptalias":
		fixed, _, _ := strings.Cut(w[0], "%")
		p.serves(h, fixed[:strings.LastIndexByte(fixed, '/')+1])
	}
}

func (p *parser) serves(h *Host, dir string) {
	if dir == "" {
		return
	}
	h.Roots = append(h.Roots, p.absolute(dir))
}

func (p *parser) absolute(name string) string {
	if !path.IsAbs(name) {
		name = path.Join(p.root, name)
	}
	return path.Clean(name)
}

func (p *parser) include(f *File, l line, args string, depth int) error {
	w := words(args)
	if len(w) != 1 {
		return nil
	}
	pattern := p.absolute(w[0])
	names, err := p.glob(pattern)
	if err != nil {
		p.blind("%s:%d: %s is not a pattern of files", f.Path, p.line0(f, l.no), w[0])
		return nil
	}
	for _, name := range names {
		if err := p.file(name, &l, depth+1); err != nil {
			return err
		}
	}
	return nil
}

// glob returns what an Include means: a file, all files of a folder, or what matches,
// hidden files only by their dot. The drop-in counts as if it were there.
func (p *parser) glob(pattern string) ([]string, error) {
	if !strings.ContainsAny(pattern, "*?[") {
		if under, _ := p.files.Glob(escape(pattern) + "/*"); len(under) > 0 {
			return p.glob(pattern + "/*")
		}
		return []string{pattern}, nil
	}
	pattern = strings.ReplaceAll(pattern, "[!", "[^")
	names, err := p.files.Glob(pattern)
	if ok, _ := path.Match(pattern, p.src.DropIn); ok && !slices.Contains(names, p.src.DropIn) {
		names = append(names, p.src.DropIn)
		slices.Sort(names)
	}
	return slices.DeleteFunc(names, func(n string) bool {
		return strings.HasPrefix(path.Base(n), ".") && !strings.HasPrefix(path.Base(pattern), ".")
	}), err
}

func escape(s string) string {
	return strings.NewReplacer(`\`, `\\`, `*`, `\*`, `?`, `\?`, `[`, `\[`).Replace(s)
}

var variable = regexp.MustCompile(`\$\{[^}:]+\}`)

// expand puts in variables. One that nobody defined stays as it is, as in Apache.
func (p *parser) expand(s string) string {
	return variable.ReplaceAllStringFunc(s, func(v string) string {
		if value, ok := p.vars[v[2:len(v)-1]]; ok {
			return value
		}
		return v
	})
}

// Read returns every file that was read.
func (c *Config) Read() (out []string) {
	for _, f := range c.Files {
		if !slices.Contains(out, f.Path) {
			out = append(out, f.Path)
		}
	}
	return out
}

// Text returns a file as it is; "" if it is not of the configuration.
func (c *Config) Text(name string) string {
	for _, f := range c.Files {
		if f.Path == name {
			return f.text
		}
	}
	return ""
}

// Edited reports whether lines of a file are replaced by ours.
func (c *Config) Edited(name string) bool {
	return slices.ContainsFunc(c.Files, func(f File) bool { return f.Path == name && len(f.replaced) > 0 })
}
