package login_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/login"
)

func TestClearingEndsAllButTheOneThatAsks(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		primary := h.Primary()
		second := h.Account(primary, "second", "additional administrator", "provider")
		auditor := h.Account(primary, "auditor", "auditor", "provider")
		agency := h.Create(primary, "agency", "reseller", "provider")
		rival := h.Create(primary, "rival", "reseller", "provider")
		h.Create(agency, "shop", "customer", "")
		mine, others := h.Token("shop", good), []core.Secret{h.Token("shop", good), h.Token("shop", good)}
		kept := h.Token("rival", good)
		out := h.Must(h.Inside(mine), "session.clear", nil).Output.(login.Cleared)
		if out.Sessions != 3 { // and the one that Create opened
			t.Errorf("%d were ended", out.Sessions)
		}
		h.Inside(mine)
		for _, token := range others {
			h.Over(token)
		}
		shop := h.As("shop")
		h.Refused(core.NotFound, rival, "session.clear", input{"account": "shop"})
		h.Refused(core.NotFound, rival, "session.clear", input{"account": shop.ID})
		h.Refused(core.NotFound, second, "session.clear", input{"account": "root"})
		h.Refused(core.Denied, auditor, "session.clear", input{"account": "shop"})
		h.Inside(mine)
		if out := h.Must(agency, "session.clear", input{"account": "shop"}).Output.(login.Cleared); out.Sessions != 1 {
			t.Errorf("the reseller ended %d", out.Sessions)
		}
		h.Over(mine)
		if r := h.Must(agency, "session.clear", input{"account": "shop"}); r.State != act.Unchanged {
			t.Errorf("with none left it is %s", r.State)
		}
		h.Inside(kept)
		h.Must(root, "session.clear", input{"account": "rival"})
		h.Over(kept)
		h.Refused(core.Invalid, root, "session.clear", nil) // who has no account names one
	})
}

func TestPurgingEndsEverybodysSessionsButOnes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		second := h.Create(root, "second", "additional administrator", "provider")
		h.Create(root, "shop", "customer", "provider")
		mine, other, shop := h.Token("root", good), h.Token("root", good), h.Token("shop", good)
		me := h.Inside(mine)
		if _, err := h.Do(t.Context(), act.Call{Op: "session.purge", Actor: me}); core.CodeOf(err) != core.Unconfirmed {
			t.Errorf("without a word of confirmation: %v", err)
		}
		h.Refused(core.Denied, second, "session.purge", nil)
		out := h.Must(me, "session.purge", nil).Output.(login.Cleared)
		if n := h.Count("login_session"); n != 1 || out.Sessions != 4 {
			t.Errorf("%d were ended, %d are left", out.Sessions, n)
		}
		h.Inside(mine)
		h.Over(other)
		h.Over(shop)
		h.Pass(16 * time.Minute)
		h.Refused(core.Unproved, h.Inside(mine), "session.purge", nil)
		h.Must(root, "session.purge", nil)
		h.Over(mine)
	})
}

func TestASessionIsRevokedByItsOwnerAndWhoManagesHim(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		primary := h.Primary()
		agency := h.Create(primary, "agency", "reseller", "provider")
		rival := h.Create(primary, "rival", "reseller", "provider")
		shop := h.Create(agency, "shop", "customer", "")
		sibling := h.Create(agency, "sibling", "customer", "")
		for _, c := range []struct {
			who  act.Actor
			code core.Code
		}{{rival, core.NotFound}, {sibling, core.NotFound}, {shop, ""}, {agency, ""}, {primary, ""}, {root, ""}} {
			token := h.Token("shop", good)
			in := input{"session": h.Inside(token).Session}
			if c.code != "" {
				h.Refused(c.code, c.who, "session.revoke", in)
				h.Inside(token)
				continue
			}
			r := h.Must(c.who, "session.revoke", in)
			h.Over(token)
			if len(r.Changes) != 1 || r.Changes[0].Name != "session.ended" || r.Changes[0].Tenant != shop.ID {
				t.Errorf("recorded %+v", r.Changes)
			}
			h.Refused(core.NotFound, c.who, "session.revoke", in)
		}
		h.Refused(core.NotFound, shop, "session.revoke", input{"session": agency.Session}) // not upwards
	})
}

// TestASessionListTellsHowEachWasOpened shows method, place and which one asks.
func TestASessionListTellsHowEachWasOpened(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		armed, seed, _ := h.Arm(h.Create(root, "shop", "customer", "provider"))
		passkey(h, armed, "phone")
		h.Enter("shop", good)
		h.Strong("shop", good, seed)
		me := h.Inside(opened(h.Must(stranger, "login.passkey", input{"passkey": answer(h, stranger, "phone")})))
		var methods []string
		current := 0
		for _, s := range h.Must(me, "session.list", nil).Output.(login.Sessions).Sessions {
			methods = append(methods, s.Method)
			if s.Current {
				current++
				if s.ID != me.Session || s.Agent != "test browser" || s.Address != "192.0.2.7" {
					t.Errorf("the current one is %+v", s)
				}
			}
		}
		want := []string{"passkey", "password and factor", "password", "password and factor"} // the newest first
		if !slices.Equal(methods, want) || current != 1 {
			t.Errorf("methods are %v, want %v; %d are current", methods, want, current)
		}
	})
}

// live asks what streams and tokens ask about a session.
func live(h *house, a act.Actor) (live, holds bool) {
	h.T.Helper()
	err := h.Look(context.Background(), "test", func(v *act.View) (err error) {
		if live, err = h.Logins.Live(context.Background(), v, a.ID, a.Session); err == nil {
			holds, err = h.Logins.Holds(context.Background(), v, a)
		}
		return err
	})
	if err != nil {
		h.T.Fatal(err)
	}
	return live, holds
}

// TestASessionHoldsAsLongAsItIsWhatItWas changes in turn everything on which a
// session stands.
func TestASessionHoldsAsLongAsItIsWhatItWas(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		for name, change := range map[string]struct {
			what        func(a act.Actor)
			live, holds bool
		}{
			"nothing":     {func(act.Actor) {}, true, true},
			"proof":       {func(a act.Actor) { h.Must(a, "session.prove", input{"password": good}) }, true, true},
			"log-out":     {func(a act.Actor) { h.Must(a, "session.end", nil) }, false, false},
			"revoked":     {func(a act.Actor) { h.Must(root, "session.revoke", input{"session": a.Session}) }, false, false},
			"closed":      {func(a act.Actor) { h.Must(root, "account.disable", input{"account": a.ID}) }, false, false},
			"deleted":     {func(a act.Actor) { h.Must(root, "account.delete", input{"account": a.ID}) }, false, false},
			"idle":        {func(act.Actor) { h.Pass(time.Hour) }, false, false},
			"a new rule":  {func(act.Actor) { require(h) }, true, false},
			"nobody else": {func(act.Actor) { h.Must(root, "mfa.set", input{"group": "customers", "required": false}) }, true, true},
		} {
			h.Must(root, "mfa.set", input{"group": "customers", "required": false})
			login := core.NewID("n")
			a := h.Create(root, login, "customer", "provider")
			change.what(a)
			if l, holds := live(h, a); l != change.live || holds != change.holds {
				t.Errorf("%s: live %v, holds %v; want %v, %v", name, l, holds, change.live, change.holds)
			}
		}
		h.Must(root, "mfa.set", input{"group": "customers", "required": false})
		one, two := h.Create(root, "one", "customer", "provider"), h.Create(root, "two", "customer", "provider")
		borrowed := one
		borrowed.Session = two.Session
		if l, holds := live(h, borrowed); l || holds {
			t.Errorf("in somebody else's session: live %v, holds %v", l, holds)
		}
	})
}

// TestUseOfAPageByItselfIsNoUse: an open tab must not keep a session alive.
func TestUseOfAPageByItselfIsNoUse(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		token := h.Token("root", good)
		for range 3 {
			h.Pass(9 * time.Minute)
			if _, err := h.Logins.Session(context.Background(), h.Bus, token, false); err != nil {
				t.Fatal(err)
			}
		}
		h.Pass(4 * time.Minute)
		h.Over(token)
	})
}
