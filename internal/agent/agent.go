package agent

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/file"
	"hostward/internal/host"
)

// Config is what an agent is made of.
type Config struct {
	Dir      string // its folder
	Machines []control.Machine
	Eyes     host.Eyes
	Hands    host.Hands
	Clock    core.Clock
	// Boot returns which boot of the machine this is, and how long it has run,
	// suspended or not. Default: what the kernel says.
	Boot  func() (id string, up time.Duration, err error)
	Every time.Duration // how often it looks for drift; default 30 s
	Log   *slog.Logger
}

// Agent holds the controls of one machine. One lock for each: controls do not wait
// for each other.
type Agent struct {
	Config
	journal  *journal
	pins     pins
	lock     io.Closer
	controls map[string]*holder
}

// holder is one control.
type holder struct {
	*Agent
	machine control.Machine

	shown atomic.Pointer[host.Status] // a copy, for those who do not wait

	mu     sync.Mutex // held while something is done
	kept   kept
	status host.Status
	fresh  bool          // the machine was started, and what holds was not brought into force since
	retry  int           // looks that found it broken, one after another
	back   bool          // of an order being undone: its files and tables are as before, its commands fail
	unable string        // which order could not be taken last, and why
	told   []string      // the drift that the journal has last
	wake   chan struct{} // something changed: when to look again
}

// Open reads what the agent kept. Run carries on from there.
func Open(c Config) (*Agent, error) {
	if c.Clock == nil {
		c.Clock = core.SystemClock
	}
	if c.Boot == nil {
		c.Boot = boot
	}
	if c.Every == 0 {
		c.Every = 30 * time.Second
	}
	if c.Log == nil {
		c.Log = slog.New(slog.DiscardHandler)
	}
	if err := os.MkdirAll(filepath.Join(c.Dir, "controls"), 0o700); err != nil {
		return nil, err
	}
	lock, err := file.Lock(filepath.Join(c.Dir, "lock"))
	if err != nil {
		return nil, err
	}
	a := &Agent{Config: c, lock: lock, pins: pins{filepath.Join(c.Dir, "log.key")}, controls: map[string]*holder{}}
	if a.journal, err = openJournal(c.Dir); err != nil {
		return nil, errors.Join(err, lock.Close())
	}
	for _, m := range c.Machines {
		h := &holder{Agent: a, machine: m, wake: make(chan struct{}, 1)}
		if h.kept, err = load(c.Dir, m.Name); err != nil {
			return nil, errors.Join(err, a.Close())
		}
		if err := h.begin(); err != nil {
			return nil, errors.Join(fmt.Errorf("what the agent kept of %s: %w", m.Name, err), a.Close())
		}
		a.controls[m.Name] = h
	}
	return a, nil
}

// Close lets go of the files.
func (a *Agent) Close() error { return errors.Join(a.journal.close(), a.lock.Close()) }

// Run carries on with what was under way, brings every control into force, and
// keeps it there until ctx ends.
func (a *Agent) Run(ctx context.Context) {
	if _, err := a.journal.add(host.Entry{Time: a.Clock(), What: host.Started}); err != nil {
		a.Log.Error("the start could not be written down", "error", err)
	}
	fresh, id := a.newBoot()
	var first, all sync.WaitGroup
	for _, h := range a.controls {
		first.Add(1)
		all.Go(func() { h.run(ctx, fresh, first.Done) })
	}
	first.Wait()
	if fresh && id != "" && ctx.Err() == nil {
		if err := file.Replace(filepath.Join(a.Dir, "boot"), []byte(id), 0o600); err != nil {
			a.Log.Error("the boot could not be written down", "error", err)
		}
	}
	all.Wait()
}

// begin is the status before the first look: what is kept, and that nobody looked.
func (h *holder) begin() error {
	h.status = host.Status{Control: h.machine.Name, State: host.Idle, Since: h.Clock()}
	o, err := h.holds()
	if err != nil {
		return err
	}
	h.stand(o)
	switch {
	case h.status.Waiting > 0:
		h.status.State = host.Awaiting
	case h.kept.Pending != nil || o.Number > 0:
		h.status.State, h.status.Fault = host.Failed, "nobody has looked since the agent was started"
	}
	h.show()
	return nil
}

// newBoot reports whether the machine was started since the agent last looked at
// everything, and which boot this is.
func (a *Agent) newBoot() (fresh bool, id string) {
	id, _, err := a.Boot()
	if err != nil {
		a.Log.Error("which boot this is cannot be told", "error", err)
		return true, ""
	}
	last, _ := os.ReadFile(filepath.Join(a.Dir, "boot"))
	return string(last) != id, id
}

// run cares for the control until ctx ends; first is called after the first look.
func (h *holder) run(ctx context.Context, fresh bool, first func()) {
	h.alone(func() {
		h.fresh = fresh
		h.resume(ctx)
		h.look(ctx)
	})
	first()
	for {
		t := time.NewTimer(h.pause())
		select {
		case <-ctx.Done():
			t.Stop()
			return
		case <-t.C:
		case <-h.wake:
			t.Stop()
			continue // the time to wait is another now
		}
		h.alone(func() { h.tick(ctx) })
	}
}

// alone does something with a control while nobody else does.
func (h *holder) alone(f func()) {
	h.mu.Lock()
	defer h.mu.Unlock()
	defer h.show()
	f()
}

// show lets everybody see the status as it is now.
func (h *holder) show() {
	s := h.status
	h.shown.Store(&s)
}

// pause is until when nothing is to be done: the next look, or the end of the time
// to confirm.
func (h *holder) pause() time.Duration {
	h.mu.Lock()
	defer h.mu.Unlock()
	p := h.kept.Pending
	switch {
	case p != nil && p.Phase == waiting:
		return min(max(h.left(p), 0), h.Every)
	case p != nil || h.retry > 0:
		return min(time.Second<<min(h.retry, 8), h.Every)
	}
	return h.Every
}

func (h *holder) poke() {
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// tick does what is due.
func (h *holder) tick(ctx context.Context) {
	if p := h.kept.Pending; p != nil {
		switch {
		case p.Phase == waiting && h.left(p) > 0:
		case p.Phase == waiting:
			h.undo(ctx, "nobody confirmed it in time")
		default:
			h.resume(ctx)
		}
	}
	h.look(ctx)
}

// left is how long an order may still be confirmed; none after another boot.
func (h *holder) left(p *pending) time.Duration {
	id, up, err := h.Boot()
	if err != nil || id != p.Boot {
		return 0
	}
	return time.Duration(p.Until) - up
}

// Accept takes an order, carries it out, and returns how the control stands then.
func (a *Agent) Accept(ctx context.Context, d Delivery) (host.Status, error) {
	o, leaf, pinned, err := a.pins.check(d)
	if err != nil {
		return host.Status{}, a.refuse(d, o, "", err)
	}
	h, ok := a.controls[o.Control]
	if !ok {
		return host.Status{}, a.refuse(d, o, leaf, core.Errorf(core.Invalid, "this agent has no control %.40q", o.Control))
	}
	if pinned != "" {
		if err := Pin(a.Dir, pinned); err != nil {
			return host.Status{}, err
		}
		if _, err := a.journal.add(host.Entry{Time: a.Clock(), What: host.Pinned, Leaf: leaf, Reason: pinned}); err != nil {
			return host.Status{}, err
		}
	}
	defer h.poke()
	// Who asked may be gone before the end: the firewall that this brings about cuts
	// him off. The work goes on.
	known := false
	h.alone(func() {
		err = h.accept(context.WithoutCancel(ctx), o, d.Order, leaf)
		known = h.tried(o, err)
	})
	if err != nil && !known {
		err = a.refuse(d, o, leaf, err)
	}
	return *h.shown.Load(), err
}

// tried reports whether an order could not be taken for the same reason before: it is
// brought again every few seconds until it can.
func (h *holder) tried(o host.Order, err error) bool {
	was := h.unable
	h.unable = ""
	if core.CodeOf(err) == core.Unavailable {
		h.unable = fmt.Sprintf("%d %v", o.Number, err)
	}
	return h.unable != "" && h.unable == was
}

// refuse writes down why an order is not carried out. Its words are anybody's: a
// control that there is not is not named, or it could be of any length.
func (a *Agent) refuse(d Delivery, o host.Order, leaf string, why error) error {
	e := host.Entry{Time: a.Clock(), What: host.Refused, Order: o.Number, Digest: host.Digest(d.Order), Leaf: leaf, Reason: short(why.Error())}
	if _, ok := a.controls[o.Control]; ok {
		e.Control = o.Control
	}
	if _, err := a.journal.add(e); err != nil {
		return errors.Join(why, err)
	}
	return why
}

func (h *holder) accept(ctx context.Context, o host.Order, raw []byte, leaf string) error {
	switch p := h.kept.Pending; {
	case o.Number <= h.kept.Highest:
		return core.Errorf(core.Conflict, "order %d of the %s is not newer than %d, which came before", o.Number, o.Control, h.kept.Highest)
	case p != nil && p.Phase == waiting:
		return core.Errorf(core.Conflict, "an order of the %s waits for its confirmation until it is undone in %s: confirm or revert it first", o.Control, h.left(p).Round(time.Second))
	case p != nil && p.Phase == undoing && h.back:
		// A newer order may be what mends it: a program that could not be started before
		// either must not hold the control for ever.
	case p != nil:
		return core.Errorf(core.Unavailable, "an order of the %s is still being carried out or undone: try again in a moment", o.Control)
	}
	f, err := h.machine.Look(ctx, h.Eyes, o.Desired)
	if err != nil {
		return unacceptable(err)
	}
	p := &pending{Order: raw, Leaf: leaf, Phase: doing}
	if p.Undo, err = h.undoing(ctx, f.Steps); err != nil {
		return core.Wrap(core.Unavailable, err, "what is there now cannot be kept, so nothing was changed: "+err.Error())
	}
	before, next := h.kept.Pending, h.kept
	next.Highest, next.Pending, next.Undone = o.Number, p, ""
	if err := h.save(next); err != nil {
		return err
	}
	if before != nil {
		h.note(host.Entry{What: host.Reverted, Leaf: before.Leaf, Digest: host.Digest(before.Order), Reason: before.Why + "; files and tables are as before, and a newer order goes on from there"})
	}
	h.back, h.retry = false, 0
	h.carryOut(ctx, o, f)
	return nil
}

func unacceptable(err error) error {
	var u *control.Unacceptable
	if errors.As(err, &u) {
		return core.Errorf(core.Invalid, "%v", err)
	}
	return core.Errorf(core.Unavailable, "looking at what is there: %v", err)
}

// undoing returns what brings back what is there now: files and tables last to
// first, then the commands that make them count.
func (h *holder) undoing(ctx context.Context, steps []host.Step) ([]step, error) {
	var back, commands []step
	for _, s := range steps {
		u, err := h.Hands.Undo(ctx, s)
		if err != nil {
			return nil, err
		}
		if u == nil {
			k, err := keep(s)
			if err != nil {
				return nil, err
			}
			commands = append(commands, k)
			continue
		}
		if err := h.machine.Owns.Allows(u); err != nil {
			return nil, fmt.Errorf("%w, so it could not be undone (a file that others may write to is such a thing)", err)
		}
		k, err := keep(u)
		if err != nil {
			return nil, err
		}
		back = append(back, k)
	}
	slices.Reverse(back)
	return append(back, commands...), nil
}

// carryOut does the steps of the order under way. It ends in force, or undone.
func (h *holder) carryOut(ctx context.Context, o host.Order, f control.Finding) {
	if err := h.tell(host.Entry{What: host.Intends, Order: o.Number, Lines: f.Lines()}); err != nil {
		h.undo(ctx, err.Error()) // what nobody would hear of is not done
		return
	}
	err := h.do(ctx, f.Steps)
	again, lookErr := h.machine.Look(ctx, h.Eyes, o.Desired)
	switch {
	case lookErr != nil:
		h.undo(ctx, fmt.Sprintf("what was done cannot be looked at: %v", errors.Join(lookErr, err)))
	case len(again.Steps) > 0 && err != nil:
		h.undo(ctx, err.Error())
	case len(again.Steps) > 0:
		h.undo(ctx, "after all steps this was still to do: "+again.Lines()[0])
	default:
		h.done(ctx, o, len(f.Steps) > 0)
	}
}

// do carries out steps until one fails. Each is checked against what the control
// owns once more.
func (h *holder) do(ctx context.Context, steps []host.Step) error {
	for _, s := range steps {
		if err := h.machine.Owns.Allows(s); err != nil {
			return err
		}
		if err := h.Hands.Do(ctx, s); err != nil {
			return fmt.Errorf("%s: %w", s, err)
		}
	}
	return nil
}

// done keeps the order, or lets it wait for its confirmation.
func (h *holder) done(ctx context.Context, o host.Order, changed bool) {
	if o.Confirm == 0 || !changed {
		if err := h.hold(o, host.Done); err != nil {
			h.undo(ctx, err.Error())
		}
		return
	}
	id, up, err := h.Boot()
	if err != nil {
		h.undo(ctx, err.Error())
		return
	}
	next := h.kept
	p := *next.Pending
	p.Phase, p.Boot, p.Until = waiting, id, int64(up+time.Duration(o.Confirm)*time.Second)
	next.Pending = &p
	if err := h.save(next); err != nil {
		h.undo(ctx, err.Error())
		return
	}
	h.note(host.Entry{What: host.Waits, Order: o.Number, Reason: fmt.Sprintf("undone in %d s unless it is confirmed", o.Confirm)})
	h.look(ctx)
}

// hold makes the order under way the one that holds.
func (h *holder) hold(o host.Order, what string) error {
	p := h.kept.Pending
	next := kept{Holds: p.Order, Leaf: p.Leaf, Highest: h.kept.Highest}
	if len(o.Desired) == 0 {
		next.Holds = nil // it was told to let go
	}
	if err := h.save(next); err != nil {
		return err
	}
	h.retry = 0
	h.note(host.Entry{What: what, Order: o.Number, Leaf: p.Leaf, Digest: host.Digest(p.Order)})
	h.look(context.Background())
	return nil
}

// Confirm keeps an order that waits. Number is the order's, so that nobody confirms
// what he has not seen.
func (a *Agent) Confirm(ctx context.Context, name string, number uint64) (host.Status, error) {
	return a.waiting(name, number, func(h *holder, o host.Order) error {
		if h.left(h.kept.Pending) <= 0 {
			h.undo(context.WithoutCancel(ctx), "nobody confirmed it in time")
			return core.Errorf(core.Conflict, "it is too late: what was before is there again")
		}
		return h.hold(o, host.Confirmed)
	})
}

// Revert undoes an order that waits, at once.
func (a *Agent) Revert(ctx context.Context, name string, number uint64) (host.Status, error) {
	return a.waiting(name, number, func(h *holder, _ host.Order) error {
		h.undo(context.WithoutCancel(ctx), "somebody asked for it")
		return nil
	})
}

func (a *Agent) waiting(name string, number uint64, f func(*holder, host.Order) error) (host.Status, error) {
	h, ok := a.controls[name]
	if !ok {
		return host.Status{}, core.Errorf(core.NotFound, "this agent has no control %q", name)
	}
	defer h.poke()
	var err error
	h.alone(func() {
		var o host.Order
		if o, err = h.awaited(number); err == nil {
			err = f(h, o)
		}
	})
	return *h.shown.Load(), err
}

// awaited returns the order that waits, if it has this number.
func (h *holder) awaited(number uint64) (host.Order, error) {
	p := h.kept.Pending
	if p == nil || p.Phase != waiting {
		return host.Order{}, core.Errorf(core.Conflict, "no order of the %s waits for a confirmation", h.machine.Name)
	}
	o, err := host.ParseOrder(p.Order)
	if err == nil && o.Number != number {
		err = core.Errorf(core.Conflict, "order %d of the %s waits for a confirmation, not %d", o.Number, o.Control, number)
	}
	return o, err
}

// resume carries on with what was cut off: what needs no confirmation is finished,
// everything else is undone.
func (h *holder) resume(ctx context.Context) {
	p := h.kept.Pending
	if p == nil {
		return
	}
	o, err := host.ParseOrder(p.Order)
	switch {
	case err != nil:
		h.undo(ctx, err.Error())
	case p.Phase == undoing:
		h.undo(ctx, p.Why)
	case p.Phase == waiting && h.left(p) > 0:
	case p.Phase == waiting:
		h.undo(ctx, "nobody confirmed it in time")
	case o.Confirm > 0:
		h.undo(ctx, "the agent was stopped before all was done")
	default:
		f, err := h.machine.Look(ctx, h.Eyes, o.Desired)
		if err != nil {
			h.undo(ctx, fmt.Sprintf("what was done cannot be looked at: %v", err))
			return
		}
		h.carryOut(ctx, o, f)
	}
}

// undo brings back what was there before the order under way. Until that is seen
// to be so, it is tried again.
func (h *holder) undo(ctx context.Context, why string) {
	p := *h.kept.Pending
	if p.Phase != undoing {
		p.Phase, p.Why = undoing, why
		next := h.kept
		next.Pending = &p
		if err := h.save(next); err != nil {
			// The steps to undo are durable already; what is not is that it has begun.
			h.Log.Error("undoing could not be written down, it is done all the same", "control", h.machine.Name, "error", err)
			h.kept = next
		}
	}
	back, err := h.bringBack(ctx, p.Undo)
	h.back = back && err != nil
	if err != nil {
		h.retry++
		h.turn(host.Failed, fmt.Sprintf("%s; and it is not undone yet: %v", p.Why, err))
		if h.retry == 1 {
			h.note(host.Entry{What: host.Broken, Reason: h.status.Fault})
		}
		return
	}
	number := uint64(0)
	if o, err := host.ParseOrder(p.Order); err == nil {
		number = o.Number
	}
	next := h.kept
	next.Pending, next.Undone = nil, fmt.Sprintf("order %d was undone: %s", number, p.Why)
	if err := h.save(next); err != nil {
		h.Log.Error("that it is undone could not be written down", "control", h.machine.Name, "error", err)
		return
	}
	h.retry = 0
	h.note(host.Entry{What: host.Reverted, Order: number, Leaf: p.Leaf, Digest: host.Digest(p.Order), Reason: p.Why})
	h.look(ctx)
}

// bringBack does the steps that undo, all of them even if one fails, and looks
// whether they hold. Back: the files and tables do, whatever the commands say.
func (h *holder) bringBack(ctx context.Context, undo []step) (back bool, err error) {
	var faults []error
	for _, k := range undo {
		s, err := k.unpack()
		if err == nil {
			err = h.do(ctx, []host.Step{s})
		}
		if err != nil {
			faults = append(faults, err)
		}
	}
	back = true
	for _, k := range undo {
		s, err := k.unpack()
		if err != nil {
			return false, err
		}
		now, err := h.Hands.Undo(ctx, s)
		if err != nil {
			return false, err
		}
		if now != nil && now != s {
			back = false
			faults = append(faults, fmt.Errorf("this is still to do: %s", s))
		}
	}
	return back, errors.Join(faults...)
}

// save makes what is kept durable, then believes it.
func (h *holder) save(next kept) error {
	if err := next.save(h.Dir, h.machine.Name); err != nil {
		return core.Wrap(core.Unavailable, err, fmt.Sprintf("the agent cannot write down what it is to do with the %s, so it does nothing: %v", h.machine.Name, err))
	}
	h.kept = next
	return nil
}

// note writes down what was done or seen, which stays so where that cannot be written.
func (h *holder) note(e host.Entry) { _ = h.tell(e) }

// tell writes an entry about this control into the journal.
func (h *holder) tell(e host.Entry) error {
	e.Time, e.Control, e.Reason, e.Lines = h.Clock(), h.machine.Name, short(e.Reason), few(e.Lines)
	if p := h.kept.Pending; p != nil && e.Leaf == "" {
		e.Leaf, e.Digest = p.Leaf, host.Digest(p.Order)
	}
	_, err := h.journal.add(e)
	if err != nil {
		h.Log.Error("the journal could not be written", "control", h.machine.Name, "what", e.What, "error", err)
	}
	h.Log.Info(e.What, "control", h.machine.Name, "order", e.Order, "reason", e.Reason)
	return err
}

// An entry of the journal says at most so much: the rest is on the machine.
const (
	mostLines  = 100
	mostOfLine = 500
	mostReason = 2000
)

func short(s string) string {
	if len(s) > mostReason {
		s = strings.ToValidUTF8(s[:mostReason], "") + " …"
	}
	return s
}

func few(lines []string) []string {
	var list []string
	for _, l := range lines[:min(len(lines), mostLines)] {
		if len(l) > mostOfLine {
			l = strings.ToValidUTF8(l[:mostOfLine], "") + " …"
		}
		list = append(list, l)
	}
	if more := len(lines) - mostLines; more > 0 {
		list = append(list, fmt.Sprintf("and %d more", more))
	}
	return list
}

// Statuses returns how every control stands, as it was seen last.
func (a *Agent) Statuses(context.Context) ([]host.Status, error) {
	var list []host.Status
	for _, m := range a.Machines {
		list = append(list, *a.controls[m.Name].shown.Load())
	}
	return list, nil
}

// Journal returns at most n entries behind seq.
func (a *Agent) Journal(_ context.Context, after uint64, n int) ([]host.Line, error) {
	return a.journal.after(after, n)
}
