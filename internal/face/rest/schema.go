package rest

import (
	"encoding"
	"encoding/json"
	"path"
	"reflect"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// schema is a JSON Schema (2020-12). Maps are written with sorted keys, so the
// document has the same bytes whenever it is made.
type schema = map[string]any

// schemas collects the named schemas of the document.
type schemas map[string]schema

// input is the schema of the members of an input that are not in the path.
func input(ps []act.Param) schema {
	members, required := schema{}, []string{}
	for _, p := range ps {
		members[p.Name] = field(p)
		if p.Required {
			required = append(required, p.Name)
		}
	}
	s := schema{"type": "object", "properties": members, "additionalProperties": false}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// maxText is the bus's limit for a text that states none; in bytes, so that
// no text with more characters passes.
const maxText = 4096

// field is the schema of one field, with the same rules that the bus checks.
func field(p act.Param) schema {
	s := schema{"description": p.Doc}
	switch p.Type {
	case "boolean":
		s["type"] = "boolean"
	case "integer":
		s["type"] = "integer"
		s["minimum"] = p.Min
		bound(s, "maximum", p.Max)
	case "list":
		s["type"], s["items"] = "array", text(act.Param{Enum: p.Enum, Min: least(p.Blank)})
		s["maxItems"] = orElse(p.Max, 1000)
	case "objects":
		s["type"], s["items"] = "array", input(p.Fields)
		s["maxItems"] = orElse(p.Max, 1000)
	case "file":
		s["type"] = "string"
		s["description"] = p.Doc + " The file's text, or the handle of an upload."
	case "secret":
		s = text(p)
		s["format"], s["writeOnly"], s["description"] = "password", true, p.Doc
	default:
		s = text(p)
		s["description"] = p.Doc
	}
	if p.Required && (p.Type == "list" || p.Type == "objects") {
		s["minItems"] = 1
	}
	return s
}

// least is how long the entries of a list are at least.
func least(blank bool) int {
	if blank {
		return 0
	}
	return 1
}

func text(p act.Param) schema {
	s := schema{"type": "string", "maxLength": orElse(p.Max, maxText)}
	if p.Required {
		bound(s, "minLength", max(p.Min, 1))
	}
	if p.Enum != nil {
		s["enum"] = p.Enum
	}
	return s
}

func bound(s schema, name string, n int) {
	if n != 0 {
		s[name] = n
	}
}

func orElse(n, other int) int {
	if n == 0 {
		return other
	}
	return n
}

var (
	jsonMarshaler = reflect.TypeFor[json.Marshaler]()
	textMarshaler = reflect.TypeFor[encoding.TextMarshaler]()
)

// of returns the schema of what encoding/json makes of a t.
func (all schemas) of(t reflect.Type) schema {
	switch {
	case t == nil:
		return schema{}
	case t == reflect.TypeFor[time.Time]():
		return schema{"type": "string", "format": "date-time"}
	case t == reflect.TypeFor[core.Secret](), t == reflect.TypeFor[act.File](), t.Kind() != reflect.Pointer && t.Implements(textMarshaler):
		return schema{"type": "string"}
	case t.Implements(jsonMarshaler) && t.Kind() != reflect.Pointer:
		return schema{}
	}
	return all.kind(t)
}

func (all schemas) kind(t reflect.Type) schema {
	switch t.Kind() {
	case reflect.String:
		return schema{"type": "string"}
	case reflect.Bool:
		return schema{"type": "boolean"}
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		return schema{"type": "integer"}
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		return schema{"type": "integer", "minimum": 0}
	case reflect.Float32, reflect.Float64:
		return schema{"type": "number"}
	case reflect.Pointer:
		return nullable(all.of(t.Elem()))
	case reflect.Array:
		return schema{"type": "array", "items": all.of(t.Elem())}
	case reflect.Slice:
		return all.slice(t)
	case reflect.Map:
		return nullable(schema{"type": "object", "additionalProperties": all.of(t.Elem())})
	case reflect.Struct:
		return all.object(t)
	}
	return schema{}
}

func (all schemas) slice(t reflect.Type) schema {
	if t.Elem().Kind() == reflect.Uint8 {
		return schema{"type": []string{"string", "null"}, "contentEncoding": "base64"}
	}
	return nullable(schema{"type": "array", "items": all.of(t.Elem())})
}

// nullable also allows null: a nil pointer, slice or map.
func nullable(s schema) schema {
	if kind, ok := s["type"].(string); ok {
		s["type"] = []string{kind, "null"}
		return s
	}
	if len(s) == 0 {
		return s
	}
	return schema{"anyOf": []schema{s, {"type": "null"}}}
}

// object puts a struct under its package's and its own name among the named
// schemas, first of all as a placeholder, since types may hold themselves.
func (all schemas) object(t reflect.Type) schema {
	if t.Name() == "" {
		return all.members(t)
	}
	name := component(t)
	if _, known := all[name]; !known {
		all[name] = schema{}
		all[name] = all.members(t)
	}
	return schema{"$ref": "#/components/schemas/" + name}
}

func component(t reflect.Type) string {
	safe := func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' {
			return r
		}
		return '_'
	}
	return path.Base(t.PkgPath()) + "." + strings.Map(safe, t.Name())
}

func (all schemas) members(t reflect.Type) schema {
	members, required := schema{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if !f.IsExported() || name == "-" || f.Anonymous && name == "" || hiddenBy(t, f) {
			continue
		}
		if name == "" {
			name = f.Name
		}
		s := all.of(f.Type)
		if doc := f.Tag.Get("doc"); doc != "" && len(s) > 0 {
			s["description"] = doc
		}
		members[name] = s
		if !strings.Contains(options, "omit") && len(f.Index) == 1 {
			required = append(required, name)
		}
	}
	s := schema{"type": "object", "properties": members}
	if len(required) > 0 {
		s["required"] = required
	}
	return s
}

// hiddenBy reports whether f came up from a struct that has a name in JSON of
// its own, and is therefore not a member of t.
func hiddenBy(t reflect.Type, f reflect.StructField) bool {
	for i := 1; i < len(f.Index); i++ {
		outer := t.FieldByIndex(f.Index[:i])
		if name, _, _ := strings.Cut(outer.Tag.Get("json"), ","); name != "" {
			return true
		}
	}
	return false
}
