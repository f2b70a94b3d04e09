package agent

import (
	"context"

	"hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/host"
)

// Looker has eyes and no hands: what a panel without an agent has. It shows what
// is there and what would be done, and changes nothing.
type Looker struct {
	Machines []control.Machine
	Eyes     host.Eyes
}

// errHands says why nothing is done.
func errHands() error {
	return core.Errorf(core.Unavailable, "this server runs without its agent, so it looks and changes nothing: start `hostward agent` as root, and serve with --agent")
}

// Accept implements Verbs: it refuses.
func (l *Looker) Accept(context.Context, Delivery) (host.Status, error) {
	return host.Status{}, errHands()
}

// Confirm implements Verbs: it refuses.
func (l *Looker) Confirm(context.Context, string, uint64) (host.Status, error) {
	return host.Status{}, errHands()
}

// Revert implements Verbs: it refuses.
func (l *Looker) Revert(context.Context, string, uint64) (host.Status, error) {
	return host.Status{}, errHands()
}

// Look implements Verbs.
func (l *Looker) Look(ctx context.Context, name string) (host.Status, error) {
	m, err := l.machine(name)
	if err != nil {
		return host.Status{}, err
	}
	now := l.Eyes.Now()
	s := host.Status{Control: name, State: host.Idle, Since: now, Seen: now}
	f, err := m.Look(ctx, l.Eyes, nil)
	if err != nil {
		s.Fault = err.Error()
		return s, nil
	}
	s.Observed, s.Alarms = f.Observed, f.Alarms
	return s, nil
}

// Statuses implements Verbs. It looks each time.
func (l *Looker) Statuses(ctx context.Context) ([]host.Status, error) {
	var list []host.Status
	for _, m := range l.Machines {
		s, err := l.Look(ctx, m.Name)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// Plan implements Verbs.
func (l *Looker) Plan(ctx context.Context, name string, desired []byte) (host.Planned, error) {
	m, err := l.machine(name)
	if err != nil {
		return host.Planned{}, err
	}
	return plan(ctx, m, l.Eyes, desired)
}

// Journal implements Verbs: who does nothing has nothing to tell.
func (l *Looker) Journal(context.Context, uint64, int) ([]host.Line, error) { return nil, nil }

func (l *Looker) machine(name string) (control.Machine, error) {
	for _, m := range l.Machines {
		if m.Name == name {
			return m, nil
		}
	}
	return control.Machine{}, core.Errorf(core.NotFound, "there is no control %q", name)
}
