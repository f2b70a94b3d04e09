package house_test

import (
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/adapter/fail2ban/fail2bantest"
	"hostward/internal/feature/ban"
	"hostward/internal/host"
	"hostward/internal/house"
	"hostward/internal/rr/transfer/transfertest"
	"hostward/internal/watch"
)

// TestBansByOurOwnEngine has the three processes of the binary at work: the panel
// orders, the agent writes what the ban engine reads and keeps its bans in the kernel,
// and the ban engine follows the logs.
func TestBansByOurOwnEngine(t *testing.T) {
	if !fail2bantest.Alone(t) {
		return
	}
	hostward := program(t)
	place := fail2bantest.New(t)
	place.Put("/var/log/auth.log", "")
	dir := t.TempDir()
	agent, engine := filepath.Join(dir, "run", "agent.sock"), filepath.Join(dir, "run", "watch.sock")
	begin(t, hostward, "agent", "--folder", filepath.Join(dir, "agent"), "--socket", agent, "--every", "1s")
	begin(t, hostward, "watch", "--folder", filepath.Join(dir, "watch"), "--socket", engine, "--agent", agent)
	k := &kept{hosting: &hosting{T: t, dir: filepath.Join(dir, "data")}, place: place}
	var err error
	k.House, err = house.Open(t.Context(), house.Config{Data: k.dir, Private: true, SigningEvery: -1, Agent: agent,
		Guard: func(name string) host.Guard {
			if name == ban.Watch {
				return watch.Dial(engine)
			}
			return watch.Dial(agent)
		}})
	must(t, err)
	t.Cleanup(func() { _ = k.Close() })
	k.until("the agent answers", func() bool {
		_, r, err := k.do("control.apply", map[string]any{"control": "bans"})
		return err == nil && r.State == act.InForce
	})
	k.until("the jails run", func() bool {
		list := k.must("ban.list", nil).(ban.List)
		return list.Fault == "" && list.Engine == ban.Watch
	})
	if r := k.must("ban.test", nil).(ban.Tested); !r.Works {
		t.Errorf("the self-test: %+v", r)
	}
	// A jail that was just read begins at the end of its log.
	line := func(from string) string {
		return strings.Repeat(time.Now().Format(time.Stamp)+" host sshd["+strconv.Itoa(4000+len(from))+"]: Failed password for invalid user admin from "+from+" port 40022 ssh2\n", 3)
	}
	for _, from := range []string{"192.0.2.77", "2001:db8:1::7", "127.0.0.1"} {
		k.until(from+" is banned", func() bool {
			place.Append("/var/log/auth.log", line(from))
			list := k.must("ban.list", map[string]any{"jail": "ssh"}).(ban.List)
			return list.Found > 0 && (from == "127.0.0.1" || k.must("ban.why", map[string]any{"address": from}).(ban.Why).Out)
		})
	}
	why := k.must("ban.why", map[string]any{"address": "192.0.2.77"}).(ban.Why)
	if len(why.Bans) != 1 || len(why.Bans[0].Lines) == 0 || !strings.Contains(why.Bans[0].Lines[0], "Failed password") {
		t.Errorf("why it is out: %+v", why)
	}
	if k.must("ban.why", map[string]any{"address": "127.0.0.1"}).(ban.Why).Out {
		t.Error("this machine is kept out of itself")
	}
	if !strings.Contains(inKernel(t), "192.0.2.77") {
		t.Errorf("the kernel has %s", inKernel(t))
	}
	t.Cleanup(func() {
		if t.Failed() {
			t.Logf("%+v\n%+v\n%s", k.must("ban.list", nil), k.must("ban.events", nil), inKernel(t))
		}
	})
	for _, from := range []string{"192.0.2.77", "2001:db8:1::7"} {
		if _, r, err := k.do("ban.lift", map[string]any{"address": from}); err != nil || r.State != act.InForce {
			t.Errorf("lifting %s: %q, %v", from, r.State, err)
		}
	}
	k.until("nobody is out", func() bool { return !strings.Contains(inKernel(t), "192.0.2.77") })
	k.must("ban.add", map[string]any{"address": "198.51.100.0/24", "for": "until lifted", "reason": "scans us"})
	if !strings.Contains(inKernel(t), "198.51.100.0") {
		t.Errorf("a network by hand: the kernel has %s", inKernel(t))
	}
	// Who flushes the kernel's rules brings back what the book says.
	transfertest.Run(t, exec.Command(tool(t, "nft"), "flush", "ruleset"))
	k.until("the ban is there again", func() bool { return strings.Contains(inKernel(t), "198.51.100.0") })
	// Facts are noted once a minute at the most.
	for _, want := range []string{"banned 192.0.2.77", "unbanned 192.0.2.77", "banned 198.51.100.0/24"} {
		k.until(want+" is noted", func() bool {
			for _, e := range k.must("ban.events", nil).(ban.Events).Events {
				if e.What+" "+e.Address == want {
					return true
				}
			}
			return false
		})
	}
	if out := fields(k.must("log.verify", nil)); out["sound"] != true {
		t.Errorf("the log is not sound: %v", out)
	}
}

func inKernel(t *testing.T) string {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), tool(t, "nft"), "list", "ruleset").Output()
	must(t, err)
	return string(out)
}
