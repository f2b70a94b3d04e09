// Package resttest has a toy feature with one operation of every sort, on a
// real bus, store and ledger, for the tests of the faces.
package resttest

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing/fstest"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

var migrations = fstest.MapFS{"sql/0001_note.sql": {Data: []byte(`
-- object: table=note kind=note id=id
CREATE TABLE note (id TEXT PRIMARY KEY, owner TEXT NOT NULL, text TEXT NOT NULL);
`)}}

type oneIn struct {
	Note string `json:"note" doc:"id of the note" rule:"required,max=60" cli:"arg"`
}

type createIn struct {
	Note  string   `json:"note" doc:"id of the note" rule:"required,max=60" cli:"arg"`
	Text  string   `json:"text" doc:"what it says" rule:"max=200"`
	Owner string   `json:"owner" doc:"who owns it; you when left out" rule:"max=60"`
	Tags  []string `json:"tags" doc:"words to find it by" rule:"max=3"`
	Color string   `json:"color" doc:"its color" rule:"enum=red|green"`
}

type updateIn struct {
	Note string `json:"note" doc:"id of the note" rule:"required,max=60" cli:"arg"`
	Text string `json:"text" doc:"what it says" rule:"required,max=200"`
}

type listIn struct {
	Search string   `json:"search" doc:"part of the text" rule:"max=60"`
	Tags   []string `json:"tags" doc:"words" rule:"max=3"`
	Limit  int      `json:"limit" doc:"how many at most" rule:"max=100"`
	All    bool     `json:"all" doc:"also the hidden ones"`
}

type importIn struct {
	File  act.File `json:"file" doc:"the text of the note" rule:"required" cli:"arg"`
	Note  string   `json:"note" doc:"id of the note" rule:"required,max=60"`
	Quiet bool     `json:"quiet" doc:"say less"`

	text string
}

type edit struct {
	Action string `json:"action" doc:"what to do" rule:"required,enum=append|replace"`
	Text   string `json:"text" doc:"with which text" rule:"required,max=60"`
}

type editIn struct {
	Note    string `json:"note" doc:"id of the note" rule:"required,max=60" cli:"arg"`
	Changes []edit `json:"changes" doc:"what to change, in order" rule:"required,max=10"`
}

type lineIn struct {
	Note string `json:"note" doc:"id of the note" rule:"required,max=60" cli:"arg"`
	Line string `json:"line" doc:"name of the line" rule:"required,max=60" cli:"arg"`
	Data string `json:"data" doc:"text of the line" rule:"max=200"`
}

type lockIn struct {
	Note string      `json:"note" doc:"id of the note" rule:"required,max=60" cli:"arg"`
	PIN  core.Secret `json:"pin" doc:"number that opens it" rule:"required,min=4,max=20"`
}

type failIn struct {
	Code string `json:"code" doc:"how to fail" rule:"max=30" cli:"arg"`
}

type tailIn struct {
	Count int    `json:"count" doc:"how many items; 0: without end" rule:"max=1000"`
	Fail  string `json:"fail" doc:"code to break with at the end" rule:"max=30"`
}

// Note is a note as faces show it.
type Note struct {
	ID    string   `json:"id"`
	Owner string   `json:"owner"`
	Text  string   `json:"text,omitempty"`
	Tags  []string `json:"tags,omitempty"`
}

type list struct {
	Notes []Note     `json:"notes"`
	Next  string     `json:"next,omitempty"`
	At    *time.Time `json:"at"`
	Asked listIn     `json:"asked"`
}

type tick struct {
	N    int    `json:"n"`
	Text string `json:"text,omitempty"`
}

func get(ctx context.Context, v *act.View, id string) (Note, error) {
	n := Note{ID: id}
	found, err := v.Get(ctx, `SELECT owner, text FROM note WHERE id = $1`, []any{id}, &n.Owner, &n.Text)
	if err == nil && !found {
		err = core.Errorf(core.NotFound, "there is no note %q", id)
	}
	return n, err
}

func all(ctx context.Context, v *act.View) ([]Note, error) {
	notes := []Note{}
	err := v.Each(ctx, `SELECT id, owner, text FROM note ORDER BY id`, nil, func(scan func(...any) error) error {
		var n Note
		err := scan(&n.ID, &n.Owner, &n.Text)
		notes = append(notes, n)
		return err
	})
	return notes, err
}

// write sets the text of a note and records it.
func write(ctx context.Context, tx *act.Tx, id, text string) (Note, error) {
	old, err := get(ctx, &tx.View, id)
	if err != nil || old.Text == text {
		return old, err
	}
	if _, err := tx.Exec(ctx, `UPDATE note SET text = $1 WHERE id = $2`, text, id); err != nil {
		return old, err
	}
	n := Note{ID: id, Owner: old.Owner, Text: text}
	return n, tx.Record(ctx, "note.written", ref(id), act.Field{Name: "text", Old: &old.Text, New: &text})
}

func insert(ctx context.Context, tx *act.Tx, n Note) (Note, error) {
	if _, err := get(ctx, &tx.View, n.ID); err == nil {
		return n, core.Errorf(core.Conflict, "there is a note %q", n.ID)
	}
	if _, err := tx.Exec(ctx, `INSERT INTO note (id, owner, text) VALUES ($1, $2, $3)`, n.ID, n.Owner, n.Text); err != nil {
		return n, err
	}
	return n, tx.Record(ctx, "note.created", ref(n.ID), act.Field{Name: "text", New: &n.Text})
}

func ref(id string) core.Ref { return core.Ref{Kind: "note", ID: id} }

func nowhere[I any](context.Context, *act.View, *I) (core.Ref, error) { return core.Ref{}, nil }

func mine[I any](_ context.Context, v *act.View, _ *I) (core.Ref, error) {
	return core.Ref{Kind: "tenant", ID: v.Actor().Tenant}, nil
}

// failure makes the error of a code; "plain" is one that the bus does not know.
func failure(code string) error {
	switch core.Code(code) {
	case "":
		return nil
	case "plain":
		return errors.New("a secret of the operator")
	case core.Invalid:
		return core.Faults{{Field: "code", Value: code, Accepted: "must be another one"}}.Err()
	}
	return core.Wrap(core.Code(code), errors.New("a secret of the operator"), "it was asked to fail")
}

// Feature is the toy: notes with an owner and a text.
func Feature() act.Feature {
	return act.Feature{Name: "note", SQL: migrations, Kinds: kinds(), Ops: append(changes(), reads()...)}
}

func kinds() []act.Kind {
	return []act.Kind{{Name: "note", Title: "Notes",
		Owner: func(ctx context.Context, v *act.View, id string) (string, error) {
			n, err := get(ctx, v, id)
			return n.Owner, err
		},
		Digest: func(ctx context.Context, v *act.View, id string) (string, error) {
			n, err := get(ctx, v, id)
			if err != nil && core.CodeOf(err) == core.NotFound {
				return "", nil
			}
			if err != nil {
				return "", err
			}
			return act.DigestOf(n)
		},
		IDs: func(ctx context.Context, v *act.View) ([]string, error) {
			notes, err := all(ctx, v)
			ids := make([]string, len(notes))
			for i, n := range notes {
				ids[i] = n.ID
			}
			return ids, err
		},
	}, {Name: "tenant",
		Owner:  func(_ context.Context, _ *act.View, id string) (string, error) { return id, nil },
		Digest: func(context.Context, *act.View, string) (string, error) { return "-", nil },
		IDs:    func(context.Context, *act.View) ([]string, error) { return nil, nil },
	}}
}

// change fills in what all changes of the toy have in common.
func change[I, O any](name, doc string, sample I, id func(*I) string, run func(context.Context, *act.Tx, I) (O, error)) act.Change[I, O] {
	return act.Change[I, O]{Name: name, Doc: doc, Class: "panel", Roles: act.Hosted, May: []string{"note.created", "note.written", "note.removed"},
		Sample: sample, Run: run,
		Target: func(_ context.Context, _ *act.View, in *I) (core.Ref, error) { return ref(id(in)), nil }}
}

func changes() []act.Declaration {
	create := change("note.create", "Writes a new note.", createIn{Note: "milk", Text: "buy milk"}, func(in *createIn) string { return in.Note },
		func(ctx context.Context, tx *act.Tx, in createIn) (Note, error) {
			return insert(ctx, tx, Note{ID: in.Note, Owner: tx.Actor().Tenant, Text: in.Text, Tags: in.Tags})
		})
	create.Target = mine
	remove := change("note.delete", "Throws a note away.", oneIn{"milk"}, func(in *oneIn) string { return in.Note },
		func(ctx context.Context, tx *act.Tx, in oneIn) (struct{}, error) {
			if _, err := tx.Exec(ctx, `DELETE FROM note WHERE id = $1`, in.Note); err != nil {
				return struct{}{}, err
			}
			return struct{}{}, tx.Record(ctx, "note.removed", ref(in.Note))
		})
	remove.Confirm = true
	importer := change("note.import", "Makes a note of a file.", importIn{File: act.NewFile("the text"), Note: "milk"}, func(in *importIn) string { return in.Note },
		func(ctx context.Context, tx *act.Tx, in importIn) (map[string]int, error) {
			_, err := insert(ctx, tx, Note{ID: in.Note, Owner: tx.Actor().Tenant, Text: clip(in.text)})
			return map[string]int{"bytes": len(in.text)}, err
		})
	importer.Target = mine
	importer.Prepare = func(_ context.Context, v *act.View, in *importIn) error {
		f, err := v.Open(in.File)
		if err != nil {
			return err
		}
		defer f.Close()
		b, err := io.ReadAll(f)
		in.text = string(b)
		return err
	}
	lock := change("note.lock", "Locks a note and shows the key.", lockIn{Note: "milk", PIN: core.NewSecret("1234")}, func(in *lockIn) string { return in.Note },
		func(ctx context.Context, tx *act.Tx, in lockIn) (map[string]string, error) {
			_, err := write(ctx, tx, in.Note, fmt.Sprintf("locked with %d characters", len(in.PIN.Reveal())))
			return map[string]string{"key": "opens-" + in.Note}, err
		})
	lock.Reveals = true
	fail := change("note.fail", "Fails as it is told.", failIn{"conflict"}, nil,
		func(_ context.Context, _ *act.Tx, in failIn) (struct{}, error) { return struct{}{}, failure(in.Code) })
	fail.Target = nowhere
	sweep := change("note.sweep", "For the house itself.", struct{}{}, nil,
		func(context.Context, *act.Tx, struct{}) (struct{}, error) { return struct{}{}, nil })
	sweep.Target, sweep.Roles = nowhere, act.System
	return []act.Declaration{create, remove, importer, lock, fail, sweep,
		change("note.update", "Writes another text.", updateIn{"milk", "buy more milk"}, func(in *updateIn) string { return in.Note },
			func(ctx context.Context, tx *act.Tx, in updateIn) (Note, error) {
				return write(ctx, tx, in.Note, in.Text)
			}),
		change("note.edit", "Edits a note in steps.", editIn{"milk", []edit{{"append", "!"}}}, func(in *editIn) string { return in.Note },
			func(ctx context.Context, tx *act.Tx, in editIn) (Note, error) { return revise(ctx, tx, in) }),
		change("note.line.add", "Adds a line.", lineIn{"milk", "second", "and bread"}, func(in *lineIn) string { return in.Note },
			func(ctx context.Context, tx *act.Tx, in lineIn) (Note, error) {
				n, err := get(ctx, &tx.View, in.Note)
				if err != nil {
					return n, err
				}
				return write(ctx, tx, in.Note, n.Text+"\n"+in.Line+": "+in.Data)
			}),
	}
}

func clip(s string) string { return s[:min(len(s), 100)] }

func revise(ctx context.Context, tx *act.Tx, in editIn) (Note, error) {
	n, err := get(ctx, &tx.View, in.Note)
	for _, c := range in.Changes {
		if c.Action == "replace" {
			n.Text = ""
		}
		n.Text += c.Text
	}
	if err != nil {
		return n, err
	}
	return write(ctx, tx, in.Note, n.Text)
}

func reads() []act.Declaration {
	show := func(in *oneIn) string { return in.Note }
	return []act.Declaration{
		act.Query[oneIn, Note]{Name: "note.show", Doc: "Shows a note.", Class: "panel", Roles: act.Readers, Sample: oneIn{"milk"},
			Target: func(_ context.Context, _ *act.View, in *oneIn) (core.Ref, error) { return ref(show(in)), nil },
			Run:    func(ctx context.Context, v *act.View, in oneIn) (Note, error) { return get(ctx, v, in.Note) }},
		act.Query[oneIn, string]{Name: "note.text", Doc: "Gives the bare text.", Class: "panel", Roles: act.Readers, Logged: true, Sample: oneIn{"milk"},
			Target: func(_ context.Context, _ *act.View, in *oneIn) (core.Ref, error) { return ref(show(in)), nil },
			Run: func(ctx context.Context, v *act.View, in oneIn) (string, error) {
				n, err := get(ctx, v, in.Note)
				return n.Text, err
			}},
		act.Query[listIn, list]{Name: "note.list", Doc: "Lists notes.", Class: "panel", Roles: act.Readers, Sample: listIn{Search: "milk", Tags: []string{"a", "b"}},
			Target: nowhere[listIn],
			Run: func(ctx context.Context, v *act.View, in listIn) (list, error) {
				notes, err := all(ctx, v)
				return list{Notes: notes, Asked: in}, err
			}},
		act.Query[lockIn, bool]{Name: "note.check", Doc: "Says whether a number opens it.", Class: "panel", Roles: act.Readers,
			Sample: lockIn{Note: "milk", PIN: core.NewSecret("1234")}, Target: nowhere[lockIn],
			Run: func(_ context.Context, _ *act.View, in lockIn) (bool, error) { return in.PIN.Reveal() == "1234", nil }},
		act.Stream[tailIn]{Name: "note.tail", Doc: "Counts.", Class: "panel", Roles: act.Readers, Sample: tailIn{Count: 2}, Target: nowhere[tailIn],
			Run: func(ctx context.Context, f *act.Flow, in tailIn) error {
				for i := 0; i < in.Count; i++ {
					if err := f.Send(tick{N: i, Text: "tick"}); err != nil {
						return err
					}
				}
				if in.Fail == "" && in.Count == 0 {
					<-ctx.Done()
					return ctx.Err()
				}
				return failure(in.Fail)
			}},
		act.Stream[oneIn]{Name: "note.print", Doc: "Gives the lines of a note.", Class: "panel", Roles: act.Readers, Sample: oneIn{"milk"},
			Target: func(_ context.Context, _ *act.View, in *oneIn) (core.Ref, error) { return ref(show(in)), nil },
			Run: func(ctx context.Context, f *act.Flow, in oneIn) error {
				var n Note
				err := f.View(ctx, func(v *act.View) (err error) { n, err = get(ctx, v, in.Note); return err })
				for l := range strings.Lines(n.Text) {
					if err := f.Send(strings.TrimSuffix(l, "\n")); err != nil {
						return err
					}
				}
				return err
			}},
	}
}
