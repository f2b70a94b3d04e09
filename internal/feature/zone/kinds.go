package zone

import (
	"strings"

	"hostward/internal/act"
	"hostward/internal/rr"
)

// Kinds are the record types as an editor shows them: what each is for, and the
// fields that its data is made of.
type Kinds struct{}

// Kinds is for the editor of this zone.
func (s Shown) Kinds() Kinds { return Kinds{} }

// All are the types for people to choose from.
func (Kinds) All() []rr.Kind { return rr.Kinds() }

// Kinds names the types whose data has parts.
func (Kinds) Kinds() []string {
	var out []string
	for _, k := range rr.Kinds() {
		out = append(out, k.Type)
	}
	return out
}

// Says is a sentence about a type, and what the names of its records look like.
func (Kinds) Says(kind string) (doc, owner string) {
	k, _ := rr.KindOf(kind)
	return k.Doc, k.Owner
}

// Parts are the fields of a type's data.
func (Kinds) Parts(kind string) []act.Param {
	k, _ := rr.KindOf(kind)
	var out []act.Param
	for _, p := range k.Parts {
		out = append(out, act.Param{Name: p.Name, Doc: p.Doc, Type: "string", Enum: p.Choice, Required: !p.Optional})
	}
	return out
}

// Split cuts data into those fields.
func (Kinds) Split(kind, data string) ([]string, bool) {
	k, known := rr.KindOf(kind)
	if !known {
		return nil, false
	}
	return k.Split(data)
}

// Join makes a line of them, faults and all: whoever goes over to text goes on there.
func (Kinds) Join(kind string, parts []string) string {
	if k, known := rr.KindOf(kind); known {
		if text, faults := k.Join(parts, "."); len(faults) == 0 {
			return text
		}
	}
	return strings.TrimSpace(strings.Join(parts, " "))
}
