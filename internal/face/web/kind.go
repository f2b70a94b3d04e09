package web

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"hostward/internal/act"
)

// Kinds tells of which parts the "data" of a row is made, by its "type". A
// feature's page hands it to a form as "_kinds".
type Kinds interface {
	Kinds() []string                                   // types that have parts
	Says(kind string) (doc, owner string)              // a sentence about it; what its name looks like
	Parts(kind string) []act.Param                     // nil: data is one line
	Split(kind, data string) (parts []string, ok bool) // false: this data is better left a line
	Join(kind string, parts []string) (data string)    // as a line, whatever it is worth
}

// shape is what a row of a kind looks like, for the page's script.
type shape struct {
	Type, Says, Owner string
	Data              Field
}

// asText is the hidden field of a form whose rows have their data as lines.
const asText = "_text"

// byKind gives the rows of a form the fields of their types.
func (f *Form) byKind(kinds Kinds, set url.Values) {
	if kinds == nil {
		return
	}
	text := set.Get(asText) == "1"
	if text {
		f.Hidden = append(f.Hidden, Pair{asText, "1"})
	}
	for i := range f.Fields {
		o := &f.Fields[i]
		if o.Type != "objects" || !slices.ContainsFunc(o.Param.Fields, isParts) {
			continue
		}
		o.Switch = "as:text"
		if text {
			o.Switch = "as:parts"
		}
		for _, row := range o.Members {
			shaped(row, kinds, set, text)
		}
		if !text {
			f.Shapes = shapes(o.Members[len(o.Members)-1], kinds)
		}
	}
}

func isParts(p act.Param) bool { return p.Form == "parts" }

// shaped turns the data of a row into the fields of its type, or back.
func shaped(row []Field, kinds Kinds, set url.Values, text bool) {
	typ, data := member(row, "type"), member(row, "data")
	kind := strings.ToUpper(strings.TrimSpace(typ.Value))
	parts := partsOf(set, strings.TrimSuffix(data.At, "data")+"parts")
	var owner string
	data.Says, owner = kinds.Says(kind)
	if name := member(row, "name"); name != nil {
		name.Placeholder = owner
	}
	action := member(row, "action")
	switch {
	case action != nil && action.Value == "remove" && data.Value == "" && parts == nil: // all of them
	case text && data.Value == "" && parts != nil:
		data.Value = kinds.Join(kind, parts)
	case text:
	case data.Value != "":
		if split, ok := kinds.Split(kind, data.Value); ok {
			data.divide(kind, kinds.Parts(kind), split)
		}
	default:
		data.divide(kind, kinds.Parts(kind), parts)
	}
}

func member(row []Field, name string) *Field {
	i := slices.IndexFunc(row, func(f Field) bool { return f.Name == name })
	if i < 0 {
		return nil
	}
	return &row[i]
}

// divide puts the parts in the place of a line of data.
func (f *Field) divide(kind string, ps []act.Param, values []string) {
	at, id := strings.TrimSuffix(f.At, "data"), strings.TrimSuffix(f.ID, "data")
	for i, p := range ps {
		part := Field{Param: p, At: fmt.Sprintf("%sparts.%d", at, i), ID: fmt.Sprintf("%sparts-%d", id, i), Label: human(p.Name), Auto: "off", Either: p.Required}
		part.Required = false // a row that is left empty is not sent
		if i < len(values) {
			part.Value = values[i]
		}
		f.Parts = append(f.Parts, part)
	}
	f.Kind = kind
}

// shapes are rows of every kind without values; the first has a line of data.
func shapes(row []Field, kinds Kinds) []shape {
	line := *member(row, "data")
	line.Value, line.Parts, line.Kind, line.Says, line.Fault, line.Focus = "", nil, "", "", "", false
	out := []shape{{Data: line}}
	for _, kind := range kinds.Kinds() {
		s := shape{Type: kind, Data: line}
		s.Says, s.Owner = kinds.Says(kind)
		s.Data.divide(kind, kinds.Parts(kind), nil)
		out = append(out, s)
	}
	return out
}

// partsOf reads at.0, at.1 … of a form, nil if nothing was filled in. A part in
// between that was left empty keeps its place.
func partsOf(values url.Values, at string) []string {
	var out []string
	filled := 0
	for name, list := range values {
		number, ok := strings.CutPrefix(name, at+".")
		n, err := strconv.Atoi(number)
		if !ok || err != nil || n < 0 || n >= maxParts {
			continue
		}
		for len(out) <= n {
			out = append(out, "")
		}
		if out[n] = list[0]; list[0] != "" {
			filled++
		}
	}
	if filled == 0 {
		return nil
	}
	return out
}

// maxParts bounds the parts of one row.
const maxParts = 64
