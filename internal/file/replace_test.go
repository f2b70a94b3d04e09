package file_test

import (
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"hostward/internal/file"
)

func TestReplaceGivesContentAndMode(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	for _, text := range []string{"one", "two"} {
		if err := file.Replace(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		wantFile(t, path, text, 0o600)
	}
	wantAlone(t, path)
}

func TestReplaceLikeKeepsModeAndLink(t *testing.T) {
	dir := t.TempDir()
	path, link := filepath.Join(dir, "real"), filepath.Join(dir, "link")
	if err := os.WriteFile(path, []byte("old"), 0o640); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(path, link); err != nil {
		t.Fatal(err)
	}
	if err := file.ReplaceLike(link, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	wantFile(t, path, "new", 0o640)
	if to, err := os.Readlink(link); err != nil || to != path {
		t.Errorf("the link points to %q, %v; want %q", to, err, path)
	}
}

func TestReplaceLeavesTheOldFileWhenItFails(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "a", "full"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := file.Replace(filepath.Join(dir, "a"), []byte("x"), 0o600); err == nil {
		t.Fatal("replaced a folder that is not empty")
	}
	wantAlone(t, filepath.Join(dir, "a"))
}

func TestRemoveTwice(t *testing.T) {
	path := filepath.Join(t.TempDir(), "a")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := file.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(path); !os.IsNotExist(err) {
		t.Errorf("still there: %v", err)
	}
}

func wantFile(t *testing.T, path, text string, mode os.FileMode) {
	t.Helper()
	got, err := os.ReadFile(path)
	if err != nil || string(got) != text {
		t.Errorf("content is %q, %v; want %q", got, err, text)
	}
	if info, err := os.Stat(path); err != nil || info.Mode().Perm() != mode {
		t.Errorf("mode is %v, %v; want %v", info.Mode(), err, mode)
	}
}

// wantAlone fails when a temporary file was left beside path.
func wantAlone(t *testing.T, path string) {
	t.Helper()
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("the folder holds %v, %v; want only %s", entries, err, path)
	}
}

func TestLockKeepsASecondOneOut(t *testing.T) {
	if runtime.GOOS == "windows" {
		return // has no flock
	}
	path := filepath.Join(t.TempDir(), "lock")
	first, err := file.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := file.Lock(path); err == nil {
		second.Close()
		t.Error("locked twice")
	}
	if err := first.Close(); err != nil {
		t.Fatal(err)
	}
	again, err := file.Lock(path)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
}
