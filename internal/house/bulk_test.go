//go:build linux

package house_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// TestAFolderOfZoneFilesIsImported takes the folder of another nameserver over on the
// command line: it is looked at first, and one bad file stops no other.
func TestAFolderOfZoneFilesIsImported(t *testing.T) {
	m := newMachine(t)
	m.serve()
	dir := filepath.Join(t.TempDir(), "zones")
	must(t, os.Mkdir(dir, 0o755))
	for name, text := range map[string]string{
		"db.one.example": "$TTL 300\n@ SOA ns1 h 1 14400 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\nwww A 192.0.2.80\n",
		"two.zone":       "$ORIGIN two.example.\n$TTL 300\n@ SOA ns1 h 1 14400 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.1\n",
		"three.example":  "$TTL 300\n@ SOA ns1 h 1 14400 3600 1209600 300\n@ NS ns1\nns1 A 192.0.2.300\n",
		"two.zone.jnl":   "a journal",
	} {
		must(t, os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	seen := m.does("zone", "bulk", "import", dir, "--dry-run")
	for _, want := range []string{"one.example", "two.example", "line 4", "left out"} {
		if !strings.Contains(seen, want) {
			t.Errorf("the look does not say %q:\n%s", want, seen)
		}
	}
	if list := m.does("zone", "list"); strings.Contains(list, "one.example") {
		t.Errorf("looking imported:\n%s", list)
	}
	m.does("zone", "bulk", "import", dir, "--yes")
	m.until("the good files are zones, and the bad one is named", func() bool {
		list, jobs := m.does("zone", "list"), m.does("job", "list")
		return strings.Contains(list, "one.example") && strings.Contains(list, "two.example") && !strings.Contains(list, "three.example") && strings.Contains(jobs, "three.example")
	})
	m.until("they are served", func() bool { return strings.Contains(m.dig("www.one.example", "A"), "192.0.2.80") })
}
