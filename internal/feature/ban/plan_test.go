package ban_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"hostward/internal/control"
	"hostward/internal/feature/ban"
	"hostward/internal/host"
)

// place is a machine as far as the control of bans looks at it: paths that are there,
// and a Fail2Ban that does not run.
type place struct {
	host.Eyes
	paths []string
}

func (place) ReadFile(string) ([]byte, bool, error) { return nil, false, nil }

func (p place) Glob(pattern string) ([]string, error) {
	if slices.Contains(p.paths, pattern) {
		return []string{pattern}, nil
	}
	return nil, nil
}

func (place) Output(context.Context, ...string) ([]byte, error) {
	return nil, &host.Exit{Args: []string{"fail2ban-client"}, Code: 255}
}

func (p place) look(t *testing.T, engine string) control.Finding {
	t.Helper()
	d := ban.Initial()
	d.Engine = engine
	text, err := json.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	f, err := ban.New(ban.Ports{}).Control().Look(t.Context(), p, text)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// section is what a plan writes for one jail.
func section(t *testing.T, f control.Finding, path, name string) string {
	t.Helper()
	for _, s := range f.Steps {
		if w, ok := s.(host.WriteFile); ok && w.Path == path {
			_, rest, _ := strings.Cut(w.Content, "\n["+name+"]\n")
			text, _, _ := strings.Cut(rest, "\n\n")
			return text
		}
	}
	t.Fatalf("%s is not written: %v", path, f.Steps)
	return ""
}

// TestWhereThereIsOnlyTheJournal looks at Debian 12 as it comes: no rsyslog, so no
// auth.log.
func TestWhereThereIsOnlyTheJournal(t *testing.T) {
	const binding = "/usr/lib/python3/dist-packages/systemd/journal.py"
	bare := place{paths: []string{"/usr/bin/fail2ban-client", "/usr/sbin/sshd", "/run/systemd/journal/socket", "/var/lib/hostward/log/panel.log", "/usr/sbin/postfix"}}
	f := bare.look(t, ban.Fail2Ban)
	if s := section(t, f, ban.JailsPath, "sshd"); s != "enabled = false" {
		t.Errorf("a jail that would keep Fail2Ban from starting is\n%s", s)
	}
	want := "jail ssh is on and reads nothing: its log is not there, and Fail2Ban reads the journal only with the package python3-systemd, which is not installed"
	if !slices.Contains(f.Alarms, want) {
		t.Errorf("the alarms are %q", f.Alarms)
	}

	bound := place{paths: append(slices.Clone(bare.paths), binding)}
	f = bound.look(t, ban.Fail2Ban)
	if s := section(t, f, ban.JailsPath, "sshd"); !strings.HasPrefix(s, "enabled = true\nfilter = sshd\nbackend = systemd\njournalmatch = _SYSTEMD_UNIT=ssh.service + _COMM=sshd\nmaxretry = 5\n") || len(f.Alarms) > 0 {
		t.Errorf("with the binding the jail is\n%s\nand the alarms are %q", s, f.Alarms)
	}
	if s := section(t, f, ban.JailsPath, "postfix"); !strings.Contains(s, "journalmatch = _SYSTEMD_UNIT=postfix@-.service") {
		t.Errorf("the jail of a program that is there is\n%s", s)
	}
	if s := section(t, f, ban.JailsPath, "dovecot"); s != "enabled = false" {
		t.Errorf("the jail of a program that is not there is\n%s", s)
	}

	// Ours reads the journal by itself.
	f = bare.look(t, ban.Watch)
	if s := section(t, f, ban.WatchPath, "ssh"); !strings.HasPrefix(s, "enabled = true\nfilter = sshd\nbackend = systemd\njournalmatch = ") || len(f.Alarms) > 0 {
		t.Errorf("for our own engine the jail is\n%s\nand the alarms are %q", s, f.Alarms)
	}
	if s := section(t, f, ban.WatchPath, "recidive"); !strings.HasPrefix(s, "enabled = true\nfilter = recidive\nmaxretry = 5\n") {
		t.Errorf("for our own engine recidive is\n%s", s)
	}
	for _, s := range f.Steps {
		if strings.Contains(s.String(), "fail2ban") {
			t.Errorf("our own engine is chosen, and a step is %s", s)
		}
	}
}
