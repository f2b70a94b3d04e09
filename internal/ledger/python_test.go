package ledger_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// The verifier in testdata was written from docs/log-format.md; if it agrees,
// the page says enough.
func TestAVerifierWrittenFromTheDocumentAgrees(t *testing.T) {
	python, err := exec.LookPath("python3")
	if err != nil {
		t.Skip("python3 is not installed: docs/log-format.md was not tried from outside")
	}
	w := sealedWorld(t)
	folder := filepath.Join(w.tiles(), "epoch-1")
	run := func() string {
		out, _ := exec.Command(python, "testdata/verify.py", folder, w.keys.VerifierKey(1)).CombinedOutput()
		return strings.TrimSpace(string(out))
	}
	if got := run(); got != "641 records, 34 chains, 2 heads records: as they were sealed" {
		t.Fatal(got)
	}
	for path, says := range map[string]string{
		"tile/entries/001": "is not what the records lead to", "tile/0/001": "is not what the records lead to",
		"tile/1/000.p/2": "is not what the records lead to", "checkpoint": "",
	} {
		data, err := os.ReadFile(filepath.Join(folder, path))
		w.must(err)
		bad := []byte(string(data))
		bad[len(bad)/2] ^= 1
		w.must(os.WriteFile(filepath.Join(folder, path), bad, 0o644))
		if got := run(); !strings.Contains(got, says) || strings.Contains(got, "as they were sealed") {
			t.Errorf("with %s changed it says %q", path, got)
		}
		w.must(os.WriteFile(filepath.Join(folder, path), data, 0o644))
	}
}
