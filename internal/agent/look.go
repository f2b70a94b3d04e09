package agent

import (
	"context"
	"slices"
	"strings"
	"time"
	"unicode"

	"hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/host"
)

// look compares what should be with what is, and mends drift if the order says so.
// Without an order that holds it only looks. At a fresh boot what holds is brought
// into force, whatever the order says about drift.
func (h *holder) look(ctx context.Context) {
	o, err := h.holds()
	if err != nil {
		h.turn(host.Failed, err.Error())
		return
	}
	h.stand(o)
	f, err := h.machine.Look(ctx, h.Eyes, o.Desired)
	if ctx.Err() != nil {
		return
	}
	h.status.Seen = h.Clock()
	if err != nil {
		h.blind(err)
		return
	}
	h.see(f)
	switch p := h.kept.Pending; {
	case p != nil && p.Phase == waiting:
		h.turn(host.Awaiting, "")
	case p != nil:
		h.turn(host.Failed, h.status.Fault)
	case len(o.Desired) == 0:
		h.fresh = false
		h.status.Plan = nil // that it could be let go of is no difference
		h.turn(host.Idle, "")
	case len(f.Steps) == 0:
		h.settled()
	default:
		h.drifted(ctx, o, f)
	}
}

// holds returns the order that is in force now: the one that waits, or the one
// that was kept.
func (h *holder) holds() (o host.Order, err error) {
	raw := h.kept.Holds
	if p := h.kept.Pending; p != nil && p.Phase == waiting {
		raw = p.Order
	}
	if len(raw) > 0 {
		o, err = host.ParseOrder(raw)
	}
	return o, err
}

// stand takes over what is kept, which is known even when nothing can be seen. O is
// the order that is in force.
func (h *holder) stand(o host.Order) {
	s := &h.status
	s.Order, s.Digest, s.Mend, s.Waiting, s.Until = o.Number, "", o.Mend, 0, time.Time{}
	s.Highest, s.Undone = h.kept.Highest, h.kept.Undone
	if len(h.kept.Holds) > 0 {
		s.Digest = host.Digest(h.kept.Holds)
	}
	if p := h.kept.Pending; p != nil && p.Phase == waiting {
		s.Waiting, s.Until, s.Digest = o.Number, h.Clock().Add(h.left(p)), host.Digest(p.Order)
	}
}

// see takes over what was found.
func (h *holder) see(f control.Finding) {
	s := &h.status
	s.Observed, s.Plan = f.Observed, f.Lines()
	if alarms := f.Alarms; len(alarms) != len(s.Alarms) || !slices.Equal(kinds(alarms), kinds(s.Alarms)) {
		if len(alarms) > 0 {
			h.note(host.Entry{What: host.Alarmed, Lines: alarms})
		} else {
			h.note(host.Entry{What: host.Eased, Lines: s.Alarms})
		}
	}
	s.Alarms = f.Alarms
}

// kinds are alarms without their figures, which may be others at each look.
func kinds(alarms []string) (list []string) {
	for _, a := range alarms {
		list = append(list, strings.Map(func(r rune) rune {
			if unicode.IsDigit(r) {
				return -1
			}
			return r
		}, a))
	}
	slices.Sort(list)
	return list
}

// blind says that it cannot be looked at, once.
func (h *holder) blind(err error) {
	known := h.status.State == host.Failed && h.status.Fault == err.Error()
	h.turn(host.Failed, err.Error())
	if !known {
		h.note(host.Entry{What: host.Blind, Reason: err.Error()})
	}
}

// settled notes that nothing differs.
func (h *holder) settled() {
	if h.status.State == host.Drift {
		h.note(host.Entry{What: host.Vanished, Order: h.status.Order})
	}
	h.retry, h.fresh = 0, false
	h.turn(host.InForce, "")
}

// drifted notes what somebody changed, once, and mends it.
func (h *holder) drifted(ctx context.Context, o host.Order, f control.Finding) {
	lines := f.Lines()
	if h.status.State != host.Drift || !slices.Equal(h.told, lines) {
		what := host.Drifted
		if h.fresh {
			what = host.Intends // after a boot it is no wonder
		}
		h.note(host.Entry{What: what, Order: o.Number, Lines: lines})
	}
	h.told = lines
	h.turn(host.Drift, h.status.Fault)
	if !o.Mend && !h.fresh {
		return
	}
	err := h.do(ctx, f.Steps)
	again, lookErr := h.machine.Look(ctx, h.Eyes, o.Desired)
	switch {
	case ctx.Err() != nil: // the agent is stopped: the next start looks again
	case lookErr != nil:
		h.retry++
		h.blind(lookErr)
	case len(again.Steps) > 0:
		h.retry++
		fault := "this is still to do: " + again.Lines()[0]
		if err != nil {
			fault = err.Error()
		}
		h.turn(host.Drift, fault)
		if h.retry == 1 {
			h.note(host.Entry{What: host.Broken, Order: o.Number, Reason: fault})
		}
	default:
		h.see(again)
		h.retry = 0
		what := host.Mended
		if h.fresh {
			what, h.fresh = host.Done, false
		}
		h.note(host.Entry{What: what, Order: o.Number})
		h.turn(host.InForce, "")
	}
}

// turn sets the state, and since when it is so.
func (h *holder) turn(state, fault string) {
	if h.status.State != state {
		h.status.State, h.status.Since = state, h.Clock()
	}
	h.status.Fault = fault
}

// Look looks at a control now.
func (a *Agent) Look(ctx context.Context, name string) (host.Status, error) {
	h, ok := a.controls[name]
	if !ok {
		return host.Status{}, core.Errorf(core.NotFound, "this agent has no control %q", name)
	}
	// Who asked may go; what was begun, and be it to mend drift, is ended.
	h.alone(func() { h.look(context.WithoutCancel(ctx)) })
	return *h.shown.Load(), nil
}

// Plan says what it would do to bring desired about, and does nothing.
func (a *Agent) Plan(ctx context.Context, name string, desired []byte) (host.Planned, error) {
	h, ok := a.controls[name]
	if !ok {
		return host.Planned{}, core.Errorf(core.NotFound, "this agent has no control %q", name)
	}
	return plan(ctx, h.machine, a.Eyes, desired)
}

func plan(ctx context.Context, m control.Machine, eyes host.Eyes, desired []byte) (host.Planned, error) {
	f, err := m.Look(ctx, eyes, desired)
	if err != nil {
		return host.Planned{}, unacceptable(err)
	}
	p := host.Planned{Lines: f.Lines(), Alarms: f.Alarms}
	for _, s := range f.Steps {
		p.Steps = append(p.Steps, s.String())
	}
	return p, nil
}
