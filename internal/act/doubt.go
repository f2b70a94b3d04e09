package act

import (
	"context"
	"fmt"

	"hostward/internal/core"
	"hostward/internal/ledger"
	"hostward/internal/store"
)

// doubts finds what somebody changed past the door before it becomes the past:
// an operation's record gives each of its objects a new digest, and verification
// believes the newest. So the state before the operation must be the one that
// the newest record before it left (SPEC L4). The operation goes on, since it
// may be the repair, and a record beside it says what was found.
//
// The state before is that of a snapshot of what is committed. It is the state
// before this operation for every object that no other of the batch has changed,
// and those were looked at then. Only the bus's loop uses it.
type doubts struct {
	before *store.Snapshot // opened when it is first needed
	known  map[core.Ref]bool
}

func (d *doubts) begin() { d.known = map[core.Ref]bool{} }

func (d *doubts) end() {
	if d.before != nil {
		_ = d.before.Close()
		d.before = nil
	}
}

// doubt returns the records to write beside that of an operation with these
// events, which the gate let through: their kinds are known.
func (b *Bus) doubt(ctx context.Context, events []ledger.Event) (found []*ledger.Entry, err error) {
	for _, ref := range objects(events) {
		if b.doubts.known[ref] {
			continue
		}
		head, altered, err := b.altered(ctx, ref)
		if err != nil {
			return nil, fmt.Errorf("looking at what %v was: %w", ref, err)
		}
		if altered {
			found = append(found, b.tampered(ref, head))
		}
	}
	return found, nil
}

func (b *Bus) altered(ctx context.Context, ref core.Ref) (head ledger.Head, altered bool, err error) {
	if b.doubts.before == nil {
		if b.doubts.before, err = b.with.Store.Snapshot(ctx); err != nil {
			return head, false, err
		}
	}
	if head, _, err = ledger.ReadHead(ctx, b.doubts.before, ref); err != nil || head.State == "-" {
		return head, false, err
	}
	v := b.view(b.doubts.before, SystemActor("log"), b.with.Clock())
	defer v.end()
	k, _ := b.with.Registry.Kind(ref.Kind)
	state, err := k.Digest(ctx, v, ref.ID)
	if err != nil && core.CodeOf(err) == core.NotFound {
		state, err = "", nil
	}
	return head, state != head.State && state != "-", err
}

func (b *Bus) tampered(ref core.Ref, head ledger.Head) *ledger.Entry {
	reason := "it was in the database, and no record said that it was made"
	if head.N > 0 {
		reason = fmt.Sprintf("it was not as its newest record, %d, left it: its rows were changed past the door", head.Seq)
	}
	e := &ledger.Entry{ID: core.NewID("r"), Time: b.with.Clock(), Action: "log.tampering", Class: "log", Tenant: core.Provider,
		Outcome: ledger.Failed, Object: ref, Reason: reason}
	b.sign(e, SystemActor("log"))
	b.with.Log.Warn("the database was changed past the door", "object", ref.String(), "detail", reason)
	return e
}

// changed notes what a batch has looked at, once its record is written.
func (d *doubts) changed(events []ledger.Event) {
	for _, ref := range objects(events) {
		d.known[ref] = true
	}
}
