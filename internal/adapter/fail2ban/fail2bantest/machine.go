// Package fail2bantest runs the real fail2ban-server of Debian where nothing else is:
// in a network of its own, with folders of its own in place of /etc, /run, /var/lib and
// /var/log.
package fail2bantest

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hostward/internal/rr/transfer/transfertest"
)

// Alone runs the same test in a network and with mounts of its own, and says whether
// this is it.
func Alone(t *testing.T) bool {
	t.Helper()
	for _, name := range []string{"fail2ban-server", "nft"} {
		transfertest.Program(t, name)
	}
	return transfertest.Alone(t)
}

// Socket is where the server listens.
const Socket = "/run/fail2ban/fail2ban.sock"

// Machine is a machine with fail2ban on it. Only a test that is Alone may make one.
type Machine struct{ t *testing.T }

// New makes the folders. The server does not run yet.
func New(t *testing.T) *Machine {
	t.Helper()
	m := &Machine{t}
	if os.Getenv("HOSTWARD_NAMESPACE") == "" {
		t.Fatal("a machine is made in a namespace only")
	}
	etc := t.TempDir()
	m.run("mount", "-t", "tmpfs", "none", etc)
	t.Cleanup(func() { m.run("umount", "-l", etc) })
	m.run("cp", "-a", "/etc/.", etc)
	m.run("mount", "--bind", etc, "/etc")
	for _, dir := range []string{"/run", "/var/lib", "/var/log"} {
		m.run("mount", "-t", "tmpfs", "none", dir)
	}
	for _, dir := range []string{"/run/fail2ban", "/var/lib/fail2ban", "/var/lib/hostward/log"} {
		if err := os.MkdirAll(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return m
}

func (m *Machine) run(name string, args ...string) {
	m.t.Helper()
	transfertest.Run(m.t, exec.Command(transfertest.Program(m.t, name), args...))
}

// Put writes a file.
func (m *Machine) Put(path, text string) {
	m.t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		m.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		m.t.Fatal(err)
	}
}

// Append adds lines to a log.
func (m *Machine) Append(path, text string) {
	m.t.Helper()
	f, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY|os.O_CREATE, 0o600)
	if err == nil {
		_, err = f.WriteString(text)
	}
	if err == nil {
		err = f.Close()
	}
	if err != nil {
		m.t.Fatal(err)
	}
}

// Start runs the server until it is stopped, or the test ends, and waits for its socket.
func (m *Machine) Start() *transfertest.Running {
	m.t.Helper()
	r := transfertest.Begin(m.t, exec.Command(transfertest.Program(m.t, "fail2ban-server"), "-f", "start"))
	m.Until("the server answers", func() bool { return m.Client("ping") == nil })
	return r
}

// Client has fail2ban-client say something to the server.
func (m *Machine) Client(words ...string) error {
	out, err := exec.Command(transfertest.Program(m.t, "fail2ban-client"), words...).CombinedOutput()
	if err != nil {
		return fmt.Errorf("fail2ban-client %s: %w: %s", strings.Join(words, " "), err, out)
	}
	return nil
}

// Until waits for a condition, a minute at the most.
func (m *Machine) Until(what string, ok func() bool) {
	m.t.Helper()
	for end := time.Now().Add(time.Minute); !ok(); time.Sleep(50 * time.Millisecond) {
		if time.Now().After(end) {
			log, _ := os.ReadFile("/var/log/fail2ban.log")
			m.t.Fatalf("in vain: %s; the server's log ends:\n%s", what, log[max(0, len(log)-4000):])
		}
	}
}
