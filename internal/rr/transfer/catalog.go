package transfer

import (
	"cmp"
	"slices"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Member is a zone that a catalog lists (RFC 9432 4.1).
type Member struct {
	Zone  rr.Name
	Label string // by which it stands there; another one means that the zone begins anew (RFC 9432 5.4)
}

// Members reads a catalog zone, in the order of its zones. Properties of members
// are left to those who know them. A catalog that is broken in any part says
// nothing at all: nobody is to take or drop a zone for it (RFC 9432 5.1).
func Members(catalog rr.Name, sets []rr.RRset) ([]Member, error) {
	broken := func(format string, args ...any) error {
		return core.Errorf(core.Invalid, "the catalog zone "+format, args...)
	}
	under, version := "zones."+catalog, false
	var out []Member
	for _, s := range sets {
		switch {
		case s.Name == "version."+catalog && s.Type == "TXT":
			if version = len(s.Data) == 1 && s.Data[0] == `"2"`; !version {
				return nil, broken("has another version than 2, which is the one that is understood here (RFC 9432 4.2.1)")
			}
		case s.Type == "PTR" && s.Name.Parent() == under:
			if len(s.Data) != 1 {
				return nil, broken("lists %d zones at %s, where one may stand", len(s.Data), s.Name)
			}
			zone, err := rr.ParseName(s.Data[0], "")
			if err != nil || zone == catalog {
				return nil, broken("lists %.80q, which cannot be a zone of it", s.Data[0])
			}
			out = append(out, Member{Zone: zone, Label: s.Name.Relative(under)})
		}
	}
	if !version {
		return nil, broken("says no version: it must hold version.%s TXT \"2\" (RFC 9432 4.2.1)", catalog)
	}
	slices.SortFunc(out, func(a, b Member) int { return cmp.Compare(a.Zone, b.Zone) })
	for i := 1; i < len(out); i++ {
		if out[i].Zone == out[i-1].Zone {
			return nil, broken("lists %s twice", out[i].Zone)
		}
	}
	return out, nil
}
