package store

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"net"
	"strings"
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
	conn, err := pgx.ConnectConfig(ctx, p.config.Copy())
	if err != nil {
		return nil, err
	}
	for {
		held, err := p.tryLease(ctx, conn)
		if held {
			return p.take(ctx, conn)
		}
		if err != nil && !conn.IsClosed() || !wait || ctx.Err() != nil {
			conn.Close(context.Background())
			return nil, errors.Join(err, ctx.Err())
		}
		select {
		case <-ctx.Done():
		case <-time.After(standbyPoll):
		}
		if conn.IsClosed() {
			if again, err := pgx.ConnectConfig(ctx, p.config.Copy()); err == nil {
				conn = again
			}
		}
	}
}

func (p *post) tryLease(ctx context.Context, conn *pgx.Conn) (held bool, err error) {
	if conn.IsClosed() {
		return false, nil
	}
	err = conn.QueryRow(ctx, "SELECT pg_try_advisory_lock($1)", int64(leaseKey)).Scan(&held)
	return held, err
}

// take pins the session that has the lock as the writer's connection.
func (p *post) take(ctx context.Context, pc *pgx.Conn) (*lease, error) {
	if _, err := pc.Exec(ctx, sessionSettings); err != nil {
		return nil, errors.Join(err, pc.Close(ctx))
	}
	return nil, nil
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
		snapshot: "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY; SELECT 1",
		admit:    "SELECT fence, EXISTS (SELECT 1 FROM store_touched) FROM store_lease FOR SHARE",
		drain:    "DELETE " + mine + " RETURNING kind, id",
		left:     "SELECT EXISTS (SELECT 1 " + mine + ")",
	}
}

func (p *post) catalog(ctx context.Context, r Reader) (catalog, error) {
	var c catalog
	return c, errors.New("to be written")
}

func (p *post) triggers(d declaration) []trigger { return nil }

var _ = strings.ToUpper
