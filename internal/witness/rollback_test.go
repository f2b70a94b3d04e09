package witness_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/core"
	"hostward/internal/keeper"
	"hostward/internal/ledger"
	"hostward/internal/store"
	"hostward/internal/witness"
)

// server is the part of the real one that has to do with witnesses: keeper,
// SQLite, ledger and sealer on one data folder.
type server struct {
	keys   keeper.Keeper
	store  *store.Store
	writer *store.Writer
	book   *ledger.Book
	sealer *ledger.Sealer
}

func startServer(t *testing.T, dir string) *server {
	t.Helper()
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	s := &server{}
	var err error
	s.keys, err = keeper.Open(keeper.Config{Dir: filepath.Join(dir, "keys"), Origin: base})
	must(err)
	s.store, err = store.Open(t.Context(), store.Config{URL: "sqlite://" + filepath.Join(dir, "panel.db"),
		Migrations: []store.Migration{{Name: "ledger", FS: ledger.Migrations}}})
	must(err)
	s.writer, err = s.store.Acquire(t.Context())
	must(err)
	s.book = ledger.NewBook(s.keys, core.SystemClock)
	s.sealer = ledger.NewSealer(ledger.SealerConfig{Dir: filepath.Join(dir, "log"), Keys: s.keys, Interval: time.Millisecond,
		Snapshot: func(ctx context.Context, read func(ledger.Reader) error) error {
			v, err := s.store.Snapshot(ctx)
			if err != nil {
				return err
			}
			defer v.Close()
			return read(v)
		}})
	must(s.sealer.Seal(t.Context()))
	return s
}

func (s *server) stop(t *testing.T) {
	t.Helper()
	if err := errors.Join(s.store.Close(), s.keys.Close()); err != nil {
		t.Fatal(err)
	}
}

// write commits and seals n records.
func (s *server) write(t *testing.T, what string, n int) {
	t.Helper()
	var list []*ledger.Entry
	for i := range n {
		list = append(list, &ledger.Entry{ID: fmt.Sprintf("r_%s%d", what, i), Time: core.SystemClock(), Action: "panel.note", Class: "panel",
			Door: "job", Actor: ledger.Identity{Kind: "system", ID: "panel"}, Outcome: ledger.Done})
	}
	err := s.writer.Begin(t.Context())
	if err == nil {
		_, err = s.book.AppendBatch(t.Context(), s.writer, list)
	}
	if err == nil {
		err = s.writer.Commit(t.Context())
	}
	if err == nil {
		err = s.sealer.Seal(t.Context())
	}
	if err != nil {
		t.Fatal(err)
	}
}

func (s *server) follower(t *testing.T, r *running) *witness.Follower {
	t.Helper()
	f, err := witness.NewFollower(witness.FollowerConfig{Log: s.sealer, VerifierKey: s.keys.VerifierKey, AllowPrivate: true,
		Witnesses: []witness.Witness{{URL: r.url, Key: r.key}}, Interval: time.Millisecond, Retry: time.Millisecond, Last: s.sealer.LastWitnessed()})
	if err != nil {
		t.Fatal(err)
	}
	return f
}

func (s *server) held() witness.Held {
	sealed := s.sealer.Sealed()
	return witness.Held{Epoch: sealed.Tree.Epoch, Size: sealed.Tree.Size, Signed: sealed.Note, Witnessed: s.sealer.LastWitnessed().Note,
		Root: func(_ context.Context, size int64) (tlog.Hash, error) {
			tree, err := s.sealer.TreeAt(sealed.Tree.Epoch, size)
			return tree.Root, err
		}}
}

// The whole data folder, keys and all, is put back to yesterday: on the
// machine nothing is wrong any more. Only the witness knows.
func TestARolledBackDataFolderIsFoundByTheWitnessAlone(t *testing.T) {
	dir, yesterday := t.TempDir(), filepath.Join(t.TempDir(), "copy")
	s := startServer(t, dir)
	key := s.keys.VerifierKey(1)
	secret, verifier, err := witness.GenerateKey("witness.example.org/w1")
	if err != nil {
		t.Fatal(err)
	}
	r := &running{secret: secret, key: verifier, dir: t.TempDir()}
	r.start(t, key)
	s.write(t, "a", 10)
	s.stop(t)
	if err := os.CopyFS(yesterday, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}

	s = startServer(t, dir)
	s.witnessed(t, r, "b", 20)
	if _, err := s.follower(t, r).CheckStart(t.Context(), s.held()); err != nil {
		t.Errorf("on the newest data: %v", err)
	}
	wantCosigned(t, s.sealer.LastWitnessed(), key, r)
	s.stop(t)

	s = startServer(t, modes(t, yesterday))
	defer s.stop(t)
	if got := s.sealer.Sealed().Tree.Size; got != 10 {
		t.Fatalf("yesterday has %d records", got)
	}
	_, err = s.follower(t, r).CheckStart(t.Context(), s.held())
	behind, ok := errors.AsType[*ledger.BehindError](err)
	if !ok || behind.Signed.Size != 30 || behind.Have != 10 || !behind.Witnessed {
		t.Errorf("on yesterday's data: %v", err)
	}
}

// witnessed writes records and waits until the witness has cosigned them all.
func (s *server) witnessed(t *testing.T, r *running, what string, n int) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	done := make(chan struct{})
	go func() { defer close(done); s.follower(t, r).Run(ctx) }()
	defer func() { cancel(); <-done }()
	s.write(t, what, n)
	last := s.sealer.Sealed().Tree.Size - 1
	if err := s.sealer.WaitFor(ctx, last, ledger.Witnessed); err != nil {
		t.Fatal(err)
	}
}

func wantCosigned(t *testing.T, c ledger.Checkpoint, key string, r *running) {
	t.Helper()
	log, err := note.NewVerifier(key)
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open(c.Note, note.VerifierList(log, byHand{t, r.key}))
	if err != nil || len(opened.Sigs) != 2 || c.Tree.Size != 30 {
		t.Errorf("%v: %+v, %v", c.Tree, opened, err)
	}
}

// modes gives a copied data folder its private files back.
func modes(t *testing.T, dir string) string {
	t.Helper()
	if err := os.Chmod(filepath.Join(dir, "keys", "secret.key"), 0o600); err != nil {
		t.Fatal(err)
	}
	return dir
}
