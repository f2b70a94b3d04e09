package ban_test

import (
	"encoding/json"
	"errors"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/adapter/fail2ban"
	"hostward/internal/adapter/fail2ban/fail2bantest"
	"hostward/internal/control"
	"hostward/internal/feature/ban"
	"hostward/internal/host"
	"hostward/internal/host/hands"
)

// machine is a real machine with Fail2Ban, and the control of bans.
type machine struct {
	*fail2bantest.Machine
	t    *testing.T
	mine control.Machine
	want ban.Desired
}

func newMachine(t *testing.T) *machine {
	t.Helper()
	m := &machine{Machine: fail2bantest.New(t), t: t, mine: ban.New(ban.Ports{}).Control(), want: ban.Initial()}
	m.want.Engine = ban.Fail2Ban
	m.Put("/var/log/auth.log", "")
	m.Put("/var/lib/hostward/log/panel.log", "")
	t.Cleanup(func() { _ = m.Client("stop") })
	return m
}

func (m *machine) look() control.Finding {
	m.t.Helper()
	text, err := json.Marshal(m.want)
	if err != nil {
		m.t.Fatal(err)
	}
	f, err := m.mine.Look(m.t.Context(), hands.Machine{}, text)
	if err != nil {
		m.t.Fatal(err)
	}
	return f
}

// apply carries the steps out, and wants nothing to be left.
func (m *machine) apply(steps ...string) {
	m.t.Helper()
	f := m.look()
	var are []string
	for _, s := range f.Steps {
		text, _, _ := strings.Cut(s.String(), ":")
		are = append(are, text)
		if err := (hands.Machine{}).Do(m.t.Context(), s); err != nil {
			m.t.Fatalf("%s: %v", s, err)
		}
	}
	if !slices.Equal(are, steps) {
		m.t.Fatalf("the steps are\n  %s\nand should be\n  %s\nfor the difference\n  %s", strings.Join(are, "\n  "), strings.Join(steps, "\n  "), strings.Join(f.Lines(), "\n  "))
	}
	m.inForce()
}

func (m *machine) inForce() {
	m.t.Helper()
	var left control.Finding
	m.Until("it is in force", func() bool { left = m.look(); return len(left.Steps) == 0 || m.t.Context().Err() != nil })
}

func (m *machine) jail(name string) *ban.Jail {
	return &m.want.Jails[slices.IndexFunc(m.want.Jails, func(j ban.Jail) bool { return j.Name == name })]
}

const (
	writeAll = "write /etc/fail2ban/filter.d/hostward-panel.conf,write /etc/fail2ban/action.d/hostward.conf,write /etc/fail2ban/jail.d/hostward.local,write /etc/hostward-watch/jail.d/hostward.conf"
	restart  = "run /usr/sbin/service fail2ban start"
	reload   = "run /usr/bin/fail2ban-client reload"
	jails    = "write /etc/fail2ban/jail.d/hostward.local"
)

// TestFail2BanBecomesWhatIsWished has the control of bans write, start, change and let
// go of a real Fail2Ban, and lines in logs lead to bans.
func TestFail2BanBecomesWhatIsWished(t *testing.T) {
	if !fail2bantest.Alone(t) {
		return
	}
	m := newMachine(t)
	m.apply(append(strings.Split(writeAll, ","), "run /usr/bin/touch /var/log/fail2ban.log", restart)...)
	guard, err := fail2ban.Open(fail2ban.Config{Socket: fail2bantest.Socket, Dir: t.TempDir()})
	if err != nil {
		t.Fatal(err)
	}
	running, err := guard.Jails(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, j := range running {
		names = append(names, j.Name)
		if j.Fault != "" {
			t.Errorf("jail %s: %s", j.Name, j.Fault)
		}
	}
	slices.Sort(names)
	if !slices.Equal(names, []string{"manual", "panel", "recidive", "sshd"}) {
		t.Fatalf("the jails are %v", names)
	}
	now := time.Now().UTC()
	m.Append("/var/log/auth.log", strings.Repeat(now.Local().Format("Jan _2 15:04:05")+" host sshd[77]: Failed password for invalid user root from 192.0.2.7 port 4711 ssh2\n", 5))
	m.Append("/var/lib/hostward/log/panel.log", strings.Repeat(now.Format(time.RFC3339)+" hostward[panel]: failed login: account=unknown reason=name door=web from 2001:db8::7\n", 10))
	var bans []host.Ban
	m.Until("the lines lead to bans", func() bool {
		bans, err = guard.Bans(t.Context())
		return err == nil && len(bans) == 2 && len(bans[0].Lines) > 0 && len(bans[1].Lines) > 0
	})
	for _, b := range bans {
		if want := map[string]string{"sshd": "192.0.2.7/32", "panel": "2001:db8::7/128"}[b.Jail]; b.Prefix.String() != want {
			t.Errorf("%+v, and jail %s should ban %s", b, b.Jail, want)
		}
	}
	if err := guard.Test(t.Context()); err != nil {
		t.Error(err)
	}

	t.Log("limits and trust are changed")
	m.jail("ssh").MaxRetry, m.jail("ssh").BanTime = 3, 7200
	m.want.Trusted = []netip.Prefix{netip.MustParsePrefix("198.51.100.0/24"), netip.MustParsePrefix("2001:db8:5::/48")}
	m.apply(jails, reload)
	if still, err := guard.Bans(t.Context()); err != nil || len(still) != 2 {
		t.Errorf("after a reload the bans are %v, %v", still, err)
	}

	t.Log("somebody edits our file, and somebody changes a jail that runs")
	m.Append("/etc/fail2ban/jail.d/hostward.local", "[sshd]\nmaxretry = 99\n")
	if f := m.look(); !slices.ContainsFunc(f.Lines(), func(l string) bool { return strings.Contains(l, "− [sshd] maxretry = 99") }) {
		t.Errorf("the difference does not say what was edited: %q", f.Lines())
	}
	m.apply(jails, reload)
	if err := m.Client("set", "sshd", "maxretry", "98"); err != nil {
		t.Fatal(err)
	}
	if f := m.look(); !slices.Contains(f.Lines(), "jail ssh, failures: 98, and should be 3") {
		t.Errorf("the difference does not say what was changed: %q", f.Lines())
	}
	m.apply(reload)

	t.Log("the server is stopped; a program comes with its log")
	if err := m.Client("stop"); err != nil {
		t.Fatal(err)
	}
	m.Until("it is down", func() bool { return slices.Contains(m.look().Lines(), "Fail2Ban does not run") })
	m.apply(restart)
	m.jail("ftp").State = ban.On
	m.inForceWithout("jail ftp is on and reads nothing: its log is not there")
	m.Put("/var/log/proftpd/proftpd.log", "")
	m.apply(jails, reload)

	t.Log("our own engine takes its place, and then none")
	m.want.Engine = ban.Watch
	m.apply("write /etc/hostward-watch/jail.d/hostward.conf", "remove /etc/fail2ban/jail.d/hostward.local", "remove /etc/fail2ban/action.d/hostward.conf", "remove /etc/fail2ban/filter.d/hostward-panel.conf", reload)
	text, err := os.ReadFile("/etc/hostward-watch/jail.d/hostward.conf")
	if err != nil || !strings.Contains(string(text), "\n[ssh]\nenabled = true\nfilter = sshd\nlogpath = /var/log/auth.log\nmaxretry = 3\n") {
		t.Errorf("the jails of our own engine: %v\n%s", err, text)
	}
	if f := m.look(); !slices.Contains(f.Alarms, "Fail2Ban runs beside our own engine, with its jails sshd") {
		t.Errorf("two engines run, and the alarms are %q", f.Alarms)
	}
	m.want.Engine = ban.None
	m.apply("write /etc/hostward-watch/jail.d/hostward.conf")
	if text, err := os.ReadFile("/etc/hostward-watch/jail.d/hostward.conf"); err != nil || strings.Contains(string(text), "enabled = true") {
		t.Errorf("no engine is chosen, and ours is told %v\n%s", err, text)
	}
}

func (m *machine) inForceWithout(alarm string) {
	m.t.Helper()
	if f := m.look(); len(f.Steps) > 0 || !slices.Contains(f.Alarms, alarm) {
		m.t.Errorf("steps %v, alarms %q", f.Steps, f.Alarms)
	}
}

// TestFail2BanThatIsNotInstalledIsNamed looks at a machine without it.
func TestFail2BanThatIsNotInstalledIsNamed(t *testing.T) {
	d := ban.Initial()
	d.Engine = ban.Fail2Ban
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	_, err = ban.New(ban.Ports{}).Control().Look(t.Context(), nothing{}, text)
	if err == nil || !strings.Contains(err.Error(), "Fail2Ban is chosen for the engine and is not installed") {
		t.Errorf("said is: %v", err)
	}
	if _, is := errors.AsType[*control.Unacceptable](err); is {
		t.Error("it is held for a fault of the order")
	}
}

// nothing is a machine on which there is nothing.
type nothing struct{ host.Eyes }

func (nothing) ReadFile(string) ([]byte, bool, error) { return nil, false, nil }
func (nothing) Glob(string) ([]string, error)         { return nil, nil }
