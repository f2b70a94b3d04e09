package login_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/login"
)

// from is a stranger of a network that has not tried before.
func from(i int) act.Actor {
	return accounttest.Stranger(fmt.Sprintf("198.18.%d.%d", i/200, i%200+1))
}

// guess tries a wrong password from a network of its own, and returns what is said.
func guess(h *house, i int, name string) error {
	_, err := h.Call(from(i), "login.enter", input{"login": name, "password": wrong})
	return err
}

func limits(failures int) input {
	return input{"failures": failures, "admin_idle": 30, "admin_total": 720, "reseller_idle": 60, "reseller_total": 1440, "customer_idle": 60, "customer_total": 1440}
}

// TestManyNetworksLockANameWhetherOrNotAnybodyHasIt plays a botnet against a name
// that exists, one that is closed, and one that nobody has.
func TestManyNetworksLockANameWhetherOrNotAnybodyHasIt(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Create(root, "shop", "customer", "provider")
		h.Create(root, "closed", "customer", "provider")
		h.Must(root, "account.disable", input{"account": "closed"})
		answers := map[string]string{}
		for _, name := range []string{"shop", "closed", "nobody", "not a name at all"} {
			var all []string
			for i := range 12 {
				all = append(all, guess(h, i, name).Error())
			}
			h.Pass(23 * time.Hour)
			all = append(all, guess(h, 20, name).Error())
			h.Pass(time.Hour)
			all = append(all, guess(h, 21, name).Error(), guess(h, 22, name).Error()) // one more, and it is locked again
			answers[strings.Join(all, "\n")] += name + " "
		}
		if len(answers) != 1 {
			t.Errorf("names are told apart: %v", answers)
		}
		for said := range answers {
			lines := strings.Split(said, "\n")
			for i, line := range lines {
				if locked := strings.Contains(line, "locked"); locked != (i == 10 || i == 11 || i == 12 || i == 14) {
					t.Errorf("answer %d is %q", i, line)
				}
			}
		}
	})
}

func TestALockedNameForgetsAfterADayWithoutAFailure(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Create(h.Primary(), "shop", "customer", "provider")
		lock(h, "shop")
		h.Pass(48 * time.Hour)
		for i := range 9 {
			if err := guess(h, i, "shop"); core.CodeOf(err) != core.Unauthenticated {
				t.Fatalf("failure %d: %v", i+1, err)
			}
		}
		enter(h, "shop", good) // not locked, and it forgets
		for i := range 9 {
			if err := guess(h, i+20, "shop"); core.CodeOf(err) != core.Unauthenticated {
				t.Fatalf("failure %d after a log-in: %v", i+1, err)
			}
		}
	})
}

func TestALinkOpensALockedName(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Create(h.Primary(), "shop", "customer", "provider")
		lock(h, "shop")
		h.Refused(core.Throttled, stranger, "login.enter", input{"login": "shop", "password": good})
		r := h.Must(stranger, "login.claim", input{"token": h.Invite(root, "shop"), "password": other})
		if !strings.Contains(fmt.Sprint(r.Changes), "throttle.cleared") {
			t.Errorf("recorded %+v", r.Changes)
		}
		enter(h, "shop", other)
	})
}

func TestAPasskeyOpensALockedName(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		passkeyOf(h, "shop", "phone")
		lock(h, "shop")
		h.Refused(core.Throttled, stranger, "login.enter", input{"login": "shop", "password": good})
		h.Must(stranger, "login.passkey", input{"passkey": answer(h, stranger, "phone")})
		enter(h, "shop", good)
	})
}

// TestAHundredInARowLockUntilAReset: NIST SP 800-63B-4 3.2.2.
func TestAHundredInARowLockUntilAReset(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Create(h.Primary(), "shop", "customer", "provider")
		h.Must(root, "limits.set", limits(50))
		for i := range 99 {
			if err := guess(h, i, "shop"); core.CodeOf(err) != core.Unauthenticated {
				t.Fatalf("failure %d: %v", i+1, err)
			}
			if i >= 49 {
				h.Pass(24 * time.Hour) // locked from the fiftieth on, each time
			}
		}
		if err := guess(h, 100, "shop"); core.CodeOf(err) != core.Unauthenticated {
			t.Fatalf("failure 100: %v", err)
		}
		h.Pass(10 * 365 * 24 * time.Hour)
		h.Refused(core.Throttled, stranger, "login.enter", input{"login": "shop", "password": good})
		h.Must(stranger, "login.claim", input{"token": h.Invite(root, "shop"), "password": other})
		enter(h, "shop", other)
	})
}

// TestTheNetworkWaitsFirst: one network alone is slowed down long before it could
// lock a name.
func TestTheNetworkWaitsFirst(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Create(h.Primary(), "shop", "customer", "provider")
		for range 5 {
			h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "shop", "password": wrong})
		}
		for range 20 {
			if said := h.Refused(core.Throttled, stranger, "login.enter", input{"login": "shop", "password": wrong}); !strings.Contains(said, "try again in a minute") {
				t.Errorf("it is said %q", said)
			}
		}
		enter := func(a act.Actor) { h.Must(a, "login.enter", input{"login": "shop", "password": good}) }
		enter(from(1))
		h.Pass(time.Minute)
		enter(stranger)
	})
}

func TestLimitsHoldFromThenOn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		for name, role := range map[string]string{"auditor": "auditor", "agency": "reseller", "shop": "customer"} {
			h.Create(root, name, role, "provider")
		}
		if got := h.Must(root, "limits.show", nil).Output.(login.Limits); got != (login.Limits{Failures: 10, AdminIdle: 30, AdminTotal: 720, ResellerIdle: 60, ResellerTotal: 1440, CustomerIdle: 60, CustomerTotal: 1440}) {
			t.Errorf("by default %+v", got)
		}
		r := h.Must(root, "limits.set", input{"failures": 3, "admin_idle": 5, "admin_total": 30, "reseller_idle": 10, "reseller_total": 60, "customer_idle": 20, "customer_total": 90})
		if len(r.Changes) != 1 || r.Changes[0].Name != "limits.set" || len(r.Changes[0].Fields) != 7 {
			t.Errorf("recorded %+v", r.Changes)
		}
		if again := h.Must(root, "limits.set", input{"failures": 3, "admin_idle": 5, "admin_total": 30, "reseller_idle": 10, "reseller_total": 60, "customer_idle": 20, "customer_total": 90}); again.State != act.Unchanged {
			t.Errorf("the same again is %s", again.State)
		}
		for name, c := range map[string]struct{ idle, total time.Duration }{
			"root": {5, 30}, "auditor": {5, 30}, "agency": {10, 60}, "shop": {20, 90},
		} {
			idle, busy := h.Token(name, good), h.Token(name, good)
			h.Pass(c.idle*time.Minute - time.Second)
			h.Inside(busy)
			h.Pass(2 * time.Second)
			h.Over(idle)
			for spent := c.idle; spent+c.idle/2 < c.total; spent += c.idle / 2 {
				h.Pass(c.idle / 2 * time.Minute)
				h.Inside(busy)
			}
			h.Pass(c.idle / 2 * time.Minute)
			h.Over(busy)
		}
		for i := range 3 {
			if err := guess(h, i, "shop"); core.CodeOf(err) != core.Unauthenticated {
				t.Errorf("failure %d: %v", i+1, err)
			}
		}
		h.Refused(core.Throttled, stranger, "login.enter", input{"login": "shop", "password": good})
	})
}

// TestASessionKeepsTheLimitsItBeganWith: a change is for those to come.
func TestASessionKeepsTheLimitsItBeganWith(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Create(h.Primary(), "shop", "customer", "provider")
		token := h.Token("shop", good)
		in := limits(10)
		in["customer_idle"] = 5
		h.Must(root, "limits.set", in)
		h.Pass(50 * time.Minute)
		h.Inside(token)
	})
}

func TestOnlyThePrimaryAdministratorSetsLimits(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		me := h.Init()
		second := h.Create(me, "second", "additional administrator", "provider")
		agency := h.Create(me, "agency", "reseller", "provider")
		shop := h.Create(agency, "shop", "customer", "")
		auditor := h.Create(me, "auditor", "auditor", "provider")
		for _, who := range []act.Actor{second, agency, shop, auditor} {
			h.Refused(core.Denied, who, "limits.set", limits(8))
		}
		for _, who := range []act.Actor{agency, shop} {
			h.Refused(core.Denied, who, "limits.show", nil)
		}
		h.Must(second, "limits.show", nil)
		h.Must(auditor, "limits.show", nil)
		for field, bad := range map[string][]any{"failures": {0, 2, 51, -1}, "admin_idle": {4, 61}, "admin_total": {29, 1441}, "customer_idle": {0}, "reseller_total": {1 << 40}} {
			for _, value := range bad {
				in := limits(8)
				in[field] = value
				if said := h.Refused(core.Invalid, me, "limits.set", in); !strings.Contains(said, field) {
					t.Errorf("%s %v: %q", field, value, said)
				}
			}
		}
		h.Must(me, "limits.set", limits(8))
		h.Pass(16 * time.Minute)
		h.Refused(core.Unproved, me, "limits.set", limits(9))
	})
}

// TestNobodyFindsANameThatSharesABucket: without a salt, shop332377 shared one with
// root, and a reseller who made himself that account could go on guessing.
func TestNobodyFindsANameThatSharesABucket(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Create(root, "shop332377", "customer", "provider")
		for i := range 9 {
			if err := guess(h, i, "root"); core.CodeOf(err) != core.Unauthenticated {
				t.Fatal(err)
			}
		}
		enter(h, "shop332377", good)
		if err := guess(h, 20, "root"); core.CodeOf(err) != core.Unauthenticated {
			t.Fatal(err)
		}
		if err := guess(h, 21, "root"); core.CodeOf(err) != core.Throttled {
			t.Errorf("after ten failures and somebody else's log-in: %v", err)
		}
	})
}
