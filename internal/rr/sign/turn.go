package sign

import (
	"cmp"
	"slices"
)

// turn is one call of Next that may change duties.
type turn struct {
	State
	policy Policy
	heirs  map[KeyID]bool // the keys that are to do everything in the end
}

// run tries each step in the order in which rollovers take them (RFC 6781 4.1); those
// that are not safe yet wait for another turn.
func (t *turn) run() {
	heirs, missing := t.State.heirs(t.policy)
	t.heirs = heirs
	if len(missing) > 0 {
		return
	}
	if !t.policy.Signed {
		t.leave()
		return
	}
	t.begin()
	t.each(t.signToo, byData)
	t.each(t.publish, byData)
	t.try(t.takeOver)
	t.each(t.askBoth, byData)
	t.each(t.exchange, byData)
	t.try(t.ask)
	t.each(t.unpublish, byEntry)
	t.each(t.signNoMore, byEntry)
}

// try makes a change if it is safe.
func (t *turn) try(change func(*State)) {
	next := t.State.clone()
	change(&next)
	if !next.sameDuties(t.State) && t.State.safe(&next) {
		t.State = next
	}
}

// each tries a change for one key after another. The order matters within an
// algorithm: data must not lose its signer before the keys lose the algorithm.
func (t *turn) each(change func(*State, *Managed), order func(a, b Role) int) {
	keys := slices.Clone(t.Keys)
	slices.SortStableFunc(keys, func(a, b Managed) int { return order(a.Role, b.Role) })
	for _, k := range keys {
		t.try(func(s *State) { change(s, s.key(k.ID())) })
	}
}

func byData(a, b Role) int  { return cmp.Compare(b, a) } // ZSK, KSK, CSK
func byEntry(a, b Role) int { return cmp.Compare(a, b) } // CSK, KSK, ZSK

func (t *turn) heir(k *Managed) bool { return t.heirs[k.ID()] }

// any reports whether another key has a property.
func (s *State) other(k *Managed, has func(o Managed) bool) bool {
	return slices.ContainsFunc(s.Keys, func(o Managed) bool { return o.ID() != k.ID() && has(o) })
}

// begin signs a zone that is not signed.
func (t *turn) begin() {
	if t.Signs() {
		return
	}
	t.try(func(s *State) {
		for i := range s.Keys {
			if k := &s.Keys[i]; t.heir(k) {
				k.Duty = Duty{Publish: true, SignKeys: k.Role.entry(), SignData: k.Role.data()}
			}
		}
	})
}

// signToo has the first key of an algorithm sign data before anybody can see the
// key: whoever sees the algorithm wants all data signed with it (RFC 6781 4.1.4).
func (t *turn) signToo(s *State, k *Managed) {
	if t.heir(k) && k.Role.data() && !s.other(k, func(o Managed) bool { return o.Algorithm == k.Algorithm && o.Duty.SignData }) {
		k.Duty.SignData = true
	}
}

// publish shows a new key: pre-publication of a ZSK (RFC 6781 4.1.1.1), double
// signatures of KSKs (RFC 6781 4.1.2, RFC 7583 3.3.1).
func (t *turn) publish(s *State, k *Managed) {
	if t.heir(k) && !t.dsFirst(s, k) {
		k.Duty.Publish, k.Duty.SignKeys = true, k.Role.entry()
	}
}

// dsFirst reports whether a KSK's DS is to stand in the parent before the key is shown.
func (t *turn) dsFirst(s *State, k *Managed) bool {
	return t.policy.DoubleDS && k.Role == KSK && !k.Duty.Publish && s.other(k, predecessor(k))
}

func predecessor(k *Managed) func(Managed) bool {
	return func(o Managed) bool {
		return o.Role == KSK && o.Algorithm == k.Algorithm && o.Duty.Publish && o.Duty.Submit
	}
}

// takeOver has the heirs sign data instead of all others of their algorithm. Those of
// another one sign on, as long as somebody may have their keys.
func (t *turn) takeOver(s *State) {
	for i := range s.Keys {
		k := &s.Keys[i]
		if t.heir(k) {
			k.Duty.SignData = k.Role.data()
		} else if k.Algorithm == t.policy.Algorithm {
			k.Duty.SignData = false
		}
	}
}

// askBoth asks the parent for the DS of a new KSK besides the old one's (RFC 7583 3.3.2).
func (t *turn) askBoth(s *State, k *Managed) {
	if t.heir(k) && t.dsFirst(s, k) {
		k.Duty.Submit = true
	}
}

// exchange shows a KSK whose DS is known everywhere instead of its predecessors.
func (t *turn) exchange(s *State, k *Managed) {
	if !t.heir(k) || !t.dsFirst(s, k) || !k.Duty.Submit {
		return
	}
	for i := range s.Keys {
		if o := &s.Keys[i]; predecessor(k)(*o) && o.ID() != k.ID() {
			o.Duty.Publish, o.Duty.SignKeys = false, false
		}
	}
	k.Duty.Publish, k.Duty.SignKeys = true, true
}

// ask asks the parent for the DS of the heirs alone.
func (t *turn) ask(s *State) {
	for i := range s.Keys {
		if k := &s.Keys[i]; t.heir(k) && k.Role.entry() && !k.Duty.Publish {
			return
		}
	}
	for i := range s.Keys {
		k := &s.Keys[i]
		k.Duty.Submit = t.heir(k) && k.Role.entry()
	}
	s.RemoveDS = false
}

// unpublish takes a key away that nobody needs any more.
func (t *turn) unpublish(_ *State, k *Managed) {
	if !t.heir(k) && !k.Duty.Submit {
		k.Duty.Publish, k.Duty.SignKeys = false, false
	}
}

// signNoMore ends the signatures of an algorithm that no cache knows of any more
// (RFC 6781 4.1.4).
func (t *turn) signNoMore(_ *State, k *Managed) {
	if !t.heir(k) && !k.Duty.Publish {
		k.Duty.SignData = false
	}
}

// leave has the parent remove the DS (RFC 8078 4), and unsigns the zone when no
// cache has one any more (RFC 6781 4.4.3 has the order). A DS that is not of our keys
// holds it up as well: without signatures it would break the zone.
func (t *turn) leave() {
	if !t.Signs() {
		return
	}
	if !slices.ContainsFunc(t.DS, func(c Copy) bool { return len(c.Keys) > 0 || c.Foreign }) {
		t.try(func(s *State) {
			for i := range s.Keys {
				s.Keys[i].Duty = Duty{}
			}
			s.RemoveDS = false
		})
		return
	}
	t.try(func(s *State) {
		for i := range s.Keys {
			s.Keys[i].Duty.Submit = false
		}
		s.RemoveDS = true
	})
}

// heirs returns the keys that do everything in the end, and the roles for which
// there is none.
func (s *State) heirs(p Policy) (heirs map[KeyID]bool, missing []Role) {
	heirs = map[KeyID]bool{}
	for _, r := range p.roles() {
		k := s.heir(p, r)
		if k == nil {
			missing = append(missing, r)
			continue
		}
		heirs[k.ID()] = true
	}
	return heirs, missing
}

// heir returns the youngest key that fits the policy, of those that nobody wants
// replaced if there are any; or nil.
func (s *State) heir(p Policy, r Role) (heir *Managed) {
	for i := range s.Keys {
		if k := &s.Keys[i]; k.Role == r && k.Algorithm == p.Algorithm && (heir == nil || heir.Retired || !k.Retired) {
			heir = k
		}
	}
	return heir
}
