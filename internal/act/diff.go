package act

import (
	"fmt"
	"reflect"
	"strings"

	"hostward/internal/core"
	"hostward/internal/ledger"
)

// Field is one old and new value of a record.
type Field = ledger.Field

// Diff returns the fields in which two structs of one type differ; old or new
// may be nil for a new or a removed object. Names come from the json tag; the
// log tag says "personal" or "secret", and "-" leaves a field out.
func Diff(old, new any) []Field {
	a, b := structOf(old), structOf(new)
	t := a
	if !t.IsValid() {
		t = b
	}
	if !t.IsValid() {
		return nil
	}
	var fields []Field
	for f := range t.Type().Fields() {
		tag := f.Tag.Get("log")
		if tag == "-" || !f.IsExported() {
			continue
		}
		fields = appendChanged(fields, f, tag, text(a, f), text(b, f))
	}
	return fields
}

func appendChanged(fields []Field, f reflect.StructField, tag string, old, new *string) []Field {
	if old == nil && new == nil || old != nil && new != nil && *old == *new {
		return fields
	}
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	if name == "" {
		name = strings.ToLower(f.Name)
	}
	n := Field{Name: name, Old: old, New: new, Personal: tag == "personal", Secret: tag == "secret" || f.Type == reflect.TypeFor[core.Secret]()}
	if n.Secret {
		n.Old, n.New = nil, nil
	}
	return append(fields, n)
}

func structOf(v any) reflect.Value {
	r := reflect.Indirect(reflect.ValueOf(v))
	if r.IsValid() && r.Kind() == reflect.Struct {
		return r
	}
	return reflect.Value{}
}

// text returns the value of field f as text; nil for an absent struct or an
// empty value, so that "was not set" and "is not set" read alike.
func text(v reflect.Value, f reflect.StructField) *string {
	if !v.IsValid() {
		return nil
	}
	x := v.FieldByIndex(f.Index)
	if x.IsZero() && x.Kind() != reflect.Bool {
		return nil
	}
	if s, ok := x.Interface().(core.Secret); ok { // compared, then hidden by appendChanged
		t := s.Reveal()
		return &t
	}
	if list, ok := x.Interface().([]string); ok {
		t := strings.Join(list, "\n")
		return &t
	}
	t := fmt.Sprint(x.Interface())
	return &t
}
