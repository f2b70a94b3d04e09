package sign

import (
	"slices"
	"time"
)

// Deed is a kind of action.
type Deed string

// What a caller has to do.
const (
	MakeKey    Deed = "make-key"    // have a key of Role and Algorithm made, and Insert it
	Configure  Deed = "configure"   // give the zone the Duties and RemoveDS of the State, or unsign it if it no longer Signs
	AskParent  Deed = "ask-parent"  // see that the parent has the DS of Keys and no others; CDS asks by itself where parents look at it
	DestroyKey Deed = "destroy-key" // have the private half of Keys destroyed, and Forget them
	WarnLost   Deed = "warn-lost"   // the DS of Keys is asked for, was there, and is missing on Server: the zone is not protected
	WarnWrong  Deed = "warn-wrong"  // Server has a DS that belongs to no key of the zone, or to one that it is not signed with: see to it by hand
)

// Action is what is to be done now. The same ones come again until they are done.
type Action struct {
	Deed      Deed      `json:"deed"`
	Role      Role      `json:"role,omitempty"`
	Algorithm Algorithm `json:"algorithm,omitempty"`
	Keys      []KeyID   `json:"keys,omitempty"`
	Server    string    `json:"server,omitempty"`
}

// actions lists what the state asks for.
func (s *State) actions(p Policy, o Observed, now time.Time) []Action {
	var out []Action
	for _, r := range s.wanting(p, now) {
		out = append(out, Action{Deed: MakeKey, Role: r, Algorithm: p.Algorithm})
	}
	if o.Revision != s.Revision {
		out = append(out, Action{Deed: Configure})
	}
	asked := s.asked()
	if (len(asked.Keys) > 0 || s.RemoveDS) && !s.obeyed(o) {
		out = append(out, Action{Deed: AskParent, Keys: asked.Keys})
	}
	if useless := s.useless(p); len(useless) > 0 {
		out = append(out, Action{Deed: DestroyKey, Keys: useless})
	}
	return append(out, s.warnings(o)...)
}

// wanting returns the roles for which a key is to be made: there is none, or the one
// there is has been retired or has become too old, and took over completely.
func (s *State) wanting(p Policy, now time.Time) (out []Role) {
	for _, r := range p.roles() {
		k := s.heir(p, r)
		if k == nil || s.old(k, p, now) && !s.other(k, func(o Managed) bool { return o.Role == r && s.needed(o) }) {
			out = append(out, r)
		}
	}
	return out
}

func (s *State) old(k *Managed, p Policy, now time.Time) bool {
	life := p.life(k.Role)
	return k.Retired || life > 0 && !now.Before(k.Made.Add(life))
}

// useless returns the keys that nobody will need again.
func (s *State) useless(p Policy) []KeyID {
	heirs, missing := s.heirs(p)
	if len(missing) > 0 {
		return nil
	}
	return s.ids(func(k Managed) bool { return !heirs[k.ID()] && !s.needed(k) })
}

// warnings say what is wrong at the parent.
func (s *State) warnings(o Observed) (out []Action) {
	asked := s.asked()
	was := slices.ContainsFunc(s.DS, func(c Copy) bool { return c.Seen && c.equal(asked) })
	for _, server := range o.Parent {
		if server.Failed {
			continue
		}
		c := s.seen(o.Zone, server)
		if c.Foreign || !s.accepted(c, s.DNSKEY, s.Data) {
			out = append(out, Action{Deed: WarnWrong, Server: server.Name})
		}
		if was && len(asked.Keys) > 0 && len(c.Keys) == 0 {
			out = append(out, Action{Deed: WarnLost, Keys: asked.Keys, Server: server.Name})
		}
	}
	return out
}

// Reason is why nothing more is done now.
type Reason string

// What a zone waits for.
const (
	ForKey       Reason = "key"       // a key is being made
	ForServers   Reason = "servers"   // the last change is not yet served everywhere
	ForSigning   Reason = "signing"   // not everything has been signed by the keys that sign now
	ForParent    Reason = "parent"    // the parent does not have the DS it was asked for
	ForCaches    Reason = "caches"    // until Until caches may hold what was served before
	ForRenewal   Reason = "renewal"   // all is well; at Until a key will be old enough to be replaced
	ForSomething Reason = "something" // all is well until somebody wants something
)

// Wait is something that is waited for.
type Wait struct {
	Reason Reason    `json:"reason"`
	Until  time.Time `json:"until,omitzero"` // if that can be told
}

// waits lists what the zone waits for.
func (s *State) waits(p Policy, o Observed, now time.Time) (out []Wait) {
	add := func(waits bool, w Wait) {
		if waits {
			out = append(out, w)
		}
	}
	add(len(s.wanting(p, now)) > 0, Wait{Reason: ForKey})
	add(o.Revision != s.Revision, Wait{Reason: ForServers})
	add(!o.Complete, Wait{Reason: ForSigning})
	add((len(s.asked().Keys) > 0 || s.RemoveDS) && !s.obeyed(o), Wait{Reason: ForParent})
	caches, any := s.remembered(p, now)
	add(any, Wait{ForCaches, caches})
	if len(out) == 0 {
		return []Wait{s.rest(p)}
	}
	return out
}

// remembered returns when the next copy is forgotten by every cache.
func (s *State) remembered(p Policy, now time.Time) (until time.Time, any bool) {
	for _, c := range slices.Concat(s.DS, s.DNSKEY, s.Data) {
		at := now.Add(time.Duration(c.until(p)-s.Clock) * time.Second)
		if !c.Live && (!any || at.Before(until)) {
			until, any = at, true
		}
	}
	return until, any
}

// rest is what a zone waits for when all is well.
func (s *State) rest(p Policy) Wait {
	w := Wait{Reason: ForSomething}
	for _, r := range p.roles() {
		k := s.heir(p, r)
		if life := p.life(r); k != nil && life > 0 && (w.Until.IsZero() || k.Made.Add(life).Before(w.Until)) {
			w = Wait{ForRenewal, k.Made.Add(life)}
		}
	}
	return w
}

// when is when Next is to be called again: each step while something is going on,
// since time that passes unseen does not count; each day otherwise.
func (s *State) when(p Policy, now time.Time) time.Time {
	at := now.Add(p.Step)
	if r := s.Waits[0].Reason; r == ForRenewal || r == ForSomething {
		at = now.Add(day)
	}
	for _, w := range s.Waits {
		if !w.Until.IsZero() && w.Until.Before(at) && w.Until.After(now) {
			at = w.Until
		}
	}
	return at
}
