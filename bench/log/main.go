// Command log measures the door: whole operations through the bus beside bare
// SQLite rows, both with synchronous=FULL, in turns within one run.
package main

import (
	"context"
	"database/sql"
	"flag"
	"fmt"
	"log"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"sync/atomic"
	"testing/fstest"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/store"
)

var (
	writers = flag.Int("writers", 64, "callers at the same time")
	seconds = flag.Float64("seconds", 3, "length of one measurement")
	rounds  = flag.Int("rounds", 3, "measurements of each, in turns")
	profile = flag.String("profile", "", "write CPU profiles beginning with this path")
	records = flag.Int("records", 1_000_000, "records to write, verify and list; 0: none")
	dir     = flag.String("dir", "", "folder on the disk to measure; default: a temporary one")
)

func main() {
	flag.Parse()
	base, err := os.MkdirTemp(*dir, "hostward-bench-")
	check(err)
	defer os.RemoveAll(base)
	var bare, bus []float64
	for i := range *rounds {
		bare = append(bare, bareSQLite(filepath.Join(base, fmt.Sprint("bare", i))))
		bus = append(bus, throughBus(filepath.Join(base, fmt.Sprint("bus", i))))
		fmt.Printf("round %d: bare SQLite, one row a transaction: %.0f/s; operations through the bus, %d callers: %.0f/s; ratio %.2f\n",
			i+1, bare[i], *writers, bus[i], bus[i]/bare[i])
	}
	if *records > 0 {
		many(filepath.Join(base, "many"), *records)
	}
	fmt.Printf("median: bare %.0f/s, bus %.0f/s, ratio %.2f (wanted: 1.5)\n", median(bare), median(bus), median(bus)/median(bare))
}

func median(v []float64) float64 { v = slices.Sorted(slices.Values(v)); return v[len(v)/2] }

func check(err error) {
	if err != nil {
		log.Fatal(err)
	}
}

// bareSQLite inserts rows of 250 bytes, each in a transaction of its own, from
// one goroutine: SQLite has one writer, and more callers only wait.
func bareSQLite(dir string) float64 {
	check(os.MkdirAll(dir, 0o700))
	db, err := sql.Open("sqlite", "file:"+filepath.Join(dir, "bare.db")+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	check(err)
	defer db.Close()
	db.SetMaxOpenConns(1)
	_, err = db.Exec(`CREATE TABLE row (id INTEGER PRIMARY KEY, at INTEGER, who TEXT, body BLOB); CREATE INDEX row_who ON row (who)`)
	check(err)
	insert, err := db.Prepare(`INSERT INTO row (at, who, body) VALUES ($1, $2, $3)`)
	check(err)
	body := make([]byte, 250)
	began, n := time.Now(), 0
	for time.Since(began).Seconds() < *seconds {
		_, err := insert.Exec(time.Now().UnixMicro(), fmt.Sprint("user", n%1000), body)
		check(err)
		n++
	}
	return float64(n) / time.Since(began).Seconds()
}

// throughBus calls a small but whole operation: decoded from JSON, authorized,
// one row written, gated, recorded with personal values, committed.
func throughBus(dir string) float64 {
	bus, stop := newBus(dir)
	defer stop()
	defer profiled(*profile, "-bus")()
	who := act.Actor{Kind: "account", ID: "a_bench", Name: "bench", Role: act.Primary, Tenant: core.Provider, Door: "rest", Address: "192.0.2.1"}
	var n atomic.Int64
	var wg sync.WaitGroup
	began := time.Now()
	for w := range *writers {
		wg.Go(func() {
			for i := 0; time.Since(began).Seconds() < *seconds; i++ {
				_, err := bus.Do(context.Background(), act.Call{Op: "memo.write", Actor: who, Input: fmt.Appendf(nil, `{"memo":"m%d-%d","text":"some text of an ordinary length"}`, w, i)})
				check(err)
				n.Add(1)
			}
		})
	}
	wg.Wait()
	return float64(n.Load()) / time.Since(began).Seconds()
}

type memo struct {
	Memo string `json:"memo" doc:"Id" rule:"required"`
	Text string `json:"text" doc:"Text"`
}

var tables = fstest.MapFS{"sql/0001_memo.sql": {Data: []byte("-- object: table=memo kind=memo id=id\nCREATE TABLE memo (id TEXT PRIMARY KEY, text TEXT NOT NULL);\n")}}

func feature() act.Feature {
	return act.Feature{Name: "memo", SQL: tables, Kinds: []act.Kind{{Name: "memo",
		Owner: func(context.Context, *act.View, string) (string, error) { return core.Provider, nil },
		Digest: func(ctx context.Context, v *act.View, id string) (string, error) {
			var m memo
			if found, err := v.Get(ctx, `SELECT id, text FROM memo WHERE id = $1`, []any{id}, &m.Memo, &m.Text); err != nil || !found {
				return "", err
			}
			return act.DigestOf(m)
		},
		IDs: func(context.Context, *act.View) ([]string, error) { return nil, nil },
	}}, Ops: []act.Declaration{act.Change[memo, string]{Name: "memo.write", Doc: "Write a memo.", Class: "panel", Roles: act.Hosted,
		Must: []string{"memo.written"}, Sample: memo{Memo: "m1"},
		Target: func(_ context.Context, _ *act.View, in *memo) (core.Ref, error) {
			return core.Ref{Kind: "memo", ID: in.Memo}, nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in memo) (string, error) {
			if _, err := tx.Exec(ctx, `INSERT INTO memo (id, text) VALUES ($1, $2)`, in.Memo, in.Text); err != nil {
				return "", err
			}
			return in.Memo, tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo}, act.Field{Name: "text", New: &in.Text})
		}}}}
}

func newBus(dir string) (*act.Bus, func()) {
	ctx := context.Background()
	f := feature()
	registry, err := act.NewRegistry(f)
	check(err)
	s, err := store.Open(ctx, store.Config{URL: "sqlite://" + filepath.Join(dir, "panel.db"), Migrations: []store.Migration{
		{Name: "ledger", FS: ledger.Migrations}, {Name: "act", FS: act.Migrations}, {Name: "memo", FS: tables}}})
	check(err)
	w, err := s.Acquire(ctx)
	check(err)
	k, err := keeper.Open(keeper.Config{Dir: filepath.Join(dir, "keys")})
	check(err)
	snapshot := func(ctx context.Context, read func(ledger.Reader) error) error {
		v, err := s.Snapshot(ctx)
		if err != nil {
			return err
		}
		defer v.Close()
		return read(v)
	}
	sealer := ledger.NewSealer(ledger.SealerConfig{Dir: filepath.Join(dir, "log"), Keys: k, Snapshot: snapshot})
	sealing, stop := context.WithCancel(ctx)
	var wg sync.WaitGroup
	wg.Go(func() { sealer.Run(sealing) })
	bus, err := act.New(act.Config{Registry: registry, Store: s, Writer: w, Book: ledger.NewBook(k, core.SystemClock), Clock: core.SystemClock,
		Log: slog.New(slog.DiscardHandler), Spool: filepath.Join(dir, "spool"), Sealed: sealer.Wake,
		Scope: func(context.Context, *act.View, string) ([]string, error) { return nil, nil }})
	check(err)
	return bus, func() {
		bus.Close()
		stop()
		wg.Wait()
		_ = w.Close()
		_ = s.Close()
		_ = k.Close()
	}
}
