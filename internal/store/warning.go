package store

import (
	"context"
	"slices"
	"time"
)

// Warning is something that people must read and the log must keep: an object
// that somebody edited past the door, a guard that somebody removed. It stays
// in the database until it is settled in the transaction that records it.
type Warning struct {
	N      int64
	At     time.Time // when it was noticed
	Cause  string    // one of the causes below
	Touch  Touch     // the object edited, or Kind "table" and the table's name
	Detail string    // one sentence
}

// Causes of a Warning.
const (
	Edited   = "edited"   // somebody changed rows by hand
	Migrated = "migrated" // a migration changed rows: their state is another now
	Trigger  = "trigger"  // a guard was altered or missing
)

// Warnings returns what is not settled yet: from Acquire on, and after each
// Begin that found edits by somebody else.
func (s *Store) Warnings() []Warning {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.warning)
}

// Settle forgets warnings. Call it in the transaction that puts them on record.
func (w *Writer) Settle(ctx context.Context, warnings []Warning) error {
	if err := w.ready(); err != nil {
		return err
	}
	for _, x := range warnings {
		if _, err := w.run(ctx, `DELETE FROM store_warning WHERE n = $1`, x.N); err != nil {
			return err
		}
	}
	w.settle = true
	return nil
}

// warn adds a warning to the table.
func (w *Writer) warn(ctx context.Context, cause string, t Touch, detail string) error {
	const q = `INSERT INTO store_warning (n, at, cause, kind, id, detail)
		SELECT coalesce(max(n), 0) + 1, $1, $2, $3, $4, $5 FROM store_warning`
	_, err := w.run(ctx, q, time.Now().UnixMicro(), cause, t.Kind, t.ID, detail)
	return err
}

// noteForeign turns touches that are not ours into warnings. Whoever asks sees
// them at once; they are durable with the transaction that was begun, and found
// again if that one is rolled back.
func (w *Writer) noteForeign(ctx context.Context) error {
	if err := w.noteTouches(ctx, Edited); err != nil {
		return err
	}
	w.settle = true
	return w.loadWarnings(ctx)
}

// noteTouches turns every touch there is into a warning.
func (w *Writer) noteTouches(ctx context.Context, cause string) error {
	ts, err := w.notes(ctx, `DELETE FROM store_touched RETURNING kind, id`)
	if err != nil {
		return err
	}
	detail := "rows were changed in the database, past the door"
	if cause == Migrated {
		detail = "an upgrade of the schema changed rows"
	}
	for _, t := range slices.Compact(ts) {
		if err := w.warn(ctx, cause, t, detail); err != nil {
			return err
		}
	}
	return nil
}

// loadWarnings reads the table into memory.
func (w *Writer) loadWarnings(ctx context.Context) error {
	rows, err := w.lease.conn.QueryContext(ctx, `SELECT n, at, cause, kind, id, detail FROM store_warning ORDER BY n`)
	if err != nil {
		return w.fault(err)
	}
	defer rows.Close()
	var all []Warning
	for rows.Next() {
		var x Warning
		var at int64
		if err := rows.Scan(&x.N, &at, &x.Cause, &x.Touch.Kind, &x.Touch.ID, &x.Detail); err != nil {
			return err
		}
		x.At = time.UnixMicro(at).UTC()
		all = append(all, x)
	}
	w.store.mu.Lock()
	defer w.store.mu.Unlock()
	w.store.warning = all
	return rows.Err()
}
