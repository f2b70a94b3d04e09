package ledger_test

import (
	"context"
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hostward/internal/core"
	"hostward/internal/ledger"
)

func (w *world) verify(change func(*ledger.VerifyOptions)) ledger.Report {
	w.t.Helper()
	o := ledger.VerifyOptions{Snapshot: w.snapshot, Dir: w.tiles(), VerifierKey: w.keys.VerifierKey, Keys: w.keys, Thorough: true}
	if change != nil {
		change(&o)
	}
	report, err := ledger.Verify(w.t.Context(), o)
	w.must(err)
	return report
}

// heads writes a heads record as the bus does.
func (w *world) heads(h *ledger.Heads) {
	w.t.Helper()
	w.inTx(func(ctx context.Context) error {
		root, err := h.Advance(ctx, w.writer)
		if err != nil {
			return err
		}
		_, err = w.book.Append(ctx, w.writer, &ledger.Entry{
			ID: core.NewID("r"), Time: w.now, Action: ledger.HeadsAction, Class: "log", Door: "job",
			Actor: ledger.Identity{Kind: "system"}, Outcome: ledger.Done, Tenant: core.Provider,
			Events: []ledger.Event{root.Event()},
		})
		return err
	})
}

// sealedWorld is a log with two heads records and long differences.
func sealedWorld(t testing.TB) *world { return newWorld(t).filled() }

func (w *world) filled() *world {
	h := ledger.NewHeads()
	w.append(w.entries(0, 300)...)
	w.heads(h)
	long := w.entry(300)
	long.Events[0].Fields = append(long.Events[0].Fields, ledger.Field{Name: "notes", New: text(strings.Repeat("long text ", 2000))})
	w.append(long)
	w.append(w.entries(301, 600)...)
	w.heads(h)
	w.append(w.entries(601, 640)...)
	w.seal()
	return w
}

func TestAnUntouchedLogVerifies(t *testing.T) { each(t, untouched) }

func untouched(t *testing.T, w *world) {
	w.filled()
	r := w.verify(nil)
	for _, f := range r.Findings {
		t.Error(f)
	}
	if r.Records != 641 || r.Sealed != 641 || r.Heads != 2 || r.Blobs != 1 || r.Personal == 0 || r.Files < 6 || r.Objects != 25 {
		t.Errorf("the report does not count what is there: %+v", r)
	}
}

// byHand edits the database as somebody with sqlite3 would.
func (w *world) byHand(statements ...string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", filepath.Join(w.dir, "panel.db"))
	w.must(err)
	defer db.Close()
	_, err = db.Exec("PRAGMA writable_schema = ON; DELETE FROM sqlite_schema WHERE type = 'trigger' AND tbl_name = 'ledger_entry'; PRAGMA writable_schema = RESET")
	w.must(err)
	for _, s := range statements {
		_, err := db.Exec(s)
		w.must(err)
	}
}

func TestVerifyNamesWhatWasDone(t *testing.T) {
	edit := func(from, to string) string {
		return fmt.Sprintf(`UPDATE ledger_entry SET leaf = CAST(replace(CAST(leaf AS TEXT), '%s', '%s') AS BLOB) WHERE seq = 17`, from, to)
	}
	cases := []struct {
		name string
		do   []string
		kind string
		seq  int64
		says string
	}{
		{"leaf edited", []string{edit("host17.example", "host66.example")}, ledger.AlteredRecord, 17, "host66"},
		{"outcome edited", []string{edit(`"outcome":"done"`, `"outcome":"failed"`)}, ledger.AlteredRecord, 17, `outcome was "done" and is now "failed"`},
		{"leaf made unreadable", []string{edit(`"v":1`, `"v":2`)}, ledger.AlteredRecord, 17, "cannot be read"},
		{"id column edited", []string{`UPDATE ledger_entry SET id = 'r_other' WHERE seq = 17`}, ledger.AlteredRecord, 17, "column id"},
		{"row deleted", []string{`DELETE FROM ledger_entry WHERE seq = 17`}, ledger.RemovedRecord, 17, "missing"},
		{"first row deleted", []string{`DELETE FROM ledger_entry WHERE seq = 0`}, ledger.RemovedRecord, 0, "missing"},
		{"row deleted and the gap closed", []string{`DELETE FROM ledger_entry WHERE seq = 17`,
			`UPDATE ledger_entry SET seq = -seq WHERE seq > 17`, `UPDATE ledger_entry SET seq = -seq - 1 WHERE seq < 0`},
			ledger.RemovedRecord, 17, "removed"},
		{"row inserted", []string{`UPDATE ledger_entry SET seq = -seq WHERE seq >= 17`, `UPDATE ledger_entry SET seq = -seq + 1 WHERE seq < 0`,
			`INSERT INTO ledger_entry (seq, id, leaf) SELECT 17, 'r_new', CAST(replace(CAST(leaf AS TEXT), '"r_3"', '"r_new"') AS BLOB) FROM ledger_entry WHERE seq = 3`},
			ledger.InsertedRecord, 17, "inserted"},
		{"rows swapped", []string{`UPDATE ledger_entry SET seq = -1 WHERE seq = 17`, `UPDATE ledger_entry SET seq = 17 WHERE seq = 400`,
			`UPDATE ledger_entry SET seq = 400 WHERE seq = -1`}, ledger.SwappedRecord, 17, "swapped with record 400"},
		{"tail cut", []string{`DELETE FROM ledger_entry WHERE seq >= 600`}, ledger.RemovedRecord, 600, "ends before it"},
		{"head edited", []string{`UPDATE ledger_head SET n = n + 1 WHERE kind = 'zone' AND id = 'z_5'`}, ledger.WrongHead, -1, "zone:z_5"},
		{"head deleted", []string{`DELETE FROM ledger_head WHERE kind = 'zone' AND id = 'z_5'`}, ledger.WrongHead, -1, "missing"},
		{"head invented", []string{`INSERT INTO ledger_head SELECT kind, 'z_new', n, seq, leaf, state, tenant, bucket FROM ledger_head WHERE id = 'z_5'`},
			ledger.WrongHead, -1, "no record does"},
		{"tenant edited", []string{`UPDATE ledger_tenant SET n = 1 WHERE id = 'a_5'`}, ledger.WrongHead, -1, "a_5"},
		{"personal value exchanged", []string{`UPDATE ledger_personal SET sealed = (SELECT sealed FROM ledger_personal WHERE id = 24) WHERE id = 16`},
			ledger.WrongPersonal, 2, "actor.name"},
		{"personal value deleted", []string{`DELETE FROM ledger_personal WHERE id = 18`}, ledger.WrongPersonal, 2, "missing"},
		{"long difference edited", []string{`UPDATE ledger_blob SET data = CAST(replace(CAST(data AS TEXT), 'long', 'gone') AS BLOB)`}, ledger.WrongBlob, -1, "altered"},
		{"long difference deleted", []string{`DELETE FROM ledger_blob`}, ledger.WrongBlob, -1, "missing"},
		{"summary emptied", []string{`UPDATE ledger_block SET keys = x'00' WHERE block = 1`}, ledger.WrongHead, -1, "lists may hide"},
		{"summary invented", []string{`INSERT INTO ledger_block SELECT 9, first_time, last_time, x'00', x'00' FROM ledger_block WHERE block = 0`},
			ledger.WrongHead, -1, "lists may hide"},
		{"row invented before the first", []string{`INSERT INTO ledger_entry SELECT -1, 'r_new', leaf FROM ledger_entry WHERE seq = 3`},
			ledger.WrongHead, -1, "before the first record"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			w := sealedWorld(t)
			w.byHand(c.do...)
			r := w.verify(nil)
			if len(r.Findings) == 0 {
				t.Fatal("nothing was found")
			}
			for i, f := range r.Findings {
				if i < 5 {
					t.Log(f)
				}
			}
			f := r.Findings[0]
			if f.Kind != c.kind || f.Seq != c.seq || !strings.Contains(f.What, c.says) {
				t.Errorf("found %q of record %d: %s\nwant %q of %d: …%s…", f.Kind, f.Seq, f.What, c.kind, c.seq, c.says)
			}
		})
	}
}

func TestVerifyNamesWhichFileWasReplaced(t *testing.T) {
	const replaced, removed = "replaced", "removed"
	flip := func(b []byte) []byte { b[len(b)/2] ^= 1; return b }
	drop := func([]byte) []byte { return nil }
	cases := []struct {
		file, how string
		change    func([]byte) []byte
		kind      string
	}{
		{"tile/0/000", replaced, flip, ledger.WrongFile},
		{"tile/0/002.p/129", replaced, flip, ledger.WrongFile},
		{"tile/1/000.p/2", replaced, flip, ledger.WrongFile},
		{"tile/entries/001", replaced, flip, ledger.WrongFile},
		{"tile/entries/002.p/129", removed, drop, ledger.WrongFile},
		{"tile/0/001", removed, drop, ledger.WrongFile},
		{"checkpoint", replaced, flip, ledger.WrongSignature},
		{"checkpoint", removed, drop, ledger.WrongSignature},
	}
	for _, c := range cases {
		t.Run(strings.ReplaceAll(c.file, "/", " ")+" "+c.how, func(t *testing.T) {
			w := sealedWorld(t)
			path := filepath.Join(w.tiles(), "epoch-1", c.file)
			data, err := os.ReadFile(path)
			w.must(err)
			if data = c.change(data); data == nil {
				w.must(os.Remove(path))
			} else {
				w.must(os.WriteFile(path, data, 0o644))
			}
			r := w.verify(nil)
			if len(r.Findings) == 0 || r.Findings[0].Kind != c.kind || r.First() != nil {
				t.Fatalf("found %v", r.Findings)
			}
			if c.kind == ledger.WrongFile && !strings.Contains(r.Findings[0].What, c.file) {
				t.Errorf("%s does not name %s", r.Findings[0], c.file)
			}
		})
	}
}

func TestAnOlderCheckpointPutBackIsFound(t *testing.T) {
	w := sealedWorld(t)
	path := filepath.Join(w.tiles(), "epoch-1", "checkpoint")
	old, err := os.ReadFile(path)
	w.must(err)
	w.append(w.entries(700, 720)...)
	w.seal()
	w.must(os.WriteFile(path, old, 0o644))
	r := w.verify(nil)
	if len(r.Findings) != 1 || r.Findings[0].Kind != ledger.WrongSignature {
		t.Fatalf("found %v", r.Findings)
	}
}

// A log that somebody rewrote completely, with the signing key, still differs
// from a checkpoint that was kept elsewhere.
func TestARewrittenLogDiffersFromAKnownCheckpoint(t *testing.T) {
	w := sealedWorld(t)
	known := w.sealer.Sealed().Tree
	known.Root[0] ^= 1
	r := w.verify(func(o *ledger.VerifyOptions) { o.Known = []ledger.Tree{known} })
	if len(r.Findings) != 1 || !strings.Contains(r.Findings[0].What, "rewritten") {
		t.Fatalf("found %v", r.Findings)
	}
}

func TestVerifyComparesTheStateOfObjects(t *testing.T) {
	w := sealedWorld(t)
	states := map[core.Ref]string{}
	w.read(func(r ledger.Reader) error {
		for i := range 30 {
			ref := core.Ref{Kind: "zone", ID: fmt.Sprintf("z_%d", i)}
			h, found, err := ledger.ReadHead(t.Context(), r, ref)
			if err != nil {
				return err
			}
			if found {
				states[ref] = h.State
			}
		}
		return nil
	})
	check := func() ledger.Report {
		return w.verify(func(o *ledger.VerifyOptions) {
			o.States = func(_ context.Context, _ ledger.Reader, yield func(core.Ref, string) error) ([]string, error) {
				for ref, digest := range states {
					if err := yield(ref, digest); err != nil {
						return nil, err
					}
				}
				return []string{"zone"}, nil
			}
		})
	}
	if r := check(); !r.OK() || r.States != 24 {
		t.Fatalf("the true states do not verify: %d states, %v", r.States, r.Findings)
	}
	altered, unknown, gone := core.Ref{Kind: "zone", ID: "z_5"}, core.Ref{Kind: "zone", ID: "z_new"}, core.Ref{Kind: "zone", ID: "z_6"}
	states[altered], states[unknown] = state("something else"), state("new")
	delete(states, gone)
	named := map[core.Ref]string{}
	for _, f := range check().Findings {
		if f.Kind == ledger.WrongState {
			named[f.Object] = f.What
		}
	}
	for ref, word := range map[core.Ref]string{altered: "altered outside", unknown: "no record", gone: "missing"} {
		if !strings.Contains(named[ref], word) {
			t.Errorf("%v: %q, want …%s…", ref, named[ref], word)
		}
	}
	if len(named) != 3 {
		t.Errorf("named %v", named)
	}
}

// The log is verified while it grows: nothing that happens meanwhile is a finding.
func TestAGrowingLogVerifies(t *testing.T) {
	w := sealedWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.sealer.Run(ctx) }()
	results := make(chan ledger.Report, 1)
	for i := range 10 {
		go func() { results <- w.verify(nil) }()
		for n := 0; ; n++ {
			w.append(w.entries(1000+i*100_000+n*10, 1010+i*100_000+n*10)...)
			w.sealer.Wake()
			select {
			case r := <-results:
				if !r.OK() {
					t.Errorf("round %d: %v", i, r.Findings)
				}
			default:
				continue
			}
			break
		}
	}
	stop()
	<-done
}
