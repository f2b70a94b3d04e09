package act

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"time"

	"hostward/internal/core"
	"hostward/internal/ledger"
)

// entry begins the record of a call. op is nil for an unknown operation.
func (b *Bus) entry(c Call, op *Op, now time.Time) *ledger.Entry {
	e := &ledger.Entry{ID: core.NewID("r"), Time: now, Action: clipName(c.Op), Class: "panel", Reason: c.Reason}
	if op != nil {
		e.Action, e.Class = op.Name, op.Class
	}
	b.sign(e, c.Actor)
	return e
}

// sign writes who asked, from where and through which door.
func (b *Bus) sign(e *ledger.Entry, a Actor) {
	e.Actor, e.Door, e.Address, e.Agent, e.Session = a.identity(), a.Door, a.Address, a.Agent, a.Session
	if a.By != nil {
		e.By = a.By.identity()
	}
}

// failure is the entry of a call that changed nothing. A started one keeps
// its target and tenant. Nil: it is a stranger's, and counted with others.
func (b *Bus) failure(r *request, started *ledger.Entry, err error) *ledger.Entry {
	if started == nil { // it did not come as far as a target: a panic, a key used before
		started = b.entry(r.call, r.op, b.with.Clock())
		started.Tenant = r.call.Actor.Tenant
	}
	started.Events = nil
	outcome(started, err)
	started.Tenant = whose(started.Tenant, r.call.Actor, err)
	if r.call.Actor.Role&outside != 0 && !b.limiter.exact(started, started.Time) {
		return nil
	}
	return started
}

// whose says in whose log a refusal stands: in that of the owner, but an attempt
// on what is another's in that of who tried, so that the two learn nothing of
// each other. The provider sees both.
func whose(owner string, a Actor, err error) string {
	if errors.Is(err, errForeign) {
		return a.Tenant
	}
	return owner
}

// outcome writes how a call ended badly. The sentence is the caller's, without
// the values of broken fields: causes and what people typed may hold what must
// not be kept for ever, a person's name or a password in the wrong field (SPEC L5).
func outcome(e *ledger.Entry, err error) {
	public := core.AsError(err)
	e.Outcome, e.Code = ledger.Refused, public.Code
	if public.Code == core.Internal || public.Code == core.Unavailable {
		e.Outcome = ledger.Failed
	}
	told := *public
	told.Faults = slices.Clone(public.Faults)
	for i := range told.Faults {
		told.Faults[i].Value = ""
	}
	sentence := told.Sentence()
	if errors.Is(err, errForeign) {
		sentence = errForeign.Error()
	}
	e.Reason = strings.TrimPrefix(e.Reason+"; "+sentence, "; ")
}

// Refuse records a call that a face turned down before the bus saw its input:
// a body too large, an address that may not use the API.
func (b *Bus) Refuse(ctx context.Context, c Call, err error) (Result, error) {
	op, _ := b.with.Registry.Op(c.Op)
	return b.refused(ctx, c, op, nil, err)
}

// refused records a call that never reached its Run, and returns its error.
func (b *Bus) refused(ctx context.Context, c Call, op *Op, in any, err error) (Result, error) {
	err = b.told(op, c, err)
	if c.Preview && core.CodeOf(err) == core.Invalid {
		return Result{}, err // looking is no attempt
	}
	now := b.with.Clock()
	e := b.entry(c, op, now)
	e.Tenant = c.Actor.Tenant
	if op != nil && in != nil {
		_ = b.snapshot(ctx, c.Actor, func(v *View) error {
			e.Object, e.Tenant, _ = b.authorize(ctx, v, op, c, in)
			return nil
		})
	}
	outcome(e, err)
	e.Tenant = whose(e.Tenant, c.Actor, err)
	if c.Actor.Role&outside != 0 && !b.limiter.exact(e, now) {
		return Result{}, err // counted; written with the others of its kind
	}
	r, werr := b.submit(context.WithoutCancel(ctx), &request{entry: e, call: c, op: op})
	if werr != nil {
		b.with.Log.Error("a refusal could not be recorded", "op", c.Op, "error", werr)
		return r, werr
	}
	return Result{Record: r.Record, Index: r.Index}, err
}

// note writes one entry that belongs to no declared operation: an upload, a
// stream that opened, a start, a stop.
func (b *Bus) note(ctx context.Context, e *ledger.Entry, a Actor) error {
	e.ID, e.Time = core.NewID("r"), b.with.Clock()
	b.sign(e, a)
	_, err := b.submit(context.WithoutCancel(ctx), &request{entry: e, call: Call{Op: e.Action, Actor: a}})
	return err
}

// Report writes an entry that the log has to say about itself: a start, a gap,
// its heads. fill, if any, completes it inside the transaction, or leaves it
// Unchanged: then nothing is written. The system signs it.
func (b *Bus) Report(ctx context.Context, e *ledger.Entry, fill func(context.Context, ledger.Tx) error) error {
	e.ID, e.Time = core.NewID("r"), b.with.Clock()
	a := SystemActor("log")
	b.sign(e, a)
	_, err := b.submit(context.WithoutCancel(ctx), &request{entry: e, fill: fill, call: Call{Op: e.Action, Actor: a}})
	return err
}

// replay answers a call whose Idempotency-Key was seen within the day. The target
// may be gone since, so its owner is not asked again; whether the caller may call
// this at all from where he is, with the token that he shows, is.
func (b *Bus) replay(ctx context.Context, v *View, r *request) (bool, error) {
	if r.call.Key == "" || r.call.Preview {
		return false, nil
	}
	var op, input, answer string
	err := b.with.Writer.QueryRow(ctx, `SELECT op, input, answer FROM act_key WHERE actor = $1 AND key = $2`, r.call.Actor.ID, r.call.Key).Scan(&op, &input, &answer)
	if err != nil {
		if isNoRows(err) {
			return false, nil
		}
		return false, err
	}
	if op != r.op.Name || input != r.input {
		return false, core.Errorf(core.Conflict, "this Idempotency-Key was used for another call; take a new one")
	}
	if answer == "" {
		return false, core.Errorf(core.Conflict, "this call was already done; it held a secret, which is kept neither to compare nor to show again")
	}
	var first Result
	err = json.Unmarshal([]byte(answer), &first)
	if err == nil && !r.op.Anyhow { // who has logged out is told so once more
		err = b.admit(ctx, v, r.op, r.call.Actor)
	}
	if err == nil {
		err = granted(r.op, r.call.Actor, first.Target)
	}
	if err != nil {
		return false, err
	}
	first.Replay = true
	r.result = first
	return true, nil
}

// remember keeps the answer of a call that carried a key.
func (b *Bus) remember(ctx context.Context, r *request) error {
	if r.call.Key == "" || r.op == nil || r.entry != nil || r.err != nil {
		return nil
	}
	var answer []byte
	if !r.op.Reveals && !r.op.secretive() {
		var err error
		if answer, err = json.Marshal(r.result); err != nil {
			return err
		}
	}
	_, err := b.with.Writer.Exec(ctx, `INSERT INTO act_key (actor, key, op, input, answer, at) VALUES ($1, $2, $3, $4, $5, $6)`,
		r.call.Actor.ID, r.call.Key, r.op.Name, r.input, string(answer), b.with.Clock().UnixMicro())
	return err
}

// sweep writes the counts of strangers' failures that are due, forgets old
// keys, and removes unused uploads. A zero time means: everything, we stop.
func (b *Bus) sweep(now time.Time) {
	for _, e := range b.limiter.due(now) {
		e.ID = core.NewID("r")
		b.batch([]*request{aside(e)})
	}
	if now.IsZero() {
		return
	}
	b.sweepUploads(now)
	ctx := context.Background()
	if err := b.with.Writer.Begin(ctx); err != nil {
		return
	}
	_, _ = b.with.Writer.Exec(ctx, `DELETE FROM act_key WHERE at < $1`, now.Add(-24*time.Hour).UnixMicro())
	if err := b.with.Writer.Commit(ctx); err != nil {
		_ = b.with.Writer.Rollback(ctx)
	}
}
