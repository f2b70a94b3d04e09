package web

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"hostward/internal/core"
)

// Table is any output, drawn without knowing what it means: facts for the
// fields of a struct, a grid for each list of structs in it.
type Table struct {
	Facts []Fact
	Lists []List
}

// Fact is one named value.
type Fact struct {
	Name, Value string
	Time        time.Time // set: Value is a time
	Long        bool      // shown as preformatted text
}

// List is one list of structs.
type List struct {
	Title string
	Heads []string
	Rows  [][]Fact
}

func tableOf(out any) *Table { return (&drawer{}).draw(out) }

// revealed is tableOf with secrets in plain text: only for a page that shows
// them once.
func revealed(out any) *Table { return (&drawer{reveal: true}).draw(out) }

type drawer struct{ reveal bool }

func (d *drawer) draw(out any) *Table {
	t := &Table{}
	v := solid(reflect.ValueOf(out))
	switch {
	case !v.IsValid():
	case v.Kind() == reflect.Slice && solidType(v.Type().Elem()).Kind() == reflect.Struct:
		t.Lists = append(t.Lists, d.list("", v))
	case v.Kind() == reflect.Struct && !isText(v):
		d.fields(t, v)
	default:
		t.Facts = append(t.Facts, d.fact("Answer", v))
	}
	return t
}

func (d *drawer) fields(t *Table, v reflect.Value) {
	for f := range v.Type().Fields() {
		x := solid(v.FieldByIndex(f.Index))
		switch name := jsonName(f); {
		case !f.IsExported() || name == "":
		case x.IsValid() && x.Kind() == reflect.Slice && solidType(x.Type().Elem()).Kind() == reflect.Struct:
			t.Lists = append(t.Lists, d.list(human(name), x))
		case f.Anonymous && x.IsValid() && x.Kind() == reflect.Struct:
			d.fields(t, x)
		default:
			t.Facts = append(t.Facts, d.fact(human(name), x))
		}
	}
}

func (d *drawer) list(title string, v reflect.Value) List {
	l := List{Title: title}
	for f := range solidType(v.Type().Elem()).Fields() {
		if f.IsExported() && jsonName(f) != "" {
			l.Heads = append(l.Heads, human(jsonName(f)))
		}
	}
	for i := range v.Len() {
		l.Rows = append(l.Rows, d.row(solid(v.Index(i)), len(l.Heads)))
	}
	return l
}

func (d *drawer) row(v reflect.Value, width int) []Fact {
	if !v.IsValid() {
		return make([]Fact, width)
	}
	var row []Fact
	for f := range v.Type().Fields() {
		if f.IsExported() && jsonName(f) != "" {
			row = append(row, d.fact(human(jsonName(f)), solid(v.FieldByIndex(f.Index))))
		}
	}
	return row
}

func (d *drawer) fact(name string, v reflect.Value) Fact {
	if !v.IsValid() {
		return Fact{Name: name}
	}
	x := v.Interface()
	if s, ok := x.(core.Secret); ok && d.reveal {
		return Fact{Name: name, Value: s.Reveal()}
	}
	if when, ok := x.(time.Time); ok {
		return Fact{Name: name, Time: when}
	}
	text := flat(x)
	return Fact{Name: name, Value: text, Long: strings.Contains(text, "\n") || len(text) > 200}
}

// flat is a value as text: what prints itself does, other structures as JSON.
func flat(x any) string {
	switch x := x.(type) {
	case string:
		return x
	case bool:
		return map[bool]string{true: "yes", false: "no"}[x]
	case []string:
		return strings.Join(x, ", ")
	case fmt.Stringer:
		return x.String()
	}
	switch reflect.ValueOf(x).Kind() {
	case reflect.Struct, reflect.Map, reflect.Slice, reflect.Array:
		if b, err := json.Marshal(x); err == nil {
			return string(b)
		}
	}
	return fmt.Sprint(x)
}

func jsonName(f reflect.StructField) string {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	switch name {
	case "-":
		return ""
	case "":
		return f.Name
	}
	return name
}

func isText(v reflect.Value) bool {
	_, text := v.Interface().(fmt.Stringer)
	return text
}

// solid follows pointers and interfaces to what is there.
func solid(v reflect.Value) reflect.Value {
	for v.IsValid() && (v.Kind() == reflect.Pointer || v.Kind() == reflect.Interface) {
		v = v.Elem()
	}
	return v
}

func solidType(t reflect.Type) reflect.Type {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}
