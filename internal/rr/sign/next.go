package sign

import (
	"slices"
	"time"
)

// Next takes the keys of a zone one turn further towards a policy. It returns
// the state that is to be stored, what is to be done, and when to call it again at
// the latest; calling it earlier, or again after a crash, does no harm. Store the
// state before anything is done: actions are repeated until Observed, Insert or
// Forget show that they were.
//
// Every kind of rollover is the same here. Next knows all versions of the DS, of the
// DNSKEY RRset and of the signatures over data that a cache may hold, and makes a
// step only if every mixture of them, with what the step adds, is accepted by the
// strictest validator. Waiting for TTLs, for the parent and for signing
// follows from that, for the rollovers of RFC 6781 4.1 and RFC 7583 3 as for a change
// of mind in the middle of one. It holds as long as the parent publishes what it is
// asked for, or was asked for until Policy.Registration ago, or nothing: one that
// publishes something else breaks a zone whatever its keys do, and is warned of.
//
// p must be one that Check accepts.
func Next(s State, p Policy, o Observed, now time.Time) (State, []Action, time.Time) {
	p, _ = p.withDefaults()
	s = s.clone()
	s.tick(p, now)
	s.remember(p, o)
	before := s.clone()
	if o.Revision == s.Revision {
		t := turn{State: s, policy: p}
		t.run()
		s = t.State
	}
	if !s.sameDuties(before) {
		s.emit(p, before.asked())
	}
	s.Waits = s.waits(p, o, now)
	return s, s.actions(p, o, now), s.when(p, now)
}

// tick moves the clock on. A clock that jumps ahead gains one step, one that
// jumps back loses nothing.
func (s *State) tick(p Policy, now time.Time) {
	passed := now.Sub(s.Last)
	if !s.Last.IsZero() && passed >= 0 && passed < time.Second {
		return
	}
	if !s.Last.IsZero() && passed > 0 {
		s.Clock += int64(min(passed, p.Step) / time.Second)
	}
	s.Last = now
}

// remember brings the copies up to date.
func (s *State) remember(p Policy, o Observed) {
	if len(s.DNSKEY) == 0 {
		s.DNSKEY, s.Data = s.DNSKEY.add(s.published()), s.Data.add(s.signing())
	}
	s.Data.stretch(int64(o.MaxTTL), func(Copy) bool { return true })
	s.DNSKEY.stretch(int64(o.KeyTTL), func(Copy) bool { return true })
	s.DNSKEY.stretch(int64(o.MaxTTL), func(c Copy) bool { return len(c.Keys) == 0 }) // that there is none
	if o.Revision == s.Revision {
		s.served(p, o)
	}
	s.rememberParent(p, o)
	s.DS, s.DNSKEY, s.Data = s.DS.forget(p, s.Clock), s.DNSKEY.forget(p, s.Clock), s.Data.forget(p, s.Clock)
}

// served notes that the present duties are all that is served.
func (s *State) served(p Policy, o Observed) {
	gone := func(Copy) int64 { return s.Clock + int64(p.Propagation/time.Second) }
	s.DNSKEY.end(s.published().equal, gone)
	if o.Complete {
		s.Data.end(s.signing().equal, gone)
	}
}

// rememberParent notes which DS there are. Earlier ones are over when all servers
// have what they were asked for last, and the time is over in which the parent may act
// on what it was asked for before.
func (s *State) rememberParent(p Policy, o Observed) {
	seen, _ := s.parent(o)
	for _, c := range seen {
		s.ParentTTL = max(s.ParentTTL, c.TTL)
		s.DS = s.DS.add(c)
	}
	if o.Revision != s.Revision || !s.obeyed(o) {
		return
	}
	stays := func(c Copy) bool { return c.equal(s.asked()) || slices.ContainsFunc(seen, c.equal) }
	s.DS.end(stays, func(c Copy) int64 { return c.settled(p, s.Clock) })
}

// emit makes changed duties a revision that may be served from now on.
func (s *State) emit(p Policy, was Copy) {
	s.Revision++
	for i := range s.Keys {
		s.Keys[i].Used = s.Keys[i].Used || s.Keys[i].Duty != Duty{}
	}
	asked := s.asked()
	asked.TTL = or(s.ParentTTL, int64(day/time.Second))
	s.DS, s.DNSKEY, s.Data = s.DS.add(asked), s.DNSKEY.add(s.published()), s.Data.add(s.signing())
	if !asked.equal(was) {
		s.DS.drop(was, s.Clock)
	}
}

func (s *State) sameDuties(o State) bool {
	return s.RemoveDS == o.RemoveDS && slices.EqualFunc(s.Keys, o.Keys, func(a, b Managed) bool { return a.Duty == b.Duty })
}

// safe reports whether every mixture of copies is accepted if the duties become
// those of next.
func (s *State) safe(next *State) bool {
	keys, data := append(slices.Clone(s.DNSKEY), next.published()), append(slices.Clone(s.Data), next.signing())
	for _, ds := range unions(append(s.sound(), next.asked())) {
		if !next.accepted(ds, keys, data) {
			return false
		}
	}
	return true
}

// sound returns the copies of the DS with which everything is accepted now. The
// others are none that the parent was asked for, since every step is safe with
// those: they break the zone already, and must not keep it from being mended.
func (s *State) sound() Copies {
	return slices.DeleteFunc(slices.Clone(s.DS), func(ds Copy) bool { return !s.accepted(ds, s.DNSKEY, s.Data) })
}

func (s *State) accepted(ds Copy, keys, data []Copy) bool {
	for _, k := range keys {
		for _, d := range data {
			if !s.validates(ds, k, d) {
				return false
			}
		}
	}
	return true
}
