package store

import (
	"context"
	"database/sql"
	"fmt"
	"strings"
)

// engine is what differs between SQLite and PostgreSQL, and nothing else.
type engine interface {
	name() string
	open(ctx context.Context) error
	close() error
	readers() *sql.DB
	// holder describes the lease's holder, "" for none.
	holder(ctx context.Context) string
	// lease takes the exclusive lease; nil without error: another has it.
	lease(ctx context.Context, wait bool) (*lease, error)
	// script runs several statements in one go, inside the open transaction.
	script(ctx context.Context, c *sql.Conn, text string) error
	// commit fails when the database rolled back instead.
	commit(ctx context.Context, c *sql.Conn) error
	// aborts says that err has ended, or may have ended, the transaction.
	aborts(err error) bool
	words() words
	catalog(ctx context.Context, r Reader) (catalog, error)
	// scrub writes every table anew, without what was deleted or replaced.
	scrub(ctx context.Context) error
	// triggers that a declared table must have.
	triggers(d declaration) []trigger
}

// words are the statements whose text differs.
type words struct {
	prelude  string // before any migration
	begin    string
	snapshot []string // opens a snapshot and fixes its moment
	admit    string   // the fence, and whether somebody else touched objects
	drain    string   // our own touches
	forget   string   // what drain leaves behind; "" where it does so itself
	left     string   // whether own touches are left
}

// lease is the exclusive right to write, bound to the writer's connection.
type lease struct {
	conn *sql.Conn
	// fault is what ended the transaction under the writer, if anything did.
	fault *error
	// watch reports the loss of the connection; it returns when ctx ends.
	watch func(ctx context.Context) error
	// gone says that the connection is closed for good.
	gone func() bool
	// committed is called after each commit; must not block.
	committed func()
	// release closes the connection and gives the lease back.
	release func() error
}

// newEngine chooses by the URL's scheme.
func newEngine(c Config) (engine, error) {
	scheme, _, _ := strings.Cut(c.URL, ":")
	switch scheme {
	case "sqlite":
		return newSQLite(c)
	case "postgres", "postgresql":
		return newPostgres(c)
	}
	return nil, fmt.Errorf("the database URL begins with %q; accepted are sqlite:///path/panel.db and postgres://user@host/name", scheme)
}
