package nameserver

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"
)

// TestCookiesOutliveARestart: the secrets come back, are replaced after their
// time, and the one before is believed on.
func TestCookiesOutliveARestart(t *testing.T) {
	folder := t.TempDir()
	first := slices.Clone(*reopen(t, folder).secrets.Load())
	if again := *reopen(t, folder).secrets.Load(); !slices.Equal(first, again) {
		t.Fatal("a restart drew other secrets")
	}
	b, err := json.Marshal(ownSecrets{Made: time.Now().Add(-secretLife), Secrets: first})
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(folder, secretFile)
	if err := os.WriteFile(path, b, 0o600); err != nil {
		t.Fatal(err)
	}
	if later := *reopen(t, folder).secrets.Load(); len(later) != 2 || later[0] == first[0] || later[1] != first[0] {
		t.Errorf("after their time: %d secrets, the old one where it should not be", len(later))
	}
	if err := os.WriteFile(path, []byte("{"), 0o600); err != nil {
		t.Fatal(err)
	}
	if s := *reopen(t, folder).secrets.Load(); len(s) != 1 {
		t.Errorf("from a broken file: %d secrets", len(s))
	}
}
