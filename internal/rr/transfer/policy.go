package transfer

import (
	"fmt"
	"slices"

	"hostward/internal/rr"
)

// Match says which names a Rule speaks of.
type Match string

// The matches, as BIND's update-policy has them.
const (
	Exactly  Match = "exactly"  // Name
	Subtree  Match = "subtree"  // Name and all below it
	Wildcard Match = "wildcard" // Name is *.x: one label or more below x
	Self     Match = "self"     // the name that the key has
	SelfSub  Match = "self-sub" // that name and all below it
)

// Rule lets a key change some names.
type Rule struct {
	Key   rr.Name  `json:"key"`
	Match Match    `json:"match"`
	Name  rr.Name  `json:"name,omitempty"`  // not for Self and SelfSub
	Types []string `json:"types,omitempty"` // none: all but SOA, NS, DS and what DNSSEC keeps
}

// Policy is who may change what. What no Rule allows is forbidden.
type Policy []Rule

// Allows reports whether a key may change records of a type at a name of the
// zone. Nobody may without a key.
func (p Policy) Allows(key, zone, name rr.Name, typ string) bool {
	return slices.ContainsFunc(p, func(r Rule) bool {
		return r.speaksOf(key, zone, name) && r.types(typ)
	})
}

func (r Rule) speaksOf(key, zone, name rr.Name) bool {
	if key == "" || r.Key != key || !name.Under(zone) {
		return false
	}
	switch r.Match {
	case Exactly:
		return name == r.Name
	case Subtree:
		return name.Under(r.Name)
	case Wildcard:
		return r.Name.Wildcard() && name != r.Name.Parent() && name.Under(r.Name.Parent())
	case Self:
		return name == key
	case SelfSub:
		return name.Under(key)
	}
	return false
}

// types: delegation, authority and keys are for those to whom they are given
// by name.
func (r Rule) types(typ string) bool {
	if len(r.Types) > 0 {
		return slices.Contains(r.Types, typ)
	}
	return !slices.Contains([]string{"SOA", "NS", "DS", "DNSKEY", "CDS", "CDNSKEY", "CSYNC", "ZONEMD"}, typ) && !madeBySigning(typ)
}

// Permit reports, as a *Fault, the first edit that the policy does not let the
// key make. Who removes a name needs the right to each type that is there, and
// where there is none, any right to the name.
func (p Policy) Permit(key rr.Name, e Edits, read View) error {
	for _, one := range e.Then {
		if one.Kind == RemoveName {
			if typ, ok := p.mayEmpty(key, e.Zone, one.Name, read); !ok {
				return forbidden(key, one.Name, typ)
			}
		} else if !p.Allows(key, e.Zone, one.Name, one.Type) {
			return forbidden(key, one.Name, one.Type)
		}
	}
	return nil
}

func (p Policy) mayEmpty(key, zone, name rr.Name, read View) (typ string, ok bool) {
	for _, s := range read(name) {
		kept := madeBySigning(s.Type) || name == zone && (s.Type == "SOA" || s.Type == "NS")
		if !kept && !p.Allows(key, zone, name, s.Type) {
			return s.Type, false
		}
	}
	return "ANY", slices.ContainsFunc(p, func(r Rule) bool { return r.speaksOf(key, zone, name) })
}

func forbidden(key, name rr.Name, typ string) *Fault {
	why := fmt.Sprintf("the key %s may not change %s %s", key, name, typ)
	if key == "" {
		why = fmt.Sprintf("%s %s is changed with a key only", name, typ)
	}
	return &Fault{Refused, 0, Prohibited, why}
}
