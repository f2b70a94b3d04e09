package sign_test

import (
	"testing"
	"time"

	"hostward/internal/rr/sign"
)

// Whatever anybody wants, whenever he changes his mind, and whatever goes wrong, no
// mixture of what caches hold is refused.
func TestNoMixtureOfCachesIsEverRefused(t *testing.T) {
	checked := 0
	for seed := range uint64(100) {
		w := newWorld(t, seed)
		w.chaos = seed%3 != 0
		w.policy = sign.Policy{Signed: true, Algorithm: sign.Ed25519, Propagation: time.Duration(max(w.lag, 1)) * time.Second}
		for range 600 {
			w.want()
			w.live(w.turn())
		}
		w.calm()
		checked += w.checked
	}
	if checked < 100_000 {
		t.Fatalf("only %d mixtures were looked at", checked)
	}
}

// want changes what is wanted, now and then.
func (w *world) want() {
	p := &w.policy
	for _, f := range []func(){
		func() { p.Split = !p.Split },
		func() { p.DoubleDS = !p.DoubleDS },
		func() { p.Signed = !p.Signed },
		func() { p.Signed = true },
		func() { p.Algorithm = 13 + 15 - p.Algorithm },
		func() { p.ZSKLifetime = time.Duration(w.r.IntN(2)) * 7 * day },
		func() { p.KSKLifetime = time.Duration(w.r.IntN(2)) * 30 * day },
		func() { w.otherTTL() },
		func() {
			if n := len(w.state.Keys); n > 0 {
				w.state, _ = w.state.Retire(w.state.Keys[w.r.IntN(n)].ID())
			}
		},
	} {
		if w.chance(400) {
			f()
			w.note("policy %+v", *p)
		}
	}
}

// live lets the time pass until the next turn: less, or more if the machine is
// down; and its clock may jump, though not more often than Safety allows for.
func (w *world) live(seconds int64) {
	switch {
	case w.chance(4):
		seconds = 1 + w.r.Int64N(seconds)
	case w.chaos && w.chance(100):
		seconds += w.r.Int64N(10 * 86400)
	}
	w.pass(min(seconds, 6*3600))
	if w.chance(50) && w.now-w.jumped > 86400 {
		w.jumped = w.now
		w.clock += (w.r.Int64N(2)*2 - 1) * w.r.Int64N(400*86400)
		w.note("clock %d", w.clock)
	}
}

// calm lets everything come to rest: then the zone has what the policy wants, and nothing else.
func (w *world) calm() {
	w.t.Helper()
	w.chaos, w.policy.ZSKLifetime, w.policy.KSKLifetime = false, 0, 0
	w.polls = 3600
	for turns := 0; ; turns++ {
		w.pass(w.turn())
		if rest := w.state.Waits[0].Reason == sign.ForSomething && len(w.parent[0].due) == 0; rest && len(w.state.Keys) == w.wanted() {
			break
		}
		if turns > 3000 {
			w.fail("no rest: %s, waits %+v, DS %+v, DNSKEY %+v, data %+v", duties(w.state), w.state.Waits, w.state.DS, w.state.DNSKEY, w.state.Data)
		}
	}
	for _, k := range w.state.Keys {
		if want := wantedDuty(k.Role); k.Duty != want || k.Algorithm != w.policy.Algorithm || w.state.RemoveDS {
			w.fail("at rest: %s", duties(w.state))
		}
	}
}

// wanted is how many keys the zone should have in the end.
func (w *world) wanted() int {
	switch {
	case !w.policy.Signed:
		return 0
	case w.policy.Split:
		return 2
	}
	return 1
}

func wantedDuty(r sign.Role) sign.Duty {
	entry := r != sign.ZSK
	return sign.Duty{Publish: true, SignKeys: entry, Submit: entry, SignData: r != sign.KSK}
}

// A DS that stood for long may come back for as long as the parent may act on the wish
// for it, so the zone stays signed until then, whatever the parent shows.
func TestAZoneStaysSignedWhileItsOldDSMayComeBack(t *testing.T) {
	w := newWorld(t, 1)
	w.policy, w.polls = sign.Policy{Signed: true}, 3600
	until := func(what string, done func() bool) {
		for turns := 0; !done(); turns++ {
			if turns > 3000 {
				w.fail("%s: %s", what, duties(w.state))
			}
			w.pass(w.turn())
		}
	}
	until("rest", func() bool { return len(w.state.Keys) == 1 && w.state.Waits[0].Reason == sign.ForSomething })
	stood := w.now
	until("a week", func() bool { return w.now > stood+7*86400 })
	w.policy.Signed = false
	until("the wish for removal", func() bool { return w.state.RemoveDS })
	withdrawn := w.now
	until("the end", func() bool { return !w.state.Signs() })
	if waited := time.Duration(w.now-withdrawn) * time.Second; waited < 72*time.Hour {
		t.Errorf("the zone was unsigned %s after its DS was asked to be removed", waited)
	}
}
