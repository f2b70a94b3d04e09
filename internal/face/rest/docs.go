package rest

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"fmt"
	"html/template"
	"net/http"
	"net/url"
	"reflect"
	"slices"
	"strings"

	"hostward/internal/act"
)

//go:embed docs.html
var page string

//go:embed docs.css
var style []byte

// documentation draws the page for people. It needs no script: the browser's
// own search finds every word, and each operation and problem has an anchor.
func documentation(reg *act.Registry, version string) ([]byte, error) {
	t, err := template.New("docs").Parse(page)
	if err != nil {
		return nil, err
	}
	routes, err := Routes(reg)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, map[string]any{"Version": orText(version, "unknown"), "Base": Base, "Nouns": chapters(reg, routes), "Problems": meanings})
	return b.Bytes(), err
}

// chapter is one noun of the page.
type chapter struct {
	Noun, Title string
	Ops         []entry
}

// entry is one operation of the page.
type entry struct {
	*act.Op
	Routes  []Route
	Remarks []string
	Curl    string
	CLI     string
	Output  string
}

func chapters(reg *act.Registry, routes []Route) []chapter {
	var list []chapter
	for _, op := range reg.Ops() {
		if inner(op) {
			continue
		}
		noun := nounOf(op)
		if n := len(list); n == 0 || list[n-1].Noun != noun {
			k, _ := reg.Kind(noun)
			list = append(list, chapter{Noun: noun, Title: k.Title})
		}
		c := &list[len(list)-1]
		c.Ops = append(c.Ops, describe(op, routes))
	}
	return list
}

func describe(op *act.Op, routes []Route) entry {
	e := entry{Op: op, Remarks: strings.Split(remarks(op), "\n"), CLI: shell(op)}
	for _, r := range routes {
		if r.Op == op {
			e.Routes = append([]Route{r}, e.Routes...) // the resource route first
		}
	}
	e.Curl = curl(e.Routes[0])
	if op.Output != nil && op.Output.Kind() != reflect.Interface {
		e.Output = outline(op)
	}
	return e
}

// Rules are the limits of a field, in words.
func (e entry) Rules(p act.Param) string {
	var words []string
	if p.Required {
		words = append(words, "required")
	}
	if p.Enum != nil {
		words = append(words, "one of "+strings.Join(p.Enum, ", "))
	}
	if p.Min != 0 {
		words = append(words, fmt.Sprintf("at least %d", p.Min))
	}
	if p.Max != 0 {
		words = append(words, fmt.Sprintf("at most %d", p.Max))
	}
	return strings.Join(words, "; ")
}

// outline is the answer's schema for people: names and types.
func outline(op *act.Op) string {
	all := schemas{}
	s := all.of(op.Output)
	b, err := json.MarshalIndent(all.sketch(s, 0), "", "  ")
	if err != nil || string(b) == "null" {
		return ""
	}
	return string(b)
}

// sketch resolves a schema into an example of its shape.
func (all schemas) sketch(s schema, depth int) any {
	if depth > 6 {
		return "…"
	}
	if name, ok := s["$ref"].(string); ok {
		return all.sketch(all[name[strings.LastIndex(name, "/")+1:]], depth+1)
	}
	if either, ok := s["anyOf"].([]schema); ok {
		return all.sketch(either[0], depth+1)
	}
	if members, ok := s["properties"].(schema); ok {
		out := map[string]any{}
		for name, m := range members {
			out[name] = all.sketch(m.(schema), depth+1)
		}
		return out
	}
	if items, ok := s["items"].(schema); ok {
		return []any{all.sketch(items, depth+1)}
	}
	return typeWord(s)
}

func typeWord(s schema) any {
	word := "any"
	switch t := s["type"].(type) {
	case string:
		word = t
	case []string:
		word = strings.Join(t, " or ")
	}
	if format, ok := s["format"].(string); ok {
		word += ", " + format
	}
	return word
}

// curl is the call of the sample with curl.
func curl(r Route) string {
	given := sample(r.Op)
	path := r.Path
	for _, name := range r.Places {
		path = strings.ReplaceAll(path, "{"+name+"}", url.PathEscape(fmt.Sprint(given[name])))
		delete(given, name)
	}
	parts := []string{"curl"}
	if r.Method != http.MethodGet {
		parts[0] += " -X " + r.Method
	}
	parts = append(parts, `-H "Authorization: Bearer $HOSTWARD_TOKEN"`)
	if r.Op.Confirm {
		parts = append(parts, "-H 'Confirm: true'")
	}
	if r.Method == http.MethodGet || r.Method == http.MethodDelete {
		path += queryString(given)
	} else {
		parts = append(parts, "-H 'Content-Type: application/json'", "-d "+quote(ordered(r.Op, given)))
	}
	return strings.Join(append(parts, quote("https://panel.example:8443"+path)), " \\\n  ")
}

// ordered is an input as JSON, with its fields in the order of the declaration.
func ordered(op *act.Op, values map[string]any) string {
	var f fields
	for _, p := range op.Input {
		if v, ok := values[p.Name]; ok {
			b, _ := encode(v) // it came from JSON
			f.add(p.Name, bytes.TrimSpace(b))
		}
	}
	return string(f.object())
}

func queryString(fields map[string]any) string {
	values := url.Values{}
	for name, v := range fields {
		if list, ok := v.([]any); ok {
			for _, one := range list {
				values.Add(name, fmt.Sprint(one))
			}
			continue
		}
		values.Add(name, fmt.Sprint(v))
	}
	if len(values) == 0 {
		return ""
	}
	return "?" + values.Encode()
}

// shell is the call of the sample with the command line.
func shell(op *act.Op) string {
	fields := sample(op)
	parts := append([]string{"hostward"}, strings.Split(op.Name, ".")...)
	for _, p := range op.Input {
		if v, ok := fields[p.Name]; ok && p.Positional && p.Type != "secret" {
			parts = append(parts, words(p, v)...)
		}
	}
	for _, p := range op.Input {
		v, ok := fields[p.Name]
		if !ok || p.Positional || p.Type == "secret" {
			continue
		}
		if p.Type == "boolean" {
			parts = append(parts, "--"+flag(op, p))
			continue
		}
		for _, w := range words(p, v) {
			parts = append(parts, "--"+flag(op, p)+" "+w)
		}
	}
	if op.Confirm {
		parts = append(parts, "--yes")
	}
	return strings.Join(parts, " ")
}

// words are a value as words of a shell; a list is several.
func words(p act.Param, v any) []string {
	switch p.Type {
	case "objects":
		return []string{"@" + p.Name + ".json"}
	case "file":
		return []string{p.Name + ".txt"}
	case "list":
		list, _ := v.([]any)
		texts := make([]string, len(list))
		for i, one := range list {
			texts[i] = quote(fmt.Sprint(one))
		}
		return texts
	}
	return []string{quote(fmt.Sprint(v))}
}

// flag is the command line's flag of a field, as package cli names it; a test
// there runs what the page shows.
func flag(op *act.Op, p act.Param) string {
	var b strings.Builder
	for i, r := range p.Name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('-')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	name := strings.ReplaceAll(b.String(), "_", "-")
	if slices.Contains([]string{"output", "server", "ca", "data", "help", "dry-run", "yes", "reason", "if-match", "idempotency-key"}, name) {
		nouns := strings.Split(op.Name, ".")
		name = nouns[len(nouns)-2] + "-" + name
	}
	return name
}

// quote protects a word from a shell, where it needs to be.
func quote(s string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || slices.Contains([]rune("-_./:@%+,="), r)
	}
	if s != "" && strings.IndexFunc(s, func(r rune) bool { return !plain(r) }) < 0 {
		return s
	}
	return "'" + strings.ReplaceAll(s, "'", `'\''`) + "'"
}
