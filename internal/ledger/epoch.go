package ledger

import (
	"context"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/core"
)

// Epoch is one tree. The log has one until a disaster opens the next (SPEC L8).
// Seqs are never used again: an epoch begins above everything that was signed before.
type Epoch struct {
	Number int
	Base   int64 // seq of its leaf 0
}

// readEpochs returns all epochs, oldest first, at least one.
func readEpochs(ctx context.Context, r Reader) ([]Epoch, error) {
	rows, err := r.Query(ctx, `SELECT epoch, base FROM ledger_epoch ORDER BY epoch`)
	if err != nil {
		return nil, fmt.Errorf("reading epochs: %w", err)
	}
	defer rows.Close()
	list := []Epoch{{Number: 1}}
	for rows.Next() {
		var e Epoch
		if err := rows.Scan(&e.Number, &e.Base); err != nil {
			return nil, fmt.Errorf("reading epochs: %w", err)
		}
		list = append(list, e)
	}
	return list, rows.Err()
}

// epochAt returns the epoch that seq belongs to.
func epochAt(epochs []Epoch, seq int64) Epoch {
	e := epochs[0]
	for _, later := range epochs[1:] {
		if seq >= later.Base {
			e = later
		}
	}
	return e
}

// checkEpochStart insists that the first leaf of a new epoch tells the truth
// about the last signed tree of the one before.
func checkEpochStart(ctx context.Context, r Reader, epoch Epoch, last Tree) error {
	leaves, err := readLeaves(ctx, r, epoch.Base, 1)
	if err != nil {
		return err
	}
	if len(leaves) == 0 {
		return fmt.Errorf("epoch %d has no first record", epoch.Number)
	}
	l, err := DecodeLeaf(leaves[0])
	if err != nil {
		return fmt.Errorf("the first record of epoch %d: %w", epoch.Number, err)
	}
	named, err := recoveredTree(l)
	if err != nil {
		return fmt.Errorf("the first record of epoch %d: %w", epoch.Number, err)
	}
	if named != last {
		return fmt.Errorf("the first record of epoch %d names %v as the last signed state; the keeper signed %v", epoch.Number, named, last)
	}
	return nil
}

// recoveredTree reads which tree a recovery record names.
func recoveredTree(l *Leaf) (Tree, error) {
	if len(l.Events) == 0 || l.Events[0].Name != RecoveredEvent {
		return Tree{}, fmt.Errorf("it must be a %s record and is %s", RecoveredEvent, l.Action)
	}
	var t Tree
	var err error
	for _, f := range l.Events[0].Fields {
		if f.New == nil || err != nil {
			continue
		}
		switch f.Name {
		case "signedEpoch":
			t.Epoch, err = strconv.Atoi(*f.New)
		case "signedSize":
			t.Size, err = strconv.ParseInt(*f.New, 10, 64)
		case "signedRoot":
			t.Root, err = tlog.ParseHash(*f.New)
		}
	}
	return t, err
}

// Recovery says what a new epoch begins after (SPEC L8).
type Recovery struct {
	Signed Tree  // the last tree the keeper signed
	Known  Tree  // the largest tree that a witness has cosigned; size 0: none
	Have   int64 // records of that epoch that are left
	Epoch  Epoch // to be opened
	Needed bool  // false: nothing is missing, and the log can simply go on
}

// PlanRecovery looks at what is left and what was signed. witnessed are the
// trees that witnesses know; it may be empty.
func PlanRecovery(ctx context.Context, r Reader, keys Keys, witnessed []Tree) (Recovery, error) {
	signed, err := keys.LastSigned(ctx)
	if err != nil {
		return Recovery{}, fmt.Errorf("asking for the last signed checkpoint: %w", err)
	}
	epochs, err := readEpochs(ctx, r)
	if err != nil {
		return Recovery{}, err
	}
	next, err := countEntries(ctx, r)
	if err != nil {
		return Recovery{}, err
	}
	p := Recovery{Signed: signed, Epoch: Epoch{Number: signed.Epoch + 1}}
	base := epochs[len(epochs)-1].Base
	p.Have = max(next-base, 0)
	for _, t := range witnessed {
		if t.Epoch > p.Known.Epoch || (t.Epoch == p.Known.Epoch && t.Size > p.Known.Size) {
			p.Known = t
		}
	}
	lost := signed.Size
	if p.Known.Epoch == signed.Epoch {
		lost = max(lost, p.Known.Size)
	}
	p.Epoch.Base = max(next, base+lost)
	p.Needed = p.Have < lost || signed.Epoch > epochs[len(epochs)-1].Number || p.Known.Epoch > signed.Epoch
	return p, nil
}

// Event is the first event of the first record of the new epoch.
func (p Recovery) Event() Event {
	list := []Field{}
	add := func(name, value string) { list = append(list, Field{Name: name, New: &value}) }
	add("epoch", strconv.Itoa(p.Epoch.Number))
	add("signedEpoch", strconv.Itoa(p.Signed.Epoch))
	add("signedSize", strconv.FormatInt(p.Signed.Size, 10))
	add("signedRoot", p.Signed.Root.String())
	if p.Known.Size > 0 {
		add("witnessedEpoch", strconv.Itoa(p.Known.Epoch))
		add("witnessedSize", strconv.FormatInt(p.Known.Size, 10))
		add("witnessedRoot", p.Known.Root.String())
	}
	add("lostFrom", strconv.FormatInt(p.Have, 10))
	add("lostBelow", strconv.FormatInt(max(p.Signed.Size, p.Have), 10))
	return Event{Name: RecoveredEvent, Object: LogObject, Tenant: core.Provider, State: "-", Fields: list}
}

// OpenEpoch begins a new epoch in tx. The next record appended must be the
// recovery's, with p.Event() as its first event; Append refuses any other.
// After COMMIT the sealer has the keeper open the epoch.
func (b *Book) OpenEpoch(ctx context.Context, tx Tx, p Recovery) error {
	next, err := countEntries(ctx, tx)
	if err != nil {
		return err
	}
	if p.Epoch.Base < next || p.Epoch.Number < 2 {
		return fmt.Errorf("epoch %d cannot begin at %d: %d records are there", p.Epoch.Number, p.Epoch.Base, next)
	}
	b.Forget()
	_, err = tx.Exec(ctx, `INSERT INTO ledger_epoch (epoch, base) VALUES ($1, $2)`, p.Epoch.Number, p.Epoch.Base)
	if err != nil {
		return fmt.Errorf("opening epoch %d: %w", p.Epoch.Number, err)
	}
	return summarise(ctx, tx, next, p.Epoch.Base, nil)
}
