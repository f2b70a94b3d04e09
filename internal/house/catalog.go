package house

import (
	"context"
	"slices"
	"strings"
	"sync"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/zone"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// When zones that could not be taken from a catalog are tried again: soon, since a
// primary may list a zone before it has it, and twice as late each time.
const (
	untakenSoon = 5 * time.Second
	untakenMost = 5 * time.Minute
)

// listed is how far a catalog has been read.
type listed struct {
	read    bool
	serial  uint32
	again   time.Time // zero: everything is as it lists
	lag     time.Duration
	untaken []zone.Untaken
}

// due reports whether a catalog is to be compared with what is here.
func (f *followed) due(now time.Time) bool {
	l := f.listed
	return f.Lists && f.state.Have && (!l.read || l.serial != f.state.SOA.Serial || !l.again.IsZero() && !now.Before(l.again))
}

// untaken says which zones of a catalog could not be taken.
func (s *secondaries) untaken(id string) []zone.Untaken {
	s.mu.Lock()
	defer s.mu.Unlock()
	if f := s.zones[id]; f != nil {
		return f.listed.untaken
	}
	return nil
}

// compare brings the zones of a catalog to what it lists: first those go that it
// lists no more, or by another label, then new ones come. One that cannot be taken
// holds up no other.
func (s *secondaries) compare(ctx context.Context, f *followed) {
	s.mu.Lock()
	serial, before := f.state.SOA.Serial, f.listed
	s.mu.Unlock()
	untaken, err := s.step(ctx, f.Following)
	if ctx.Err() != nil {
		return
	}
	now := listed{read: true, serial: serial, untaken: untaken}
	if err != nil {
		now.untaken = []zone.Untaken{{Zone: shownName(f.Name), Why: core.AsError(err).Sentence()}}
	}
	if len(now.untaken) > 0 {
		now.lag = untakenSoon
		if before.serial == serial {
			now.lag = min(max(2*before.lag, untakenSoon), untakenMost)
		}
		now.again = s.house.Clock().Add(now.lag)
	}
	for _, u := range now.untaken {
		if !slices.Contains(before.untaken, u) {
			s.house.Log.Warn("a zone of a catalog could not be taken; it is tried again", "catalog", f.Name, "zone", u.Zone, "error", u.Why)
		}
	}
	s.mu.Lock()
	f.listed = now
	s.mu.Unlock()
	s.wake()
	s.house.wakePeers(ctx)
}

func shownName(n rr.Name) string { return strings.TrimSuffix(string(n), ".") }

// step does it, and returns what could not be taken.
func (s *secondaries) step(ctx context.Context, catalog zone.Following) ([]zone.Untaken, error) {
	wanted, here, err := s.lists(ctx, catalog)
	if err != nil {
		return nil, err
	}
	var faults untakens
	for name, old := range here {
		if wanted[name] == old.Label {
			delete(wanted, name)
			continue
		}
		if err := s.house.features.zones.Delist(ctx, s.house.Bus, catalog.ID, old.ID); err != nil {
			faults.add(name, err)
		}
	}
	slots := make(chan struct{}, fetchesAtATime)
	var work sync.WaitGroup
	for name, label := range wanted {
		slots <- struct{}{}
		work.Go(func() {
			defer func() { <-slots }()
			if err := s.take(ctx, catalog, name, label); err != nil {
				faults.add(name, err)
			}
		})
	}
	work.Wait()
	return faults.sorted(), nil
}

// lists are the label of each zone that a catalog lists, and the zones that were
// taken from it.
func (s *secondaries) lists(ctx context.Context, catalog zone.Following) (wanted map[rr.Name]string, here map[rr.Name]zone.Following, err error) {
	var sets []rr.RRset
	var all []zone.Following
	err = s.house.Bus.Look(ctx, "secondary", func(v *act.View) (err error) {
		if sets, err = s.house.features.zones.Here(ctx, v, catalog.ID); err == nil {
			all, err = s.house.features.zones.Following(ctx, v)
		}
		return err
	})
	if err != nil {
		return nil, nil, err
	}
	members, err := transfer.Members(catalog.Name, sets)
	if err != nil {
		return nil, nil, err
	}
	wanted, here = map[rr.Name]string{}, map[rr.Name]zone.Following{}
	for _, m := range members {
		wanted[m.Zone] = m.Label
	}
	for _, f := range all {
		if f.Catalog == catalog.ID {
			here[f.Name] = f
		}
	}
	return wanted, here, nil
}

// take fetches a zone and makes it one of ours.
func (s *secondaries) take(ctx context.Context, catalog zone.Following, name rr.Name, label string) error {
	sets, err := s.house.fetch(ctx, name, catalog.Primary)
	if err != nil {
		return err
	}
	return s.house.features.zones.Enlist(ctx, s.house.Bus, catalog.ID, name, label, sets)
}

// untakens collects what could not be taken.
type untakens struct {
	mu   sync.Mutex
	list []zone.Untaken
}

func (u *untakens) add(name rr.Name, err error) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.list = append(u.list, zone.Untaken{Zone: shownName(name), Why: core.AsError(err).Sentence()})
}

func (u *untakens) sorted() []zone.Untaken {
	slices.SortFunc(u.list, func(a, b zone.Untaken) int { return strings.Compare(a.Zone, b.Zone) })
	return u.list
}
