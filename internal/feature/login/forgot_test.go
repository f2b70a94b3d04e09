package login_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/login"
	"hostward/internal/feature/notice"
)

// letters are those that wait to be sent.
func letters(h *house) (due []notice.Letter) {
	h.T.Helper()
	err := h.Look(context.Background(), "test", func(v *act.View) (err error) {
		due, err = notice.Due(context.Background(), v)
		return err
	})
	if err != nil {
		h.T.Fatal(err)
	}
	return due
}

// post sends every letter that waits, as the mailer does, and returns the links for
// new passwords, by account.
func post(h *house) map[string]string {
	h.T.Helper()
	links := map[string]string{}
	for _, l := range letters(h) {
		if l.Account != "" && l.Notice == nil {
			_, text, err := h.Logins.Letter(context.Background(), h.Bus, l.Account, l.About, "https://panel.example")
			if err != nil {
				h.T.Fatal(err)
			}
			_, rest, _ := strings.Cut(text, "https://panel.example/setup#token=")
			links[l.Account], _, _ = strings.Cut(rest, "\n")
		}
		if err := h.Notices.Settled(context.Background(), h.Bus, l.ID, "", false); err != nil {
			h.T.Fatal(err)
		}
	}
	return links
}

// mailed makes an account with an e-mail address.
func mailed(h *house, name, role string) act.Actor {
	h.T.Helper()
	h.Must(root, "account.create", input{"login": name, "role": role, "email": name + "@example.org"})
	h.Claim(name)
	return h.As(name)
}

// TestForgottenPasswordsAreAskedForAlikeWhoeverAsks compares all that a stranger can
// see, and all that is written, for names of every kind.
func TestForgottenPasswordsAreAskedForAlikeWhoeverAsks(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Mails = true
		gets := map[string]bool{}
		for name, role := range map[string]string{"shop": "customer", "agency": "reseller", "second": "additional administrator", "armed": "additional administrator", "auditor": "auditor", "closed": "customer"} {
			mailed(h, name, role)
			gets[name] = role == "customer" || role == "reseller"
		}
		_, _, _ = h.Arm(h.Enter("armed", good)) // his mail alone is not all there is
		gets["armed"], gets["closed"] = true, false
		h.Must(root, "account.disable", input{"account": "closed"})
		h.Account(root, "bare", "customer", "provider") // no address: the mailer finds none
		gets["bare"] = true
		gets["nobody"], gets["not a name\u00a0at all"], gets["root"] = false, false, false
		post(h)
		answers := map[string]string{}
		i := 0
		for name := range gets {
			before := len(h.Leaves())
			i++
			r := h.Must(from(i), "login.forgot", input{"login": " " + strings.ToUpper(name) + " "})
			var events []string
			for _, e := range r.Changes {
				events = append(events, fmt.Sprint(e.Name, len(e.Fields)))
			}
			answers[fmt.Sprint(r.Output, r.State, events, len(h.Leaves())-before)] += name + " "
			due := letters(h)
			if len(due) != 1 || (due[0].Account != "") != gets[name] || due[0].About != login.LetterRecovery {
				t.Errorf("%s: letters %+v", name, due)
			}
			post(h)
		}
		if len(answers) != 1 {
			t.Errorf("names are told apart: %v", answers)
		}
		h.Refused(core.Invalid, from(99), "login.forgot", input{})
		h.Mails = false
		for _, name := range []string{"shop", "nobody"} {
			h.Refused(core.Conflict, from(98), "login.forgot", input{"login": name})
		}
	})
}

func TestThreeLettersAreFree(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Mails = true
		mailed(h, "shop", "customer")
		for _, name := range []string{"shop", "nobody"} {
			for i := range 3 { // from wherever
				h.Must(from(i), "login.forgot", input{"login": name})
			}
			h.Refused(core.Throttled, from(10), "login.forgot", input{"login": name})
			h.Refused(core.Throttled, from(10), "login.forgot", input{"login": strings.ToUpper(name)})
		}
		h.Pass(time.Minute)
		h.Must(from(10), "login.forgot", input{"login": "shop"})
		h.Refused(core.Throttled, from(10), "login.forgot", input{"login": "shop"})
		enter(h, "shop", good) // it is nobody's failure
		// One network asks for twenty names.
		for i := range 20 {
			h.Must(from(200), "login.forgot", input{"login": fmt.Sprint("name", i)})
		}
		h.Refused(core.Throttled, from(200), "login.forgot", input{"login": "another"})
	})
}

func TestALetterHoldsALinkForItsAccountOnceAndHalfAnHour(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Mails = true
		shop := mailed(h, "shop", "customer")
		mailed(h, "rival", "customer")
		post(h)
		ask := func() string {
			t.Helper()
			h.Must(stranger, "login.forgot", input{"login": "shop"})
			return post(h)[shop.ID]
		}
		link := ask()
		if len(link) < 50 {
			t.Fatalf("the link is %q", link)
		}
		enter(h, "shop", good) // asking changes nothing
		r := h.Must(stranger, "login.claim", input{"token": link, "password": other})
		if r.Output.(login.Claimed).Account != shop.ID {
			t.Errorf("it is for %+v", r.Output)
		}
		h.Refused(core.Conflict, stranger, "login.claim", input{"token": link, "password": good})
		enter(h, "shop", other)
		enter(h, "rival", good)
		late := ask()
		h.Pass(30 * time.Minute) // which is long enough for three more, too
		h.Refused(core.Conflict, stranger, "login.claim", input{"token": late, "password": good})
		first, second := ask(), ask()
		h.Refused(core.NotFound, stranger, "login.claim", input{"token": first, "password": good})
		h.Must(root, "account.disable", input{"account": "shop"})
		h.Refused(core.NotFound, stranger, "login.claim", input{"token": second, "password": good})
	})
}

// TestNoLinkWaitsInTheDatabase: it is made when its letter goes out, and only for an
// account that is open then.
func TestNoLinkWaitsInTheDatabase(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Mails = true
		shop := mailed(h, "shop", "customer")
		post(h)
		before := h.Count("login_setup")
		h.Must(stranger, "login.forgot", input{"login": "shop"})
		if n := h.Count("login_setup"); n != before {
			t.Errorf("%d links wait", n-before)
		}
		link := post(h)[shop.ID]
		if strings.Contains(h.Everything(), link) || h.Count("login_setup") != before+1 {
			t.Error("the link is kept, or there is none")
		}
		h.Must(stranger, "login.forgot", input{"login": "shop"})
		h.Must(root, "account.disable", input{"account": "shop"})
		if _, text, err := h.Logins.Letter(t.Context(), h.Bus, shop.ID, login.LetterRecovery, "https://panel.example"); core.CodeOf(err) != core.Conflict || text != "" {
			t.Errorf("for a closed account: %q, %v", text, err)
		}
		h.Must(root, "account.delete", input{"account": "shop"})
		if _, _, err := h.Logins.Letter(t.Context(), h.Bus, shop.ID, login.LetterRecovery, "https://panel.example"); core.CodeOf(err) != core.NotFound {
			t.Errorf("for a deleted account: %v", err)
		}
		for _, a := range []act.Actor{stranger, h.As("root")} {
			if _, err := h.Call(a, "login.recovery", input{"account": h.As("root").ID}); core.CodeOf(err) != core.Denied && core.CodeOf(err) != core.Unauthenticated || err == nil {
				t.Errorf("somebody makes a link for himself: %v", err)
			}
		}
	})
}

// TestALinkByMailIsNoWayAroundTheSecondFactor: whoever reads the mail has the
// password, and no more.
func TestALinkByMailIsNoWayAroundTheSecondFactor(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Mails = true
		shop := mailed(h, "shop", "customer")
		_, seed, _ := h.Arm(h.Enter("shop", good))
		h.Must(stranger, "login.forgot", input{"login": "shop"})
		h.Must(stranger, "login.claim", input{"token": post(h)[shop.ID], "password": other})
		a := at(h, enter(h, "shop", other).Token, "factor")
		h.Refused(core.Invalid, a, "login.factor", input{"code": "000000"})
		at(h, opened(h.Must(a, "login.factor", input{"code": h.Code(seed)})), "")
		reset(h, "shop")
		h.Must(stranger, "login.forgot", input{"login": "shop"})
		h.Must(stranger, "login.claim", input{"token": post(h)[shop.ID], "password": good})
		at(h, enter(h, "shop", good).Token, "link")
	})
}

func TestAnInvitationIsSentToTheAccountAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		me := h.Init()
		bare := h.Account(me, "bare", "customer", "provider")
		h.Must(me, "account.create", input{"login": "shop", "role": "customer", "email": "shop@example.org"})
		shop := h.As("shop")
		send := input{"account": "shop", "send": true}
		if said := h.Refused(core.Conflict, me, "login.invite", send); !strings.Contains(said, "sends no mail") {
			t.Errorf("without mail: %q", said)
		}
		h.Mails = true
		if said := h.Refused(core.Conflict, me, "login.invite", input{"account": bare.ID, "send": true}); !strings.Contains(said, "no e-mail address") {
			t.Errorf("without an address: %q", said)
		}
		out := h.Must(me, "login.invite", send).Output.(login.Link)
		if !out.Sent || out.Link != "" || !out.Expires.IsZero() || out.Account != shop.ID {
			t.Errorf("the answer is %+v", out)
		}
		due := letters(h)
		if len(due) != 1 || due[0].About != login.LetterInvite || due[0].Account != shop.ID || due[0].Address != "" {
			t.Errorf("letters are %+v", due)
		}
		subject, text, err := h.Logins.Letter(t.Context(), h.Bus, shop.ID, login.LetterInvite, "https://panel.example")
		if err != nil || subject != "Your account" || !strings.Contains(text, "An account was made for you") || !strings.Contains(text, "UTC") {
			t.Errorf("%q, %q, %v", subject, text, err)
		}
		h.Must(stranger, "login.claim", input{"token": post(h)[shop.ID], "password": good})
		enter(h, "shop", good)
		h.Must(root, "account.disable", input{"account": "shop"})
		h.Refused(core.Conflict, me, "login.invite", send)
	})
}

// TestALetterTakesAwayNoLinkOfAReset: any stranger can have one sent.
func TestALetterTakesAwayNoLinkOfAReset(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Mails = true
		mailed(h, "shop", "customer")
		_, _, _ = h.Arm(h.Enter("shop", good))
		link := reset(h, "shop")
		h.Must(accounttest.Stranger("203.0.113.9"), "login.forgot", input{"login": "shop"})
		post(h)
		at(h, opened(h.Must(at(h, h.Token("shop", good), "link"), "login.link", input{"token": link})), "enrol")
	})
}
