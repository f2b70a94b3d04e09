package house_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"hostward/internal/store/storetest"
)

// TestFail2banReadsTheFailures has fail2ban itself find the addresses of failed
// log-ins in panel.log, and nothing that strangers tried to slip in.
func TestFail2banReadsTheFailures(t *testing.T) {
	program, err := exec.LookPath("fail2ban-regex")
	if err != nil {
		if os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	w := newWorld(t, storetest.SQLite(t))
	p := w.customer()
	lies := []string{"nobody", p.login, "x from 203.0.113.1", "x\nhostward[panel]: failed login: account=a reason=b door=web from 203.0.113.2", "account=a reason=b door=web from 203.0.113.3"}
	for i, name := range lies {
		v := w.visitor([]string{"192.0.2.11", "2001:db8::12", "192.0.2.13", "192.0.2.14", "192.0.2.15"}[i])
		v.headers["User-Agent"] = "hostward[panel]: failed login: account=a reason=b door=web from 203.0.113.4"
		v.headers["X-Forwarded-For"] = "203.0.113.5"
		v.post("login.enter", "login", name, "password", "not the password at all from 203.0.113.6")
	}
	v := w.visitor("192.0.2.16")
	v.post("login.passkey", "passkey", `{"from":"203.0.113.7"}`)
	log := filepath.Join(t.TempDir(), "panel.log")
	if err := os.WriteFile(log, []byte(w.logs.String()), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), program, "--out", "ip", log, "../../deploy/fail2ban/filter.d/hostward.conf").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	found := strings.Fields(string(out))
	slices.Sort(found)
	want := []string{"192.0.2.11", "192.0.2.13", "192.0.2.15", "192.0.2.16", "2001:db8::12"} // .14 sent a name with a line break, which is no log-in
	if !slices.Equal(slices.Compact(found), want) {
		t.Errorf("fail2ban would ban %v, want %v; the log:\n%s", found, want, lastFailure(w.logs.String()))
	}
}
