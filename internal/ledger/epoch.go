package ledger

import (
	"context"
	"fmt"
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
