package control

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"

	"hostward/internal/act"
	"hostward/internal/host"
)

// Spec is a control of a part of the machine that has a state, not objects: the
// firewall, the clock. It is written in its own types: D says what should be, O
// what is. Everything but Desired runs inside the agent, and nothing of it can
// act: it looks through eyes and answers with steps, which may touch only what it
// Owns.
type Spec[D, O any] struct {
	Name  string // also the id of its object in the log, control:firewall
	Title string // for people: "Firewall"
	Page  string // where it is changed: "/firewall"
	// Lockout: it can shut out who applies it, so that an order is undone unless it
	// is confirmed over a new connection.
	Lockout bool
	Serves  []string // annex points it is evidence for
	Owns    host.Owns

	// Desired reads what should be from the feature's own rows.
	Desired func(ctx context.Context, v *act.View) (D, error)
	// Validate refuses what the control would not carry out, whoever ordered it.
	Validate func(D) error
	// Observe looks. It is told what should be, to know where; nil to let go.
	Observe func(ctx context.Context, eyes host.Eyes, want *D) (O, error)
	// Plan returns the steps from what is to what should be. It is pure. Want is nil
	// to let go of everything. No steps: it is in force.
	Plan func(want *D, have O) []host.Step
	// Diff says the difference to people; nil: the steps say it.
	Diff func(want *D, have O) []string
	// Alarms says what is wrong although every step is done: a source of time
	// that is lost, a port that is open past the firewall. Nil: nothing can be.
	Alarms func(want *D, have O) []string
}

// Machine is a control without its types, as engine and agent hold it.
type Machine struct {
	Name, Title, Page string
	Lockout           bool
	Serves            []string
	Owns              host.Owns
	// Desired returns what should be as the JSON of an order.
	Desired func(ctx context.Context, v *act.View) (json.RawMessage, error)
	// Check refuses a desired state that Look would refuse, without looking.
	Check func(desired []byte) error
	// Look compares what should be with what is. Desired is empty when the control
	// is to let go.
	Look func(ctx context.Context, eyes host.Eyes, desired []byte) (Finding, error)
}

// Finding is what one look found.
type Finding struct {
	Steps    []host.Step     // none: it is in force
	Diff     []string        // for people; the steps' own lines if empty
	Alarms   []string        // what is wrong besides
	Observed json.RawMessage // what was seen, in the control's own words
}

// Of takes a control out of its types. What people read of D and O is JSON.
func Of[D, O any](s Spec[D, O]) Machine {
	m := Machine{Name: s.Name, Title: s.Title, Page: s.Page, Lockout: s.Lockout, Serves: s.Serves, Owns: s.Owns}
	m.Desired = func(ctx context.Context, v *act.View) (json.RawMessage, error) {
		want, err := s.Desired(ctx, v)
		if err != nil {
			return nil, err
		}
		return json.Marshal(want)
	}
	m.Check = func(desired []byte) error {
		_, err := s.accept(desired)
		return err
	}
	m.Look = s.look
	return m
}

func (s Spec[D, O]) look(ctx context.Context, eyes host.Eyes, desired []byte) (f Finding, err error) {
	want, err := s.accept(desired)
	if err != nil {
		return f, err
	}
	have, err := s.Observe(ctx, eyes, want)
	if err != nil {
		return f, err
	}
	if f.Observed, err = json.Marshal(have); err != nil {
		return f, err
	}
	f.Steps = s.Plan(want, have)
	if s.Diff != nil && len(f.Steps) > 0 {
		f.Diff = s.Diff(want, have)
	}
	if s.Alarms != nil {
		f.Alarms = s.Alarms(want, have)
	}
	for _, step := range f.Steps {
		err = errors.Join(err, s.Owns.Allows(step))
	}
	return f, err
}

// accept reads and validates a desired state; nil where there is none.
func (s Spec[D, O]) accept(desired []byte) (*D, error) {
	if len(desired) == 0 {
		return nil, nil
	}
	var want D
	d := json.NewDecoder(bytes.NewReader(desired))
	d.DisallowUnknownFields()
	if err := d.Decode(&want); err != nil {
		return nil, &Unacceptable{fmt.Errorf("the desired state cannot be read: %w", err)}
	}
	if s.Validate != nil {
		if err := s.Validate(want); err != nil {
			return nil, &Unacceptable{err}
		}
	}
	return &want, nil
}

// Unacceptable is a desired state that a control refuses.
type Unacceptable struct{ Err error }

func (u *Unacceptable) Error() string { return u.Err.Error() }

// Unwrap returns what is wrong with it.
func (u *Unacceptable) Unwrap() error { return u.Err }

// Lines is the finding as people read it.
func (f Finding) Lines() []string {
	if len(f.Diff) > 0 {
		return f.Diff
	}
	lines := make([]string, len(f.Steps))
	for i, s := range f.Steps {
		lines[i] = s.String()
	}
	return lines
}
