package iis

import (
	"errors"
	"fmt"
	"strings"
)

// Locked is an applicationHost.config under which no web.config says what handles a
// file.
type Locked struct {
	File     []byte   // the whole file, to be written as it is
	Before   string   // its text before
	After    string   // and with the changes
	Changes  []string // what was changed, with lines of the file before; none: it was locked
	Encoding string
}

// Lock locks the section system.webServer/handlers of an applicationHost.config.
func Lock(data []byte) (Locked, error) {
	text, enc, err := decode(data)
	if err != nil {
		return Locked{}, err
	}
	root, err := parse(text)
	if err != nil {
		return Locked{}, err
	}
	l := locker{text: text}
	section, err := declared(root)
	if err != nil {
		return Locked{}, err
	}
	if !denies(section.attr("overrideModeDefault")) {
		l.edits = append(l.edits, section.set(text, "overrideModeDefault", "Deny"))
		l.said(section, `<section name="handlers"> is locked`)
	}
	for _, loc := range root.all("location") {
		if err := l.location(loc); err != nil {
			return Locked{}, err
		}
	}
	out := Locked{Before: text, After: apply(text, l.edits), Changes: l.changes, Encoding: enc.name}
	out.File = enc.encode(out.After)
	if again, err := parse(out.After); err != nil || !locked(again) {
		return Locked{}, errors.Join(errors.New("the file is written in a way that cannot be changed safely; it is left as it was"), err)
	}
	return out, nil
}

// declared finds where the section is declared.
func declared(root *element) (*element, error) {
	for _, sections := range root.all("configSections") {
		for _, group := range sections.all("sectionGroup") {
			for _, s := range group.all("section") {
				if group.attr("name") == "system.webServer" && s.attr("name") == "handlers" {
					return s, nil
				}
			}
		}
	}
	return nil, errors.New(`the file declares no section "handlers" of "system.webServer": an applicationHost.config is wanted, which does`)
}

func denies(mode string) bool { return strings.EqualFold(mode, "Deny") }

// opens reports whether a location lets deeper files say what is in it.
func opens(loc *element) bool {
	return strings.EqualFold(loc.attr("overrideMode"), "Allow") || loc.attr("overrideMode") == "" && strings.EqualFold(loc.attr("allowOverride"), "true")
}

// handlersOf returns the handlers that a location or the whole file holds.
func handlersOf(e *element) (out []*element) {
	for _, ws := range e.all("system.webServer") {
		out = append(out, ws.all("handlers")...)
	}
	return out
}

// locked reports whether nothing opens the section.
func locked(root *element) bool {
	section, err := declared(root)
	if err != nil || !denies(section.attr("overrideModeDefault")) {
		return false
	}
	for _, loc := range root.all("location") {
		if opens(loc) && len(handlersOf(loc)) > 0 {
			return false
		}
	}
	return true
}

type locker struct {
	text    string
	edits   []edit
	changes []string
}

func (l *locker) said(e *element, what string) {
	l.changes = append(l.changes, fmt.Sprintf("line %d: %s", e.line, what))
}

// location closes a location that opens handlers: all of it if it holds nothing
// else, or else by moving them into one of their own behind it.
func (l *locker) location(loc *element) error {
	list := handlersOf(loc)
	if !opens(loc) || len(list) == 0 {
		return nil
	}
	if len(list) > 1 {
		return fmt.Errorf("line %d: a location says <handlers> twice, which IIS refuses", list[1].line)
	}
	name := fmt.Sprintf("<location path=%q>", loc.attr("path"))
	if len(loc.children) == 1 && len(loc.children[0].children) == 1 {
		l.edits = append(l.edits, loc.set(l.text, "overrideMode", "Deny"))
		l.said(loc, name+" is locked")
		return nil
	}
	h := list[0]
	start, end := h.start, h.end
	blank := indent(l.text, start)
	if start-len(blank) > 0 && l.text[start-len(blank)-1] == '\n' && strings.HasPrefix(strings.TrimPrefix(l.text[end:], "\r"), "\n") {
		start, end = start-len(blank), end+strings.IndexByte(l.text[end:], '\n')+1 // with its line
	}
	nl := "\n"
	if strings.Contains(l.text, "\r\n") {
		nl = "\r\n"
	}
	outer, inner := indent(l.text, loc.start), indent(l.text, h.parent.start)
	path := ""
	if at, to, ok := valueOf(l.text[loc.start:loc.head], "path"); ok {
		path = l.text[loc.start+at-1 : loc.start+to+1] // as it is written, with its quotes
	}
	own := nl + nl + outer + "<location path=" + path + ` overrideMode="Deny">` + nl + inner + "<system.webServer>" + nl + blank + l.text[h.start:h.end] + nl + inner + "</system.webServer>" + nl + outer + "</location>"
	if path == "" {
		own = strings.Replace(own, " path=", "", 1)
	}
	l.edits = append(l.edits, edit{start, end, ""}, edit{loc.end, loc.end, own})
	l.said(h, "<handlers> is moved from "+name+", which lets sites change it, into a location of its own, which does not")
	return nil
}

// indent is what stands before a place in its line, if that is blank.
func indent(text string, at int) string {
	line := text[strings.LastIndexByte(text[:at], '\n')+1 : at]
	if strings.Trim(line, " \t") != "" {
		return ""
	}
	return line
}

// Use is a place where a web.config says what handles a file.
type Use struct {
	Line int    `json:"line"`
	Path string `json:"path,omitempty"` // of the <location> around it
	Text string `json:"text"`
}

// Uses returns what of a web.config a locked section breaks: IIS answers 500.19 in
// the whole site, or below the location.
func Uses(data []byte) (out []Use, err error) {
	text, _, err := decode(data)
	if err != nil {
		return nil, err
	}
	root, err := parse(text)
	if err != nil {
		return nil, err
	}
	for _, e := range append([]*element{root}, root.all("location")...) {
		for _, h := range handlersOf(e) {
			use := Use{Line: h.line, Text: "<handlers>"}
			if e != root {
				use.Path = e.attr("path")
			}
			out = append(out, use)
			for _, c := range h.children {
				use.Line, use.Text = c.line, strings.Join(strings.Fields(text[c.start:c.head]), " ")
				if r := []rune(use.Text); len(r) > 120 {
					use.Text = string(r[:120]) + "…"
				}
				out = append(out, use)
			}
		}
	}
	return out, nil
}
