package act_test

import (
	"context"
	"strings"
	"testing"

	"hostward/internal/act"
)

// TestAnOperationMakesNoPastOfWhatWasAlteredByHand edits rows as root would who
// removes the guards and puts them back, and then has somebody change the
// object honestly: the newest record stands for the edited state too.
func TestAnOperationMakesNoPastOfWhatWasAlteredByHand(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		tampered := func() (n int) {
			for _, leaf := range r.records(t) {
				if strings.Contains(leaf, `"log.tampering"`) {
					n++
				}
			}
			return n
		}
		mustCreate(t, r, admin, "m1", "before")
		mustCreate(t, r, admin, "m2", "before")
		write := func(memo, text string) {
			t.Helper()
			if _, _, err := memoWrite.Call(t.Context(), r.Bus, admin, memoIn{Memo: memo, Text: text}); err != nil {
				t.Fatal(err)
			}
		}
		write("m1", "changed")
		write("m1", "changed again")
		if n := tampered(); n != 0 {
			t.Fatalf("%d honest changes are called tampering", n)
		}
		r.behind(t, `UPDATE memo SET text = 'edited' WHERE id = 'm1'`)
		r.behind(t, `INSERT INTO memo (id, owner, text) VALUES ('m3', 'provider', 'invented')`)
		write("m2", "changed")
		if n := tampered(); n != 0 {
			t.Errorf("%d records about an object that nobody edited", n)
		}
		if _, err := do(t, r, act.Call{Op: "memo.write", Actor: admin, Input: []byte(`{"memo":"m1","text":"looked at"}`), Preview: true}); err != nil || tampered() != 0 {
			t.Errorf("a preview: %v, %d records", err, tampered())
		}
		write("m1", "honest")
		write("m3", "honest")
		write("m1", "honest again")
		if n := tampered(); n != 2 {
			t.Errorf("%d records of two edits", n)
		}
	})
}

// behind edits the database without the guards' noticing.
func (r *rig) behind(t *testing.T, q string) {
	t.Helper()
	r.store.Unguarded(context.Background(), t, q)
}
