package store_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"

	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

func TestSavepointsNest(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		w := storetest.Acquire(t, s)
		ctx := t.Context()
		write(t, w, func() {
			must(t, w.Savepoint(ctx))
			exec(t, w, `INSERT INTO zone (id) VALUES ('kept')`)
			must(t, w.Savepoint(ctx))
			exec(t, w, `INSERT INTO zone (id) VALUES ('inner')`)
			must(t, w.RollbackTo(ctx))
			must(t, w.Release(ctx))
			must(t, w.Savepoint(ctx))
			exec(t, w, `INSERT INTO zone (id) VALUES ('undone')`)
			must(t, w.RollbackTo(ctx))
			if err := w.Release(ctx); err == nil {
				t.Error("a savepoint was left twice")
			}
		})
		if n := count(t, s, "zone"); n != 1 {
			t.Errorf("%d zones, want only the kept one", n)
		}
	})
}

// A failed statement costs its savepoint, not the batch.
func TestABatchGoesOnAfterAFailedStatement(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		w := storetest.Acquire(t, s)
		ctx := t.Context()
		write(t, w, func() {
			exec(t, w, `INSERT INTO zone (id) VALUES ('a')`)
			must(t, w.Savepoint(ctx))
			exec(t, w, `INSERT INTO zone (id) VALUES ('b')`)
			if _, err := w.Exec(ctx, `INSERT INTO zone (id) VALUES ('a')`); !store.IsUnique(err) {
				t.Errorf("IsUnique(%v) is false", err)
			}
			must(t, w.RollbackTo(ctx))
			must(t, w.Savepoint(ctx))
			_, err := w.Exec(ctx, `INSERT INTO zone_record (zone_id, name) VALUES ('none', 'x')`)
			if !store.IsForeign(err) || store.IsUnique(err) || store.IsFull(err) || store.IsSerialization(err) {
				t.Errorf("a foreign key's error is taken for another: %v", err)
			}
			must(t, w.RollbackTo(ctx))
			exec(t, w, `INSERT INTO zone (id) VALUES ('c')`)
		})
		if n := count(t, s, "zone"); n != 2 {
			t.Errorf("%d zones, want a and c", n)
		}
	})
}

func TestNothingIsWrittenOutsideATransaction(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		w := storetest.Acquire(t, s)
		ctx := t.Context()
		const q = `INSERT INTO zone (id) VALUES ('a') RETURNING id`
		if _, err := w.Exec(ctx, q); err == nil {
			t.Error("Exec ran without a transaction")
		}
		if _, err := w.Query(ctx, q); err == nil {
			t.Error("Query ran without a transaction")
		}
		if err := w.QueryRow(ctx, q).Err(); err == nil {
			t.Error("QueryRow ran without a transaction")
		}
		for name, f := range map[string]func(context.Context) error{"Commit": w.Commit, "Savepoint": w.Savepoint, "Release": w.Release} {
			if err := f(ctx); err == nil {
				t.Errorf("%s succeeded without a transaction", name)
			}
		}
		must(t, w.Rollback(ctx))
		if n := count(t, s, "zone"); n != 0 {
			t.Errorf("%d zones were written", n)
		}
	})
}

// Each of these would go past the gate or end the bus's transaction.
func TestStatementsThatCouldWriteUnseenAreRefused(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		w := storetest.Acquire(t, s)
		must(t, w.Begin(t.Context()))
		for _, q := range []string{
			`DELETE FROM store_touched`,
			`DELETE FROM "store_touched"`,
			`DELETE FROM main.STORE_TOUCHED`,
			`WITH x AS (SELECT 1) DELETE FROM store_touched`,
			`DELETE FROM U&"\0073tore_touched"`,
			`UPDATE zone SET id = 'x'; COMMIT`,
			`COMMIT`, `ROLLBACK`, `BEGIN`, `RELEASE s1`, `END`, ``, `-- nothing`,
			`/* x */ DROP TABLE zone`,
			`DROP TRIGGER store_touch_zone_update`, `CREATE TABLE hidden (x TEXT)`, `ALTER TABLE zone RENAME TO z`,
			`PRAGMA recursive_triggers = 0`, `ATTACH 'x.db' AS x`, `VACUUM`,
			`SET session_replication_role = replica`, `TRUNCATE zone`, `COPY zone FROM PROGRAM 'id'`, `DO 'BEGIN END'`,
			`SELECT set_config('synchronous_commit', 'off', false)`, `SELECT pg_advisory_unlock_all()`,
			`SELECT * FROM pragma_foreign_keys(0)`, `DELETE FROM sqlite_sequence`,
			`REPLACE INTO zone (id) VALUES ('a')`, `EXPLAIN ANALYZE DELETE FROM zone`,
		} {
			if _, err := w.Exec(t.Context(), q); err == nil || errors.Is(err, store.ErrLost) {
				t.Errorf("%q ran: %v", q, err)
			}
		}
		exec(t, w, `INSERT INTO zone (id) VALUES ('a');`)
		restore := `SELECT count(*) FROM zone AS restore_point`
		if n := one[int](t, w, restore); n != 1 {
			t.Errorf("%q: %d", restore, n)
		}
		must(t, w.Rollback(t.Context()))
	})
}

func TestWhatIsTouchedIsNoted(t *testing.T) {
	a, b, nobody := store.Touch{Kind: "zone", ID: "a"}, store.Touch{Kind: "zone", ID: "b"}, store.Touch{Kind: "zone"}
	cases := []struct {
		name, q string
		want    []store.Touch
	}{
		{"insert", `INSERT INTO zone_record (zone_id, name) VALUES ('a', 'new')`, []store.Touch{a}},
		{"insert through a query", `INSERT INTO zone_record (zone_id, name) VALUES ('a', 'new') RETURNING name`, []store.Touch{a}},
		{"update", `UPDATE zone_record SET value = 'x' WHERE zone_id = 'a'`, []store.Touch{a}},
		{"a row moved", `UPDATE zone_record SET zone_id = 'b' WHERE zone_id = 'a' AND name = 'www'`, []store.Touch{a, b}},
		{"delete", `DELETE FROM zone_record WHERE zone_id = 'a'`, []store.Touch{a}},
		{"delete everything", `DELETE FROM zone_record`, []store.Touch{a, b}},
		{"cascade", `DELETE FROM zone WHERE id = 'b'`, []store.Touch{b}},
		{"upsert", `INSERT INTO zone_record (zone_id, name) VALUES ('a', 'www') ON CONFLICT (zone_id, name) DO UPDATE SET value = 'x'`, []store.Touch{a}},
		{"within WITH", `WITH x AS (SELECT 'b' AS id) UPDATE zone SET serial = 1 WHERE id IN (SELECT id FROM x)`, []store.Touch{b}},
		{"no id", `INSERT INTO note (zone_id) VALUES (NULL)`, []store.Touch{nobody}},
		{"nothing", `DELETE FROM zone WHERE id = 'c'`, nil},
		{"nothing read", `SELECT count(*) FROM zone`, nil},
	}
	note := "-- object: table=note kind=zone id=zone_id\nCREATE TABLE note (zone_id TEXT);"
	storetest.Each(t, zones("0002_note.sql", note), func(t *testing.T, s *store.Store) {
		w := storetest.Acquire(t, s)
		write(t, w, func() {
			exec(t, w, `INSERT INTO zone (id) VALUES ('a'), ('b')`)
			exec(t, w, `INSERT INTO zone_record (zone_id, name) VALUES ('a', 'www'), ('a', 'ftp'), ('b', 'ftp2')`)
		})
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				must(t, w.Begin(t.Context()))
				rows, err := w.Query(t.Context(), c.q)
				must(t, err)
				for rows.Next() {
				}
				must(t, errors.Join(rows.Err(), rows.Close()))
				got, err := w.Touched(t.Context())
				must(t, err)
				if !slices.Equal(got, c.want) {
					t.Errorf("touched %v, want %v", got, c.want)
				}
				if again, err := w.Touched(t.Context()); err != nil || len(again) != 0 {
					t.Errorf("the notes were not drained: %v, %v", again, err)
				}
				must(t, w.Rollback(t.Context()))
			})
		}
	})
}

func TestTouchesOfAnUndoneSavepointAreGone(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		w := storetest.Acquire(t, s)
		ctx := t.Context()
		touched := write(t, w, func() {
			must(t, w.Savepoint(ctx))
			exec(t, w, `INSERT INTO zone (id) VALUES ('a')`)
			must(t, w.RollbackTo(ctx))
		})
		if len(touched) != 0 {
			t.Errorf("touched %v", touched)
		}
	})
}

// The gate's last line: what nobody looked at is not committed.
func TestCommitRefusesTouchesThatNobodyDrained(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		w := storetest.Acquire(t, s)
		must(t, w.Begin(t.Context()))
		exec(t, w, `INSERT INTO zone (id) VALUES ('a')`)
		if err := w.Commit(t.Context()); err == nil || !strings.Contains(err.Error(), "{zone a}") {
			t.Errorf("the commit answered %v", err)
		}
		if n := count(t, s, "zone"); n != 0 {
			t.Errorf("%d zones were written", n)
		}
		addZone(t, w, "b")
	})
}

// A savepoint that is undone also undoes that the notes were read.
func TestNotesThatComeBackAreNotForgotten(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		w := storetest.Acquire(t, s)
		ctx := t.Context()
		must(t, w.Begin(ctx))
		exec(t, w, `INSERT INTO zone (id) VALUES ('a')`)
		must(t, w.Savepoint(ctx))
		_, err := w.Touched(ctx)
		must(t, err)
		must(t, w.RollbackTo(ctx))
		if err := w.Commit(ctx); err == nil {
			t.Error("the zone was committed unseen")
		}
	})
}

func TestAnEndedContextStopsBeforeAStatementNotWithinIt(t *testing.T) {
	storetest.Each(t, zones(), func(t *testing.T, s *store.Store) {
		w := storetest.Acquire(t, s)
		ended, cancel := context.WithCancel(t.Context())
		cancel()
		must(t, w.Begin(t.Context()))
		if _, err := w.Exec(ended, `INSERT INTO zone (id) VALUES ('a')`); !errors.Is(err, context.Canceled) {
			t.Errorf("Exec answered %v", err)
		}
		must(t, w.Rollback(ended))
		addZone(t, w, "b")
	})
}

func TestRowsMayStayOpenWhileTheSameTextRuns(t *testing.T) {
	s := storetest.Open(t, storetest.SQLite(t), zones())
	w := storetest.Acquire(t, s)
	write(t, w, func() { exec(t, w, `INSERT INTO zone (id) VALUES ('a'), ('b'), ('c')`) })
	snap, err := s.Snapshot(t.Context())
	must(t, err)
	defer snap.Close()
	const q = `SELECT id FROM zone ORDER BY id`
	rows, err := snap.Query(t.Context(), q)
	must(t, err)
	var got []string
	for rows.Next() {
		var id string
		must(t, rows.Scan(&id))
		got = append(got, id, one[string](t, snap, q))
	}
	must(t, errors.Join(rows.Err(), rows.Close()))
	if want := []string{"a", "a", "b", "a", "c", "a"}; !slices.Equal(got, want) {
		t.Errorf("read %v, want %v", got, want)
	}
}
