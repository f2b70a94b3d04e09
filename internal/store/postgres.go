package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/stdlib"
)

// post is PostgreSQL: the lease is an advisory lock of the writer's own
// session, so that who loses the connection loses the lease with it.
type post struct {
	config *pgx.ConnConfig
	pool   *sql.DB
}

var _ engine = (*post)(nil)

// leaseKey is the advisory lock: "hostward" in ASCII.
const leaseKey = 0x686f737477617264

// A dead peer is noticed within some 11 s by either side: the server then frees
// the lock for the standby, the client stops.
const (
	probeIdle  = 5 * time.Second
	probeEvery = 2 * time.Second
	probes     = 3
	pingEvery  = time.Second
	pingLimit  = 5 * time.Second
)

// sessionSettings of the writer. None of them can be weakened by the server's
// or the role's defaults; the tcp_ ones are ignored on Unix sockets.
const sessionSettings = `SET synchronous_commit = on; SET idle_in_transaction_session_timeout = 0;
	SET statement_timeout = 0; SET lock_timeout = '10s';
	SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3;
	SET tcp_user_timeout = 11000`

func newPostgres(c Config) (*post, error) {
	config, err := pgx.ParseConfig(c.URL)
	if err != nil {
		return nil, err
	}
	config.DialFunc = (&net.Dialer{
		Timeout:         10 * time.Second,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: probeIdle, Interval: probeEvery, Count: probes},
		Control:         userTimeout,
	}).DialContext
	if config.RuntimeParams["application_name"] == "" {
		config.RuntimeParams["application_name"] = "hostward"
	}
	return &post{config: config}, nil
}

func (p *post) name() string     { return "postgres" }
func (p *post) readers() *sql.DB { return p.pool }

func (p *post) open(ctx context.Context) error {
	p.pool = stdlib.OpenDB(*p.config.Copy())
	p.pool.SetMaxOpenConns(mostReaders)
	p.pool.SetMaxIdleConns(idleReaders)
	p.pool.SetConnMaxIdleTime(readerIdle)
	return p.pool.PingContext(ctx)
}

func (p *post) close() error {
	if p.pool == nil {
		return nil
	}
	return p.pool.Close()
}

func (p *post) scrub(ctx context.Context) error {
	_, err := p.pool.ExecContext(ctx, `VACUUM (FULL)`)
	return err
}

func (p *post) holder(ctx context.Context) string {
	const q = `SELECT coalesce(l.holder, 'another process') FROM pg_locks AS k LEFT JOIN store_lease AS l ON true
		WHERE k.locktype = 'advisory' AND k.granted AND k.database = (SELECT oid FROM pg_database WHERE datname = current_database())
		AND (k.classid::bigint << 32 | k.objid::bigint) = $1`
	var who string
	if err := p.pool.QueryRowContext(ctx, q, int64(leaseKey)).Scan(&who); err != nil {
		return ""
	}
	return who
}

// lease asks again and again rather than waiting in the server, where a waiting
// statement would keep dead rows from being cleared. Once connected, a standby
// outlives restarts of the server.
func (p *post) lease(ctx context.Context, wait bool) (*lease, error) {
	db := stdlib.OpenDB(*p.config.Copy())
	db.SetMaxOpenConns(1)
	conn, err := p.locked(ctx, db)
	for first := true; conn == nil && wait; first = false {
		if err != nil && (first || ctx.Err() != nil) {
			break
		}
		select {
		case <-ctx.Done():
		case <-time.After(standbyPoll):
		}
		conn, err = p.locked(ctx, db)
	}
	if conn == nil {
		return nil, errors.Join(err, db.Close())
	}
	return p.take(ctx, db, conn)
}

// locked returns a connection whose session has the lock; nil without error:
// another has it.
func (p *post) locked(ctx context.Context, db *sql.DB) (*sql.Conn, error) {
	conn, err := db.Conn(ctx)
	if err != nil {
		return nil, err
	}
	var held bool
	err = conn.QueryRowContext(ctx, "SELECT pg_try_advisory_lock($1)", int64(leaseKey)).Scan(&held)
	if held && err == nil {
		return conn, nil
	}
	conn.Close()
	if e, ok := errors.AsType[*pgconn.PgError](err); ok && strings.HasPrefix(e.Code, "57P") {
		return nil, nil // the server ended the session: it restarts, or somebody cut us off; ask again
	}
	return nil, err
}

// take makes the session that has the lock the writer's own.
func (p *post) take(ctx context.Context, db *sql.DB, conn *sql.Conn) (*lease, error) {
	release := func() error { return errors.Join(done(conn.Close()), db.Close()) }
	if _, err := conn.ExecContext(ctx, sessionSettings); err != nil {
		return nil, errors.Join(err, release())
	}
	var used atomic.Bool
	return &lease{
		conn:      conn,
		fault:     new(error), // the server refuses everything after a fault by itself
		watch:     func(ctx context.Context) error { return p.watch(ctx, conn, &used) },
		gone:      func() bool { return onPgx(conn, alive) != nil },
		committed: func() { used.Store(true) },
		release:   release,
	}, nil
}

// watch pings while nothing is committed. The connection's own lock, which
// database/sql holds in Raw and in every call, keeps the two apart.
func (p *post) watch(ctx context.Context, conn *sql.Conn, used *atomic.Bool) error {
	tick := time.NewTicker(pingEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
		if used.Swap(false) {
			continue
		}
		if err := onPgx(conn, ping); err != nil {
			return err
		}
	}
}

func ping(pc *pgx.Conn) error {
	if pc.PgConn().IsBusy() { // rows are open: the next read will tell
		return alive(pc)
	}
	ctx, cancel := context.WithTimeout(context.Background(), pingLimit)
	defer cancel()
	return pc.Ping(ctx)
}

func alive(pc *pgx.Conn) error {
	if pc.IsClosed() {
		return ErrLost
	}
	return nil
}

func (p *post) script(ctx context.Context, c *sql.Conn, text string) error {
	return onPgx(c, func(pc *pgx.Conn) error {
		_, err := pc.PgConn().Exec(ctx, text).ReadAll()
		return err
	})
}

// commit looks at the server's answer: a failed transaction is rolled back by
// COMMIT without an error.
func (p *post) commit(ctx context.Context, c *sql.Conn) error {
	return onPgx(c, func(pc *pgx.Conn) error {
		tag, err := pc.Exec(ctx, "COMMIT")
		if err == nil && tag.String() != "COMMIT" {
			return fmt.Errorf("the server answered %s", tag)
		}
		return err
	})
}

func onPgx(c *sql.Conn, f func(*pgx.Conn) error) error {
	return c.Raw(func(dc any) error { return f(dc.(*stdlib.Conn).Conn()) })
}

// aborts: after other errors a savepoint can be gone back to.
func (p *post) aborts(err error) bool {
	e, ok := errors.AsType[*pgconn.PgError](err)
	return ok && (e.Severity == "FATAL" || e.Severity == "PANIC")
}

func (p *post) words() words {
	const mine = "FROM store_touched WHERE tx = pg_current_xact_id()::text::bigint"
	return words{
		prelude: `DO $$ BEGIN
			IF to_regtype('blob') IS NULL THEN CREATE DOMAIN blob AS bytea; END IF;
			END $$`,
		begin:    "BEGIN ISOLATION LEVEL READ COMMITTED READ WRITE",
		snapshot: []string{"BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1"},
		admit:    "SELECT fence, EXISTS (SELECT 1 FROM store_touched) FROM store_lease FOR SHARE",
		drain:    "DELETE " + mine + " RETURNING kind, id",
		left:     "SELECT EXISTS (SELECT 1 " + mine + ")",
	}
}

// catalog looks at every schema: what lies elsewhere in the same database could
// be written unseen as well.
func (p *post) catalog(ctx context.Context, r Reader) (catalog, error) {
	var c catalog
	err := each(ctx, r, `SELECT CASE WHEN n.nspname = current_schema() THEN c.relname ELSE n.nspname || '.' || c.relname END
		FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
		WHERE c.relkind IN ('r', 'p', 'f') AND n.nspname NOT IN ('pg_catalog', 'information_schema') AND n.nspname NOT LIKE 'pg\_%'
		ORDER BY 1`, func(scan scanner) error {
		var t table
		err := scan(&t.name)
		c.tables = append(c.tables, t)
		return err
	})
	if err != nil {
		return c, err
	}
	err = each(ctx, r, `SELECT schemaname || '.' || tablename || ': the rule ' || rulename FROM pg_rules
		WHERE schemaname NOT IN ('pg_catalog', 'information_schema') ORDER BY 1`, func(scan scanner) error {
		var rule string
		err := scan(&rule)
		c.foreign = append(c.foreign, rule)
		return err
	})
	if err != nil {
		return c, err
	}
	c.triggers, err = p.found(ctx, r)
	return c, err
}

// found describes each trigger by everything that says what it does.
func (p *post) found(ctx context.Context, r Reader) ([]trigger, error) {
	var ts []trigger
	err := each(ctx, r, `SELECT c.relname, t.tgname, `+fingerprint+` FROM pg_trigger AS t
		JOIN pg_class AS c ON c.oid = t.tgrelid JOIN pg_proc AS f ON f.oid = t.tgfoid JOIN pg_language AS l ON l.oid = f.prolang
		WHERE NOT t.tgisinternal ORDER BY 1, 2`, func(scan scanner) error {
		var t trigger
		err := scan(&t.table, &t.name, &t.text)
		ts = append(ts, t)
		return err
	})
	return ts, err
}

// fingerprint: tgtype is a set of bits, 'A' means that the trigger fires even
// under session_replication_role (pg_trigger in the PostgreSQL documentation).
const fingerprint = `concat_ws(' ', t.tgtype, t.tgenabled::text, t.tgqual IS NULL, t.tgattr::text = '', t.tgnargs, t.tgdeferrable,
	l.lanname, f.proname, f.proconfig IS NULL, f.prosecdef, f.prosrc)`

// triggers are one for rows, one that forbids TRUNCATE, which fires no row
// trigger. A null id becomes ”, which no event can name.
func (p *post) triggers(d declaration) []trigger {
	if d.frame || d.gone {
		return nil
	}
	const note = "INSERT INTO store_touched (kind, id) VALUES ('%s', coalesce(%s.%s::text, '')) ON CONFLICT DO NOTHING;"
	now, was := fmt.Sprintf(note, d.kind, "NEW", d.id), fmt.Sprintf(note, d.kind, "OLD", d.id)
	rows := fmt.Sprintf(`BEGIN
	IF TG_OP <> 'DELETE' THEN %s END IF;
	IF TG_OP = 'DELETE' THEN %s
	ELSIF TG_OP = 'UPDATE' AND OLD.%s IS DISTINCT FROM NEW.%s THEN %s END IF;
	RETURN NULL;
END`, now, was, d.id, d.id, was)
	const empty = `BEGIN RAISE EXCEPTION 'TRUNCATE would pass unseen; use DELETE'; END`
	return []trigger{
		postTrigger("store_touch_"+d.table, d.table, "AFTER INSERT OR UPDATE OR DELETE", "ROW", 29, rows),
		postTrigger("store_whole_"+d.table, d.table, "BEFORE TRUNCATE", "STATEMENT", 34, empty),
	}
}

func postTrigger(name, table, when, each string, bits int, body string) trigger {
	return trigger{
		table: table,
		name:  name,
		text:  fmt.Sprintf("%d A t t 0 f plpgsql %s t f %s", bits, name, body),
		create: fmt.Sprintf(`CREATE OR REPLACE FUNCTION %[1]s() RETURNS trigger LANGUAGE plpgsql AS $$%[2]s$$;
			DROP TRIGGER IF EXISTS %[1]s ON %[3]s;
			CREATE TRIGGER %[1]s %[4]s ON %[3]s FOR EACH %[5]s EXECUTE FUNCTION %[1]s();
			ALTER TABLE %[3]s ENABLE ALWAYS TRIGGER %[1]s`, name, body, table, when, each),
	}
}
