package store_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

func path(url string) string { return strings.TrimPrefix(url, "sqlite://") }

// within fails the test when c is not closed in time.
func within(t testing.TB, d time.Duration, c <-chan struct{}, what string) {
	t.Helper()
	select {
	case <-c:
	case <-time.After(d):
		t.Fatalf("%s: not within %s", what, d)
	}
}

func TestOneWriterAtATime(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		first := storetest.Open(t, url, zones())
		second := storetest.Open(t, url, zones())
		if who := first.Holder(t.Context()); who != "" {
			t.Errorf("before anyone came, the holder is %q", who)
		}
		w := storetest.Acquire(t, first)
		if _, held, err := second.TryAcquire(t.Context()); held || err != nil {
			t.Errorf("TryAcquire answered %v, %v while another holds the lease", held, err)
		}
		if who := second.Holder(t.Context()); !strings.HasPrefix(who, "process ") {
			t.Errorf("the holder is %q", who)
		}
		must(t, w.Close())
		must(t, w.Close())
		if _, err := w.Exec(t.Context(), `INSERT INTO zone (id) VALUES ('late')`); err == nil {
			t.Error("a closed writer wrote")
		}
		if err := w.Begin(t.Context()); err == nil {
			t.Error("a closed writer began")
		}
		again, held, err := second.TryAcquire(t.Context())
		if !held || err != nil {
			t.Fatalf("TryAcquire answered %v, %v though the lease is free", held, err)
		}
		if again.Fence() <= w.Fence() {
			t.Errorf("the fence went from %d to %d", w.Fence(), again.Fence())
		}
		addZone(t, again, "a")
	})
}

func TestAStandbyTakesOver(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		first := storetest.Open(t, url, zones())
		addZone(t, storetest.Acquire(t, first), "a")
		second := storetest.Open(t, url, zones())
		taken := make(chan struct{})
		go func() {
			defer close(taken)
			w, err := second.Acquire(context.Background())
			if err != nil {
				t.Error(err)
				return
			}
			addZone(t, w, "b")
		}()
		if n := count(t, second, "zone"); n != 1 {
			t.Errorf("the standby reads %d zones", n)
		}
		must(t, first.Close())
		within(t, 10*time.Second, taken, "taking over")
		if n := count(t, second, "zone"); n != 2 {
			t.Errorf("the successor reads %d zones", n)
		}
	})
}

func TestWaitingEndsWithItsContext(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		storetest.Acquire(t, storetest.Open(t, url, zones()))
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		if _, err := storetest.Open(t, url, zones()).Acquire(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("Acquire answered %v", err)
		}
	})
}

// Somebody who deletes the lock file lets a second server in; the first one
// must notice before it writes again.
func TestAFenceThatMovedStopsTheOldWriter(t *testing.T) {
	url := storetest.SQLite(t)
	first := storetest.Open(t, url, zones())
	old := storetest.Acquire(t, first)
	must(t, os.Remove(strings.TrimSuffix(path(url), ".db")+".lock"))
	addZone(t, storetest.Acquire(t, storetest.Open(t, url, zones())), "a")
	if err := old.Begin(t.Context()); !errors.Is(err, store.ErrLost) {
		t.Errorf("Begin answered %v", err)
	}
	within(t, time.Second, old.Lost(), "noticing")
	if err := old.Begin(t.Context()); !errors.Is(err, store.ErrLost) {
		t.Errorf("the second Begin answered %v", err)
	}
}

func TestALostConnectionIsALostLease(t *testing.T) {
	const kill = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE pid IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory' AND granted) AND datname = current_database()`
	t.Run("while idle", func(t *testing.T) {
		url := storetest.Postgres(t)
		w := storetest.Acquire(t, storetest.Open(t, url, zones()))
		byHand(t, url, kill)
		within(t, 5*time.Second, w.Lost(), "noticing")
		if err := w.Begin(t.Context()); !errors.Is(err, store.ErrLost) {
			t.Errorf("Begin answered %v", err)
		}
	})
	t.Run("within a transaction", func(t *testing.T) {
		url := storetest.Postgres(t)
		s := storetest.Open(t, url, zones())
		w := storetest.Acquire(t, s)
		must(t, w.Begin(t.Context()))
		exec(t, w, `INSERT INTO zone (id) VALUES ('a')`)
		_, err := w.Touched(t.Context())
		must(t, err)
		byHand(t, url, kill)
		if err := w.Commit(t.Context()); !errors.Is(err, store.ErrLost) {
			t.Errorf("Commit answered %v", err)
		}
		within(t, time.Second, w.Lost(), "noticing")
		if err := w.Begin(t.Context()); !errors.Is(err, store.ErrLost) {
			t.Errorf("Begin answered %v", err)
		}
		addZone(t, storetest.Acquire(t, storetest.Open(t, url, zones())), "b")
		if n := count(t, s, "zone"); n != 1 {
			t.Errorf("%d zones, want only the successor's", n)
		}
	})
}

// The answer to COMMIT of a failed transaction is ROLLBACK, without an error.
func TestAFailedTransactionIsNotCommitted(t *testing.T) {
	s := storetest.Open(t, storetest.Postgres(t), zones())
	w := storetest.Acquire(t, s)
	must(t, w.Begin(t.Context()))
	if _, err := w.Exec(t.Context(), `INSERT INTO nowhere (id) VALUES ('a')`); err == nil {
		t.Error("an unknown table was written")
	}
	if err := w.Commit(t.Context()); err == nil {
		t.Error("the failed transaction was committed")
	}
	addZone(t, w, "b")
}

// The lease must not go to a second connection behind the first one's back.
func TestAcquireTwiceIsRefused(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		storetest.Acquire(t, s)
		if _, err := s.Acquire(t.Context()); err == nil {
			t.Error("the store gave two writers")
		}
	})
}

func TestOnlyTheOwnerMayReadTheFiles(t *testing.T) {
	url := "sqlite://" + t.TempDir() + "/new/panel.db"
	s := storetest.Open(t, url, zones())
	addZone(t, storetest.Acquire(t, s), "a")
	dir := filepath.Dir(path(url))
	err := filepath.WalkDir(dir, func(name string, d fs.DirEntry, err error) error {
		must(t, err)
		info, err := d.Info()
		must(t, err)
		if info.Mode().Perm()&0o077 != 0 {
			t.Errorf("%s has mode %v", name, info.Mode())
		}
		return nil
	})
	must(t, err)
}

func TestReadOnlyCreatesAndLocksNothing(t *testing.T) {
	url := storetest.SQLite(t)
	if s, err := store.Open(t.Context(), store.Config{URL: url, ReadOnly: true}); err == nil {
		s.Close()
		t.Error("a database that does not exist was opened")
	}
	if left, _ := filepath.Glob(filepath.Dir(path(url)) + "/*"); len(left) > 0 {
		t.Errorf("%v were created", left)
	}
	live := storetest.Open(t, url, zones())
	addZone(t, storetest.Acquire(t, live), "a")
	s, err := store.Open(t.Context(), store.Config{URL: url, ReadOnly: true})
	must(t, err)
	defer s.Close()
	if n := count(t, s, "zone"); n != 1 {
		t.Errorf("%d zones", n)
	}
	if _, err := s.Acquire(t.Context()); !errors.Is(err, store.ErrReadOnly) {
		t.Errorf("Acquire answered %v", err)
	}
}

func TestAStandbyOutlivesItsConnection(t *testing.T) {
	url := storetest.Postgres(t)
	first := storetest.Open(t, url, zones())
	storetest.Acquire(t, first)
	second := storetest.Open(t, url, zones())
	taken := make(chan struct{})
	go func() {
		defer close(taken)
		if _, err := second.Acquire(context.Background()); err != nil {
			t.Error(err)
		}
	}()
	// Everyone but the holder loses the connection, until the standby was hit.
	until(t, "the standby loses its connection", func() bool {
		snap, err := first.Snapshot(t.Context())
		must(t, err)
		defer snap.Close()
		return one[int](t, snap, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity
			WHERE datname = current_database() AND pid <> pg_backend_pid() AND query LIKE '%pg_try_advisory_lock%' AND state = 'idle'
			AND pid NOT IN (SELECT pid FROM pg_locks WHERE locktype = 'advisory')`) > 0
	})
	must(t, first.Close())
	within(t, 10*time.Second, taken, "taking over")
}
