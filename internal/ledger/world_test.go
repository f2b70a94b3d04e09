package ledger_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"path/filepath"
	"testing"
	"time"

	"hostward/internal/core"
	"hostward/internal/ledger"
	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

// world is a log on a real database, without a bus.
type world struct {
	t      testing.TB
	dir    string
	url    string
	keys   *memoryKeys
	now    time.Time
	store  *store.Store
	writer *store.Writer
	book   *ledger.Book
	sealer *ledger.Sealer
}

var began = time.Date(2026, 11, 22, 17, 4, 5, 123456000, time.UTC)

func newWorld(t testing.TB) *world {
	dir := t.TempDir()
	return newWorldAt(t, dir, "sqlite://"+filepath.Join(dir, "panel.db"))
}

func newWorldAt(t testing.TB, dir, url string) *world {
	w := &world{t: t, dir: dir, url: url, keys: newKeys(), now: began}
	w.open()
	return w
}

// each runs f on every engine.
func each(t *testing.T, f func(t *testing.T, w *world)) {
	storetest.EachURL(t, func(t *testing.T, url string) { f(t, newWorldAt(t, t.TempDir(), url)) })
}

func (w *world) open() {
	w.t.Helper()
	var err error
	w.store, err = store.Open(w.t.Context(), store.Config{URL: w.url, Migrations: []store.Migration{{Name: "ledger", FS: ledger.Migrations}}})
	w.must(err)
	w.t.Cleanup(func() { _ = w.store.Close() })
	w.writer, err = w.store.Acquire(w.t.Context())
	w.must(err)
	w.book = ledger.NewBook(w.keys, w.clock)
	w.newSealer()
}

func (w *world) newSealer() {
	w.sealer = ledger.NewSealer(ledger.SealerConfig{Dir: w.tiles(), Keys: w.keys, Snapshot: w.snapshot, Interval: time.Millisecond})
}

func (w *world) tiles() string { return filepath.Join(w.dir, "log") }

func (w *world) clock() time.Time { return w.now }

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) snapshot(ctx context.Context, read func(ledger.Reader) error) error {
	s, err := w.store.Snapshot(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	return read(s)
}

func (w *world) read(do func(ledger.Reader) error) {
	w.t.Helper()
	w.must(w.snapshot(w.t.Context(), do))
}

// append writes entries in one transaction.
func (w *world) append(entries ...*ledger.Entry) []ledger.Receipt {
	w.t.Helper()
	var receipts []ledger.Receipt
	w.inTx(func(ctx context.Context) error {
		var err error
		receipts, err = w.book.AppendBatch(ctx, w.writer, entries)
		return err
	})
	return receipts
}

func (w *world) inTx(do func(context.Context) error) {
	w.t.Helper()
	ctx := w.t.Context()
	w.must(w.writer.Begin(ctx))
	if err := do(ctx); err != nil {
		_ = w.writer.Rollback(ctx)
		w.t.Fatal(err)
	}
	w.must(w.writer.Commit(ctx))
}

func (w *world) seal() {
	w.t.Helper()
	w.must(w.sealer.Seal(w.t.Context()))
}

func (w *world) browser() ledger.Browser {
	return ledger.Browser{Keys: w.keys, Status: w.sealer.Status}
}

func (w *world) list(scope ledger.Scope, f ledger.Filter) ledger.Page {
	w.t.Helper()
	var page ledger.Page
	w.read(func(r ledger.Reader) (err error) {
		page, err = w.browser().List(w.t.Context(), r, scope, f)
		return err
	})
	return page
}

func text(s string) *string { return &s }

func state(s string) string {
	sum := sha256.Sum256([]byte(s))
	return hex.EncodeToString(sum[:])
}

// entry makes the i-th record of a plausible server: zones of customers are
// edited, some log-ins fail.
func (w *world) entry(i int) *ledger.Entry {
	w.now = w.now.Add(time.Second)
	if i%5 == 4 {
		return &ledger.Entry{
			ID: fmt.Sprintf("r_%d", i), Time: w.now, Action: "session.start", Class: "authentication", Door: "web",
			Actor: ledger.Identity{Kind: "stranger", Name: fmt.Sprintf("root%d", i%7)}, Address: fmt.Sprintf("192.0.2.%d", i%50),
			Agent: "curl/8.0", Outcome: ledger.Refused, Code: core.Unauthenticated, Reason: "the password is wrong",
		}
	}
	tenant := fmt.Sprintf("a_%d", i%10)
	zone := core.Ref{Kind: "zone", ID: fmt.Sprintf("z_%d", i%30)}
	return &ledger.Entry{
		ID: fmt.Sprintf("r_%d", i), Time: w.now, Action: "zone.record.add", Class: "dns", Door: "rest",
		Actor: ledger.Identity{Kind: "account", ID: tenant, Name: fmt.Sprintf("Kund%d", i%10)}, Address: "2001:db8::7",
		Agent: "Mozilla/5.0 (X11; Linux x86_64)", Session: "s_1", Object: zone, Tenant: tenant, Outcome: ledger.Done,
		Events: []ledger.Event{{
			Name: "zone.record.added", Object: zone, Tenant: tenant, State: state(fmt.Sprint(zone.ID, i)),
			Fields: []ledger.Field{
				{Name: "name", New: text(fmt.Sprintf("host%d.example.org", i))},
				{Name: "ttl", Old: text("300"), New: text("3600")},
				{Name: "contact", Personal: true, Old: text("old@example.org"), New: text("new@example.org")},
				{Name: "key", Secret: true, Old: text("hidden"), New: text("hidden too")},
			},
		}},
	}
}

func (w *world) entries(from, to int) []*ledger.Entry {
	var list []*ledger.Entry
	for i := from; i < to; i++ {
		list = append(list, w.entry(i))
	}
	return list
}
