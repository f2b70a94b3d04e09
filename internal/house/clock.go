package house

import (
	"context"
	"slices"
	"sync"
	"time"

	"hostward/internal/act"
	"hostward/internal/feature/clock"
	"hostward/internal/host"
)

const (
	sampleEvery = 10 * time.Minute // a point of the clock's series
	surely      = 2                // looks in a row that see an alarm, before it begins,
	calm        = 10               // and that do not see it, before it is over
)

// clockWatch keeps what was seen of the clock: it makes points of looks, and finds
// jumps, and alarms that begin and end.
type clockWatch struct {
	house *House

	mu     sync.Mutex
	status host.Status
	known  bool

	work     sync.Mutex // one look after the other
	loaded   bool
	at       clock.Instant
	blind    time.Time // when it was last looked at in vain
	recorded []clock.Alarm
	differs  map[string]int // looks in a row that differed from what is recorded, by alarm
	sample   clock.Sample
}

// last returns the status that was seen last.
func (w *clockWatch) last() (host.Status, bool) {
	w.mu.Lock()
	s, known := w.status, w.known
	w.mu.Unlock()
	if known {
		return s, true
	}
	ctx, stop := context.WithTimeout(context.Background(), firstLook)
	defer stop()
	s, err := w.house.agents.status(ctx, clock.Name)
	return s, err == nil
}

// firstLook is how long a page waits for the first look.
const firstLook = 5 * time.Second

// saw takes a look at the control of the clock. Who says the same look twice adds
// nothing.
func (w *clockWatch) saw(ctx context.Context, s host.Status) {
	w.mu.Lock()
	w.status, w.known = s, true
	w.mu.Unlock()
	w.work.Lock()
	defer w.work.Unlock()
	if err := w.take(ctx, s); err != nil && ctx.Err() == nil {
		w.house.Log.Error("what was seen of the clock could not be kept; it is tried again", "error", err)
	}
}

func (w *clockWatch) take(ctx context.Context, s host.Status) error {
	o := clock.Read(s)
	fresh := o != nil && o.Instant() != w.at
	if !fresh && (s.Fault == "" || s.Order == 0 || s.Seen.Equal(w.blind)) {
		return nil
	}
	if !fresh {
		w.blind = s.Seen
		o = &clock.Observed{Wall: s.Seen, Alarms: []clock.Alarm{{Code: "blind", Text: "the clock could not be looked at: " + s.Fault}}}
	}
	if err := w.load(ctx, o.Boot); err != nil {
		return err
	}
	jump := clock.JumpOf(w.at, o.Instant())
	if jump != 0 {
		// What was measured before it is another point.
		if err := w.flush(ctx, w.recorded); err != nil {
			return err
		}
		w.sample.Jumped = jump
	}
	next, changed := w.settle(o.Alarms)
	if fresh {
		w.at = o.Instant()
	}
	// A clock that nothing keeps has no series, only jumps.
	kept := o.Running || o.Ordered != nil
	if fresh && kept || w.sample.Empty() && (jump != 0 || changed) {
		w.sample.Add(*o)
	}
	if w.sample.Jumped == 0 && !changed && w.sample.To.Sub(w.sample.From) < sampleEvery {
		return nil
	}
	return w.flush(ctx, next)
}

// load reads once what the last run of the panel left.
func (w *clockWatch) load(ctx context.Context, boot string) error {
	if w.loaded {
		return nil
	}
	err := w.house.Bus.Look(ctx, "clock", func(v *act.View) (err error) {
		w.at, w.recorded, err = w.house.features.clock.Last(ctx, v, boot)
		return err
	})
	w.loaded = err == nil && boot != "" // without one, the next look tells which it is
	return err
}

// settle returns the alarms that hold, and whether they are others than those that
// are recorded. One look alone changes nothing, and what comes and goes is one alarm.
func (w *clockWatch) settle(now []clock.Alarm) (next []clock.Alarm, changed bool) {
	differs := map[string]int{}
	for _, a := range now {
		key := a.Key()
		if !has(w.recorded, key) {
			if differs[key] = w.differs[key] + 1; differs[key] < surely {
				continue
			}
			changed = true
		}
		next = append(next, a)
	}
	for _, a := range w.recorded {
		key := a.Key()
		if has(now, key) {
			continue
		}
		if differs[key] = w.differs[key] + 1; differs[key] < calm {
			next = append(next, a)
		} else {
			changed = true
		}
	}
	w.differs = differs
	return next, changed
}

func has(list []clock.Alarm, key string) bool {
	return slices.ContainsFunc(list, func(a clock.Alarm) bool { return a.Key() == key })
}

// flush keeps the sample, if there is any.
func (w *clockWatch) flush(ctx context.Context, alarms []clock.Alarm) error {
	if w.sample.Empty() {
		return nil
	}
	w.sample.Alarms = alarms
	if err := w.house.features.clock.Keep(ctx, w.house.Bus, w.sample); err != nil {
		return err
	}
	w.sample, w.recorded = clock.Sample{}, alarms
	return nil
}
