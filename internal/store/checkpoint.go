package store

import (
	"context"
	"database/sql"
)

// checkpointer copies SQLite's log into the database file beside the writer, on
// a connection of its own, so that a commit need not wait for it. The writer
// does so itself only when the log reaches its limit, and finds little left.
type checkpointer struct {
	lite  *lite
	pokes chan struct{}
}

// checkpointPages is how many pages of log are worth a checkpoint (4 MB).
const checkpointPages = 1000

func newCheckpointer(l *lite) *checkpointer {
	return &checkpointer{lite: l, pokes: make(chan struct{}, 1)}
}

// poke says that something was committed.
func (c *checkpointer) poke() {
	select {
	case c.pokes <- struct{}{}:
	default:
	}
}

// run checkpoints until ctx ends. An error is not the end: the writer's limit
// remains, and the next poke tries again.
func (c *checkpointer) run(ctx context.Context) error {
	db, err := c.lite.connect(writerPragmas, 2)
	if err != nil {
		return nil
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-c.pokes:
			c.copy(db)
		}
	}
}

// copy runs a passive checkpoint when the log has grown enough.
func (c *checkpointer) copy(db *sql.DB) {
	if busy, log, done := checkpoint(db, "NOOP"); busy == 0 && log-done >= checkpointPages {
		checkpoint(db, "PASSIVE")
	}
}

// checkpoint returns whether it was blocked, the pages in the log and how many
// of them are in the database file; zeros on error.
func checkpoint(db *sql.DB, mode string) (busy, log, done int) {
	if err := db.QueryRow("PRAGMA wal_checkpoint("+mode+")").Scan(&busy, &log, &done); err != nil {
		return 0, 0, 0
	}
	return busy, log, done
}
