//go:build linux

package watch

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"hostward/internal/host/hands"
	"hostward/internal/rr/transfer/transfertest"
)

// remote writes entries into a journal of our own, with the program that takes in
// the journals of other machines (no journald runs here).
type remote struct {
	t    *testing.T
	path string
	n    int
}

// log adds entries of sshd.
func (r *remote) log(addr string, times int) {
	r.t.Helper()
	var b strings.Builder
	for range times {
		r.n++
		now := time.Now().UnixMicro() + int64(r.n)
		fmt.Fprintf(&b, "__REALTIME_TIMESTAMP=%d\n__MONOTONIC_TIMESTAMP=%d\n_BOOT_ID=0123456789abcdef0123456789abcdef\n_HOSTNAME=web01\n_COMM=sshd\nSYSLOG_IDENTIFIER=sshd\n_PID=%d\n"+
			"MESSAGE=Failed password for invalid user admin from %s port %d ssh2\n\n", now, r.n, 100+r.n, addr, 40_000+r.n)
	}
	cmd := exec.CommandContext(r.t.Context(), "/lib/systemd/systemd-journal-remote", "-o", r.path, "-")
	cmd.Stdin = strings.NewReader(b.String())
	transfertest.Run(r.t, cmd)
}

// The journal is followed by the real journalctl: what was there, what comes, and
// what came while nobody looked, each once; and again after journalctl was killed.
func TestAJournalIsFollowed(t *testing.T) {
	if _, err := os.Stat("/lib/systemd/systemd-journal-remote"); err != nil {
		if os.Getenv("HOSTWARD_TEST_FULL") == "1" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	if !transfertest.Alone(t) {
		return
	}
	r := &remote{t: t, path: filepath.Join(t.TempDir(), "other.journal")}
	r.log("198.51.100.7", 2)
	p := &post{t: t, dir: t.TempDir(), kernel: hands.NewBans(), journalctl: []string{transfertest.Program(t, "journalctl"), "--file", r.path}}
	p.put("ban/jail.d/hostward.conf", "[ssh]\nenabled = true\nfilter = hostward-ssh\nmaxretry = 3\nlogpath = "+p.at("none.log")+"\njournalmatch = _COMM=sshd + _COMM=sshd-session\n")
	p.run()
	p.until("what was there is counted", func() bool { jails, _ := p.Jails(t.Context()); return jails[0].Failures == 2 })
	if jails, _ := p.Jails(t.Context()); jails[0].Fault != "" || jails[0].Sources[0] != "journal: _COMM=sshd + _COMM=sshd-session" {
		t.Errorf("the jail is %+v", jails[0])
	}
	r.log("198.51.100.7", 1)
	p.until("what comes is", func() bool { return p.inKernel("198.51.100.7/32") })
	r.log("198.51.100.8", 1)
	p.until("and kept", func() bool { jails, _ := p.Jails(t.Context()); return jails[0].Failures == 4 })
	p.end()
	r.log("198.51.100.8", 1)
	p.run()
	p.until("after a restart, each once", func() bool { jails, _ := p.Jails(t.Context()); return jails[0].Failures == 5 })
	kill(t)
	r.log("198.51.100.8", 1)
	p.until("after the child's death, each once", func() bool { return p.inKernel("198.51.100.8/32") })
	if jails, _ := p.Jails(t.Context()); jails[0].Failures != 6 {
		t.Errorf("%d are counted", jails[0].Failures)
	}
}

// kill kills the journalctl that is a child of ours.
func kill(t *testing.T) {
	t.Helper()
	out := transfertest.Run(t, exec.CommandContext(t.Context(), "ps", "-o", "pid=,comm=", "--ppid", fmt.Sprint(os.Getpid())))
	killed := 0
	for l := range strings.Lines(out) {
		var pid int
		var name string
		if n, _ := fmt.Sscan(l, &pid, &name); n == 2 && name == "journalctl" {
			if err := syscall.Kill(pid, syscall.SIGKILL); err != nil {
				t.Error(err)
			}
			killed++
		}
	}
	if killed != 1 {
		t.Fatalf("%d were killed of\n%s", killed, out)
	}
}

func TestEntriesBecomeLines(t *testing.T) {
	for text, want := range map[string]string{
		`{"MESSAGE":"x y","_HOSTNAME":"h","SYSLOG_IDENTIFIER":"sshd","SYSLOG_PID":"7","_PID":"8"}`: "h sshd[7]: x y",
		`{"MESSAGE":[120,255,10],"_HOSTNAME":"h","_COMM":"sshd","_PID":"8"}`:                       "h sshd[8]: x\xff\n",
		`{"MESSAGE":null,"_HOSTNAME":"h","_COMM":"sshd"}`:                                          "",
		`{"MESSAGE":"x"}`: "x",
	} {
		var x entry
		if err := json.Unmarshal([]byte(text), &x); err != nil {
			t.Fatal(err)
		}
		if got := string(x.line()); got != want {
			t.Errorf("%s is %q, want %q", text, got, want)
		}
	}
}
