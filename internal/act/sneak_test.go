package act_test

import (
	"context"
	"fmt"
	"io/fs"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/ledger"
	"hostward/internal/store"
	"hostward/internal/store/storetest"
)

// Ways around the door that need more than a Run function. Each was tried in
// earnest; each must fail, leave nothing, and be on record (SPEC L1).

// askers put a text into each place where a feature may ask the database.
var askers = map[string]func(*act.Change[memoIn, string], func(context.Context, *act.View) error){
	"target": func(c *act.Change[memoIn, string], ask func(context.Context, *act.View) error) {
		c.Target = func(ctx context.Context, v *act.View, in *memoIn) (core.Ref, error) {
			_ = ask(ctx, v)
			return core.Ref{Kind: "memo", ID: in.Memo}, nil
		}
	},
	"prepare": func(c *act.Change[memoIn, string], ask func(context.Context, *act.View) error) {
		c.Prepare = func(ctx context.Context, v *act.View, _ *memoIn) error { _ = ask(ctx, v); return nil }
	},
	"run": func(c *act.Change[memoIn, string], ask func(context.Context, *act.View) error) {
		run := c.Run
		c.Run = func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
			_ = ask(ctx, &tx.View)
			return run(ctx, tx, in)
		}
	},
}

// TestNoQuestionChangesAnything asks what is no question, everywhere where one
// may be asked, beside an honest change. The texts are those that PostgreSQL or
// SQLite would carry out.
func TestNoQuestionChangesAnything(t *testing.T) {
	questions := map[string]func(context.Context, *act.View) error{
		"delete": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `WITH x AS (DELETE FROM memo WHERE id = 'm2' RETURNING id) SELECT id FROM x`, nil, new(string))
			return err
		},
		"deletetail": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `WITH x AS (SELECT 1) DELETE FROM memo WHERE id = 'm2' RETURNING id`, nil, new(string))
			return err
		},
		"update": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `WITH x AS (UPDATE memo SET text = 'x' WHERE id = 'm2' RETURNING id) SELECT id FROM x`, nil, new(string))
			return err
		},
		"table": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `SELECT id INTO hidden FROM memo`, nil, new(string))
			return err
		},
		"temptable": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `SELECT id INTO TEMP hidden FROM memo`, nil, new(string))
			return err
		},
		"notify": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `SELECT pg_notify('a', 'b')`, nil, new(string))
			return err
		},
		"largeobject": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `SELECT lo_create(4711)`, nil, new(string))
			return err
		},
		"setting": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `SELECT set_config('session_replication_role', 'replica', false)`, nil, new(string))
			return err
		},
		"quoted": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `SELECT "set_config"('session_replication_role', 'replica', false)`, nil, new(string))
			return err
		},
		"apostrophe": func(ctx context.Context, v *act.View) error { // in a name, behind which all looks like a text; and then the note of it
			if _, err := v.Get(ctx, `WITH "'" AS (SELECT 1) DELETE FROM memo WHERE id = 'm2' RETURNING 'x'`, nil, new(string)); err != nil {
				return err
			}
			_, err := v.Get(ctx, `WITH "'" AS (SELECT 1) DELETE FROM store_touched WHERE id = 'm2' RETURNING 'x'`, nil, new(string))
			return err
		},
		"escaped": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `WITH x AS (SELECT E'\'' AS a) DELETE FROM memo WHERE id = 'm2' RETURNING 'x'`, nil, new(string))
			return err
		},
		"dollars": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `WITH x AS (SELECT $$'$$ AS a) DELETE FROM memo WHERE id = 'm2' RETURNING 'x'`, nil, new(string))
			return err
		},
		"commented": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `SELECT set_config/**/('session_replication_role', 'replica', false)`, nil, new(string))
			return err
		},
		"text": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `SELECT query_to_xml('SELECT set_' || 'config(''session_replication_role'', ''replica'', false)', true, true, '')`, nil, new(string))
			return err
		},
		"tsearch": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `SELECT word FROM ts_stat('SELECT to_tsvector(text) FROM memo')`, nil, new(string))
			return err
		},
		"sequence": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `SELECT setval('memo_seq', 4711)`, nil, new(string))
			return err
		},
		"extension": func(ctx context.Context, v *act.View) error {
			_, err := v.Get(ctx, `SELECT load_extension('x')`, nil, new(string))
			return err
		},
		"each": func(ctx context.Context, v *act.View) error {
			return v.Each(ctx, `WITH x AS (DELETE FROM memo RETURNING id) SELECT id FROM x`, nil, func(func(...any) error) error { return nil })
		},
	}
	honest := memoWrite.Run
	var ops []act.Declaration
	asked := map[string]bool{} // by operation: the question was refused
	for place, put := range askers {
		for question, ask := range questions {
			name := "memo." + place + question
			c := memoChange(name, honest)
			put(&c, func(ctx context.Context, v *act.View) error {
				err := ask(ctx, v)
				// by us, not only by an engine that happens not to know the word
				asked[name] = asked[name] || err != nil && (strings.Contains(err.Error(), "SQL of a feature") || strings.Contains(err.Error(), "a view"))
				return err
			})
			ops = append(ops, c)
		}
	}
	onEachEngine(t, ops, func(t *testing.T, r *rig) {
		clear(asked)
		mustCreate(t, r, admin, "m1", "before")
		mustCreate(t, r, admin, "m2", "untouched")
		schema := r.schema(t)
		for _, d := range ops {
			name := d.(act.Change[memoIn, string]).Name
			if _, err := r.Do(t.Context(), act.Call{Op: name, Actor: admin, Input: []byte(`{"memo":"m1","text":"` + name + `"}`)}); err != nil {
				t.Errorf("%s: the honest part failed: %v", name, err)
			}
			if !asked[name] {
				t.Errorf("%s: the question was let through", name)
			}
			if got, err := memoShow.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m2"}); err != nil || got != "untouched" {
				t.Fatalf("%s: m2 is now %q, %v", name, got, err)
			}
		}
		if now := r.schema(t); now != schema {
			t.Errorf("the schema changed from %s to %s", schema, now)
		}
	})
}

// schema lists the tables of either engine.
func (r *rig) schema(t *testing.T) string {
	t.Helper()
	snap, err := r.store.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	rows, err := snap.Query(t.Context(), `SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name`)
	if err != nil {
		snap2, err := r.store.Snapshot(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer snap2.Close()
		if rows, err = snap2.Query(t.Context(), `SELECT relname FROM pg_class WHERE relkind = 'r' AND relname NOT LIKE 'pg_%' ORDER BY relname`); err != nil {
			t.Fatal(err)
		}
	}
	defer rows.Close()
	var names []string
	for rows.Next() {
		var name string
		if err := rows.Scan(&name); err != nil {
			t.Fatal(err)
		}
		names = append(names, name)
	}
	return strings.Join(names, " ")
}

// ghostKind is a kind whose functions change what they are asked about.
func ghostKind(way string) act.Kind {
	k := memoKind
	k.Name = "ghost"
	ask := func(ctx context.Context, v *act.View) {
		_, _ = v.Get(ctx, `WITH x AS (UPDATE memo SET text = 'haunted' RETURNING id) SELECT id FROM x`, nil, new(string))
	}
	switch way {
	case "owner":
		k.Owner = func(ctx context.Context, v *act.View, id string) (string, error) {
			ask(ctx, v)
			return core.Provider, nil
		}
	case "digest":
		k.Digest = func(ctx context.Context, v *act.View, id string) (string, error) { ask(ctx, v); return "-", nil }
		k.Owner = func(context.Context, *act.View, string) (string, error) { return core.Provider, nil }
	}
	return k
}

func TestFunctionsOfAKindChangeNothing(t *testing.T) {
	for _, way := range []string{"owner", "digest"} {
		t.Run(way, func(t *testing.T) {
			haunt := act.Change[memoIn, string]{Name: "ghost.haunt", Doc: "Toy.", Class: "panel", Roles: act.Hosted, Must: []string{"ghost.seen"}, Sample: memoIn{Memo: "g"},
				Target: func(context.Context, *act.View, *memoIn) (core.Ref, error) {
					return core.Ref{Kind: "ghost", ID: "g"}, nil
				},
				Run: func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
					return "", tx.Record(ctx, "ghost.seen", core.Ref{Kind: "ghost", ID: "g"})
				}}
			withKind(t, ghostKind(way), []act.Declaration{haunt}, func(t *testing.T, r *rig) {
				mustCreate(t, r, admin, "m1", "untouched")
				_, _ = r.Do(t.Context(), act.Call{Op: "ghost.haunt", Actor: admin, Input: []byte(`{"memo":"g"}`)})
				if got, err := memoShow.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); err != nil || got != "untouched" {
					t.Errorf("m1 is now %q, %v", got, err)
				}
				mustCreate(t, r, admin, "m2", "the bus goes on")
			})
		})
	}
}

// withKind is onEachEngine with one more kind.
func withKind(t *testing.T, k act.Kind, more []act.Declaration, f func(t *testing.T, r *rig)) {
	t.Helper()
	reg, err := act.NewRegistry(act.Feature{Name: "memo", Ops: append([]act.Declaration{memoCreate, memoWrite, memoDelete, memoShow}, more...),
		Kinds: []act.Kind{memoKind, tenantKind, k}, SQL: memoSQL})
	if err != nil {
		t.Fatal(err)
	}
	migrations := []store.Migration{{Name: "ledger", FS: ledger.Migrations}, {Name: "act", FS: act.Migrations}, {Name: "memo", FS: fs.FS(memoSQL)}}
	storetest.Each(t, migrations, func(t *testing.T, s *store.Store) { f(t, newRig(t, reg, s)) })
}

// sly are more operations that keep quiet; the harness is that of sneaky.
var sly = map[string]func(context.Context, *act.Tx, memoIn) (string, error){
	"memo.ordeletes": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) { // REPLACE removes m2 through another key
		if _, err := tx.Exec(ctx, `INSERT OR REPLACE INTO label (id, memo, word) VALUES ('l9', 'm1', 'two')`); err != nil {
			return "", err
		}
		return "", tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo})
	},
	"memo.cascades": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) { // a foreign key removes rows of another object
		if _, err := tx.Exec(ctx, `DELETE FROM memo WHERE id = 'm2'`); err != nil {
			return "", err
		}
		return "", tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo})
	},
	"memo.renames": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) { // the row is another object's afterwards
		if _, err := tx.Exec(ctx, `UPDATE label SET memo = 'm1' WHERE memo = 'm2'`); err != nil {
			return "", err
		}
		return "", tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo})
	},
	"memo.nameless": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) { // a row of no object at all
		if _, err := tx.Exec(ctx, `INSERT INTO label (id, memo, word) VALUES ('l9', NULL, 'nine')`); err != nil {
			return "", err
		}
		return "", tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo})
	},
	"memo.gives": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) { // the new owner's log is not told
		if err := tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo}); err != nil {
			return "", err
		}
		_, err := tx.Exec(ctx, `UPDATE memo SET owner = 'shop' WHERE id = $1`, in.Memo)
		return "", err
	},
	"memo.alsopaints": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) { // beside the declared event one that is not
		if _, err := tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo); err != nil {
			return "", err
		}
		if err := tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo}); err != nil {
			return "", err
		}
		return "", tx.Record(ctx, "memo.painted", core.Ref{Kind: "memo", ID: in.Memo})
	},
	"memo.alsotenant": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) { // a memo's event about a tenant
		if _, err := tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo); err != nil {
			return "", err
		}
		if err := tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo}); err != nil {
			return "", err
		}
		return "", tx.Record(ctx, "memo.written", core.Ref{Kind: "tenant", ID: "shop"})
	},
	"memo.absent": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) { // recorded is what never was
		if _, err := tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo); err != nil {
			return "", err
		}
		_ = tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo})
		_ = tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: "never"})
		return "", nil
	},
	"memo.refusespanics": func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		_, _ = tx.Exec(ctx, `UPDATE memo SET text = 'x' WHERE id = $1`, in.Memo)
		_ = tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo})
		_ = tx.Refuse(core.Errorf(core.Denied, "no"))
		panic("after the refusal")
	},
	"memo.callsitself": nil, // filled by the test: it needs the bus
}

// labelSQL gives memos labels: a second key, a foreign key, a nullable owner.
var labelSQL = fstest.MapFS{"sql/0001_memo.sql": memoSQL["sql/0001_memo.sql"], "sql/0002_label.sql": {Data: []byte(`
-- object: table=label kind=memo id=memo
CREATE TABLE label (id TEXT PRIMARY KEY, memo TEXT REFERENCES memo (id) ON DELETE CASCADE, word TEXT NOT NULL UNIQUE);
`)}}

func TestMoreWaysToKeepQuiet(t *testing.T) {
	var bus *act.Bus
	sly["memo.callsitself"] = func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		_, _, err := memoWrite.Call(ctx, bus, tx.Actor(), memoIn{Memo: in.Memo, Text: "x"})
		return "", err
	}
	label := memoChange("memo.label", func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		if _, err := tx.Exec(ctx, `INSERT INTO label (id, memo, word) VALUES ($1, $2, $3)`, "l"+in.Memo, in.Memo, in.Text); err != nil {
			return "", err
		}
		return "", tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: in.Memo})
	})
	ops := []act.Declaration{memoCreate, memoShow, memoWrite, label}
	for name, run := range sly {
		ops = append(ops, memoChange(name, run))
	}
	reg, err := act.NewRegistry(act.Feature{Name: "memo", Ops: ops, Kinds: []act.Kind{memoKind, tenantKind}, SQL: labelSQL})
	if err != nil {
		t.Fatal(err)
	}
	migrations := []store.Migration{{Name: "ledger", FS: ledger.Migrations}, {Name: "act", FS: act.Migrations}, {Name: "memo", FS: fs.FS(labelSQL)}}
	storetest.Each(t, migrations, func(t *testing.T, s *store.Store) {
		r := newRig(t, reg, s)
		bus = r.Bus
		for id, word := range map[string]string{"m1": "one", "m2": "two"} {
			mustCreate(t, r, admin, id, "untouched")
			if _, _, err := label.Call(t.Context(), r.Bus, admin, memoIn{Memo: id, Text: word}); err != nil {
				t.Fatal(err)
			}
		}
		before := r.labels(t)
		for name := range sly {
			t.Run(name, func(t *testing.T) {
				records := len(r.records(t))
				if _, err := r.Do(t.Context(), act.Call{Op: name, Actor: admin, Input: []byte(`{"memo":"m1"}`)}); err == nil {
					t.Error("the operation was let through")
				}
				if got := r.labels(t); got != before {
					t.Errorf("the rows are now\n%swant\n%s", got, before)
				}
				if after := r.records(t); len(after) != records+1 || !strings.Contains(after[len(after)-1], `"action":"`+name+`"`) {
					t.Errorf("%d new records, want one of the attempt", len(after)-records)
				}
			})
		}
	})
}

// labels prints every row of the feature.
func (r *rig) labels(t *testing.T) string {
	t.Helper()
	snap, err := r.store.Snapshot(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer snap.Close()
	rows, err := snap.Query(t.Context(), `SELECT m.id, m.owner, m.text, coalesce(l.id, '-'), coalesce(l.word, '-') FROM memo m LEFT JOIN label l ON l.memo = m.id
		UNION ALL SELECT '', '', '', id, word FROM label WHERE memo IS NULL ORDER BY 1`)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var b strings.Builder
	for rows.Next() {
		var c [5]string
		if err := rows.Scan(&c[0], &c[1], &c[2], &c[3], &c[4]); err != nil {
			t.Fatal(err)
		}
		b.WriteString(strings.Join(c[:], " ") + "\n")
	}
	return b.String()
}

// TestWhatRunsBesideTheWriterFailsOnRecord panics in each function that is
// called outside the transaction: neither the server nor the record may go.
func TestWhatRunsBesideTheWriterFailsOnRecord(t *testing.T) {
	prepare := memoChange("memo.prepare", memoWrite.Run)
	prepare.Prepare = func(context.Context, *act.View, *memoIn) error { panic("in Prepare") }
	query := memoShow
	query.Name, query.Run = "memo.query", func(context.Context, *act.View, memoIn) (string, error) { panic("in a query") }
	target := memoShow
	target.Name, target.Target = "memo.target", func(context.Context, *act.View, *memoIn) (core.Ref, error) { panic("in Target") }
	ops := []act.Declaration{prepare, query, target}
	onEachEngine(t, ops, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		for _, name := range []string{"memo.prepare", "memo.query", "memo.target"} {
			records := len(r.records(t))
			_, err := do(t, r, act.Call{Op: name, Actor: admin, Input: []byte(`{"memo":"m1","text":"x"}`)})
			if err == nil || err.Code != core.Internal {
				t.Errorf("%s: %v, want an internal error", name, err)
			}
			if leaf := r.last(t); len(r.records(t)) != records+1 || !strings.Contains(leaf, `"action":"`+name+`"`) || !strings.Contains(leaf, `"outcome":"failed"`) {
				t.Errorf("%s: no record of the failure: %s", name, leaf)
			}
		}
	})
}

// TestAFlowIsOverWithItsStream reads through a stream that has ended, of which
// there would be no record.
func TestAFlowIsOverWithItsStream(t *testing.T) {
	var flow *act.Flow
	watch := act.Stream[memoIn]{Name: "memo.watch", Doc: "Toy.", Class: "panel", Roles: act.Readers, Sample: memoIn{Memo: "m1"}, Target: memoTarget,
		Run: func(_ context.Context, f *act.Flow, _ memoIn) error { flow = f; return nil }}
	onEachEngine(t, []act.Declaration{watch}, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		if err := r.Stream(t.Context(), act.Call{Op: "memo.watch", Actor: admin, Input: []byte(`{"memo":"m1"}`)}, func(any) error { return nil }); err != nil {
			t.Fatal(err)
		}
		read := false
		err := flow.View(t.Context(), func(*act.View) error { read = true; return nil })
		if err == nil || read {
			t.Error("a Flow kept for later still reads")
		}
		if err := flow.Send("late"); err == nil {
			t.Error("a Flow kept for later still sends")
		}
	})
}

// TestARepeatIsNotPreparedAgain repeats with its key what Prepare refuses once
// it is done.
func TestARepeatIsNotPreparedAgain(t *testing.T) {
	type named struct {
		Memo string `json:"memo" doc:"Id of the memo" rule:"required"`
	}
	take := act.Change[named, string]{Name: "memo.take", Doc: "Toy.", Class: "panel", Roles: act.Hosted, Must: []string{"memo.removed"}, Sample: named{"m1"},
		Target: func(context.Context, *act.View, *named) (core.Ref, error) { return core.Ref{}, nil },
		Prepare: func(ctx context.Context, v *act.View, in *named) error {
			_, err := readMemo(ctx, v, in.Memo)
			return err
		},
		Run: func(ctx context.Context, tx *act.Tx, in named) (string, error) {
			return memoDelete.Run(ctx, tx, memoIn{Memo: in.Memo})
		}}
	onEachEngine(t, []act.Declaration{take}, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		c := act.Call{Op: "memo.take", Actor: admin, Input: []byte(`{"memo":"m1"}`), Key: "k"}
		if _, err := do(t, r, c); err != nil {
			t.Fatal(err)
		}
		if res, err := do(t, r, c); err != nil || !res.Replay {
			t.Errorf("the repeat is no replay: %+v %v", res, err)
		}
	})
}

// TestAPanickingJobFailsAndTheServerGoesOn: nothing else would catch it.
func TestAPanickingJobFailsAndTheServerGoesOn(t *testing.T) {
	panics := act.Job[memoIn]{Name: "memo.work", Doc: "Toy.", Class: "panel", Roles: act.Hosted, Sample: memoIn{Memo: "m1"}, Target: memoTarget,
		Run: func(context.Context, *act.Work, memoIn) (string, error) { panic("in a job") }}
	onEachEngine(t, []act.Declaration{panics}, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "x")
		if _, err := do(t, r, act.Call{Op: "memo.work", Actor: admin, Input: []byte(`{"memo":"m1"}`)}); err != nil {
			t.Fatal(err)
		}
		select {
		case err := <-r.jobs:
			if err == nil {
				t.Error("a job that panicked is said to have ended well")
			}
		case <-time.After(generous):
			t.Fatal("the job did not end")
		}
	})
}

// TestAThiefInTheBatchCostsTheOthersNothing runs honest and quiet operations
// together, so that they share commits: each honest one is done and on record,
// of the others nothing stays but the record.
func TestAThiefInTheBatchCostsTheOthersNothing(t *testing.T) {
	quiet := memoChange("memo.quiet", sneaky["memo.otherobject"])
	onEachEngine(t, []act.Declaration{quiet}, func(t *testing.T, r *rig) {
		const each = 60
		var all sync.WaitGroup
		for i := range each {
			all.Go(func() {
				id := fmt.Sprintf("m%d", i)
				if _, _, err := memoCreate.Call(t.Context(), r.Bus, admin, memoIn{Memo: id, Text: "mine"}); err != nil {
					t.Error(err)
				}
			})
			all.Go(func() {
				_, _ = r.Do(t.Context(), act.Call{Op: "memo.quiet", Actor: admin, Input: []byte(`{"memo":"m0"}`)})
			})
		}
		all.Wait()
		leaves := strings.Join(r.records(t), "\n")
		if n := strings.Count(leaves, `"action":"memo.create"`); r.memos(t) != each || n != each {
			t.Errorf("%d memos and %d records of them, want %d", r.memos(t), n, each)
		}
		for i := range each {
			text, err := memoShow.Call(t.Context(), r.Bus, admin, memoIn{Memo: fmt.Sprintf("m%d", i)})
			if err != nil || text != "mine" && !(text == "x" && i == 0) { // alone in the table, m0 may have been written on record
				t.Errorf("m%d is now %q, %v", i, text, err)
			}
		}
		if n := strings.Count(leaves, `"action":"memo.quiet"`); n != each {
			t.Errorf("%d records of the attempts, want %d", n, each)
		}
	})
}

// TestAHugeOperationIsOnRecordAsAWhole touches so many objects that one leaf
// cannot hold them.
func TestAHugeOperationIsOnRecordAsAWhole(t *testing.T) {
	const many = 3000
	flood := memoChange("memo.flood", func(ctx context.Context, tx *act.Tx, in memoIn) (string, error) {
		for i := range many {
			id := fmt.Sprintf("flood%d", i)
			if _, err := tx.Exec(ctx, `INSERT INTO memo (id, owner, text) VALUES ($1, $2, $3)`, id, core.Provider, strings.Repeat("x", 100)); err != nil {
				return "", err
			}
			if err := tx.Record(ctx, "memo.written", core.Ref{Kind: "memo", ID: id}, act.Field{Name: "text", New: sptr(strings.Repeat("x", 100))}); err != nil {
				return "", err
			}
		}
		return "", nil
	})
	onEachEngine(t, []act.Declaration{flood}, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "x")
		if _, err := do(t, r, act.Call{Op: "memo.flood", Actor: admin, Input: []byte(`{"memo":"m1"}`)}); err != nil {
			t.Fatal(err)
		}
		leaves := strings.Join(r.records(t), "\n")
		for i := range many {
			if !strings.Contains(leaves, fmt.Sprintf(`"id":"flood%d"`, i)) {
				t.Fatalf("flood%d is on no record", i)
			}
		}
	})
}
