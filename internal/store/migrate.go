package store

import (
	"context"
	"errors"
	"fmt"
	"os"
	"time"
)

// prepare makes a fresh Writer ready: schema, guard, fence, warnings.
func (w *Writer) prepare(ctx context.Context) error {
	applied, err := w.migrate(ctx)
	if err != nil {
		return fmt.Errorf("migrating: %w", err)
	}
	if err := w.alone(ctx, func() error { return w.take(ctx) }); err != nil {
		return fmt.Errorf("taking the lease: %w", err)
	}
	if err := w.alone(ctx, func() error { return w.guard(ctx, applied) }); err != nil {
		return fmt.Errorf("guarding the tables: %w", err)
	}
	return w.loadWarnings(ctx)
}

// alone runs f in its own transaction, before the fence is known.
func (w *Writer) alone(ctx context.Context, f func() error) error {
	if err := w.start(ctx); err != nil {
		return err
	}
	if err := f(); err != nil {
		return errors.Join(err, w.Rollback(ctx))
	}
	if err := w.store.engine.commit(ctx, w.lease.conn); err != nil {
		return errors.Join(err, w.Rollback(ctx))
	}
	w.open = false
	return nil
}

// take raises the fence and says who we are.
func (w *Writer) take(ctx context.Context) error {
	const q = `UPDATE store_lease SET fence = fence + 1, holder = $1, at = $2 WHERE id = 1 RETURNING fence`
	return w.lease.conn.QueryRowContext(ctx, q, self(), time.Now().UnixMicro()).Scan(&w.fence)
}

// self names this process for people.
func self() string {
	host, err := os.Hostname()
	if err != nil {
		host = "?"
	}
	return fmt.Sprintf("process %d on %s since %s", os.Getpid(), host, time.Now().UTC().Format(time.RFC3339))
}

// migrate applies the files that are missing and returns the tables that they
// declare.
func (w *Writer) migrate(ctx context.Context) (fresh map[string]bool, err error) {
	if q := w.words.prelude; q != "" {
		if err := w.store.engine.script(ctx, w.lease.conn, q); err != nil {
			return nil, err
		}
	}
	known, err := w.known(ctx)
	if err != nil {
		return nil, err
	}
	if err := w.store.plan.check(known); err != nil {
		return nil, err
	}
	if len(known) > 0 {
		// Before a migration touches anything: what is there now is not from us.
		if err := w.alone(ctx, func() error { return w.noteTouches(ctx, Edited) }); err != nil {
			return nil, err
		}
	}
	fresh = map[string]bool{}
	for _, s := range w.store.plan.steps {
		if _, done := known[key{s.name, s.file}]; done {
			continue
		}
		if err := w.alone(ctx, func() error { return w.apply(ctx, s) }); err != nil {
			return nil, fmt.Errorf("%s/%s: %w", s.name, s.file, err)
		}
		for _, d := range s.declares {
			fresh[d.table] = true
		}
	}
	return fresh, nil
}

func (w *Writer) apply(ctx context.Context, s step) error {
	if err := w.store.engine.script(ctx, w.lease.conn, s.text); err != nil {
		return err
	}
	_, err := w.run(ctx, `INSERT INTO store_migration (name, file, digest, at) VALUES ($1, $2, $3, $4)`,
		s.name, s.file, s.digest, time.Now().UnixMicro())
	if err != nil || s.name == "store" {
		return err
	}
	return w.noteTouches(ctx, Migrated)
}

// key names an applied file.
type key struct{ name, file string }

// known returns the digests of the applied files.
func (w *Writer) known(ctx context.Context) (map[key]string, error) {
	c, err := w.store.engine.catalog(ctx, rawReader{w.lease.conn})
	if err != nil {
		return nil, err
	}
	known := map[key]string{}
	if !c.has("store_migration") {
		if len(c.tables) > 0 {
			return nil, fmt.Errorf("the database has the table %s, but is not ours; an empty database is needed", c.tables[0].name)
		}
		return known, nil
	}
	rows, err := w.lease.conn.QueryContext(ctx, `SELECT name, file, digest FROM store_migration`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var k key
		var digest string
		if err := rows.Scan(&k.name, &k.file, &digest); err != nil {
			return nil, err
		}
		known[k] = digest
	}
	return known, rows.Err()
}

// check refuses a database that is newer than the binary, and files that were
// changed after they had been applied.
func (p plan) check(known map[key]string) error {
	mine := map[key]bool{}
	for _, s := range p.steps {
		k := key{s.name, s.file}
		mine[k] = true
		if d, done := known[k]; done && d != s.digest {
			return fmt.Errorf("%s/%s was applied with other content (digest %.12s, now %.12s); an applied file must not change",
				s.name, s.file, d, s.digest)
		}
	}
	for k := range known {
		if !mine[k] {
			return fmt.Errorf("the database was written by a newer version of hostward: it knows %s/%s, this version does not; "+
				"install the newer version or restore a backup from before the upgrade", k.name, k.file)
		}
	}
	return nil
}
