package login_test

import (
	"slices"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/login"
	"hostward/internal/feature/notice"
	"hostward/internal/feature/password"
)

const (
	strongOnly = "hens and ladders" // strong, and not very strong
	short      = "k7#vQ2!xLp"       // good beside a second factor alone
)

// with makes a customer with a password of his own.
func with(h *house, name, password string) {
	h.T.Helper()
	h.Account(root, name, "customer", "provider")
	h.Must(stranger, "login.claim", input{"token": h.Invite(root, name), "password": password})
}

// judged reports what a log-in found out about a password, "" for nothing.
func judged(r act.Result) string {
	for _, e := range r.Changes {
		if e.Name == "credential.judged" {
			return *e.Fields[0].New
		}
	}
	return ""
}

func census(h *house) password.Census {
	h.T.Helper()
	return h.Must(root, "password.policy.show", nil).Output.(password.Policy).Census
}

func TestAHigherLevelIsAskedForAtTheNextLogin(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		with(h, "shop", strongOnly)
		session := enter(h, "shop", strongOnly)
		at(h, session.Token, "")
		if got := census(h); got != (password.Census{Total: 2, Current: 2}) {
			t.Errorf("before: %+v", got)
		}
		h.Must(root, "password.policy.set", input{"level": "very strong"})
		if got := census(h); got != (password.Census{Total: 2, Unseen: 2}) {
			t.Errorf("after the level rose: %+v", got)
		}
		at(h, session.Token, "") // nobody is looked at who does not log in
		r := h.Must(stranger, "login.enter", input{"login": "shop", "password": strongOnly})
		if judged(r) != "must be changed" {
			t.Errorf("recorded %+v", r.Changes)
		}
		at(h, session.Token, "password") // what was found holds for every session
		a := at(h, opened(r), "password")
		if why := h.Must(a, "login.step", nil).Output.(login.Step).Why; !strings.Contains(why, "is strong, and at least very strong is asked for") || strings.Contains(why, "hens") {
			t.Errorf("why: %q", why)
		}
		r = h.Must(stranger, "login.enter", input{"login": "root", "password": good})
		if judged(r) != "good" {
			t.Errorf("the good one: recorded %+v", r.Changes)
		}
		if got := census(h); got != (password.Census{Total: 2, Current: 1, Weak: 1}) {
			t.Errorf("after both logged in: %+v", got)
		}
		if r := h.Must(stranger, "login.enter", input{"login": "root", "password": good}); judged(r) != "" {
			t.Error("it was judged twice")
		}
		if r := h.Must(stranger, "login.enter", input{"login": "shop", "password": strongOnly}); judged(r) != "" || r.Output.(login.Entered).Step != "password" {
			t.Errorf("a weak one: %+v", r.Output)
		}
		h.Refused(core.Invalid, a, "password.change", input{"old_password": strongOnly, "new_password": "ladders and hens"})
		h.Refused(core.Invalid, a, "password.change", input{"old_password": strongOnly, "new_password": strongOnly})
		at(h, opened(h.Must(a, "password.change", input{"old_password": strongOnly, "new_password": other})), "")
		h.Over(session.Token)
		if got := census(h); got != (password.Census{Total: 2, Current: 2}) {
			t.Errorf("after the change: %+v", got)
		}
		at(h, enter(h, "shop", other).Token, "")
	})
}

func TestALowerLevelForgives(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		with(h, "shop", strongOnly)
		h.Must(root, "password.policy.set", input{"level": "very strong"})
		if step := enter(h, "shop", strongOnly).Step; step != "password" {
			t.Fatalf("left is %q", step)
		}
		h.Must(root, "password.policy.set", input{"level": "medium"})
		if e := enter(h, "shop", strongOnly); e.Step != "" {
			t.Errorf("left is %q", e.Step)
		}
		h.NIS2 = true // asks for strong: that is another demand, and this one is enough
		if r := h.Must(stranger, "login.enter", input{"login": "shop", "password": strongOnly}); judged(r) != "good" {
			t.Errorf("recorded %+v", r.Changes)
		}
	})
}

func TestANewListIsAskedAtTheNextLogin(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		with(h, "shop", other)
		breach(h, "1.fuse", other)
		if step := enter(h, "shop", other).Step; step != "password" {
			t.Fatalf("left is %q", step)
		}
		if step := enter(h, "root", good).Step; step != "" {
			t.Errorf("of another password it is %q", step)
		}
		h.Must(stranger, "login.claim", input{"token": h.Invite(root, "shop"), "password": good}) // a link ends it too
		at(h, enter(h, "shop", good).Token, "")
		breach(h, "2.fuse", good)
		if step := enter(h, "shop", good).Step; step != "password" {
			t.Errorf("after a second list: %q", step)
		}
	})
}

// TestAPasswordThatLosesItsFactorIsJudgedAlone: beside one eight characters are enough.
func TestAPasswordThatLosesItsFactorIsJudgedAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		armed, seed, _ := h.Arm(h.Create(root, "shop", "customer", "provider"))
		h.Refused(core.Invalid, h.Enter("root", good), "password.change", input{"old_password": good, "new_password": short})
		at(h, opened(h.Must(armed, "password.change", input{"old_password": good, "new_password": short})), "")
		if r := h.Must(stranger, "login.enter", input{"login": "shop", "password": short}); judged(r) != "" {
			t.Errorf("beside the factor it was judged again: %+v", r.Changes)
		}
		h.Must(h.Strong("shop", short, seed), "totp.remove", nil)
		a := at(h, enter(h, "shop", short).Token, "password")
		if why := h.Must(a, "login.step", nil).Output.(login.Step).Why; !strings.Contains(why, "at least 15") {
			t.Errorf("why: %q", why)
		}
		h.Arm(h.Inside(opened(h.Must(a, "password.change", input{"old_password": short, "new_password": other}))))
		// With a factor again the short one would do, by a link too.
		h.Must(stranger, "login.claim", input{"token": h.Invite(root, "shop"), "password": short})
	})
}

func TestAChangedPasswordIsToldAndEndsWhatWasOpen(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Create(root, "shop", "customer", "provider")
		elsewhere, here := h.Token("shop", good), h.Token("shop", good)
		kept := h.Token("root", good)
		a := h.Inside(here)
		r := h.Must(a, "password.change", input{"old_password": good, "new_password": other})
		h.Over(here)
		h.Over(elsewhere)
		h.Inside(kept)
		after := h.Inside(opened(r))
		if after.Session != a.Session || after.Strong {
			t.Errorf("he is %+v", after)
		}
		var told []notice.Notice
		for _, n := range h.Must(after, "notice.list", nil).Output.(notice.List).Notices {
			if n.Subject == "Your password was changed" {
				told = append(told, n)
			}
		}
		if len(told) != 1 || !strings.Contains(told[0].Text, "192.0.2.9") {
			t.Errorf("he is told %+v", told)
		}
		// A link tells and ends too.
		h.Must(accounttest.Stranger("192.0.2.66"), "login.claim", input{"token": h.Invite(root, "shop"), "password": good})
		h.Over(opened(r))
		list := h.Must(h.As("shop"), "notice.list", nil).Output.(notice.List).Notices
		if !slices.ContainsFunc(list, func(n notice.Notice) bool {
			return n.Subject == "Your password was set" && strings.Contains(n.Text, "192.0.2.66")
		}) {
			t.Errorf("he is told %+v", list)
		}
	})
}
