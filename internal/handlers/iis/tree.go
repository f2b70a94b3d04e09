package iis

import (
	"encoding/xml"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// element is an element with the places it has in the text.
type element struct {
	name       string
	attrs      []xml.Attr
	start, end int // of its whole text
	head       int // end of its start tag
	tail       int // start of its end tag; head if it has none
	line       int
	parent     *element
	children   []*element
}

// deepest is how deep elements may stand in each other.
const deepest = 100

// parse reads a text. What is not well-formed, and a document type, is refused.
func parse(text string) (*element, error) {
	d := xml.NewDecoder(strings.NewReader(text))
	d.CharsetReader = func(name string, r io.Reader) (io.Reader, error) {
		if strings.EqualFold(name, "utf-16") {
			return r, nil // it was decoded by its byte order mark
		}
		return nil, fmt.Errorf("it says that it is written in %.40q; UTF-8 and UTF-16 are accepted", name)
	}
	root := &element{}
	at, lines, counted := root, 1, 0
	for deep := 0; ; {
		start := int(d.InputOffset())
		token, err := d.RawToken()
		if errors.Is(err, io.EOF) {
			break
		}
		lines, counted = lines+strings.Count(text[counted:start], "\n"), start
		if err != nil {
			return nil, notXML(err)
		}
		switch t := token.(type) {
		case xml.Directive:
			return nil, fmt.Errorf("line %d: a document type (<!%.20s…) is not accepted: it could make the reader fetch files and addresses", lines, t)
		case xml.StartElement:
			if deep++; deep > deepest {
				return nil, fmt.Errorf("line %d: elements stand more than %d deep in each other", lines, deepest)
			}
			e := &element{name: full(t.Name), attrs: slices.Clone(t.Attr), start: start, head: int(d.InputOffset()), line: lines, parent: at}
			if name, twice := e.twice(); twice {
				return nil, fmt.Errorf("line %d: <%s> has the attribute %s twice", lines, e.name, name)
			}
			at.children = append(at.children, e)
			at = e
		case xml.EndElement:
			deep--
			if at == root || at.name != full(t.Name) {
				return nil, fmt.Errorf("line %d: </%.60s> closes nothing that is open", lines, t.Name.Local)
			}
			at.tail, at.end = start, int(d.InputOffset())
			at = at.parent
		case xml.CharData:
			if at == root && strings.TrimSpace(string(t)) != "" {
				return nil, fmt.Errorf("line %d: there is text outside of all elements; this is not XML", lines)
			}
		}
	}
	if at != root {
		return nil, fmt.Errorf("line %d: <%s> is not closed", at.line, at.name)
	}
	if len(root.children) != 1 || root.children[0].name != "configuration" {
		return nil, errors.New("the file is not a configuration of IIS: it must be one element, <configuration>")
	}
	return root.children[0], nil
}

// full is a name as it is written: with its prefix it is none of ours.
func full(n xml.Name) string {
	if n.Space != "" {
		return n.Space + ":" + n.Local
	}
	return n.Local
}

func notXML(err error) error {
	if s := (*xml.SyntaxError)(nil); errors.As(err, &s) {
		return fmt.Errorf("line %d: this is not XML: %s", s.Line, s.Msg)
	}
	return fmt.Errorf("this is not XML: %w", err)
}

func (e *element) twice() (string, bool) {
	for i, a := range e.attrs {
		if slices.ContainsFunc(e.attrs[:i], func(b xml.Attr) bool { return a.Name == b.Name }) {
			return a.Name.Local, true
		}
	}
	return "", false
}

// attr returns an attribute's value, "" if it has none.
func (e *element) attr(name string) string {
	for _, a := range e.attrs {
		if a.Name.Space == "" && a.Name.Local == name {
			return a.Value
		}
	}
	return ""
}

// all returns the children of a name.
func (e *element) all(name string) (out []*element) {
	for _, c := range e.children {
		if c.name == name {
			out = append(out, c)
		}
	}
	return out
}

// edit is a change of a text.
type edit struct {
	start, end int
	text       string
}

// set makes an attribute of an element have a value.
func (e *element) set(text, name, value string) edit {
	tag := text[e.start:e.head]
	if at, end, ok := valueOf(tag, name); ok {
		return edit{e.start + at, e.start + end, value}
	}
	// Behind the last thing in the tag, so that the blanks before its end stay.
	end := len(strings.TrimRight(strings.TrimSuffix(strings.TrimSuffix(tag, ">"), "/"), " \t\r\n"))
	return edit{e.start + end, e.start + end, fmt.Sprintf(` %s="%s"`, name, value)}
}

// valueOf finds the value of an attribute in a start tag that is well-formed.
func valueOf(tag, name string) (start, end int, ok bool) {
	i := strings.IndexAny(tag, " \t\r\n")
	for i >= 0 && i < len(tag) {
		for i < len(tag) && strings.IndexByte(" \t\r\n", tag[i]) >= 0 {
			i++
		}
		eq := strings.IndexByte(tag[i:], '=')
		if eq < 0 {
			return 0, 0, false
		}
		found := strings.TrimSpace(tag[i : i+eq])
		open := i + eq + strings.IndexAny(tag[i+eq:], `"'`)
		shut := open + 1 + strings.IndexByte(tag[open+1:], tag[open])
		if found == name {
			return open + 1, shut, true
		}
		i = shut + 1
	}
	return 0, 0, false
}

func apply(text string, edits []edit) string {
	slices.SortStableFunc(edits, func(a, b edit) int { return a.start - b.start })
	var out strings.Builder
	at := 0
	for _, e := range edits {
		out.WriteString(text[at:e.start])
		out.WriteString(e.text)
		at = e.end
	}
	out.WriteString(text[at:])
	return out.String()
}
