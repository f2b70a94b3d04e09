package store_test

import (
	"testing"
	"testing/fstest"

	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

// zones is the schema of the tests: a zone with records, each belonging to one.
func zones(more ...string) []store.Migration {
	files := fstest.MapFS{"sql/0001_zone.sql": {Data: []byte(`
-- object: table=zone kind=zone id=id
CREATE TABLE zone (id TEXT PRIMARY KEY, serial BIGINT NOT NULL DEFAULT 0, image BLOB);
-- object: table=zone_record kind=zone id=zone_id
CREATE TABLE zone_record (
	zone_id TEXT NOT NULL REFERENCES zone (id) ON DELETE CASCADE,
	name TEXT NOT NULL,
	value TEXT,
	active BOOLEAN NOT NULL DEFAULT TRUE,
	PRIMARY KEY (zone_id, name)
);`)}}
	for i := 0; i < len(more); i += 2 {
		files["sql/"+more[i]] = &fstest.MapFile{Data: []byte(more[i+1])}
	}
	return []store.Migration{{Name: "zone", FS: files}}
}

func must(t testing.TB, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func exec(t testing.TB, w *store.Writer, q string, args ...any) {
	t.Helper()
	if _, err := w.Exec(t.Context(), q, args...); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
}

// write runs f in a transaction, drains the touches and commits.
func write(t testing.TB, w *store.Writer, f func()) []store.Touch {
	t.Helper()
	must(t, w.Begin(t.Context()))
	f()
	touched, err := w.Touched(t.Context())
	must(t, err)
	must(t, w.Commit(t.Context()))
	return touched
}

func addZone(t testing.TB, w *store.Writer, id string) {
	t.Helper()
	write(t, w, func() { exec(t, w, `INSERT INTO zone (id) VALUES ($1)`, id) })
}

// one returns the single value of a query.
func one[T any](t testing.TB, r store.Reader, q string, args ...any) T {
	t.Helper()
	var v T
	if err := r.QueryRow(t.Context(), q, args...).Scan(&v); err != nil {
		t.Fatalf("%s: %v", q, err)
	}
	return v
}

// count reads from a fresh snapshot.
func count(t testing.TB, s *store.Store, table string) int {
	t.Helper()
	snap, err := s.Snapshot(t.Context())
	must(t, err)
	defer snap.Close()
	return one[int](t, snap, "SELECT count(*) FROM "+table)
}

func TestValuesComeBackAsTheyWent(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		w := storetest.Acquire(t, s)
		blob := []byte{0, 1, 0xff, 0}
		write(t, w, func() {
			exec(t, w, `INSERT INTO zone (id, serial, image) VALUES ($1, $3, $2)`, "a", blob, int64(1)<<62)
			exec(t, w, `INSERT INTO zone (id, image) VALUES ($1, $2)`, "null", nil)
			exec(t, w, `INSERT INTO zone (id, image) VALUES ($1, $2)`, "empty", []byte{})
			exec(t, w, `INSERT INTO zone_record (zone_id, name, value, active) VALUES ($1, $2, $3, $4)`, "a", "www", "ü\n", false)
		})
		snap, err := s.Snapshot(t.Context())
		must(t, err)
		defer snap.Close()
		if got := one[[]byte](t, snap, `SELECT image FROM zone WHERE id = $1`, "a"); string(got) != string(blob) {
			t.Errorf("blob: got %x", got)
		}
		if got := one[[]byte](t, snap, `SELECT image FROM zone WHERE id = $1`, "null"); got != nil {
			t.Errorf("null blob: got %x", got)
		}
		if got := one[bool](t, snap, `SELECT image IS NOT NULL FROM zone WHERE id = $1`, "empty"); !got {
			t.Error("an empty blob became null")
		}
		if got := one[int64](t, snap, `SELECT serial FROM zone WHERE image = $1`, blob); got != 1<<62 {
			t.Errorf("integer: got %d", got)
		}
		if got := one[bool](t, snap, `SELECT active FROM zone_record WHERE value = $1`, "ü\n"); got {
			t.Error("false became true")
		}
	})
}
