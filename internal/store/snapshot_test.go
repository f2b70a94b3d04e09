package store_test

import (
	"testing"

	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

func TestASnapshotStandsStill(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		w := storetest.Acquire(t, s)
		addZone(t, w, "a")
		snap, err := s.Snapshot(t.Context())
		must(t, err)
		addZone(t, w, "b")
		if n := one[int](t, snap, `SELECT count(*) FROM zone`); n != 1 {
			t.Errorf("the snapshot sees %d zones, want the 1 of its time", n)
		}
		if n := count(t, s, "zone"); n != 2 {
			t.Errorf("a later snapshot sees %d zones, want 2", n)
		}
		must(t, snap.Close())
		must(t, snap.Close())
	})
}

func TestASnapshotSeesNothingUncommitted(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		w := storetest.Acquire(t, s)
		must(t, w.Begin(t.Context()))
		exec(t, w, `INSERT INTO zone (id) VALUES ('a')`)
		if n := count(t, s, "zone"); n != 0 {
			t.Errorf("the snapshot sees %d uncommitted zones", n)
		}
		must(t, w.Rollback(t.Context()))
	})
}

func TestASnapshotCannotWrite(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		storetest.Acquire(t, s)
		for _, q := range []string{
			`INSERT INTO zone (id) VALUES ('a')`,
			`INSERT INTO zone (id) VALUES ('a') RETURNING id`,
			`DELETE FROM store_touched`,
			`CREATE TABLE hidden (x TEXT)`,
		} {
			snap, err := s.Snapshot(t.Context())
			must(t, err)
			var x any
			if err := snap.QueryRow(t.Context(), q).Scan(&x); err == nil {
				t.Errorf("%q ran", q)
			}
			must(t, snap.Close())
		}
		if n := count(t, s, "zone"); n != 0 {
			t.Errorf("%d zones were written", n)
		}
	})
}

// A page that is left open must not take the connections of all others.
func TestSnapshotsAreGivenBack(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		storetest.Acquire(t, s)
		for range 50 {
			count(t, s, "zone")
		}
	})
}
