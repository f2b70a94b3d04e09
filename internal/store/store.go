package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"io/fs"
	"sync"
)

// Config says which database to open and what belongs into it.
type Config struct {
	// URL is "sqlite:///path/panel.db" or "postgres://user@host/name?…".
	URL string
	// Migrations in the order in which they are applied.
	Migrations []Migration
	// ReadOnly opens for reading only: no migration, no lock, nothing is
	// created. For offline verification.
	ReadOnly bool
}

// Migration is the schema of one feature: FS has the folder "sql" with files
// NNNN_x.sql (both engines), NNNN_x.sqlite.sql and NNNN_x.postgres.sql, which
// are applied in the order of their names, each in one transaction, each once.
type Migration struct {
	Name string // "ledger", "act", "zone"
	FS   fs.FS
}

// Store is an open database. Safe for concurrent use.
type Store struct {
	config  Config
	engine  engine
	plan    plan
	mu      sync.Mutex
	writer  *Writer
	warning []Warning
}

// Reader answers queries: a Snapshot, or the Writer inside its transaction.
type Reader interface {
	Query(ctx context.Context, q string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, q string, args ...any) *sql.Row
}

var (
	_ Reader = (*Snapshot)(nil)
	_ Reader = (*Writer)(nil)
)

// ErrLost is in the chain of every error of a Writer whose lease is gone.
var ErrLost = errors.New("the lease on the database is lost; this process writes no more")

// ErrReadOnly answers Acquire on a store opened with ReadOnly.
var ErrReadOnly = errors.New("the database was opened for reading only")

// Open opens the readers and checks the migrations' files and directives. It
// neither takes the lease nor changes the database's content.
func Open(ctx context.Context, c Config) (*Store, error) {
	e, err := newEngine(c)
	if err != nil {
		return nil, fmt.Errorf("opening the database: %w", err)
	}
	p, err := newPlan(e.name(), c.Migrations)
	if err != nil {
		return nil, errors.Join(err, e.close())
	}
	if err := e.open(ctx); err != nil {
		return nil, errors.Join(fmt.Errorf("opening the database: %w", err), e.close())
	}
	return &Store{config: c, engine: e, plan: p}, nil
}

// Engine is "sqlite" or "postgres".
func (s *Store) Engine() string { return s.engine.name() }

// Holder says who has the lease, for a message to people; "" when nobody has.
func (s *Store) Holder(ctx context.Context) string { return s.engine.holder(ctx) }

// Acquire waits until no other process holds the lease, migrates, and returns
// the only Writer. It returns early only when ctx ends or the database refuses.
func (s *Store) Acquire(ctx context.Context) (*Writer, error) {
	w, _, err := s.acquire(ctx, true)
	return w, err
}

// TryAcquire is Acquire that answers false at once when another process holds
// the lease.
func (s *Store) TryAcquire(ctx context.Context) (*Writer, bool, error) {
	return s.acquire(ctx, false)
}

func (s *Store) acquire(ctx context.Context, wait bool) (*Writer, bool, error) {
	if s.config.ReadOnly {
		return nil, false, ErrReadOnly
	}
	if s.current() != nil {
		return nil, false, errors.New("this store already has its writer")
	}
	l, err := s.engine.lease(ctx, wait)
	if err != nil || l == nil {
		return nil, false, err
	}
	w := newWriter(s, l)
	if err := w.prepare(ctx); err != nil {
		return nil, false, errors.Join(err, w.Close())
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writer = w
	return w, true, nil
}

func (s *Store) current() *Writer {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writer
}

func (s *Store) forget(w *Writer) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.writer == w {
		s.writer = nil
	}
}

// Scrub writes the database anew, so that nothing that was deleted or replaced is
// left in its files: for values that should never have been in them. It waits for
// no reader and takes time and room like a copy. On PostgreSQL the server's own
// log (WAL) keeps what it holds until the server recycles it.
func (s *Store) Scrub(ctx context.Context) error { return s.engine.scrub(ctx) }

// Close gives the lease back and closes every connection.
func (s *Store) Close() error {
	var err error
	if w := s.current(); w != nil {
		err = w.Close()
	}
	return errors.Join(err, s.engine.close())
}
