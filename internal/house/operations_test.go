//go:build linux

package house_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/feature/login"
	"hostward/internal/house"
	"hostward/internal/store/storetest"
)

const operationsHead = `# Operations

Made from the program by a test; HOSTWARD_UPDATE=1 makes it anew. Who may call an operation is one thing, on what another: see
[doors.md](doors.md#who-may-do-what). *Proof* is how old a second factor may be, *asks* that it wants to be confirmed, *points* the annex of
Implementing Regulation (EU) 2024/2690 that it serves. What only the server itself calls is left out.

| operation | what it does | who | proof | asks | points |
|---|---|---|---|---|---|
`

// TestTheTableOfOperationsIsCurrent holds docs/operations.md against the registry.
func TestTheTableOfOperationsIsCurrent(t *testing.T) {
	r, err := house.Registry()
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString(operationsHead)
	for _, op := range r.Ops() {
		if op.Roles&^act.System == 0 {
			continue
		}
		proof, asks := "", ""
		if op.Proof != 0 {
			proof = fmt.Sprintf("%d min", int(op.Proof.Minutes()))
		}
		if op.Confirm {
			asks = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s | %s |\n", op.Name, strings.TrimSuffix(op.Doc, "."), op.Roles&^act.System, proof, asks, strings.ReplaceAll(strings.Join(op.Serves, ", "), "2690:", ""))
	}
	path := filepath.Join(top, "docs", "operations.md")
	if os.Getenv("HOSTWARD_UPDATE") == "1" {
		if err := os.WriteFile(path, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := read(t, "docs/operations.md"); got != b.String() {
		t.Error("docs/operations.md is not what the program says; make it anew with HOSTWARD_UPDATE=1")
	}
}

// TestTheNumbersOfTheDoorsAreCurrent holds figures of docs/doors.md against what is in force in
// a new house.
func TestTheNumbersOfTheDoorsAreCurrent(t *testing.T) {
	w := newWorld(t, storetest.SQLite(t))
	l := w.must(console, "limits.show", nil).Output.(login.Limits)
	page := read(t, "docs/doors.md")
	for _, want := range []string{
		fmt.Sprintf("| administrators and auditors | %d minutes | %d hours |", l.AdminIdle, l.AdminTotal/60),
		fmt.Sprintf("| resellers and customers | %d hour | %d hours |", l.ResellerIdle/60, l.ResellerTotal/60),
		fmt.Sprintf("| failures of one name, from everywhere | %d,", l.Failures),
	} {
		if !strings.Contains(page, want) {
			t.Errorf("docs/doors.md does not say %q", want)
		}
	}
	v := w.visitor("192.0.2.30")
	free := 0
	for v.post("login.enter", "login", "nobody", "password", "not the password at all").Code == 401 {
		free++
	}
	if want := fmt.Sprintf("| failures of one network with one name | %d |", free); !strings.Contains(page, want) {
		t.Errorf("docs/doors.md does not say %q", want)
	}
}
