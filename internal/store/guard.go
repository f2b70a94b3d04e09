package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strings"
)

// catalog is what the database really has.
type catalog struct {
	tables   []table
	triggers []trigger
	foreign  []string // anything else that acts on its own, such as rules
}

// table is a table of the database; shadow names the virtual table that keeps
// its data in it.
type table struct{ name, shadow string }

// trigger is compared by text: what the database says it is, and what it must be.
type trigger struct {
	table, name string
	text        string
	create      string // script that (re)creates it; only of those we want
}

func (c catalog) has(name string) bool {
	return slices.ContainsFunc(c.tables, func(t table) bool { return t.name == name })
}

// guard makes sure that no row can change unseen (SPEC L1): every table is
// declared, every declared table has its triggers, and there are no others.
// What had to be repaired becomes a Warning, except on fresh tables.
func (w *Writer) guard(ctx context.Context, fresh map[string]bool) error {
	c, err := w.store.engine.catalog(ctx, rawReader{w.lease.conn})
	if err != nil {
		return err
	}
	if err := w.store.plan.undeclared(c); err != nil {
		return err
	}
	return w.repair(ctx, c, fresh)
}

// undeclared names everything that is not accounted for, all at once.
func (p plan) undeclared(c catalog) error {
	var faults []error
	for _, t := range c.tables {
		d, ok := p.declared[t.name]
		if shadow := p.declared[t.shadow]; shadow.frame && !ok {
			continue
		}
		if !ok || d.gone {
			faults = append(faults, fmt.Errorf("the table %s is not declared: its migration needs a line `-- object: table=%s kind=… id=…`", t.name, t.name))
		}
	}
	for name, d := range p.declared {
		if !d.gone && !c.has(name) {
			faults = append(faults, fmt.Errorf("the table %s is declared, but the database does not have it", name))
		}
	}
	for _, f := range c.foreign {
		faults = append(faults, fmt.Errorf("%s is not ours", f))
	}
	slices.SortFunc(faults, func(a, b error) int { return strings.Compare(a.Error(), b.Error()) })
	return errors.Join(faults...)
}

// repair creates what is missing or altered and refuses what is not ours.
func (w *Writer) repair(ctx context.Context, c catalog, fresh map[string]bool) error {
	found := map[string]string{}
	for _, t := range c.triggers {
		found[t.table+"."+t.name] = t.text
	}
	for _, d := range w.store.plan.declared {
		if err := w.identified(ctx, d); err != nil {
			return err
		}
		for _, want := range w.store.engine.triggers(d) {
			text, ok := found[want.table+"."+want.name]
			delete(found, want.table+"."+want.name)
			if ok && text == want.text {
				continue
			}
			if err := w.recreate(ctx, want, ok, fresh[d.table]); err != nil {
				return err
			}
		}
	}
	for name := range found {
		return fmt.Errorf("the trigger %s is not ours; drop it, or declare what it does in a migration of hostward", name)
	}
	return nil
}

// identified makes sure that the column exists: PostgreSQL would notice only
// when the first row is written.
func (w *Writer) identified(ctx context.Context, d declaration) error {
	if d.frame || d.gone {
		return nil
	}
	q := fmt.Sprintf("SELECT %s FROM %s WHERE false", d.id, d.table)
	if err := w.store.engine.script(ctx, w.lease.conn, q); err != nil {
		return fmt.Errorf("the table %s is declared with id=%s: %w", d.table, d.id, err)
	}
	return nil
}

func (w *Writer) recreate(ctx context.Context, t trigger, altered, fresh bool) error {
	if err := w.store.engine.script(ctx, w.lease.conn, t.create); err != nil {
		return fmt.Errorf("trigger %s: %w", t.name, err)
	}
	if fresh {
		return nil
	}
	how := "was missing"
	if altered {
		how = "was altered"
	}
	return w.warn(ctx, Trigger, Touch{"table", t.table}, fmt.Sprintf("the trigger %s %s and has been restored", t.name, how))
}

// rawReader reads past the writer's rules, for the store's own questions.
type rawReader struct{ c *sql.Conn }

func (r rawReader) Query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return r.c.QueryContext(ctx, q, args...)
}

func (r rawReader) QueryRow(ctx context.Context, q string, args ...any) *sql.Row {
	return r.c.QueryRowContext(ctx, q, args...)
}

type scanner func(dest ...any) error

// each runs f for every row.
func each(ctx context.Context, r Reader, q string, f func(scan scanner) error) error {
	rows, err := r.Query(ctx, q)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		if err := f(rows.Scan); err != nil {
			return err
		}
	}
	return rows.Err()
}
