package resttest

import (
	"context"
	"io/fs"
	"log/slog"
	"net/http"
	"path/filepath"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/face/rest"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/store"
)

// Rig is the toy on a real bus, with an empty SQLite database.
type Rig struct {
	*act.Bus
	Registry *act.Registry
	store    *store.Store
}

// New makes a Rig that ends with the test.
func New(t testing.TB) *Rig {
	t.Helper()
	reg, err := act.NewRegistry(Feature())
	if err != nil {
		t.Fatal(err)
	}
	s, w := open(t)
	k, err := keeper.Open(keeper.Config{Dir: filepath.Join(t.TempDir(), "keys")})
	if err != nil {
		t.Fatal(err)
	}
	b, err := act.New(act.Config{Registry: reg, Store: s, Writer: w, Book: ledger.NewBook(k, core.SystemClock), Clock: core.SystemClock,
		Log: slog.New(slog.DiscardHandler), Spool: filepath.Join(t.TempDir(), "spool"),
		Scope: func(context.Context, *act.View, string) ([]string, error) { return []string{core.Provider}, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { b.Close(); _ = w.Close(); _ = k.Close() })
	return &Rig{b, reg, s}
}

func open(t testing.TB) (*store.Store, *store.Writer) {
	t.Helper()
	s, err := store.Open(context.Background(), store.Config{URL: "sqlite://" + t.TempDir() + "/panel.db", Migrations: []store.Migration{
		{Name: "ledger", FS: ledger.Migrations}, {Name: "act", FS: act.Migrations}, {Name: "note", FS: fs.FS(migrations)}}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	w, err := s.Acquire(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	return s, w
}

// Actor is an account with that tenant and role.
func Actor(tenant string, role act.Role) act.Actor {
	return act.Actor{Kind: "account", ID: "a_" + tenant, Name: tenant, Role: role, Tenant: tenant}
}

// tokens say who someone is: "admin", "shop", "rival", "auditor".
var tokens = map[string]act.Actor{
	"admin":   Actor(core.Provider, act.Primary),
	"shop":    Actor("shop", act.Customer),
	"rival":   Actor("rival", act.Customer),
	"auditor": {Kind: "account", ID: "a_auditor", Name: "auditor", Role: act.Auditor, Tenant: core.Provider},
}

// Authenticate takes the word behind Bearer for who it is.
func Authenticate(r *http.Request) (act.Actor, error) {
	word, given := strings.CutPrefix(r.Header.Get("Authorization"), "Bearer ")
	if !given {
		return act.Actor{Kind: "stranger", Role: act.Stranger}, nil
	}
	if a, ok := tokens[word]; ok {
		return a, nil
	}
	return act.Actor{}, core.Errorf(core.Unauthenticated, "the token is not valid")
}

// Config is the configuration of a REST face on the rig.
func (r *Rig) Config() rest.Config {
	return rest.Config{Bus: r.Bus, Registry: r.Registry, Version: "1.2.3", Door: "rest", Authenticate: Authenticate}
}

// Handler is the REST face.
func (r *Rig) Handler(t testing.TB, c rest.Config) http.Handler {
	t.Helper()
	h, err := rest.New(c)
	if err != nil {
		t.Fatal(err)
	}
	return h
}

// Records returns the leaves of the log, oldest first.
func (r *Rig) Records(t testing.TB) []string {
	t.Helper()
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
	var leaves []string
	for rows.Next() {
		var leaf []byte
		if err := rows.Scan(&leaf); err != nil {
			t.Fatal(err)
		}
		leaves = append(leaves, string(leaf))
	}
	return leaves
}

// Last returns the newest leaf.
func (r *Rig) Last(t testing.TB) string {
	t.Helper()
	all := r.Records(t)
	if len(all) == 0 {
		t.Fatal("the log is empty")
	}
	return all[len(all)-1]
}
