package store_test

import (
	"crypto/rand"
	"os"
	"testing"
	"time"

	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

// until waits for a condition.
func until(t testing.TB, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%s: not within 20 s", what)
		}
	}
}

func size(t testing.TB, name string) int64 {
	t.Helper()
	info, err := os.Stat(name)
	must(t, err)
	return info.Size()
}

// rewrite replaces one row n times, so that the log grows and the database does not.
func rewrite(t testing.TB, w *store.Writer, n int) {
	t.Helper()
	image := make([]byte, 400_000)
	for range n {
		rand.Read(image) // SQLite does not write what is already there
		write(t, w, func() { exec(t, w, `UPDATE zone SET image = $1`, image) })
	}
}

func TestTheLogIsCopiedBesideTheWriter(t *testing.T) {
	url := storetest.SQLite(t)
	w := storetest.Acquire(t, storetest.Open(t, url, zones()))
	addZone(t, w, "a")
	rewrite(t, w, 15) // some 6 MB, less than the writer's own limit
	until(t, "the database file grows", func() bool {
		if size(t, path(url)) > 400_000 {
			return true
		}
		rewrite(t, w, 1)
		return false
	})
}

func TestTheLogDoesNotGrowForEver(t *testing.T) {
	url := storetest.SQLite(t)
	w := storetest.Acquire(t, storetest.Open(t, url, zones()))
	addZone(t, w, "a")
	rewrite(t, w, 400) // 160 MB
	if n := size(t, path(url)+"-wal"); n > 80<<20 {
		t.Errorf("the log has %d MB", n>>20)
	}
}

// A reader that stays holds the log; when it goes, the log is used anew.
func TestAForgottenSnapshotDoesNotStopTheWriter(t *testing.T) {
	url := storetest.SQLite(t)
	s := storetest.Open(t, url, zones())
	w := storetest.Acquire(t, s)
	addZone(t, w, "a")
	snap, err := s.Snapshot(t.Context())
	must(t, err)
	rewrite(t, w, 200)
	must(t, snap.Close())
	rewrite(t, w, 2)
	grown := size(t, path(url)+"-wal")
	rewrite(t, w, 100)
	if n := size(t, path(url)+"-wal"); n > max(grown, 80<<20) {
		t.Errorf("the log went on growing from %d to %d MB", grown>>20, n>>20)
	}
}
