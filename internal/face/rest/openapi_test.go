package rest_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/santhosh-tekuri/jsonschema/v6"

	"hostward/internal/face/rest"
)

// document is the OpenAPI document as the panel serves it.
func document(t *testing.T, p panel) ([]byte, map[string]any) {
	t.Helper()
	a := p.send(t, "GET", "/api/v1/openapi.json", "", "Authorization:")
	return a.Body.Bytes(), a.ok()
}

func TestTheDocumentIsValidOpenAPI(t *testing.T) {
	_, doc := document(t, newPanel(t))
	raw, err := os.ReadFile(filepath.Join("testdata", "openapi", "schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	rules, err := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource("https://spec.openapis.org/oas/3.1/schema/2025-11-23", rules); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("https://spec.openapis.org/oas/3.1/schema/2025-11-23")
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Validate(doc); err != nil {
		t.Errorf("%#v", err)
	}
	doc["paths"].(map[string]any)["/api/v1/notes"].(map[string]any)["get"].(map[string]any)["parameters"] = "wrong"
	if s.Validate(doc) == nil {
		t.Error("the schema takes anything: this test cannot fail")
	}
}

func TestTheDocumentIsTheSameEveryTime(t *testing.T) {
	p := newPanel(t)
	first, _ := document(t, p)
	for range 5 {
		again, err := rest.OpenAPI(p.Registry, "1.2.3")
		if err != nil || !bytes.Equal(first, again) {
			t.Fatal("two documents of one registry differ", err)
		}
	}
}

func TestReferencesAndOperationIDsOfTheDocument(t *testing.T) {
	raw, doc := document(t, newPanel(t))
	for _, m := range regexp.MustCompile(`"\$ref": "#/([^"]+)"`).FindAllSubmatch(raw, -1) {
		var at any = doc
		for part := range strings.SplitSeq(string(m[1]), "/") {
			at, _ = at.(map[string]any)[part]
		}
		if at == nil {
			t.Errorf("nothing is at %s", m[1])
		}
	}
	ids := map[string]bool{}
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			o := op.(map[string]any)
			id := o["operationId"].(string)
			if ids[id] {
				t.Errorf("operationId %s twice", id)
			}
			ids[id] = true
			checkPlaces(t, path, method, o)
		}
	}
	for _, want := range []string{"noteList", "noteCreate", "noteLineAdd", "noteTail", "noteImport", "upload"} {
		if !ids[want] {
			t.Errorf("operation %s is missing", want)
		}
	}
	if ids["noteSweep"] {
		t.Error("an operation of the house itself is documented")
	}
}

// checkPlaces wants every {place} declared, and nothing else in the path.
func checkPlaces(t *testing.T, path, method string, op map[string]any) {
	t.Helper()
	places := map[string]bool{}
	for _, m := range regexp.MustCompile(`\{([^}]+)\}`).FindAllStringSubmatch(path, -1) {
		places[m[1]] = true
	}
	list, _ := op["parameters"].([]any)
	for _, one := range list {
		if p := one.(map[string]any); p["in"] == "path" {
			if !places[p["name"].(string)] {
				t.Errorf("%s %s: %v is no place of the path", method, path, p["name"])
			}
			delete(places, p["name"].(string))
		}
	}
	if len(places) > 0 {
		t.Errorf("%s %s: undeclared %v", method, path, places)
	}
}

// validator compiles one schema inside the document.
func validator(t *testing.T, doc map[string]any, pointer string) *jsonschema.Schema {
	t.Helper()
	c := jsonschema.NewCompiler()
	if err := c.AddResource("doc.json", doc); err != nil {
		t.Fatal(err)
	}
	s, err := c.Compile("doc.json#" + pointer)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func pointer(path string) string {
	return strings.ReplaceAll(strings.ReplaceAll(path, "~", "~0"), "/", "~1")
}

func TestRealAnswersAreAsDocumented(t *testing.T) {
	p := newPanel(t)
	p.create(t, "a", "one")
	_, doc := document(t, p)
	for _, c := range []struct{ method, target, path, body string }{
		{"get", "/api/v1/notes?search=x&tags=a", "/api/v1/notes", ""},
		{"post", "/api/v1/notes", "/api/v1/notes", `{"note":"b","text":"two","tags":["x"]}`},
		{"get", "/api/v1/notes/a", "/api/v1/notes/{note}", ""},
		{"patch", "/api/v1/notes/a", "/api/v1/notes/{note}", `{"text":"two"}`},
		{"get", "/api/v1/notes/a/text", "/api/v1/notes/{note}/text", ""},
		{"post", "/api/v1/notes/a/lock", "/api/v1/notes/{note}/lock", `{"pin":"1234"}`},
		{"post", "/api/v1/notes/import", "/api/v1/notes/import", `{"note":"f","file":"x"}`},
	} {
		a := p.send(t, strings.ToUpper(c.method), c.target, c.body)
		a.ok()
		at := fmt.Sprintf("/paths/%s/%s/responses/200/content/application~1json/schema", pointer(c.path), c.method)
		got, _ := jsonschema.UnmarshalJSON(bytes.NewReader(a.Body.Bytes()))
		if err := validator(t, doc, at).Validate(got); err != nil {
			t.Errorf("%s %s: %v\n%s", c.method, c.target, err, a.Body)
		}
		if c.body == "" {
			continue
		}
		at = fmt.Sprintf("/paths/%s/%s/requestBody/content/application~1json/schema", pointer(c.path), c.method)
		body, _ := jsonschema.UnmarshalJSON(strings.NewReader(c.body))
		if err := validator(t, doc, at).Validate(body); err != nil {
			t.Errorf("%s %s: body: %v", c.method, c.target, err)
		}
	}
	a := p.send(t, "GET", "/api/v1/notes?limit=many", "")
	got, _ := jsonschema.UnmarshalJSON(bytes.NewReader(a.Body.Bytes()))
	if err := validator(t, doc, "/components/schemas/Problem").Validate(got); err != nil {
		t.Errorf("%v\n%s", err, a.Body)
	}
}

func TestExamplesObeyTheirSchemas(t *testing.T) {
	_, doc := document(t, newPanel(t))
	checked := 0
	for path, item := range doc["paths"].(map[string]any) {
		for method, op := range item.(map[string]any) {
			body, _ := op.(map[string]any)["requestBody"].(map[string]any)
			types, _ := body["content"].(map[string]any)
			content, _ := types["application/json"].(map[string]any)
			example, ok := content["example"]
			if !ok {
				continue
			}
			checked++
			raw, _ := json.Marshal(example)
			value, _ := jsonschema.UnmarshalJSON(bytes.NewReader(raw))
			at := fmt.Sprintf("/paths/%s/%s/requestBody/content/application~1json/schema", pointer(path), method)
			if err := validator(t, doc, at).Validate(value); err != nil {
				t.Errorf("%s %s: %v", method, path, err)
			}
		}
	}
	if checked < 6 {
		t.Errorf("only %d examples", checked)
	}
}
