package login_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/login"
	"hostward/internal/feature/notice"
)

// elsewhere is somebody with the right password at one of many networks, before
// the last step.
func elsewhere(h *house, n int, name string) act.Actor {
	h.T.Helper()
	from := fmt.Sprintf("203.0.113.%d", n)
	a := at(h, h.Must(accounttest.Stranger(from), "login.enter", input{"login": name, "password": good}).Output.(login.Entered).Token, "factor")
	a.Address = from
	return a
}

func subjects(h *house, a act.Actor) (all []string) {
	for _, n := range h.Must(a, "notice.list", nil).Output.(notice.List).Notices {
		all = append(all, n.Subject)
	}
	return all
}

// TestWhoKnowsAPasswordEndsNobodysSession opens many sessions that get no further.
func TestWhoKnowsAPasswordEndsNobodysSession(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		shop, _, _ := h.Arm(h.Create(root, "shop", "customer", "provider"))
		first := elsewhere(h, 1, "shop")
		for n := range 60 {
			h.Pass(time.Second)
			elsewhere(h, n+2, "shop")
		}
		list := h.Must(shop, "session.list", nil).Output.(login.Sessions).Sessions
		if len(list) != 11 || !slices.ContainsFunc(list, func(s login.Session) bool { return s.Current }) {
			t.Errorf("%d sessions are open", len(list))
		}
		h.Refused(core.NotFound, first, "login.factor", input{"code": "000000"}) // its session gave way
		h.Pass(20 * time.Minute)
		if list := h.Must(shop, "session.list", nil).Output.(login.Sessions).Sessions; len(list) != 1 {
			t.Errorf("after 20 minutes %d are open", len(list))
		}
	})
}

// TestAWholeSessionLastsAsLongAsWholeOnesDo: the last step makes it so.
func TestAWholeSessionLastsAsLongAsWholeOnesDo(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		_, seed, _ := h.Arm(h.Create(root, "shop", "customer", "provider"))
		h.Pass(time.Minute)
		e := enter(h, "shop", good)
		if life := e.Expires.Sub(h.Clock()); life > 20*time.Minute {
			t.Errorf("before the last step it lasts %s", life)
		}
		h.Pass(5 * time.Minute)
		whole := h.Must(at(h, e.Token, "factor"), "login.factor", input{"code": h.Code(seed)}).Output.(login.Entered)
		if life := whole.Expires.Sub(h.Clock()); life < 23*time.Hour {
			t.Errorf("after it %s", life)
		}
	})
}

// TestAHundredWrongCodesLockThemForStrangersAlone: whoever has the password guesses
// from everywhere; its owner gets in from a browser that is known, and is told.
func TestAHundredWrongCodesLockThemForStrangersAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		shop, seed, _ := h.Arm(h.Create(root, "shop", "customer", "provider"))
		h.Pass(time.Minute)
		mine := h.Must(at(h, enter(h, "shop", good).Token, "factor"), "login.factor", input{"code": h.Code(seed)}).Output.(login.Entered).Device
		for n := range 20 {
			a := elsewhere(h, n+1, "shop")
			for range 5 {
				h.Refused(core.Invalid, a, "login.factor", input{"code": "000000"})
			}
		}
		h.Pass(time.Hour)
		a := elsewhere(h, 200, "shop")
		if said := h.Refused(core.Throttled, a, "login.factor", input{"code": h.Code(seed)}); !strings.Contains(said, "100") {
			t.Errorf("it says %q", said)
		}
		if n := len(slices.DeleteFunc(subjects(h, shop), func(s string) bool { return s != "Wrong codes after your password" })); n != 3 {
			t.Errorf("he was told %d times", n)
		}
		e := h.Must(stranger, "login.enter", input{"login": "shop", "password": good, "device": mine.Reveal()}).Output.(login.Entered)
		h.Must(at(h, e.Token, "factor"), "login.factor", input{"code": h.Code(seed), "device": mine.Reveal()})
		h.Pass(time.Minute)
		h.Must(elsewhere(h, 201, "shop"), "login.factor", input{"code": h.Code(seed)}) // a right one opens them again
	})
}

// TestWrongCodesWithinASessionAreNotSaidToFollowThePassword: three strangers' codes
// are told once, whatever its owner mistypes afterwards.
func TestWrongCodesWithinASessionAreNotSaidToFollowThePassword(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		shop, _, _ := h.Arm(h.Create(root, "shop", "customer", "provider"))
		a := elsewhere(h, 1, "shop")
		for range 3 {
			h.Refused(core.Invalid, a, "login.factor", input{"code": "000000"})
		}
		before := subjects(h, shop)
		if !slices.Contains(before, "Wrong codes after your password") {
			t.Fatalf("he was told %q", before)
		}
		h.Refused(core.Invalid, shop, "session.prove", input{"code": "000000"})
		if after := subjects(h, shop); len(after) != len(before) {
			t.Errorf("he was told again: %q", after)
		}
	})
}

// TestALetterEndsNoLinkThatSomebodyMade: anybody may ask for a letter.
func TestALetterEndsNoLinkThatSomebodyMade(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Mails = true
		shop := mailed(h, "shop", "customer")
		made := h.Invite(root, "shop")
		h.Must(accounttest.Stranger("203.0.113.9"), "login.forgot", input{"login": "shop"})
		sent := post(h)[shop.ID]
		if sent == "" {
			t.Fatal("no letter went out")
		}
		h.Must(stranger, "login.claim", input{"token": made, "password": good})
		h.Refused(core.NotFound, stranger, "login.claim", input{"token": sent, "password": good}) // one that is used ends the others
	})
}

// TestUnusualLogInsAreTold: from a new browser, and after failures.
func TestUnusualLogInsAreTold(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Create(root, "shop", "customer", "provider")
		h.Pass(2 * time.Hour)
		shop := h.As("shop")
		before := len(subjects(h, shop))
		for range 3 {
			h.Refused(core.Unauthenticated, accounttest.Stranger("203.0.113.9"), "login.enter", input{"login": "shop", "password": wrong})
		}
		enter(h, "shop", good)
		got := subjects(h, shop)
		for _, want := range []string{"A log-in from a new browser", "Failed log-ins before yours"} {
			if !slices.Contains(got[:len(got)-before], want) {
				t.Errorf("he was told %q", got)
			}
		}
	})
}

// TestAPasskeyAsksForNoNewPassword: no password was shown, and its owner may not
// know it.
func TestAPasskeyAsksForNoNewPassword(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		passkeyOf(h, "shop", "phone")
		with(h, "other", good)
		breach(h, "2026-11.fuse", good)
		if e := enter(h, "other", good); e.Step != "password" {
			t.Fatalf("with the password the step is %q", e.Step)
		}
		at(h, opened(h.Must(stranger, "login.passkey", input{"passkey": answer(h, stranger, "phone")})), "")
	})
}
