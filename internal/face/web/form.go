package web

import (
	"fmt"
	"html/template"
	"maps"
	"net/url"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Form is one operation as a form. The template "form" shows it.
type Form struct {
	Op        *act.Op
	ID        string // of the element, unique in the page
	Fields    []Field
	Proof     []Field // that prove once more who somebody is
	Hidden    []Pair
	Key       string // Idempotency-Key: two clicks are one change
	Here      string // the page it stands in, shown again when it fails
	Next      string // where a success leads; "" for the object itself
	Submit    string
	Multipart bool
	Preview   bool
	Faults    []string // of no single field
	Status    core.Code
	Plan      *Plan
	Confirm   bool // asked back: the button confirms
	Cancel    string
	Check     string // query that is asked while somebody types
	Hints     string // id of a list that explains each type of a row
	Shapes    []shape
}

// Rows reports whether the form has a button of its own before the main one:
// then Enter in a field would press that.
func (f Form) Rows() bool {
	return slices.ContainsFunc(f.Fields, func(x Field) bool { return x.Type == "objects" })
}

// ByPasskey reports whether the browser's passkey is what sends the form: then
// it needs no other button.
func (f Form) ByPasskey() bool {
	return slices.ContainsFunc(f.Fields, func(x Field) bool { return x.Form == "passkey" && x.Required })
}

// either marks the fields beside a passkey, and those of a proof: one is enough.
func (f *Form) either() {
	beside := slices.ContainsFunc(f.Fields, func(x Field) bool { return x.Form == "passkey" && !x.Required })
	for i := range f.Fields {
		f.Fields[i].Either = beside
	}
	for i := range f.Proof {
		f.Proof[i].Either = true
	}
}

// Pair is a name and a value.
type Pair struct{ Name, Value string }

// Field is one input of a form.
type Field struct {
	act.Param
	ID      string
	At      string // name in the form: "records.0.ttl"
	Label   string
	Value   string
	Values  []string
	Fault   string
	Upload  string // handle of a file that is already here
	Members [][]Field
	Auto    string // autocomplete
	Focus   bool
	Member  bool   // of a row: one of many alike, so it says less
	Either  bool   // one of several is enough: "optional" would be wrong
	From    string // parameter of the URL's fragment it is filled from

	Parts       []Field // instead of one line of data
	Kind        string  // type whose parts they are
	Says        string  // about that type
	Placeholder string
	Switch      string // of rows: the way between parts and lines
}

// Control is the kind of input the template makes.
func (f Field) Control() string {
	switch {
	case f.Form == "hidden", f.Form == "passkey":
		return f.Form
	case f.Parts != nil:
		return "parts"
	case f.Form == "code":
		return "text"
	case f.Type == "secret", f.Form == "password":
		return "password"
	case f.Type == "list" && f.Enum != nil:
		return "checks"
	case f.Type == "list", f.Form == "textarea":
		return "textarea"
	case f.Type == "string" && f.Enum != nil:
		return "select"
	case f.Type == "string":
		return "text"
	}
	return f.Type // boolean, integer, file, objects
}

// Has reports whether a list field holds the value.
func (f Field) Has(value string) bool { return slices.Contains(f.Values, value) }

// Described names the elements that explain the field, for aria-describedby.
func (f Field) Described() string {
	ids := f.ID + "-hint"
	if f.Fault != "" {
		ids = f.ID + "-fault " + ids
	}
	return ids
}

// attempt is a form that was sent and did not go through, or was a preview.
type attempt struct {
	op      string
	values  url.Values
	uploads map[string]string // field -> handle
	err     *core.Error
	plan    *Plan
	confirm bool
	more    string // objects field that wants another row
	output  *Table // of a query that was sent with a file
}

// Plan is what an operation changed, or would.
type Plan struct {
	State  string
	Events any // []ledger.Event: the events with their fields
	// Warnings are sentences about what works but is probably not meant.
	Warnings []string
	// Table is what a job says it would do.
	Table *Table
}

// Warner is an output that says what works but is probably not meant. A preview
// shows it.
type Warner interface{ Warned() []string }

func planOf(r act.Result) *Plan {
	p := &Plan{State: r.State, Events: r.Changes}
	if w, ok := r.Output.(Warner); ok {
		p.Warnings = w.Warned()
	}
	return p
}

// Form shows a form for the operation, "" when the actor may not call it.
// pairs are names and values: they fill fields in, a name that ends in "!" is
// fixed and hidden, and _next, _expect, _submit, _preview steer the form.
func (s *Sheet) Form(op string, pairs ...any) (template.HTML, error) {
	o, ok := s.face.Registry.Op(op)
	if !ok {
		return "", fmt.Errorf("there is no operation %q", op)
	}
	if !s.may(o) {
		return "", nil
	}
	set, fixed, steer := sorted(pairs)
	f := s.form(o, set, fixed, steer, kindsIn(pairs))
	return s.face.part("form", f)
}

// sorted tells the pairs of Form and Button apart.
func sorted(pairs []any) (set, fixed, steer url.Values) {
	set, fixed, steer = url.Values{}, url.Values{}, url.Values{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name := plain(pairs[i])
		switch {
		case strings.HasPrefix(name, "_"):
			steer.Set(name, plain(pairs[i+1]))
		case strings.HasSuffix(name, "!"):
			put(fixed, strings.TrimSuffix(name, "!"), pairs[i+1])
		default:
			put(set, name, pairs[i+1])
		}
	}
	return set, fixed, steer
}

// kindsIn finds what "_kinds" was given.
func kindsIn(pairs []any) Kinds {
	for i := 0; i+1 < len(pairs); i += 2 {
		if k, ok := pairs[i+1].(Kinds); ok && pairs[i] == "_kinds" {
			return k
		}
	}
	return nil
}

func put(to url.Values, name string, value any) {
	if list, ok := value.([]string); ok {
		to[name] = list
		return
	}
	if rows := reflect.ValueOf(value); rows.Kind() == reflect.Slice && rows.Type().Elem().Kind() == reflect.Struct {
		putRows(to, name, rows)
		return
	}
	to.Set(name, plain(value))
}

// putRows fills in a list of objects: each struct is one row of the form.
func putRows(to url.Values, name string, rows reflect.Value) {
	for i := range rows.Len() {
		for f := range rows.Type().Elem().Fields() {
			if !f.IsExported() || f.Type.Kind() == reflect.Slice {
				continue // no page fills in a list within a row
			}
			to.Set(fmt.Sprintf("%s.%d.%s", name, i, jsonName(f)), plain(rows.Index(i).FieldByIndex(f.Index).Interface()))
		}
	}
}

func (s *Sheet) form(o *act.Op, set, fixed, steer url.Values, kinds Kinds) Form {
	f := Form{Op: o, ID: "f-" + strings.ReplaceAll(o.Name, ".", "-"), Here: s.Here(), Next: steer.Get("_next"),
		Submit: or(steer.Get("_submit"), verb(o.Name)), Preview: steer.Get("_preview") != "no" && !s.face.entry(o), Key: core.NewID("web"),
		Check: steer.Get("_check"), Hints: steer.Get("_hints")}
	if s.Actor.Role == act.Stranger {
		f.Key = "" // keys are kept per actor, and a stranger is nobody
	}
	try := s.mine(o, fixed)
	if text := steer.Get(asText); text != "" {
		set.Set(asText, text)
	}
	if try != nil {
		set = try.values
		f.Plan, f.Confirm = try.plan, try.confirm
	}
	for _, p := range o.Input {
		if p.Form == "device" {
			continue
		}
		if fixed.Has(p.Name) {
			f.Hidden = append(f.Hidden, Pair{p.Name, fixed.Get(p.Name)})
			continue
		}
		f.Fields = append(f.Fields, s.field(p, p.Name, f.ID, set, try))
	}
	if s.face.stale(s.visit, s.Actor, o) {
		f.Proof = s.proof(f.ID, try)
	}
	f.either()
	f.Multipart = slices.ContainsFunc(f.Fields, func(x Field) bool { return x.Type == "file" })
	if expect := steer.Get("_expect"); expect != "" && expect != "0" {
		f.Hidden = append(f.Hidden, Pair{"_expect", expect})
	}
	f.byKind(kinds, set)
	if try != nil {
		f.blame(try.err)
	}
	return f
}

// mine is the attempt that belongs to this form: same operation, same fixed
// values, so that of many alike forms in a page only the right one shows it.
func (s *Sheet) mine(o *act.Op, fixed url.Values) *attempt {
	if s.try == nil || s.try.op != o.Name || s.shown {
		return nil
	}
	for name := range fixed {
		if s.try.values.Get(name) != fixed.Get(name) {
			return nil
		}
	}
	s.shown = true
	return s.try
}

func (s *Sheet) field(p act.Param, at, form string, set url.Values, try *attempt) Field {
	f := Field{Param: p, At: at, ID: form + "-" + strings.ReplaceAll(at, ".", "-"), Label: human(p.Name), Auto: autofill(p, s.route.Path)}
	if f.Label == "" {
		f.Label = p.Name
	}
	if p.Name == "token" && s.visit.outside() {
		f.From = "token"
	}
	switch p.Type {
	case "secret": // never given back (SPEC A4), nor is what a passkey answered
	case "file":
		f.Value = set.Get(at)
		if try != nil && f.Value == "" {
			f.Upload = try.uploads[at]
		}
	case "list":
		f.Values = listed(set[at])
		f.Value = strings.Join(f.Values, "\n")
	case "objects":
		f.Members = s.members(p, at, form, set, try)
	default:
		if f.Value = set.Get(at); p.Form == "passkey" {
			f.Value = ""
		}
	}
	return f
}

// members are the rows of a list of objects: those given, and empty ones to
// fill in, so that a row can be added without JavaScript.
func (s *Sheet) members(p act.Param, at, form string, set url.Values, try *attempt) [][]Field {
	rows := len(indexes(set, at))
	spare := 1
	if try != nil && try.more == at {
		spare = 3
	}
	var members [][]Field
	for i := range rows + spare {
		var row []Field
		for _, q := range p.Fields {
			if isParts(q) {
				continue // they stand where the data does
			}
			f := s.field(q, fmt.Sprintf("%s.%d.%s", at, i, q.Name), form, set, try)
			f.Required, f.Member = false, true // a row that is left empty is not sent
			row = append(row, f)
		}
		members = append(members, row)
	}
	return members
}

// blame puts each fault beside its field, and what belongs to none on top.
func (f *Form) blame(err *core.Error) {
	if err == nil {
		return
	}
	f.Status = err.Code
	if len(err.Faults) == 0 {
		f.Faults = append(f.Faults, upper(err.Public))
	}
	for _, fault := range err.Faults {
		if !place(f.Fields, fault) && !place(f.Proof, fault) {
			f.Faults = append(f.Faults, fault.String())
		}
	}
}

func place(fields []Field, fault core.Fault) bool {
	for i := range fields {
		f := &fields[i]
		switch {
		case f.Parts != nil:
			if f.At == fault.Field {
				fault.Field = f.Parts[0].At
			}
			if place(f.Parts, fault) {
				return true
			}
		case f.At == fault.Field, f.Type == "list" && strings.HasPrefix(fault.Field, f.At+"."):
			if f.Fault == "" {
				f.Fault = said(f.Param, fault)
				f.Focus = true
			}
			return f.Control() != "hidden"
		case f.Type == "objects":
			for _, row := range f.Members {
				if place(row, fault) {
					return true
				}
			}
		}
	}
	return false
}

// said is the fault in the words of a form.
func said(p act.Param, fault core.Fault) string {
	if p.Type == "integer" && strings.Contains(fault.Accepted, "JSON") {
		return "Must be a whole number."
	}
	text := upper(fault.Accepted)
	if p.Type == "list" && fault.Value != "" {
		text = "“" + fault.Value + "” " + fault.Accepted
	}
	return strings.TrimSuffix(text, ".") + "."
}

// Button shows a button for the operation with everything it needs in pairs.
// What must be confirmed leads to the operation's own page, which asks first.
func (s *Sheet) Button(op, label string, pairs ...any) (template.HTML, error) {
	o, ok := s.face.Registry.Op(op)
	if !ok {
		return "", fmt.Errorf("there is no operation %q", op)
	}
	if !s.may(o) {
		return "", nil
	}
	set, fixed, steer := sorted(pairs)
	for name, values := range fixed {
		set[name] = values
	}
	b := button{Op: o, Label: label, Class: steer.Get("_class"), Here: s.Here(), Next: or(steer.Get("_next"), s.Here()), About: steer.Get("_about")}
	for name, values := range set {
		for _, value := range values {
			b.Values = append(b.Values, Pair{name, value})
		}
	}
	slices.SortFunc(b.Values, func(a, b Pair) int { return strings.Compare(a.Name, b.Name) })
	if b.asks(set) || s.face.stale(s.visit, s.Actor, o) {
		set["_fixed"] = slices.Sorted(maps.Keys(set))
		set.Set("_next", b.Next)
		b.URL = "/do/" + op + "?" + set.Encode()
	} else {
		b.Key = core.NewID("web")
	}
	return s.face.part("button", b)
}

type button struct {
	Op         *act.Op
	Label      string
	About      string // what the label leaves out, for a screen reader
	Class, URL string
	Here, Next string
	Key        string
	Values     []Pair
}

// asks reports whether the operation needs more than it was given.
func (b *button) asks(set url.Values) bool {
	return b.Op.Confirm || slices.ContainsFunc(b.Op.Input, func(p act.Param) bool { return p.Required && set.Get(p.Name) == "" })
}

// autofill is the browser's hint for what a field holds (WCAG 1.3.5).
func autofill(p act.Param, page string) string {
	switch {
	case p.Form == "new-password":
		return "new-password"
	case p.Type == "secret" && strings.Contains(strings.ToLower(p.Name), "password"):
		return "current-password"
	case alone(page) && p.Name == "login":
		return "username webauthn"
	case p.Name == "code":
		return "one-time-code"
	}
	return "off"
}

// indexes are the numbers n for which the form has "at.n.…", in order.
func indexes(values url.Values, at string) []int {
	found := map[int]bool{}
	for name := range values {
		rest, ok := strings.CutPrefix(name, at+".")
		number, _, more := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(number); ok && more && err == nil && n >= 0 {
			found[n] = true
		}
	}
	return slices.Sorted(maps.Keys(found))
}

// listed splits what a person typed into a list: one entry a line.
func listed(values []string) []string {
	var list []string
	for _, v := range values {
		for line := range strings.SplitSeq(v, "\n") {
			if line = strings.TrimSpace(line); line != "" {
				list = append(list, line)
			}
		}
	}
	return list
}
