package watch

import (
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/jail"
)

func byName(jails []Jail) map[string]Jail {
	out := map[string]Jail{}
	for _, j := range jails {
		out[j.Name] = j
	}
	return out
}

// Without a word of anybody, and without Fail2Ban, ssh and panel are guarded.
func TestAServerIsGuardedFromTheFirst(t *testing.T) {
	jails, changed, err := NewReader(filepath.Join(t.TempDir(), "none"), "").Jails()
	if err != nil || !changed || len(jails) != 3 {
		t.Fatalf("%d jails, %v, %v", len(jails), changed, err)
	}
	all := byName(jails)
	for _, j := range jails {
		if j.Fault != "" {
			t.Errorf("%s: %s", j.Name, j.Fault)
		}
	}
	if !all["recidive"].Recidive || all["recidive"].BanTime != 7*24*time.Hour || len(all["ssh"].Journal) != 1 || all["panel"].MaxRetry != 10 || !all["ssh"].Increment.On {
		t.Errorf("%+v", all)
	}
	now := time.Date(2026, 11, 27, 6, 30, 5, 0, time.Local)
	for _, c := range []struct{ jail, line, addr string }{
		{"panel", "2026-11-27T06:30:00Z hostward[panel]: failed login: account=unknown reason=name door=web from 192.0.2.7", "192.0.2.7"},
		{"panel", "2026-11-27T06:30:00Z hostward[panel]: failed login: account=a reason=throttled door=rest from 2001:db8::7", "2001:db8::7"},
		{"panel", "2026-11-27T06:30:00Z other[panel]: failed login: account=a reason=b door=web from 192.0.2.7", ""},
		{"ssh", "Nov 27 06:30:00 web01 sshd[77]: Failed password for root from 192.0.2.7 port 5 ssh2", "192.0.2.7"},
		{"ssh", "Nov 27 06:30:00 web01 sshd[77]: Failed password for invalid user a from 203.0.113.1 port 5 ssh2 from 192.0.2.7 port 6 ssh2", "192.0.2.7"},
		{"ssh", "2026-11-27T06:30:00.123456+00:00 web01 sshd-session[77]: Invalid user from 203.0.113.9 port 1 from 2001:db8::7 port 22", "2001:db8::7"},
		{"ssh", "Nov 27 06:30:00 web01 sshd[77]: Connection closed by authenticating user root 192.0.2.7 port 5 [preauth]", "192.0.2.7"},
		{"ssh", "Nov 27 06:30:00 web01 sshd[77]: Unable to negotiate with 192.0.2.7 port 5: no matching host key type found. Their offer: ssh-rsa [preauth]", "192.0.2.7"},
		{"ssh", "Nov 27 06:30:00 web01 sshd[77]: Accepted password for root from 192.0.2.7 port 5 ssh2", ""},
		{"ssh", "Nov 27 06:30:00 web01 su[77]: Failed password for root from 192.0.2.7 port 5 ssh2", ""},
	} {
		f := all[c.jail].New()
		f.SetMode(jail.Offline)
		got, ok := f.Match([]byte(c.line), now)
		if want, _ := netip.ParseAddr(c.addr); ok != (c.addr != "") || ok && got.Addr.Addr() != want {
			t.Errorf("%s: %q is of %v, %v", c.jail, c.line, got.Addr, ok)
		}
	}
}

func TestFoldersOverEachOther(t *testing.T) {
	own, debian := t.TempDir(), t.TempDir()
	put := func(dir, name, text string) {
		t.Helper()
		path := filepath.Join(dir, name)
		if os.MkdirAll(filepath.Dir(path), 0o700) != nil || os.WriteFile(path, []byte(text), 0o600) != nil {
			t.Fatal(path)
		}
	}
	put(debian, "filter.d/sshd.conf", "[Definition]\nfailregex = ^\\s*debian <ADDR>$\n")
	put(debian, "filter.d/other.conf", "[Definition]\nfailregex = ^other <ADDR>$\n")
	put(debian, "jail.conf", "[theirs]\nenabled = true\nfilter = other\nlogpath = /x\n") // not ours to run
	put(own, "filter.d/other.conf", "[Definition]\nfailregex = ^\\s*mine <ADDR>$\n")
	put(own, "jail.d/hostward.conf", "[ssh]\nenabled = true\nfilter = sshd\nlogpath = /a tail\n /b*\n[other]\nenabled = true\nlogpath = /c\nignorecommand = /bin/true\n"+
		"[off]\nenabled = false\n[journal]\nenabled = true\nfilter = other\nbackend = systemd\njournalmatch = --file=/etc/shadow\n[formula]\nenabled = true\nfilter = other\nlogpath = /d\nbantime.formula = ban.Time + open\n")
	r := NewReader(own, debian)
	jails, _, err := r.Jails()
	all := byName(jails)
	if err != nil || len(all) != 4 {
		t.Fatalf("%d jails: %v", len(all), err)
	}
	at := time.Now().Format(time.Stamp) + " "
	for name, line := range map[string]string{"ssh": "debian 192.0.2.7", "other": "mine 192.0.2.7"} {
		if _, ok := all[name].New().Match([]byte(at+line), time.Now()); !ok {
			t.Errorf("%s does not know %q", name, line)
		}
	}
	if f := all["ssh"].Files; len(f) != 2 || !f[0].Tail || f[1].Glob != "/b*" {
		t.Errorf("ssh reads %+v", f)
	}
	for name, part := range map[string]string{"other": "no command is run", "journal": "journalmatch", "formula": "bantime.formula", "ssh": ""} {
		if !strings.Contains(all[name].Fault, part) || part == "" && all[name].Fault != "" {
			t.Errorf("%s: %q", name, all[name].Fault)
		}
	}
	if len(all["journal"].Journal) != 0 {
		t.Error("an option of journalctl was taken for a match")
	}
	if _, changed, _ := r.Jails(); changed {
		t.Error("nothing changed, and it was read again")
	}
	put(own, "jail.d/hostward.conf", "[ssh]\nenabled = true\nfilter = sshd\nlogpath = /a\nbackend = [\n[ssh\n")
	jails, changed, err := r.Jails()
	if !changed || err == nil || len(jails) != 3 { // one read nothing before
		t.Errorf("a broken file: %d jails, %v, %v", len(jails), changed, err)
	}
	if _, _, err := r.Jails(); err == nil {
		t.Error("the fault is told once only")
	}
	put(own, "jail.d/hostward.conf", "")
	if jails, changed, err := r.Jails(); !changed || err != nil || len(jails) != 0 {
		t.Errorf("an empty file: %v, %v, %v", jails, changed, err)
	}
}

func TestTrustedWords(t *testing.T) {
	x := parseTrusted([]string{"127.0.0.0/8", "::1", "192.0.2.7", "10.0.0.0/255.0.0.0", "2001:db8::/32", "office.example", "not/one", "1.2.3.0/255.0.255.0"})
	if len(x.networks) != 5 || !slices.Equal(x.names, []string{"office.example"}) || !slices.Equal(x.unknown, []string{"not/one", "1.2.3.0/255.0.255.0"}) {
		t.Errorf("%+v", x)
	}
	known := map[string][]netip.Addr{"office.example": {netip.MustParseAddr("198.51.100.7")}}
	if why := x.within(netip.MustParsePrefix("198.51.100.7/32"), known); !strings.Contains(why, "office.example") {
		t.Error(why)
	}
	if why := x.within(netip.MustParsePrefix("198.51.100.8/32"), known); why != "" {
		t.Error(why)
	}
}
