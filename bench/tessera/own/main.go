// Command own measures Hostward's own tiles on the same work. An entry is
// acknowledged when its row is committed to SQLite (synchronous=FULL), which
// also fixes its index; the sealer makes tiles and checkpoint of the rows.
package main

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"

	"hostward/bench/tessera/load"
	"hostward/internal/core"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/store"
)

func main() {
	if len(os.Args) == 3 && os.Args[1] == "victim" {
		victim(os.Args[2])
	}
	load.Rounds("20,000 entries, 256 a commit, then sealed", batched(256))
	load.Rounds("20,000 entries, 64 a commit, then sealed", batched(64))
	load.Rounds("one caller that waits for each", alone)
	load.Rounds("sealing alone: 20,000 rows to a checkpoint", sealing)
	for range 3 {
		kill()
	}
}

// logAt is a ledger on SQLite.
type logAt struct {
	store  *store.Store
	writer *store.Writer
	book   *ledger.Book
	sealer *ledger.Sealer
	keys   keeper.Keeper
}

func open(dir string) *logAt {
	ctx := context.Background()
	keys, err := keeper.Open(keeper.Config{Dir: filepath.Join(dir, "keys")})
	load.Check(err)
	s, err := store.Open(ctx, store.Config{URL: "sqlite://" + filepath.Join(dir, "panel.db"),
		Migrations: []store.Migration{{Name: "ledger", FS: ledger.Migrations}}})
	load.Check(err)
	w, err := s.Acquire(ctx)
	load.Check(err)
	l := &logAt{store: s, writer: w, keys: keys, book: ledger.NewBook(keys, core.SystemClock)}
	l.sealer = ledger.NewSealer(ledger.SealerConfig{Dir: filepath.Join(dir, "log"), Keys: keys, Snapshot: l.snapshot})
	return l
}

func (l *logAt) snapshot(ctx context.Context, read func(ledger.Reader) error) error {
	s, err := l.store.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return read(s)
}

func (l *logAt) close() {
	_ = l.store.Close()
	load.Check(l.keys.Close())
}

// entry makes a record whose leaf has about load.Size bytes.
func entry(n int) *ledger.Entry {
	value := "host.example.org. 192.0.2.1"
	zone := core.Ref{Kind: "zone", ID: fmt.Sprintf("z_%d", n%30)}
	return &ledger.Entry{
		ID: fmt.Sprintf("r_%d", n), Time: core.SystemClock(), Action: "zone.record.add", Class: "dns", Door: "rest",
		Actor: ledger.Identity{Kind: "account", ID: "a_1"}, Object: zone, Tenant: "a_1", Outcome: ledger.Done,
		Events: []ledger.Event{{Name: "zone.record.added", Object: zone, Tenant: "a_1", State: "-",
			Fields: []ledger.Field{{Name: "value", New: &value}}}},
	}
}

// commit appends entries in one transaction.
func (l *logAt) commit(from, to int) {
	ctx := context.Background()
	var list []*ledger.Entry
	for n := from; n < to; n++ {
		list = append(list, entry(n))
	}
	load.Check(l.writer.Begin(ctx))
	_, err := l.book.AppendBatch(ctx, l.writer, list)
	load.Check(err)
	load.Check(l.writer.Commit(ctx))
}

// seal seals all and insists that it is all.
func (l *logAt) seal(count int) time.Duration {
	begin := time.Now()
	load.Check(l.sealer.Seal(context.Background()))
	took := time.Since(begin)
	if got := l.sealer.Sealed().Tree.Size; got != int64(count) {
		load.Check(fmt.Errorf("sealed %d entries of %d", got, count))
	}
	return took
}

func batched(size int) func(dir string) load.Result {
	return func(dir string) load.Result {
		l := open(dir)
		defer l.close()
		begin := time.Now()
		for n := 0; n < load.Entries; n += size {
			l.commit(n, min(n+size, load.Entries))
		}
		r := load.Result{Count: load.Entries, Acknowledged: time.Since(begin)}
		r.Sealed = l.seal(load.Entries)
		return r
	}
}

func alone(dir string) load.Result {
	l := open(dir)
	defer l.close()
	begin, n := time.Now(), 0
	for ; time.Since(begin) < load.Alone; n++ {
		l.commit(n, n+1)
	}
	r := load.Result{Count: n, Acknowledged: time.Since(begin)}
	r.Sealed = l.seal(n)
	return r
}

// sealing takes the rows as given: the part that Tessera would replace.
func sealing(dir string) load.Result {
	l := open(dir)
	defer l.close()
	for n := 0; n < load.Entries; n += 1024 {
		l.commit(n, min(n+1024, load.Entries))
	}
	return load.Result{Count: load.Entries, Acknowledged: l.seal(load.Entries)}
}

// victim commits 64 entries at a time beside a sealer, and prints how many are
// committed.
func victim(dir string) {
	l := open(dir)
	go l.sealer.Run(context.Background())
	for n := 0; ; n += 64 {
		l.commit(n, n+64)
		l.sealer.Wake()
		fmt.Println(n + 64)
	}
}

// kill tells what is there after kill -9. A row is part of the transaction
// that it records: what nobody was told of was done, and is on record.
func kill() {
	dir, err := os.MkdirTemp(os.Getenv("BENCH_DIR"), "own-kill-")
	load.Check(err)
	defer os.RemoveAll(dir)
	cmd := exec.Command(os.Args[0], "victim", dir)
	cmd.Stderr = os.Stderr
	out, err := cmd.StdoutPipe()
	load.Check(err)
	load.Check(cmd.Start())
	told := 0
	for scan := bufio.NewScanner(out); scan.Scan(); {
		told, err = strconv.Atoi(scan.Text())
		load.Check(err)
		if told == 64*48 {
			_ = cmd.Process.Kill()
		}
	}
	_ = cmd.Wait()
	l := open(dir)
	defer l.close()
	load.Check(l.sealer.Seal(context.Background()))
	fmt.Printf("kill -9: %d acknowledged, in the log %d, each index as it was committed\n", told, l.sealer.Sealed().Tree.Size)
}
