package hands

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"sync"
	"time"

	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// Keys sign for zones: the keeper.
type Keys interface {
	// SignZone signs messages of a zone with a sealed key.
	SignZone(ctx context.Context, zone rr.Name, sealed []byte, messages [][]byte) ([][]byte, error)
}

// Served says what a nameserver answers with for a zone.
type Served interface {
	// Sets returns every RRset, the RRSIGs among them, and the version. It is
	// core.NotFound for a zone that is not served.
	Sets(ctx context.Context, zone rr.Name) (sets []rr.RRset, version uint64, err error)
}

// Signer signs zones on their way to the nameserver. It keeps no state that
// matters: what was signed before is read back from the nameserver, which alone
// knows what the world has. Some zones are kept in memory, so that the next change
// of one costs what it changes.
type Signer struct {
	next   host.Follower
	served Served
	keys   Keys
	clock  core.Clock
	held   shelf
}

var _ host.Follower = (*Signer)(nil)

// NewSigner puts a signer before the hands of a nameserver.
func NewSigner(next host.Follower, served Served, keys Keys, clock core.Clock) *Signer {
	return &Signer{next: next, served: served, keys: keys, clock: clock}
}

// Do signs what is to be signed, and has it served. A zone that cannot be signed
// is served on as it was; the others do not wait for it.
func (s *Signer) Do(ctx context.Context, steps []host.Step) error {
	out := make([]host.Step, len(steps))
	turned := make([]*turned, len(steps))
	errs := make([]error, len(steps))
	s.each(steps, func(i int) {
		z, ok := steps[i].(host.SetZone)
		if !ok || z.Signing == nil {
			out[i] = steps[i]
			return
		}
		t, err := s.turn(ctx, z, s.workers(steps))
		if errs[i] = err; err == nil {
			turned[i], out[i] = t, t.step
		}
	})
	var feed []host.Step
	for i, step := range out {
		s.held.drop(steps[i])
		if step != nil {
			feed = append(feed, step)
		}
	}
	if err := s.next.Do(ctx, feed); err != nil {
		return errors.Join(errors.Join(errs...), err)
	}
	for _, t := range turned {
		if t != nil {
			s.held.put(t)
		}
	}
	return errors.Join(errs...)
}

// workers is how many signatures of one zone are made at once.
func (s *Signer) workers(steps []host.Step) int {
	if len(steps) > 1 {
		return 1 // the zones are signed beside one another
	}
	return runtime.GOMAXPROCS(0)
}

// each calls f for every step, on all cores. A zone stands in one step, or its
// steps would have to be in order: the control plans each object once.
func (s *Signer) each(steps []host.Step, f func(i int)) {
	var wg sync.WaitGroup
	next := make(chan int)
	for range min(runtime.GOMAXPROCS(0), len(steps)) {
		wg.Go(func() {
			for i := range next {
				f(i)
			}
		})
	}
	for i := range steps {
		next <- i
	}
	close(next)
	wg.Wait()
}

// turned is a zone that was signed, and the step that has it served.
type turned struct {
	step host.SetZone
	zone *sign.Zone
	how  [32]byte // it was signed
}

// turn makes the signed version of a step. Its serial is the step's.
func (s *Signer) turn(ctx context.Context, z host.SetZone, workers int) (*turned, error) {
	c := s.config(z, workers)
	t := &turned{step: z, how: fingerprint(z.Signing)}
	if have := s.held.get(z, t.how); have != nil && !z.Full {
		return t, s.advance(ctx, t, have)
	}
	served, version, err := s.served.Sets(ctx, z.Name)
	switch {
	case err != nil && core.AsError(err).Code != core.NotFound:
		return nil, fmt.Errorf("reading back zone %s: %w", z.Name, err)
	case err != nil && !z.Full:
		return nil, core.Errorf(core.Conflict, "zone %s is not served yet: its difference cannot be signed", z.Name)
	case err != nil:
		return t, s.begin(ctx, t, c)
	case !z.Full && version != z.From:
		return nil, core.Errorf(core.Conflict, "zone %s is served in version %d, and this is a difference from %d", z.Name, version, z.From)
	}
	t.step.From = version
	return t, s.compare(ctx, t, c, sign.Stored(served))
}

// begin signs all of a zone that is not served.
func (s *Signer) begin(ctx context.Context, t *turned, c sign.Config) (err error) {
	if t.zone, err = sign.New(ctx, c, t.step.Set, s.clock()); err != nil {
		return fmt.Errorf("signing zone %s: %w", t.step.Name, err)
	}
	t.step.Set = t.zone.All()
	return nil
}

// advance takes a zone in memory one version further.
func (s *Signer) advance(ctx context.Context, t *turned, have *sign.Zone) error {
	now := s.clock()
	next, applied, err := have.Apply(ctx, t.step.Set, now)
	if err == nil {
		t.step.Set = next.Plain(applied)
		next, applied, err = next.Finish(ctx, now, ahead(t.step.Signing.Timing, next))
	}
	if err != nil {
		return fmt.Errorf("signing zone %s: %w", t.step.Name, err)
	}
	t.zone, t.step.Set = next, overlay(t.step.Set, next.Plain(applied))
	return nil
}

// overlay is what is left of sets that are fed one after another.
func overlay(first, then []rr.RRset) []rr.RRset {
	if len(then) == 0 {
		return first
	}
	later := map[rr.Key]bool{}
	for _, s := range then {
		later[s.Key()] = true
	}
	var out []rr.RRset
	for _, s := range first {
		if !later[s.Key()] {
			out = append(out, s)
		}
	}
	return append(out, then...)
}

// compare signs what is missing in what is served, and feeds the difference:
// secondaries get it as such.
func (s *Signer) compare(ctx context.Context, t *turned, c sign.Config, served []sign.Signed) error {
	now := s.clock()
	z, err := sign.Load(c, t.basis(served), now)
	if err == nil {
		z, _, err = z.Finish(ctx, now, ahead(t.step.Signing.Timing, z))
	}
	if err != nil {
		return fmt.Errorf("signing zone %s: %w", t.step.Name, err)
	}
	t.zone, t.step.Full, t.step.Set = z, false, z.Plain(difference(served, z))
	return nil
}

// basis is the content of the step, with the signatures that are served over what
// did not change.
func (t *turned) basis(served []sign.Signed) []sign.Signed {
	content := map[rr.Key]rr.RRset{}
	for _, s := range t.step.Set {
		content[s.Key()] = s
	}
	var out []sign.Signed
	for _, s := range served {
		now, named := content[s.Key()]
		switch {
		case !named && t.step.Full && !sign.Makes(t.step.Name, s.Key()):
			continue // it is no longer in the zone
		case named && !now.Equal(s.RRset):
			continue // it follows below
		}
		delete(content, s.Key())
		out = append(out, s)
	}
	for _, s := range content {
		if len(s.Data) > 0 {
			out = append(out, sign.Signed{RRset: s})
		}
	}
	return out
}

// difference is what a zone has otherwise than what is served.
func difference(served []sign.Signed, z *sign.Zone) []sign.Change {
	old := make(map[rr.Key]sign.Signed, len(served))
	for _, s := range served {
		old[s.Key()] = s
	}
	var out []sign.Change
	for s := range z.Sets() {
		was := old[s.Key()]
		delete(old, s.Key())
		if !s.Equal(was) {
			out = append(out, sign.Change{Old: was, New: s})
		}
	}
	for _, was := range old {
		gone := sign.Signed{RRset: rr.RRset{Name: was.Name, Type: was.Type}}
		out = append(out, sign.Change{Old: was, New: gone})
	}
	return out
}

// smallZone is up to how many names a zone is signed anew all at once.
const smallZone = 500

// ahead is how much before its time a signature is renewed when others are: so a
// small zone has one version for it, and not one for each RRset.
func ahead(t sign.Timing, z *sign.Zone) time.Duration {
	if z.Names() > smallZone {
		return 6 * time.Hour
	}
	return t.Spread()
}

// config is how a step is signed.
func (s *Signer) config(z host.SetZone, workers int) sign.Config {
	c := sign.Config{Origin: z.Name, NSEC3: z.Signing.NSEC3, RemoveDS: z.Signing.RemoveDS, Timing: z.Signing.Timing, Workers: workers}
	c.Timing.Seed = seed(z.Zone)
	for _, k := range z.Signing.Keys {
		c.Keys = append(c.Keys, sign.Key{Public: k.Public, Duty: k.Duty, Signer: signs{s.keys, z.Name, k.Sealed}})
	}
	return c
}

// seed has the signatures of different zones expire at different times.
func seed(object core.Ref) uint64 {
	sum := sha256.Sum256([]byte(object.String()))
	return binary.BigEndian.Uint64(sum[:])
}

func fingerprint(s *host.Signing) [32]byte {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it is plain data
	}
	return sha256.Sum256(text)
}

// signs is one key of a zone.
type signs struct {
	keys   Keys
	zone   rr.Name
	sealed []byte
}

// Sign implements sign.Signer.
func (k signs) Sign(ctx context.Context, message []byte) ([]byte, error) {
	out, err := k.SignBatch(ctx, [][]byte{message})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// SignBatch implements sign.Batch.
func (k signs) SignBatch(ctx context.Context, messages [][]byte) ([][]byte, error) {
	return k.keys.SignZone(ctx, k.zone, k.sealed, messages)
}

// shelf keeps signed zones in memory, those used last.
type shelf struct {
	mu    sync.Mutex
	zones map[core.Ref]*kept
	names int // of all together
	tick  uint64
}

type kept struct {
	turned
	names int
	used  uint64
}

// mostHeld is how many names all kept zones have together, some 2 KiB each.
const mostHeld = 150_000

// get returns the zone in the version that a step goes on from.
func (s *shelf) get(z host.SetZone, how [32]byte) *sign.Zone {
	s.mu.Lock()
	defer s.mu.Unlock()
	k := s.zones[z.Zone]
	if k == nil || k.step.Version != z.From || k.how != how || k.step.Name != z.Name {
		return nil
	}
	return k.zone
}

func (s *shelf) drop(step host.Step) {
	var object core.Ref
	switch z := step.(type) {
	case host.SetZone:
		object = z.Zone
	case host.DropZone:
		object = z.Zone
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.remove(object)
}

func (s *shelf) remove(object core.Ref) {
	if k := s.zones[object]; k != nil {
		s.names -= k.names
		delete(s.zones, object)
	}
}

func (s *shelf) put(t *turned) {
	k := &kept{turned: *t, names: t.zone.Names()}
	k.step.Set = nil
	if k.names > mostHeld {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.zones == nil {
		s.zones = map[core.Ref]*kept{}
	}
	s.tick++
	k.used = s.tick
	s.remove(t.step.Zone)
	s.zones[t.step.Zone], s.names = k, s.names+k.names
	for s.names > mostHeld {
		s.remove(s.oldest())
	}
}

func (s *shelf) oldest() (object core.Ref) {
	least := uint64(1<<64 - 1)
	for o, k := range s.zones {
		if k.used < least {
			object, least = o, k.used
		}
	}
	return object
}
