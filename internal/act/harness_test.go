package act_test

import (
	"context"
	"embed"
	"io/fs"
	"log/slog"
	"path/filepath"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

var _ embed.FS

// The toy feature of these tests keeps memos, owned by a tenant.
var memoSQL = fstest.MapFS{"sql/0001_memo.sql": {Data: []byte(`
-- object: table=memo kind=memo id=id
CREATE TABLE memo (id TEXT PRIMARY KEY, owner TEXT NOT NULL, text TEXT NOT NULL);
`)}}

type memoIn struct {
	Memo  string      `json:"memo" doc:"Id of the memo" rule:"required" cli:"arg"`
	Text  string      `json:"text" doc:"What it says" rule:"max=100"`
	Owner string      `json:"owner" doc:"Tenant"`
	Pin   core.Secret `json:"pin" doc:"Something secret" rule:"max=20"`
}

type memoState struct {
	Owner string `json:"owner"`
	Text  string `json:"text"`
}

func readMemo(ctx context.Context, v *act.View, id string) (memoState, error) {
	var m memoState
	found, err := v.Get(ctx, `SELECT owner, text FROM memo WHERE id = $1`, []any{id}, &m.Owner, &m.Text)
	if err == nil && !found {
		err = core.Errorf(core.NotFound, "there is no memo %q", id)
	}
	return m, err
}

var memoKind = act.Kind{Name: "memo",
	Owner: func(ctx context.Context, v *act.View, id string) (string, error) {
		m, err := readMemo(ctx, v, id)
		return m.Owner, err
	},
	Digest: func(ctx context.Context, v *act.View, id string) (string, error) {
		m, err := readMemo(ctx, v, id)
		if core.CodeOf(err) == core.NotFound && err != nil {
			return "", nil
		}
		if err != nil {
			return "", err
		}
		return act.DigestOf(m)
	},
	IDs: func(ctx context.Context, v *act.View) ([]string, error) {
		var ids []string
		err := v.Each(ctx, `SELECT id FROM memo`, nil, func(scan func(...any) error) error {
			var id string
			err := scan(&id)
			ids = append(ids, id)
			return err
		})
		return ids, err
	},
	Find: func(ctx context.Context, v *act.View, text string, most int) (hits []act.Hit, err error) {
		err = v.Each(ctx, `SELECT id, owner FROM memo WHERE id LIKE $1 ORDER BY id LIMIT $2`, []any{text + "%", most}, func(scan func(...any) error) error {
			var h act.Hit
			err := scan(&h.ID, &h.Owner)
			h.Name = h.ID
			hits = append(hits, h)
			return err
		})
		return hits, err
	},
}

// tenantKind lets operations aim at the tenant that will own something.
var tenantKind = act.Kind{Name: "tenant",
	Owner:  func(_ context.Context, _ *act.View, id string) (string, error) { return id, nil },
	Digest: func(context.Context, *act.View, string) (string, error) { return "-", nil },
	IDs:    func(context.Context, *act.View) ([]string, error) { return nil, nil },
}

func memoTarget(_ context.Context, _ *act.View, in *memoIn) (core.Ref, error) {
	return core.Ref{Kind: "memo", ID: in.Memo}, nil
}

func tenantTarget(_ context.Context, v *act.View, in *memoIn) (core.Ref, error) {
	if in.Owner == "" {
		in.Owner = v.Actor().Tenant
	}
	return core.Ref{Kind: "tenant", ID: in.Owner}, nil
}

func sptr(s string) *string { return &s }

// memoChange makes a change with the usual declaration.
func memoChange(name string, run func(context.Context, *act.Tx, memoIn) (string, error)) act.Change[memoIn, string] {
	return act.Change[memoIn, string]{Name: name, Doc: "Toy.", Class: "panel", Roles: act.Hosted,
		Must: []string{"memo.written"}, May: []string{"memo.removed"}, Sample: memoIn{Memo: "m1", Text: "hello"}, Target: memoTarget, Run: run}
}

var memoCreate = act.Change[memoIn, string]{Name: "memo.create", Doc: "Toy.", Class: "panel", Roles: act.Hosted,
	Must: []string{"memo.written"}, Sample: memoIn{Memo: "m1"}, Target: tenantTarget,
	Run: func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		if _, err := tx.Exec(ctx, `INSERT INTO memo (id, owner, text) VALUES ($1, $2, $3)`, in.Memo, in.Owner, in.Text); err != nil {
			return "", err
		}
		return in.Memo, tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo}, act.Field{Name: "text", New: &in.Text})
	}}

var memoWrite = memoChange("memo.write", func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
	old, err := readMemo(ctx, &tx.View, in.Memo)
	if err != nil || old.Text == in.Text {
		return old.Text, err
	}
	if _, err := tx.Exec(ctx, `UPDATE memo SET text = $1 WHERE id = $2`, in.Text, in.Memo); err != nil {
		return "", err
	}
	return in.Text, tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo}, act.Field{Name: "text", Old: &old.Text, New: &in.Text})
})

var memoDelete = act.Change[memoIn, string]{Name: "memo.delete", Doc: "Toy.", Class: "panel", Roles: act.Hosted, Confirm: true,
	Must: []string{"memo.removed"}, Sample: memoIn{Memo: "m1"}, Target: memoTarget,
	Run: func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		if _, err := tx.Exec(ctx, `DELETE FROM memo WHERE id = $1`, in.Memo); err != nil {
			return "", err
		}
		return "", tx.Record(ctx, "memo.removed", core.Ref{Kind: "memo", ID: in.Memo})
	}}

var memoShow = act.Query[memoIn, string]{Name: "memo.show", Doc: "Toy.", Class: "panel", Roles: act.Readers, Sample: memoIn{Memo: "m1"}, Target: memoTarget,
	Run: func(ctx context.Context, v *act.View, in memoIn) (string, error) {
		m, err := readMemo(ctx, v, in.Memo)
		return m.Text, err
	}}

type rig struct {
	*act.Bus
	store    *store.Store
	registry *act.Registry
	log      *logCatcher
	reads    bool // reads are recorded
	jobs     jobsOf

	mu     sync.Mutex
	barred map[string]bool // addresses from where nobody may act
	ended  map[string]bool // sessions that are over
	asked  int             // how often somebody was asked whether he may act from where he is
	ahead  time.Duration   // of the system's clock
}

// clock is the bus's time.
func (r *rig) clock() time.Time {
	r.mu.Lock()
	defer r.mu.Unlock()
	return core.SystemClock().Add(r.ahead)
}

// pass moves the time on.
func (r *rig) pass(d time.Duration) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ahead += d
}

// bar shuts out an address.
func (r *rig) bar(address string, barred bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.barred[address] = barred
}

// endSession ends a session.
func (r *rig) endSession(id string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.ended[id] = true
}

func (r *rig) admit(_ context.Context, _ *act.View, a act.Actor) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.asked++; r.barred[a.Address] {
		return core.Errorf(core.Denied, "not from %s", a.Address)
	}
	return nil
}

func (r *rig) holds(_ context.Context, _ *act.View, a act.Actor) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ended[a.Session] && !a.Unattended {
		return core.Errorf(core.Unauthenticated, "the session is over")
	}
	return nil
}

// jobsOf stands for the feature that keeps jobs: it tells how each ended.
type jobsOf chan error

func (j jobsOf) Begin(context.Context, *act.Bus, act.Actor, string, string) (string, act.Result, error) {
	return core.NewID("j"), act.Result{}, nil
}

func (j jobsOf) End(_ context.Context, _ *act.Bus, _, _ string, err error) error {
	j <- err
	return nil
}

// logCatcher keeps what the operator would read.
type logCatcher struct{ lines chan string }

func (l *logCatcher) Write(b []byte) (int, error) {
	select {
	case l.lines <- string(b):
	default:
	}
	return len(b), nil
}

// onEachEngine runs f on a fresh bus with the toy feature and more operations.
func onEachEngine(t *testing.T, more []act.Declaration, f func(t *testing.T, r *rig)) {
	feature := act.Feature{Name: "memo", Ops: append([]act.Declaration{memoCreate, memoWrite, memoDelete, memoShow}, more...),
		Kinds: []act.Kind{memoKind, tenantKind}, SQL: memoSQL}
	reg, err := act.NewRegistry(feature)
	if err != nil {
		t.Fatal(err)
	}
	migrations := []store.Migration{{Name: "ledger", FS: ledger.Migrations}, {Name: "act", FS: act.Migrations}, {Name: "memo", FS: fs.FS(memoSQL)}}
	storetest.Each(t, migrations, func(t *testing.T, s *store.Store) { f(t, newRig(t, reg, s)) })
}

func newRig(t *testing.T, reg *act.Registry, s *store.Store) *rig {
	t.Helper()
	w, err := s.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	k, err := keeper.Open(keeper.Config{Dir: filepath.Join(t.TempDir(), "keys")})
	if err != nil {
		t.Fatal(err)
	}
	catch := &logCatcher{lines: make(chan string, 1000)}
	r := &rig{store: s, registry: reg, log: catch, jobs: make(jobsOf, 10), barred: map[string]bool{}, ended: map[string]bool{}}
	r.Bus, err = act.New(act.Config{Registry: reg, Store: s, Writer: w, Book: ledger.NewBook(k, r.clock), Clock: r.clock,
		Log: slog.New(slog.NewTextHandler(catch, nil)), Spool: filepath.Join(t.TempDir(), "spool"),
		Jobs: r.jobs, RecordReads: func() bool { return r.reads }, Admit: r.admit, Holds: r.holds,
		Scope: func(_ context.Context, _ *act.View, tenant string) ([]string, error) {
			if tenant == "shop" { // a customer of the reseller "agency"
				return []string{"agency", core.Provider}, nil
			}
			return []string{core.Provider}, nil
		}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); _ = w.Close(); _ = k.Close() })
	return r
}

func actor(tenant string, role act.Role) act.Actor {
	return act.Actor{Kind: "account", ID: "a_" + tenant, Name: tenant, Role: role, Tenant: tenant, Door: "rest", Address: "192.0.2.1"}
}

var admin = actor(core.Provider, act.Primary)

// records returns the leaves of the log, as text.
func (r *rig) records(t *testing.T) []string {
	t.Helper()
	var leaves []string
	snap, err := r.store.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	rows, err := snap.Query(context.Background(), `SELECT leaf FROM ledger_entry ORDER BY seq`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	for rows.Next() {
		var leaf []byte
		if err := rows.Scan(&leaf); err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, string(leaf))
	}
	return leaves
}

func (r *rig) last(t *testing.T) string {
	t.Helper()
	all := r.records(t)
	if len(all) == 0 {
		return ""
	}
	return all[len(all)-1]
}

// memos counts the rows of the toy feature.
func (r *rig) memos(t *testing.T) (n int) {
	t.Helper()
	snap, err := r.store.Snapshot(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	if err := snap.QueryRow(context.Background(), `SELECT count(*) FROM memo`).Scan(&n); err != nil {
		t.Fatal(err)
	}
	return n
}

const generous = 20 * time.Second
