// Package transfertest runs the nameservers of others, as secondaries and as
// primaries of ours: Knot, NSD, BIND and PowerDNS as Debian has them.
package transfertest

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// Program finds a program that a test needs. Without it the test is skipped,
// except where everything is to run.
func Program(t testing.TB, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/usr/local/sbin") {
		if info, err := os.Stat(filepath.Join(dir, name)); err == nil && !info.IsDir() {
			return filepath.Join(dir, name)
		}
	}
	if os.Getenv("CI") == "true" || os.Getenv("HOSTWARD_TEST_FULL") == "1" {
		t.Fatalf("%s is not installed; TEST_PACKAGES in the Makefile names what is needed", name)
	}
	t.Skipf("%s is not installed", name)
	return ""
}

func put(t testing.TB, path, format string, args ...any) {
	t.Helper()
	if err := os.WriteFile(path, fmt.Appendf(nil, format, args...), 0o600); err != nil {
		t.Fatal(err)
	}
}

// Run runs a command to its end and returns what it printed.
func Run(t testing.TB, cmd *exec.Cmd) string {
	t.Helper()
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %v\n%s", cmd.Args, err, out)
	}
	return string(out)
}

// Running is a program that runs until the test ends.
type Running struct {
	*exec.Cmd
	once sync.Once
	mu   sync.Mutex
	said bytes.Buffer
}

// Write takes in what the program prints.
func (r *Running) Write(b []byte) (int, error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.Write(b)
}

// Said is what the program has printed.
func (r *Running) Said() string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.said.String()
}

// Stop ends the program; twice is as good as once.
func (r *Running) Stop() {
	r.once.Do(func() {
		_ = r.Process.Signal(os.Interrupt)
		_ = r.Wait() // ended by the signal
	})
}

// Begin starts a program.
func Begin(t testing.TB, cmd *exec.Cmd) *Running {
	t.Helper()
	r := &Running{Cmd: cmd}
	cmd.Stdout, cmd.Stderr = r, r
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.Stop()
		if said := r.Said(); t.Failed() {
			t.Logf("%s:\n%s", strings.Join(cmd.Args, " "), said[max(0, len(said)-6000):])
		}
	})
	return r
}

// Until waits for a condition of another program.
func Until(t testing.TB, what func() string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(time.Minute); !holds(); {
		if time.Now().After(end) {
			t.Fatalf("waited in vain: %s", what())
		}
		time.Sleep(20 * time.Millisecond) // between two looks at another program
	}
}
