package ledger

import (
	"context"
	"fmt"
	"strconv"

	"golang.org/x/mod/sumdb/tlog"
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
