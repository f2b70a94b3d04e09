package house_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/adapter/fail2ban"
	"hostward/internal/adapter/fail2ban/fail2bantest"
	"hostward/internal/core"
	"hostward/internal/feature/ban"
	"hostward/internal/host"
	realhands "hostward/internal/host/hands"
	"hostward/internal/house"
)

// kept is a panel beside a real Fail2Ban.
type kept struct {
	*hosting
	place *fail2bantest.Machine
	guard *fail2ban.Server
}

func newKept(t *testing.T) *kept {
	t.Helper()
	k := &kept{hosting: &hosting{T: t, dir: t.TempDir()}, place: fail2bantest.New(t)}
	k.place.Put("/var/log/auth.log", "")
	k.place.Put("/var/lib/hostward/log/panel.log", "")
	t.Cleanup(func() { _ = k.place.Client("stop") })
	var err error
	if k.guard, err = fail2ban.Open(fail2ban.Config{Socket: fail2bantest.Socket, Dir: t.TempDir()}); err != nil {
		t.Fatal(err)
	}
	k.House, err = house.Open(t.Context(), house.Config{Data: k.dir, Private: true, SigningEvery: -1, Guard: func(engine string) host.Guard {
		if engine == ban.Fail2Ban {
			return k.guard
		}
		return nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = k.Close() })
	return k
}

func (k *kept) do(op string, in map[string]any) (any, act.Result, error) {
	k.Helper()
	r, err := k.Bus.Do(k.Context(), act.Call{Op: op, Actor: console, Input: raw(in), Confirmed: true})
	return r.Output, r, err
}

// apply does what the agent would with an order of the control of bans.
func (k *kept) apply() {
	k.Helper()
	m := ban.New(ban.Ports{}).Control()
	f, err := m.Look(k.Context(), realhands.Machine{}, k.desired())
	if err != nil {
		k.Fatal(err)
	}
	for _, s := range f.Steps {
		if err := (realhands.Machine{}).Do(k.Context(), s); err != nil {
			k.Fatalf("%s: %v", s, err)
		}
	}
	k.until("it is in force", func() bool {
		f, err := m.Look(k.Context(), realhands.Machine{}, k.desired())
		return err == nil && len(f.Steps) == 0
	})
}

// desired is what the rows say should be.
func (k *kept) desired() (text json.RawMessage) {
	k.Helper()
	err := k.Bus.Look(k.Context(), "bans", func(v *act.View) (err error) {
		text, err = ban.New(ban.Ports{}).Control().Desired(k.Context(), v)
		return err
	})
	if err != nil {
		k.Fatal(err)
	}
	return text
}

// TestBansByARealFail2Ban goes from the choice of the engine to the reason of a ban.
func TestBansByARealFail2Ban(t *testing.T) {
	if !fail2bantest.Alone(t) {
		return
	}
	k := newKept(t)
	if _, r, err := k.do("ban.add", map[string]any{"address": "192.0.2.44"}); err != nil || r.State != act.Pending {
		t.Fatalf("with an engine that is not joined: %q, %v", r.State, err)
	}
	list := k.must("ban.list", nil).(ban.List)
	if !strings.Contains(list.Fault, "the engine watch is not joined to this panel") || len(list.Waiting) != 1 || !strings.Contains(list.Waiting[0].Fault, "not joined") {
		t.Errorf("what is said of it: %+v", list)
	}
	k.must("ban.engine.choose", map[string]any{"engine": "fail2ban"})
	if list = k.must("ban.list", nil).(ban.List); !strings.Contains(list.Fault, "does not answer") {
		t.Errorf("what is said before it runs: %+v", list)
	}
	k.must("ban.trust.add", map[string]any{"networks": "203.0.113.0/24", "note": "office"})
	k.must("jail.set", map[string]any{"jail": "plesk-panel", "failures": 3})
	k.apply()
	if r := k.must("ban.test", nil).(ban.Tested); !r.Works {
		t.Errorf("the self-test: %+v", r)
	}
	k.until("what waited is done", func() bool { return len(k.must("ban.list", nil).(ban.List).Waiting) == 0 })

	for _, from := range []string{"2001:db8::7", "203.0.113.9"} {
		k.place.Append("/var/lib/hostward/log/panel.log", strings.Repeat(time.Now().UTC().Format(time.RFC3339)+" hostward[panel]: failed login: account=unknown reason=name door=web from "+from+"\n", 3))
	}
	k.until("lines lead to a ban", func() bool { return k.must("ban.list", map[string]any{"jail": "panel"}).(ban.List).Found == 1 })
	k.until("and the reason is known", func() bool {
		why := k.must("ban.why", map[string]any{"address": "2001:db8::7"}).(ban.Why)
		return why.Out && len(why.Bans) == 1 && len(why.Bans[0].Lines) == 3 && strings.Contains(why.Bans[0].Lines[0], "failed login") && why.Bans[0].Failures == 3
	})
	if why := k.must("ban.why", map[string]any{"address": "203.0.113.9"}).(ban.Why); why.Out || why.Trusted != "203.0.113.0/24" {
		t.Errorf("somebody who is trusted: %+v", why)
	}
	if _, _, err := k.do("ban.add", map[string]any{"address": "203.0.113.9"}); core.CodeOf(err) != core.Conflict || !strings.Contains(err.Error(), "is a trusted network") {
		t.Errorf("a ban of somebody who is trusted: %v", err)
	}
	_, r, err := k.do("ban.add", map[string]any{"address": "198.51.100.0/24", "for": "until lifted", "reason": "scans us"})
	if err != nil || r.State != act.InForce {
		t.Errorf("a ban by hand: %q, %v", r.State, err)
	}
	for _, address := range []string{"198.51.100.9", "2001:db8::/64"} {
		if _, r, err := k.do("ban.lift", map[string]any{"address": address}); err != nil || r.State != act.InForce {
			t.Errorf("lifting: %q, %v", r.State, err)
		}
	}
	if list = k.must("ban.list", nil).(ban.List); list.Total != 1 || list.Bans[0].Address != "192.0.2.44" {
		t.Errorf("left is %+v", list)
	}
	k.history(t)
	k.must("ban.lift", map[string]any{"address": "192.0.2.44"})
	if list := k.must("ban.list", nil).(ban.List); list.Total != 0 || list.Fault != "" {
		t.Errorf("left is %+v", list)
	}
}

// history wants what happened to be noted, with the lines, and the log to be sound.
func (k *kept) history(t *testing.T) {
	t.Helper()
	want := []string{"banned manual 192.0.2.44", "banned panel 2001:db8::7", "banned manual 198.51.100.0/24", "unbanned manual 198.51.100.0/24", "unbanned panel 2001:db8::7"}
	k.until("what happened is noted", func() bool {
		var have []string
		for _, e := range k.must("ban.events", nil).(ban.Events).Events {
			have = append(have, e.What+" "+e.Jail+" "+e.Address)
		}
		return !slices.ContainsFunc(want, func(w string) bool { return !slices.Contains(have, w) })
	})
	why := k.must("ban.why", map[string]any{"address": "2001:db8::7"}).(ban.Why)
	if why.Out || len(why.History) != 2 || why.History[0].What != "unbanned" || len(why.History[1].Lines) != 3 {
		t.Errorf("why it was banned before: %+v", why)
	}
	sum := 0
	for _, b := range k.must("ban.histogram", nil).(ban.Histogram).Bars {
		sum += b.Banned + b.Again
	}
	if sum < 3 {
		t.Errorf("%d bans over time", sum)
	}
	if out := fields(k.must("log.verify", nil)); out["sound"] != true {
		t.Errorf("the log is not sound: %v", out)
	}
}
