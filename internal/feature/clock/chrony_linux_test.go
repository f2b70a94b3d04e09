package clock

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hostward/internal/control"
	"hostward/internal/host"
	"hostward/internal/host/hands"
)

// The tests below run real chronyds in a place of their own: network, mounts and
// processes. None of them sets the clock (-x).

// place runs the rest of a test in namespaces; it returns whether this is there.
func place(t *testing.T) bool {
	t.Helper()
	if os.Getenv("HOSTWARD_NAMESPACE") != "" {
		return true
	}
	if os.Getuid() != 0 {
		t.Skip("namespaces need root")
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), "unshare", "-nmpf", "--mount-proc", "--kill-child", "--", "sh", "-c", `ip link set lo up && exec "$0" "$@"`, self, "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), "HOSTWARD_NAMESPACE=1")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return false
}

// machine is a machine with chrony as Debian installs it.
type machine struct {
	*testing.T
	dir     string
	control control.Machine
	servers map[string]*exec.Cmd // by address
}

const foreign = "10.1.0.9" // the source that chrony.conf names, in place of Debian's pool

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{T: t, dir: t.TempDir(), control: New(Ports{Notices: nobody{}}).Control(), servers: map[string]*exec.Cmd{}}
	m.run("cp", "-a", "/etc/chrony", m.dir+"/chrony")
	m.edit(m.dir+"/chrony/chrony.conf", "pool 2.debian.pool.ntp.org iburst", "server "+foreign+" iburst minpoll 1 maxpoll 2")
	m.run("mount", "--bind", m.dir+"/chrony", "/etc/chrony")
	m.write(m.dir+"/default", "DAEMON_OPTS=\"-x -F 0\"\n")
	m.run("mount", "--bind", m.dir+"/default", "/etc/default/chrony")
	m.write(m.dir+"/hosts", "127.0.0.1 localhost\n10.1.0.1 one.test\n10.1.0.2 two.test\n10.1.0.3 three.test\n10.1.0.4 nts.test\n")
	m.run("mount", "--bind", m.dir+"/hosts", "/etc/hosts")
	for _, dir := range []string{"/run", "/var/lib/chrony", "/var/log"} {
		m.run("mount", "-t", "tmpfs", "none", dir)
	}
	t.Cleanup(func() { m.try("service", "chrony", "stop") })
	return m
}

type nobody struct{ Notices }

func (nobody) Tells() []string { return nil }

func (m *machine) try(args ...string) (string, error) {
	out, err := exec.Command(args[0], args[1:]...).CombinedOutput()
	return string(out), err
}

func (m *machine) run(args ...string) string {
	m.Helper()
	out, err := m.try(args...)
	if err != nil {
		m.Fatalf("%s: %v\n%s", strings.Join(args, " "), err, out)
	}
	return out
}

func (m *machine) write(path, text string) {
	m.Helper()
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		m.Fatal(err)
	}
}

func (m *machine) edit(path, old, new string) {
	m.Helper()
	data, err := os.ReadFile(path)
	if err != nil || !bytes.Contains(data, []byte(old)) {
		m.Fatalf("%s does not hold %q (%v)", path, old, err)
	}
	m.write(path, strings.Replace(string(data), old, new, 1))
}

// serve runs a server of time at an address.
func (m *machine) serve(address string, more ...string) {
	m.Helper()
	_, _ = m.try("ip", "address", "add", address+"/32", "dev", "lo") // it may be there
	dir := filepath.Join(m.dir, address)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		m.Fatal(err)
	}
	m.write(dir+"/conf", fmt.Sprintf("local stratum 8\nallow all\nbindaddress %s\ncmdport 0\nbindcmdaddress /\npidfile %s/pid\n%s\n", address, dir, strings.Join(more, "\n")))
	cmd := exec.Command("chronyd", "-x", "-d", "-u", "root", "-f", dir+"/conf")
	var said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &said, &said
	if err := cmd.Start(); err != nil {
		m.Fatal(err)
	}
	m.servers[address] = cmd
	m.Cleanup(func() {
		m.kill(address)
		if m.Failed() {
			m.Logf("%s said:\n%s", address, said.String())
		}
	})
}

func (m *machine) kill(address string) {
	if cmd := m.servers[address]; cmd != nil {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
		delete(m.servers, address)
	}
}

func at(names ...string) Desired {
	d := defaults()
	d.Sources, d.MinSources = nil, 1
	for _, name := range names {
		d.Sources = append(d.Sources, Source{Name: name, Kind: "server", IBurst: true, MinPoll: 1, MaxPoll: 2})
	}
	return d
}

// look looks, and returns what is to be done too.
func (m *machine) look(want *Desired) (Observed, control.Finding, error) {
	m.Helper()
	var desired []byte
	if want != nil {
		desired = must(m.T, want)
	}
	f, err := m.control.Look(m.Context(), hands.Machine{}, desired)
	var o Observed
	if err == nil {
		o = *Read(host.Status{Observed: f.Observed})
	}
	return o, f, err
}

// apply does what the agent does: plan, do, look again; it returns the steps.
func (m *machine) apply(want *Desired) string {
	m.Helper()
	_, f, err := m.look(want)
	if err != nil {
		m.Fatal(err)
	}
	var lines []string
	for _, s := range f.Steps {
		lines = append(lines, strings.Split(s.String(), ":")[0])
		if err := (hands.Machine{}).Do(m.Context(), s); err != nil {
			m.Fatal(err)
		}
	}
	if _, again, err := m.look(want); err != nil || len(again.Steps) > 0 {
		m.Fatalf("after all steps this is still to do: %v %v", again.Lines(), err)
	}
	return strings.Join(lines, "; ")
}

// until looks until something holds.
func (m *machine) until(what string, want *Desired, ok func(Observed) bool) Observed {
	m.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		o, _, err := m.look(want)
		if err == nil && ok(o) {
			return o
		}
		if time.Now().After(deadline) {
			m.Fatalf("in vain: %s: %v\n%s", what, err, must(m.T, o))
		}
	}
}

// older lets chronyd have run for so long.
func (m *machine) older(by time.Duration) {
	m.Helper()
	for _, p := range []string{SettingsPath, SourcesPath, pidPath} {
		info, err := os.Stat(p)
		if err == nil {
			err = os.Chtimes(p, time.Time{}, info.ModTime().Add(-by))
		}
		if err != nil {
			m.Fatal(err)
		}
	}
}

func codes(o Observed) string {
	var list []string
	for _, a := range o.Alarms {
		list = append(list, strings.TrimSpace(a.Key()))
	}
	return strings.Join(list, "; ")
}

const (
	wrote     = "write " + SourcesPath
	set       = "write " + SettingsPath
	reloaded  = "run /usr/bin/chronyc reload sources"
	restarted = "run /usr/sbin/service chrony restart"
)

func TestChronydFollowsWhatIsApplied(t *testing.T) {
	if !place(t) {
		return
	}
	m := newMachine(t)
	for _, a := range []string{"10.1.0.1", "10.1.0.2", foreign} {
		m.serve(a)
	}
	m.run("service", "chrony", "start")
	d := at("one.test")
	before, f, err := m.look(nil)
	if err != nil || len(f.Steps) > 0 || len(f.Alarms) > 0 || before.Running != true || len(before.Sources) != 1 {
		t.Fatalf("before: %v %v %v %+v", err, f.Lines(), f.Alarms, before)
	}
	if got := m.apply(&d); got != set+"; "+wrote+"; "+restarted {
		t.Errorf("the first time it did %s", got)
	}
	if got := m.apply(&d); got != "" {
		t.Errorf("once more it did %s", got)
	}
	d = at("one.test", "10.1.0.2")
	if got := m.apply(&d); got != wrote+"; "+reloaded {
		t.Errorf("for one more source it did %s", got)
	}
	o := m.until("it follows the sources", &d, func(o Observed) bool { return o.Tracking.Synchronised() && o.Usable() == 3 })
	for _, p := range o.Sources {
		if p.Ours() == (p.Name == foreign) || p.Address == "" || p.Proved() {
			t.Errorf("a source is %+v", p)
		}
	}
	if p := o.Sources[0]; p.Name != foreign || p.From != "/etc/chrony/chrony.conf:8" {
		t.Errorf("the source of chrony.conf is %+v", p)
	}
	if o.Tracking.Offset > 0.01 || o.Tracking.Offset < -0.01 || o.Tracking.Stratum != 9 {
		t.Errorf("it tracks %+v", o.Tracking)
	}
	d.Auth, d.StepAbove = "require", 250
	if got := m.apply(&d); got != set+"; "+restarted {
		t.Errorf("for other settings it did %s", got)
	}
	d = at("10.1.0.2")
	m.apply(&d)
	if o, _, _ := m.look(&d); len(o.Sources) != 2 {
		t.Errorf("a source that was taken out is still there: %+v", o.Sources)
	}
	if got := m.apply(nil); got != "remove "+SettingsPath+"; remove "+SourcesPath+"; "+restarted {
		t.Errorf("to let go it did %s", got)
	}
	if o, _, _ := m.look(nil); len(o.Sources) != 1 || len(o.Files) != 0 {
		t.Errorf("let go, it is %+v", o)
	}
}

func must(t *testing.T, v any) []byte {
	t.Helper()
	b, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return b
}
