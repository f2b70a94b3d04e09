// Package storetest runs a test on every engine with a fresh database.
package storetest

import (
	"testing"

	"hostward/internal/store"
)

// Each runs f on SQLite in a temporary file and on PostgreSQL.
func Each(t *testing.T, migrations []store.Migration, f func(t *testing.T, s *store.Store)) {
	t.Run("sqlite", func(t *testing.T) { f(t, Open(t, "sqlite://"+t.TempDir()+"/panel.db", migrations)) })
}

// Open opens one database and closes it with the test.
func Open(t *testing.T, url string, migrations []store.Migration) *store.Store {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: url, Migrations: migrations})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	})
	return s
}
