package keeper_test

import (
	"bytes"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"hostward/internal/core"
	"hostward/internal/keeper"
)

func TestTheSecretKeyIsMadeOnceAndPrivate(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "keys")
	openAt(t, keeper.Config{Dir: dir}).Close()
	path := filepath.Join(dir, "secret.key")
	first, err := os.ReadFile(path)
	if err != nil || len(first) != 32 {
		t.Fatalf("%d bytes, %v", len(first), err)
	}
	openAt(t, keeper.Config{Dir: dir}).Close()
	if again, _ := os.ReadFile(path); !bytes.Equal(again, first) {
		t.Error("the key changed")
	}
	if runtime.GOOS == "windows" {
		return // has no such modes
	}
	for _, name := range []string{"secret.key", "checkpoint.key", "checkpoint.signed"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, keeper.Config{Dir: dir}, "it must be 0600")
}

func TestTheSecretKeyMayComeAsACredential(t *testing.T) {
	dir, credentials := t.TempDir(), t.TempDir()
	put := func(key string) {
		if err := os.WriteFile(filepath.Join(credentials, "hostward-secret"), []byte(key), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	put("short")
	wantRefused(t, keeper.Config{Dir: dir, Credentials: credentials}, "has 5 bytes; it must have 32")
	put(strings.Repeat("k", 32))
	openAt(t, keeper.Config{Dir: dir, Credentials: credentials}).Close()
	if _, err := os.Stat(filepath.Join(dir, "secret.key")); err == nil {
		t.Error("the credential was copied to the disk")
	}
	wantRefused(t, keeper.Config{Dir: dir}, "bring secret.key back")
	if err := os.WriteFile(filepath.Join(dir, "secret.key"), bytes.Repeat([]byte("x"), 32), 0o600); err != nil {
		t.Fatal(err)
	}
	wantRefused(t, keeper.Config{Dir: dir, Credentials: credentials}, "hold different keys")
}

func TestSealsForKnownPurposesOnly(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	sealed, err := k.Seal(t.Context(), keeper.TOTP, []byte("account 1"), []byte("the seed of it"))
	if err != nil || bytes.Contains(sealed, []byte("the seed")) || sealed[0] != 0x03 {
		t.Errorf("sealed %q, %v", sealed, err)
	}
	if _, err := k.Seal(t.Context(), "other", nil, nil); err == nil {
		t.Error("sealed for an unknown purpose")
	}
}

func TestNothingWorksAfterClose(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	key := k.VerifierKey(1)
	for range 2 {
		if err := k.Close(); err != nil {
			t.Fatal(err)
		}
	}
	_, seal := k.SealPersonal(t.Context(), november, nil, nil)
	_, sign := k.SignCheckpoint(t.Context(), growLog(1).tree(1, 1), nil)
	_, hash := k.HashPassword(t.Context(), lane, false, core.NewSecret("x"))
	for verb, err := range map[string]error{"seal": seal, "sign": sign, "hash": hash} {
		if core.CodeOf(err) != core.Unavailable {
			t.Errorf("%s: %v", verb, err)
		}
	}
	if k.VerifierKey(1) != key {
		t.Error("the public key changed")
	}
}
