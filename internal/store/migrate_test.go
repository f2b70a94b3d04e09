package store_test

import (
	"strings"
	"testing"
	"testing/fstest"

	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

// refused opens and acquires, and wants an error with each of the words.
func refused(t *testing.T, url string, ms []store.Migration, words ...string) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: url, Migrations: ms})
	if err == nil {
		defer s.Close()
		_, err = s.Acquire(t.Context())
	}
	if err == nil {
		t.Fatalf("accepted, want an error about %q", words)
	}
	for _, word := range words {
		if !strings.Contains(err.Error(), word) {
			t.Errorf("the error is %q, want it to say %q", err, word)
		}
	}
}

// visit opens, acquires and closes.
func visit(t *testing.T, url string, ms []store.Migration, f func(s *store.Store, w *store.Writer)) {
	t.Helper()
	s, err := store.Open(t.Context(), store.Config{URL: url, Migrations: ms})
	must(t, err)
	w, err := s.Acquire(t.Context())
	if err != nil {
		s.Close()
		t.Fatal(err)
	}
	f(s, w)
	must(t, s.Close())
}

func nothing(*store.Store, *store.Writer) {}

func TestMigrationsRunOnceInOrderForTheirEngine(t *testing.T) {
	more := []string{
		"0003_fill.sql", `INSERT INTO zone (id) SELECT engine FROM which;`,
		"0002_which.sqlite.sql", "-- object: table=which kind=zone id=engine\nCREATE TABLE which (engine TEXT);\nINSERT INTO which VALUES ('sqlite');",
		"0002_which.postgres.sql", "-- object: table=which kind=zone id=engine\nCREATE TABLE which (engine TEXT);\nINSERT INTO which VALUES ('postgres');",
	}
	storetest.EachURL(t, func(t *testing.T, url string) {
		visit(t, url, zones(), nothing)
		for range 2 {
			visit(t, url, zones(more...), func(s *store.Store, w *store.Writer) {
				must(t, w.Begin(t.Context()))
				if got := one[string](t, w, `SELECT id FROM zone`); got != s.Engine() {
					t.Errorf("filled with %q", got)
				}
				must(t, w.Rollback(t.Context()))
			})
		}
	})
}

func TestAFailedMigrationLeavesNothing(t *testing.T) {
	bad := "-- object: table=half kind=zone id=id\nCREATE TABLE half (id TEXT);\nCREATE TABLE zone (id TEXT);"
	storetest.EachURL(t, func(t *testing.T, url string) {
		refused(t, url, zones("0002_half.sql", bad), "zone/0002_half.sql", "exists")
		visit(t, url, zones("0002_half.sql", "-- object: table=half kind=zone id=id\nCREATE TABLE half (id TEXT);"), nothing)
	})
}

func TestAnAppliedFileMustNotChange(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		visit(t, url, zones("0002_x.sql", "SELECT 1;"), nothing)
		refused(t, url, zones("0002_x.sql", "SELECT 2;"), "zone/0002_x.sql", "must not change")
	})
}

func TestANewerDatabaseIsRefused(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		visit(t, url, zones("0002_x.sql", "SELECT 1;"), nothing)
		refused(t, url, zones(), "newer version", "zone/0002_x.sql", "restore a backup")
	})
}

func TestADatabaseOfSomebodyElseIsRefused(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		byHand(t, url, `CREATE TABLE wp_posts (id TEXT)`)
		refused(t, url, zones(), "wp_posts", "not ours")
	})
}

func TestWrongMigrationsAreRefused(t *testing.T) {
	cases := []struct {
		name, file, text string
		words            []string
	}{
		{"table not declared", "0002_x.sql", "CREATE TABLE hidden (id TEXT);", []string{"hidden", "not declared", "-- object: table=hidden"}},
		{"frame in a feature", "0002_x.sql", "-- frame: table=hidden\nCREATE TABLE hidden (id TEXT);", []string{"frame", "only store, ledger, act"}},
		{"declared, not made", "0002_x.sql", "-- object: table=absent kind=zone id=id", []string{"absent", "does not have it"}},
		{"made, then gone", "0002_x.sql", "-- gone: table=zone_record", []string{"zone_record", "not declared"}},
		{"misspelt directive", "0002_x.sql", "-- object: tabel=zone kind=zone id=id", []string{"accepted are"}},
		{"directive without id", "0002_x.sql", "--object: table=zone kind=zone", []string{"accepted are"}},
		{"injected", "0002_x.sql", "-- object: table=zone kind=zo'ne id=id", []string{"accepted are"}},
		{"id that is no column", "0002_x.sql", "-- object: table=zone kind=zone id=nothing", []string{"nothing"}},
		{"file name", "2_x.sql", "SELECT 1;", []string{"NNNN_x.sql"}},
	}
	storetest.EachURL(t, func(t *testing.T, url string) {
		for _, c := range cases {
			t.Run(c.name, func(t *testing.T) {
				url := url
				if strings.HasPrefix(url, "sqlite") {
					url = storetest.SQLite(t)
				} else {
					url = storetest.Postgres(t)
				}
				refused(t, url, zones(c.file, c.text), c.words...)
			})
		}
	})
}

func TestATableCanGo(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		visit(t, url, zones(), nothing)
		visit(t, url, zones("0002_drop.sql", "-- gone: table=zone_record\nDROP TABLE zone_record;"), func(s *store.Store, w *store.Writer) {
			addZone(t, w, "a")
			if len(s.Warnings()) > 0 {
				t.Errorf("warnings: %v", s.Warnings())
			}
		})
	})
}

func TestTheLogMayHaveTablesWithoutObject(t *testing.T) {
	ledger := store.Migration{Name: "ledger", FS: fstest.MapFS{"sql/0001_entry.sql": {Data: []byte(
		"-- frame: table=ledger_entry\nCREATE TABLE ledger_entry (seq BIGINT PRIMARY KEY);")}}}
	storetest.Each(t, []store.Migration{ledger}, func(t *testing.T, s *store.Store) {
		w := storetest.Acquire(t, s)
		must(t, w.Begin(t.Context()))
		exec(t, w, `INSERT INTO ledger_entry (seq) VALUES ($1)`, 1)
		must(t, w.Commit(t.Context()))
	})
}

func TestFullTextTablesOfTheLogAreKnown(t *testing.T) {
	ledger := store.Migration{Name: "ledger", FS: fstest.MapFS{"sql/0001_text.sqlite.sql": {Data: []byte(
		"-- frame: table=ledger_text\nCREATE VIRTUAL TABLE ledger_text USING fts5 (words);")}}}
	visit(t, storetest.SQLite(t), []store.Migration{ledger}, func(s *store.Store, w *store.Writer) {
		must(t, w.Begin(t.Context()))
		exec(t, w, `INSERT INTO ledger_text (words) VALUES ($1)`, "zone created")
		must(t, w.Commit(t.Context()))
	})
}

func TestOpenRefusesOtherURLs(t *testing.T) {
	for _, url := range []string{"", "mysql://x", "sqlite://", "sqlite:///data/", "sqlite:///x.db?mode=memory", "postgres://%zz"} {
		if s, err := store.Open(t.Context(), store.Config{URL: url}); err == nil {
			s.Close()
			t.Errorf("%q was opened", url)
		}
	}
}

// An upgrade that changes rows changes what the log said of them last.
func TestObjectsChangedByAMigrationAreReported(t *testing.T) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		visit(t, url, zones(), func(s *store.Store, w *store.Writer) {
			addZone(t, w, "a")
			addZone(t, w, "b")
		})
		byHand(t, url, `UPDATE zone SET serial = 7 WHERE id = 'b'`)
		visit(t, url, zones("0002_serial.sql", "UPDATE zone SET serial = serial + 1 WHERE id = 'a';"), func(s *store.Store, w *store.Writer) {
			if got := causes(s.Warnings()); got != "edited zone/b, migrated zone/a" {
				t.Errorf("warnings %q", got)
			}
		})
	})
}
