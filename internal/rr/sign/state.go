package sign

import (
	"bytes"
	"slices"
	"time"

	"hostward/internal/core"
)

// State is all there is to know of a zone's keys and of what caches may hold of
// it. The zero value is that of an unsigned zone. It is kept between calls of
// Next as it is; only the caller changes it besides, by Insert, Forget and Retire.
type State struct {
	Keys []Managed `json:"keys,omitempty"`
	// RemoveDS has the zone ask for the removal of all DS.
	RemoveDS bool `json:"remove_ds,omitempty"`
	// Revision counts the changes of duties.
	Revision uint64 `json:"revision"`
	// Clock is the time that has certainly passed, in seconds: that between two calls of
	// Next, but never more than Policy.Step. Times of copies are on it.
	Clock int64 `json:"clock"`
	// Last is when Next was called last.
	Last time.Time `json:"last"`
	// What validators may have in their caches.
	DS     Copies `json:"ds,omitempty"`
	DNSKEY Copies `json:"dnskey,omitempty"`
	Data   Copies `json:"data,omitempty"`
	// ParentTTL is the greatest TTL the parent's DS was seen with, in seconds.
	ParentTTL int64 `json:"parent_ttl,omitempty"`
	// Waits are the reasons why nothing more is done now.
	Waits []Wait `json:"waits,omitempty"`
}

// Managed is a key in the care of Next.
type Managed struct {
	Public
	Role Role `json:"role"`
	// Duty is what it does at present: what Reconfigure is to be given.
	Duty Duty `json:"duty"`
	// Made is when it was made.
	Made time.Time `json:"made"`
	// Used is whether it ever had a duty.
	Used bool `json:"used,omitempty"`
	// Retired is whether somebody asked for another key in its place.
	Retired bool `json:"retired,omitempty"`
}

// Insert adds a key that the action MakeKey asked for. A key with the tag of
// another one is refused as a Conflict: make another (see Public.Collides).
func (s State) Insert(p Public, r Role, now time.Time) (State, error) {
	if err := p.check(); err != nil {
		return s, err
	}
	if err := r.check(); err != nil {
		return s, err
	}
	if p.Flags != r.Flags() {
		return s, core.Errorf(core.Invalid, "a %s with the flags %d: %d is accepted", r, p.Flags, r.Flags())
	}
	for _, k := range s.Keys {
		if k.ID() == p.ID() || p.Collides(k.Public) {
			return s, core.Errorf(core.Conflict, "the zone has a key with the tag %d of algorithm %s already", p.Tag(), p.Algorithm)
		}
	}
	s = s.clone()
	s.Keys = append(s.Keys, Managed{Public: p, Role: r, Made: now})
	return s, nil
}

// Forget drops a key that the action DestroyKey named, after its private half was
// destroyed. It is a Conflict while somebody may need the key.
func (s State) Forget(id KeyID) (State, error) {
	if k := s.key(id); k != nil && s.needed(*k) {
		return s, core.Errorf(core.Conflict, "the key %s is still used, or remembered by caches", id)
	}
	s = s.clone()
	s.Keys = slices.DeleteFunc(s.Keys, func(k Managed) bool { return k.ID() == id })
	return s, nil
}

// Retire asks for another key in the place of one.
func (s State) Retire(id KeyID) (State, error) {
	s = s.clone()
	k := s.key(id)
	if k == nil {
		return s, core.Errorf(core.NotFound, "there is no key %s", id)
	}
	k.Retired = true
	return s, nil
}

// Duties returns the keys as Config wants them; signer finds who signs for a key.
func (s State) Duties(signer func(KeyID) Signer) []Key {
	var out []Key
	for _, k := range s.Keys {
		if k.Duty != (Duty{}) {
			out = append(out, Key{k.Public, k.Duty, signer(k.ID())})
		}
	}
	return out
}

// Signs reports whether the zone is to be signed at all: otherwise it has no duties for anybody.
func (s State) Signs() bool {
	return slices.ContainsFunc(s.Keys, func(k Managed) bool { return k.Duty.SignData })
}

func (s State) clone() State {
	s.Keys, s.Waits = slices.Clone(s.Keys), slices.Clone(s.Waits)
	s.DS, s.DNSKEY, s.Data = slices.Clone(s.DS), slices.Clone(s.DNSKEY), slices.Clone(s.Data)
	return s
}

func (s *State) key(id KeyID) *Managed {
	for i := range s.Keys {
		if s.Keys[i].ID() == id {
			return &s.Keys[i]
		}
	}
	return nil
}

func (s *State) algorithm(id KeyID) Algorithm {
	if k := s.key(id); k != nil {
		return k.Algorithm
	}
	return 0
}

// ids returns the keys that have a property, sorted.
func (s *State) ids(has func(Managed) bool) (out []KeyID) {
	for _, k := range s.Keys {
		if has(k) {
			out = append(out, k.ID())
		}
	}
	slices.SortFunc(out, KeyID.compare)
	return out
}

func (id KeyID) compare(o KeyID) int { return bytes.Compare(id[:], o[:]) }

// The copies that the duties make: of the DS the parent is asked for, of the DNSKEY
// RRset, and of the signatures over everything else.
func (s *State) asked() Copy {
	return Copy{Keys: s.ids(func(k Managed) bool { return k.Duty.Submit })}
}

func (s *State) published() Copy {
	return Copy{Keys: s.ids(func(k Managed) bool { return k.Duty.Publish }),
		Signers: s.ids(func(k Managed) bool { return k.Duty.SignKeys })}
}

func (s *State) signing() Copy {
	return Copy{Keys: s.ids(func(k Managed) bool { return k.Duty.SignData })}
}

// needed reports whether a key has a duty, or a cache may hold something of it.
func (s *State) needed(k Managed) bool {
	if k.Duty != (Duty{}) {
		return true
	}
	for _, c := range slices.Concat(s.DS, s.DNSKEY, s.Data) {
		if slices.Contains(c.Keys, k.ID()) {
			return true
		}
	}
	return false
}
