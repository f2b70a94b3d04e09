package fail2ban_test

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/adapter/fail2ban"
	"hostward/internal/adapter/fail2ban/fail2bantest"
	"hostward/internal/host"
)

// jails are one that reads a log, and the one for bans by hand. Both keep out with sets
// that take networks.
const jails = `[DEFAULT]
backend = polling
banaction = all
[sshd]
enabled = false
[one]
enabled = true
filter = one
logpath = /var/log/one.log
maxretry = 3
findtime = 5m
bantime = 2h
action = all[name=one]
[manual]
enabled = true
filter = one
logpath = /dev/null
bantime = -1
action = all[name=manual]
`

const filter = "[Definition]\nfailregex = ^no entry for <HOST>$\ndatepattern = {NONE}\n"

const action = "[INCLUDES]\nbefore = nftables.conf\n[Definition]\ntype = custom\n" +
	"_nft_add_set = <nftables> add set <table_family> <table> <addr_set> \\{ type <addr_type>\\; flags interval\\; \\}\n" +
	"               <nftables> add rule <table_family> <table> <chain> %(rule_stat)s\n"

// world is a server, and the adapter beside it.
type world struct {
	*fail2bantest.Machine
	t   *testing.T
	dir string
	now time.Duration // the adapter's clock is so far ahead
	*fail2ban.Server
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{Machine: fail2bantest.New(t), t: t, dir: t.TempDir()}
	w.Put("/etc/fail2ban/jail.d/test.local", jails)
	w.Put("/etc/fail2ban/filter.d/one.conf", filter)
	w.Put("/etc/fail2ban/action.d/all.conf", action)
	w.Put("/var/log/one.log", "")
	w.open()
	return w
}

func (w *world) open() {
	w.t.Helper()
	s, err := fail2ban.Open(fail2ban.Config{Socket: fail2bantest.Socket, Dir: w.dir, Clock: func() time.Time { return time.Now().Add(w.now) }})
	if err != nil {
		w.t.Fatal(err)
	}
	w.Server = s
}

// bans are the bans of now, as "jail prefix".
func (w *world) bans() (out []string) {
	w.t.Helper()
	list, err := w.Bans(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	for _, b := range list {
		out = append(out, b.Jail+" "+b.Prefix.String())
	}
	slices.Sort(out)
	return out
}

// tell returns all events as "what jail prefix by", and checks their numbers.
func (w *world) tell() (out []string) {
	w.t.Helper()
	list, err := w.Events(w.t.Context(), 0, 1000)
	if err != nil {
		w.t.Fatal(err)
	}
	for i, e := range list {
		if e.Seq != uint64(i+1) {
			w.t.Fatalf("event %d has number %d", i+1, e.Seq)
		}
		out = append(out, fmt.Sprintf("%s %s %s %s", e.What, e.Jail, e.Prefix, e.By))
	}
	return out
}

func (w *world) want(what string, got []string, want ...string) {
	w.t.Helper()
	if !slices.Equal(got, want) {
		w.t.Errorf("%s: got\n  %s\nwant\n  %s", what, strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

func (w *world) must(err error) {
	w.t.Helper()
	if err != nil {
		w.t.Fatal(err)
	}
}

func pfx(text string) netip.Prefix { return netip.MustParsePrefix(text) }

// TestAServerAsAGuard leads a real server through a day of its life.
func TestAServerAsAGuard(t *testing.T) {
	if !fail2bantest.Alone(t) {
		return
	}
	w := newWorld(t)
	if _, err := w.Bans(t.Context()); !isDown(err) {
		t.Fatalf("before the server runs: %v", err)
	}
	running := w.Start()
	list, err := w.Jails(t.Context())
	w.must(err)
	if len(list) != 2 || list[1].Name != "one" && list[0].Name != "one" {
		t.Fatalf("the jails: %+v", list)
	}
	one := list[slices.IndexFunc(list, func(j host.Jail) bool { return j.Name == "one" })]
	if !slices.Equal(one.Sources, []string{"/var/log/one.log"}) || one.MaxRetry != 3 || one.FindTime != 5*time.Minute || one.BanTime != 2*time.Hour || one.Fault != "" {
		t.Errorf("the jail: %+v", one)
	}

	w.Append("/var/log/one.log", strings.Repeat("no entry for 192.0.2.7\n", 3)+strings.Repeat("no entry for 2001:db8::9\n", 3))
	w.Until("the lines lead to bans", func() bool { return len(w.tell()) == 2 })
	w.want("banned by lines", w.bans(), "one 192.0.2.7/32", "one 2001:db8::9/128")
	bans, err := w.Bans(t.Context())
	w.must(err)
	for _, b := range bans {
		if b.Failures != 3 || len(b.Lines) != 3 || !strings.HasPrefix(b.Lines[0], "no entry for ") || b.Until.Sub(b.Since) != 2*time.Hour || b.Times != 1 {
			t.Errorf("what led to it: %+v", b)
		}
	}

	w.must(w.Ban(t.Context(), pfx("198.51.100.0/25"), time.Hour, "scans us"))
	w.must(w.Ban(t.Context(), pfx("203.0.113.5/32"), 0, "for good"))
	w.must(w.Test(t.Context()))
	w.want("with those by hand", w.bans(), "manual 198.51.100.0/25", "manual 203.0.113.5/32", "one 192.0.2.7/32", "one 2001:db8::9/128")

	running.Stop()
	if _, err := w.Bans(t.Context()); !isDown(err) {
		t.Fatalf("the server is down: %v", err)
	}
	w.open() // the adapter too begins again
	w.Start()
	w.Until("the bans hold again", func() bool { return len(w.bans()) == 4 })
	before := len(w.tell())
	w.must(w.Client("set", "one", "banip", "192.0.2.8"))
	w.must(w.Client("set", "one", "unbanip", "192.0.2.7"))
	w.Until("what others do is seen", func() bool { return len(w.tell()) == before+2 })
	w.now = 61 * time.Minute
	w.must(w.Unban(t.Context(), pfx("2001:db8::/64")))
	w.want("an hour later", w.bans(), "manual 203.0.113.5/32", "one 192.0.2.8/32")
	w.must(w.Working(t.Context(), []netip.Addr{netip.MustParseAddr("192.0.2.8"), netip.MustParseAddr("203.0.113.5")}))
	w.want("with an administrator at work", w.bans(), "manual 203.0.113.5/32")
	told := w.tell()
	slices.Sort(told[:2])
	slices.Sort(told[before : before+2])
	w.want("what happened", told,
		"banned one 192.0.2.7/32 one", "banned one 2001:db8::9/128 one",
		"banned manual 198.51.100.0/25 manual", "banned manual 203.0.113.5/32 manual",
		"banned manual 198.51.100.128/32 manual", "unbanned manual 198.51.100.128/32 somebody",
		"banned one 192.0.2.8/32 one", "unbanned one 192.0.2.7/32 somebody",
		"unbanned manual 198.51.100.0/25 its time", "unbanned one 2001:db8::9/128 somebody",
		"spared one 192.0.2.8/32 an administrator works from there")
}

func isDown(err error) bool {
	_, ok := errors.AsType[*fail2ban.Down](err)
	return ok
}

// TestGarbledAnswersAreErrors has something else at the socket.
func TestGarbledAnswersAreErrors(t *testing.T) {
	for name, answer := range map[string]string{
		"nothing":              "",
		"no end":               "\x80\x04K\x01.",
		"no pickle":            "hello<F2B_END_COMMAND>",
		"a code that acts":     "\x80\x02cos\nsystem\n(U\x04trueR.<F2B_END_COMMAND>",
		"the wrong shape":      "\x80\x04K\x00K\x01\x86.<F2B_END_COMMAND>",
		"a huge length":        "\x80\x04\x8d\xff\xff\xff\xff\xff\xff\xff\x7f.<F2B_END_COMMAND>",
		"a list in itself":     "\x80\x04K\x00]\x94h\x00a\x86.<F2B_END_COMMAND>",
		"an exception instead": "\x80\x04K\x01\x8c\x08builtins\x8c\x08KeyError\x93\x8c\x01x\x85R\x86.<F2B_END_COMMAND>",
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			l, err := net.Listen("unix", filepath.Join(dir, "s"))
			if err != nil {
				t.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					_, _ = c.Write([]byte(answer))
					_ = c.Close()
				}
			}()
			s, err := fail2ban.Open(fail2ban.Config{Socket: filepath.Join(dir, "s"), Dir: dir})
			if err != nil {
				t.Fatal(err)
			}
			if jails, err := s.Jails(t.Context()); err == nil {
				t.Errorf("it is taken for jails: %+v", jails)
			}
			if bans, err := s.Bans(t.Context()); err == nil {
				t.Errorf("it is taken for bans: %+v", bans)
			}
		})
	}
}

// TestALineThatWasCutOffGoes begins with the journal of a crash.
func TestALineThatWasCutOffGoes(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "fail2ban.journal")
	whole := `{"event":{"seq":1,"time":"2026-11-27T06:30:00Z","what":"banned","prefix":"192.0.2.7/32","jail":"one","since":"2026-11-27T06:30:00Z","times":1,"failures":3}}` + "\n"
	if err := os.WriteFile(path, []byte(whole+`{"event":{"seq":2,"ti`), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fail2ban.Open(fail2ban.Config{Dir: dir}); err != nil {
		t.Fatal(err)
	}
	if have, err := os.ReadFile(path); err != nil || string(have) != whole {
		t.Errorf("the journal is now %q, %v", have, err)
	}
	if err := os.WriteFile(path, []byte("garbage\n"+whole), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := fail2ban.Open(fail2ban.Config{Dir: dir}); err == nil || !strings.Contains(err.Error(), "line 1") {
		t.Errorf("a journal that is none: %v", err)
	}
}
