package act

import (
	"context"
	"errors"
	"fmt"
	"runtime/debug"
	"time"

	"hostward/internal/core"
	"hostward/internal/ledger"
	"hostward/internal/store"
)

// request is one call on its way through the writer.
type request struct {
	op    *Op
	call  Call
	in    any
	input string                                 // digest of the input as it came, for the Idempotency-Key
	entry *ledger.Entry                          // set: nothing to run, only this to write
	fill  func(context.Context, ledger.Tx) error // completes entry inside the transaction

	ctx    context.Context
	answer chan answer
	result Result
	err    error
	keep   bool // err is a refusal whose rows and events stay
	doubts []*ledger.Entry
}

type answer struct {
	result Result
	err    error
}

const (
	maxBatch  = 256                   // operations that share one COMMIT
	maxHold   = 10 * time.Millisecond // the first of a batch waits no longer for the others
	slow      = 50 * time.Millisecond // a Run that takes longer is told to the operator
	sweepEach = time.Minute
)

var errClosing = core.Errorf(core.Unavailable, "the server is stopping; try again in a moment")

// submit queues a request and waits for its COMMIT. A caller who leaves early
// leaves the request behind: it is skipped if it has not begun.
func (b *Bus) submit(ctx context.Context, r *request) (Result, error) {
	if ctx.Value(inside{}) != nil {
		return Result{}, errNested
	}
	r.ctx, r.answer = ctx, make(chan answer, 1)
	select {
	case <-b.closing:
		return Result{}, errClosing
	case <-ctx.Done():
		return Result{}, core.Wrap(core.Unavailable, ctx.Err(), "the call was given up before it began")
	case b.queue <- r:
	}
	select {
	case a := <-r.answer:
		return a.result, a.err
	case <-b.closed:
		select {
		case a := <-r.answer:
			return a.result, a.err
		default:
			return Result{}, errClosing
		}
	}
}

// inside marks the context of a Run: a call from there would wait for the very
// loop that waits for it.
type inside struct{}

var errNested = errors.New("an operation calls no other through the bus: call its function with the same Tx")

// loop owns the writer. One batch is one transaction.
func (b *Bus) loop() {
	defer close(b.closed)
	tick := time.NewTicker(sweepEach)
	defer tick.Stop()
	for {
		select {
		case r := <-b.queue:
			b.batch(b.gather([]*request{r}, maxBatch-1))
		case <-tick.C:
			b.sweep(b.with.Clock())
		case <-b.closing:
			b.drain()
			return
		}
	}
}

// drain answers what was queued before the stop and writes the last records.
func (b *Bus) drain() {
	for {
		select {
		case r := <-b.queue:
			b.batch([]*request{r})
		default:
			b.sweep(time.Time{})
			if b.last != nil {
				b.batch([]*request{aside(b.last)})
			}
			return
		}
	}
}

// aside makes a request of an entry that nobody waits for.
func aside(e *ledger.Entry) *request {
	return &request{entry: e, ctx: context.Background(), answer: make(chan answer, 1)}
}

// gather appends at most room requests that wait already.
func (b *Bus) gather(batch []*request, room int) []*request {
	for range room {
		select {
		case r := <-b.queue:
			batch = append(batch, r)
		default:
			return batch
		}
	}
	return batch
}

// batch runs its requests one after another, each in a savepoint, and commits
// them together. COMMIT is the point of no return: before it nothing has
// happened and nobody was answered; after it everything has, and the sealer
// finds the records by itself even if this process dies here.
func (b *Bus) batch(batch []*request) {
	ctx := context.Background()
	err := b.with.Writer.Begin(ctx)
	b.doubts.begin()
	defer b.doubts.end()
	if err == nil {
		began := time.Now()
		for next := batch; len(next) > 0; {
			for _, r := range next {
				if b.ruin == nil {
					b.one(ctx, r)
				}
			}
			next = b.more(began, len(batch))
			batch = append(batch, next...)
		}
		if err = b.ruin; err == nil {
			err = b.with.Book.Flush(ctx, b.with.Writer)
		}
		if err == nil {
			err = b.with.Writer.Commit(ctx)
		}
		if err != nil {
			_ = b.with.Writer.Rollback(ctx)
		}
	}
	if err != nil {
		b.ruin = nil
		b.with.Book.Forget()
		b.failAll(batch, err)
		return
	}
	for _, r := range batch {
		r.answer <- answer{r.result, r.err}
	}
	if b.with.Sealed != nil {
		b.with.Sealed()
	}
}

// more takes what queued up meanwhile, while the batch is young, small and whole.
func (b *Bus) more(began time.Time, size int) []*request {
	if b.ruin != nil || time.Since(began) > maxHold {
		return nil
	}
	return b.gather(nil, maxBatch-size)
}

func (b *Bus) failAll(batch []*request, cause error) {
	public := "the change could not be written; nothing was changed"
	if store.IsFull(cause) {
		public = "the disk is full; nothing was changed"
	} else if errors.Is(cause, store.ErrLost) {
		public = "the connection to the database was lost; look whether the change was made before you try again"
	}
	b.with.Log.Error("commit failed", "requests", len(batch), "error", cause)
	for _, r := range batch {
		r.answer <- answer{Result{}, core.Wrap(core.Unavailable, cause, public)}
	}
}

// one runs a request in its savepoint and stages its record; the records of a
// batch are written together. What goes wrong from staging on is the database's
// or ours, not the request's, and takes the whole batch with it.
func (b *Bus) one(ctx context.Context, r *request) {
	r.result.State = Unchanged
	if r.ctx.Err() != nil {
		r.err = core.Wrap(core.Unavailable, r.ctx.Err(), "the call was given up before it began")
		return
	}
	if r.fill != nil { // it reads what was recorded; before its savepoint, which may be undone
		if b.ruin = b.with.Book.Flush(ctx, b.with.Writer); b.ruin != nil {
			r.err = b.ruin
			return
		}
	}
	entry, err := b.attempt(ctx, r)
	switch {
	case err != nil && entry != nil:
		err = errors.Join(err, b.with.Writer.RollbackTo(ctx))
	case err == nil && entry != nil:
		if b.ruin = b.settle(ctx, entry, r); b.ruin == nil {
			b.ruin = b.with.Writer.Release(ctx)
		}
		err = b.ruin
	}
	if err != nil {
		r.err = core.Wrap(core.Unavailable, err, "the log record could not be written; nothing was changed")
	}
}

// attempt runs the operation and returns the entry that tells how it went,
// with an open savepoint that holds exactly what the entry says. Without an
// entry the savepoint is closed and empty: a preview, a replay.
func (b *Bus) attempt(ctx context.Context, r *request) (*ledger.Entry, error) {
	if err := b.with.Writer.Savepoint(ctx); err != nil {
		return nil, err
	}
	if r.entry != nil {
		r.result.State = InForce
		return b.fill(ctx, r)
	}
	started := time.Now()
	tx := b.tx(r)
	entry, err := b.guarded(ctx, tx, r)
	tx.end()
	if took := time.Since(started); took > slow {
		b.with.Log.Warn("slow operation", "op", r.op.Name, "took", took)
	}
	r.err = err
	switch {
	case err == nil && entry == nil:
		return nil, b.with.Writer.RollbackTo(ctx)
	case err != nil && !r.keep:
		if err := b.with.Writer.RollbackTo(ctx); err != nil {
			return nil, err
		}
		if entry = b.failure(r, entry, err); entry == nil {
			return nil, nil
		}
		return entry, b.with.Writer.Savepoint(ctx)
	}
	return entry, nil
}

// fill completes an entry of the log about itself. One that is left Unchanged
// has nothing to say and is not written.
func (b *Bus) fill(ctx context.Context, r *request) (*ledger.Entry, error) {
	if r.fill == nil {
		return r.entry, nil
	}
	if err := r.fill(ctx, b.with.Writer); err != nil || r.entry.Outcome != ledger.Unchanged {
		return r.entry, err
	}
	return nil, b.with.Writer.RollbackTo(ctx)
}

// guarded turns a panic of a feature into a failed call.
func (b *Bus) guarded(ctx context.Context, tx *Tx, r *request) (e *ledger.Entry, err error) {
	defer func() {
		if p := recover(); p != nil {
			b.with.Log.Error("operation panicked", "op", r.op.Name, "panic", p, "stack", string(debug.Stack()))
			e, err = nil, fmt.Errorf("%s panicked: %v", r.op.Name, p)
		}
	}()
	return b.run(context.WithValue(ctx, inside{}, true), tx, r)
}

// run is one operation inside its savepoint: right, version, key, Run, gate.
// No entry and no error: roll back and say nothing (preview, replay).
func (b *Bus) run(ctx context.Context, tx *Tx, r *request) (*ledger.Entry, error) {
	if again, err := b.replay(ctx, &tx.View, r); again || err != nil {
		return nil, err
	}
	target, tenant, err := b.authorize(ctx, &tx.View, r.op, r.call, r.in)
	e := b.entry(r.call, r.op, tx.now)
	e.Object, e.Tenant = target, tenant
	r.result.Target = target
	if err != nil {
		return e, err
	}
	if err := b.expected(ctx, b.with.Writer, b.with.Book.Newest, r.call, target); err != nil {
		return e, err
	}
	out, err := r.op.run(ctx, tx, r.in)
	if err == nil && tx.refuse != nil {
		err = tx.refuse
	}
	if err != nil && (tx.refuse == nil || !errors.Is(err, tx.refuse)) {
		return e, err
	}
	refusal := err
	if err := b.gate(ctx, tx, r.op); err != nil {
		return e, b.alarm(r, err)
	}
	if !r.call.Preview {
		if r.doubts, err = b.doubt(ctx, tx.events); err != nil {
			return e, err
		}
	}
	return b.verdict(ctx, tx, r, e, out, refusal)
}

// verdict fills the entry and the result of an operation that passed the gate.
func (b *Bus) verdict(ctx context.Context, tx *Tx, r *request, e *ledger.Entry, out any, refusal error) (*ledger.Entry, error) {
	e.Events = tx.events
	if e.Object == (core.Ref{}) && len(tx.events) > 0 {
		e.Object, e.Tenant = tx.events[0].Object, tx.events[0].Tenant
	}
	if tx.signer != nil {
		e.Actor = tx.signer.identity()
	}
	r.result.Output, r.result.Changes = out, tx.events
	switch {
	case refusal != nil:
		outcome(e, refusal)
		r.result.Output, r.keep = nil, true
		return e, refusal
	case r.call.Preview:
		r.result.State = Previewed
		return nil, nil
	case len(tx.events) == 0:
		e.Outcome, r.result.State = ledger.Unchanged, Unchanged
	default:
		e.Outcome, r.result.State = ledger.Done, InForce
	}
	return e, nil
}

// settle stages the entry, notes the version it gave the target, and keeps
// the answer for a repeat of the same key.
func (b *Bus) settle(ctx context.Context, e *ledger.Entry, r *request) error {
	for _, doubt := range r.doubts {
		if _, err := b.with.Book.Stage(ctx, b.with.Writer, doubt); err != nil {
			return err
		}
	}
	receipt, err := b.with.Book.Stage(ctx, b.with.Writer, e)
	if err != nil {
		return err
	}
	r.result.Record, r.result.Index = e.ID, uint64(receipt.Seq)
	r.result.Version = receipt.Versions[r.result.Target]
	b.doubts.changed(e.Events)
	return b.remember(ctx, r)
}

// newest is ledger.ReadHead, or in the loop Book.Newest, which also knows the
// records of the batch.
type newest func(context.Context, ledger.Reader, core.Ref) (ledger.Head, bool, error)

// expected compares If-Match with the target's version (RFC 9110 13.1.1).
func (b *Bus) expected(ctx context.Context, r ledger.Reader, newest newest, c Call, target core.Ref) error {
	if c.Expect == 0 {
		return nil
	}
	head, _, err := newest(ctx, r, target)
	if err != nil {
		return err
	}
	if v := head.N; v != c.Expect {
		return core.Errorf(core.Stale, "it was changed meanwhile: you saw version %d, it is now version %d; look at it again", c.Expect, v)
	}
	return nil
}
