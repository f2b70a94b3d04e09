package house

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	mathrand "math/rand/v2"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/file"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// Limits of what is fetched: what one operation takes.
const (
	mostFetched    = 250_000   // records
	largestZone    = 64 << 20  // octets
	fetchTime      = time.Hour // for all of it
	patienceHere   = 20 * time.Second
	fetchesAtATime = 8
	idle           = 30 * time.Second // between two looks at which zones there are, if nobody says that they changed
)

// client asks other nameservers. Addresses that are not of the public Internet are
// refused unless an administrator allowed them (SPEC A10).
func (h *House) dnsClient() transfer.Client {
	d := &net.Dialer{Timeout: 10 * time.Second}
	if !h.Private {
		d.ControlContext = core.PublicOnly
	}
	return transfer.Client{Dial: d.DialContext, Clock: h.Clock, Random: rand.Reader,
		Limits: transfer.Limits{Records: mostFetched, Octets: largestZone, Idle: patienceHere, Total: fetchTime}, Patience: transfer.Patience{Tries: 3}}
}

// fetch brings a zone from the first of its primaries that gives it.
func (h *House) fetch(ctx context.Context, name rr.Name, from zone.Primary) ([]rr.RRset, error) {
	ctx, stop := context.WithTimeout(ctx, 2*patienceHere)
	defer stop()
	var errs []error
	for _, at := range from.Addresses {
		peer, err := h.primaryPeer(at, from.Key)
		if err != nil {
			return nil, err
		}
		got, err := h.dnsClient().Fetch(ctx, peer, name, nil)
		if err == nil {
			return got.Sets, nil
		}
		errs = append(errs, err)
	}
	err := errors.Join(errs...)
	return nil, core.Wrap(core.Unavailable, err, "the zone could not be fetched: "+err.Error())
}

func (h *House) primaryPeer(at netip.AddrPort, key rr.Name) (transfer.Peer, error) {
	p := transfer.Peer{Address: at.String()}
	if key == "" {
		return p, nil
	}
	k, ok := h.tsig(key)
	if !ok {
		return p, core.Errorf(core.Conflict, "the TSIG key %s is not there any more", key)
	}
	p.Key = &k
	return p, nil
}

// secondaries follow the primaries of zones that are fed from elsewhere.
type secondaries struct {
	house *House
	asked chan struct{} // somebody changed something
	ended chan struct{} // a fetch is over

	mu    sync.Mutex
	zones map[string]*followed // by id
	kept  time.Time            // when the file was written last
}

// followed is one of them. Its state is worked out anew after a start, and the first
// round comes at once; only when it was last right is kept.
type followed struct {
	zone.Following
	state  transfer.Secondary
	busy   bool
	fault  string
	listed listed // of a catalog
}

func newSecondaries(h *House) *secondaries {
	return &secondaries{house: h, asked: make(chan struct{}, 1), ended: make(chan struct{}, 1), zones: map[string]*followed{}}
}

func (s *secondaries) wake() { nudge(s.asked) }

func nudge(c chan<- struct{}) {
	select {
	case c <- struct{}{}:
	default:
	}
}

// expired reports a zone that must not be served any more. After a start its
// primaries are asked before that is said.
func (s *secondaries) expired(id string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := s.zones[id]
	return f != nil && f.expired(s.house.Clock())
}

func (f *followed) expired(now time.Time) bool {
	return f.state.Have && f.state.Failures > 0 && f.state.Expired(now, transfer.Timing{})
}

// notified takes in that a primary has a new version.
func (s *secondaries) notified(a nameserver.Asked) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.zones {
		if f.Name != a.Zone {
			continue
		}
		from := slices.IndexFunc(f.Addresses, func(at netip.AddrPort) bool { return at.Addr() == a.From.Addr() })
		f.state = f.state.Notified(s.house.Clock(), transfer.Timing{}, from, a.Serial, a.Hint)
	}
	nudge(s.ended)
}

// run follows until ctx ends.
func (s *secondaries) run(ctx context.Context) {
	slots := make(chan struct{}, fetchesAtATime)
	var listed time.Time
	for {
		if time.Since(listed) >= idle {
			if err := s.list(ctx); err != nil && ctx.Err() == nil {
				s.house.Log.Error("the zones that are fed from elsewhere could not be listed", "error", err)
			}
			listed = time.Now()
		}
		wait := s.begin(ctx, slots)
		s.remember(time.Minute)
		timer := time.NewTimer(wait)
		select {
		case <-ctx.Done():
			timer.Stop()
			s.remember(0)
			return
		case <-timer.C:
		case <-s.asked:
			listed = time.Time{}
		case <-s.ended:
		}
		timer.Stop()
	}
}

// list brings the zones up to date with what is wished.
func (s *secondaries) list(ctx context.Context) error {
	var now []zone.Following
	soas := map[string]rr.SOA{}
	err := s.house.Bus.Look(ctx, "secondary", func(v *act.View) (err error) {
		if now, err = s.house.features.zones.Following(ctx, v); err != nil {
			return err
		}
		for _, f := range now {
			if s.knows(f) {
				continue
			}
			sets, err := s.house.features.zones.Here(ctx, v, f.ID)
			if err != nil {
				return err
			}
			if soa, ok := soaIn(sets, f.Name); ok {
				soas[f.ID], _ = rr.ParseSOA(soa.Data)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	var checked map[string]time.Time
	if len(soas) > 0 {
		checked = s.remembered()
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	kept, start := map[string]*followed{}, s.house.Clock()
	for _, f := range now {
		if old := s.zones[f.ID]; old != nil && slices.Equal(old.Addresses, f.Addresses) && old.Key == f.Key {
			kept[f.ID] = old
			continue
		}
		one := &followed{Following: f, state: transfer.Secondary{Primaries: len(f.Addresses)}}
		if soa, ok := soas[f.ID]; ok { // served since before
			one.state.SOA, one.state.Have, one.state.Checked = soa, true, start
			if at, ok := checked[f.ID]; ok && at.Before(start) {
				one.state.Checked = at
			}
		}
		kept[f.ID] = one
	}
	s.zones = kept
	return nil
}

// checkedFile holds when each zone was last known to be the newest, so that the time
// after which it is served no more (RFC 1035 3.3.13) counts on over a restart.
const checkedFile = "secondaries.json"

// remember writes it, at most once in a while.
func (s *secondaries) remember(every time.Duration) {
	times := s.checked(every)
	if len(times) == 0 {
		return
	}
	b, err := json.Marshal(times)
	if err == nil {
		err = file.Replace(filepath.Join(s.house.Data, checkedFile), b, 0o600)
	}
	if err != nil {
		s.house.Log.Warn("it could not be written down when zones that follow others were last checked", "error", err)
	}
}

// checked is when each zone was last known to be the newest; nothing while it was asked
// for less than every ago.
func (s *secondaries) checked(every time.Duration) map[string]time.Time {
	now, times := s.house.Clock(), map[string]time.Time{}
	s.mu.Lock()
	defer s.mu.Unlock()
	if now.Sub(s.kept) < every {
		return nil
	}
	for id, f := range s.zones {
		if f.state.Have {
			times[id] = f.state.Checked
		}
	}
	if len(times) > 0 {
		s.kept = now
	}
	return times
}

// remembered reads it. Without it the time counts anew.
func (s *secondaries) remembered() (times map[string]time.Time) {
	b, err := os.ReadFile(filepath.Join(s.house.Data, checkedFile))
	if err == nil {
		err = json.Unmarshal(b, &times)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		s.house.Log.Warn("it could not be read when zones that follow others were last checked: it counts from now", "error", err)
	}
	return times
}

func (s *secondaries) knows(f zone.Following) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	old := s.zones[f.ID]
	return old != nil && slices.Equal(old.Addresses, f.Addresses) && old.Key == f.Key
}

func soaIn(sets []rr.RRset, name rr.Name) (rr.Record, bool) {
	for _, s := range sets {
		if s.Name == name && s.Type == "SOA" && len(s.Data) == 1 {
			return s.Records()[0], true
		}
	}
	return rr.Record{}, false
}

// begin begins what is due, and returns how long nothing else is.
func (s *secondaries) begin(ctx context.Context, slots chan struct{}) time.Duration {
	now := s.house.Clock()
	wait := idle
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, f := range s.zones {
		if f.busy {
			continue
		}
		task, at := f.state.Due(now)
		compares := task == transfer.Wait && f.due(now)
		if task == transfer.Wait && !compares {
			if !at.IsZero() {
				wait = min(wait, max(at.Sub(now), 100*time.Millisecond))
			}
			continue
		}
		select {
		case slots <- struct{}{}:
		default:
			return 100 * time.Millisecond // all are busy
		}
		f.busy = true
		if !compares {
			f.state = f.state.Begun()
		}
		s.house.running.Go(func() {
			defer func() { <-slots; s.done(f) }()
			s.house.panics("following a primary", func() {
				if compares {
					s.compare(ctx, f)
				} else {
					s.do(ctx, f, task)
				}
			})
		})
	}
	return wait
}

func (s *secondaries) done(f *followed) {
	s.mu.Lock()
	f.busy = false
	s.mu.Unlock()
	nudge(s.ended)
}

// do takes a zone one step further; the nameserver is told at once when it may serve
// it no more, or again.
func (s *secondaries) do(ctx context.Context, f *followed, task transfer.Task) {
	before := s.expired(f.ID)
	s.ask(ctx, f, task)
	if s.expired(f.ID) != before {
		s.house.Engine.Wake(ctx, "nameserver", []core.Ref{{Kind: "zone", ID: f.ID}})
	}
}

// ask asks the current primary, or fetches from it, and takes in what came of it.
func (s *secondaries) ask(ctx context.Context, f *followed, task transfer.Task) {
	s.mu.Lock()
	at := f.Addresses[f.state.Current]
	s.mu.Unlock()
	var next func(transfer.Secondary) transfer.Secondary
	peer, err := s.house.primaryPeer(at, f.Key)
	if err == nil && task == transfer.AskSOA {
		next, err = s.compareSOA(ctx, peer, f)
	} else if err == nil {
		next, err = s.fetch(ctx, peer, f)
	}
	if ctx.Err() != nil {
		return
	}
	now, random := s.house.Clock(), jitter()
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.report(f, at, err)
		f.state = f.state.Failed(now, transfer.Timing{}, random)
		return
	}
	f.fault = ""
	f.state = next(f.state)
}

// report tells the operator of a fault once.
func (s *secondaries) report(f *followed, at netip.AddrPort, err error) {
	if text := err.Error(); text != f.fault {
		f.fault = text
		s.house.Log.Warn("a zone could not be brought up to date from its primary; it is tried again", "zone", f.Name, "primary", at, "error", err)
	}
}

func (s *secondaries) compareSOA(ctx context.Context, peer transfer.Peer, f *followed) (func(transfer.Secondary) transfer.Secondary, error) {
	soa, err := s.house.dnsClient().SOA(ctx, peer, f.Name)
	if err != nil {
		return nil, err
	}
	parsed, ok := rr.ParseSOA(soa.Data)
	if !ok {
		return nil, fmt.Errorf("the SOA record of %s cannot be read", f.Name)
	}
	return func(state transfer.Secondary) transfer.Secondary {
		return state.Answered(s.house.Clock(), transfer.Timing{}, parsed.Serial, jitter())
	}, nil
}

// fetch brings the difference, or the whole zone where that cannot be.
func (s *secondaries) fetch(ctx context.Context, peer transfer.Peer, f *followed) (func(transfer.Secondary) transfer.Secondary, error) {
	var here []rr.RRset
	err := s.house.Bus.Look(ctx, "secondary", func(v *act.View) (err error) {
		here, err = s.house.features.zones.Here(ctx, v, f.ID)
		return err
	})
	if err != nil {
		return nil, err
	}
	var have *rr.Record
	if soa, ok := soaIn(here, f.Name); ok {
		have = &soa
	}
	got, err := s.house.dnsClient().Fetch(ctx, peer, f.Name, have)
	if err != nil {
		return nil, err
	}
	sets, err := s.newest(ctx, peer, f, here, got)
	if err != nil {
		return nil, err
	}
	if sets != nil {
		if _, err := s.house.features.zones.Receive(ctx, s.house.Bus, f.ID, peer.Address, sets); err != nil {
			return nil, err
		}
	}
	soa, _ := rr.ParseSOA(got.SOA.Data)
	s.house.Log.Info("a zone was brought up to date from its primary", "zone", f.Name, "primary", peer.Address, "serial", soa.Serial, "by", got.Kind)
	return func(state transfer.Secondary) transfer.Secondary {
		return state.Fetched(s.house.Clock(), transfer.Timing{}, soa, jitter())
	}, nil
}

// newest is the whole zone after what was received; nil: nothing is new. Where a
// difference does not apply, the whole zone is asked for.
func (s *secondaries) newest(ctx context.Context, peer transfer.Peer, f *followed, here []rr.RRset, got transfer.Received) ([]rr.RRset, error) {
	switch got.Kind {
	case transfer.UpToDate:
		return nil, nil
	case transfer.Whole:
		return got.Sets, nil
	}
	changes, err := transfer.Apply(f.Name, transfer.ViewOf(here), got.Steps)
	if errors.Is(err, transfer.ErrNotApply) {
		if got, err = s.house.dnsClient().Fetch(ctx, peer, f.Name, nil); err == nil {
			return got.Sets, nil
		}
	}
	if err != nil {
		return nil, err
	}
	now := map[rr.Key]rr.RRset{}
	for _, set := range here {
		now[set.Key()] = set
	}
	for _, c := range changes {
		if now[c.Key()] = c.New; len(c.New.Data) == 0 {
			delete(now, c.Key())
		}
	}
	out := make([]rr.RRset, 0, len(now))
	for _, set := range now {
		out = append(out, set)
	}
	return out, nil
}

// jitter spreads the questions to primaries: between 0 and 1.
func jitter() float64 { return mathrand.Float64() } //nolint:gosec // nothing secret hangs on it
