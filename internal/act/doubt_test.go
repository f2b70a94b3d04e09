package act_test

import (
	"database/sql"
	"io/fs"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/ledger"
	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

// behind edits the database as root would who then removes the guards' notes.
func behind(t *testing.T, url string, qs ...string) {
	t.Helper()
	driver := "pgx"
	if path, ok := strings.CutPrefix(url, "sqlite://"); ok {
		driver, url = "sqlite", "file:"+path+"?_pragma=busy_timeout(5000)"
	}
	db, err := sql.Open(driver, url)
	if err != nil {
		t.Fatal(err)
	}
	defer db.Close()
	tx, err := db.Begin()
	if err != nil {
		t.Fatal(err)
	}
	for _, q := range append(qs, `DELETE FROM store_touched`) {
		if _, err := tx.Exec(q); err != nil {
			t.Fatalf("%s: %v", q, err)
		}
	}
	if err := tx.Commit(); err != nil {
		t.Fatal(err)
	}
}

// TestAnOperationMakesNoPastOfWhatWasAlteredByHand changes objects honestly
// after somebody edited their rows past the guards. The newest record stands for
// the edited state too, so verification would find nothing.
func TestAnOperationMakesNoPastOfWhatWasAlteredByHand(t *testing.T) {
	reg, err := act.NewRegistry(act.Feature{Name: "memo", Ops: []act.Declaration{memoCreate, memoWrite, memoDelete, memoShow},
		Kinds: []act.Kind{memoKind, tenantKind}, SQL: memoSQL})
	if err != nil {
		t.Fatal(err)
	}
	migrations := []store.Migration{{Name: "ledger", FS: ledger.Migrations}, {Name: "act", FS: act.Migrations}, {Name: "memo", FS: fs.FS(memoSQL)}}
	storetest.EachURL(t, func(t *testing.T, url string) {
		r := newRig(t, reg, storetest.Open(t, url, migrations))
		tampered := func() string {
			var found []string
			for _, leaf := range r.records(t) {
				if _, behind, ok := strings.Cut(leaf, `"log.tampering"`); ok {
					_, id, _ := strings.Cut(behind, `"object":{"kind":"memo","id":"`)
					found = append(found, id[:2])
				}
			}
			return strings.Join(found, " ")
		}
		write := func(memo, text string, preview bool) {
			t.Helper()
			if _, err := do(t, r, act.Call{Op: "memo.write", Actor: admin, Input: []byte(`{"memo":"` + memo + `","text":"` + text + `"}`), Preview: preview}); err != nil {
				t.Fatal(err)
			}
		}
		mustCreate(t, r, admin, "m1", "before")
		mustCreate(t, r, admin, "m2", "before")
		write("m1", "changed", false)
		behind(t, url, `UPDATE memo SET text = 'edited' WHERE id = 'm1'`, `INSERT INTO memo (id, owner, text) VALUES ('m3', 'provider', 'invented')`)
		write("m2", "changed", false)
		write("m1", "looked at", true)
		if got := tampered(); got != "" {
			t.Fatalf("honest changes and a preview are called tampering with %s", got)
		}
		write("m1", "honest", false)
		write("m3", "honest", false)
		write("m1", "honest again", false)
		if got := tampered(); got != "m1 m3" {
			t.Errorf("tampering is on record of %q, want m1 and m3", got)
		}
	})
}
