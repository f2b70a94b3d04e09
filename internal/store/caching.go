package store

import (
	"context"
	"database/sql/driver"
	"io"
)

// caching makes SQLite connections that keep their statements prepared, keyed
// by text. It sits below database/sql because there a prepared statement costs
// more than SQLite needs to run it, and above the driver, which keeps none.
type caching struct {
	driver.Connector
	most int // statements per connection
}

// raw is what we use of the driver's connection.
type raw interface {
	driver.Conn
	driver.ConnPrepareContext
	driver.ConnBeginTx
	driver.ExecerContext
	driver.QueryerContext
	driver.Pinger
	driver.SessionResetter
	driver.Validator
}

type cachingConn struct {
	raw
	most  int
	stmts map[string]*cached
	fault error // what ended the transaction, or may have
}

// cached is one prepared statement; busy while its rows are open.
type cached struct {
	driver.Stmt
	busy bool
}

// Connect opens one connection.
func (c caching) Connect(ctx context.Context) (driver.Conn, error) {
	dc, err := c.Connector.Connect(ctx)
	if err != nil {
		return nil, err
	}
	return &cachingConn{raw: dc.(raw), most: c.most, stmts: map[string]*cached{}}, nil
}

// ExecContext runs the prepared statement for q.
func (c *cachingConn) ExecContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Result, error) {
	s, err := c.stmt(ctx, q)
	if err != nil {
		return nil, err
	}
	if s.busy {
		res, err := c.raw.ExecContext(ctx, q, args)
		return res, c.note(err)
	}
	res, err := s.Stmt.(driver.StmtExecContext).ExecContext(ctx, args)
	return res, c.note(err)
}

// note remembers a fault that ends a transaction, wherever it comes up: also in
// the middle of rows, where the Writer would not see it.
func (c *cachingConn) note(err error) error {
	if err != nil && liteAborts(err) {
		c.fault = err
	}
	return err
}

// QueryContext runs the prepared statement for q. One whose rows are still
// open is not shared: SQLite would start it over.
func (c *cachingConn) QueryContext(ctx context.Context, q string, args []driver.NamedValue) (driver.Rows, error) {
	s, err := c.stmt(ctx, q)
	if err != nil {
		return nil, err
	}
	if s.busy {
		rows, err := c.raw.QueryContext(ctx, q, args)
		return rows, c.note(err)
	}
	rows, err := s.Stmt.(driver.StmtQueryContext).QueryContext(ctx, args)
	if err != nil {
		return nil, c.note(err)
	}
	s.busy = true
	return &cachedRows{Rows: rows, of: s, conn: c}, nil
}

func (c *cachingConn) stmt(ctx context.Context, q string) (*cached, error) {
	if s := c.stmts[q]; s != nil {
		return s, nil
	}
	ds, err := c.raw.PrepareContext(ctx, positional(q))
	if err != nil {
		return nil, err
	}
	if len(c.stmts) >= c.most {
		c.evict()
	}
	s := &cached{Stmt: ds}
	c.stmts[q] = s
	return s, nil
}

// evict drops any statement that is not in use; texts are constants, so the
// cache fills up only where the limit is too low, and fairness does not matter.
func (c *cachingConn) evict() {
	for q, s := range c.stmts {
		if !s.busy {
			s.Close()
			delete(c.stmts, q)
			return
		}
	}
}

// Close closes the statements and the connection.
func (c *cachingConn) Close() error {
	for _, s := range c.stmts {
		s.Close()
	}
	clear(c.stmts)
	return c.raw.Close()
}

type cachedRows struct {
	driver.Rows
	of   *cached
	conn *cachingConn
}

func (r *cachedRows) Next(dest []driver.Value) error {
	err := r.Rows.Next(dest)
	if err != nil && err != io.EOF {
		r.conn.note(err)
	}
	return err
}

func (r *cachedRows) Close() error {
	r.of.busy = false
	return r.Rows.Close()
}
