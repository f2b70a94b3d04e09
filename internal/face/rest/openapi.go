package rest

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"hostward/internal/act"
)

// OpenAPI returns the OpenAPI 3.1 document of the registry. It lists each
// operation once, at its resource route where there is one; the canonical
// route stands in x-hostward-route. The same registry gives the same bytes.
func OpenAPI(reg *act.Registry, version string) ([]byte, error) {
	routes, err := Routes(reg)
	if err != nil {
		return nil, err
	}
	all := schemas{}
	paths := map[string]schema{}
	for _, r := range preferred(routes) {
		if paths[r.Path] == nil {
			paths[r.Path] = schema{}
		}
		paths[r.Path][strings.ToLower(r.Method)] = all.operation(r)
	}
	paths[Base+"/uploads"] = schema{"post": uploadOperation()}
	document := schema{
		"openapi":           "3.1.1",
		"jsonSchemaDialect": "https://json-schema.org/draft/2020-12/schema",
		"info":              info(version),
		"servers":           []schema{{"url": "/", "description": "this server"}},
		"tags":              tags(reg),
		"paths":             paths,
		"components":        all.components(),
		"security":          []schema{{"bearer": []string{}}},
	}
	b, err := json.MarshalIndent(document, "", " ")
	return append(b, '\n'), err
}

func info(version string) schema {
	return schema{
		"title":   "Hostward",
		"version": orText(version, "unknown"),
		"summary": "Everything the panel can do, each call on record.",
		"description": "Every operation also answers at its canonical route, x-hostward-route. " +
			"Whatever is called, done, denied or wrong, is in the action log; the answer names the record.",
		"license": schema{"name": "Apache-2.0", "identifier": "Apache-2.0"},
	}
}

func orText(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// preferred keeps one route of each operation: the resource one, if any.
func preferred(routes []Route) []Route {
	var kept []Route
	for _, r := range routes {
		if inner(r.Op) {
			continue
		}
		if n := len(kept); r.Resource && n > 0 && kept[n-1].Op == r.Op {
			kept[n-1] = r
			continue
		}
		kept = append(kept, r)
	}
	return kept
}

func tags(reg *act.Registry) []schema {
	var list []schema
	seen := map[string]bool{}
	for _, op := range reg.Ops() {
		noun := nounOf(op)
		if seen[noun] || inner(op) {
			continue
		}
		seen[noun] = true
		t := schema{"name": noun}
		if k, ok := reg.Kind(noun); ok && k.Title != "" {
			t["description"] = k.Title
		}
		list = append(list, t)
	}
	return list
}

func nounOf(op *act.Op) string {
	noun, _, _ := strings.Cut(op.Name, ".")
	return noun
}

func (all schemas) operation(r Route) schema {
	o := schema{
		"operationId":          camel(r.Op.Name),
		"summary":              r.Op.Doc,
		"description":          remarks(r.Op),
		"tags":                 []string{nounOf(r.Op)},
		"x-hostward-operation": r.Op.Name,
		"x-hostward-route":     canonical(r.Op).Method + " " + canonical(r.Op).Path,
		"responses":            all.responses(r),
	}
	if ps := parameters(r); len(ps) > 0 {
		o["parameters"] = ps
	}
	if r.Method == http.MethodPost || r.Method == http.MethodPatch {
		o["requestBody"] = requestBody(r)
	}
	if r.Op.Roles&act.Stranger != 0 {
		o["security"] = []schema{{"bearer": []string{}}, {}}
	}
	return o
}

// camel makes zoneRecordAdd of zone.record.add.
func camel(name string) string {
	words := strings.Split(name, ".")
	for i, w := range words[1:] {
		words[i+1] = strings.ToUpper(w[:1]) + w[1:]
	}
	return strings.Join(words, "")
}

// remarks says what a caller should know besides the sentence.
func remarks(op *act.Op) string {
	lines := []string{"For: " + op.Roles.String() + "."}
	say := func(yes bool, format string, args ...any) {
		if yes {
			lines = append(lines, fmt.Sprintf(format, args...))
		}
	}
	say(len(op.Must)+len(op.May) > 0, "Records: %s.", strings.Join(slices.Concat(op.Must, op.May), ", "))
	say(op.Method == "query" && op.Logged, "The read is on record before the answer leaves.")
	say(op.Method == "stream", "Recorded when it opens and when it closes.")
	say(op.Confirm, "Needs the header Confirm: true.")
	say(op.Proof > 0, "A person needs a second factor proved within %s.", op.Proof)
	say(op.Reveals, "The answer holds a secret that is shown this once.")
	say(len(op.Wakes) > 0, "Brings up to date: %s; until then the state is \"pending\".", strings.Join(op.Wakes, ", "))
	say(len(op.Serves) > 0, "Evidence for: %s.", strings.Join(op.Serves, ", "))
	return strings.Join(lines, "\n")
}

// parameters are those of path, query and call.
func parameters(r Route) []any {
	var list []any
	for _, p := range r.Op.Input {
		switch {
		case slices.Contains(r.Places, p.Name):
			list = append(list, parameter(r.Op, p, "path"))
		case r.Method == http.MethodGet || r.Method == http.MethodDelete:
			list = append(list, parameter(r.Op, p, "query"))
		}
	}
	if acts(r.Op) {
		for _, name := range []string{"preview", "confirm", "ifMatch", "idempotencyKey", "reason"} {
			list = append(list, ref("parameters", name))
		}
	}
	return list
}

func parameter(op *act.Op, p act.Param, in string) schema {
	s := field(p)
	delete(s, "description")
	one := schema{"name": p.Name, "in": in, "description": p.Doc, "required": p.Required || in == "path", "schema": s}
	if p.Type == "list" {
		one["style"], one["explode"] = "form", true
	}
	if v, ok := sample(op)[p.Name]; ok {
		one["example"] = v
	}
	return one
}

func ref(kind, name string) schema { return schema{"$ref": "#/components/" + kind + "/" + name} }

// sample is the documented input without what is empty.
func sample(op *act.Op) map[string]any {
	var all map[string]any
	if json.Unmarshal(op.Sample(), &all) != nil {
		return nil
	}
	kept := map[string]any{}
	for _, p := range op.Input {
		v, given := all[p.Name]
		if given && (p.Required || v != "" && v != nil && v != false && v != 0.0) {
			kept[p.Name] = v
		}
	}
	return kept
}

// inBody are the fields that this route takes in its body, and the example.
func inBody(r Route) ([]act.Param, map[string]any) {
	example := sample(r.Op)
	var ps []act.Param
	for _, p := range r.Op.Input {
		if slices.Contains(r.Places, p.Name) {
			delete(example, p.Name)
			continue
		}
		ps = append(ps, p)
	}
	return ps, example
}

func requestBody(r Route) schema {
	ps, example := inBody(r)
	s := input(ps)
	content := schema{"application/json": schema{"schema": s, "example": example}}
	x := exchange{route: match{Route: r}}
	if x.oneFile() != "" {
		file := schema{"schema": schema{"type": "string", "description": "The file alone; other fields in the query string."}}
		content["text/plain"], content["application/octet-stream"] = file, schema{}
	}
	return schema{"required": s["required"] != nil, "content": content}
}

func (all schemas) responses(r Route) schema {
	list := schema{"200": all.success(r.Op)}
	for _, m := range meanings {
		list[strconv.Itoa(m.Status)] = ref("responses", m.Code)
	}
	if !acts(r.Op) {
		for _, m := range []string{"409", "412", "428"} {
			delete(list, m)
		}
	}
	return list
}

func (all schemas) success(op *act.Op) schema {
	if op.Method == "stream" {
		return schema{"description": "The items, as they come.", "content": schema{
			"application/jsonl": schema{"schema": schema{}},
			"text/event-stream": schema{"schema": schema{"type": "string"}},
			"text/plain":        schema{"schema": schema{"type": "string"}},
		}}
	}
	envelope := schema{"allOf": []schema{ref("schemas", "Answer"), {"type": "object", "properties": schema{"output": all.of(op.Output)}}}}
	return schema{
		"description": "Done; what that means says state.",
		"headers":     schema{"ETag": ref("headers", "ETag"), "Hostward-State": ref("headers", "State"), "Hostward-Record": ref("headers", "Record")},
		"content":     schema{"application/json": schema{"schema": envelope}},
	}
}

func uploadOperation() schema {
	file := schema{"schema": schema{"type": "string"}}
	return schema{
		"operationId": "upload", "summary": "spool a file for an operation that follows within the hour",
		"description": "The handle stands for the file in any field that takes a file.",
		"requestBody": schema{"required": true, "content": schema{"text/plain": file, "application/octet-stream": schema{}}},
		"responses": schema{
			"200": schema{"description": "Spooled.", "content": schema{"application/json": schema{"schema": ref("schemas", "Upload")}}},
			"401": ref("responses", "unauthenticated"), "413": ref("responses", tooLarge), "415": ref("responses", mediaType),
		},
	}
}
