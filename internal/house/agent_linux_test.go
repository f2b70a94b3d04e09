package house_test

import (
	"context"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/agent"
	"hostward/internal/core"
	"hostward/internal/feature/control"
	"hostward/internal/host"
	"hostward/internal/socket"
)

// pretender is an agent that says what a test wants.
type pretender struct {
	agent.Verbs
	mu      sync.Mutex
	all     map[string]host.Status
	taken   []host.Order
	accept  func(ctx context.Context, o host.Order) (host.Status, error)
	hanging chan struct{} // while it is there, nothing is answered
}

func (p *pretender) Statuses(ctx context.Context) (list []host.Status, err error) {
	p.mu.Lock()
	hanging := p.hanging
	for _, s := range p.all {
		list = append(list, s)
	}
	p.mu.Unlock()
	if hanging != nil {
		select {
		case <-hanging:
		case <-ctx.Done():
		}
	}
	return list, nil
}

func (p *pretender) Plan(context.Context, string, []byte) (host.Planned, error) {
	return host.Planned{}, nil
}

func (p *pretender) Journal(context.Context, uint64, int) ([]host.Line, error) { return nil, nil }

func (p *pretender) Accept(ctx context.Context, d agent.Delivery) (s host.Status, err error) {
	o, err := host.ParseOrder(d.Order)
	if err != nil {
		return s, err
	}
	p.mu.Lock()
	p.taken = append(p.taken, o)
	accept := p.accept
	p.mu.Unlock()
	if accept != nil {
		return accept(ctx, o)
	}
	s = host.Status{Control: o.Control, State: host.InForce, Order: o.Number, Highest: o.Number, Digest: host.Digest(d.Order)}
	p.set(s)
	return s, nil
}

func (p *pretender) set(s host.Status) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.all[s.Control] = s
}

// pretending is a panel with such an agent.
func pretending(t *testing.T) (*controlled, *pretender) {
	t.Helper()
	p := &pretender{all: map[string]host.Status{}}
	c := &controlled{hosting: &hosting{T: t, dir: t.TempDir()}, socket: filepath.Join(t.TempDir(), "agent.sock")}
	for _, name := range []string{"clock", "firewall"} {
		p.set(host.Status{Control: name, State: host.Idle})
	}
	l, err := socket.Listen(t.Context(), c.socket, "agent")
	must(t, err)
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- socket.Serve(ctx, l, agent.Handler(p)) }()
	t.Cleanup(func() {
		stop()
		must(t, <-ended)
	})
	c.open()
	return c, p
}

func (c *controlled) fails(who act.Actor, op string, in map[string]any) error {
	c.Helper()
	_, err := c.Bus.Do(c.Context(), act.Call{Op: op, Actor: who, Input: raw(in), Confirmed: true})
	return err
}

// A database that was restored from an older copy knows lower numbers than the agent.
func TestOrdersGoOnAboveTheAgentsNumber(t *testing.T) {
	c, p := pretending(t)
	c.call(console, "control.apply", map[string]any{"control": "clock"})
	p.set(host.Status{Control: "clock", State: host.InForce, Order: 41, Highest: 41, Digest: "another"})
	if s := c.standing("clock"); s.State != host.Drift || !s.Edited || !strings.Contains(s.Fault, "41") {
		t.Errorf("an order that is not here is shown as %+v", s)
	}
	if r := c.call(console, "control.apply", map[string]any{"control": "clock"}); r.State != act.InForce || r.Output.(control.Applied).Number != 42 {
		t.Errorf("%q, %+v", r.State, r.Output)
	}
	if r := c.call(console, "control.release", map[string]any{"control": "clock"}); r.Output.(control.Applied).Number != 43 {
		t.Errorf("%+v", r.Output)
	}
}

// The second one would be refused, and stand in the way of a confirmation of the first.
func TestWhileAnOrderWaitsThereIsNoOther(t *testing.T) {
	c, p := pretending(t)
	p.accept = func(_ context.Context, o host.Order) (host.Status, error) {
		raw, err := o.Bytes()
		s := host.Status{Control: o.Control, State: host.Awaiting, Order: o.Number, Highest: o.Number, Waiting: o.Number, Digest: host.Digest(raw), Until: time.Now().Add(time.Minute)}
		p.set(s)
		return s, err
	}
	c.call(console, "control.apply", map[string]any{"control": "firewall"})
	for _, op := range []string{"control.apply", "control.release"} {
		if err := c.fails(console, op, map[string]any{"control": "firewall"}); core.CodeOf(err) != core.Conflict {
			t.Errorf("%s: %v", op, err)
		}
	}
	// A new connection from this machine itself may be a tunnel over an old one.
	tunnel := console
	tunnel.Door, tunnel.Address, tunnel.Connected = "web", "127.0.0.1", time.Now().Add(time.Hour)
	if err := c.fails(tunnel, "control.confirm", map[string]any{"control": "firewall"}); core.CodeOf(err) != core.Conflict || !strings.Contains(err.Error(), "tunnel") {
		t.Errorf("through a tunnel: %v", err)
	}
	tunnel.Address = "192.0.2.7"
	if err := c.fails(tunnel, "control.confirm", map[string]any{"control": "firewall"}); core.CodeOf(err) == core.Conflict {
		t.Errorf("from outside: %v", err)
	}
}

func TestAnOrderThatTheAgentRefusesSaysWhy(t *testing.T) {
	c, p := pretending(t)
	p.accept = func(context.Context, host.Order) (host.Status, error) {
		return host.Status{}, core.Errorf(core.Invalid, "the moon is in the wrong house")
	}
	if r := c.call(console, "control.apply", map[string]any{"control": "clock"}); r.State != act.Drift {
		t.Errorf("it is %q", r.State)
	}
	if s := c.standing("clock"); s.State == control.Pending || !s.Edited || !strings.Contains(s.Undone, "moon") {
		t.Errorf("%+v", s)
	}
}

// An agent that hangs, and a control that takes long, hold nobody else up.
func TestNobodyWaitsForWhatHangs(t *testing.T) {
	c, p := pretending(t)
	hangs, done := make(chan struct{}), make(chan struct{})
	p.accept = func(ctx context.Context, o host.Order) (host.Status, error) {
		if o.Control == "clock" {
			close(hangs)
			<-done
		}
		s := host.Status{Control: o.Control, State: host.InForce, Order: o.Number, Highest: o.Number}
		p.set(s)
		return s, nil
	}
	ended := make(chan error, 1)
	go func() { ended <- c.fails(console, "control.apply", map[string]any{"control": "clock"}) }()
	<-hangs
	began := time.Now()
	c.call(console, "control.apply", map[string]any{"control": "firewall", "keep": true})
	if d := time.Since(began); d > 10*time.Second {
		t.Errorf("the firewall waited %s for the clock", d)
	}
	close(done)
	must(t, <-ended)

	p.mu.Lock()
	p.hanging = make(chan struct{})
	p.mu.Unlock()
	began = time.Now()
	if s := c.standing("clock"); s.State != control.Unknown {
		t.Errorf("%+v", s)
	}
	if d := time.Since(began); d > 15*time.Second {
		t.Errorf("who looks waited %s", d)
	}
	close(p.hanging)
}
