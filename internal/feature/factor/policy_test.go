package factor_test

import (
	"slices"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/factor"
)

func require(h *house, group string, required bool, grace int) factor.Rule {
	h.T.Helper()
	return h.Must(h.As("root"), "mfa.set", input{"group": group, "required": required, "grace": grace}).Output.(factor.Rule)
}

func policy(h *house, a act.Actor) factor.Policy {
	h.T.Helper()
	return h.Must(a, "mfa.show", nil).Output.(factor.Policy)
}

func TestARuleAsksForAFactorAfterItsGrace(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		rule := require(h, "customers", true, 14)
		if out := owned(h, shop); !out.Required || out.Has || !out.Due.Equal(rule.Since.Add(14*day)) {
			t.Errorf("he must have one by %s, the rule is of %s", out.Due, rule.Since)
		}
		h.Pass(13 * day)
		late := h.Create(root, "late", "customer", "provider")
		if out := owned(h, late); out.Due.Sub(h.Clock()) < 14*day-time.Minute || out.Due.Sub(h.Clock()) > 14*day {
			t.Errorf("an account that was made later must have one by %s", out.Due)
		}
		if a := entrant(h, "shop"); a.Role != act.Customer {
			t.Errorf("within the grace he is %s at step %q", a.Role, a.Step)
		}
		h.Pass(day)
		who := entrant(h, "shop")
		if who.Role != act.Entrant || who.Step != "enrol" {
			t.Fatalf("after the grace he is %s at step %q", who.Role, who.Step)
		}
		h.Refused(core.Unauthenticated, who, "account.list", nil)
		if a := entrant(h, "late"); a.Role != act.Customer {
			t.Errorf("the other is %s at step %q within his grace", a.Role, a.Step)
		}
		if a, _, _ := h.Arm(who); a.Role != act.Customer {
			t.Errorf("with a factor he is %s", a.Role)
		}
	})
}

func TestASessionWithinTheGraceEndsWithIt(t *testing.T) {
	guest(t, func(t *testing.T, h *house, _ act.Actor) {
		require(h, "customers", true, 1)
		h.Pass(day - time.Minute)
		token := h.Token("shop", good)
		if a := h.Inside(token); a.Role != act.Customer {
			t.Fatalf("he is %s at step %q", a.Role, a.Step)
		}
		h.Pass(2 * time.Minute)
		if a := h.Inside(token); a.Role != act.Entrant || a.Step != "enrol" {
			t.Errorf("he is %s at step %q", a.Role, a.Step)
		}
	})
}

func TestAShorterGraceStartsAnewAndALongerOneDoesNot(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		first := require(h, "customers", true, 30)
		h.Pass(20 * day)
		if longer := require(h, "customers", true, 40); !longer.Since.Equal(first.Since) {
			t.Errorf("a longer grace runs from %s, not from %s", longer.Since, first.Since)
		}
		shorter := require(h, "customers", true, 5)
		if h.Clock().Sub(shorter.Since) > time.Minute {
			t.Errorf("a shorter grace runs from %s", shorter.Since)
		}
		if a := entrant(h, "shop"); a.Role != act.Customer {
			t.Errorf("he is %s at step %q the moment the grace became shorter", a.Role, a.Step)
		}
		if r := h.Must(h.As("root"), "mfa.set", input{"group": "customers", "required": true, "grace": 5}); r.State != act.Unchanged {
			t.Errorf("the same rule again is %s", r.State)
		}
		h.Pass(5 * day)
		if a := entrant(h, "shop"); a.Step != "enrol" {
			t.Errorf("after the shorter grace he is %s", a.Role)
		}
		require(h, "customers", false, 0)
		if a := entrant(h, "shop"); a.Role != act.Customer {
			t.Errorf("without the rule he is %s", a.Role)
		}
		again := require(h, "customers", true, 5)
		if h.Clock().Sub(again.Since) > time.Minute || owned(h, entrant(h, "shop")).Due.Before(h.Clock()) {
			t.Error("a rule that came back counts the days before")
		}
	})
}

func TestEachGroupHasARuleOfItsOwn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		logins := map[string]string{"administrators": "second", "auditors": "auditor", "resellers": "agency", "customers": "shop"}
		h.Create(root, "second", "additional administrator", "provider")
		h.Create(root, "auditor", "auditor", "provider")
		h.Create(root, "agency", "reseller", "provider")
		h.Create(root, "shop", "customer", "provider")
		for group := range logins {
			require(h, group, true, 0)
			for other, login := range logins {
				if step := entrant(h, login).Step; (step == "enrol") != (other == group) {
					t.Errorf("with a rule for %s, %s is at step %q", group, login, step)
				}
			}
			require(h, group, false, 0)
		}
	})
}

func TestWhoLacksAFactorIsListedWithHisDay(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		for _, login := range []string{"lacks", "has", "shut"} {
			h.Create(root, login, "customer", "provider")
		}
		h.Arm(h.Enter("has", good))
		h.Account(root, "agency", "reseller", "provider")
		h.Must(root, "account.disable", input{"account": "shut"})
		rule := require(h, "customers", true, 7)
		out := policy(h, root)
		if out.Total != 4 || out.Having != 1 || out.Missing != 1 || len(out.Lacking) != 1 {
			t.Fatalf("of the open accounts it says %+v", out)
		}
		if l := out.Lacking[0]; l.Login != "lacks" || l.Role != "customer" || !l.Due.Equal(rule.Since.Add(7*day)) || l.Over {
			t.Errorf("it lists %+v", l)
		}
		h.Pass(7 * day)
		if l := policy(h, root).Lacking[0]; !l.Over {
			t.Errorf("past its day it lists %+v", l)
		}
		h.Arm(entrant(h, "lacks"))
		if out := policy(h, root); out.Missing != 0 || out.Having != 2 || out.Lacking == nil {
			t.Errorf("when everybody has one it says %+v", out)
		}
	})
}

func TestTheNIS2ModeRequiresAdministratorsAtOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Init()
		h.Create(root, "second", "additional administrator", "provider")
		h.Create(root, "auditor", "auditor", "provider")
		h.Create(root, "agency", "reseller", "provider")
		require(h, "administrators", true, 90)
		inside := h.Token("root", good)
		h.NIS2 = true
		if a := h.Inside(inside); a.Role != act.Entrant || a.Step != "enrol" {
			t.Errorf("in his session the administrator is %s at step %q", a.Role, a.Step)
		}
		for login, step := range map[string]string{"root": "enrol", "second": "enrol", "auditor": "enrol", "agency": ""} {
			if got := entrant(h, login).Step; got != step {
				t.Errorf("%s is at step %q, want %q", login, got, step)
			}
		}
		require(h, "administrators", false, 0) // the mode holds whatever is set
		out := policy(h, root)
		if !out.Rules[0].Required || !out.Rules[0].Mode || !out.Rules[1].Mode || out.Rules[2].Mode || out.Missing != 3 || !out.Lacking[0].Over {
			t.Errorf("it says %+v", out)
		}
		h.NIS2 = false
		if got := entrant(h, "root").Step; got != "" {
			t.Errorf("without the mode he is at step %q", got)
		}
	})
}

func TestTheLastFactorStaysWhereOneIsRequired(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, _ string, _ []string) {
		require(h, "customers", true, 90) // though there would be time
		h.Refused(core.Conflict, shop, "totp.remove", nil)
		addKey(h, shop, "key")
		h.Must(shop, "totp.remove", nil)
		key := input{"passkey": owned(h, shop).Passkeys[0].ID}
		h.Refused(core.Conflict, shop, "passkey.remove", key)
		begin(h, shop) // what is not confirmed is none
		h.Refused(core.Conflict, shop, "passkey.remove", key)
		require(h, "customers", false, 0)
		h.Must(shop, "passkey.remove", key)
	})
}

func TestTheNIS2ModeKeepsTheLastFactorOfAnAdministrator(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss, _, _ := h.Arm(h.Init())
		h.NIS2 = true
		h.Refused(core.Conflict, boss, "totp.remove", nil)
		h.NIS2 = false
		h.Must(boss, "totp.remove", nil)
	})
}

func TestOnlyThePrimaryAdministratorSaysWhoMustHaveAFactor(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss, _, _ := h.Arm(h.Init())
		in := input{"group": "customers", "required": true}
		for login, role := range map[string]string{"second": "additional administrator", "auditor": "auditor", "agency": "reseller", "shop": "customer"} {
			a := h.Account(root, login, role, "provider")
			h.Refused(core.Denied, a, "mfa.set", in)
			if seen := role == "auditor" || role == "additional administrator"; seen {
				policy(h, a)
			} else {
				h.Refused(core.Denied, a, "mfa.show", nil)
			}
		}
		h.Refused(core.Unauthenticated, stranger, "mfa.set", in)
		h.Refused(core.Denied, program(h, boss, "mfa.*", "*"), "mfa.set", in)
		stale := boss
		stale.Proof = h.Clock().Add(-15*time.Minute - time.Second)
		h.Refused(core.Unproved, stale, "mfa.set", in)
		if h.Count("factor_policy") != 0 {
			t.Error("a rule was set")
		}
		h.Must(program(h, boss, "mfa.set"), "mfa.set", in)
		h.Must(root, "mfa.set", input{"group": "resellers", "required": true})
	})
}

// TestAnAdditionalAdministratorLearnsNoPeersNames: he sees neither them nor their
// settings anywhere else.
func TestAnAdditionalAdministratorLearnsNoPeersNames(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		second := h.Account(root, "second", "additional administrator", "provider")
		h.Account(root, "third", "additional administrator", "provider")
		h.NIS2 = true
		out := policy(h, second)
		if out.Missing != 3 || len(out.Lacking) != 1 || out.Lacking[0].Login != "second" {
			t.Errorf("he sees %+v", out)
		}
		all := policy(h, root).Lacking
		if !slices.ContainsFunc(all, func(l factor.Lacking) bool { return l.Login == "third" }) || len(all) != 3 {
			t.Errorf("the primary administrator sees %+v", all)
		}
	})
}

func TestARuleThatMakesNoSenseIsRefused(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		for _, in := range []input{
			{"group": "customers", "required": true, "grace": -1}, {"group": "customers", "required": true, "grace": 91}, {"group": "strangers", "required": true},
			{"required": true}, {"group": "customers", "required": "perhaps"},
		} {
			h.Refused(core.Invalid, h.As("root"), "mfa.set", in)
		}
	})
}
