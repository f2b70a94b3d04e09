package sign_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/rr/sign"
	"hostward/internal/rr/sign/signtest"
)

// world is a zone with its nameservers, its parent, and all caches that ever asked
// them. Its time is the true one, in seconds; the machine that calls Next has a
// clock that jumps.
type world struct {
	t        *testing.T
	r        *rand.Rand
	now      int64
	clock    int64 // what the machine's clock is ahead
	jumped   int64 // when it jumped last
	policy   sign.Policy
	state    sign.State
	keys     uint64 // number of keys made
	keyTTL   int64
	dataTTL  int64
	greatest int64 // of the data's TTLs since the last turn
	parentDS int64 // the TTL of the parent's DS
	lag      int64 // of the last secondary, in seconds

	served   uint64 // revision
	complete int64  // when everything will have been signed by the served revision's keys
	resigned bool   // that has come
	dnskey   history
	data     history

	parent  []*authority
	queue   []order // what the parent has read and will do
	polls   int64   // the parent reads CDS each so often; 0 never
	last    version // what it published last
	chaos   bool    // the parent loses, delays and mixes up
	ds      history
	log     strings.Builder
	checked int
}

// version is one content of an RRset; for DS keys are those it belongs to.
type version struct {
	keys    []sign.KeyID
	signers []sign.KeyID
	fault   bool // the parent published what nobody asked for
}

func (v version) String() string {
	return fmt.Sprintf("%s signed by %s fault %t", v.keys, v.signers, v.fault)
}

// span says from when to when a version was served, and with what TTL.
type span struct {
	version
	from, to, ttl int64 // to is 0 as long as it is served
}

type history []span

// serve notes that a version is served from now on, besides others.
func (h *history) serve(v version, now, ttl int64) { *h = append(*h, span{v, now, 0, ttl}) }

// stop notes until when everything else than the last version is served.
func (h history) stop(until int64) {
	for i := range h[:len(h)-1] {
		if h[i].to == 0 {
			h[i].to = until
		}
	}
}

// cached returns the versions that caches may hold.
func (h *history) cached(now int64) (out []version) {
	*h = slices.DeleteFunc(*h, func(s span) bool { return s.to != 0 && s.to+s.ttl <= now })
	for _, s := range *h {
		if !slices.ContainsFunc(out, func(v version) bool { return v.String() == s.version.String() }) {
			out = append(out, s.version)
		}
	}
	return out
}

// authority is one nameserver of the parent.
type authority struct {
	lag int64
	due []order // what it will publish when
	now version
}

// order is what is published at a time.
type order struct {
	at int64
	version
	more bool // besides what is published then
}

func newWorld(t *testing.T, seed uint64) *world {
	r := rand.New(rand.NewPCG(seed, 2))
	w := &world{t: t, r: r, now: 1_800_000_000, jumped: 1_800_000_000, keyTTL: w60(r, 60), dataTTL: w60(r, 600), parentDS: w60(r, 60), lag: r.Int64N(3600), resigned: true}
	w.greatest = w.dataTTL
	w.dnskey.serve(version{}, w.now, w.dataTTL)
	w.data.serve(version{}, w.now, w.dataTTL)
	for range 1 + r.IntN(3) {
		w.parent = append(w.parent, &authority{lag: r.Int64N(7200)})
		w.ds.serve(version{}, w.now, w.parentDS)
	}
	w.polls = 3600 * (1 + r.Int64N(24))
	return w
}

// w60 is a TTL from a minute or so to two days.
func w60(r *rand.Rand, least int64) int64 { return least << r.IntN(10) }

func (w *world) chance(of int) bool { return w.r.IntN(of) == 0 }

func (w *world) fail(format string, args ...any) {
	w.t.Helper()
	text := w.log.String()
	w.t.Fatalf("%s\n%s", fmt.Sprintf(format, args...), text[max(0, len(text)-6000):])
}

func (w *world) note(format string, args ...any) {
	fmt.Fprintf(&w.log, "%d "+format+"\n", append([]any{(w.now - 1_800_000_000) / 60}, args...)...)
}

// pass lets time go by, second by second where something happens.
func (w *world) pass(seconds int64) {
	for end := w.now + seconds; w.now < end; {
		w.now = min(end, w.now+60*(1+w.r.Int64N(20)))
		w.zone()
		w.registry()
		w.validate()
	}
}

// zone finishes signing.
func (w *world) zone() {
	if !w.resigned && w.now >= w.complete {
		w.resigned = true
		w.data.stop(w.now + w.lag)
	}
}

// registry has the parent read CDS, and act on what it read.
func (w *world) registry() {
	if w.polls > 0 && w.served > 0 && w.chance(int(w.polls/600)+1) {
		w.read()
	}
	w.queue = slices.DeleteFunc(w.queue, func(o order) bool {
		if o.at > w.now {
			return false
		}
		w.obey(o)
		return true
	})
	if w.chaos && w.chance(600) {
		w.blunder()
	}
	for i, a := range w.parent {
		for len(a.due) > 0 && a.due[0].at <= w.now {
			a.now, a.due = a.due[0].version, a.due[1:]
			w.note("parent %d publishes %s", i, a.now)
		}
	}
}

// reaction is how long the parent takes at most to act on what it read, in seconds: with
// the time its slowest server takes that is less than Registration. One that takes
// longer is outside of what Next promises.
const reaction = 68 * 3600

// read has the parent read the CDS that is served, and act on it later, in order.
// It may also lose it on the way.
func (w *world) read() {
	asked, is := w.cds()
	if !is || w.chaos && w.chance(3) {
		return
	}
	at, last := w.now+w.r.Int64N(3600), w.now+reaction
	if w.chaos {
		at = w.now + w.r.Int64N(reaction)
	}
	if n := len(w.queue); n > 0 {
		at = max(at, w.queue[n-1].at)
	}
	if w.chance(2) && len(asked.keys) > 0 {
		w.queue = append(w.queue, order{at, asked, true})
		at = min(at+w.r.Int64N(7200), last)
	}
	w.queue = append(w.queue, order{at, asked, false})
}

// obey has the parent publish what it read. What it publishes besides for a time is what
// it has then, not what it had when it read: that may be gone for good.
func (w *world) obey(o order) {
	if !o.more {
		w.publish(o.version)
	} else if !w.last.fault {
		w.publish(version{keys: union(w.last.keys, o.keys)})
	}
}

func union(a, b []sign.KeyID) []sign.KeyID {
	out := slices.Concat(a, b)
	slices.SortFunc(out, func(a, b sign.KeyID) int { return slices.Compare(a[:], b[:]) })
	return slices.Compact(out)
}

// cds is what the state that is served asks for; is is false without CDS.
func (w *world) cds() (v version, is bool) {
	if w.served != w.state.Revision {
		return v, false
	}
	for _, k := range w.state.Keys {
		if k.Duty.Submit {
			v.keys = append(v.keys, k.ID())
		}
	}
	v.keys = union(v.keys, nil)
	return v, len(v.keys) > 0 || w.state.RemoveDS
}

// publish has all servers of the parent serve a version, one after another.
func (w *world) publish(v version) {
	if v.String() == w.last.String() {
		return
	}
	w.last = v
	w.ds.serve(v, w.now, w.parentDS)
	for i, s := range w.ds[:len(w.ds)-1] {
		if s.to == 0 {
			w.ds[i].to = w.now + w.slowest()
		}
	}
	for _, a := range w.parent {
		a.due = append(a.due, order{w.now + a.lag, v, false})
	}
}

func (w *world) slowest() (lag int64) {
	for _, a := range w.parent {
		lag = max(lag, a.lag)
	}
	return lag
}

// blunder has the parent lose the DS, or publish one that nobody asked for; the next
// time it reads CDS it mends that.
func (w *world) blunder() {
	if w.chance(2) {
		w.publish(version{})
		return
	}
	v := version{fault: true}
	for _, k := range w.state.Keys {
		if k.Role != sign.ZSK && w.chance(2) {
			v.keys = append(v.keys, k.ID())
		}
	}
	v.keys = union(v.keys, nil)
	w.publish(v)
}

// validate looks at every mixture of what caches may hold: none may be refused,
// unless the parent's DS was nobody's wish.
func (w *world) validate() {
	w.t.Helper()
	dss, keys, data := w.ds.cached(w.now), w.dnskey.cached(w.now), w.data.cached(w.now)
	for _, ds := range dss {
		for _, k := range keys {
			for _, d := range data {
				w.checked++
				if !ds.fault && !w.accepts(ds, k, d) {
					w.fail("at minute %d a validator refuses the DS of %s with the keys %s and data signed by %s", (w.now-1_800_000_000)/60, ds.keys, k, d.keys)
				}
			}
		}
	}
}

// accepts is a strict validator: whatever algorithm the DS or the keys name has to
// lead from the DS to a key that signed the keys, and from a key to the data.
func (w *world) accepts(ds, keys, data version) bool {
	if len(ds.keys) == 0 {
		return true
	}
	for _, id := range ds.keys {
		a := w.algorithm(id)
		if !slices.ContainsFunc(ds.keys, func(id sign.KeyID) bool {
			return w.algorithm(id) == a && slices.Contains(keys.keys, id) && slices.Contains(keys.signers, id)
		}) {
			return false
		}
	}
	for _, id := range append(slices.Clone(ds.keys), keys.keys...) {
		a := w.algorithm(id)
		if !slices.ContainsFunc(data.keys, func(id sign.KeyID) bool { return w.algorithm(id) == a && slices.Contains(keys.keys, id) }) {
			return false
		}
	}
	return true
}

func (w *world) algorithm(id sign.KeyID) sign.Algorithm {
	for _, k := range w.state.Keys {
		if k.ID() == id {
			return k.Algorithm
		}
	}
	w.fail("the key %s is in a cache and was forgotten", id)
	return 0
}

// observe is what the machine finds out.
func (w *world) observe() sign.Observed {
	o := sign.Observed{Zone: "z.example.", Revision: w.served, Complete: w.resigned, MaxTTL: uint32(max(w.dataTTL, w.greatest)), KeyTTL: uint32(w.keyTTL)}
	w.greatest = w.dataTTL
	for i, a := range w.parent {
		s := sign.Server{Name: fmt.Sprint(i), TTL: uint32(w.parentDS), Failed: w.chaos && w.chance(5)}
		for _, id := range a.now.keys {
			for _, k := range w.state.Keys {
				if k.ID() == id {
					s.DS = append(s.DS, k.DS(o.Zone, sign.SHA256))
				}
			}
		}
		if a.now.fault {
			s.DS = append(s.DS, sign.DS{Tag: 1, Algorithm: 13, Type: sign.SHA256, Digest: strings.Repeat("00", 32)})
		}
		o.Parent = append(o.Parent, s)
	}
	return o
}

// turn calls Next, does what it says, or only part of it as if the machine had
// crashed, and returns after how many seconds it wants to be called again.
func (w *world) turn() int64 {
	w.t.Helper()
	now := time.Unix(w.now+w.clock, 0)
	before := w.state.Revision
	state, actions, when := sign.Next(w.state, w.policy, w.observe(), now)
	w.state = state
	if state.Revision != before {
		w.note("revision %d: %s", state.Revision, duties(state))
	}
	for _, a := range actions {
		if !w.chaos || !w.chance(5) {
			w.do(a)
		}
	}
	if !when.After(now) {
		w.fail("called again at %s, at %s", when, now)
	}
	return int64(when.Sub(now) / time.Second)
}

func (w *world) do(a sign.Action) {
	w.t.Helper()
	var err error
	switch a.Deed {
	case sign.MakeKey:
		w.keys++
		k := signtest.Key(a.Algorithm, w.keys, sign.Duty{SignKeys: a.Role != sign.ZSK})
		w.state, err = w.state.Insert(k.Public, a.Role, time.Unix(w.now+w.clock, 0))
	case sign.DestroyKey:
		for _, id := range a.Keys {
			if w.state, err = w.state.Forget(id); err != nil {
				break
			}
		}
	case sign.Configure:
		w.configure()
	case sign.WarnWrong:
		w.complain()
	}
	if err != nil {
		w.fail("%+v: %v", a, err)
	}
}

// complain has somebody call the parent about a DS of an unsigned zone: it has no CDS
// that would mend it.
func (w *world) complain() {
	if !w.chaos && !w.state.Signs() {
		w.publish(version{})
	}
}

// configure gives the zone the duties of the state: the DNSKEY RRset at once, the
// signatures over data little by little.
func (w *world) configure() {
	if w.served == w.state.Revision {
		return
	}
	var keys, data version
	for _, k := range w.state.Keys {
		if k.Duty.Publish {
			keys.keys = append(keys.keys, k.ID())
		}
		if k.Duty.SignKeys {
			keys.signers = append(keys.signers, k.ID())
		}
		if k.Duty.SignData {
			data.keys = append(data.keys, k.ID())
		}
	}
	w.served = w.state.Revision
	ttl := w.keyTTL
	if len(keys.keys) == 0 {
		ttl = w.dataTTL
	}
	w.dnskey.serve(keys, w.now, ttl)
	w.dnskey.stop(w.now + w.lag)
	w.data.serve(data, w.now, w.dataTTL)
	w.resigned, w.complete = false, w.now+w.r.Int64N(7200)
}

// otherTTL changes the TTL of data: what is cached keeps the old one.
func (w *world) otherTTL() {
	w.dataTTL = w60(w.r, 600)
	w.greatest = max(w.greatest, w.dataTTL)
	for i, s := range w.data {
		if s.to == 0 {
			w.data[i].to = w.now + w.lag
			w.data = append(w.data, span{s.version, w.now, 0, w.dataTTL})
		}
	}
}

// duties writes what each key does: P published, K signs keys, D signs data, S submitted.
func duties(s sign.State) string {
	var out []string
	for i, k := range s.Keys {
		d := ""
		for letter, on := range map[string]bool{"P": k.Duty.Publish} {
			if on {
				d += letter
			}
		}
		for _, f := range []struct {
			letter string
			on     bool
		}{{"K", k.Duty.SignKeys}, {"D", k.Duty.SignData}, {"S", k.Duty.Submit}} {
			if f.on {
				d += f.letter
			}
		}
		out = append(out, fmt.Sprintf("%d/%s/%s:%s", i, k.Role, k.Algorithm, d))
	}
	if s.RemoveDS {
		out = append(out, "remove DS")
	}
	return strings.Join(out, " ")
}
