package store

import (
	"cmp"
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"sync"
)

// Writer is the only one who writes. It is not safe for concurrent use: the
// bus's loop owns it.
//
// A transaction whose statement failed for a reason beyond the statement (disk
// full, I/O error, connection gone) is broken: every call but Rollback repeats
// the error, since SQLite may have rolled all of it back already and the next
// statement would commit by itself.
//
// A context that ended keeps a statement from starting, but never interrupts
// it: an interrupted statement costs the whole batch, on PostgreSQL the lease.
type Writer struct {
	store  *Store
	lease  *lease
	words  words
	fence  int64
	texts  map[string]error // admitted statements; nil: admitted
	open   bool
	depth  int
	broken error
	dirty  bool // something ran that may have touched objects
	settle bool

	lost    chan struct{}
	losing  sync.Once
	stop    context.CancelFunc
	ended   sync.WaitGroup
	closing sync.Once
	closed  bool
}

// Touch names an object that a changed row belongs to.
type Touch struct{ Kind, ID string }

var errNoTransaction = errors.New("no transaction is open on the writer")

func newWriter(s *Store, l *lease) *Writer {
	ctx, stop := context.WithCancel(context.Background())
	w := &Writer{store: s, lease: l, words: s.engine.words(), texts: map[string]error{},
		lost: make(chan struct{}), stop: stop}
	w.ended.Go(func() {
		if err := l.watch(ctx); err != nil {
			w.lose()
		}
	})
	return w
}

// Fence increases with each acquisition of the lease, by whichever process.
func (w *Writer) Fence() int64 { return w.fence }

// Lost is closed when the lease is lost: no more writes are possible.
func (w *Writer) Lost() <-chan struct{} { return w.lost }

func (w *Writer) lose() { w.losing.Do(func() { close(w.lost) }) }

// Close gives the lease back; an open transaction is rolled back. Idempotent.
func (w *Writer) Close() error {
	var err error
	w.closing.Do(func() {
		w.stop()
		w.ended.Wait()
		w.store.forget(w)
		w.closed = true
		err = w.lease.release()
	})
	return err
}

// Begin opens the transaction and makes sure that the lease is still ours.
func (w *Writer) Begin(ctx context.Context) error {
	if w.closed {
		return fmt.Errorf("the writer is closed: %w", ErrLost)
	}
	if w.open {
		return errors.New("a transaction is already open on the writer")
	}
	if err := w.start(ctx); err != nil {
		return fmt.Errorf("beginning a transaction: %w", err)
	}
	foreign, err := w.admitted(ctx)
	if err == nil && foreign {
		err = w.noteForeign(ctx)
	}
	if err != nil {
		return errors.Join(fmt.Errorf("beginning a transaction: %w", err), w.Rollback(ctx))
	}
	return nil
}

// start opens a transaction without looking at the fence.
func (w *Writer) start(ctx context.Context) error {
	w.broken, w.depth, w.dirty, *w.lease.fault = nil, 0, false, nil
	if _, err := w.run(ctx, w.words.begin); err != nil {
		return err
	}
	w.open = true
	return nil
}

// admitted compares the fence: a lock file deleted by hand or a pooler between
// us and PostgreSQL could have let a second writer in.
func (w *Writer) admitted(ctx context.Context) (foreign bool, err error) {
	var fence int64
	err = w.lease.conn.QueryRowContext(ctx, w.words.admit).Scan(&fence, &foreign)
	if err != nil {
		return false, w.fault(err)
	}
	if fence != w.fence {
		w.lose()
		return false, fmt.Errorf("fence %d is now %d: %w", w.fence, fence, ErrLost)
	}
	return foreign, nil
}

// Commit makes the transaction durable: on return without error it survives a
// crash of the process and of the machine. It refuses while touched objects
// wait to be looked at. On error nothing of it counts, except that after a lost
// connection the outcome is unknown until the database is read again.
func (w *Writer) Commit(ctx context.Context) error {
	if err := w.ready(); err != nil {
		return err
	}
	if err := w.unseen(ctx); err != nil {
		return errors.Join(err, w.Rollback(ctx))
	}
	if err := w.store.engine.commit(context.Background(), w.lease.conn); err != nil {
		return errors.Join(fmt.Errorf("committing: %w", w.fault(err)), w.Rollback(ctx))
	}
	w.open = false
	w.lease.committed()
	if w.settle {
		w.settle = false
		return w.loadWarnings(ctx)
	}
	return nil
}

// unseen finds touches that were not drained by Touched.
func (w *Writer) unseen(ctx context.Context) error {
	if !w.dirty {
		return nil
	}
	var left bool
	if err := w.lease.conn.QueryRowContext(context.Background(), w.words.left).Scan(&left); err != nil {
		return err
	}
	if left {
		ts, err := w.Touched(ctx)
		return errors.Join(fmt.Errorf("not committed: nobody asked which objects were touched: %v", ts), err)
	}
	return nil
}

// Rollback ends the transaction without effect. Without one it does nothing.
func (w *Writer) Rollback(ctx context.Context) error {
	if !w.open {
		return nil
	}
	w.open, w.settle = false, false
	broken := cmp.Or(w.broken, *w.lease.fault)
	w.broken = nil
	// SQLite answers "no transaction is active" when the fault ended it.
	if _, err := w.run(ctx, "ROLLBACK"); err != nil && broken == nil {
		return fmt.Errorf("rolling back: %w", err)
	}
	return nil
}

// Savepoint opens a nested part of the transaction.
func (w *Writer) Savepoint(ctx context.Context) error {
	if err := w.ready(); err != nil {
		return err
	}
	if _, err := w.run(ctx, savepoint("SAVEPOINT", w.depth+1)); err != nil {
		return err
	}
	w.depth++
	return nil
}

// Release keeps what the innermost savepoint did.
func (w *Writer) Release(ctx context.Context) error {
	return w.leave(ctx, "RELEASE SAVEPOINT")
}

// RollbackTo undoes what was done since the innermost savepoint and leaves it.
func (w *Writer) RollbackTo(ctx context.Context) error {
	if err := w.nested(); err != nil {
		return err
	}
	if _, err := w.run(ctx, savepoint("ROLLBACK TO SAVEPOINT", w.depth)); err != nil {
		return err
	}
	w.dirty = true // notes that were drained since are back
	return w.leave(ctx, "RELEASE SAVEPOINT")
}

func (w *Writer) leave(ctx context.Context, verb string) error {
	if err := w.nested(); err != nil {
		return err
	}
	if _, err := w.run(ctx, savepoint(verb, w.depth)); err != nil {
		return err
	}
	w.depth--
	return nil
}

func (w *Writer) nested() error {
	if w.depth == 0 {
		return errors.New("no savepoint is open on the writer")
	}
	return w.ready()
}

func savepoint(verb string, depth int) string { return verb + " s" + strconv.Itoa(depth) }

// Exec runs one INSERT, UPDATE or DELETE and returns the number of rows.
func (w *Writer) Exec(ctx context.Context, q string, args ...any) (int64, error) {
	if err := w.may(ctx, q); err != nil {
		return 0, err
	}
	return w.run(ctx, q, args...)
}

// Query runs one statement that gives rows. Close them before the next call.
func (w *Writer) Query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	if err := w.may(ctx, q); err != nil {
		return nil, err
	}
	rows, err := w.lease.conn.QueryContext(context.Background(), q, args...)
	return rows, w.fault(err)
}

// QueryRow runs one statement that gives at most one row.
func (w *Writer) QueryRow(ctx context.Context, q string, args ...any) *sql.Row {
	if err := w.may(ctx, q); err != nil {
		return failedRow(err)
	}
	row := w.lease.conn.QueryRowContext(context.Background(), q, args...)
	w.fault(row.Err())
	return row
}

// Touched returns the objects touched in this transaction since the last call,
// in order of kind and id, and forgets them.
func (w *Writer) Touched(ctx context.Context) ([]Touch, error) {
	if err := w.ready(); err != nil || !w.dirty {
		return nil, err
	}
	ts, err := w.notes(ctx, w.words.drain)
	if err == nil && len(ts) > 0 && w.words.forget != "" {
		_, err = w.run(ctx, w.words.forget)
	}
	if err != nil {
		return nil, fmt.Errorf("reading the touched objects: %w", err)
	}
	w.dirty = false
	return ts, nil
}

// notes reads kind and id.
func (w *Writer) notes(ctx context.Context, q string) ([]Touch, error) {
	rows, err := w.lease.conn.QueryContext(context.Background(), q)
	if err != nil {
		return nil, w.fault(err)
	}
	defer rows.Close()
	var ts []Touch
	for rows.Next() {
		var t Touch
		if err := rows.Scan(&t.Kind, &t.ID); err != nil {
			return nil, err
		}
		ts = append(ts, t)
	}
	slices.SortFunc(ts, func(a, b Touch) int {
		return strings.Compare(a.Kind+"\x00"+a.ID, b.Kind+"\x00"+b.ID)
	})
	return ts, w.fault(rows.Err())
}

// run executes without asking whether it may.
func (w *Writer) run(ctx context.Context, q string, args ...any) (int64, error) {
	if err := ctx.Err(); err != nil && q != "ROLLBACK" {
		return 0, err
	}
	res, err := w.lease.conn.ExecContext(context.Background(), q, args...)
	if err != nil {
		return 0, w.fault(err)
	}
	return res.RowsAffected()
}

// fault remembers errors after which the transaction cannot go on.
func (w *Writer) fault(err error) error {
	if err == nil || errors.Is(err, sql.ErrNoRows) {
		return err
	}
	if w.lease.gone() {
		w.lose()
		err = fmt.Errorf("%w (%w)", err, ErrLost)
	}
	if w.store.engine.aborts(err) || errors.Is(err, ErrLost) {
		w.broken = err
	}
	return err
}

// ready says whether a statement can run in the transaction.
func (w *Writer) ready() error {
	if !w.open {
		return errNoTransaction
	}
	if err := cmp.Or(w.broken, *w.lease.fault); err != nil {
		return fmt.Errorf("the transaction is broken: %w", err)
	}
	return nil
}
