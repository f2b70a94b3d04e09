package ledger_test

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/core"
	"hostward/internal/ledger"
)

func TestMain(m *testing.M) {
	if dir := os.Getenv("LEDGER_TEST_CHILD"); dir != "" {
		child(dir)
		return
	}
	os.Exit(m.Run())
}

func TestACheckpointFollowsItsRecordWithinASecond(t *testing.T) {
	w := newWorld(t)
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.sealer.Run(ctx) }()
	defer func() { stop(); <-done }()
	for i := range 5 {
		w.append(w.entries(10*i, 10*i+10)...)
		began := time.Now()
		w.sealer.Wake()
		wait, cancel := context.WithTimeout(ctx, 10*time.Second)
		w.must(w.sealer.WaitFor(wait, int64(10*i+9), ledger.Sealed))
		cancel()
		if took := time.Since(began); took > time.Second {
			t.Errorf("the checkpoint took %v", took)
		}
	}
}

func TestTheCheckpointIsASignedNoteOfTlog(t *testing.T) {
	w := newWorld(t)
	w.append(w.entries(0, 300)...)
	w.seal()
	data, err := os.ReadFile(filepath.Join(w.tiles(), "epoch-1", "checkpoint"))
	w.must(err)
	verifier, err := note.NewVerifier(w.keys.VerifierKey(1))
	w.must(err)
	n, err := note.Open(data, note.VerifierList(verifier))
	w.must(err)
	origin, tree, err := ledger.ParseCheckpoint(n.Text)
	w.must(err)
	if origin != "log.example/test" || tree.Size != 300 || tree != w.sealer.Sealed().Tree {
		t.Errorf("%s %v", origin, tree)
	}
	if w.sealer.Status(299) != ledger.Sealed || w.sealer.Status(300) != ledger.Committed {
		t.Error("the states do not follow the checkpoint")
	}
	if _, err := os.Stat(filepath.Join(w.tiles(), "epoch-1", "tile/0/000.p")); !errors.Is(err, os.ErrNotExist) {
		t.Error("partial tiles stay beside the full one")
	}
}

// Each step of sealing fails in turn, before and after its effect; the next
// sealer, or the same one, brings the same bytes.
func TestSealingGoesOnAfterEachFault(t *testing.T) {
	boom := errors.New("boom")
	faults := map[string]func(w *world) (mend func()){
		"the signer refuses": func(w *world) func() { w.keys.fail = boom; return func() { w.keys.fail = nil } },
		"signed but never told": func(w *world) func() {
			w.keys.after = func() error { return boom }
			return func() { w.keys.after = nil }
		},
		"tiles cannot be written":  func(w *world) func() { return block(w, "tile/0/001.p") },
		"checkpoint is in the way": func(w *world) func() { return block(w, "checkpoint.new") },
		"bundle cannot be written": func(w *world) func() { return block(w, "tile/entries/001.p") },
	}
	for name, fault := range faults {
		for _, restart := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s restart %v", name, restart), func(t *testing.T) {
				w := newWorld(t)
				w.append(w.entries(0, 200)...)
				w.seal()
				w.append(w.entries(200, 300)...)
				mend := fault(w)
				if err := w.sealer.Seal(t.Context()); err == nil {
					t.Fatal("nothing failed")
				}
				if name != "signed but never told" && w.sealer.Sealed().Tree.Size != 200 {
					t.Errorf("shows %v", w.sealer.Sealed().Tree)
				}
				mend()
				w.append(w.entries(300, 310)...)
				if restart {
					w.newSealer()
				}
				w.seal()
				if r := w.verify(nil); !r.OK() || r.Sealed != 310 {
					t.Errorf("%d sealed, %v", r.Sealed, r.Findings)
				}
			})
		}
	}
}

// block puts something where a file is to be written; a folder with content
// stops rename, a file stops mkdir.
func block(w *world, path string) func() {
	full := filepath.Join(w.tiles(), "epoch-1", path)
	if strings.HasSuffix(path, ".p") {
		w.must(os.WriteFile(full, nil, 0o644))
	} else {
		w.must(os.MkdirAll(filepath.Join(full, "x"), 0o755))
	}
	return func() { w.must(os.RemoveAll(full)) }
}

func TestTilesAreRebuiltFromTheDatabase(t *testing.T) {
	w := newWorld(t)
	w.append(w.entries(0, 1000)...)
	w.seal()
	before := snapshotOf(t, w.tiles())
	w.must(os.RemoveAll(w.tiles()))
	w.newSealer()
	w.seal()
	if after := snapshotOf(t, w.tiles()); fmt.Sprint(before) != fmt.Sprint(after) {
		t.Error("the tiles are not the same again")
	}
}

func snapshotOf(t *testing.T, dir string) map[string][]byte {
	m := map[string][]byte{}
	err := filepath.WalkDir(dir, func(path string, d os.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			m[rel], err = os.ReadFile(path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// With its tiles gone and a record altered, the sealer does not make a new
// truth out of the database.
func TestAnAlteredDatabaseIsNotSealedAgain(t *testing.T) {
	w := newWorld(t)
	w.append(w.entries(0, 100)...)
	w.seal()
	w.byHand(`UPDATE ledger_entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'host3.', 'host4.') AS BLOB)`)
	w.must(os.RemoveAll(w.tiles()))
	w.newSealer()
	if err := w.sealer.Seal(t.Context()); !errors.Is(err, ledger.ErrNotAppendOnly) {
		t.Errorf("got %v", err)
	}
}

func TestProofsHoldWithStandardTools(t *testing.T) {
	w := newWorld(t)
	w.append(w.entries(0, 300)...)
	w.seal()
	older := w.sealer.Sealed()
	w.append(w.entries(300, 777)...)
	w.seal()
	var proof []byte
	w.read(func(r ledger.Reader) (err error) {
		if _, err := w.sealer.Prove(t.Context(), r, 777); !errors.Is(err, ledger.ErrNotSealed) {
			t.Errorf("a record that is not there: %v", err)
		}
		proof, err = w.sealer.Prove(t.Context(), r, 123)
		return err
	})
	vkey := w.keys.VerifierKey(1)
	l, tree, _, err := ledger.CheckProof(proof, nil, vkey, nil)
	if err != nil || l.ID != "r_123" || tree.Size != 777 {
		t.Fatalf("%v %v %v", l, tree, err)
	}
	p, err := ledger.ParseProof(proof)
	w.must(err)
	w.must(tlog.CheckRecord(p.Path, tree.Size, tree.Root, 123, tlog.RecordHash(p.Leaf)))
	if _, _, _, err := ledger.CheckProof(proof, append(bytes.Clone(p.Leaf), ' '), vkey, nil); err == nil {
		t.Error("the proof holds for another leaf")
	}
	for i := range proof {
		if i == len(proof)-len("x=\n") {
			continue // two bits of it are padding, which package note does not look at (RFC 4648 3.5)
		}
		bad := bytes.Clone(proof)
		bad[i] ^= 2
		if l, _, _, err := ledger.CheckProof(bad, p.Leaf, vkey, nil); err == nil && (l.ID != "r_123" || i > len(proof)-len(p.Note)) {
			t.Fatalf("the proof holds with byte %d changed", i)
		}
	}
	consistency, err := w.sealer.ProveConsistency(older.Tree)
	w.must(err)
	old, newer, err := ledger.CheckConsistency(consistency, older.Note, vkey, nil)
	if err != nil || old.Size != 300 || newer.Size != 777 {
		t.Errorf("%v %v %v", old, newer, err)
	}
	path, err := w.sealer.ConsistencyPath(1, 300, 777)
	w.must(err)
	w.must(tlog.CheckTree(path, newer.Size, newer.Root, old.Size, old.Root))
}

// SPEC L8: an older copy of the database is refused at start; recovery opens
// an epoch that says what is lost, and everything verifies again.
func TestARolledBackDatabaseIsRefusedAndRecovered(t *testing.T) {
	w := newWorld(t)
	w.append(w.entries(0, 400)...)
	w.seal()
	w.must(w.store.Close())
	copyFile(t, filepath.Join(w.dir, "panel.db"), filepath.Join(w.dir, "old.db"))
	w.open()
	w.append(w.entries(400, 600)...)
	w.seal()
	lost := w.sealer.Sealed().Tree
	w.must(w.store.Close())
	copyFile(t, filepath.Join(w.dir, "old.db"), filepath.Join(w.dir, "panel.db"))
	w.open()

	var behind *ledger.BehindError
	w.read(func(r ledger.Reader) error {
		err := ledger.CheckStart(t.Context(), r, w.keys, w.tiles(), nil)
		if !errors.As(err, &behind) || !strings.Contains(err.Error(), "log recover") || behind.Have != 400 || behind.Signed != lost {
			t.Errorf("the start says %v", err)
		}
		return nil
	})
	if err := w.sealer.Seal(t.Context()); !errors.As(err, &behind) {
		t.Errorf("the sealer says %v", err)
	}
	if f := w.verify(nil).First(); f == nil || f.Kind != ledger.RemovedRecord || f.Seq != 400 {
		t.Errorf("verify names %v", f)
	}
	w.recover()
	w.append(w.entries(1000, 1300)...)
	w.seal()
	r := w.verify(nil)
	if !r.OK() || r.Lost != 200 || r.Epochs != 2 || r.Records != 701 {
		t.Errorf("%+v", r)
	}
	w.read(func(r ledger.Reader) error {
		rec, err := w.browser().Find(t.Context(), r, ledger.Everything, "r_1000")
		if err != nil || rec.Seq != 601 || rec.Epoch != 2 || rec.Index != 1 || rec.State != ledger.Sealed {
			t.Errorf("%+v %v", rec, err)
		}
		return ledger.CheckStart(t.Context(), r, w.keys, w.tiles(), []ledger.Tree{lost})
	})
	if p := w.list(ledger.Everything, ledger.Filter{Actor: "a_3", Limit: 1000}); len(p.Records) != 70 {
		t.Errorf("%d records across the epochs", len(p.Records))
	}
	w.byHand(`DELETE FROM ledger_entry WHERE seq = 350`)
	if f := w.verify(nil).First(); f == nil || f.Kind != ledger.RemovedRecord || f.Seq != 350 {
		t.Errorf("in an old epoch verify names %v", f)
	}
}

func (w *world) recover() {
	w.t.Helper()
	w.inTx(func(ctx context.Context) error {
		p, err := ledger.PlanRecovery(ctx, w.writer, w.keys, nil)
		if err != nil {
			return err
		}
		if !p.Needed {
			w.t.Error("the plan sees no need")
		}
		if err := w.book.OpenEpoch(ctx, w.writer, p); err != nil {
			return err
		}
		if _, err := w.book.Append(ctx, w.writer, w.entry(999)); err == nil {
			w.t.Error("an epoch begins without saying what was lost")
		}
		_, err = w.book.Append(ctx, w.writer, &ledger.Entry{
			ID: core.NewID("r"), Time: w.now, Action: "log.recover", Class: "log", Door: "cli", Actor: ledger.Identity{Kind: "os", ID: "0", Name: "root"},
			Reason: "the disk broke", Outcome: ledger.Done, Object: ledger.LogObject, Tenant: core.Provider, Events: []ledger.Event{p.Event()},
		})
		return err
	})
}

// copyFile copies a database that nobody has open.
func copyFile(t *testing.T, from, to string) {
	t.Helper()
	_ = os.Remove(to + "-shm")
	for _, suffix := range []string{"", "-wal"} {
		data, err := os.ReadFile(from + suffix)
		if suffix != "" && errors.Is(err, os.ErrNotExist) {
			_ = os.Remove(to + suffix)
			continue
		}
		if err == nil {
			err = os.WriteFile(to+suffix, data, 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

// A database in which a witness has seen more is refused, even if the keeper
// was rolled back with it.
func TestABehindWitnessRefusesTheStart(t *testing.T) {
	w := newWorld(t)
	w.append(w.entries(0, 10)...)
	w.seal()
	w.read(func(r ledger.Reader) error {
		var behind *ledger.BehindError
		err := ledger.CheckStart(t.Context(), r, w.keys, w.tiles(), []ledger.Tree{{Epoch: 1, Size: 11}})
		if !errors.As(err, &behind) || !behind.Witnessed || !strings.Contains(err.Error(), "witness") {
			t.Errorf("got %v", err)
		}
		return ledger.CheckStart(t.Context(), r, w.keys, w.tiles(), nil)
	})
	w.byHand(`UPDATE ledger_entry SET leaf = CAST(replace(CAST(leaf AS TEXT), 'host3.', 'host4.') AS BLOB)`)
	w.read(func(r ledger.Reader) error {
		var start *ledger.StartError
		if err := ledger.CheckStart(t.Context(), r, w.keys, w.tiles(), nil); !errors.As(err, &start) || !strings.Contains(err.Error(), "record 3") {
			t.Errorf("an altered tail: %v", err)
		}
		return nil
	})
}

func TestPersonalValuesAreErasedByRuleAndProofsHold(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.append(w.entries(0, 600)...)
		w.seal()
		var proof []byte
		w.read(func(r ledger.Reader) (err error) { proof, err = w.sealer.Prove(t.Context(), r, 3); return err })
		erase := func(now time.Time) ledger.Erasure {
			var e ledger.Erasure
			w.inTx(func(ctx context.Context) (err error) {
				e, err = ledger.Erase(ctx, w.writer, now, ledger.DefaultRules, 100_000)
				if err != nil || len(e.Events()) == 0 {
					return err
				}
				entry := ledger.StopEntry(w.now)
				entry.Action, entry.Events = "log.erase", e.Events()
				_, err = w.book.Append(ctx, w.writer, entry)
				return err
			})
			w.must(e.DropKeys(t.Context(), w.keys))
			return e
		}
		if e := erase(began.Add(80 * 24 * time.Hour)); e.Total() != 0 {
			t.Errorf("erased too early: %v", e.Counts)
		}
		w.inTx(func(ctx context.Context) error {
			return ledger.AddHold(ctx, w.writer, ledger.Hold{ID: "h1", Tenant: "a_3", Reason: "court"})
		})
		if e := erase(began.Add(130 * 24 * time.Hour)); e.Total() != 540 || e.Held != 60 || len(e.Over) != 0 {
			t.Errorf("with a hold: %+v", e)
		}
		w.inTx(func(ctx context.Context) error { _, err := ledger.EndHold(ctx, w.writer, "h1"); return err })
		if e := erase(began.Add(130 * 24 * time.Hour)); e.Total() != 60 || len(e.Over) != 1 || e.Over[0] != "address/2026-11" {
			t.Errorf("after the hold: %+v", e)
		}
		w.seal()
		if _, _, _, err := ledger.CheckProof(proof, nil, w.keys.VerifierKey(1), nil); err != nil {
			t.Error(err)
		}
		if r := w.verify(nil); !r.OK() || r.Erased != 1200 {
			t.Errorf("%d erased, %v", r.Erased, r.Findings)
		}
		rec := w.list(ledger.Everything, ledger.Filter{Actor: "a_3", Limit: 1}).Records[0]
		if rec.Entry.Address != "" || rec.Entry.Actor.Name != "Kund3" || fmt.Sprint(rec.Erased) != "[agent ip]" && fmt.Sprint(rec.Erased) != "[ip agent]" {
			t.Errorf("%+v", rec)
		}
		if p := w.list(ledger.Everything, ledger.Filter{Address: "2001:db8::7"}); len(p.Records) != 0 {
			t.Error("an erased address is still found")
		}
	})
}

func TestStartsTellHowTheLogStopped(t *testing.T) {
	w := newWorld(t)
	pulse := func(now time.Time) (p ledger.Pulse) {
		w.read(func(r ledger.Reader) (err error) { p, err = ledger.ReadPulse(t.Context(), r, now); return err })
		return p
	}
	if p := pulse(w.now); p.Unclean || len(p.Entries()) != 1 {
		t.Errorf("a new log: %+v", p)
	}
	w.append(w.entry(0), ledger.StopEntry(w.now))
	if p := pulse(w.now.Add(time.Hour)); p.Unclean || p.Gap() != time.Hour {
		t.Errorf("an orderly stop: %+v", p)
	}
	w.append(w.entry(1))
	if p := pulse(w.now.Add(time.Hour)); !p.Unclean {
		t.Errorf("a crash: %+v", p)
	}
	p := pulse(w.now.Add(-time.Hour))
	if p.Behind != time.Hour || len(p.Entries()) != 2 {
		t.Errorf("a clock that is behind: %+v", p)
	}
	w.append(p.Entries()...)
	w.seal()
	if r := w.verify(nil); !r.OK() {
		t.Error(r.Findings)
	}
}

// child appends, says what is committed, and seals, until it is killed. Its
// keys live in a file, as the keeper's do.
func child(dir string) {
	t := &childT{}
	w := &world{t: t, dir: dir, keys: newKeys(), now: began, url: "sqlite://" + filepath.Join(dir, "panel.db")}
	loadKeys(w.keys, dir)
	w.keys.after = func() error { return saveKeys(w.keys, dir) }
	w.open()
	go w.sealer.Run(context.Background())
	start := 0
	w.read(func(r ledger.Reader) error {
		return r.QueryRow(context.Background(), `SELECT COALESCE(MAX(seq) + 1, 0) FROM ledger_entry`).Scan(&start)
	})
	for i := start; ; i += 3 {
		w.append(w.entries(i, i+3)...)
		w.sealer.Wake()
		fmt.Println(i + 2)
	}
}

// childT is as much of testing.TB as a world needs outside a test.
type childT struct{ testing.TB }

func (*childT) Helper()                  {}
func (*childT) Cleanup(func())           {}
func (*childT) Context() context.Context { return context.Background() }
func (*childT) Fatal(args ...any)        { fmt.Fprintln(os.Stderr, args...); os.Exit(2) }

type savedKeys struct {
	Seed    string
	Last    ledger.Tree
	Periods map[string][]byte
}

func saveKeys(k *memoryKeys, dir string) error {
	data, err := json.Marshal(savedKeys{k.seed, k.last, k.periods})
	if err != nil {
		return err
	}
	path := filepath.Join(dir, "keys.json")
	if err := os.WriteFile(path+".new", data, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

func loadKeys(k *memoryKeys, dir string) {
	var s savedKeys
	data, err := os.ReadFile(filepath.Join(dir, "keys.json"))
	if err == nil && json.Unmarshal(data, &s) == nil {
		k.seed, k.last, k.periods = s.Seed, s.Last, s.Periods
	}
}

// SPEC 0: a kill -9 loses no acknowledged record, wherever it strikes.
func TestKillingTheWriterLosesNothingAcknowledged(t *testing.T) {
	if testing.Short() {
		t.Skip("kills processes for some seconds")
	}
	dir := t.TempDir()
	keys := newKeys()
	w := &world{t: t, dir: dir, keys: keys, now: began, url: "sqlite://" + filepath.Join(dir, "panel.db")}
	// The periods' keys must not change between the children.
	for _, kind := range []string{"address", "identity", "record"} {
		_, err := keys.Blind(t.Context(), kind+"/2026-11", "x")
		w.must(err)
	}
	w.must(saveKeys(keys, dir))
	acknowledged := -1
	for round := range 6 {
		n := killAfter(t, dir, 20+37*round)
		acknowledged = max(acknowledged, n)
	}
	loadKeys(keys, dir)
	w.open()
	w.seal()
	r := w.verify(nil)
	if !r.OK() || r.Records < int64(acknowledged+1) || r.Sealed != r.Records {
		t.Errorf("%d acknowledged, %d there, %d sealed: %v", acknowledged+1, r.Records, r.Sealed, r.Findings)
	}
	t.Logf("%d acknowledged, %d there", acknowledged+1, r.Records)
}

// killAfter lets a child acknowledge some batches and kills it; it returns the
// last record that it acknowledged.
func killAfter(t *testing.T, dir string, batches int) int {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "LEDGER_TEST_CHILD="+dir)
	var complaints bytes.Buffer
	cmd.Stderr = &complaints
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	last, lines := -1, bufio.NewScanner(out)
	for i := 0; i < batches && lines.Scan(); i++ {
		_, _ = fmt.Sscan(lines.Text(), &last)
	}
	_ = cmd.Process.Kill()
	for lines.Scan() { // what it said before it died counts as well
		_, _ = fmt.Sscan(lines.Text(), &last)
	}
	_, _ = io.Copy(io.Discard, out)
	_ = cmd.Wait()
	if last < 0 {
		t.Fatalf("the child acknowledged nothing: %s", complaints.String())
	}
	return last
}

// A full disk stops sealing and says so once; nothing is lost, and sealing
// goes on by itself when there is room again.
func TestAFullDiskStopsSealingUntilThereIsRoom(t *testing.T) {
	if runtime.GOOS != "linux" || os.Getuid() != 0 {
		t.Skip("needs root to mount a small file system")
	}
	w := newWorld(t)
	w.must(os.MkdirAll(w.tiles(), 0o755))
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", "size=300k", "hostward-test", w.tiles()).CombinedOutput(); err != nil {
		t.Skipf("cannot mount a tmpfs here: %s", out)
	}
	t.Cleanup(func() { _ = exec.Command("umount", "-l", w.tiles()).Run() })
	reports := make(chan error, 10)
	w.sealer = ledger.NewSealer(ledger.SealerConfig{Dir: w.tiles(), Keys: w.keys, Snapshot: w.snapshot, Interval: time.Millisecond,
		Report: func(err error) { reports <- err }})
	ctx, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() { defer close(done); w.sealer.Run(ctx) }()
	defer func() { stop(); <-done }()
	w.append(w.entries(0, 100)...)
	w.sealer.Wake()
	w.must(w.sealer.WaitFor(ctx, 99, ledger.Sealed))
	w.append(w.entries(100, 1000)...)
	w.sealer.Wake()
	if err := await(t, reports); err == nil || !strings.Contains(err.Error(), "no space") {
		t.Fatalf("reported %v", err)
	}
	if n := w.sealer.Sealed().Tree.Size; n != 100 {
		t.Errorf("the checkpoint shows %d records", n)
	}
	if out, err := exec.Command("mount", "-o", "remount,size=20m", w.tiles()).CombinedOutput(); err != nil {
		t.Fatalf("remount: %s", out)
	}
	wait, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	w.must(w.sealer.WaitFor(wait, 999, ledger.Sealed))
	if err := await(t, reports); err != nil {
		t.Errorf("after the repair it reported %v", err)
	}
	if r := w.verify(nil); !r.OK() || r.Sealed != 1000 {
		t.Errorf("%d sealed, %v", r.Sealed, r.Findings)
	}
}

func await(t *testing.T, reports <-chan error) error {
	t.Helper()
	select {
	case err := <-reports:
		return err
	case <-time.After(30 * time.Second):
		t.Fatal("no report")
		return nil
	}
}
