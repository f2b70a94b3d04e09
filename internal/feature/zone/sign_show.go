package zone

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr/sign"
)

// Signing is how a zone is signed, as faces show it.
type Signing struct {
	ID       string       `json:"id"`
	Zone     string       `json:"zone"` // for people
	Version  uint64       `json:"version"`
	State    string       `json:"state"` // unsigned, signed, changing, leaving
	Wish     Wish         `json:"wish"`
	Keys     []Key        `json:"keys,omitempty"`
	DS       []sign.Forms `json:"ds,omitempty"`        // that the parent should have
	RemoveDS bool         `json:"remove_ds,omitempty"` // the parent should have none
	Parent   []ParentSaw  `json:"parent,omitempty"`    // what was seen there
	Waits    []Wait       `json:"waits,omitempty"`
	Line     []Moment     `json:"line,omitempty"` // what was, is and comes
	Standing *Standing    `json:"standing,omitempty"`
	Next     time.Time    `json:"next,omitzero"` // when the keys are looked at again
}

// Key is one key of a zone.
type Key struct {
	ID        string    `json:"id"`
	Tag       uint16    `json:"tag"`
	Role      sign.Role `json:"role"`
	Algorithm string    `json:"algorithm"`
	Made      time.Time `json:"made"`
	sign.Duty
	Retired bool   `json:"retired,omitempty"` // another one is to take its place
	Does    string `json:"does"`              // in words
}

// ParentSaw is a DS set that the parent has, or that caches may have of it.
type ParentSaw struct {
	Keys    []uint16 `json:"keys,omitempty"` // tags of our keys
	Foreign bool     `json:"foreign,omitempty"`
	Seen    bool     `json:"seen"`
	Now     bool     `json:"now"` // it may be served at present
}

// Wait is why nothing more is done now.
type Wait struct {
	Reason   sign.Reason `json:"reason"`
	Sentence string      `json:"sentence"`
	Until    time.Time   `json:"until,omitzero"`
}

// Moment is one point of the time line.
type Moment struct {
	At   time.Time `json:"at,omitzero"` // zero: not known
	What string    `json:"what"`
	When string    `json:"when"` // past, now, next
}

// SigningIn names a zone.
type SigningIn struct {
	Zone string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
}

func (z *Zones) signing() act.Declaration {
	return act.Query[SigningIn, Signing]{
		Name: "zone.signing.show", Doc: "Show how a zone is signed: its keys, the DS for the parent, and what comes next.", Class: class, Roles: act.Readers,
		Serves: signServes(), Sample: SigningIn{Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *SigningIn) (core.Ref, error) {
			return target(ctx, v, in.Zone)
		},
		Run: func(ctx context.Context, v *act.View, in SigningIn) (Signing, error) {
			r, err := live(ctx, v, in.Zone)
			if err != nil {
				return Signing{}, err
			}
			g, err := keyringOf(ctx, v, r.ID)
			if err != nil {
				return Signing{}, err
			}
			out := signingOf(r, g)
			if z.ports.Standing != nil {
				if s, err := z.ports.Standing(ctx, r.ref()); err == nil {
					out.Standing = &s
				}
			}
			out.draw()
			return out, nil
		},
	}
}

func signingOf(r row, g keyring) Signing {
	out := Signing{ID: r.ID, Zone: shown(r.Name), Version: r.Version, State: g.inOneWord(), Wish: g.Wish, RemoveDS: g.State.RemoveDS}
	if g.there && g.Next != resting {
		out.Next = instant(g.Next)
	}
	for _, k := range g.State.Keys {
		out.Keys = append(out.Keys, keyOf(k))
		if k.Duty.Submit {
			out.DS = append(out.DS, k.Public.Forms(r.Name, uint32(g.State.ParentTTL)))
		}
	}
	for _, c := range g.State.DS {
		out.Parent = append(out.Parent, parentSaw(g, c))
	}
	for _, w := range g.State.Waits {
		out.Waits = append(out.Waits, Wait{w.Reason, sentence(w.Reason, g), w.Until})
	}
	return out
}

// inOneWord is where a zone stands.
func (g keyring) inOneWord() string {
	switch {
	case !g.signs():
		return "unsigned"
	case !g.Wish.Signed:
		return "leaving"
	case slices.ContainsFunc(g.State.Waits, func(w sign.Wait) bool { return w.Reason != sign.ForRenewal && w.Reason != sign.ForSomething }):
		return "changing"
	}
	return "signed"
}

func keyOf(k sign.Managed) Key {
	out := Key{ID: k.ID().String(), Tag: k.Tag(), Role: k.Role, Algorithm: k.Algorithm.String(), Made: k.Made, Duty: k.Duty, Retired: k.Retired}
	switch d := k.Duty; {
	case d == sign.Duty{} && !k.Used:
		out.Does = "waits for its turn"
	case d == sign.Duty{}:
		out.Does = "does nothing any more; it is destroyed when no cache needs it"
	case d.SignData && d.SignKeys:
		out.Does = "signs everything"
	case d.SignData && !d.Publish:
		out.Does = "signs records, and is not shown yet"
	case d.SignData:
		out.Does = "signs records"
	case d.SignKeys:
		out.Does = "signs keys"
	case d.Publish:
		out.Does = "is shown, and signs nothing yet or any more"
	}
	return out
}

func parentSaw(g keyring, c sign.Copy) ParentSaw {
	out := ParentSaw{Foreign: c.Foreign, Seen: c.Seen, Now: c.Live}
	for _, id := range c.Keys {
		for _, k := range g.State.Keys {
			if k.ID() == id {
				out.Keys = append(out.Keys, k.Tag())
			}
		}
	}
	return out
}

// sentence says what is waited for.
func sentence(r sign.Reason, g keyring) string {
	switch r {
	case sign.ForKey:
		return "A key is being made."
	case sign.ForServers:
		return "The nameserver does not have the last change yet."
	case sign.ForSigning:
		return "Not everything is signed by the present keys yet."
	case sign.ForParent:
		if g.State.RemoveDS {
			return "The parent still has a DS: have it removed at the registrar. Signatures stay until it is gone."
		}
		return "The parent does not have the DS yet: enter it at the registrar, unless the registry takes it from the zone by itself (CDS)."
	case sign.ForCaches:
		return "Resolvers may remember what was served before."
	case sign.ForRenewal:
		return "All is well until a key is old enough to be replaced."
	}
	return "All is well."
}

// draw makes the time line: what was, what is waited for, what comes.
func (s *Signing) draw() {
	add := func(at time.Time, when, format string, args ...any) {
		s.Line = append(s.Line, Moment{at, fmt.Sprintf(format, args...), when})
	}
	for _, k := range s.Keys {
		add(k.Made, "past", "%s %d made", strings.ToUpper(string(k.Role)), k.Tag)
	}
	for _, w := range s.Waits {
		if w.Reason != sign.ForRenewal && w.Reason != sign.ForSomething {
			add(w.Until, "now", "%s", w.Sentence)
		}
	}
	for _, k := range s.Keys {
		if days := s.Wish.life(k.Role); days > 0 && !k.Retired {
			add(k.Made.Add(time.Duration(days)*day), "next", "%s %d is replaced", strings.ToUpper(string(k.Role)), k.Tag)
		}
	}
	if s.Standing != nil && !s.Standing.Expires.IsZero() {
		add(s.Standing.Expires.Add(-renewAhead), "next", "Signatures are made anew")
		add(s.Standing.Expires, "next", "The first signature would expire")
	}
	order := map[string]int{"past": 0, "now": 1, "next": 2}
	slices.SortStableFunc(s.Line, func(a, b Moment) int {
		if a.When != b.When {
			return order[a.When] - order[b.When]
		}
		return a.At.Compare(b.At)
	})
}

// renewAhead is how long signatures still hold when they are made anew: seven
// days (SPEC D3) and one to do it.
const renewAhead = 8 * day

// life is the age in days at which a key is replaced.
func (w Wish) life(r sign.Role) int {
	if r == sign.ZSK {
		return w.ZSKDays
	}
	return w.KSKDays
}
