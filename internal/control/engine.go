package control

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/host"
)

// Bound is a control with the parts of the machine it needs.
type Bound struct {
	Control
	Followed host.Followed
	Follower host.Follower
}

// Verdict is what the engine saw after it had worked on a control.
type Verdict struct {
	Control string
	State   string     // act.InForce or act.Drift
	Objects []core.Ref // those that were not in force before
	Drift   bool       // found by looking, not asked for by an operation
	Steps   int
	Left    string // what is still to do, as text; "" when in force
}

// Engine is the only one with hands. One goroutine works for each control.
type Engine struct {
	bus     *act.Bus
	log     *slog.Logger
	every   time.Duration
	report  func(context.Context, Verdict)
	workers map[string]*worker
	done    sync.WaitGroup
}

type worker struct {
	Bound
	asked chan ask
	mu    sync.Mutex
	last  Verdict
	haste time.Duration // the last pause, while it is not in force
}

// ask is one wake: bring these objects up to date and say so.
type ask struct {
	objects []core.Ref
	answer  chan string
}

// patience is how long an operation waits for its control before it answers
// "pending": the work goes on.
const patience = 5 * time.Second

// NewEngine makes an engine that looks for drift every so often and reports
// each verdict that found or did something.
func NewEngine(log *slog.Logger, every time.Duration, report func(context.Context, Verdict), controls ...Bound) *Engine {
	e := &Engine{log: log, every: every, report: report, workers: map[string]*worker{}}
	for _, c := range controls {
		e.workers[c.Name] = &worker{Bound: c, asked: make(chan ask, 1024)}
	}
	return e
}

// Run brings every control into force, then keeps it there until ctx ends. It
// returns when the last worker has stopped.
func (e *Engine) Run(ctx context.Context, bus *act.Bus) {
	e.bus = bus
	for _, w := range e.workers {
		e.done.Go(func() { e.work(ctx, w) })
	}
	e.done.Wait()
}

// Wake asks a control to look at these objects and waits briefly for the state
// word. It is safe before Run: the answer is then "pending".
func (e *Engine) Wake(ctx context.Context, control string, objects []core.Ref) string {
	w, ok := e.workers[control]
	if !ok {
		return act.Pending
	}
	a := ask{objects: objects, answer: make(chan string, 1)}
	timeout := time.NewTimer(patience)
	defer timeout.Stop()
	select {
	case w.asked <- a:
	default:
		return act.Pending // its next look finds them
	}
	select {
	case state := <-a.answer:
		return state
	case <-timeout.C:
	case <-ctx.Done():
	}
	return act.Pending
}

// States returns the last verdict of each control.
func (e *Engine) States() map[string]Verdict {
	all := map[string]Verdict{}
	for name, w := range e.workers {
		w.mu.Lock()
		all[name] = w.last
		w.mu.Unlock()
	}
	return all
}

// hasty is how soon the engine looks again at what is not in force, at first.
const hasty = 2 * time.Second

// work serves wakes at once and looks at everything on a timer.
func (e *Engine) work(ctx context.Context, w *worker) {
	e.everything(ctx, w, false)
	look := time.NewTimer(e.pause(w))
	defer look.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-look.C:
			e.everything(ctx, w, true)
			look.Reset(e.pause(w))
		case a := <-w.asked:
			e.answer(ctx, w, gather(w, a))
			if p := e.pause(w); p < e.every {
				look.Reset(p)
			}
		}
	}
}

// pause is until when nobody looks at a control: less while it is not in force, and
// longer each time that changes nothing.
func (e *Engine) pause(w *worker) time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.last.State != act.Drift {
		w.haste = 0
		return e.every
	}
	w.haste = min(max(2*w.haste, hasty), e.every)
	return w.haste
}

// gather takes all wakes that wait: their objects share one look.
func gather(w *worker, first ask) []ask {
	asks := []ask{first}
	for {
		select {
		case a := <-w.asked:
			asks = append(asks, a)
		default:
			return asks
		}
	}
}

func (e *Engine) answer(ctx context.Context, w *worker, asks []ask) {
	var objects []core.Ref
	seen := map[core.Ref]bool{}
	for _, a := range asks {
		for _, o := range a.objects {
			if o.Kind == w.Kind && !seen[o] {
				seen[o] = true
				objects = append(objects, o)
			}
		}
	}
	state := e.settle(ctx, w, objects, false)
	for _, a := range asks {
		a.answer <- state
	}
}

// everything compares all that should be in effect with all that is. At start
// differences are expected; later they are drift.
func (e *Engine) everything(ctx context.Context, w *worker, drift bool) {
	var differing []core.Ref
	err := e.bus.Look(ctx, w.Name, func(v *act.View) error {
		want, err := w.Desired(ctx, v)
		if err != nil {
			return fmt.Errorf("reading what should be: %w", err)
		}
		differing, err = w.differences(ctx, want)
		return err
	})
	if err != nil {
		e.failed(ctx, w, err)
		return
	}
	e.settle(ctx, w, differing, drift)
}

func (w *worker) differences(ctx context.Context, want map[core.Ref]uint64) ([]core.Ref, error) {
	have, err := w.Followed.Versions(ctx)
	if err != nil {
		return nil, fmt.Errorf("looking at what is in effect: %w", err)
	}
	var differing []core.Ref
	for object, version := range want {
		if have[object] != version {
			differing = append(differing, object)
		}
	}
	for object := range have {
		if _, ok := want[object]; !ok {
			differing = append(differing, object)
		}
	}
	return differing, nil
}

// mostAtOnce is how many objects are planned and done together: what their steps
// carry is in memory meanwhile.
const mostAtOnce = 2000

// settle brings objects into force, some at a time. The answer is the worst word of
// all.
func (e *Engine) settle(ctx context.Context, w *worker, objects []core.Ref, drift bool) string {
	state := act.InForce
	for len(objects) > mostAtOnce && ctx.Err() == nil {
		if s := e.settleSome(ctx, w, objects[:mostAtOnce], drift); s != act.InForce {
			state = s
		}
		objects = objects[mostAtOnce:]
	}
	if s := e.settleSome(ctx, w, objects, drift); s != act.InForce {
		state = s
	}
	return state
}

// settleSome observes, plans, does, and observes again: the verdict is what the
// second plan still holds.
func (e *Engine) settleSome(ctx context.Context, w *worker, objects []core.Ref, drift bool) string {
	v := Verdict{Control: w.Name, State: act.InForce, Objects: objects, Drift: drift && len(objects) > 0}
	steps, err := e.plan(ctx, w, objects)
	if err == nil && len(steps) > 0 {
		v.Steps = len(steps)
		doErr := w.Follower.Do(ctx, steps)
		var left []host.Step
		if left, err = e.plan(ctx, w, objects); len(left) > 0 {
			v.State, v.Left = act.Drift, left[0].String()
		}
		if doErr != nil && v.State == act.InForce {
			e.log.Warn("a step failed, and yet it is done", "control", w.Name, "error", doErr)
		} else if doErr != nil {
			err = errors.Join(doErr, err)
		}
	}
	if err != nil {
		return e.failed(ctx, w, err)
	}
	e.note(ctx, w, v)
	return v.State
}

func (e *Engine) plan(ctx context.Context, w *worker, objects []core.Ref) ([]host.Step, error) {
	var steps []host.Step
	err := e.bus.Look(ctx, w.Name, func(v *act.View) error {
		for _, object := range objects {
			have, err := w.Followed.Version(ctx, object)
			if err != nil {
				return fmt.Errorf("looking at %s: %w", object, err)
			}
			more, err := w.Plan(ctx, v, object, have)
			if err != nil {
				return fmt.Errorf("planning %s: %w", object, err)
			}
			steps = append(steps, more...)
		}
		return nil
	})
	return steps, err
}

func (e *Engine) failed(ctx context.Context, w *worker, err error) string {
	if ctx.Err() != nil {
		return act.Pending
	}
	e.log.Error("control failed", "control", w.Name, "error", err)
	e.note(ctx, w, Verdict{Control: w.Name, State: act.Drift, Left: err.Error()})
	return act.Drift
}

// note keeps the verdict and reports it when something was found or done.
func (e *Engine) note(ctx context.Context, w *worker, v Verdict) {
	w.mu.Lock()
	changed := w.last.State != v.State
	w.last = v
	w.mu.Unlock()
	if e.report != nil && (changed || v.Steps > 0) {
		e.report(ctx, v)
	}
}
