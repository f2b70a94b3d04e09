package act_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
)

// kept is where a sneaky operation leaves its Tx for later.
var kept *act.Tx

// sneaky are operations that change something and keep quiet about it, by
// accident or on purpose. Each is a way that was found while trying; none may
// leave a row behind, each must leave a record and an alarm (SPEC L1).
var sneaky = map[string]func(context.Context, *act.Tx, memoIn) (string, error){
	"memo.forgets": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		_, err := tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo)
		return "", err
	},
	"memo.undeclared": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		if _, err := tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo); err != nil {
			return "", err
		}
		return "", tx.Record(ctx, "memo.painted", core.Ref{Kind: "memo", ID: in.Memo})
	},
	"memo.onlymay": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		if _, err := tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo); err != nil {
			return "", err
		}
		return "", tx.Record(ctx, "memo.removed", core.Ref{Kind: "memo", ID: in.Memo})
	},
	"memo.otherobject": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		if _, err := tx.Exec(ctx, `UPDATE memo SET text = 'x'`); err != nil { // all of them
			return "", err
		}
		return "", tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo})
	},
	"memo.otherkind": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		if _, err := tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo); err != nil {
			return "", err
		}
		return "", tx.Record(ctx, "memo.written", core.Ref{Kind: "tenant", ID: core.Provider})
	},
	"memo.throughread": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		var id string
		_, err := tx.Get(ctx, `INSERT INTO memo (id, owner, text) VALUES ('quiet', 'provider', '') RETURNING id`, nil, &id)
		return "", err
	},
	"memo.throughwith": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		var id string
		_, err := tx.Get(ctx, `WITH w AS (SELECT 1) INSERT INTO memo (id, owner, text) SELECT 'quiet', 'provider', '' FROM w RETURNING id`, nil, &id)
		return "", err
	},
	"memo.swallows": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		_, _ = tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo)
		_, _ = tx.Exec(ctx, `DELETE FROM ledger_entry`)
		return "", tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo})
	},
	"memo.commits": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		_, err := tx.Exec(ctx, `UPDATE memo SET text = 'x'; COMMIT`)
		return "", err
	},
	"memo.untriggers": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		_, err := tx.Exec(ctx, `DROP TRIGGER anything`)
		return "", err
	},
	"memo.clearstouched": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		if _, err := tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo); err != nil {
			return "", err
		}
		_, err := tx.Exec(ctx, `DELETE FROM "store_touched"`)
		return "", err
	},
	"memo.panics": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		_, _ = tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo)
		panic("in the middle")
	},
	"memo.fails": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		_, _ = tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo)
		return "", errors.New("after the write")
	},
	"memo.refusesquietly": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		_, _ = tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo)
		return "", tx.Refuse(core.Errorf(core.Denied, "no"))
	},
	"memo.refusesthenfails": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		_, _ = tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo)
		_ = tx.Refuse(core.Errorf(core.Denied, "no"))
		return "", errors.New("another error")
	},
}

func TestNothingChangesWithoutARecord(t *testing.T) {
	var ops []act.Declaration
	for name, run := range sneaky {
		ops = append(ops, memoChange(name, run))
	}
	onEachEngine(t, ops, func(t *testing.T, r *rig) {
		for _, id := range []string{"m1", "m2"} {
			if _, _, err := memoCreate.Call(t.Context(), r.Bus, admin, memoIn{Memo: id, Text: "untouched"}); err != nil {
				t.Fatal(err)
			}
		}
		for name := range sneaky {
			t.Run(name, func(t *testing.T) {
				before := len(r.records(t))
				_, err := r.Do(t.Context(), act.Call{Op: name, Actor: admin, Input: []byte(`{"memo":"m1"}`)})
				if err == nil {
					t.Fatal("the operation was let through")
				}
				if got, err := memoShow.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); err != nil || got != "untouched" {
					t.Errorf("m1 is now %q, %v", got, err)
				}
				if n := r.memos(t); n != 2 {
					t.Errorf("%d memos, want 2", n)
				}
				after := r.records(t)
				if len(after) != before+1 {
					t.Fatalf("%d new records, want one of the attempt", len(after)-before)
				}
				leaf := after[len(after)-1]
				if !strings.Contains(leaf, `"action":"`+name+`"`) || !strings.Contains(leaf, `"outcome":"failed"`) && !strings.Contains(leaf, `"outcome":"refused"`) {
					t.Errorf("the record does not tell of it: %s", leaf)
				}
			})
		}
	})
}

func TestViewIsOverWithItsOperation(t *testing.T) {
	var view *act.View
	keep := memoChange("memo.keep", func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		kept, view = tx, &tx.View
		return "", nil
	})
	var reused error // while another operation has the writer's transaction open
	reuse := memoChange("memo.reuse", func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		_, reused = view.Get(ctx, `SELECT id FROM memo`, nil, new(string))
		return "", nil
	})
	onEachEngine(t, []act.Declaration{keep, reuse}, func(t *testing.T, r *rig) {
		if _, _, err := memoCreate.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); err != nil {
			t.Fatal(err)
		}
		if _, res, err := keep.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); err != nil || res.State != act.Unchanged {
			t.Fatal(res, err)
		}
		if _, err := kept.Exec(t.Context(), `DELETE FROM memo`); err == nil {
			t.Error("a Tx kept for later still writes")
		}
		if err := kept.Record(t.Context(), "memo.written", core.Ref{Kind: "memo", ID: "m1"}); err == nil {
			t.Error("a Tx kept for later still records")
		}
		if _, err := view.Get(t.Context(), `SELECT 1`, nil); err == nil {
			t.Error("a View kept for later still reads")
		}
		if _, _, err := reuse.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); err != nil || reused == nil {
			t.Errorf("a View kept for later reads within another operation: %v, %v", reused, err)
		}
	})
}

func TestAQueryCannotWrite(t *testing.T) {
	peek := act.Query[memoIn, string]{Name: "memo.peek", Doc: "Toy.", Class: "panel", Roles: act.Hosted, Sample: memoIn{Memo: "m1"}, Target: memoTarget,
		Run: func(ctx context.Context, v *act.View, in memoIn) (string, error) {
			var id string
			_, err := v.Get(ctx, `WITH w AS (SELECT 1) DELETE FROM memo RETURNING id`, nil, &id)
			return id, err
		}}
	onEachEngine(t, []act.Declaration{peek}, func(t *testing.T, r *rig) {
		if _, _, err := memoCreate.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); err != nil {
			t.Fatal(err)
		}
		if _, err := peek.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); err == nil {
			t.Error("a query wrote and nobody said a word")
		}
		if n := r.memos(t); n != 1 {
			t.Errorf("%d memos, want 1", n)
		}
	})
}
