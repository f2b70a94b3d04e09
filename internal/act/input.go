package act

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"hostward/internal/core"
)

// Param describes one field of an input, for every face alike. It is read
// from struct tags:
//
//	json:"name"   doc:"sentence"
//	rule:"required,min=1,max=255,enum=a|b"   (min and max: length of text and lists, value of numbers;
//	                                         blank: entries of a list may be empty)
//	form:"textarea|file|password|hidden"     how the web shows it; also: new-password
//	                                         (with a judgement while one types), code (seen
//	                                         while one types), passkey (filled in by the
//	                                         browser), device (by its cookie), parts (of a row's
//	                                         "data", by its "type")
//	ask:"login.challenge"                    query whose answer a passkey is asked with
//	cli:"arg"                                a positional argument of the CLI
type Param struct {
	Name, Doc  string
	Type       string // string, secret, boolean, integer, file, list, objects
	Required   bool
	Blank      bool     // entries of a list may be empty
	Min, Max   int      // 0: no limit of its own (text: 4096 bytes)
	Enum       []string // nil: free
	Form, Ask  string
	Positional bool
	Fields     []Param // of the members of objects

	index  []int
	member reflect.Type
}

// maxText bounds a text field that states no limit of its own.
const maxText = 4096

// params describes the fields of an input struct.
func params(t reflect.Type) ([]Param, error) {
	if t.Kind() != reflect.Struct {
		return nil, fmt.Errorf("the input must be a struct, not %s", t)
	}
	var ps []Param
	for _, f := range reflect.VisibleFields(t) {
		if !f.IsExported() || f.Anonymous {
			continue
		}
		p, err := param(f)
		if err != nil {
			return nil, err
		}
		ps = append(ps, p)
	}
	return ps, nil
}

func param(f reflect.StructField) (Param, error) {
	name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
	p := Param{Name: name, Doc: f.Tag.Get("doc"), Form: f.Tag.Get("form"), Ask: f.Tag.Get("ask"), Positional: f.Tag.Get("cli") == "arg", index: f.Index}
	if name == "" || p.Doc == "" {
		return p, fmt.Errorf("field %s needs a json name and a doc sentence", f.Name)
	}
	if err := p.rules(f.Tag.Get("rule")); err != nil {
		return p, fmt.Errorf("field %s: %w", f.Name, err)
	}
	return p, p.typed(f.Type)
}

func (p *Param) rules(tag string) error {
	for rule := range strings.SplitSeq(tag, ",") {
		key, value, _ := strings.Cut(rule, "=")
		var err error
		switch key {
		case "":
		case "required":
			p.Required = true
		case "blank":
			p.Blank = true
		case "min":
			p.Min, err = strconv.Atoi(value)
		case "max":
			p.Max, err = strconv.Atoi(value)
		case "enum":
			p.Enum = strings.Split(value, "|")
		default:
			err = fmt.Errorf("unknown rule %q", key)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (p *Param) typed(t reflect.Type) (err error) {
	switch {
	case t == reflect.TypeFor[core.Secret]():
		p.Type = "secret"
	case t == reflect.TypeFor[File]():
		p.Type = "file"
	case t.Kind() == reflect.String:
		p.Type = "string"
	case t.Kind() == reflect.Bool:
		p.Type = "boolean"
	case t.Kind() == reflect.Int || t.Kind() == reflect.Int64 || t.Kind() == reflect.Uint64 || t.Kind() == reflect.Uint32:
		p.Type = "integer"
	case t == reflect.TypeFor[[]string]():
		p.Type = "list"
	case t.Kind() == reflect.Slice && t.Elem().Kind() == reflect.Struct:
		p.Type, p.member = "objects", t.Elem()
		p.Fields, err = params(t.Elem())
	default:
		err = fmt.Errorf("field %s: no face can show a %s", p.Name, t)
	}
	return err
}

// decode makes an input from JSON, strictly: UTF-8, one object, known fields,
// each once, of the right type. Its faults never hold the value of a secret.
func (o *Op) decode(raw json.RawMessage) (any, error) {
	in := reflect.New(o.input)
	if len(bytes.TrimSpace(raw)) == 0 {
		raw = json.RawMessage("{}")
	}
	if !utf8.Valid(raw) {
		return nil, core.Errorf(core.Invalid, "the input is not valid UTF-8")
	}
	if err := noDuplicates(raw); err != nil {
		return nil, err
	}
	if err := exact(raw, o.Input, ""); err != nil {
		return nil, err
	}
	d := json.NewDecoder(bytes.NewReader(raw))
	d.DisallowUnknownFields()
	if err := d.Decode(in.Interface()); err != nil {
		return nil, o.decodeFault(err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, core.Errorf(core.Invalid, "the input must be one JSON object, with nothing behind it")
	}
	return in.Interface(), nil
}

func (o *Op) decodeFault(err error) error {
	if t, ok := errors.AsType[*json.UnmarshalTypeError](err); ok {
		return core.Faults{{Field: spoken(t.Field), Accepted: fmt.Sprintf("must be a JSON %s, not a %s", jsonWord(t.Type), t.Value)}}.Err()
	}
	if s, ok := errors.AsType[*json.SyntaxError](err); ok {
		return core.Errorf(core.Invalid, "the input is not JSON: byte %d: %w", s.Offset, err)
	}
	if name, ok := strings.CutPrefix(err.Error(), "json: unknown field "); ok {
		name, _ = strconv.Unquote(name)
		return unknownField(name, o.Input)
	}
	if e, ok := errors.AsType[*core.Error](err); ok {
		return e
	}
	return core.Errorf(core.Invalid, "the input is not one JSON object")
}

// spoken leaves out of a path the structs that are embedded in another, which
// whoever sent the input does not know. Names of fields begin with a small letter.
func spoken(path string) string {
	parts := strings.Split(path, ".")
	return strings.Join(slices.DeleteFunc(parts, func(p string) bool { return p != "" && p[0] >= 'A' && p[0] <= 'Z' }), ".")
}

func unknownField(name string, ps []Param) error {
	names := make([]string, len(ps))
	for i, p := range ps {
		names[i] = p.Name
	}
	return core.Faults{{Field: name, Accepted: "no such field; there are " + strings.Join(names, ", ")}}.Err()
}

// exact wants the names of fields as they are declared: encoding/json takes
// "NAME" for "name", so that one field could be given twice after all, and who
// reads the input beside us would see another value.
func exact(raw json.RawMessage, ps []Param, at string) error {
	var members map[string]json.RawMessage
	if json.Unmarshal(raw, &members) != nil {
		return nil // Decode says it better
	}
	for _, name := range slices.Sorted(maps.Keys(members)) {
		i := slices.IndexFunc(ps, func(p Param) bool { return p.Name == name })
		if i < 0 {
			return unknownField(at+name, ps)
		}
		var list []json.RawMessage
		if ps[i].Type == "objects" && json.Unmarshal(members[name], &list) == nil {
			for n, member := range list {
				if err := exact(member, ps[i].Fields, fmt.Sprintf("%s%s.%d.", at, name, n)); err != nil {
					return err
				}
			}
		}
	}
	return nil
}

func jsonWord(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[core.Secret](), t.Kind() == reflect.String:
		return "string"
	case t.Kind() == reflect.Bool:
		return "boolean"
	case t.Kind() == reflect.Slice:
		return "array"
	case t.Kind() == reflect.Struct:
		return "object"
	}
	return "whole number"
}

// noDuplicates refuses an object that has a name twice: which of the two would
// count depends on who reads (RFC 8259 4).
func noDuplicates(raw json.RawMessage) error {
	d := json.NewDecoder(bytes.NewReader(raw))
	type level struct {
		names map[string]bool // nil: an array
		value bool            // the next token is a value
	}
	var stack []level
	for {
		t, err := d.Token()
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return nil // Decode says it better
		}
		top := len(stack) - 1
		if name, ok := t.(string); ok && top >= 0 && stack[top].names != nil && !stack[top].value {
			if stack[top].names[name] {
				return core.Faults{{Field: name, Accepted: "must be given once, not twice"}}.Err()
			}
			stack[top].names[name], stack[top].value = true, true
			continue
		}
		if top >= 0 {
			stack[top].value = false
		}
		switch t {
		case json.Delim('{'):
			stack = append(stack, level{names: map[string]bool{}})
		case json.Delim('['):
			stack = append(stack, level{})
		case json.Delim('}'), json.Delim(']'):
			stack = stack[:top]
		}
		if len(stack) > 32 {
			return core.Errorf(core.Invalid, "the input is nested too deeply")
		}
	}
}

// validator is an input with rules of its own, beyond its tags.
type validator interface{ Validate(f *core.Faults) }

// validate collects every broken rule of a decoded input.
func (o *Op) validate(in any) error {
	var faults core.Faults
	check(&faults, o.Input, reflect.ValueOf(in).Elem(), "")
	if v, ok := in.(validator); ok && len(faults) == 0 {
		v.Validate(&faults)
	}
	return faults.Err()
}

func check(f *core.Faults, ps []Param, v reflect.Value, at string) {
	for _, p := range ps {
		x := v.FieldByIndex(p.index)
		switch p.Type {
		case "string":
			p.checkText(f, at+p.Name, x.String(), x.String())
		case "secret":
			p.checkText(f, at+p.Name, x.Interface().(core.Secret).Reveal(), "")
		case "file":
			if file := x.Interface().(File); p.Required && file.empty() {
				f.Add(at+p.Name, "", "must be given")
			}
		case "integer":
			p.checkNumber(f, at+p.Name, x)
		case "list", "objects":
			p.checkList(f, at+p.Name, x)
		}
	}
}

func (p *Param) checkText(f *core.Faults, at, s, shown string) {
	most := p.Max
	if most == 0 {
		most = maxText
	}
	switch {
	case s == "" && p.Required:
		f.Add(at, "", "must be given")
	case s == "":
	case len(s) > most:
		f.Add(at, shown, fmt.Sprintf("must have at most %d bytes", most))
	case len(s) < p.Min:
		f.Add(at, shown, fmt.Sprintf("must have at least %d characters", p.Min))
	case p.Enum != nil && !slices.Contains(p.Enum, s):
		f.Add(at, shown, "must be one of "+strings.Join(p.Enum, ", "))
	case strings.ContainsFunc(s, func(r rune) bool { return r < ' ' && (p.Form != "textarea" || r != '\n' && r != '\t' && r != '\r') }):
		f.Add(at, shown, "must not hold control characters")
	}
}

func (p *Param) checkNumber(f *core.Faults, at string, x reflect.Value) {
	var n int64
	if x.CanInt() {
		n = x.Int()
	} else {
		n = int64(min(x.Uint(), 1<<62))
	}
	if n == 0 && !p.Required {
		return // left out
	}
	if n < int64(p.Min) || p.Max != 0 && n > int64(p.Max) {
		f.Add(at, fmt.Sprint(n), p.span())
	}
}

func (p *Param) span() string {
	if p.Max == 0 {
		return fmt.Sprintf("must be at least %d", p.Min)
	}
	return fmt.Sprintf("must be from %d to %d", p.Min, p.Max)
}

func (p *Param) checkList(f *core.Faults, at string, x reflect.Value) {
	most := p.Max
	if most == 0 {
		most = 1000
	}
	switch {
	case x.Len() == 0 && p.Required:
		f.Add(at, "", "must hold at least one entry")
	case x.Len() > most:
		f.Add(at, "", fmt.Sprintf("must hold at most %d entries", most))
	case p.Type == "objects":
		for i := range x.Len() {
			check(f, p.Fields, x.Index(i), fmt.Sprintf("%s.%d.", at, i))
		}
	default:
		for i := range x.Len() {
			one := Param{Enum: p.Enum, Required: !p.Blank}
			one.checkText(f, fmt.Sprintf("%s.%d", at, i), x.Index(i).String(), x.Index(i).String())
		}
	}
}
