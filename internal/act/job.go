package act

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"sync"
	"sync/atomic"
	"time"

	"hostward/internal/core"
)

// Job is work that takes longer than a caller waits: he gets an id at once,
// the state word "pending", and looks at the job for progress and result. Its
// steps are operations, called as whoever started it. Start and end are
// records; a job that a stop or a crash cut off is found at the next start.
type Job[I any] struct {
	Name, Doc, Class string
	Roles            Role
	Proof            time.Duration
	Confirm          bool
	Serves           []string
	Sample           I
	Target           func(ctx context.Context, v *View, in *I) (core.Ref, error)
	// Look, if there is one, says what Run would do: it answers a preview, on a
	// snapshot.
	Look func(ctx context.Context, v *View, in I) (any, error)
	// Run does the work until it is done or ctx ends, and says in a sentence
	// how it went.
	Run func(ctx context.Context, w *Work, in I) (summary string, err error)
}

// Jobs keeps jobs on record; a feature fills it.
type Jobs interface {
	// Begin notes that who starts the operation, and returns the job's id.
	Begin(ctx context.Context, b *Bus, who Actor, op, tenant string) (id string, r Result, err error)
	// End notes how it went. err, if any, is why it did not go through.
	End(ctx context.Context, b *Bus, id, summary string, err error) error
}

func (j Job[I]) declare() *Op {
	op := describe[I, any](j.Name, j.Doc, j.Class, "job", j.Roles, j.Sample, j.Target)
	op.Proof, op.Confirm, op.Serves = j.Proof, j.Confirm, j.Serves
	if j.Look != nil {
		op.look = func(ctx context.Context, v *View, in any) (any, error) { return j.Look(ctx, v, *in.(*I)) }
	}
	if j.Run != nil {
		op.job = func(ctx context.Context, w *Work, in any) (string, error) { return j.Run(ctx, w, *in.(*I)) }
	}
	return op
}

// Work is a job under way.
type Work struct {
	bus         *Bus
	actor       Actor
	cancel      context.CancelFunc
	done, total atomic.Int64
}

// Do calls one operation as a step, as whoever started the job.
func (w *Work) Do(ctx context.Context, c Call) (Result, error) {
	c.Actor = w.actor
	return w.bus.Do(ctx, c)
}

// Bus is for steps that belong to nobody, called as the system.
func (w *Work) Bus() *Bus { return w.bus }

// Progress says how far the work is.
func (w *Work) Progress(done, total int64) {
	w.done.Store(done)
	w.total.Store(total)
}

// bench is where the jobs under way are.
type bench struct {
	mu      sync.Mutex
	works   map[string]*Work
	running sync.WaitGroup
}

var errCancelled = core.Errorf(core.Conflict, "the job was cancelled")

// begin starts a job: the right first, then its record, then the work.
func (b *Bus) begin(ctx context.Context, op *Op, c Call, in any) (Result, error) {
	if op.unconfirmed(c) {
		return b.refused(ctx, c, op, nil, errUnconfirmed(op))
	}
	var tenant string
	var seen any
	err := b.snapshot(ctx, c.Actor, func(v *View) (err error) {
		if _, tenant, err = b.authorize(ctx, v, op, c, in); err == nil && c.Preview && op.look != nil {
			seen, err = op.look(ctx, v, in)
		}
		return err
	})
	if err != nil || c.Preview {
		if c.Preview && err == nil {
			return Result{State: Previewed, Output: seen}, nil
		}
		return b.refused(ctx, c, op, in, err)
	}
	id, r, err := b.with.Jobs.Begin(ctx, b, c.Actor, op.Name, tenant)
	if err != nil {
		return r, err
	}
	r.State = Pending
	b.work(id, op, c.Actor, in)
	return r, nil
}

// run turns a panic of a feature into a failed job: nobody else would catch it,
// and the server would end.
func (w *Work) run(ctx context.Context, op *Op, in any) (summary string, err error) {
	defer func() {
		if p := recover(); p != nil {
			w.bus.with.Log.Error("job panicked", "op", op.Name, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%s panicked: %v", op.Name, p)
		}
	}()
	return op.job(ctx, w, in)
}

func (b *Bus) work(id string, op *Op, who Actor, in any) {
	ctx, cancel := context.WithCancel(context.Background())
	who.Unattended = true
	w := &Work{bus: b, actor: who, cancel: cancel}
	b.bench.mu.Lock()
	b.bench.works[id] = w
	b.bench.mu.Unlock()
	b.bench.running.Go(func() {
		defer cancel()
		summary, err := w.run(ctx, op, in)
		if ctx.Err() != nil && err != nil {
			err = errCancelled
		}
		b.bench.mu.Lock()
		delete(b.bench.works, id)
		b.bench.mu.Unlock()
		if err := b.with.Jobs.End(context.Background(), b, id, summary, told(err)); err != nil {
			b.with.Log.Error("the end of a job could not be recorded", "job", id, "error", err)
		}
	})
}

// Progress says how far a job is; the last value is false when it is not under way.
func (b *Bus) Progress(id string) (done, total int64, under bool) {
	b.bench.mu.Lock()
	defer b.bench.mu.Unlock()
	w, ok := b.bench.works[id]
	if !ok {
		return 0, 0, false
	}
	return w.done.Load(), w.total.Load(), true
}

// Cancel asks a job to stop. Its end is recorded as usual.
func (b *Bus) Cancel(id string) {
	b.bench.mu.Lock()
	defer b.bench.mu.Unlock()
	if w, ok := b.bench.works[id]; ok {
		w.cancel()
	}
}

// stopJobs cancels all jobs and waits for their ends to be recorded.
func (b *Bus) stopJobs() {
	b.bench.mu.Lock()
	for _, w := range b.bench.works {
		w.cancel()
	}
	b.bench.mu.Unlock()
	b.bench.running.Wait()
}

var errNoJobs = errors.New("there is a job, and nobody keeps jobs: Config.Jobs is nil")
