package access_test

import (
	"fmt"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/access"
	"hostward/internal/feature/account/accounttest"
)

const day = 24 * time.Hour

func try(h *house, a act.Actor, in input) access.Trial {
	h.T.Helper()
	return h.Must(a, "access.try", in).Output.(access.Trial)
}

// entered notes log-ins, newest first, as the log gives them.
func entered(h *house, who act.Actor, address string, ago ...time.Duration) {
	for _, d := range ago {
		h.Log = append(h.Log, accounttest.Entered{Account: who.ID, Address: address, At: h.Clock().Add(-d)})
	}
}

func TestATrialNamesWhoWouldHaveBeenRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all := people(h)
		entered(h, all["root"], here, day)
		entered(h, all["auditor"], "203.0.113.1", 2*day, 3*day, 4*day)
		entered(h, all["shop"], "203.0.113.1", 5*day)
		entered(h, all["second"], "2001:db8::1", 89*day)
		entered(h, all["second"], "::ffff:192.0.2.77", 89*day+time.Hour)
		h.Log = append(h.Log, accounttest.Entered{Account: "a_gone", Address: "203.0.113.9", At: h.Clock().Add(-6 * day)})
		entered(h, all["root"], "not an address", 7*day)
		entered(h, all["root"], "203.0.113.1", 91*day)
		out := try(h, all["root"], input{"mode": access.Only, "add": "192.0.2.0/24"})
		if out.Mode != access.Only || out.Listed != 1 || out.Admitted != 2 || !out.You || !out.All || len(out.Refused) != 2 || h.Clock().Sub(out.Since) < 90*day {
			t.Fatalf("it says %+v", out)
		}
		if r := out.Refused[0]; r.Login != "auditor" || r.Role != "auditor" || r.Address != "203.0.113.1" || r.Times != 3 || h.Clock().Sub(r.Last) > 2*day+time.Minute {
			t.Errorf("first %+v", r)
		}
		if r := out.Refused[1]; r.Login != "second" || r.Address != "2001:db8::1" || r.Times != 1 || r.Account != all["second"].ID {
			t.Errorf("then %+v", r)
		}
		if h.Count("access_policy") != 0 {
			t.Error("a trial changed something")
		}
		if l := h.Last(); l.Action != "access.try" || l.Outcome != "read" {
			t.Errorf("recorded %+v", l)
		}
	})
}

func TestATrialStartsFromTheListsThatAreThere(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		entered(h, boss, "198.51.100.1", day)
		entered(h, boss, "203.0.113.1", day)
		set(h, access.Only, here+" 198.51.100.0/24")
		h.Must(root, "access.add", input{"networks": "203.0.113.1", "list": access.AllBut})
		for _, c := range []struct {
			in       input
			admitted int
			you      bool
		}{
			{nil, 1, true}, {input{"add": "203.0.113.1"}, 2, true}, {input{"remove": here}, 1, false}, {input{"remove": here + " 198.51.100.0/24"}, 0, false},
			{input{"mode": access.AllBut}, 1, true}, {input{"mode": access.AllBut, "add": "192.0.2.*"}, 1, false}, {input{"mode": access.AllBut, "remove": "203.0.113.1"}, 2, true},
		} {
			if out := try(h, boss, c.in); out.Admitted != c.admitted || out.You != c.you || len(out.Refused) != 2-c.admitted || out.Refused == nil {
				t.Errorf("%v: %+v", c.in, out)
			}
		}
		if out := try(h, root, input{"mode": access.Only, "remove": here + " 198.51.100.0/24"}); !out.You {
			t.Error("root would be shut out")
		}
		h.Refused(core.Invalid, boss, "access.try", input{"add": "example.org"})
	})
}

func TestATrialSaysWhenItHasNotSeenAll(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		for range 50_001 {
			h.Log = append(h.Log, accounttest.Entered{Account: boss.ID, Address: here, At: h.Clock().Add(-time.Hour)})
		}
		out := try(h, boss, input{"mode": access.AllBut})
		if out.All || out.Admitted != 50_000 || h.Clock().Sub(out.Since) > 2*time.Hour {
			t.Errorf("it says %+v", out)
		}
	})
}

// TestATrialTellsAnAdditionalAdministratorNothingAboutHisPeers: from where they log
// in is none of his business (SPEC 1).
func TestATrialTellsAnAdditionalAdministratorNothingAboutHisPeers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all := people(h)
		third := h.Account(root, "third", "additional administrator", "provider")
		for i, a := range []act.Actor{all["root"], third, all["second"], all["auditor"]} {
			entered(h, a, fmt.Sprintf("203.0.113.%d", i), day)
		}
		if out := try(h, all["root"], input{"mode": access.Only}); len(out.Refused) != 4 || out.Peers != 0 {
			t.Errorf("the primary administrator is told %+v", out)
		}
		out := try(h, all["second"], input{"mode": access.Only})
		if len(out.Refused) != 2 || out.Refused[0].Login != "second" || out.Refused[1].Login != "auditor" || out.Peers != 2 {
			t.Errorf("he is told %+v", out)
		}
	})
}
