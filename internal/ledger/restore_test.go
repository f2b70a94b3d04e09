package ledger_test

import (
	"context"
	"testing"

	"hostward/internal/ledger"
)

func TestRestorePutsBackWhatWasSealedAndNothingElse(t *testing.T) {
	w := newWorld(t)
	for i := range 600 { // more than two bundles
		w.append(w.entry(i))
	}
	w.seal()
	w.byHand(`UPDATE ledger_entry SET leaf = CAST('{}' AS BLOB), id = 'r_forged' WHERE seq = 300`,
		`DELETE FROM ledger_entry WHERE seq = 17`)
	var done ledger.Restoration
	w.inTx(func(ctx context.Context) (err error) {
		done, err = ledger.Restore(ctx, w.writer, w.keys, w.tiles())
		return err
	})
	if len(done.Altered) != 1 || done.Altered[0] != 300 || len(done.Removed) != 1 || done.Removed[0] != 17 {
		t.Fatalf("restored %+v", done)
	}
	if r := w.verify(nil); !r.OK() {
		t.Fatalf("after restoring: %v", r.Findings)
	}
	w.inTx(func(ctx context.Context) (err error) {
		done, err = ledger.Restore(ctx, w.writer, w.keys, w.tiles())
		return err
	})
	if len(done.Altered)+len(done.Removed) != 0 {
		t.Errorf("a whole log was restored: %+v", done)
	}
}

func TestAMarkSetByHandDestroysNoKey(t *testing.T) {
	w := newWorld(t)
	w.append(w.entry(0))
	w.byHand(`UPDATE ledger_period SET over = 1`)
	var e ledger.Erasure
	w.inTx(func(ctx context.Context) (err error) {
		e, err = ledger.Erase(ctx, w.writer, w.now, ledger.DefaultRules, 100)
		return err
	})
	if len(e.Over) != 0 {
		t.Errorf("the keys of %v would be destroyed, and nothing of them is due", e.Over)
	}
}
