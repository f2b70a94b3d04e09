package zone

import (
	"encoding/json"
	"slices"
	"strings"
	"time"

	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// Wish is how the owner of a zone wants it signed.
type Wish struct {
	Signed    bool   `json:"signed"`
	Algorithm string `json:"algorithm,omitempty"` // ecdsa, ed25519
	Keys      string `json:"keys,omitempty"`      // csk, split
	Denial    string `json:"denial,omitempty"`    // nsec, nsec3
	ZSKDays   int    `json:"zsk_days,omitempty"`  // age at which a ZSK is replaced; 0: never
	KSKDays   int    `json:"ksk_days,omitempty"`  // the same of a KSK or CSK
}

// usual fills in what is left open: one ECDSA key that is replaced when somebody
// asks for it, and NSEC (RFC 9276 3.1).
func (w Wish) usual() Wish {
	for _, f := range []struct {
		to *string
		is string
	}{{&w.Algorithm, "ecdsa"}, {&w.Keys, "csk"}, {&w.Denial, "nsec"}} {
		if *f.to == "" {
			*f.to = f.is
		}
	}
	return w
}

const day = 24 * time.Hour

func (w Wish) policy() sign.Policy {
	p := sign.Policy{Signed: w.Signed, Algorithm: sign.ECDSAP256SHA256, Split: w.Keys == "split",
		ZSKLifetime: time.Duration(w.ZSKDays) * day, KSKLifetime: time.Duration(w.KSKDays) * day}
	if w.Algorithm == "ed25519" {
		p.Algorithm = sign.Ed25519
	}
	return p
}

// resting is the time of a zone whose keys need no look until something happens.
const resting = 1<<63 - 1

// keyring is how a zone is signed, as it is stored.
type keyring struct {
	Wish  Wish
	State sign.State
	Since uint64 // version from which the keys have their present duties
	Next  int64  // microseconds, or resting
	Keys  map[sign.KeyID]string

	there bool // it has a row
}

// clone is a copy that may be changed.
func (g keyring) clone() keyring {
	keys := make(map[sign.KeyID]string, len(g.Keys))
	for id, sealed := range g.Keys {
		keys[id] = sealed
	}
	g.Keys = keys
	return g
}

// maker has a private key made.
type maker func(sign.Role, sign.Algorithm) (sign.Public, string, error)

// turn takes the keys one turn further.
func (g *keyring) turn(o sign.Observed, now time.Time, newKey maker) error {
	for {
		state, actions, next := sign.Next(g.State, g.Wish.policy(), o, now)
		g.State = state
		g.rest(next)
		made := false
		for _, a := range actions {
			if a.Deed != sign.MakeKey {
				continue
			}
			if err := g.insert(a, now, newKey); err != nil {
				return err
			}
			made = true
		}
		if !made {
			g.forget(actions)
			return nil
		}
	}
}

// mostTries is how often a key is made: two of a zone that share a tag are one in
// 65536.
const mostTries = 8

// insert takes in a key that was asked for. One whose tag another key has would
// confuse validators.
func (g *keyring) insert(a sign.Action, now time.Time, newKey maker) error {
	for range mostTries {
		public, sealed, err := newKey(a.Role, a.Algorithm)
		if err != nil {
			return err
		}
		if state, err := g.State.Insert(public, a.Role, now); err == nil {
			g.State, g.Keys[public.ID()] = state, sealed
			return nil
		}
	}
	return core.Errorf(core.Unavailable, "no key was found whose tag no other key of the zone has; try again")
}

// forget destroys the keys that nobody needs any more.
func (g *keyring) forget(actions []sign.Action) {
	for _, a := range actions {
		if a.Deed != sign.DestroyKey {
			continue
		}
		for _, id := range a.Keys {
			if state, err := g.State.Forget(id); err == nil {
				g.State = state
				delete(g.Keys, id)
			}
		}
	}
}

// rest says when the keys are to be looked at again. All is well until a key is
// old enough, or something happens.
func (g *keyring) rest(next time.Time) {
	g.Next = next.UnixMicro()
	switch w := g.State.Waits; {
	case len(w) != 1:
	case w[0].Reason == sign.ForSomething:
		g.Next = resting
	case w[0].Reason == sign.ForRenewal:
		g.Next = w[0].Until.UnixMicro()
	}
}

// same reports whether nothing happened between two turns that has to be kept.
// Time that passes counts only while caches are waited for.
func (g keyring) same(o keyring) bool {
	counts := func(s sign.State) bool {
		return slices.ContainsFunc(s.Waits, func(w sign.Wait) bool { return w.Reason == sign.ForCaches })
	}
	a, b := g.State, o.State
	if counts(a) || counts(b) {
		return false
	}
	a.Clock, a.Last, a.Waits, b.Clock, b.Last, b.Waits = 0, time.Time{}, nil, 0, time.Time{}, nil
	g.State, o.State = a, b
	return g.equal(o)
}

// equal reports whether two keyrings are the same but for when they are looked at.
func (g keyring) equal(o keyring) bool {
	wishA, stateA := g.texts()
	wishB, stateB := o.texts()
	return wishA == wishB && stateA == stateB && len(g.Keys) == len(o.Keys)
}

// signs reports whether the zone is to be served signed.
func (g keyring) signs() bool { return g.there && g.State.Signs() }

// how is what the signer is told; nil for a zone that is not signed.
func (g keyring) how() *host.Signing {
	if !g.signs() {
		return nil
	}
	out := &host.Signing{NSEC3: g.Wish.Denial == "nsec3", RemoveDS: g.State.RemoveDS}
	for _, k := range g.State.Keys {
		if k.Duty != (sign.Duty{}) {
			out.Keys = append(out.Keys, host.SigningKey{Public: k.Public, Duty: k.Duty, Sealed: unbase64(g.Keys[k.ID()])})
		}
	}
	return out
}

// lines are what the state digest covers.
func (g keyring) lines() []string {
	if !g.there {
		return nil
	}
	wish, state := g.texts()
	out := []string{"signing", wish, state, number(g.Since), number(g.Next)}
	for _, id := range g.ids() {
		out = append(out, id.String(), g.Keys[id])
	}
	return out
}

func (g keyring) texts() (wish, state string) {
	w, _ := json.Marshal(g.Wish) // plain data always marshals
	s, _ := json.Marshal(g.State)
	return string(w), string(s)
}

func (g keyring) ids() []sign.KeyID {
	var out []sign.KeyID
	for id := range g.Keys {
		out = append(out, id)
	}
	slices.SortFunc(out, func(a, b sign.KeyID) int { return slices.Compare(a[:], b[:]) })
	return out
}

// reserved refuses records that signing makes itself.
func (g keyring) reserved(zone rr.Name, changes []rr.Change) error {
	if !g.signs() {
		return nil
	}
	var keys []string
	for _, c := range changes {
		if len(c.New.Data) > 0 && sign.Makes(zone, c.Key()) {
			keys = append(keys, c.Key().String())
		}
	}
	if len(keys) == 0 {
		return nil
	}
	return core.Errorf(core.Invalid, "signing makes %s itself: a signed zone takes none from people", strings.Join(keys, ", "))
}
