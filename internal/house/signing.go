package house

import (
	"context"
	"encoding/base64"
	"errors"
	"sync"
	"time"

	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/keeper"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// Signatures (SPEC D3, D5).
const (
	renewAt     = 8 * 24 * time.Hour // left of the first signature of a zone: it is made anew
	alarmAt     = 5 * 24 * time.Hour // left, and nobody made it anew: somebody must look
	patientAsk  = 30 * time.Minute   // between two looks at a parent that did nothing, at first
	signalEvery = 10 * time.Minute   // between two looks at which zones wait for their first DS
	laziestAsk  = 6 * time.Hour      // and at most
)

// zoneKey has the keeper make a key of a zone.
func (h *House) zoneKey(ctx context.Context, name rr.Name, flags uint16, a sign.Algorithm) (sign.Public, string, error) {
	public, sealed, err := h.Keeper.NewZoneKey(ctx, name, flags, a)
	return public, base64.StdEncoding.EncodeToString(sealed), err
}

// resealZoneKey seals a zone's key again under the keeper's newest.
func (h *House) resealZoneKey(seal func(ctx context.Context, ad, sealed []byte) ([]byte, error)) func(context.Context, rr.Name, []byte) ([]byte, error) {
	return func(ctx context.Context, name rr.Name, sealed []byte) ([]byte, error) {
		return seal(ctx, keeper.ZoneKeyAD(name), sealed)
	}
}

// signing looks after the keys and signatures of all zones until ctx ends: it has
// signatures made anew in time, and takes keys further, by what is seen at the
// nameserver and at the parents.
type signing struct {
	house    *House
	asked    chan struct{}
	patient  map[string]pause // zones of which the last look brought nothing
	signaled time.Time
	alarmed  map[rr.Name]time.Time // when
}

// pause is until when a zone is left alone.
type pause struct {
	until time.Time
	last  time.Duration
}

func newSigning(h *House) *signing {
	return &signing{house: h, asked: make(chan struct{}, 1), patient: map[string]pause{}, alarmed: map[rr.Name]time.Time{}}
}

// wake has it look at once.
func (s *signing) wake() {
	select {
	case s.asked <- struct{}{}:
	default:
	}
}

func (s *signing) run(ctx context.Context) {
	tick := time.NewTicker(s.house.SigningEvery)
	defer tick.Stop()
	for {
		if err := s.look(ctx); err != nil && ctx.Err() == nil {
			s.house.Log.Error("looking after keys and signatures failed; it is tried again", "error", err)
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		case <-s.asked:
			s.patient = map[string]pause{} // somebody changed something
		}
	}
}

func (s *signing) look(ctx context.Context) error {
	return errors.Join(s.renew(ctx), s.turnKeys(ctx), s.signal(ctx))
}

// signal has our nameservers confirm the first DS of zones now and then.
func (s *signing) signal(ctx context.Context) error {
	if now := s.house.Clock(); now.Sub(s.signaled) >= signalEvery {
		s.signaled = now
		return s.house.features.zones.Signal(ctx, s.house.Bus)
	}
	return nil
}

// renew has signatures made anew that the nameserver answers with and that expire
// soon. What is served is looked at, not what is remembered.
func (s *signing) renew(ctx context.Context) error {
	now := s.house.Clock()
	soon, err := s.house.Answers.Expiring(ctx, now.Add(renewAt))
	errs := []error{err}
	for _, status := range soon {
		s.alarm(status.Zone, status.Expires.Sub(now))
		err := s.house.features.zones.Resign(ctx, s.house.Bus, string(status.Zone))
		if code := core.CodeOf(err); err != nil && code != core.NotFound && code != core.Conflict { // it is gone, or signed by somebody else
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// alarm tells the operator once a day of signatures that nobody made anew in time.
func (s *signing) alarm(name rr.Name, left time.Duration) {
	now := s.house.Clock()
	if left > alarmAt || now.Sub(s.alarmed[name]) < 24*time.Hour {
		return
	}
	s.alarmed[name] = now
	s.house.Log.Error("signatures of a zone expire soon and were not made anew in time", "zone", name, "left", left.Round(time.Minute))
}

// turnKeys takes the keys of all zones further for which it is time.
func (s *signing) turnKeys(ctx context.Context) error {
	now := s.house.Clock()
	due, err := s.house.features.zones.Due(ctx, s.house.Bus, now)
	if err != nil {
		return err
	}
	var errs []error
	var wait sync.WaitGroup
	slots := make(chan struct{}, looksAtATime)
	var mu sync.Mutex
	for _, one := range due {
		if ctx.Err() != nil || s.patient[one.ID].until.After(now) {
			continue
		}
		slots <- struct{}{}
		wait.Go(func() {
			defer func() { <-slots }()
			next, err := s.turnOne(ctx, one)
			mu.Lock()
			defer mu.Unlock()
			s.settle(one.ID, now, next)
			errs = append(errs, err)
		})
	}
	wait.Wait()
	return errors.Join(errs...)
}

// turnOne takes the keys of one zone further, by what its parent has, and returns
// when they are to be looked at again.
func (s *signing) turnOne(ctx context.Context, one zone.Looked) (time.Time, error) {
	var parent []zone.ParentServer
	if one.Parent {
		parent = s.house.world.parent(ctx, one.Name)
	}
	out, err := s.house.features.zones.Turn(ctx, s.house.Bus, one.ID, parent)
	return out.Next, core.UnlessNotFound(err)
}

// settle leaves a zone alone for longer and longer of which nothing new was kept.
func (s *signing) settle(id string, now, next time.Time) {
	if next.After(now) {
		delete(s.patient, id)
		return
	}
	last := min(max(2*s.patient[id].last, patientAsk), laziestAsk)
	s.patient[id] = pause{now.Add(last), last}
}

// standing asks the nameserver what it has of a zone.
func (h *House) standing(ctx context.Context, ref core.Ref) (zone.Standing, error) {
	if h.nameservers == nil {
		return zone.Standing{}, core.Errorf(core.Unavailable, "the nameserver is not there yet")
	}
	s, err := h.nameservers.Standing(ctx, ref)
	return zone.Standing{Version: s.Version, Serial: s.Serial, Records: s.Records, Expires: s.Expires}, err
}
