package house

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"path/filepath"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/ban"
	"hostward/internal/host"
)

// bans stands between the rows and the ban engine that is chosen: it hands over what
// people ordered, says from where administrators work, and notes what the engine did.
// It remembers nothing: what was noted last is in the rows, and compared with what the
// engine says before it goes on.
type bans struct {
	bus     *act.Bus
	feature *ban.Bans
	guard   func(engine string) host.Guard
	working func(ctx context.Context, v *act.View) ([]netip.Addr, error)
	log     *slog.Logger
	clock   core.Clock
	every   time.Duration // looks
	gather  time.Duration // facts are noted so often at the most, however many strangers knock

	turn  chan struct{} // held by who looks; an engine that hangs must not hold up who gave up
	noted time.Time
	fault string // why the last look of the loop failed
}

func newBans(h *House) *bans {
	return &bans{bus: h.Bus, feature: h.features.bans, guard: h.guard, working: h.features.atWork, log: h.Log, clock: h.Clock,
		every: 5 * time.Second, gather: time.Minute, turn: make(chan struct{}, 1)}
}

// panelLog is where the program writes failed log-ins, as an engine must know it.
func panelLog(data string) string {
	if data == "" {
		return ""
	}
	if abs, err := filepath.Abs(data); err == nil {
		data = abs
	}
	return filepath.ToSlash(filepath.Join(data, "log", "panel.log"))
}

// guard returns the engine of a name; nil: none is joined.
func (h *House) guard(engine string) host.Guard {
	if h.Guard == nil {
		return nil
	}
	return h.Guard(engine)
}

// run serves the engine until ctx ends.
func (b *bans) run(ctx context.Context) {
	tick := time.NewTicker(b.every)
	defer tick.Stop()
	for {
		b.report(ctx, b.look(ctx))
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// report says once what is wrong, and once that it is well again.
func (b *bans) report(ctx context.Context, err error) {
	switch {
	case ctx.Err() != nil:
	case err != nil && err.Error() != b.fault:
		b.fault = err.Error()
		b.log.Warn("the ban engine cannot be served", "error", err)
	case err == nil && b.fault != "":
		b.fault = ""
		b.log.Info("the ban engine is served again")
	}
}

// mostWaited is how long who orders a ban waits for it.
const mostWaited = 10 * time.Second

// wake hands orders over at once.
func (b *bans) wake(ctx context.Context) string {
	ctx, stop := context.WithTimeout(ctx, mostWaited)
	defer stop()
	if err := b.look(ctx); err != nil {
		return act.Pending
	}
	if s, err := b.state(ctx); err != nil || len(s.Orders) > 0 {
		return act.Pending
	}
	return act.InForce
}

func (b *bans) state(ctx context.Context) (s ban.State, err error) {
	err = b.bus.Look(ctx, "bans", func(v *act.View) error {
		s, err = b.feature.State(ctx, v)
		return err
	})
	return s, err
}

// look does all that is to be done now.
func (b *bans) look(ctx context.Context) error {
	select {
	case b.turn <- struct{}{}:
		defer func() { <-b.turn }()
	case <-ctx.Done():
		return ctx.Err()
	}
	s, err := b.state(ctx)
	if err != nil {
		return err
	}
	g := b.guard(s.Engine)
	if g == nil {
		return b.unserved(ctx, s)
	}
	for _, o := range s.Orders {
		if err := b.hand(ctx, g, o); err != nil {
			return err
		}
		b.noted = time.Time{} // who ordered it sees at once what came of it
	}
	if err := b.tell(ctx, g); err != nil {
		return err
	}
	return b.note(ctx, g, s)
}

// unserved says of each order why it waits.
func (b *bans) unserved(ctx context.Context, s ban.State) error {
	for _, o := range s.Orders {
		if err := b.settle(ctx, o, fmt.Sprintf("the engine %s is not joined to this panel", s.Engine)); err != nil {
			return err
		}
	}
	return nil
}

// hand has the engine carry an order out, and notes how that went. Done twice, since
// a crash came in between, it is as good as once.
func (b *bans) hand(ctx context.Context, g host.Guard, o ban.Order) error {
	var err error
	if o.Lift {
		err = g.Unban(ctx, o.Prefix)
	} else {
		err = g.Ban(ctx, o.Prefix, o.For, o.Reason)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	fault := ""
	if err != nil {
		fault = err.Error()
	}
	return b.settle(ctx, o, fault)
}

// settle notes what became of an order, unless that is known: it is tried every few
// seconds, and says why it waits once.
func (b *bans) settle(ctx context.Context, o ban.Order, fault string) error {
	if fault != "" && fault == o.Fault && !o.Over(b.clock()) {
		return nil
	}
	return b.feature.Settled(ctx, b.bus, o.ID, fault)
}

// tell says from where administrators work, to an engine that wants to know.
func (b *bans) tell(ctx context.Context, g host.Guard) error {
	w, ok := g.(interface {
		Working(ctx context.Context, list []netip.Addr) error
	})
	if !ok {
		return nil
	}
	var list []netip.Addr
	err := b.bus.Look(ctx, "bans", func(v *act.View) (err error) {
		list, err = b.working(ctx, v)
		return err
	})
	if err != nil {
		return err
	}
	return w.Working(ctx, list)
}

// note takes over what the engine did since. It waits for more unless there is a
// batch, or nothing was noted for a while.
func (b *bans) note(ctx context.Context, g host.Guard, s ban.State) error {
	for {
		list, err := fresh(ctx, g, s)
		if err != nil || len(list) == 0 || len(list) < ban.MostNoted && time.Since(b.noted) < b.gather {
			return err
		}
		if err := b.feature.Noted(ctx, b.bus, s.Engine, list); err != nil {
			return err
		}
		b.noted = time.Now()
		last := list[len(list)-1]
		s.Seq, s.At = last.Seq, last.Time
	}
}

// fresh returns events behind the last that is noted. An engine that does not know that
// one any more, or has another under its number, began anew: then all of it is fresh.
func fresh(ctx context.Context, g host.Guard, s ban.State) ([]host.BanEvent, error) {
	if s.Seq > 0 {
		list, err := g.Events(ctx, s.Seq-1, ban.MostNoted+1)
		switch {
		case err != nil:
			return nil, err
		case len(list) > 0 && list[0].Seq > s.Seq:
			return list[:min(len(list), ban.MostNoted)], nil
		case len(list) > 0 && core.Micros(list[0].Time) == core.Micros(s.At):
			return list[1:], nil
		}
	}
	return g.Events(ctx, 0, ban.MostNoted)
}

// sessions are the addresses that people with live sessions come from.
func (f *features) sessions(ctx context.Context, v *act.View) ([]netip.Addr, error) {
	return f.working(ctx, v, func(act.Role) bool { return true })
}

// atWork are those that administrators work from.
func (f *features) atWork(ctx context.Context, v *act.View) ([]netip.Addr, error) {
	return f.working(ctx, v, func(r act.Role) bool { return r&act.Admins != 0 })
}

func (f *features) working(ctx context.Context, v *act.View, is func(act.Role) bool) ([]netip.Addr, error) {
	list, err := f.login.Working(ctx, v)
	if err != nil {
		return nil, err
	}
	var out []netip.Addr
	for _, w := range list {
		who, _, err := f.accounts.Actor(ctx, v, w.Account)
		if err = core.UnlessNotFound(err); err != nil {
			return nil, err
		}
		if a, err := netip.ParseAddr(w.Address); err == nil && is(who.Role) {
			out = append(out, a.Unmap().WithZone(""))
		}
	}
	return out, nil
}
