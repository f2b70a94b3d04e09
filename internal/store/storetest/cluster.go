package storetest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/jackc/pgx/v5"
)

// cluster is a running PostgreSQL. alive is the supervisor's standard input:
// the supervisor stops the server and removes dir when it closes, so that even
// a killed test leaves nothing behind.
type cluster struct {
	dir   string
	alive io.WriteCloser
	made  int
	mu    sync.Mutex
}

// once is state of the test binary: starting a cluster takes a second, and
// each test has its own database in it.
var once = sync.OnceValues(start)

var errNotInstalled = errors.New("postgresql is not installed (apt-get install postgresql)")

// Postgres returns the URL of an empty database, dropped after the test.
func Postgres(t testing.TB) string {
	t.Helper()
	c, err := once()
	if errors.Is(err, errNotInstalled) && os.Getenv("CI") != "true" && os.Getenv("HOSTWARD_TEST_FULL") != "1" {
		t.Skip(err)
	}
	if err != nil {
		t.Fatalf("starting PostgreSQL: %v", err)
	}
	name, err := c.create()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := c.run("DROP DATABASE " + name + " WITH (FORCE)"); err != nil {
			t.Error(err)
		}
	})
	return c.url(name)
}

func (c *cluster) url(name string) string {
	return "postgres://postgres@/" + name + "?host=" + url.QueryEscape(c.dir)
}

func (c *cluster) create() (string, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.made++
	name := fmt.Sprintf("t%d", c.made)
	return name, c.run("CREATE DATABASE " + name)
}

func (c *cluster) run(q string) error {
	conn, err := pgx.Connect(context.Background(), c.url("postgres"))
	if err != nil {
		return err
	}
	defer conn.Close(context.Background())
	_, err = conn.Exec(context.Background(), q)
	return err
}

// script is the supervisor: $1 programs, $2 folder. It says "ready" and lives
// until its standard input ends.
const script = `cd "$2" || exit 1
"$1/initdb" -D data -U postgres -A trust -E UTF8 --locale=C --no-sync >log 2>&1 &&
"$1/pg_ctl" -D data -w -l server.log start >>log 2>&1 -o "-k $2 -c listen_addresses= -c fsync=off \
	-c shared_buffers=16MB -c max_wal_size=64MB -c jit=off -c autovacuum=off" && echo ready || { cat log server.log; echo failed; }
cat >/dev/null
"$1/pg_ctl" -D data -m immediate stop >/dev/null 2>&1
cd / && rm -rf "$2"`

func start() (*cluster, error) {
	bin, err := programs()
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "hostward-pg")
	if err != nil {
		return nil, err
	}
	cmd := exec.Command("/bin/sh", "-c", script, "sh", bin, dir)
	if err := asPostgres(cmd, dir); err != nil {
		return nil, err
	}
	in, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return &cluster{dir: dir, alive: in}, ready(out)
}

// ready reads the supervisor's words up to the last.
func ready(out io.Reader) error {
	var said strings.Builder
	buf := make([]byte, 1024)
	for {
		n, err := out.Read(buf)
		said.Write(buf[:n])
		switch s := said.String(); {
		case strings.HasSuffix(s, "ready\n"):
			return nil
		case strings.HasSuffix(s, "failed\n") || err != nil:
			return fmt.Errorf("%w\n%s", err, s)
		}
	}
}

// programs finds the newest server, where Debian puts it or in PATH.
func programs() (string, error) {
	found, err := filepath.Glob("/usr/lib/postgresql/*/bin/initdb")
	if err != nil {
		return "", err
	}
	if len(found) > 0 {
		return filepath.Dir(slices.Max(found)), nil
	}
	if p, err := exec.LookPath("initdb"); err == nil {
		return filepath.Dir(p), nil
	}
	return "", errNotInstalled
}
