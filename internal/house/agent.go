package house

import (
	"context"
	"errors"
	"fmt"
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

	turns map[string]chan struct{} // one delivery of a control at a time; none waits for another's
	down  string                   // why it did not answer

	mu      sync.Mutex
	refused map[string]refusal // by control

	seenMu sync.Mutex
	seen   []host.Status
	fault  error
	at     time.Time

	changed atomic.Pointer[time.Time] // when the order that waits came into effect
}

// refusal is an order that the agent does not take.
type refusal struct {
	number uint64
	why    string
}

// How often the agent is asked, and while an order waits.
const (
	askEvery   = 5 * time.Second
	askSoon    = time.Second
	lookEvery  = 30 * time.Second // with eyes alone
	staleAfter = 25 * time.Second // what they saw: they are not opened anew for each page
	mostAsked  = 5 * time.Second  // for an answer that needs no look
)

func newAgents(h *House, machines []control.Machine) *agents {
	a := &agents{house: h, poke: make(chan struct{}, 1), refused: map[string]refusal{}, turns: map[string]chan struct{}{}, there: h.Agent != ""}
	for _, m := range machines {
		a.turns[m.Name] = make(chan struct{}, 1)
	}
	a.verbs = &agent.Looker{Machines: machines, Eyes: hands.Machine{}}
	if a.there {
		a.verbs = agent.Dial(h.Agent)
	}
	return a
}

// Statuses implements the port of the feature. An order that the agent refused is told
// like one that was undone.
func (a *agents) Statuses(ctx context.Context) ([]host.Status, error) {
	list, err := a.ask(ctx)
	for i := range list {
		s := &list[i]
		if r := a.refusal(s.Control); r.number > s.Highest {
			s.Highest, s.Undone = r.number, fmt.Sprintf("order %d was refused by the agent: %s", r.number, r.why)
		}
	}
	return list, err
}

func (a *agents) refusal(control string) refusal {
	a.mu.Lock()
	defer a.mu.Unlock()
	return a.refused[control]
}

// ask returns how every control stands. Who asks does not wait for an agent that hangs,
// nor for others who ask it.
func (a *agents) ask(ctx context.Context) ([]host.Status, error) {
	if a.there {
		ctx, stop := context.WithTimeout(ctx, mostAsked)
		defer stop()
		return a.verbs.Statuses(ctx)
	}
	a.seenMu.Lock()
	defer a.seenMu.Unlock()
	if since := a.house.Clock().Sub(a.at); since >= 0 && since < staleAfter {
		return a.seen, a.fault
	}
	list, err := a.verbs.Statuses(ctx)
	if ctx.Err() == nil {
		a.seen, a.fault, a.at = list, err, a.house.Clock()
	}
	return list, err
}

// Plan implements the port of the feature.
func (a *agents) Plan(ctx context.Context, name string, desired []byte) (host.Planned, error) {
	ctx, stop := context.WithTimeout(ctx, mostDelivering)
	defer stop()
	return a.verbs.Plan(ctx, name, desired)
}

// status returns how one control was seen.
func (a *agents) status(ctx context.Context, name string) (host.Status, error) {
	list, err := a.ask(ctx)
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
			a.bring(ctx, d)
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

// bring delivers an order without waiting for ever.
func (a *agents) bring(ctx context.Context, d featured.Due) {
	ctx, stop := context.WithTimeout(ctx, mostDelivering)
	defer stop()
	a.deliver(ctx, d)
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
	turn := a.turns[d.Control]
	select {
	case turn <- struct{}{}:
		defer func() { <-turn }()
	case <-ctx.Done():
		return act.Pending
	}
	s, err := a.status(ctx, d.Control)
	switch {
	case err != nil || a.refusal(d.Control).number == d.Number:
	case s.Waiting > 0 && s.Waiting != d.Number:
		return act.Pending // until that one is confirmed or undone
	case d.Number > s.Highest:
		s, err = a.accept(ctx, d)
	}
	if err == nil && s.Waiting == d.Number && s.Digest == host.Digest(d.Raw) {
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
	case a.refusal(d.Control).number == d.Number || s.Highest > d.Number || s.Order == d.Number && s.Digest != host.Digest(d.Raw):
		return act.Drift
	case s.Order < d.Number && s.State != host.Idle:
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
		a.mu.Lock()
		a.refused[d.Control] = refusal{d.Number, core.AsError(err).Sentence()}
		a.mu.Unlock()
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
		lines, err := a.journal(ctx, last)
		if err != nil || len(lines) == 0 {
			return err
		}
		if err := a.house.features.controls.Note(ctx, a.house.Bus, lines); err != nil {
			return err
		}
	}
}

func (a *agents) journal(ctx context.Context, after uint64) ([]host.Line, error) {
	ctx, stop := context.WithTimeout(ctx, mostDelivering)
	defer stop()
	return a.verbs.Journal(ctx, after, mostTaken)
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
