package store_test

import (
	"database/sql"
	"strings"
	"testing"

	_ "github.com/jackc/pgx/v5/stdlib"
	_ "modernc.org/sqlite"

	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

// byHand runs statements as an administrator with a database client would.
func byHand(t testing.TB, url string, qs ...string) {
	t.Helper()
	driver := "pgx"
	if path, ok := strings.CutPrefix(url, "sqlite://"); ok {
		driver, url = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, url)
	must(t, err)
	defer db.Close()
	for _, q := range qs {
		if _, err := db.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
}

// cause lists warnings as "cause kind/id".
func causes(ws []store.Warning) string {
	var all []string
	for _, w := range ws {
		all = append(all, w.Cause+" "+w.Touch.Kind+"/"+w.Touch.ID)
	}
	return strings.Join(all, ", ")
}

// settle puts warnings on record, as the bus does.
func settle(t testing.TB, s *store.Store, w *store.Writer) {
	t.Helper()
	write(t, w, func() { must(t, w.Settle(t.Context(), s.Warnings())) })
}

func TestEditsWhileWeAreDownBecomeWarnings(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		visit(t, url, zones(), func(s *store.Store, w *store.Writer) {
			addZone(t, w, "a")
			addZone(t, w, "b")
		})
		byHand(t, url, `UPDATE zone SET serial = 7 WHERE id = 'b'`)
		for range 2 { // they stay until they are settled
			visit(t, url, zones(), func(s *store.Store, w *store.Writer) {
				if got := causes(s.Warnings()); got != "edited zone/b" {
					t.Errorf("warnings %q", got)
				}
			})
		}
		visit(t, url, zones(), func(s *store.Store, w *store.Writer) {
			settle(t, s, w)
			if len(s.Warnings()) > 0 {
				t.Errorf("settled, but still there: %v", s.Warnings())
			}
		})
		visit(t, url, zones(), func(s *store.Store, w *store.Writer) {
			if len(s.Warnings()) > 0 {
				t.Errorf("settled, but back: %v", s.Warnings())
			}
		})
	})
}

// Somebody else's edit must neither be blamed on an operation nor get lost.
func TestEditsWhileWeRunBecomeWarnings(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		visit(t, url, zones(), func(s *store.Store, w *store.Writer) {
			addZone(t, w, "a")
			byHand(t, url, `UPDATE zone SET serial = 7`)
			if touched := write(t, w, func() {}); len(touched) > 0 {
				t.Errorf("an operation that did nothing touched %v", touched)
			}
			if got := causes(s.Warnings()); got != "edited zone/a" {
				t.Errorf("warnings %q", got)
			}
			settle(t, s, w)
			addZone(t, w, "b")
			if len(s.Warnings()) > 0 {
				t.Errorf("warnings %v", s.Warnings())
			}
		})
	})
}

func TestAWarningSurvivesARolledBackTransaction(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		visit(t, url, zones(), func(s *store.Store, w *store.Writer) {
			addZone(t, w, "a")
			byHand(t, url, `DELETE FROM zone`)
			must(t, w.Begin(t.Context()))
			must(t, w.Settle(t.Context(), s.Warnings()))
			must(t, w.Rollback(t.Context()))
			addZone(t, w, "b")
			if got := causes(s.Warnings()); got != "edited zone/a" {
				t.Errorf("warnings %q", got)
			}
		})
	})
}

func TestAGuardRemovedByHandIsRestoredAndReported(t *testing.T) {
	cases := map[string]map[string][]string{
		"sqlite": {
			"dropped": {`DROP TRIGGER store_touch_zone_update`},
			"altered": {`DROP TRIGGER store_touch_zone_update`,
				`CREATE TRIGGER store_touch_zone_update AFTER UPDATE ON zone WHEN 0 BEGIN SELECT 1; END`},
		},
		"postgres": {
			"dropped":       {`DROP TRIGGER store_touch_zone ON zone`},
			"disabled":      {`ALTER TABLE zone DISABLE TRIGGER store_touch_zone`},
			"weakened":      {`ALTER TABLE zone ENABLE TRIGGER store_touch_zone`},
			"replaced body": {`CREATE OR REPLACE FUNCTION store_touch_zone() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END'`},
			"conditional": {`DROP TRIGGER store_touch_zone ON zone`,
				`CREATE TRIGGER store_touch_zone AFTER INSERT OR UPDATE OR DELETE ON zone FOR EACH ROW WHEN (false) EXECUTE FUNCTION store_touch_zone()`},
			"truncatable": {`DROP TRIGGER store_whole_zone ON zone`},
		},
	}
	for engine, byName := range cases {
		for name, qs := range byName {
			t.Run(engine+"/"+name, func(t *testing.T) {
				url := storetest.SQLite(t)
				if engine == "postgres" {
					url = storetest.Postgres(t)
				}
				visit(t, url, zones(), nothing)
				byHand(t, url, qs...)
				visit(t, url, zones(), func(s *store.Store, w *store.Writer) {
					if got := causes(s.Warnings()); got != "trigger table/zone" {
						t.Errorf("warnings %q", got)
					}
					settle(t, s, w)
				})
				visit(t, url, zones(), func(s *store.Store, w *store.Writer) {
					addZone(t, w, "a")
					touched := write(t, w, func() { exec(t, w, `UPDATE zone SET serial = 1`) })
					if len(touched) != 1 || len(s.Warnings()) > 0 {
						t.Errorf("the guard was not restored: touched %v, warnings %v", touched, s.Warnings())
					}
				})
			})
		}
	}
}

func TestAStartStopsAtWhatIsNotOurs(t *testing.T) {
	cases := map[string]map[string][]string{
		"sqlite": {
			"hidden": {`CREATE TABLE hidden (id TEXT)`},
			"silent": {`CREATE TRIGGER silent AFTER INSERT ON zone BEGIN DELETE FROM store_touched; END`},
		},
		"postgres": {
			"hidden":  {`CREATE TABLE hidden (id TEXT)`},
			"s.there": {`CREATE SCHEMA s`, `CREATE TABLE s.there (id TEXT)`},
			"silent":  {`CREATE TRIGGER silent BEFORE UPDATE ON zone FOR EACH ROW EXECUTE FUNCTION suppress_redundant_updates_trigger()`},
			"rule":    {`CREATE RULE away AS ON DELETE TO zone DO INSTEAD NOTHING`},
		},
	}
	for engine, byName := range cases {
		for word, qs := range byName {
			t.Run(engine+"/"+word, func(t *testing.T) {
				url := storetest.SQLite(t)
				if engine == "postgres" {
					url = storetest.Postgres(t)
				}
				visit(t, url, zones(), nothing)
				byHand(t, url, qs...)
				refused(t, url, zones(), word)
			})
		}
	}
}

// REPLACE deletes rows without firing their triggers unless asked to.
func TestReplaceByHandIsSeen(t *testing.T) {
	url := storetest.SQLite(t)
	unique := "-- object: table=alias kind=zone id=zone_id\nCREATE TABLE alias (zone_id TEXT, name TEXT UNIQUE);"
	visit(t, url, zones("0002_alias.sql", unique), func(s *store.Store, w *store.Writer) {
		touched := write(t, w, func() {
			exec(t, w, `INSERT INTO alias (zone_id, name) VALUES ('a', 'x')`)
			_, err := w.Touched(t.Context())
			must(t, err)
			exec(t, w, `INSERT OR REPLACE INTO alias (zone_id, name) VALUES ('b', 'x')`)
		})
		if len(touched) != 2 {
			t.Errorf("touched %v, want the replaced row's zone too", touched)
		}
	})
}

func TestTruncateIsRefused(t *testing.T) {
	url := storetest.Postgres(t)
	visit(t, url, zones(), nothing)
	db, err := sql.Open("pgx", url)
	must(t, err)
	defer db.Close()
	if _, err := db.Exec(`TRUNCATE zone CASCADE`); err == nil || !strings.Contains(err.Error(), "unseen") {
		t.Errorf("TRUNCATE answered %v", err)
	}
}
