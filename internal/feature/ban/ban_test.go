package ban_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/act/acttest"
	"hostward/internal/core"
	"hostward/internal/feature/ban"
	"hostward/internal/host"
	"hostward/internal/store/storetest"
)

// engine is one that remembers what it is told: for what the feature makes of answers.
// What a real one does is in control_linux_test.go, and in the house.
type engine struct {
	bans  []host.Ban
	jails []host.Jail
	fault error
}

func (e *engine) Jails(context.Context) ([]host.Jail, error) { return e.jails, e.fault }
func (e *engine) Bans(context.Context) ([]host.Ban, error)   { return e.bans, e.fault }
func (e *engine) Ban(context.Context, netip.Prefix, time.Duration, string) error {
	return e.fault
}
func (e *engine) Unban(context.Context, netip.Prefix) error { return e.fault }
func (e *engine) Test(context.Context) error                { return e.fault }
func (e *engine) Events(context.Context, uint64, int) ([]host.BanEvent, error) {
	return nil, e.fault
}

type world struct {
	*act.Bus
	t      *testing.T
	url    string
	bans   *ban.Bans
	engine *engine
	now    time.Time
	live   []netip.Addr
}

var (
	admin   = act.Actor{Kind: "account", ID: "a_admin", Name: "ann", Role: act.Primary, Tenant: core.Provider, Door: "web", Address: "192.0.2.1"}
	auditor = act.Actor{Kind: "account", ID: "a_aud", Name: "otto", Role: act.Auditor, Tenant: core.Provider, Door: "web"}
	system  = act.SystemActor("test")
)

func each(t *testing.T, f func(t *testing.T, w *world)) {
	storetest.EachURL(t, func(t *testing.T, url string) { f(t, newWorld(t, url)) })
}

func newWorld(t *testing.T, url string) *world {
	t.Helper()
	w := &world{t: t, url: url, engine: &engine{}, now: time.Date(2026, 11, 27, 6, 30, 0, 0, time.UTC)}
	w.bans = ban.New(ban.Ports{
		Guard:    func(string) host.Guard { return w.engine },
		Sessions: func(context.Context, *act.View) ([]netip.Addr, error) { return w.live, nil },
	})
	w.Bus = acttest.Open(t, url, func() time.Time { w.now = w.now.Add(time.Millisecond); return w.now }, w.bans.Feature())
	return w
}

type fields map[string]any

func (w *world) do(a act.Actor, op string, in fields) (act.Result, error) {
	w.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	a.Proof, a.Strong = w.now, true
	return w.Do(context.Background(), act.Call{Op: op, Actor: a, Input: raw, Confirmed: true})
}

func must[O any](w *world, a act.Actor, op string, in fields) O {
	w.t.Helper()
	r, err := w.do(a, op, in)
	if err != nil {
		w.t.Fatalf("%s: %v", op, err)
	}
	out, _ := r.Output.(O)
	return out
}

// says wants an error with these words in its sentence.
func (w *world) says(code core.Code, words string, a act.Actor, op string, in fields) {
	w.t.Helper()
	_, err := w.do(a, op, in)
	if core.CodeOf(err) != code || !strings.Contains(core.AsError(err).Sentence(), words) {
		w.t.Errorf("%s %v: %v, want %s with %q", op, in, err, code, words)
	}
}

func pfx(text string) netip.Prefix { return netip.MustParsePrefix(text) }

func TestWhoIsNotBannedByMistake(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.live = []netip.Addr{netip.MustParseAddr("2001:db8:5::77")}
		must[ban.TrustList](w, admin, "ban.trust.add", fields{"networks": "203.0.113.0/24", "note": "office"})
		for in, words := range map[string]string{
			"192.0.2.0/24":    "192.0.2.1, the address you come from",
			"2001:db8:5::/48": "somebody with a live session comes from there",
			"203.0.113.9":     "203.0.113.0/24 is a trusted network",
			"203.0.112.0/22":  "203.0.113.0/24 is a trusted network",
		} {
			w.says(core.Conflict, words, admin, "ban.add", fields{"address": in})
		}
		must[ban.Ordered](w, admin, "ban.add", fields{"address": "192.0.2.0/24", "force": true})
		w.says(core.Conflict, "is a trusted network", admin, "ban.add", fields{"address": "203.0.113.9", "force": true})
		for in, words := range map[string]string{
			"127.0.0.1":     `127.0.0.1/32 is not banned: it is the machine itself`,
			"0.0.0.0/0":     `0.0.0.0/0 is too wide to be banned`,
			"::/0":          `::/0 is too wide to be banned`,
			"fe80::1%eth0":  `address "fe80::1%eth0"`,
			"192.0.2.1-3":   "192.0.2.1-192.0.2.3 is more than one",
			"192.0.2.7/24":  "write 192.0.2.0/24 for the network",
			"somebody.test": "192.0.2.7",
		} {
			w.says(core.Invalid, words, admin, "ban.add", fields{"address": in, "force": true})
		}
		w.says(core.Invalid, `for "a while": a length such as 10m`, admin, "ban.add", fields{"address": "198.51.100.7", "for": "a while"})
		w.says(core.Invalid, `jail "nfs": must be one of ssh, panel`, admin, "jail.set", fields{"jail": "nfs"})
		w.says(core.Denied, "", auditor, "ban.add", fields{"address": "198.51.100.7"})
	})
}

func TestTheListGoesOnWhereItEnded(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for i := range 250 {
			jail := "sshd"
			if i%10 == 0 {
				jail = "manual"
			}
			a := netip.AddrFrom4([4]byte{198, 51, byte(i >> 8), byte(i)})
			w.engine.bans = append(w.engine.bans, host.Ban{Prefix: netip.PrefixFrom(a, 32), Jail: jail, Since: w.now.Add(-time.Duration(i/3) * time.Minute), Times: 1, Failures: 5})
		}
		seen, after := map[string]bool{}, ""
		for page := 1; ; page++ {
			l := must[ban.List](w, auditor, "ban.list", fields{"jail": "ssh", "limit": 100, "after": after})
			if l.Total != 250 || l.Found != 225 {
				t.Fatalf("page %d: %d of %d", page, l.Found, l.Total)
			}
			for _, b := range l.Bans {
				if seen[b.Address] || b.Jail != "ssh" {
					t.Fatalf("page %d shows %s of jail %s again", page, b.Address, b.Jail)
				}
				seen[b.Address] = true
			}
			if after = l.Next; after == "" {
				break
			}
		}
		if len(seen) != 225 {
			t.Errorf("%d bans were shown", len(seen))
		}
		if l := must[ban.List](w, auditor, "ban.list", fields{"address": "198.51.0.0/28"}); l.Found != 16 {
			t.Errorf("%d bans in a network", l.Found)
		}
		w.engine.fault = errors.New("the socket is closed")
		if l := must[ban.List](w, auditor, "ban.list", nil); !strings.Contains(l.Fault, "the engine watch does not answer: the socket is closed") {
			t.Errorf("an engine that is down: %+v", l)
		}
		if j := must[ban.Jails](w, auditor, "jail.list", nil); j.Fault == "" || len(j.Jails) != 11 {
			t.Errorf("and its jails: %+v", j)
		}
	})
}

// noted hands over facts of a day as the house does.
func (w *world) noted(first, many int) {
	w.t.Helper()
	var list []host.BanEvent
	for i := range many {
		a := netip.AddrFrom4([4]byte{198, 51, 100, byte(first + i)})
		list = append(list, host.BanEvent{Seq: uint64(first + i), Time: w.now.Add(-time.Minute), What: "banned", By: "sshd",
			Ban: host.Ban{Prefix: netip.PrefixFrom(a, 32), Jail: "sshd", Since: w.now, Times: 1 + i%2, Failures: 5, Lines: []string{"Failed\tpassword for \x1b[31mroot", "\xff\xfe"}}})
	}
	if err := w.bans.Noted(context.Background(), w.Bus, ban.Watch, list); err != nil {
		w.t.Fatal(err)
	}
}

func TestWhatHappenedIsNotedByTheDayAndForgotten(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.noted(1, 20)
		w.noted(21, 5)
		e := must[ban.Events](w, auditor, "ban.events", fields{"jail": "ssh", "limit": 20})
		if len(e.Events) != 20 || e.Next == "" || e.Events[0].Address != "198.51.100.25" || e.Events[0].Lines[0] != "Failed·password for ·[31mroot" {
			t.Errorf("%d events, then %q; the newest is %+v", len(e.Events), e.Next, e.Events[0])
		}
		if e = must[ban.Events](w, auditor, "ban.events", fields{"jail": "ssh", "limit": 20, "after": e.Next}); len(e.Events) != 5 || e.Next != "" {
			t.Errorf("%d more events, then %q", len(e.Events), e.Next)
		}
		w.says(core.Invalid, `after "yesterday"`, auditor, "ban.events", fields{"after": "yesterday"})
		state := func() (s ban.State) {
			t.Helper()
			if err := w.Look(context.Background(), "test", func(v *act.View) (err error) { s, err = w.bans.State(context.Background(), v); return err }); err != nil {
				t.Fatal(err)
			}
			return s
		}
		if s := state(); s.Seq != 25 {
			t.Errorf("noted is up to %d", s.Seq)
		}
		if h := must[ban.Histogram](w, auditor, "ban.histogram", nil); h.Bars[len(h.Bars)-1].Banned+h.Bars[len(h.Bars)-2].Banned != 13 {
			t.Errorf("the last hour: %+v", h.Bars[len(h.Bars)-2:])
		}
		day := w.now.Format(time.DateOnly)
		if sums := w.sums(day); sums[0] == "" || sums[0] != sums[1] {
			t.Errorf("the sum of the day is kept as %s, and worked out it is %s", sums[0], sums[1])
		}
		if strings.HasPrefix(w.url, "sqlite:") {
			w.edit(fmt.Sprintf("UPDATE ban_event SET prefix = '203.0.113.1/32' WHERE day = '%s' AND n = 7", day))
			if sums := w.sums(day); sums[0] == sums[1] {
				t.Error("a row was altered, and its day has the sum that it had")
			}
		}
		w.now = w.now.Add(91 * 24 * time.Hour)
		w.noted(26, 1)
		if e := must[ban.Events](w, auditor, "ban.events", nil); len(e.Events) != 1 {
			t.Errorf("after 91 days %d events are left", len(e.Events))
		}
	})
}

// edit changes rows behind the panel's back.
func (w *world) edit(query string) {
	w.t.Helper()
	db, err := sql.Open("sqlite", filepath.FromSlash(strings.TrimPrefix(w.url, "sqlite://")))
	if err != nil {
		w.t.Fatal(err)
	}
	defer db.Close()
	if _, err := db.Exec(query); err != nil {
		w.t.Fatal(err)
	}
}

// sums are the digest of an object as it is kept, and as it is worked out.
func (w *world) sums(id string) (out [2]string) {
	w.t.Helper()
	k := w.bans.Feature().Kinds[1]
	err := w.Look(context.Background(), "test", func(v *act.View) (err error) {
		if out[0], err = k.Digest(context.Background(), v, id); err == nil {
			out[1], err = k.Recompute(context.Background(), v, id)
		}
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return out
}

func TestAnOrderWaitsForItsEngineAndEnds(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		o := must[ban.Ordered](w, admin, "ban.add", fields{"address": "198.51.100.7", "for": "until lifted", "reason": "scans us"})
		settle := func(fault string) act.Result {
			t.Helper()
			r, err := w.do(system, "ban.settle", fields{"ban": o.ID, "fault": fault})
			if err != nil {
				t.Fatal(err)
			}
			return r
		}
		if r := settle("it is down"); len(r.Changes) != 1 || r.Changes[0].Name != "ban.waits" {
			t.Errorf("the first failure: %+v", r.Changes)
		}
		if r := settle("it is down"); len(r.Changes) != 0 {
			t.Errorf("the same again: %+v", r.Changes)
		}
		if l := must[ban.List](w, auditor, "ban.list", nil); len(l.Waiting) != 1 || l.Waiting[0].Fault != "it is down" || l.Waiting[0].Address != "198.51.100.7" {
			t.Errorf("what is shown: %+v", l.Waiting)
		}
		w.now = w.now.Add(2 * time.Hour)
		if r := settle("it is down"); len(r.Changes) != 1 || r.Changes[0].Name != "ban.dropped" {
			t.Errorf("hours later: %+v", r.Changes)
		}
		w.says(core.NotFound, "there is no ban", system, "ban.settle", fields{"ban": o.ID})
		must[ban.Policy](w, admin, "ban.engine.choose", fields{"engine": "none"})
		w.says(core.Unavailable, "no engine is chosen", admin, "ban.add", fields{"address": "198.51.100.7"})
		w.says(core.Unavailable, "no engine is chosen", admin, "ban.test", nil)
	})
}

func TestNamesOfJailsThatOthersHave(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		for alias, name := range map[string]string{"plesk-panel": "panel", "sshd": "ssh", "SSH": "ssh", "postfix": "smtp", "plesk-dovecot": "imap", "apache-auth": "web"} {
			if j := must[ban.Jail](w, admin, "jail.set", fields{"jail": alias, "for": "3h"}); j.Name != name || j.BanTime != 10800 {
				t.Errorf("%s is %+v", alias, j)
			}
		}
		if j := must[ban.Jail](w, admin, "jail.set", fields{"jail": "ssh", "for": "until lifted"}); j.BanTime != -1 {
			t.Errorf("for good is %+v", j)
		}
		r, err := w.do(admin, "jail.set", fields{"jail": "ssh"})
		if err != nil || r.State != act.Unchanged {
			t.Errorf("nothing is changed, and the answer is %q, %v", r.State, err)
		}
	})
}

// TestWhatIsOrderedIsValidatedAgain hands the control what no operation would.
func TestWhatIsOrderedIsValidatedAgain(t *testing.T) {
	m := ban.New(ban.Ports{}).Control()
	for what, f := range map[string]func(*ban.Desired){
		`engine "iptables"`:                            func(d *ban.Desired) { d.Engine = "iptables" },
		`panel log "/var/log/../../etc/shadow"`:        func(d *ban.Desired) { d.PanelLog = "/var/log/../../etc/shadow" },
		`panel log "/x\n[DEFAULT]\naction = %(evil)s"`: func(d *ban.Desired) { d.PanelLog = "/x\n[DEFAULT]\naction = %(evil)s" },
		`jail "evil"`:                                  func(d *ban.Desired) { d.Jails[2].Name = "evil" },
		"there must be 11 jails, not 10":               func(d *ban.Desired) { d.Jails = d.Jails[1:] },
		"jail ssh, failures 0":                         func(d *ban.Desired) { d.Jails[0].MaxRetry = 0 },
		"jail ssh, length of a ban -2":                 func(d *ban.Desired) { d.Jails[0].BanTime = -2 },
		"trusted network 0.0.0.0/0":                    func(d *ban.Desired) { d.Trusted = []netip.Prefix{pfx("0.0.0.0/0")} },
		"trusted network invalid Prefix":               func(d *ban.Desired) { d.Trusted = []netip.Prefix{{}} },
	} {
		d := ban.Initial()
		if text, err := json.Marshal(d); err != nil || m.Check(text) != nil {
			t.Fatalf("what is as it should be: %v, %v", err, m.Check(text))
		}
		f(&d)
		text, err := json.Marshal(d)
		if err != nil {
			t.Fatal(err)
		}
		if err := m.Check(text); err == nil || !strings.Contains(err.Error(), what) {
			t.Errorf("%s: %v", what, err)
		}
	}
}
