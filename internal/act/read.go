package act

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"maps"
	"runtime/debug"
	"slices"
	"strings"
	"time"

	"hostward/internal/core"
	"hostward/internal/ledger"
)

func isNoRows(err error) bool { return errors.Is(err, sql.ErrNoRows) }

// read answers one query from a snapshot, which it cannot write to. If reads
// are recorded, the record is durable before the answer leaves (SPEC L1).
func (b *Bus) read(ctx context.Context, op *Op, c Call, in any) (Result, error) {
	var r Result
	err := b.snapshot(ctx, c.Actor, func(v *View) (err error) {
		r, err = b.ask(ctx, v, op, c, in)
		return err
	})
	if err != nil {
		return b.refused(ctx, c, op, in, err)
	}
	if op.Logged || b.recordsReads(c.Actor) {
		r.Record, err = b.readRecord(ctx, op.Name, op.Class, c, r.Target)
	}
	return r, err
}

func (b *Bus) recordsReads(a Actor) bool {
	return a.Role != System && b.with.RecordReads != nil && b.with.RecordReads()
}

// ask authorizes and runs one query on a view.
func (b *Bus) ask(ctx context.Context, v *View, op *Op, c Call, in any) (Result, error) {
	target, _, err := b.authorize(ctx, v, op, c, in)
	if err != nil {
		return Result{Target: target}, err
	}
	tx := &Tx{View: *v}
	out, err := op.run(ctx, tx, in)
	tx.end()
	if err != nil {
		return Result{Target: target}, err
	}
	if target == (core.Ref{}) { // a query that aims at nothing may have given its snapshot back
		return Result{Output: out}, nil
	}
	head, _, err := ledger.ReadHead(ctx, v.db, target)
	return Result{Output: out, Target: target, Version: head.N}, err
}

func (b *Bus) readRecord(ctx context.Context, action, class string, c Call, target core.Ref) (string, error) {
	e := &ledger.Entry{Action: action, Class: class, Object: target, Tenant: c.Actor.Tenant, Outcome: ledger.Read, Reason: c.Reason}
	err := b.note(ctx, e, c.Actor)
	return e.ID, err
}

// Look lets a job of the frame read one snapshot: the engine, the verifier.
func (b *Bus) Look(ctx context.Context, job string, f func(*View) error) error {
	return b.snapshot(ctx, SystemActor(job), f)
}

// Read runs any number of queries in one snapshot, for a page, and writes at
// most one record for all of them. A query that fails has its error beside it;
// the page decides what to do without it.
func (b *Bus) Read(ctx context.Context, actor Actor, calls map[string]Call) (map[string]Result, map[string]error) {
	results, faults, ops := map[string]Result{}, map[string]error{}, map[string]*Op{}
	err := b.snapshot(ctx, actor, func(v *View) error {
		for name, c := range calls {
			c.Actor = actor
			op, r, err := b.pageQuery(ctx, v, c)
			if ops[name] = op; err != nil {
				faults[name] = err
				continue
			}
			results[name] = r
		}
		return nil
	})
	for name, fault := range faults { // not before: a record waits for the writer, and may need a snapshot of its own
		c := calls[name]
		c.Actor = actor
		_, faults[name] = b.refused(ctx, c, ops[name], nil, fault)
	}
	if err == nil {
		err = b.pageRecord(ctx, actor, results, ops)
	}
	if err != nil {
		return nil, map[string]error{"": err}
	}
	return results, faults
}

// pageRecord writes the one record of what a page read: that of its first query by
// name, those that are always recorded before the others, with the names of all.
func (b *Bus) pageRecord(ctx context.Context, actor Actor, results map[string]Result, ops map[string]*Op) error {
	names := slices.Sorted(maps.Keys(results))
	slices.SortStableFunc(names, func(p, q string) int { return rank(ops[p]) - rank(ops[q]) })
	if len(names) == 0 || !ops[names[0]].Logged && !b.recordsReads(actor) {
		return nil
	}
	var all []string
	for _, name := range names {
		all = append(all, ops[name].Name)
	}
	first := ops[names[0]]
	_, err := b.readRecord(ctx, first.Name, first.Class, Call{Actor: actor, Reason: "a page read " + strings.Join(all, ", ")}, results[names[0]].Target)
	return err
}

func rank(op *Op) int {
	if op.Logged {
		return 0
	}
	return 1
}

func (b *Bus) pageQuery(ctx context.Context, v *View, c Call) (*Op, Result, error) {
	op, ok := b.with.Registry.Op(c.Op)
	if !ok || op.Method != "query" {
		return nil, Result{}, core.Errorf(core.NotFound, "there is no query %q", clipName(c.Op))
	}
	in, err := b.input(op, c)
	if err != nil {
		return op, Result{}, err
	}
	r, err := b.ask(ctx, v, op, c, in)
	return op, r, err
}

// Find returns objects of every kind whose name holds text and that the actor
// may see, at most so many of each kind.
func (b *Bus) Find(ctx context.Context, actor Actor, text string, most int) (map[core.Ref]string, error) {
	if actor.Role&outside != 0 || actor.Role == 0 {
		return nil, core.Errorf(core.Unauthenticated, "log in before you search")
	}
	found := map[core.Ref]string{}
	err := b.snapshot(ctx, actor, func(v *View) error {
		if err := b.placed(ctx, v, actor); err != nil {
			return err
		}
		for _, k := range b.with.Registry.Kinds() {
			if k.Find == nil {
				continue
			}
			hits, err := k.Find(ctx, v, text, most)
			if err != nil {
				return err
			}
			for _, h := range hits {
				if in, err := b.inside(ctx, v, actor, h.Owner); err != nil || !in {
					continue
				}
				found[core.Ref{Kind: k.Name, ID: h.ID}] = h.Name
			}
		}
		return nil
	})
	return found, err
}

// Admitted returns the error with which every operation would be refused to
// somebody where he is now (SPEC A1), so that a face shows him nothing at all.
func (b *Bus) Admitted(ctx context.Context, a Actor) error {
	return b.snapshot(ctx, a, func(v *View) error { return b.placed(ctx, v, a) })
}

// May reports whether the actor's role may call the operation at all: faces
// use it to leave out what would be refused anyway.
func (b *Bus) May(a Actor, op *Op) bool { return a.Role&op.Roles != 0 && op.takes(a) }

// Flow is what a stream's Run works with.
type Flow struct {
	bus   *Bus
	op    *Op
	call  Call
	in    any
	again time.Time // when the right is checked next
	send  func(any) error
	sent  int
	over  bool
}

// recheck is how long a right holds within a stream.
const recheck = 2 * time.Second

// View runs f on a fresh snapshot, after checking the right again, and that the
// actor still is who he was (SPEC A7), when the last check is older than 2 s.
// Keep f short: it pins the snapshot.
func (f *Flow) View(ctx context.Context, read func(*View) error) error {
	if f.over {
		return errOver
	}
	return f.bus.snapshot(ctx, f.call.Actor, func(v *View) error {
		if v.now.After(f.again) {
			if _, _, err := f.bus.authorize(ctx, v, f.op, f.call, f.in); err != nil {
				return err
			}
			f.again = v.now.Add(recheck)
		}
		return read(v)
	})
}

// Send hands one item to the caller. An error means that he has left.
func (f *Flow) Send(item any) error {
	if f.over {
		return errOver
	}
	f.sent++
	return f.send(item)
}

// Stream opens a stream, runs it until it ends or ctx does, and records both
// ends. send is called from this goroutine.
func (b *Bus) Stream(ctx context.Context, c Call, send func(any) error) error {
	op, ok := b.with.Registry.Op(c.Op)
	if !ok || op.Method != "stream" {
		_, err := b.refused(ctx, c, nil, nil, core.Errorf(core.NotFound, "there is no stream %q", clipName(c.Op)))
		return err
	}
	in, err := b.input(op, c)
	if err != nil {
		_, err = b.refused(ctx, c, op, nil, err)
		return err
	}
	f := &Flow{bus: b, op: op, call: c, in: in, send: send}
	if err := f.View(ctx, func(*View) error { return nil }); err != nil {
		_, err = b.refused(ctx, c, op, in, err)
		return err
	}
	if _, err := b.readRecord(ctx, op.Name, op.Class, c, core.Ref{}); err != nil {
		return err
	}
	err = f.run(ctx)
	return errors.Join(told(err), b.streamEnd(ctx, f, err))
}

// run is the stream itself; the Flow ends with it.
func (f *Flow) run(ctx context.Context) (err error) {
	defer func() {
		f.over = true
		if p := recover(); p != nil {
			f.bus.with.Log.Error("stream panicked", "op", f.op.Name, "panic", p, "stack", string(debug.Stack()))
			err = fmt.Errorf("%s panicked: %v", f.op.Name, p)
		}
	}()
	return f.op.stream(ctx, f, f.in)
}

func told(err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return nil
	}
	return core.AsError(err)
}

func (b *Bus) streamEnd(ctx context.Context, f *Flow, err error) error {
	e := &ledger.Entry{Action: f.op.Name, Class: f.op.Class, Tenant: f.call.Actor.Tenant, Outcome: ledger.Read, Count: 1}
	e.Reason = fmt.Sprintf("closed after %d items", f.sent)
	if err != nil && !errors.Is(err, context.Canceled) {
		e.Outcome, e.Code = ledger.Failed, core.CodeOf(err)
	}
	return b.note(ctx, e, f.call.Actor)
}
