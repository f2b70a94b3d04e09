package login_test

import (
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/login"
	"hostward/internal/feature/notice"
)

const why = "he asked for help with his zone"

// acts has somebody act as an account, and returns the session's new token.
func acts(h *house, a act.Actor, as string) core.Secret {
	h.T.Helper()
	return opened(h.Must(a, "session.act", input{"account": as, "why": why}))
}

func TestActingIsOnRecordAndToldWithItsReason(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Create(root, "agency", "reseller", "provider")
		token := h.Token("agency", good)
		boss := h.Inside(token)
		shop := h.Create(boss, "shop", "customer", "")
		r := h.Must(boss, "session.act", input{"account": "shop", "why": why})
		h.Over(token)
		a := h.Inside(opened(r))
		if a.ID != shop.ID || a.Role != act.Customer || a.Tenant != shop.ID || a.By == nil || a.By.ID != boss.ID || a.Session != boss.Session || a.Strong || !a.Proof.IsZero() || a.Grants != nil {
			t.Errorf("he is %+v by %+v", a, a.By)
		}
		l := h.Last()
		if l.Action != "session.act" || l.Tenant != shop.ID || l.Object.ID != shop.ID || l.Actor.ID != boss.ID {
			t.Errorf("the beginning is recorded as %+v", l)
		}
		found := ""
		for _, e := range l.Events {
			for _, f := range e.Fields {
				if e.Name == "account.acted" && f.Name == "why" {
					found = *f.New
				}
			}
		}
		if found != why {
			t.Errorf("the reason on record is %q", found)
		}
		list := h.Must(h.As("shop"), "notice.list", nil).Output.(notice.List)
		if list.Unseen == 0 || list.Notices[0].Subject != "Somebody acts as you" || !strings.Contains(list.Notices[0].Text, "agency (reseller)") || !strings.Contains(list.Notices[0].Text, why) {
			t.Errorf("he is told %+v", list)
		}
		h.Refused(core.Denied, a, "notice.dismiss", input{"notice": list.Notices[0].ID}) // not for him to take away
		h.Must(a, "device.forget", input{"device": devices(h, a, "")[0].ID})
		if l := h.Last(); l.Actor.ID != shop.ID || l.By.ID != boss.ID {
			t.Errorf("what he does is recorded as by %+v for %+v", l.By, l.Actor)
		}
		r = h.Must(a, "session.leave", nil)
		if l := h.Last(); l.Actor.ID != shop.ID || l.By.ID != boss.ID {
			t.Errorf("the end is recorded as by %+v for %+v", l.By, l.Actor)
		}
		if back := at(h, opened(r), ""); back.ID != boss.ID || back.By != nil {
			t.Errorf("afterwards he is %+v", back)
		}
	})
}

func TestWhoActsAsWhom(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		me := h.Init()
		second := h.Create(me, "second", "additional administrator", "provider")
		h.Create(me, "third", "additional administrator", "provider")
		auditor := h.Create(me, "auditor", "auditor", "provider")
		agency := h.Create(me, "agency", "reseller", "provider")
		rival := h.Create(me, "rival", "reseller", "provider")
		shop := h.Create(agency, "shop", "customer", "")
		closed := h.Create(me, "closed", "customer", "provider")
		h.Must(root, "account.disable", input{"account": "closed"})
		for _, c := range []struct {
			who  act.Actor
			as   string
			code core.Code
		}{
			{me, "second", core.Denied}, {me, "auditor", core.Denied}, {me, "root", core.Denied}, {me, closed.ID, core.Conflict}, {me, "nobody", core.NotFound},
			{second, "root", core.NotFound}, {second, "third", core.NotFound}, {second, "auditor", core.Denied}, {second, "second", core.Denied},
			{agency, "rival", core.NotFound}, {agency, "root", core.NotFound}, {agency, "agency", core.Denied}, {rival, "shop", core.NotFound}, {rival, shop.ID, core.NotFound},
			{shop, "shop", core.Denied}, {auditor, "shop", core.Denied}, {root, "shop", core.Denied}, // root has no session to act in
		} {
			h.Refused(c.code, c.who, "session.act", input{"account": c.as, "why": why})
		}
		for _, bad := range []string{"", "abc", "     ", "  a  ", strings.Repeat("x", 401)} {
			if said := h.Refused(core.Invalid, me, "session.act", input{"account": "shop", "why": bad}); !strings.Contains(said, "why") {
				t.Errorf("the reason %q: %q", bad, said)
			}
		}
		h.Refused(core.Conflict, me, "session.leave", nil)
		outside := h.As("agency") // no session
		h.Refused(core.NotFound, outside, "session.act", input{"account": "shop", "why": why})
		for _, c := range []struct {
			who act.Actor
			as  string
		}{{me, "agency"}, {second, "shop"}, {agency, "shop"}} {
			if a := h.Inside(acts(h, c.who, c.as)); a.Name != c.as || a.By.ID != c.who.ID {
				t.Errorf("he is %+v", a)
			}
		}
	})
}

// TestWhoActsAsAnotherDoesNothingThatAsksForTheOtherHimself tries each such operation.
func TestWhoActsAsAnotherDoesNothingThatAsksForTheOtherHimself(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		me := h.Init()
		agency := h.Create(me, "agency", "reseller", "provider")
		shop := h.Create(agency, "shop", "customer", "")
		a := h.Inside(acts(h, me, "agency"))
		tried := 0
		for op, in := range sensitive(shop.ID) {
			if o, _ := h.Registry.Op(op); o.Roles&act.Reseller == 0 {
				continue
			}
			tried++
			_, err := h.Call(a, op, in)
			if code := core.CodeOf(err); err == nil || code != core.Denied && code != core.NotFound {
				t.Errorf("%s: %v", op, err)
			}
		}
		if tried < 10 {
			t.Errorf("only %d were tried", tried)
		}
		h.Refused(core.Denied, a, "password.change", input{"old_password": good, "new_password": other})
		h.Refused(core.NotFound, a, "account.show", input{"account": "root"}) // he sees what the reseller sees
		h.Refused(core.NotFound, a, "session.revoke", input{"session": a.Session})
		if list := h.Must(a, "session.list", nil).Output.(login.Sessions).Sessions; len(list) != 1 || list[0].Account != agency.ID {
			t.Errorf("sessions are %+v", list)
		}
	})
}

// TestActingAndLeavingProveNothing: a stolen session could keep its proof fresh with them.
func TestActingAndLeavingProveNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		me, _, _ := h.Arm(h.Init())
		h.Create(root, "shop", "customer", "provider")
		h.Pass(14 * time.Minute)
		acting := acts(h, me, "shop")
		a := h.Inside(acting)
		if !a.By.Proof.Equal(me.Proof) || !a.By.Strong {
			t.Errorf("acting moved the proof from %s to %s", me.Proof, a.By.Proof)
		}
		left := opened(h.Must(a, "session.leave", nil))
		h.Over(acting)
		back := at(h, left, "")
		if !back.Proof.Equal(me.Proof) || !back.Strong || back.Session != me.Session {
			t.Errorf("leaving: %+v, before %+v", back, me)
		}
		h.Pass(2 * time.Minute)
		h.Refused(core.Unproved, back, "session.act", input{"account": "shop", "why": why})
	})
}

// TestClosingEitherAccountEndsActingForGood: opening it again brings nothing back.
func TestClosingEitherAccountEndsActingForGood(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		me := h.Init()
		agency := h.Create(me, "agency", "reseller", "provider")
		h.Create(agency, "shop", "customer", "")
		h.Create(agency, "gone", "customer", "")
		token := acts(h, agency, "shop")
		acting := h.Inside(token)
		r := h.Must(me, "account.disable", input{"account": "shop"})
		left := false
		for _, e := range r.Changes {
			left = left || e.Name == "session.left" && e.Object.ID == acting.Session
		}
		if back := at(h, token, ""); back.ID != agency.ID || back.By != nil || !left {
			t.Errorf("once the customer is closed he is %+v; recorded %+v", back, r.Changes)
		}
		if _, holds := live(h, acting); holds {
			t.Error("what he reads for long goes on")
		}
		h.Must(me, "account.enable", input{"account": "shop"})
		if back := at(h, token, ""); back.ID != agency.ID || back.By != nil {
			t.Errorf("once the customer is open again he is %+v", back)
		}
		token = acts(h, h.Inside(token), "gone")
		h.Must(me, "account.delete", input{"account": "gone"})
		if back := at(h, token, ""); back.ID != agency.ID || back.By != nil {
			t.Errorf("once the customer is deleted he is %+v", back)
		}
		token = acts(h, h.Inside(token), "shop")
		h.Must(me, "account.disable", input{"account": "agency"})
		h.Over(token)
	})
}

// TestARuleForWhoActsHoldsWhileHeActs: the step is that of the person himself.
func TestARuleForWhoActsHoldsWhileHeActs(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		agency := h.Create(root, "agency", "reseller", "provider")
		h.Create(agency, "shop", "customer", "")
		token := acts(h, agency, "shop")
		require(h) // of customers
		if a := h.Inside(token); a.Step != "" || a.Name != "shop" {
			t.Errorf("he is %+v", a)
		}
		h.Must(root, "mfa.set", input{"group": "resellers", "required": true})
		if a := at(h, token, "enrol"); a.ID != agency.ID {
			t.Errorf("he is %+v", a)
		}
	})
}

// TestAnAdministratorActsOnlyFromWhereHeMay: being a customer is no way around it.
func TestAnAdministratorActsOnlyFromWhereHeMay(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		me := h.Init()
		h.Create(me, "shop", "customer", "provider")
		a := h.Inside(acts(h, me, "shop"))
		h.Must(root, "access.add", input{"networks": "198.51.100.0/24", "list": "only-listed"})
		h.Must(root, "access.mode", input{"mode": "only-listed"})
		h.Refused(core.Denied, a, "session.list", nil)
		a.Address, a.By.Address = "198.51.100.7", "198.51.100.7"
		h.Must(a, "session.list", nil)
	})
}
