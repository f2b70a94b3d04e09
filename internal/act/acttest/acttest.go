// Package acttest opens the door for the tests of one feature: a bus on a real store,
// ledger and keeper.
package acttest

import (
	"context"
	"log/slog"
	"path/filepath"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

// Open returns a bus on a database with these features, until the test ends. Every
// tenant is the provider's own.
func Open(t testing.TB, url string, clock core.Clock, features ...act.Feature) *act.Bus {
	t.Helper()
	k, err := keeper.Open(keeper.Config{Dir: filepath.Join(t.TempDir(), "keys")})
	if err != nil {
		t.Fatal(err)
	}
	reg, err := act.NewRegistry(features...)
	if err != nil {
		t.Fatal(err)
	}
	migrations := []store.Migration{{Name: "ledger", FS: ledger.Migrations}, {Name: "act", FS: act.Migrations}}
	for _, f := range features {
		if f.SQL != nil {
			migrations = append(migrations, store.Migration{Name: f.Name, FS: f.SQL})
		}
	}
	s := storetest.Open(t, url, migrations)
	writer := storetest.Acquire(t, s)
	bus, err := act.New(act.Config{Registry: reg, Store: s, Writer: writer, Book: ledger.NewBook(k, clock), Clock: clock,
		Log: slog.New(slog.DiscardHandler), Spool: filepath.Join(t.TempDir(), "spool"),
		Scope: func(context.Context, *act.View, string) ([]string, error) { return nil, nil }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { bus.Close(); _ = writer.Close(); _ = k.Close() })
	return bus
}

// Accounts stands for the feature of accounts: each is its own owner, and none is kept.
func Accounts() act.Feature {
	return act.Feature{Name: "account", Kinds: []act.Kind{{Name: "account",
		Owner:  func(_ context.Context, _ *act.View, id string) (string, error) { return id, nil },
		Digest: func(context.Context, *act.View, string) (string, error) { return "-", nil },
		IDs:    func(context.Context, *act.View) ([]string, error) { return nil, nil }}}}
}
