package store

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"errors"
	"fmt"
)

// Snapshot sees the database as it was when it was taken, whatever is written
// meanwhile, and cannot write. Close it soon: an open snapshot keeps SQLite's
// log and PostgreSQL's dead rows from being cleared.
type Snapshot struct {
	conn *sql.Conn
}

// Snapshot takes one. It waits for a free connection until ctx ends.
func (s *Store) Snapshot(ctx context.Context) (*Snapshot, error) {
	conn, err := s.engine.readers().Conn(ctx)
	if err != nil {
		return nil, fmt.Errorf("taking a snapshot: %w", err)
	}
	snap := &Snapshot{conn: conn}
	for _, q := range s.engine.words().snapshot {
		if _, err := conn.ExecContext(ctx, q); err != nil {
			return nil, errors.Join(fmt.Errorf("taking a snapshot: %w", err), snap.Close())
		}
	}
	return snap, nil
}

// Query runs one reading statement.
func (s *Snapshot) Query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return s.conn.QueryContext(ctx, q, args...)
}

// QueryRow runs one reading statement that gives at most one row.
func (s *Snapshot) QueryRow(ctx context.Context, q string, args ...any) *sql.Row {
	return s.conn.QueryRowContext(ctx, q, args...)
}

// Close ends the snapshot; further calls do nothing. A connection that cannot be
// rolled back is thrown away, so that no later snapshot inherits this one.
func (s *Snapshot) Close() error {
	_, err := s.conn.ExecContext(context.Background(), "ROLLBACK")
	if errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	if err != nil {
		s.conn.Raw(func(any) error { return driver.ErrBadConn })
	}
	return done(s.conn.Close())
}

// done takes "closed already" for success.
func done(err error) error {
	if errors.Is(err, sql.ErrConnDone) {
		return nil
	}
	return err
}
