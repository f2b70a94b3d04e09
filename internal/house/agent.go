package house

import (
	"context"
	"errors"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"hostward/internal/act"
	"hostward/internal/agent"
	"hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/feature/clock"
	featured "hostward/internal/feature/control"
	"hostward/internal/host"
	"hostward/internal/host/hands"
	"hostward/internal/ledger"
)

// agents stands between the orders in the database and the agent: it hands over what
// is on record, with the proof, and puts on record what the agent's journal tells.
type agents struct {
	house *House
	verbs agent.Verbs
	there bool // it has hands
	poke  chan struct{}

	mu      sync.Mutex // one delivery at a time
	refused map[string]uint64
	down    string // why it did not answer

	seenMu sync.Mutex
	seen   []host.Status
	fault  error
	at     time.Time

	changed atomic.Pointer[time.Time] // when the order that waits came into effect
}

// How often the agent is asked, and while an order waits.
const (
	askEvery   = 5 * time.Second
	askSoon    = time.Second
	lookEvery  = 30 * time.Second // with eyes alone
	staleAfter = 40 * time.Second
)

func newAgents(h *House, machines []control.Machine) *agents {
	a := &agents{house: h, poke: make(chan struct{}, 1), refused: map[string]uint64{}, there: h.Agent != ""}
	a.verbs = &agent.Looker{Machines: machines, Eyes: hands.Machine{}}
	if a.there {
		a.verbs = agent.Dial(h.Agent)
	}
	return a
}

// Statuses implements the port of the feature. An agent is asked; eyes alone are not
// opened anew for each page.
func (a *agents) Statuses(ctx context.Context) ([]host.Status, error) {
	a.seenMu.Lock()
	known, fault, at := a.seen, a.fault, a.at
	a.seenMu.Unlock()
	if !a.there && a.house.Clock().Sub(at) < staleAfter {
		return known, fault
	}
	return a.ask(ctx)
}

func (a *agents) ask(ctx context.Context) ([]host.Status, error) {
	list, err := a.verbs.Statuses(ctx)
	a.seenMu.Lock()
	defer a.seenMu.Unlock()
	if ctx.Err() == nil {
		a.seen, a.fault, a.at = list, err, a.house.Clock()
	}
	return list, err
}

// Plan implements the port of the feature.
func (a *agents) Plan(ctx context.Context, name string, desired []byte) (host.Planned, error) {
	return a.verbs.Plan(ctx, name, desired)
}

// status returns how one control was seen.
func (a *agents) status(ctx context.Context, name string) (host.Status, error) {
	list, err := a.Statuses(ctx)
	if err != nil {
		return host.Status{}, err
	}
	for _, s := range list {
		if s.Control == name {
			return s, nil
		}
	}
	return host.Status{}, core.Errorf(core.NotFound, "the agent has no control %q", name)
}

// run serves the agent until ctx ends.
func (a *agents) run(ctx context.Context) {
	pause := lookEvery
	if a.there {
		pause = 0
	}
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		case <-a.poke:
		}
		soon := a.look(ctx)
		switch {
		case !a.there:
			pause = lookEvery
		case soon:
			pause = askSoon
		default:
			pause = askEvery
		}
	}
}

// look does all that is to be done now, and reports whether it should be soon again.
func (a *agents) look(ctx context.Context) (soon bool) {
	list, err := a.ask(ctx)
	a.report(ctx, err)
	if err != nil {
		return false
	}
	due, err := a.due(ctx)
	if err == nil {
		for _, d := range due {
			a.deliver(ctx, d)
		}
		err = a.take(ctx)
	}
	if err != nil && ctx.Err() == nil {
		a.house.Log.Error("what the agent did could not be taken over; it is tried again", "error", err)
	}
	for _, s := range list {
		a.house.saw(ctx, s)
		soon = soon || s.Waiting > 0
	}
	return soon
}

// saw hands a look at a control to whom it concerns.
func (h *House) saw(ctx context.Context, s host.Status) {
	if s.Control == clock.Name {
		h.clock.saw(ctx, s)
	}
}

// report says once that the agent does not answer, and once that it does again.
func (a *agents) report(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	switch {
	case err != nil && a.down == "":
		a.house.Log.Warn("the agent does not answer; orders wait for it", "error", err)
	case err == nil && a.down != "":
		a.house.Log.Info("the agent answers again")
	}
	a.down = ""
	if err != nil {
		a.down = err.Error()
	}
}

func (a *agents) due(ctx context.Context) (due []featured.Due, err error) {
	err = a.house.Bus.Look(ctx, "agent", func(v *act.View) (err error) {
		due, err = a.house.features.controls.Due(ctx, v)
		return err
	})
	return due, err
}

// mostDelivering is how long who applies something waits for it.
const mostDelivering = 30 * time.Second

// wake delivers what was ordered, and says how the controls stand then.
func (a *agents) wake(ctx context.Context, objects []core.Ref) string {
	ctx, stop := context.WithTimeout(ctx, mostDelivering)
	defer stop()
	defer func() {
		select {
		case a.poke <- struct{}{}:
		default:
		}
	}()
	due, err := a.due(ctx)
	if err != nil {
		return act.Pending
	}
	state := act.InForce
	for _, o := range objects {
		for _, d := range due {
			if o.Kind == "control" && o.ID == d.Control {
				if s := a.deliver(ctx, d); s != act.InForce {
					state = s
				}
			}
		}
	}
	return state
}

// deliver brings an order to the agent, and then what people said of it. What it
// has already is not brought again.
func (a *agents) deliver(ctx context.Context, d featured.Due) string {
	a.mu.Lock()
	defer a.mu.Unlock()
	s, err := a.status(ctx, d.Control)
	if err == nil && d.Number > s.Highest && a.refused[d.Control] != d.Number {
		s, err = a.accept(ctx, d)
	}
	if err == nil && s.Waiting == d.Number {
		switch {
		case d.Keep:
			s, err = a.verbs.Confirm(ctx, d.Control, d.Number)
		case d.Undo:
			s, err = a.verbs.Revert(ctx, d.Control, d.Number)
		default:
			now := a.house.Clock()
			a.changed.CompareAndSwap(nil, &now)
			return act.Pending
		}
		a.changed.Store(nil)
	}
	switch {
	case err != nil && core.CodeOf(err) == core.Unavailable:
		return act.Pending
	case err != nil || s.State == host.Failed || s.State == host.Drift:
		return act.Drift
	case a.refused[d.Control] == d.Number || s.Order < d.Number && s.State != host.Idle:
		return act.Drift
	}
	return act.InForce
}

// accept proves an order and hands it over. One that the agent refuses is not
// brought again: its journal says why.
func (a *agents) accept(ctx context.Context, d featured.Due) (host.Status, error) {
	p, err := a.proof(ctx, d)
	if err != nil {
		a.house.Log.Error("an order cannot be proved; it is tried again", "control", d.Control, "error", err)
		return host.Status{}, err
	}
	began := a.house.Clock()
	a.changed.Store(&began)
	s, err := a.verbs.Accept(ctx, p)
	if s.Waiting != d.Number {
		a.changed.Store(nil)
	}
	if err != nil && core.CodeOf(err) != core.Unavailable {
		a.refused[d.Control] = d.Number
		a.house.Log.Warn("the agent refuses an order", "control", d.Control, "number", d.Number, "error", err)
	}
	return s, err
}

// proof finds the record that holds an order, waits until it is sealed, and proves it.
func (a *agents) proof(ctx context.Context, d featured.Due) (agent.Delivery, error) {
	h := a.house
	seq := int64(-1)
	err := h.snapshot(ctx, func(r ledger.Reader) error {
		b := ledger.Browser{Keys: h.Keeper, Status: func(seq int64) ledger.State { return h.Sealer.Status(seq) }}
		p, err := b.List(ctx, r, ledger.Everything, ledger.Filter{Object: core.Ref{Kind: "control", ID: d.Control},
			Actions: []string{"control.apply", "control.release"}, Outcomes: []ledger.Outcome{ledger.Done}, Limit: 1})
		if err == nil && len(p.Records) > 0 {
			seq = p.Records[0].Seq
		}
		return err
	})
	if err == nil && seq < 0 {
		err = errors.New("no record holds the order")
	}
	if err != nil {
		return agent.Delivery{}, err
	}
	p, err := h.prove(ctx, seq)
	return agent.Delivery{Order: d.Raw, Proof: []byte(p.File), Key: p.Key}, err
}

// mostTaken is how many entries of the journal become one record.
const mostTaken = 50

// take puts on record what the journal tells.
func (a *agents) take(ctx context.Context) error {
	for {
		var last uint64
		err := a.house.Bus.Look(ctx, "agent", func(v *act.View) (err error) {
			last, err = a.house.features.controls.Taken(ctx, v)
			return err
		})
		if err != nil {
			return err
		}
		lines, err := a.verbs.Journal(ctx, last, mostTaken)
		if err != nil || len(lines) == 0 {
			return err
		}
		if err := a.house.features.controls.Note(ctx, a.house.Bus, lines); err != nil {
			return err
		}
	}
}

// renew has connections closed that were open before an order that waits for its
// confirmation: over a new one it shows that people still get in.
func (a *agents) renew(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if at := a.changed.Load(); at != nil && core.Connected(r.Context()).Before(*at) {
			w.Header().Set("Connection", "close")
		}
		next.ServeHTTP(w, r)
	})
}
