package login_test

import (
	"encoding/json"
	"strings"
	"sync"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
)

// sensitive is what asks for a fresh proof, with an input that is good otherwise.
func sensitive(shop string) map[string]input {
	return map[string]input{
		"account.create": {"login": "new", "role": "customer"}, "account.update": {"account": shop, "name": "x"},
		"account.disable": {"account": shop}, "account.enable": {"account": shop}, "account.delete": {"account": shop},
		"login.invite": {"account": shop}, "session.act": {"account": shop, "why": "he asked for it"}, "session.purge": {},
		"limits.set":   {"failures": 8, "admin_idle": 20, "admin_total": 480, "reseller_idle": 30, "reseller_total": 720, "customer_idle": 60, "customer_total": 1440},
		"token.create": {"name": "x", "scope": []string{"read"}, "expires_in": 1}, "password.policy.set": {"level": "very strong"},
		"factor.reset": {"account": shop, "how": "called back"}, "totp.begin": {}, "totp.remove": {}, "passkey.add": {"name": "x", "response": "x"}, "recovery.renew": {},
		"mfa.set": {"group": "customers", "required": true}, "access.mode": {"mode": "only-listed", "add_me": true}, "access.add": {"networks": "192.0.2.0/24"},
	}
}

func TestWhatOpensDoorsAsksForAProofOfAQuarterOfAnHour(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		me, _, codes := h.Arm(h.Init())
		shop := h.Create(me, "shop", "customer", "provider").ID
		h.Pass(15*time.Minute + time.Second)
		for op, in := range sensitive(shop) {
			if said := h.Refused(core.Unproved, me, op, in); !strings.Contains(said, "15 minutes") {
				t.Errorf("%s is refused with %q", op, said)
			}
		}
		for _, op := range h.Registry.Ops() { // whatever else declares one is refused too, if only because its sample is about nothing
			if op.Proof > 0 {
				if _, err := h.Do(t.Context(), act.Call{Op: op.Name, Actor: me, Input: op.Sample(), Confirmed: true}); err == nil {
					t.Errorf("%s went through", op.Name)
				}
			}
		}
		fresh := h.Inside(opened(h.Must(me, "session.prove", input{"code": codes[0]})))
		h.Pass(14 * time.Minute)
		h.Must(fresh, "limits.set", sensitive(shop)["limits.set"])
	})
}

func TestProvingWithASecondFactor(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		_, seed, codes := h.Arm(h.Create(root, "shop", "customer", "provider"))
		token := opened(h.Must(h.Enter("shop", good), "login.factor", input{"code": h.Code(seed)}))
		a := h.Inside(token)
		h.Pass(20 * time.Minute)
		h.Refused(core.Invalid, a, "session.prove", input{"password": good}) // the password is none beside a factor
		h.Refused(core.Invalid, a, "session.prove", input{"code": "000000"})
		h.Refused(core.Unproved, h.Inside(token), "recovery.renew", nil)
		r := h.Must(a, "session.prove", input{"code": codes[0]})
		h.Over(token)
		fresh := h.Inside(opened(r))
		if !fresh.Strong || h.Clock().Sub(fresh.Proof) > time.Minute || fresh.Session != a.Session {
			t.Errorf("he is %+v", fresh)
		}
		h.Must(fresh, "recovery.renew", nil)
		for range 5 {
			h.Refused(core.Invalid, fresh, "session.prove", input{"code": codes[0]}) // used before
		}
		h.Refused(core.Throttled, fresh, "session.prove", input{"code": h.Code(seed)})
	})
}

func TestProvingWithThePasswordIsForWhoHasNoFactor(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Account(root, "shop", "customer", "provider")
		h.Claim("shop")
		token := h.Token("shop", good)
		a := h.Inside(token)
		if a.Strong {
			t.Error("a password is a second factor")
		}
		h.Pass(20 * time.Minute)
		h.Refused(core.Unproved, a, "account.update", input{"account": a.ID, "name": "x"})
		h.Refused(core.Invalid, a, "session.prove", input{})
		h.Refused(core.Invalid, a, "session.prove", input{"code": "000000"})
		if said := h.Refused(core.Invalid, a, "session.prove", input{"password": other}); !strings.Contains(said, "is not your password") {
			t.Errorf("refused with %q", said)
		}
		if l := h.Last(); len(l.Events) != 2 || l.Events[1].Name != "credential.failed" || l.Actor.ID != a.ID {
			t.Errorf("recorded as %+v", l)
		}
		r := h.Must(a, "session.prove", input{"password": good})
		h.Over(token)
		fresh := h.Inside(opened(r))
		if fresh.Strong || h.Clock().Sub(fresh.Proof) > time.Minute {
			t.Errorf("he is %+v", fresh)
		}
		h.Must(fresh, "account.update", input{"account": a.ID, "name": "x"})
		h.Refused(core.Denied, fresh, "token.create", input{"name": "x", "scope": []string{"read"}, "expires_in": 1})
		for range 4 {
			h.Refused(core.Invalid, fresh, "session.prove", input{"password": other})
		}
		checks := h.Checks()
		h.Refused(core.Throttled, fresh, "session.prove", input{"password": good})
		if h.Checks() != checks {
			t.Error("a password was hashed while it waits")
		}
	})
}

// overtaken has somebody try a password, and n others before his is judged.
func overtaken(h *house, n int, others, try func() error) error {
	h.T.Helper()
	first := h.Block()
	answer := make(chan error, 1)
	go func() { answer <- try() }()
	<-first.Arrived
	second := h.Block()
	close(second.Open)
	go pass(h, second) // also for those who come afterwards
	for range n {
		if err := others(); err == nil {
			h.T.Error("a wrong password went through")
		}
	}
	close(first.Open)
	return <-answer
}

// pass lets everybody through a gate until the test is over.
func pass(h *house, g *accounttest.Gate) {
	for {
		select {
		case <-g.Arrived:
		case <-h.T.Context().Done():
			return
		}
	}
}

// TestAStolenSessionDoesNotGuessAtOnce tries the password from within a session, by
// both operations that ask for it.
func TestAStolenSessionDoesNotGuessAtOnce(t *testing.T) {
	wrong := "not the password at all"
	for op, fields := range map[string]func(password string) input{
		"session.prove":   func(password string) input { return input{"password": password} },
		"password.change": func(password string) input { return input{"old_password": password, "new_password": other} },
	} {
		t.Run(op, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				me := h.Init()
				call := func(password string) func() error {
					return func() error { _, err := h.Call(me, op, fields(password)); return err }
				}
				for _, password := range []string{wrong, good} {
					if err := overtaken(h, 5, call(wrong), call(password)); core.CodeOf(err) != core.Throttled || err == nil {
						t.Errorf("one that was overtaken by five: %v", err)
					}
					h.Pass(16 * time.Minute)
				}
			})
		})
	}
}

// TestProvingKeepsNoPagesWaiting has more people at their passwords than there are
// snapshots, and reads meanwhile.
func TestProvingKeepsNoPagesWaiting(t *testing.T) {
	for op, in := range map[string]input{
		"session.prove": {"password": "not the password at all"}, "password.change": {"old_password": "not the password at all", "new_password": other},
	} {
		t.Run(op, func(t *testing.T) {
			each(t, func(t *testing.T, h *house) {
				me := h.Init()
				const many = 24
				gate := h.Block()
				var all sync.WaitGroup
				for range many {
					all.Go(func() { _, _ = h.Call(me, op, in) })
				}
				defer all.Wait()
				defer close(gate.Open)
				limit := time.After(30 * time.Second)
				defer func() { go pass(h, gate) }() // who did not come as far
				for i := range many {
					select {
					case <-gate.Arrived:
					case <-limit:
						t.Fatalf("only %d came to their password: the others wait for a snapshot", i)
					}
				}
				h.Must(me, "account.list", nil)
			})
		})
	}
}

func TestWhoActsAsAnotherOrHasNoSessionProvesNothing(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		me := h.Init()
		h.Create(root, "shop", "customer", "provider")
		as := h.Inside(opened(h.Must(me, "session.act", input{"account": "shop", "why": "he asked for it"})))
		for _, in := range []input{{"password": good}, {"code": "000000"}} {
			h.Refused(core.NotFound, as, "session.prove", in) // the session is not the customer's
		}
		h.Refused(core.NotFound, h.As("shop"), "session.prove", input{"password": good})
		h.Refused(core.NotFound, root, "session.prove", input{"password": good})
	})
}

// TestAPasswordProvesNothingBesideAFactor changes the password in a session whose
// proof is old: a thief with the session and the password has no second factor.
func TestAPasswordProvesNothingBesideAFactor(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		_, seed, _ := h.Arm(h.Create(root, "shop", "customer", "provider"))
		token := opened(h.Must(h.Enter("shop", good), "login.factor", input{"code": h.Code(seed)}))
		h.Pass(20 * time.Minute)
		a := h.Inside(token)
		r := h.Must(a, "password.change", input{"old_password": good, "new_password": other})
		h.Over(token)
		after := h.Inside(opened(r))
		if !after.Proof.Equal(a.Proof) {
			t.Errorf("the proof moved from %s to %s", a.Proof, after.Proof)
		}
		h.Refused(core.Unproved, after, "totp.remove", nil)
		for _, e := range r.Changes {
			if e.Name == "session.proved" {
				t.Error("a proof is on record")
			}
		}
		// Who has no factor has shown all he has.
		h.Create(root, "plain", "customer", "provider")
		b := h.Enter("plain", good)
		h.Pass(20 * time.Minute)
		after = h.Inside(opened(h.Must(b, "password.change", input{"old_password": good, "new_password": other})))
		h.Must(after, "account.update", input{"account": b.ID, "name": "x"})
	})
}

func TestAPasskeyAtTheDoorIsAProofOfItsOwn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		passkeyOf(h, "shop", "phone")
		browser := accounttest.Stranger("192.0.2.8")
		browser.Host = "panel.test:8443"
		response := answer(h, browser, "phone")
		r := h.Must(browser, "login.passkey", input{"passkey": response})
		a := at(h, opened(r), "")
		if !a.Strong || a.Name != "shop" {
			t.Errorf("he is %+v", a)
		}
		if l := h.Last(); l.Actor.ID != a.ID || l.Action != "login.passkey" || l.Outcome != "done" {
			t.Errorf("recorded as %+v", l)
		}
		h.Must(a, "token.create", input{"name": "x", "scope": []string{"read"}, "expires_in": 1})
		h.Refused(core.Unauthenticated, browser, "login.passkey", input{"passkey": response}) // once
		h.Must(root, "account.disable", input{"account": "shop"})
		h.Refused(core.Unauthenticated, browser, "login.passkey", input{"passkey": answer(h, browser, "phone")})
		if n := len(h.Failures()); n != 1 {
			t.Errorf("the ban filter is told of %d, want the repeated one", n)
		}
	})
}

// TestAPreviewTriesNothingForFree: a wrong password counts in it, and a right one
// changes nothing.
func TestAPreviewTriesNothingForFree(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		token := h.Token("root", good)
		me := h.Inside(token)
		look := func(op string, in input) (act.Result, error) {
			b, err := json.Marshal(in)
			if err != nil {
				t.Fatal(err)
			}
			return h.Do(t.Context(), act.Call{Op: op, Actor: me, Input: b, Preview: true})
		}
		for op, in := range map[string]input{"session.prove": {"password": good}, "password.change": {"old_password": good, "new_password": other}} {
			r, err := look(op, in)
			if err != nil || r.State != act.Previewed {
				t.Fatalf("%s: %+v, %v", op, r, err)
			}
			h.Over(opened(r))
		}
		h.Inside(token)
		for i := range 5 {
			op, in := "session.prove", input{"password": wrong}
			if i%2 == 0 {
				op, in = "password.change", input{"old_password": wrong, "new_password": wrong}
			}
			if _, err := look(op, in); core.CodeOf(err) != core.Invalid {
				t.Errorf("%s: %v", op, err)
			}
		}
		if _, err := look("session.prove", input{"password": good}); core.CodeOf(err) != core.Throttled {
			t.Errorf("after five wrong ones: %v", err)
		}
	})
}
