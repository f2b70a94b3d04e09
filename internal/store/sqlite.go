package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"time"

	"modernc.org/sqlite"
)

// lite is SQLite in one file, written by one process: the lease is a lock on a
// file beside the database.
type lite struct {
	path     string
	readOnly bool
	pool     *sql.DB
}

var _ engine = (*lite)(nil)

// The pragmas. FULL syncs the log at every commit (SPEC 0: nothing
// acknowledged is lost); the caches are small because the system caches the
// file anyway (SPEC Q3); recursive_triggers makes REPLACE fire the delete
// triggers; secure_delete=FAST clears deleted values where that costs no more
// writes (SPEC L5). Checkpoints are the checkpointer's work, the writer's own
// limit is the one that stops the log from growing for ever.
const (
	bothPragmas   = "&_dqs=0&_defensive=1&_pragma=busy_timeout(5000)&_pragma=trusted_schema(0)"
	writerPragmas = "mode=rwc" + bothPragmas +
		"&_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)&_pragma=foreign_keys(1)" +
		"&_pragma=recursive_triggers(1)&_pragma=secure_delete(FAST)&_pragma=temp_store(MEMORY)" +
		"&_pragma=cache_size(-4000)&_pragma=wal_autocheckpoint(16384)&_pragma=journal_size_limit(67108864)"
	readerPragmas = "mode=ro" + bothPragmas + "&_pragma=query_only(1)&_pragma=cache_size(-1000)"
)

// Limits of the reader pool: pages are short, and each connection costs memory.
const (
	mostReaders = 8
	idleReaders = 2
	readerIdle  = time.Minute
)

func newSQLite(c Config) (*lite, error) {
	u, err := url.Parse(c.URL)
	if err != nil {
		return nil, err
	}
	path := u.Host + u.Path + u.Opaque
	if filepath.Separator == '\\' {
		path = strings.TrimPrefix(path, "/") // sqlite:///C:/data/panel.db
	}
	if path == "" || strings.HasSuffix(path, "/") || u.RawQuery != "" {
		return nil, fmt.Errorf("the URL %q names no database file; accepted is sqlite:///path/panel.db", c.URL)
	}
	abs, err := filepath.Abs(filepath.FromSlash(path))
	return &lite{path: abs, readOnly: c.ReadOnly}, err
}

func (l *lite) name() string     { return "sqlite" }
func (l *lite) readers() *sql.DB { return l.pool }

// open creates the file if need be: only its owner may read it, and readers
// need it to be there.
func (l *lite) open(ctx context.Context) error {
	if !l.readOnly {
		if err := os.MkdirAll(filepath.Dir(l.path), 0o700); err != nil {
			return err
		}
		if err := create(l.path); err != nil {
			return err
		}
	}
	// POSIX locks end when anyone in the process closes the file, a backup for
	// example; another process would then clear our log away under us. Where the
	// system has no better ones, or the first lock was taken already, they stay.
	if _, err := sqlite.OFDLocking(true); err != nil && !errors.Is(err, sqlite.ErrOFDLockingUnavailable) && !errors.Is(err, sqlite.ErrOFDLockingTooLate) {
		return err
	}
	return l.openReaders(ctx)
}

// create makes an empty file; one that exists is left alone.
func create(path string) error {
	f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if errors.Is(err, os.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return f.Close()
}

// openReaders falls back to an immutable view when a copy lies in a folder that
// cannot be written and has no log: there WAL's shared memory cannot be made.
func (l *lite) openReaders(ctx context.Context) error {
	err := l.try(ctx, readerPragmas)
	if info, e := os.Stat(l.path + "-wal"); err != nil && l.readOnly && (e != nil || info.Size() == 0) {
		return l.try(ctx, readerPragmas+"&immutable=1")
	}
	return err
}

func (l *lite) try(ctx context.Context, pragmas string) error {
	db, err := l.connect(pragmas, 64)
	if err != nil {
		return err
	}
	db.SetMaxOpenConns(mostReaders)
	db.SetMaxIdleConns(idleReaders)
	db.SetConnMaxIdleTime(readerIdle)
	var n int
	if err := db.QueryRowContext(ctx, `SELECT count(*) FROM sqlite_schema`).Scan(&n); err != nil {
		db.Close()
		return fmt.Errorf("%s: %w", l.path, err)
	}
	l.pool = db
	return nil
}

// connect makes a pool whose connections keep up to cached statements prepared.
func (l *lite) connect(pragmas string, cached int) (*sql.DB, error) {
	path := filepath.ToSlash(l.path)
	if !strings.HasPrefix(path, "/") {
		path = "/" + path
	}
	u := url.URL{Scheme: "file", Path: path}
	c, err := sqlite.NewConnector(u.String() + "?" + pragmas)
	if err != nil {
		return nil, err
	}
	return sql.OpenDB(caching{Connector: c, most: cached}), nil
}

func (l *lite) close() error {
	if l.pool == nil {
		return nil
	}
	return l.pool.Close()
}

// scrub copies the database into its log and from there over the old file, which
// leaves the log empty.
func (l *lite) scrub(ctx context.Context) error {
	db, err := l.connect(writerPragmas+"&_pragma=secure_delete(ON)", 2)
	if err != nil {
		return err
	}
	defer db.Close()
	db.SetMaxOpenConns(1)
	if _, err := db.ExecContext(ctx, `VACUUM`); err != nil {
		return err
	}
	var busy, log, done int
	if err := db.QueryRowContext(ctx, `PRAGMA wal_checkpoint(TRUNCATE)`).Scan(&busy, &log, &done); err != nil {
		return err
	}
	if busy != 0 {
		return errors.New("the database is being read, so that its log could not be emptied")
	}
	return nil
}

func (l *lite) lockPath() string {
	return strings.TrimSuffix(l.path, filepath.Ext(l.path)) + ".lock"
}

func (l *lite) holder(context.Context) string {
	f, held, err := tryLock(l.lockPath(), false)
	if err == nil && held {
		f.Close()
		return ""
	}
	return readHolder(l.lockPath())
}

// readHolder returns what the holder wrote into the file.
func readHolder(path string) string {
	b, err := os.ReadFile(path)
	if err != nil {
		return "another process"
	}
	return strings.TrimSpace(string(b))
}

// standbyPoll is how often a standby looks whether the lease is free: a
// blocking lock could not be given up when ctx ends.
const standbyPoll = 100 * time.Millisecond

func (l *lite) lease(ctx context.Context, wait bool) (*lease, error) {
	for {
		f, held, err := tryLock(l.lockPath(), true)
		if err != nil {
			return nil, fmt.Errorf("locking %s: %w", l.lockPath(), err)
		}
		if held {
			return l.take(ctx, f)
		}
		if !wait {
			return nil, nil
		}
		select {
		case <-ctx.Done():
			return nil, ctx.Err()
		case <-time.After(standbyPoll):
		}
	}
}

// take opens the writer's connection under the lock in f.
func (l *lite) take(ctx context.Context, f *os.File) (*lease, error) {
	db, conn, err := l.pinned(ctx)
	if err == nil {
		err = sign(f)
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	cp := newCheckpointer(l)
	var fault *error
	if err := conn.Raw(func(dc any) error { fault = &dc.(*cachingConn).fault; return nil }); err != nil {
		return nil, err
	}
	return &lease{
		conn:      conn,
		fault:     fault,
		watch:     cp.run,
		gone:      func() bool { return false },
		committed: cp.poke,
		release: func() error {
			// The file stays: removing it would let two processes lock two files.
			return errors.Join(done(conn.Close()), db.Close(), f.Truncate(0), f.Close())
		},
	}, nil
}

// sign writes into the lock file who holds it.
func sign(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := f.WriteAt([]byte(self()+"\n"), 0)
	return err
}

func (l *lite) pinned(ctx context.Context) (*sql.DB, *sql.Conn, error) {
	db, err := l.connect(writerPragmas, 256)
	if err != nil {
		return nil, nil, err
	}
	db.SetMaxOpenConns(1)
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, nil, errors.Join(fmt.Errorf("%s: %w", l.path, err), db.Close())
	}
	return db, conn, nil
}

// script runs text on the driver itself, past the statement cache.
func (l *lite) script(ctx context.Context, c *sql.Conn, text string) error {
	return c.Raw(func(dc any) error {
		_, err := dc.(*cachingConn).raw.ExecContext(ctx, text, nil)
		return err
	})
}

func (l *lite) commit(ctx context.Context, c *sql.Conn) error {
	_, err := c.ExecContext(ctx, "COMMIT")
	return err
}

// liteAborts: all but faults of the statement itself may have rolled the whole
// transaction back, https://www.sqlite.org/lang_transaction.html section 3.
func liteAborts(err error) bool {
	switch sqliteCode(err) & 0xff {
	case 0, 1, sqliteConstraint, 18, 20, 25: // none, ERROR, TOOBIG, MISMATCH, RANGE
		return false
	}
	return true
}

func (l *lite) aborts(err error) bool { return liteAborts(err) }

func (l *lite) words() words {
	return words{
		begin:    "BEGIN IMMEDIATE",
		snapshot: []string{"BEGIN", "SELECT 1 FROM sqlite_schema LIMIT 1"},
		admit:    "SELECT fence, EXISTS (SELECT 1 FROM store_touched) FROM store_lease",
		drain:    "SELECT kind, id FROM store_touched", // DELETE … RETURNING takes five times as long
		forget:   "DELETE FROM store_touched",
		left:     "SELECT EXISTS (SELECT 1 FROM store_touched)",
	}
}

func (l *lite) catalog(ctx context.Context, r Reader) (catalog, error) {
	var c catalog
	rows, err := r.Query(ctx, `SELECT l.name, l.type FROM pragma_table_list AS l
		WHERE l.schema = 'main' AND l.type <> 'view' AND l.name NOT LIKE 'sqlite\_%' ESCAPE '\' ORDER BY length(l.name), l.name`)
	if err != nil {
		return c, err
	}
	defer rows.Close()
	var virtual []string
	for rows.Next() {
		var name, kind string
		if err := rows.Scan(&name, &kind); err != nil {
			return c, err
		}
		t := table{name: name}
		switch kind {
		case "virtual":
			virtual = append(virtual, name)
		case "shadow":
			t.shadow = shadowOf(name, virtual)
		}
		c.tables = append(c.tables, t)
	}
	if err := rows.Err(); err != nil {
		return c, err
	}
	c.triggers, err = l.found(ctx, r)
	return c, err
}

// shadowOf returns the virtual table that keeps its data in the shadow table.
func shadowOf(name string, virtual []string) string {
	for _, v := range virtual {
		if strings.HasPrefix(name, v+"_") {
			return v
		}
	}
	return ""
}

func (l *lite) found(ctx context.Context, r Reader) ([]trigger, error) {
	rows, err := r.Query(ctx, `SELECT tbl_name, name, sql FROM sqlite_schema WHERE type = 'trigger' ORDER BY name`)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ts []trigger
	for rows.Next() {
		var t trigger
		if err := rows.Scan(&t.table, &t.name, &t.text); err != nil {
			return nil, err
		}
		ts = append(ts, t)
	}
	return ts, rows.Err()
}

// triggers note the object of each changed row; an update that moves a row
// notes both. A null id becomes ”, which no event can name, so that it cannot
// pass unseen.
func (l *lite) triggers(d declaration) []trigger {
	if d.frame || d.gone {
		return nil
	}
	note := func(row string) string {
		return fmt.Sprintf("INSERT INTO store_touched (kind, id) VALUES ('%s', coalesce(CAST(%s.%s AS TEXT), '')) ON CONFLICT DO NOTHING;", d.kind, row, d.id)
	}
	moved := fmt.Sprintf(" WHEN OLD.%s IS NOT NEW.%s", d.id, d.id)
	return []trigger{
		liteTrigger(d.table, "insert", "AFTER INSERT", "", note("NEW")),
		liteTrigger(d.table, "update", "AFTER UPDATE", "", note("NEW")),
		liteTrigger(d.table, "move", "AFTER UPDATE", moved, note("OLD")),
		liteTrigger(d.table, "delete", "AFTER DELETE", "", note("OLD")),
	}
}

func liteTrigger(table, event, when, condition, body string) trigger {
	name := "store_touch_" + table + "_" + event
	text := fmt.Sprintf("CREATE TRIGGER %s %s ON %s%s BEGIN %s END", name, when, table, condition, body)
	return trigger{table: table, name: name, text: text, create: "DROP TRIGGER IF EXISTS " + name + ";\n" + text + ";"}
}
