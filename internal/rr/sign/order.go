package sign

import (
	"strings"

	"hostward/internal/rr"
)

// place is where a name stands in its zone: its labels below the apex, from the
// right, each ended by a zero octet. Octets 0 and 1 within a label become 1 1
// and 1 2, so that places compare as names do in canonical order (RFC 4034
// 6.1), and one name is below another if and only if its place begins with the
// other's. The apex is the empty place.
type place string

// placeOf returns the place of a name given in wire form, in a zone whose
// apex takes apexLen octets in wire form.
func placeOf(wire []byte, apexLen int) place {
	var starts [128]byte // a name has at most 127 labels
	labels := 0
	for i := 0; i < len(wire)-apexLen; i += 1 + int(wire[i]) {
		starts[labels] = byte(i)
		labels++
	}
	b := make([]byte, 0, len(wire)-apexLen)
	for labels--; labels >= 0; labels-- {
		at := int(starts[labels])
		b = appendLabel(b, wire[at+1:at+1+int(wire[at])])
	}
	return place(b)
}

func appendLabel(b, label []byte) []byte {
	for _, c := range label {
		if c <= 1 {
			b = append(b, 1)
			c++
		}
		b = append(b, c)
	}
	return append(b, 0)
}

// below reports whether p is other or below it.
func (p place) below(other place) bool { return strings.HasPrefix(string(p), string(other)) }

// parent returns the place one label up; the apex has none.
func (p place) parent() place {
	if p == "" {
		return ""
	}
	return p[:strings.LastIndexByte(string(p[:len(p)-1]), 0)+1]
}

// past returns the first place after p and everything below it; "" stands for
// the end of the zone. No place ends in 1, but they compare rightly: what
// follows p in a longer label is at least 1.
func (p place) past() place {
	if p == "" {
		return ""
	}
	return p[:len(p)-1] + "\x01"
}

// ancestors calls yield for the places above p, the apex not included, from
// the apex down, until it returns false.
func (p place) ancestors(yield func(place) bool) {
	for i := 0; i < len(p)-1; i++ {
		if p[i] == 0 && !yield(p[:i+1]) {
			return
		}
	}
}

// nameAt returns the ancestor of a name that has the given place.
func nameAt(name rr.Name, from, to place) rr.Name {
	for ; from != to; from = from.parent() {
		name = name.Parent()
	}
	return name
}
