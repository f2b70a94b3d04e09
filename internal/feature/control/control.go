package control

import (
	"bytes"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"time"

	"hostward/internal/act"
	engine "hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/host"
)

// Agent is what this needs of the agent, filled by the house.
type Agent interface {
	// Statuses say how each control stands, as it was seen last.
	Statuses(ctx context.Context) ([]host.Status, error)
	// Plan says what would be done to bring a desired state about.
	Plan(ctx context.Context, control string, desired []byte) (host.Planned, error)
}

// Controls is the feature.
type Controls struct {
	agent    Agent
	machines []engine.Machine
}

// New makes it for the controls that there are.
func New(agent Agent, machines []engine.Machine) *Controls { return &Controls{agent, machines} }

//go:embed sql
var migrations embed.FS

const class = "panel"

// wake is what brings an order to the agent.
const wake = "agent"

// Feature declares it.
func (c *Controls) Feature() act.Feature {
	return act.Feature{Name: "control", SQL: migrations, Pages: pages(),
		Ops: []act.Declaration{c.list(), c.show(), c.plan(), c.apply(), c.release(), c.confirm(), c.revert(), c.note()},
		Kinds: []act.Kind{
			{Name: "control", Title: "Controls", Path: "/controls/{id}", Owner: c.owner, Digest: orderDigest, IDs: orderIDs},
			{Name: "agent", Title: "Agent", Owner: provider, Digest: agentDigest, IDs: agentIDs},
		}}
}

func provider(context.Context, *act.View, string) (string, error) { return core.Provider, nil }

func (c *Controls) owner(_ context.Context, _ *act.View, name string) (string, error) {
	_, err := c.machine(name)
	return core.Provider, err
}

func (c *Controls) machine(name string) (engine.Machine, error) {
	for _, m := range c.machines {
		if m.Name == name {
			return m, nil
		}
	}
	return engine.Machine{}, core.Errorf(core.NotFound, "there is no control %q", name)
}

func ref(name string) core.Ref { return core.Ref{Kind: "control", ID: name} }

// Named is an input that names a control.
type Named struct {
	Control string `json:"control" doc:"name of the control, such as firewall" rule:"required,max=40" cli:"arg"`
}

func (c *Controls) target(_ context.Context, _ *act.View, in *Named) (core.Ref, error) {
	_, err := c.machine(in.Control)
	return ref(in.Control), err
}

// Standing is how one control stands: what the panel ordered, and what the agent saw.
type Standing struct {
	Control  string          `json:"control"`
	Title    string          `json:"title"`
	Page     string          `json:"page"`             // where it is changed
	State    string          `json:"state"`            // in force, drift, awaiting confirmation, failed, not under control, pending, unknown
	Since    time.Time       `json:"since,omitzero"`   // in this state
	Number   uint64          `json:"number,omitempty"` // of the last order; 0: none
	Ordered  time.Time       `json:"ordered,omitzero"`
	Edited   bool            `json:"edited"`            // what the panel has differs from the last order: apply it
	Waiting  uint64          `json:"waiting,omitempty"` // number of the order that waits for its confirmation
	Until    time.Time       `json:"until,omitzero"`    // then it is undone
	Mend     bool            `json:"mend"`              // drift is mended without asking
	Plan     []string        `json:"plan,omitempty"`    // what differs on the machine
	Alarms   []string        `json:"alarms,omitempty"`  // what is wrong although nothing differs
	Undone   string          `json:"undone,omitempty"`  // why the last order was undone
	Fault    string          `json:"fault,omitempty"`   // why it cannot be told or brought about
	Seen     time.Time       `json:"seen,omitzero"`     // when the agent looked
	Desired  json.RawMessage `json:"desired,omitempty"`
	Observed json.RawMessage `json:"observed,omitempty"`
}

// States besides the agent's own.
const (
	Pending = "pending" // the order is on its way to the agent
	Unknown = "unknown" // the agent does not answer
)

// Standing returns how every control stands, in the order of declaration.
func (c *Controls) Standing(ctx context.Context, v *act.View) ([]Standing, error) {
	all, err := orders(ctx, v)
	if err != nil {
		return nil, err
	}
	seen := map[string]host.Status{}
	list, fault := c.agent.Statuses(ctx)
	for _, s := range list {
		if fault == nil {
			seen[s.Control] = s
		}
	}
	out := make([]Standing, 0, len(c.machines))
	for _, m := range c.machines {
		s, err := stand(ctx, v, m, all[m.Name])
		if err != nil {
			return nil, err
		}
		if status, ok := seen[m.Name]; ok {
			s.see(status, all[m.Name].Raw)
		} else {
			s.State, s.Fault = Unknown, "the agent says nothing about it"
			if fault != nil {
				s.Fault = core.AsError(fault).Sentence()
			}
		}
		out = append(out, s)
	}
	return out, nil
}

// stand is what the panel itself knows of a control.
func stand(ctx context.Context, v *act.View, m engine.Machine, o order) (Standing, error) {
	s := Standing{Control: m.Name, Title: m.Title, Page: m.Page, Number: o.Number, Ordered: o.Made, Mend: o.Mend}
	desired, err := m.Desired(ctx, v)
	s.Desired = desired
	s.Edited = string(desired) != string(o.Desired)
	return s, err
}

// see adds what the agent saw, who has this order.
func (s *Standing) see(a host.Status, order []byte) {
	s.State, s.Since, s.Waiting, s.Until, s.Seen, s.Observed = a.State, a.Since, a.Waiting, a.Until, a.Seen, a.Observed
	s.Plan, s.Alarms, s.Undone, s.Fault = a.Plan, a.Alarms, a.Undone, a.Fault
	if s.Number > a.Highest {
		s.State = Pending
	}
	if s.Number > 0 && a.Undone != "" && a.Order < s.Number && a.Waiting == 0 {
		s.Edited = true // what was ordered is not there: it can be ordered again
	}
	if a.Highest > s.Number || a.Order == s.Number && a.Digest != "" && a.Digest != host.Digest(order) {
		s.Edited, s.Fault = true, fmt.Sprintf("the agent goes by order %d, which is not in this database: it may be an older copy; apply what should be again", a.Highest)
		if s.State == host.InForce || s.State == host.Idle {
			s.State = host.Drift
		}
	}
}

// Wants is what it should be, for people.
func (s Standing) Wants() string { return indented(s.Desired) }

// Sees is what was seen, for people.
func (s Standing) Sees() string { return indented(s.Observed) }

// mostShown is how much of a long text a page shows, in octets.
const mostShown = 64 << 10

func indented(raw json.RawMessage) string {
	var b bytes.Buffer
	if len(raw) == 0 || json.Indent(&b, raw, "", "  ") != nil {
		return "nothing"
	}
	if b.Len() > mostShown {
		return string(bytes.ToValidUTF8(b.Bytes()[:mostShown], nil)) + "\n…"
	}
	return b.String()
}

// InForce counts the controls that are.
func (l List) InForce() int {
	return l.count(func(s Standing) bool { return s.State == host.InForce })
}

// Ordered counts those that were ever ordered, and not let go of.
func (l List) Ordered() int {
	return l.count(func(s Standing) bool { return s.Number > 0 && s.State != host.Idle })
}

func (l List) count(is func(Standing) bool) (n int) {
	for _, s := range l.Controls {
		if is(s) {
			n++
		}
	}
	return n
}
