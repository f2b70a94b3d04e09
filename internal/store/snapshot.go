package store

import (
	"context"
	"database/sql"
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
	if _, err := conn.ExecContext(ctx, s.engine.words().snapshot); err != nil {
		conn.Close()
		return nil, fmt.Errorf("taking a snapshot: %w", err)
	}
	return &Snapshot{conn: conn}, nil
}

// Query runs one reading statement.
func (s *Snapshot) Query(ctx context.Context, q string, args ...any) (*sql.Rows, error) {
	return s.conn.QueryContext(ctx, q, args...)
}

// QueryRow runs one reading statement that gives at most one row.
func (s *Snapshot) QueryRow(ctx context.Context, q string, args ...any) *sql.Row {
	return s.conn.QueryRowContext(ctx, q, args...)
}

// Close ends the snapshot; further calls do nothing.
func (s *Snapshot) Close() error {
	if _, err := s.conn.ExecContext(context.Background(), "ROLLBACK"); err == sql.ErrConnDone {
		return nil
	}
	return s.conn.Close()
}
