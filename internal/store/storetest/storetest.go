// Package storetest runs a test on every engine with a fresh database (SPEC Q2).
//
// SQLite gets a file in the test's folder. For PostgreSQL one private cluster
// is started per test binary, on a Unix socket in a temporary folder, without
// fsync; it ends with the process, however that ends. Where PostgreSQL is not
// installed the sub-test is skipped, or fails when CI=true or HOSTWARD_TEST_FULL=1.
package storetest

import (
	"path/filepath"
	"testing"

	"hostward/internal/store"
)

// Each runs f on every engine. The store is closed after f.
func Each(t *testing.T, migrations []store.Migration, f func(t *testing.T, s *store.Store)) {
	t.Helper()
	EachURL(t, func(t *testing.T, url string) { f(t, Open(t, url, migrations)) })
}

// EachURL runs f on every engine with the URL of an empty database.
func EachURL(t *testing.T, f func(t *testing.T, url string)) {
	t.Helper()
	t.Run("sqlite", func(t *testing.T) { f(t, SQLite(t)) })
	t.Run("postgres", func(t *testing.T) { f(t, Postgres(t)) })
}

// SQLite returns the URL of a database file that does not exist yet.
func SQLite(t testing.TB) string {
	return "sqlite://" + filepath.ToSlash(filepath.Join(t.TempDir(), "panel.db"))
}

// Open opens a store and closes it at the end of the test.
func Open(t testing.TB, url string, migrations []store.Migration) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: url, Migrations: migrations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Errorf("closing the store: %v", err)
		}
	})
	return s
}

// Acquire returns the store's writer.
func Acquire(t testing.TB, s *store.Store) *store.Writer {
	t.Helper()
	w, err := s.Acquire(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return w
}
