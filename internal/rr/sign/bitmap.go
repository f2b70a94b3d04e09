package sign

import (
	"slices"
	"strings"

	"hostward/internal/rr"
)

// types returns the types that the chain says a name has: what the zone is
// authoritative for, NS of a delegation included (RFC 4034 4.1.2, RFC 4035 2.3,
// RFC 5155 7.1). more are added; RRSIG where something is signed.
func (n *node) types(more ...uint16) []uint16 {
	var out []uint16
	signed := len(more) > 0
	for _, s := range n.sets {
		if s.code == typeNSEC {
			continue
		}
		is := n.role.signed(s.code)
		if is || n.role == cut && s.code == typeNS {
			out = append(out, s.code)
		}
		signed = signed || is
	}
	if signed {
		out = append(out, typeRRSIG)
	}
	out = append(out, more...)
	slices.Sort(out)
	return out
}

// typeNames writes types as the chain's records do, each after a blank.
func typeNames(codes []uint16) string {
	var b strings.Builder
	for _, c := range codes {
		b.WriteByte(' ')
		b.WriteString(rr.TypeName(c))
	}
	return b.String()
}

// nameText writes a name as it stands in canonical data, where some octets are
// escaped in another way than in a Name.
func nameText(n rr.Name) string {
	if !strings.Contains(string(n), `\`) {
		return string(n)
	}
	text, err := rr.ParseData("NS", string(n), ".")
	if err != nil {
		return string(n)
	}
	return text
}
