package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime/pprof"
	"time"

	"hostward/internal/core"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/store"
)

// world is a log without a bus: what the ledger alone can do.
type world struct {
	store  *store.Store
	writer *store.Writer
	keeper keeper.Keeper
	book   *ledger.Book
	sealer *ledger.Sealer
	dir    string
}

func newWorld(dir string) *world {
	ctx := context.Background()
	w := &world{dir: filepath.Join(dir, "log")}
	var err error
	w.store, err = store.Open(ctx, store.Config{URL: "sqlite://" + filepath.Join(dir, "panel.db"), Migrations: []store.Migration{{Name: "ledger", FS: ledger.Migrations}}})
	check(err)
	w.writer, err = w.store.Acquire(ctx)
	check(err)
	w.keeper, err = keeper.Open(keeper.Config{Dir: filepath.Join(dir, "keys")})
	check(err)
	w.book = ledger.NewBook(w.keeper, core.SystemClock)
	w.sealer = ledger.NewSealer(ledger.SealerConfig{Dir: w.dir, Keys: w.keeper, Snapshot: w.snapshot})
	return w
}

func (w *world) snapshot(ctx context.Context, read func(ledger.Reader) error) error {
	s, err := w.store.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return read(s)
}

func (w *world) close() {
	check(w.writer.Close())
	check(w.store.Close())
	check(w.keeper.Close())
}

// many writes n records, seals and verifies them, and lists page 1 of filters.
func many(dir string, n int) {
	w := newWorld(dir)
	defer w.close()
	ctx := context.Background()
	stop := profiled(*profile, "-batch")
	w.write("zone changes, 1000 a commit, committed and sealed", n/2, 0, entries)
	w.write("failed log-ins, 1000 a commit, committed and sealed", n-n/2, n/2, failures)
	stop()
	stop = profiled(*profile, "-verify")
	began := time.Now()
	r, err := ledger.Verify(ctx, ledger.VerifyOptions{Snapshot: w.snapshot, Dir: w.dir, VerifierKey: w.keeper.VerifierKey, Keys: w.keeper})
	check(err)
	if !r.OK() {
		check(fmt.Errorf("the log does not verify: %v", r.Findings))
	}
	stop()
	rate("verified: tree, tiles, chains, columns", n, time.Since(began), 200_000)
	w.pages(n)
	w.checkpoint()
}

// write appends n records in batches, seals them, and says how fast that was.
func (w *world) write(what string, n, from int, make func(from, n int) []*ledger.Entry) {
	const batch = 1000
	ctx, began := context.Background(), time.Now()
	for i := 0; i < n; i += batch {
		check(w.writer.Begin(ctx))
		_, err := w.book.AppendBatch(ctx, w.writer, make(from+i, min(batch, n-i)))
		check(err)
		check(w.writer.Commit(ctx))
	}
	check(w.sealer.Seal(ctx))
	rate(what, n, time.Since(began), 20_000)
}

// failures are what comes in batches: facts about strangers, about no object.
func failures(from, n int) []*ledger.Entry {
	list := entries(from, n)
	for _, e := range list {
		e.Action, e.Class, e.Actor, e.Session, e.Events = "login.enter", "authentication", ledger.Identity{Kind: "stranger"}, "", nil
		e.Object, e.Tenant, e.Outcome, e.Code, e.Reason = core.Ref{}, "", ledger.Refused, core.Unauthenticated, "log-in name or password is wrong"
	}
	return list
}

func rate(what string, n int, took time.Duration, wanted int) {
	fmt.Printf("%-52s %8.0f records/s  (wanted: %d)\n", what, float64(n)/took.Seconds(), wanted)
}

var (
	actions  = []string{"zone.record.add", "zone.edit", "login.enter", "account.update", "zone.import"}
	classes  = []string{"dns", "dns", "authentication", "account", "dns"}
	outcomes = []ledger.Outcome{ledger.Done, ledger.Done, ledger.Done, ledger.Refused, ledger.Failed}
)

// entries are records as a busy panel has them: 5000 objects of 500 tenants,
// 300 actors, 2000 addresses, one rare event.
func entries(from, n int) []*ledger.Entry {
	list := make([]*ledger.Entry, n)
	for i := range list {
		k := from + i
		h := k * 2654435761 & 0xffffffff
		zone := core.Ref{Kind: "zone", ID: fmt.Sprintf("z_%d", h%5000)}
		tenant := fmt.Sprintf("a_%d", h%500)
		old, now := "192.0.2.1", fmt.Sprintf("192.0.2.%d", h%250)
		e := &ledger.Entry{ID: fmt.Sprintf("r_%d", k), Time: time.UnixMicro(1767225600_000000 + int64(k)*1000).UTC(), Action: actions[k%5], Class: classes[k%5],
			Door: "rest", Actor: ledger.Identity{Kind: "account", ID: fmt.Sprintf("a_%d", h%300), Name: fmt.Sprintf("user%d", h%300)},
			Address: fmt.Sprintf("198.51.%d.%d", h%8, h%250), Agent: "Mozilla/5.0", Session: fmt.Sprintf("s_%d", h%1000), Object: zone, Tenant: tenant,
			Outcome: outcomes[h%5], Events: []ledger.Event{{Name: "zone.record.changed", Object: zone, Tenant: tenant, State: fmt.Sprintf("%064x", k),
				Fields: []ledger.Field{{Name: "www A", Old: &old, New: &now}}}}}
		if k == 12345 {
			e.Reason = "needle in the haystack"
		}
		list[i] = e
	}
	return list
}

// pages times page 1 of filtered views, best told by the slowest.
func (w *world) pages(n int) {
	b := ledger.Browser{Keys: w.keeper, Status: w.sealer.Status}
	all := ledger.Scope{All: true}
	views := []struct {
		name  string
		scope ledger.Scope
		f     ledger.Filter
	}{
		{"newest", all, ledger.Filter{}},
		{"one class, refused", all, ledger.Filter{Classes: []string{"authentication"}, Outcomes: []ledger.Outcome{ledger.Refused}}},
		{"one address", all, ledger.Filter{Address: "198.51.3.77"}},
		{"one object", all, ledger.Filter{Object: core.Ref{Kind: "zone", ID: "z_4711"}}},
		{"one actor by name, one action", all, ledger.Filter{Name: "user42", Actions: []string{"zone.edit"}}},
		{"a word that occurs once", all, ledger.Filter{Text: "haystack"}},
		{"a word that never occurs", all, ledger.Filter{Text: "unobtainium"}},
		{"a customer's own", ledger.Scope{Tenants: []string{"a_77"}}, ledger.Filter{}},
		{"an hour last year", all, ledger.Filter{From: time.UnixMicro(1767225600_000000), To: time.UnixMicro(1767225600_000000).Add(time.Minute)}},
	}
	for _, v := range views {
		var worst time.Duration
		var found int
		for range 5 {
			began := time.Now()
			check(w.snapshot(context.Background(), func(r ledger.Reader) error {
				p, err := b.List(context.Background(), r, v.scope, v.f)
				found = len(p.Records)
				return err
			}))
			worst = max(worst, time.Since(began))
		}
		fmt.Printf("page 1 of %-34s %8.1f ms, slowest of 5, %d records found of %d  (wanted: 50)\n", v.name, float64(worst.Microseconds())/1000, found, n)
	}
}

// checkpoint times how long after its commit a record is under a checkpoint.
func (w *world) checkpoint() {
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { w.sealer.Run(ctx); close(ended) }()
	var worst time.Duration
	for i := range 20 {
		check(w.writer.Begin(ctx))
		r, err := w.book.Append(ctx, w.writer, entries(1<<40+i, 1)[0])
		check(err)
		check(w.writer.Commit(ctx))
		began := time.Now()
		w.sealer.Wake()
		check(w.sealer.WaitFor(ctx, r.Seq, ledger.Sealed))
		worst = max(worst, time.Since(began))
	}
	stop()
	<-ended
	fmt.Printf("checkpoint after its record: %.0f ms, slowest of 20  (wanted: 1000)\n", float64(worst.Microseconds())/1000)
}

// profiled writes a CPU profile until the function it returns is called.
func profiled(path, what string) func() {
	if path == "" {
		return func() {}
	}
	f, err := os.Create(path + what)
	check(err)
	check(pprof.StartCPUProfile(f))
	return pprof.StopCPUProfile
}
