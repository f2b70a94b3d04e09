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

const wrong = "not the password at all"

// known logs an account in and returns the token of the browser it came from.
func known(h *house, name, password string) string {
	h.T.Helper()
	return enter(h, name, password).Device.Reveal()
}

func devices(h *house, a act.Actor, account string) []login.Device {
	h.T.Helper()
	return h.Must(a, "device.list", input{"account": account}).Output.(login.Devices).Devices
}

// lock locks a log-in name, as a stranger with many addresses would.
func lock(h *house, name string) {
	h.T.Helper()
	for i := range 10 {
		h.Refused(core.Unauthenticated, accounttest.Stranger(fmt.Sprintf("203.0.113.%d", i+1)), "login.enter", input{"login": name, "password": wrong})
	}
	h.Refused(core.Throttled, accounttest.Stranger("203.0.113.200"), "login.enter", input{"login": name, "password": wrong})
}

func TestABrowserIsKnownAfterAFullLoginAndNotBefore(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		_, seed, _ := h.Arm(h.Create(root, "shop", "customer", "provider"))
		before := h.Count("login_device")
		half := enter(h, "shop", good)
		if n := h.Count("login_device"); n != before || !half.Device.Empty() {
			t.Errorf("after the password alone %d browsers are known", n)
		}
		h.Refused(core.Invalid, h.Inside(half.Token), "login.factor", input{"code": "000000"})
		full := h.Must(h.Inside(half.Token), "login.factor", input{"code": h.Code(seed)}).Output.(login.Entered)
		token, until := full.KnowsDevice()
		if n := h.Count("login_device"); n != before+1 || len(token.Reveal()) < 50 || until.Sub(h.Clock()).Round(time.Hour) != 365*24*time.Hour {
			t.Errorf("%d browsers are known, this one until %s", n, until)
		}
		again := h.Must(h.Enter("shop", good), "login.factor", input{"code": h.Code(seed), "device": token.Reveal()}).Output.(login.Entered)
		if n := h.Count("login_device"); n != before+1 || !again.Device.Empty() {
			t.Errorf("the same browser once more: %d are known", n)
		}
		breach(h, "1.fuse", good) // a step that comes last
		last := h.Must(h.Enter("shop", good), "login.factor", input{"code": h.Code(seed)}).Output.(login.Entered)
		if last.Step != "password" || !last.Device.Empty() {
			t.Errorf("with a password to change: %+v", last)
		}
		require(h)
		h.Breached = nil
		h.Create(root, "bare", "customer", "provider")
		if e := enter(h, "bare", good); e.Step != "enrol" || !e.Device.Empty() {
			t.Errorf("with a factor to set up: %+v", e)
		}
	})
}

func TestAKnownBrowserOpensALockedName(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Create(root, "shop", "customer", "provider")
		h.Create(root, "rival", "customer", "provider")
		mine, theirs := known(h, "shop", good), known(h, "rival", good)
		lock(h, "shop")
		right := func(device string) input { return input{"login": "shop", "password": good, "device": device} }
		for _, token := range []string{"", theirs, strings.Repeat("a", 52), "' OR ''='", strings.ToUpper(mine), mine + "a"} {
			h.Refused(core.Throttled, stranger, "login.enter", right(token))
		}
		e := h.Must(stranger, "login.enter", right(mine)).Output.(login.Entered)
		if e.Step != "" || !e.Device.Empty() {
			t.Errorf("the answer is %+v", e)
		}
		h.Over(core.NewSecret(mine)) // it is no session
		// The log-in has opened the name for everybody.
		h.Must(accounttest.Stranger("203.0.113.200"), "login.enter", right(""))
	})
}

// TestFailuresFromAKnownBrowserAreItsOwn: they slow nobody else down, and five end it.
func TestFailuresFromAKnownBrowserAreItsOwn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		shop := h.Create(root, "shop", "customer", "provider")
		h.Pass(time.Hour)
		token := known(h, "shop", good)
		seen := devices(h, shop, "")[0].Seen
		for i := range 4 {
			h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "shop", "password": wrong, "device": token})
			if n := h.Count("login_throttle"); n != 0 {
				t.Errorf("%d failures elsewhere are remembered", n)
			}
			if l := h.Last(); len(l.Events) != 2 || l.Events[0].Name != "device.failed" || *l.Events[0].Fields[0].New != fmt.Sprint(i+1) || l.Events[1].Name != "credential.failed" {
				t.Errorf("recorded as %+v", l.Events)
			}
		}
		if list := devices(h, shop, ""); !list[0].Seen.Equal(seen) {
			t.Errorf("a failure counts as seen: %s, before %s", list[0].Seen, seen)
		}
		h.Must(stranger, "login.enter", input{"login": "shop", "password": good, "device": token}) // forgets them
		for range 5 {
			h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "shop", "password": wrong, "device": token})
		}
		if n := len(devices(h, shop, "")); n != 1 { // the one that Create came from
			t.Errorf("%d browsers are known", n)
		}
		h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "shop", "password": wrong, "device": token})
		if n := h.Count("login_throttle"); n != 4 {
			t.Errorf("%d rows are remembered, want the three of a stranger and the salt", n)
		}
		if e := h.Must(stranger, "login.enter", input{"login": "shop", "password": good, "device": token}).Output.(login.Entered); e.Device.Empty() {
			t.Error("a browser that was forgotten is still known")
		}
	})
}

// TestAKnownBrowserGuessesFiveTimesHoweverFast has its failures overtake an attempt
// that is under way: neither is that one answered, nor does it let anybody in.
func TestAKnownBrowserGuessesFiveTimesHoweverFast(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Create(root, "shop", "customer", "provider")
		for _, password := range []string{wrong, good} {
			token := known(h, "shop", good)
			lock(h, "shop")
			try := func(password string) func() error {
				return func() error {
					_, err := h.Call(stranger, "login.enter", input{"login": "shop", "password": password, "device": token})
					return err
				}
			}
			if err := overtaken(h, 5, try(wrong), try(password)); core.CodeOf(err) != core.Throttled || err == nil {
				t.Errorf("the sixth: %v", err)
			}
			h.Must(stranger, "login.claim", input{"token": h.Invite(root, "shop"), "password": good})
		}
	})
}

func TestTwentyBrowsersAreKnownOfOneAccount(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		shop := h.Create(root, "shop", "customer", "provider")
		oldest, seen := known(h, "shop", good), known(h, "shop", good)
		for range 19 {
			h.Pass(time.Second)
			known(h, "shop", good)
			h.Must(stranger, "login.enter", input{"login": "shop", "password": good, "device": seen})
		}
		if n := len(devices(h, shop, "")); n != 20 {
			t.Errorf("%d browsers are known", n)
		}
		lock(h, "shop")
		h.Refused(core.Throttled, stranger, "login.enter", input{"login": "shop", "password": good, "device": oldest})
		h.Must(stranger, "login.enter", input{"login": "shop", "password": good, "device": seen})
	})
}

func TestABrowserUnseenForAYearIsForgotten(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Create(root, "shop", "customer", "provider")
		used, unused := known(h, "shop", good), known(h, "shop", good)
		h.Pass(364 * 24 * time.Hour)
		h.Must(stranger, "login.enter", input{"login": "shop", "password": good, "device": used})
		h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "shop", "password": wrong, "device": unused}) // is no log-in
		h.Pass(24 * time.Hour)
		lock(h, "shop")
		h.Refused(core.Throttled, stranger, "login.enter", input{"login": "shop", "password": good, "device": unused})
		h.Must(stranger, "login.enter", input{"login": "shop", "password": good, "device": used})
	})
}

func TestWhoForgetsWhoseBrowser(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		primary := h.Primary()
		auditor := h.Account(primary, "auditor", "auditor", "provider")
		second := h.Account(primary, "second", "additional administrator", "provider")
		agency, rival := h.Account(primary, "agency", "reseller", "provider"), h.Account(primary, "rival", "reseller", "provider")
		shop := h.Create(agency, "shop", "customer", "")
		enter(h, "root", good)
		other := shop
		token := known(h, "shop", good)
		id := devices(h, shop, "")[0].ID
		top := devices(h, primary, "")[0].ID
		for _, c := range []struct {
			who    act.Actor
			device string
			code   core.Code
		}{
			{rival, id, core.NotFound}, {other, top, core.NotFound}, {second, top, core.NotFound}, {auditor, id, core.Denied}, {shop, "d_nobody", core.NotFound},
		} {
			h.Refused(c.code, c.who, "device.forget", input{"device": c.device})
		}
		h.Refused(core.NotFound, rival, "device.list", input{"account": shop.ID})
		h.Refused(core.NotFound, second, "device.list", input{"account": "root"})
		if list := devices(h, auditor, "shop"); len(list) != 2 || list[0].Agent != "test browser" || list[0].Address != "192.0.2.7" {
			t.Errorf("the auditor sees %+v", list)
		}
		h.Must(agency, "device.forget", input{"device": id})
		h.Must(shop, "device.forget", input{"device": devices(h, shop, "")[0].ID})
		lock(h, "shop")
		h.Refused(core.Throttled, stranger, "login.enter", input{"login": "shop", "password": good, "device": token})
		enter(h, "root", good)
		h.Must(agency, "account.delete", input{"account": "shop"})
		if n := h.Count("login_device"); n != 2 {
			t.Errorf("%d browsers are known, want the administrator's two", n)
		}
	})
}

// TestAKnownBrowserStandsForNoFactor: it lets nobody in by itself.
func TestAKnownBrowserStandsForNoFactor(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		_, seed, _ := h.Arm(h.Create(root, "shop", "customer", "provider"))
		token, _ := h.Must(h.Enter("shop", good), "login.factor", input{"code": h.Code(seed)}).Output.(login.Entered).KnowsDevice()
		e := h.Must(stranger, "login.enter", input{"login": "shop", "password": good, "device": token.Reveal()}).Output.(login.Entered)
		at(h, e.Token, "factor")
		if h.Count("login_device") != 2 {
			t.Error("another browser is known")
		}
	})
}
