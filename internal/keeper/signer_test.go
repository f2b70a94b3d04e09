package keeper_test

import (
	"bufio"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/keeper"
	"hostward/internal/ledger"
)

func openAt(t *testing.T, cfg keeper.Config) keeper.Keeper {
	t.Helper()
	k, err := keeper.Open(cfg)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { k.Close() })
	return k
}

func TestSignsWhatAStrangerCanVerify(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir(), Origin: "example.org/hostward"})
	log := growLog(5)
	signed, err := k.SignCheckpoint(t.Context(), log.tree(1, 5), nil)
	if err != nil {
		t.Fatal(err)
	}
	verifier, err := note.NewVerifier(k.VerifierKey(1))
	if err != nil {
		t.Fatal(err)
	}
	opened, err := note.Open(signed, note.VerifierList(verifier))
	if err != nil {
		t.Fatalf("%v in\n%s", err, signed)
	}
	origin, tree, err := ledger.ParseCheckpoint(opened.Text)
	if err != nil || origin != "example.org/hostward" || tree != log.tree(1, 5) {
		t.Errorf("it says %s, %v, %v", origin, tree, err)
	}
}

func TestSignsOnlyALogThatGrows(t *testing.T) {
	dir := t.TempDir()
	k := openAt(t, keeper.Config{Dir: dir})
	log := growLog(20)
	first := mustSign(t, k, log.tree(1, 10), nil)
	if again := mustSign(t, k, log.tree(1, 10), nil); again != first {
		t.Errorf("the same tree gives another note:\n%s\n%s", first, again)
	}
	other := growLog(9)
	for n := int64(9); n < 20; n++ {
		other.add(n, "altered")
	}
	for name, c := range map[string]struct {
		log      testLog
		from, to int64
	}{
		"smaller":            {log, 0, 9},
		"same size, altered": {other, 0, 10},
		"larger, altered":    {other, 10, 20},
		"without a proof":    {log, 0, 20},
		"wrong proof":        {log, 9, 20},
	} {
		if _, err := k.SignCheckpoint(t.Context(), c.log.tree(1, c.to), c.log.proof(c.from, c.to)); !errors.Is(err, ledger.ErrNotAppendOnly) {
			t.Errorf("%s: %v, want ErrNotAppendOnly", name, err)
		}
	}
	if _, err := k.SignCheckpoint(t.Context(), log.tree(2, 20), log.proof(10, 20)); !errors.Is(err, ledger.ErrNotAppendOnly) {
		t.Errorf("another epoch: %v, want ErrNotAppendOnly", err)
	}
	mustSign(t, k, log.tree(1, 20), log.proof(10, 20))
	k.Close()
	wantLast(t, openAt(t, keeper.Config{Dir: dir}), log.tree(1, 20))
}

func TestOpensTheNextEpochOnce(t *testing.T) {
	dir := t.TempDir()
	k := openAt(t, keeper.Config{Dir: dir, Origin: "example.org/log"})
	log := growLog(7)
	wantLast(t, k, ledger.Tree{Epoch: 1})
	mustSign(t, k, log.tree(1, 7), nil)
	for name, c := range map[string]struct {
		epoch int
		last  ledger.Tree
	}{
		"skips one": {3, log.tree(1, 7)}, "the same": {1, log.tree(1, 7)}, "false last tree": {2, log.tree(1, 6)},
	} {
		if err := k.OpenEpoch(t.Context(), c.epoch, c.last); err == nil {
			t.Errorf("%s: opened", name)
		}
	}
	for range 2 {
		if err := k.OpenEpoch(t.Context(), 2, log.tree(1, 7)); err != nil {
			t.Fatal(err)
		}
	}
	k.Close()
	k = openAt(t, keeper.Config{Dir: dir})
	wantLast(t, k, ledger.Tree{Epoch: 2})
	signed := mustSign(t, k, log.tree(2, 3), nil)
	if !strings.HasPrefix(signed, "example.org/log/epoch-2\n3\n") || !strings.HasPrefix(k.VerifierKey(2), "example.org/log/epoch-2+") {
		t.Errorf("key %s, note\n%s", k.VerifierKey(2), signed)
	}
	if _, err := k.SignCheckpoint(t.Context(), log.tree(1, 7), nil); err == nil {
		t.Error("signed in the closed epoch")
	}
}

// Kill -9 at any moment: what was handed out is still the past of what will be
// signed, and the tree that was being signed can be signed again.
func TestKilledSignerNeverForgetsWhatItHandedOut(t *testing.T) {
	dir := t.TempDir()
	for round := range 5 {
		printed := killAfter(t, dir, 3+round)
		k := openAt(t, keeper.Config{Dir: dir})
		last, err := k.LastSigned(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		if last.Size < printed {
			t.Fatalf("handed out %d, remembers %v", printed, last)
		}
		log := growLog(last.Size + 1)
		if last != log.tree(1, last.Size) {
			t.Fatalf("remembers %v, the log has %v", last, log.tree(1, last.Size))
		}
		mustSign(t, k, last, nil)
		if _, err := k.SignCheckpoint(t.Context(), log.tree(1, last.Size-1), nil); !errors.Is(err, ledger.ErrNotAppendOnly) {
			t.Fatalf("a smaller tree: %v", err)
		}
		k.Close()
	}
}

// killAfter runs a signer, kills it after some lines, and returns the last
// size that came out.
func killAfter(t *testing.T, dir string, lines int) (size int64) {
	t.Helper()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), "KEEPER_DIR="+dir)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	for scan := bufio.NewScanner(out); scan.Scan(); {
		if size, err = strconv.ParseInt(scan.Text(), 10, 64); err != nil {
			t.Fatal(scan.Text())
		}
		if lines--; lines == 0 {
			_ = cmd.Process.Kill()
		}
	}
	if err := cmd.Wait(); err == nil || lines > 0 {
		t.Fatalf("the signer ended by itself: %v, %d lines missing", err, lines)
	}
	return size
}

func TestRefusesToStartWithoutItsMemory(t *testing.T) {
	for name, want := range map[string]string{
		"checkpoint.signed": "could sign a second history",
		"secret.key":        "bring secret.key back",
		"checkpoint.key":    "says that it has signed records",
	} {
		dir := t.TempDir()
		mustSign(t, openAt(t, keeper.Config{Dir: dir}), growLog(3).tree(1, 3), nil)
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, keeper.Config{Dir: dir}, want)
	}
}

func TestRefusesAltered(t *testing.T) {
	for name, want := range map[string]string{
		"checkpoint.signed": "not by this key",
		"checkpoint.key":    "altered",
		"secret.key":        "another secret key",
	} {
		dir := t.TempDir()
		mustSign(t, openAt(t, keeper.Config{Dir: dir}), growLog(3).tree(1, 3), nil)
		path := filepath.Join(dir, name)
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		at := len(data) - 1
		if name == "checkpoint.signed" {
			at = strings.Index(string(data), "\n3\n") + 1 // the size
		}
		data[at] ^= 1
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		wantRefused(t, keeper.Config{Dir: dir}, want)
	}
}

func TestTheOriginIsFixed(t *testing.T) {
	dir := t.TempDir()
	k := openAt(t, keeper.Config{Dir: dir})
	if !strings.HasPrefix(k.Origin(), "hostward/") || len(k.Origin()) != len("hostward/")+16 {
		t.Errorf("the origin is %q", k.Origin())
	}
	k.Close()
	wantRefused(t, keeper.Config{Dir: dir, Origin: "example.org/x"}, "cannot become")
	for _, origin := range []string{"a b", "a+b", "x/epoch-2", "\xff", strings.Repeat("x", 201), "a\nb"} {
		wantRefused(t, keeper.Config{Dir: t.TempDir(), Origin: origin}, "is not accepted")
	}
}

func wantRefused(t *testing.T, cfg keeper.Config, want string) {
	t.Helper()
	k, err := keeper.Open(cfg)
	if err == nil {
		k.Close()
		t.Errorf("opened; want an error with %q", want)
	} else if !strings.Contains(err.Error(), want) {
		t.Errorf("the error is %v, want one with %q", err, want)
	}
}

func mustSign(t *testing.T, k keeper.Keeper, tree ledger.Tree, proof tlog.TreeProof) string {
	t.Helper()
	signed, err := k.SignCheckpoint(t.Context(), tree, proof)
	if err != nil {
		t.Fatal(err)
	}
	return string(signed)
}

func wantLast(t *testing.T, k keeper.Keeper, want ledger.Tree) {
	t.Helper()
	if got, err := k.LastSigned(t.Context()); err != nil || got != want {
		t.Errorf("last signed is %v, %v; want %v", got, err, want)
	}
}
