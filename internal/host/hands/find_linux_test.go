package hands_test

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"hostward/internal/host/hands"
)

// TestFindFollowsNobody looks for files in a folder whose owner has laid links out
// of it, in circles, and as the file itself.
func TestFindFollowsNobody(t *testing.T) {
	outside, root := t.TempDir(), t.TempDir()
	put := func(path string) {
		t.Helper()
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	link := func(to, path string) {
		t.Helper()
		if err := os.Symlink(to, path); err != nil {
			t.Fatal(err)
		}
	}
	put(filepath.Join(outside, ".htaccess"))
	put(filepath.Join(root, ".htaccess"))
	put(filepath.Join(root, "a/b/.htaccess"))
	put(filepath.Join(root, "a/b/htaccess"))
	put(filepath.Join(root, "a/.acl"))
	link(outside, filepath.Join(root, "a/out"))
	link("..", filepath.Join(root, "a/up"))
	if err := os.Mkdir(filepath.Join(root, "c"), 0o755); err != nil {
		t.Fatal(err)
	}
	link(filepath.Join(outside, ".htaccess"), filepath.Join(root, "c/.htaccess"))
	if err := os.MkdirAll(filepath.Join(root, "d/.htaccess"), 0o755); err != nil {
		t.Fatal(err)
	}
	got, whole, err := hands.Machine{}.Find(root, []string{".htaccess", ".acl"}, 100)
	want := []string{filepath.Join(root, ".htaccess"), filepath.Join(root, "a/.acl"), filepath.Join(root, "a/b/.htaccess")}
	if err != nil || !whole || !slices.Equal(got, want) {
		t.Errorf("found %v, %v, %v; want %v", got, whole, err, want)
	}
	if got, whole, err := (hands.Machine{}).Find(filepath.Join(root, "none"), []string{".htaccess"}, 100); err != nil || !whole || got != nil {
		t.Errorf("where there is nothing: %v %v %v", got, whole, err)
	}
	if _, whole, err := (hands.Machine{}).Find(root, []string{".htaccess"}, 3); err != nil || whole {
		t.Errorf("with less folders than there are: whole %v, %v", whole, err)
	}
	deep := root
	for i := range 80 {
		deep = filepath.Join(deep, fmt.Sprint(i))
	}
	put(filepath.Join(deep, ".htaccess"))
	if got, whole, err := (hands.Machine{}).Find(root, []string{".htaccess"}, 1000); err != nil || whole || len(got) != 2 {
		t.Errorf("deeper than it goes: %v, whole %v, %v", got, whole, err)
	}
}
