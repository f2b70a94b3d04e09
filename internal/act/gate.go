package act

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"hostward/internal/core"
	"hostward/internal/ledger"
)

// tx makes the one Tx of a request.
func (b *Bus) tx(r *request) *Tx {
	tx := &Tx{View: *b.view(b.with.Writer, r.call.Actor, b.with.Clock()), w: b.with.Writer}
	tx.owner = func(ctx context.Context, ref core.Ref) (string, error) {
		tenant, err := b.ownerOf(ctx, &tx.View, ref)
		if core.CodeOf(err) != core.NotFound {
			return tenant, err
		}
		// It was deleted by this very operation: the log knows whose it was.
		head, found, headErr := b.with.Book.Newest(ctx, b.with.Writer, ref)
		if headErr != nil || !found {
			return "", errors.Join(err, headErr)
		}
		return head.Tenant, nil
	}
	return tx
}

func (b *Bus) ownerOf(ctx context.Context, v *View, ref core.Ref) (string, error) {
	k, ok := b.with.Registry.Kind(ref.Kind)
	if !ok {
		return "", fmt.Errorf("no feature keeps a %q", ref.Kind)
	}
	return k.Owner(ctx, v, ref.ID)
}

// authorize finds the target, its owner, and whether the actor may. An object
// outside the actor's scope does not exist for him; the record says the truth.
func (b *Bus) authorize(ctx context.Context, v *View, op *Op, c Call, in any) (core.Ref, string, error) {
	if err := b.admit(ctx, v, op, c.Actor); err != nil {
		return core.Ref{}, "", err
	}
	target, owner, err := b.aim(ctx, v, op, c.Actor, in)
	if err == nil {
		err = granted(op, c.Actor, target)
	}
	if err == nil {
		err = fresh(v.now, op, c)
	}
	return target, owner, hidden(op, c.Actor, err)
}

// admit looks at who asks and from where, before anything about the object.
func (b *Bus) admit(ctx context.Context, v *View, op *Op, a Actor) error {
	switch {
	case op.takes(a) && op.Anyhow:
		return b.holds(ctx, v, a)
	case op.takes(a):
		return b.placed(ctx, v, a)
	case a.Role == Stranger || a.Role == 0:
		return core.Errorf(core.Unauthenticated, "log in to do this")
	case a.Role == Entrant:
		return core.Errorf(core.Unauthenticated, "finish logging in first: one step is left")
	}
	return core.Errorf(core.Denied, "%s is for %s", op.Name, op.Roles&^Entrant)
}

// takes reports whether the operation is for the actor's role, and for the step
// at which he is.
func (o *Op) takes(a Actor) bool {
	return a.Role&(o.Roles|System) != 0 && (a.Role != Entrant || o.Step == "" || o.Step == a.Step)
}

// placed asks whether the view's actor still is who he was when a face looked, and
// whether he may act from where he is: once for all that a page reads.
func (b *Bus) placed(ctx context.Context, v *View, a Actor) error {
	if v.placed == nil {
		err := b.holds(ctx, v, a)
		if err == nil {
			err = b.from(ctx, v, a)
		}
		v.placed = &err
	}
	return *v.placed
}

func (b *Bus) holds(ctx context.Context, v *View, a Actor) error {
	if a.Kind != "account" || b.with.Holds == nil {
		return nil
	}
	return b.with.Holds(ctx, v, a)
}

// from asks whether somebody, and who acts as him, may act from where he is.
func (b *Bus) from(ctx context.Context, v *View, a Actor) error {
	for who := &a; who != nil && who.Kind == "account" && b.with.Admit != nil; who = who.By {
		if err := b.with.Admit(ctx, v, *who); err != nil {
			return err
		}
	}
	return nil
}

// granted holds a token to its grants. A call without a target reaches all that
// the owner has, so a grant for one object is not enough for it.
func granted(op *Op, a Actor, target core.Ref) error {
	if a.Grants == nil || slices.ContainsFunc(a.Grants, func(g Grant) bool { return g.covers(op, target) }) {
		return nil
	}
	return core.Errorf(core.Denied, "this token has no grant for %s here", op.Name)
}

// fresh wants a proof that is new enough (SPEC A7). Who acts as somebody else
// has none to give. A token is held to what it was made for: its owner proved
// himself when he granted it the operation by name. The local socket and jobs
// have nothing to show: who reaches them has proved himself to the system. What
// would happen may be looked at before.
func fresh(now time.Time, op *Op, c Call) error {
	a := c.Actor
	switch {
	case op.Proof == 0 || a.Kind != "account":
		return nil
	case a.By != nil:
		return core.Errorf(core.Denied, "%s is for the person himself, not for who acts as him", op.Name)
	case a.Grants != nil:
		if slices.ContainsFunc(a.Grants, func(g Grant) bool { return g.Action == op.Name }) {
			return nil
		}
		return core.Errorf(core.Denied, "a token calls %s only when it was granted by this very name", op.Name)
	case !c.Preview && !a.Proved(now, op.Proof):
		return core.Errorf(core.Unproved, "prove once more who you are: %s asks for it within the last %d minutes", op.Name, int(op.Proof.Minutes()))
	}
	return nil
}

// aim finds the target and its owner, and whether it is within the scope.
func (b *Bus) aim(ctx context.Context, v *View, op *Op, a Actor, in any) (core.Ref, string, error) {
	target, err := op.target(ctx, v, in)
	if err != nil {
		return target, "", err
	}
	if target == (core.Ref{}) {
		return target, a.Tenant, nil
	}
	owner, err := b.ownerOf(ctx, v, target)
	if err != nil {
		return target, "", err
	}
	inside, err := b.inside(ctx, v, a, owner)
	if err == nil && !inside {
		err = core.Wrap(core.NotFound, errForeign, errForeign.Error())
	}
	return target, owner, err
}

// hidden gives absent and foreign objects one and the same sentence, so that
// nobody learns what others have. Who may see everything is told precisely.
func hidden(op *Op, a Actor, err error) error {
	if core.CodeOf(err) != core.NotFound || err == nil || a.Tenant == core.Provider {
		return err
	}
	noun, _, _ := strings.Cut(op.Name, ".")
	return core.Wrap(core.NotFound, err, "there is no such "+noun)
}

var errForeign = errors.New("the object belongs to another tenant")

// inside reports whether owner is the actor's tenant or below it.
func (b *Bus) inside(ctx context.Context, v *View, a Actor, owner string) (bool, error) {
	if a.Role&(System|Stranger) != 0 || a.Tenant == core.Provider || a.Tenant == owner {
		return a.Tenant != "" || a.Role&(System|Stranger) != 0, nil
	}
	above, err := b.with.Scope(ctx, v, owner)
	return slices.Contains(above, a.Tenant), err
}

// gate decides over what is about to be committed, not over what the feature
// thinks it did (SPEC L1). It asks the database which objects were touched.
// It asks last, so that not even the functions of a Kind change anything
// behind it; nothing can be written through tx any more.
func (b *Bus) gate(ctx context.Context, tx *Tx, op *Op) error {
	tx.w = nil
	if tx.fault != nil {
		return tx.fault
	}
	named := map[core.Ref]bool{}
	for i := range tx.events {
		e := &tx.events[i]
		if err := b.seal(ctx, tx, op, e); err != nil {
			return err
		}
		named[e.Object] = true
	}
	touched, err := b.with.Writer.Touched(ctx)
	if err != nil {
		return fmt.Errorf("asking what was touched: %w", err)
	}
	for _, t := range touched {
		if ref := (core.Ref{Kind: t.Kind, ID: t.ID}); !named[ref] {
			return fmt.Errorf("%s changed %s and recorded nothing about it", op.Name, ref)
		}
	}
	if tx.wrote > 0 && len(tx.events) == 0 {
		return fmt.Errorf("%s changed %d rows and recorded nothing", op.Name, tx.wrote)
	}
	return complete(op, tx)
}

// seal checks one event against the declaration and puts the digest of the
// object's state into it.
func (b *Bus) seal(ctx context.Context, tx *Tx, op *Op, e *ledger.Event) error {
	if !slices.Contains(op.Must, e.Name) && !slices.Contains(op.May, e.Name) {
		return fmt.Errorf("%s recorded %s, which it does not declare", op.Name, e.Name)
	}
	if noun, _, _ := strings.Cut(e.Name, "."); noun != e.Object.Kind {
		return fmt.Errorf("%s recorded %s about a %s", op.Name, e.Name, e.Object.Kind)
	}
	k, _ := b.with.Registry.Kind(e.Object.Kind)
	var err error
	if e.State, err = k.Digest(ctx, &tx.View, e.Object.ID); err != nil {
		return fmt.Errorf("digest of %s: %w", e.Object, err)
	}
	return b.stays(ctx, tx, op, e)
}

// stays wants the owner whom Record found to be the owner still: who is given
// an object behind its record would not find it in his part of the log.
func (b *Bus) stays(ctx context.Context, tx *Tx, op *Op, e *ledger.Event) error {
	if e.State == "" {
		return nil
	}
	owner, err := tx.owner(ctx, e.Object)
	if err == nil && owner != e.Tenant {
		err = fmt.Errorf("%s gave %s to another owner after recording it", op.Name, e.Object)
	}
	return err
}

// complete wants every event that a success must record.
func complete(op *Op, tx *Tx) error {
	if len(tx.events) == 0 || tx.refuse != nil {
		return nil
	}
	for _, must := range op.Must {
		if !slices.ContainsFunc(tx.events, func(e ledger.Event) bool { return e.Name == must }) {
			return fmt.Errorf("%s did not record %s", op.Name, must)
		}
	}
	return nil
}

// alarm reports a feature that broke the rules of the door. Its call fails,
// its rows are rolled back, and the record says why.
func (b *Bus) alarm(r *request, err error) error {
	b.with.Log.Error("refused at the gate", "op", r.op.Name, "actor", r.call.Actor.ID, "error", err)
	return core.Wrap(core.Internal, err, "the operation would have changed something without a record of it; nothing was changed")
}
