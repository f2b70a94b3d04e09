package login_test

import (
	"context"
	"encoding/json"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/login"
	"hostward/internal/feature/token"
)

type (
	input = accounttest.Input
	house = accounttest.House
)

const good = accounttest.Good

var (
	root     = accounttest.Root()
	stranger = accounttest.Stranger("192.0.2.7")
)

func each(t *testing.T, f func(t *testing.T, h *house)) { accounttest.Each(t, f) }

func offered(t *testing.T, h *house) string {
	t.Helper()
	link, err := h.Logins.Offer(t.Context(), h.Bus)
	if err != nil {
		t.Fatal(err)
	}
	return link.Token()
}

func TestTheSetupLinkMakesTheFirstAdministratorOnce(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		if h.Must(stranger, "login.ready", nil).Output.(login.State).Ready {
			t.Fatal("an empty house is ready")
		}
		token := offered(t, h)
		in := input{"token": token, "login": "anna", "name": "Anna", "password": good}
		h.Must(stranger, "login.setup", in)
		if a := h.Enter("anna", good); a.Role != act.Primary || a.Tenant != core.Provider {
			t.Errorf("he is %+v", a)
		}
		if !h.Must(stranger, "login.ready", nil).Output.(login.State).Ready {
			t.Error("the house is not ready")
		}
		before := len(h.Leaves())
		in["login"] = "eve"
		if said := h.Refused(core.Conflict, stranger, "login.setup", in); !strings.Contains(said, "used already") {
			t.Errorf("the second use is refused with %q", said)
		}
		l := h.Last()
		if len(h.Leaves()) != before+1 || l.Action != "login.setup" || l.Object.Kind != "setup" || l.Outcome != "refused" {
			t.Errorf("the second use is recorded as %+v", l)
		}
		if _, err := h.Logins.Offer(t.Context(), h.Bus); core.CodeOf(err) != core.Conflict {
			t.Errorf("another link: %v", err)
		}
	})
}

func TestASetupLinkLasts30Minutes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		in := input{"token": offered(t, h), "login": "anna", "password": good}
		h.Pass(30 * time.Minute)
		if said := h.Refused(core.Conflict, stranger, "login.setup", in); !strings.Contains(said, "30 minutes") {
			t.Errorf("refused with %q", said)
		}
		first := offered(t, h)
		second := offered(t, h)
		in["token"] = first
		h.Refused(core.NotFound, stranger, "login.setup", in)
		in["token"] = second
		h.Pass(29 * time.Minute)
		h.Must(stranger, "login.setup", in)
	})
}

func TestSetupRefusesBadInputWithoutUsingTheLinkUp(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		token := offered(t, h)
		said := h.Refused(core.Invalid, stranger, "login.setup", input{"token": token, "login": "a b", "password": "short"})
		if !strings.Contains(said, "login") || !strings.Contains(said, "password: must have at least 15") {
			t.Errorf("refused with %q; want both faults", said)
		}
		h.Refused(core.NotFound, stranger, "login.setup", input{"token": "0", "login": "anna", "password": good})
		h.Refused(core.NotFound, stranger, "login.claim", input{"token": token, "password": good})
		h.Must(stranger, "login.setup", input{"token": token, "login": "anna", "password": good})
	})
}

func TestTwoSetupsAtOnceMakeOneAdministrator(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		token := offered(t, h)
		won := accounttest.Race(4, func(i int) error {
			_, err := h.Call(stranger, "login.setup", input{"token": token, "login": []string{"anna", "eve", "max", "ida"}[i], "password": good})
			return err
		})
		if won != 1 || h.Count("account") != 1 {
			t.Errorf("%d won, %d accounts", won, h.Count("account"))
		}
	})
}

func TestAdminInitWorksWhileThereIsNoAdministrator(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Refused(core.Unauthenticated, stranger, "admin.init", input{"login": "eve", "password": good})
		h.Refused(core.Invalid, root, "admin.init", input{"login": "root", "password": "too short"})
		link := offered(t, h)
		h.Primary()
		h.Refused(core.Conflict, root, "admin.init", input{"login": "eve", "password": good})
		h.Refused(core.NotFound, stranger, "login.setup", input{"token": link, "login": "eve", "password": good})
		customer := h.Account(h.As("root"), "shop", "customer", "provider")
		h.Refused(core.Denied, customer, "admin.init", input{"login": "eve", "password": good})
	})
}

func TestTwoClaimsOfOneLinkAtOnceExactlyOneWins(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Account(h.Primary(), "shop", "customer", "provider")
		token := h.Invite(root, "shop")
		passwords := []string{"one brown hen under a ladder", "two brown hens under a ladder", "ten brown hens under a ladder"}
		won := accounttest.Race(3, func(i int) error {
			_, err := h.Call(stranger, "login.claim", input{"token": token, "password": passwords[i]})
			return err
		})
		works := 0
		for i, password := range passwords {
			if _, err := h.Call(accounttest.Stranger("198.51.100.1"), "login.enter", input{"login": "shop", "password": password}); err == nil {
				works++
				_ = i
			}
		}
		if won != 1 || works != 1 {
			t.Errorf("%d claims went through, %d passwords work", won, works)
		}
	})
}

func TestALinkIsClaimedOnceAndInTime(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Account(h.Primary(), "shop", "customer", "provider")
		old, token := h.Invite(root, "shop"), h.Invite(root, "shop")
		h.Refused(core.NotFound, stranger, "login.claim", input{"token": old, "password": good})
		h.Refused(core.Invalid, stranger, "login.claim", input{"token": token, "password": "shop"})
		h.Refused(core.NotFound, stranger, "login.setup", input{"token": token, "login": "x", "password": good})
		h.Must(stranger, "login.claim", input{"token": token, "password": good})
		h.Refused(core.Conflict, stranger, "login.claim", input{"token": token, "password": good})
		late := h.Invite(root, "shop")
		h.Pass(30 * time.Minute)
		h.Refused(core.Conflict, stranger, "login.claim", input{"token": late, "password": good})
		shut := h.Invite(root, "shop")
		h.Must(root, "account.disable", input{"account": "shop"})
		h.Refused(core.NotFound, stranger, "login.claim", input{"token": shut, "password": good})
		h.Refused(core.Conflict, root, "login.invite", input{"account": "shop"})
	})
}

func TestALinkReplacesThePasswordAndEndsSessions(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Account(h.Primary(), "shop", "customer", "provider")
		h.Claim("shop")
		session := h.Token("shop", good)
		h.Must(stranger, "login.claim", input{"token": h.Invite(root, "shop"), "password": "eight brown hens under a ladder"})
		h.Over(session)
		h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "shop", "password": good})
		h.Enter("shop", "eight brown hens under a ladder")
	})
}

func TestWhoMayInviteWhom(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		primary := h.Primary()
		second := h.Account(primary, "second", "additional administrator", "provider")
		third := h.Account(primary, "third", "additional administrator", "provider")
		auditor := h.Account(primary, "auditor", "auditor", "provider")
		agency := h.Account(primary, "agency", "reseller", "provider")
		other := h.Account(primary, "other", "reseller", "provider")
		shop := h.Account(agency, "shop", "customer", "")
		for _, c := range []struct {
			who, whom act.Actor
			code      core.Code
		}{
			{second, primary, core.NotFound}, {second, third, core.NotFound}, {second, auditor, core.Denied}, {second, second, core.Denied},
			{primary, primary, core.Denied}, {agency, agency, core.Denied}, {agency, other, core.NotFound}, {other, shop, core.NotFound},
			{agency, primary, core.NotFound}, {shop, shop, core.Denied}, {auditor, shop, core.Denied},
		} {
			h.Refused(c.code, c.who, "login.invite", input{"account": c.whom.ID})
		}
		for _, c := range []struct{ who, whom act.Actor }{
			{root, primary}, {primary, second}, {primary, auditor}, {second, agency}, {second, shop}, {agency, shop},
		} {
			h.Must(c.who, "login.invite", input{"account": c.whom.ID})
		}
	})
}

func TestEveryFailedLoginLooksTheSame(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Account(root, "invited", "customer", "provider")
		h.Account(root, "shut", "customer", "provider")
		h.Claim("shut")
		h.Must(root, "account.disable", input{"account": "shut"})
		said := map[string]bool{}
		for _, c := range []struct{ name, password string }{
			{"root", "not the password at all"}, {"nobody", good}, {"invited", good}, {"shut", good}, {"' OR 1=1", good}, {"root\u0301", good},
		} {
			before := h.Checks()
			said[h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": c.name, "password": c.password})] = true
			if cost := h.Checks() - before; cost != 1 {
				t.Errorf("%s cost %d hashes, want 1", c.name, cost)
			}
		}
		if len(said) != 1 {
			t.Errorf("answers differ: %v", said)
		}
		var why []string
		for _, f := range h.Failures() {
			why = append(why, f.Why)
			if f.Address != "192.0.2.7" || (f.Account == "") != (f.Why == "name") {
				t.Errorf("the ban filter is told %+v", f)
			}
		}
		if want := []string{"password", "name", "password", "closed", "name", "name"}; !slices.Equal(why, want) {
			t.Errorf("the ban filter is told %v, want %v", why, want)
		}
	})
}

func TestFailuresAreCountedOnTheAccountAndOnRecord(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		primary := h.Primary()
		for range 2 {
			h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "ROOT", "password": "not the password at all"})
		}
		l := h.Last()
		if l.Action != "login.enter" || l.Outcome != "refused" || l.Class != "authentication" || len(l.Events) != 2 {
			t.Fatalf("recorded %+v", l)
		}
		if f := l.Events[1]; f.Name != "credential.failed" || f.Object.ID != primary.ID || *f.Fields[0].New != "2" {
			t.Errorf("recorded %+v", f)
		}
		if n := h.Must(primary, "session.list", nil).Output.(login.Sessions).Failures; n != 2 {
			t.Errorf("%d failures are shown, want 2", n)
		}
		h.Must(stranger, "login.enter", input{"login": "root", "password": good})
		if n := h.Must(primary, "session.list", nil).Output.(login.Sessions).Failures; n != 0 {
			t.Errorf("%d failures are shown after a good log-in", n)
		}
	})
}

func TestANetworkThatFailsWaitsForThisNameAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Account(root, "shop", "customer", "provider")
		h.Claim("shop")
		wrong, right := input{"login": "root", "password": "not the password at all"}, input{"login": "root", "password": good}
		for range 5 {
			h.Refused(core.Unauthenticated, stranger, "login.enter", wrong)
		}
		checks := h.Checks()
		h.Refused(core.Throttled, stranger, "login.enter", right)
		if h.Checks() != checks {
			t.Error("a password was hashed while the network waits")
		}
		h.Must(accounttest.Stranger("192.0.2.8"), "login.enter", right)
		h.Must(stranger, "login.enter", input{"login": "shop", "password": good})
		h.Pass(time.Minute)
		h.Refused(core.Unauthenticated, stranger, "login.enter", wrong)
		h.Pass(time.Minute)
		h.Refused(core.Throttled, stranger, "login.enter", right)
		h.Pass(time.Minute)
		h.Must(stranger, "login.enter", right)
		h.Refused(core.Unauthenticated, stranger, "login.enter", wrong)
	})
}

func TestUnknownNamesWaitLikeKnownOnes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		answers := func(name string) (all []string) {
			for range 7 {
				_, err := h.Call(accounttest.Stranger("2001:db8::"+name[:1]), "login.enter", input{"login": name, "password": "not the password at all"})
				all = append(all, err.Error())
			}
			return all
		}
		if known, unknown := answers("root"), answers("alice"); !slices.Equal(known[:5], unknown[:5]) {
			t.Errorf("known %v, unknown %v", known, unknown)
		}
	})
}

func TestANetworkThatTriesManyNamesWaitsForAll(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		for i := range 20 {
			h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "name" + string(rune('a'+i)), "password": good})
		}
		h.Refused(core.Throttled, stranger, "login.enter", input{"login": "root", "password": good})
		h.Pass(time.Minute)
		h.Must(stranger, "login.enter", input{"login": "root", "password": good})
		if n := h.Count("login_throttle"); n != 42 {
			t.Errorf("%d rows are remembered, want 20 names, from here and from everywhere, the network, and the salt", n)
		}
		h.Pass(25 * time.Hour)
		h.Refused(core.Unauthenticated, accounttest.Stranger("192.0.2.99"), "login.enter", input{"login": "x", "password": good})
		if n := h.Count("login_throttle"); n != 4 {
			t.Errorf("%d rows are remembered, want the last failure's 3 and the salt", n)
		}
	})
}

func TestManyAttemptsAtOnceDoNotCountAsOne(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		var mu sync.Mutex
		codes := map[core.Code]int{}
		accounttest.Race(30, func(i int) error {
			_, err := h.Call(stranger, "login.enter", input{"login": "root", "password": "guess number " + strings.Repeat("x", i+3)})
			mu.Lock()
			defer mu.Unlock()
			codes[core.CodeOf(err)]++
			return err
		})
		if n := codes[core.Unauthenticated]; n < 1 || n > 5 || n+codes[core.Throttled] != 30 {
			t.Errorf("answers %v, want at most 5 to be told that they are wrong", codes)
		}
	})
}

func TestASessionEndsIdleAndAbsolutely(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Account(root, "shop", "customer", "provider")
		h.Claim("shop")
		for _, c := range []struct {
			login          string
			idle, absolute time.Duration
		}{{"root", 30 * time.Minute, 12 * time.Hour}, {"shop", time.Hour, 24 * time.Hour}} {
			idle := h.Token(c.login, good)
			h.Pass(c.idle - time.Minute)
			h.Inside(idle) // notes the use
			h.Pass(c.idle - time.Minute)
			h.Inside(idle)
			h.Pass(c.idle)
			h.Over(idle)
			busy := h.Token(c.login, good)
			for spent := time.Duration(0); spent+c.idle/2 < c.absolute; spent += c.idle / 2 {
				h.Inside(busy)
				h.Pass(c.idle / 2)
			}
			h.Inside(busy)
			h.Pass(c.idle / 2)
			h.Over(busy)
		}
	})
}

func TestUseOfASessionIsNotedFourTimesPerIdleLimitAtMost(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		token := h.Token("root", good)
		before := len(h.Leaves())
		for range 30 {
			h.Inside(token)
			h.Pass(time.Minute)
		}
		if n := len(h.Leaves()) - before; n != 3 {
			t.Errorf("half an hour of use left %d records, want 3", n)
		}
		s := h.Inside(token).Session
		if r := h.Must(act.SystemActor("session"), "session.renew", input{"session": s}); r.State != act.Unchanged {
			t.Errorf("renewing at once is %s", r.State)
		}
	})
}

func TestEachLoginHasATokenOfItsOwn(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		planted := accounttest.Stranger("192.0.2.7")
		planted.Session = "s_planted"
		r := h.Must(planted, "login.enter", input{"login": "root", "password": good}).Output.(login.Entered)
		again := h.Must(planted, "login.enter", input{"login": "root", "password": good}).Output.(login.Entered)
		if r.Session == "s_planted" || r.Session == again.Session || r.Token.Reveal() == again.Token.Reveal() || len(r.Token.Reveal()) < 50 {
			t.Error("a session was not new")
		}
		h.Over(core.NewSecret("s_planted"))
		h.Over(core.NewSecret(r.Session))
		h.Over(core.NewSecret(""))
		b, err := json.Marshal(r)
		if err != nil || strings.Contains(string(b), r.Token.Reveal()) {
			t.Errorf("the answer as JSON shows the token: %s %v", b, err)
		}
	})
}

func TestLoggingOutEndsTheSession(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		mine, other := h.Token("root", good), h.Token("root", good)
		me := h.Inside(mine)
		if _, ok := h.Must(me, "session.end", nil).Output.(interface{ ClosesSession() }); !ok {
			t.Error("the face is not told to take the cookie away")
		}
		h.Over(mine)
		h.Inside(other)
		h.Refused(core.NotFound, me, "session.end", nil)
		h.Refused(core.NotFound, root, "session.end", nil)
	})
}

func TestSessionsOfOthersAreNotThere(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		primary := h.Primary()
		second := h.Account(primary, "second", "additional administrator", "provider")
		auditor := h.Account(primary, "auditor", "auditor", "provider")
		agency := h.Account(primary, "agency", "reseller", "provider")
		shop := h.Account(agency, "shop", "customer", "")
		for _, name := range []string{"agency", "shop", "second"} {
			h.Claim(name)
		}
		admin, reseller, customer, peer := h.Enter("root", good), h.Enter("agency", good), h.Enter("shop", good), h.Enter("second", good)
		for _, c := range []struct {
			who, whose act.Actor
			list, end  core.Code
		}{
			{shop, reseller, core.NotFound, core.NotFound}, {agency, admin, core.NotFound, core.NotFound},
			{second, admin, core.NotFound, core.NotFound}, {auditor, customer, "", core.Denied}, {auditor, peer, "", core.Denied},
		} {
			for op, code := range map[string]core.Code{"session.list": c.list, "session.revoke": c.end} {
				in := input{"account": c.whose.ID}
				if op == "session.revoke" {
					in = input{"session": c.whose.Session}
				}
				if code == "" {
					h.Must(c.who, op, in)
					continue
				}
				if said := h.Refused(code, c.who, op, in); strings.Contains(said, c.whose.Name) {
					t.Errorf("%s says %q", op, said)
				}
			}
		}
		list := h.Must(customer, "session.list", nil).Output.(login.Sessions).Sessions
		if len(list) != 1 || !list[0].Current || list[0].Address != "192.0.2.9" {
			t.Errorf("the customer sees %+v", list)
		}
		h.Must(agency, "session.revoke", input{"session": customer.Session})
		h.Must(second, "session.revoke", input{"session": reseller.Session})
		h.Must(peer, "session.revoke", input{"session": peer.Session})
		if n := h.Count("login_session"); n != 1 {
			t.Errorf("%d sessions are left, want the administrator's", n)
		}
	})
}

func TestChangingThePasswordEndsTheOtherSessions(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		mine, other := h.Token("root", good), h.Token("root", good)
		me := h.Inside(mine)
		fresh := "eight brown hens under a ladder"
		h.Refused(core.Invalid, me, "password.change", input{"old_password": good, "new_password": "short"})
		h.Refused(core.Invalid, me, "password.change", input{"old_password": good, "new_password": good})
		said := h.Refused(core.Invalid, me, "password.change", input{"old_password": "not the password at all", "new_password": fresh})
		if !strings.Contains(said, "old_password") || len(h.Last().Events) != 2 {
			t.Errorf("a wrong old password: %q, recorded %+v", said, h.Last().Events)
		}
		r := h.Must(me, "password.change", input{"old_password": good, "new_password": fresh})
		for _, e := range r.Changes {
			for _, f := range e.Fields {
				if e.Name == "credential.set" && (!f.Secret || f.New != nil || f.Old != nil) {
					t.Errorf("recorded %+v", f)
				}
			}
		}
		h.Over(mine) // whoever had a copy of it has nothing now
		token, _ := r.Output.(login.Changed).OpensSession()
		h.Inside(token)
		h.Over(other)
		h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "root", "password": good})
		h.Enter("root", fresh)
	})
}

func TestAStolenSessionDoesNotGuessThePassword(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		me := h.Enter("root", good)
		for range 5 {
			h.Refused(core.Invalid, me, "password.change", input{"old_password": "not the password at all", "new_password": "eight brown hens under a ladder"})
		}
		h.Refused(core.Throttled, me, "password.change", input{"old_password": good, "new_password": "eight brown hens under a ladder"})
		outside := h.As("root") // an API token, or a session that is over
		h.Refused(core.Denied, outside, "password.change", input{"old_password": good, "new_password": "eight brown hens under a ladder"})
		h.Refused(core.NotFound, root, "password.change", input{"old_password": good, "new_password": "eight brown hens under a ladder"})
	})
}

func TestThePasswordOfAnotherKeyboardIsTheSame(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Account(root, "shop", "customer", "provider")
		composed, decomposed := "f\u00fcnf braune H\u00fchner auf der Leiter", "fu\u0308nf braune Hu\u0308hner auf der Leiter"
		h.Must(stranger, "login.claim", input{"token": h.Invite(root, "shop"), "password": composed})
		h.Enter("shop", decomposed)
	})
}

func TestTheOldestOfTooManySessionsGivesWay(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		first := h.Token("root", good)
		for range 50 {
			h.Token("root", good)
		}
		h.Over(first)
		if n := h.Count("login_session"); n != 50 {
			t.Errorf("%d sessions, want 50", n)
		}
	})
}

func TestSweepRemovesWhatIsOverAndNothingElse(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Account(root, "shop", "customer", "provider")
		h.Claim("shop")
		h.Token("root", good)
		h.Token("shop", good)
		h.Invite(root, "shop")
		before := len(h.Leaves())
		sweep := func() {
			if err := h.Logins.Sweep(context.Background(), h.Bus); err != nil {
				t.Fatal(err)
			}
		}
		sweep()
		if n := len(h.Leaves()); n != before {
			t.Errorf("an idle sweep left %d records", n-before)
		}
		h.Pass(45 * time.Minute)
		sweep()
		if n := h.Count("login_session"); n != 1 {
			t.Errorf("%d sessions after the administrator's idle limit, want the customer's", n)
		}
		h.Pass(25 * time.Hour)
		sweep()
		if n, links := h.Count("login_session"), h.Count("login_setup"); n != 0 || links != 0 {
			t.Errorf("%d sessions and %d links are left", n, links)
		}
	})
}

// TestNothingSecretIsKept looks for what was typed and what was shown, byte by
// byte, in the database, the records and the operator's log.
func TestNothingSecretIsKept(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		secrets := []string{good, "eight brown hens under a ladder", "a password in the wrong field", "not the password at all", "too short pw"}
		setup := offered(t, h)
		h.Must(stranger, "login.setup", input{"token": setup, "login": "root", "password": good})
		session := h.Token("root", good)
		me, seed, codes := h.Arm(h.Inside(session))
		secrets = append(append(secrets, seed), codes...)
		h.Account(root, "shop", "customer", "provider")
		link := h.Invite(root, "shop")
		h.Refused(core.Invalid, stranger, "login.claim", input{"token": link, "password": "too short pw"})
		h.Must(stranger, "login.claim", input{"token": link, "password": good})
		h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "a password in the wrong field", "password": good})
		h.Refused(core.Invalid, stranger, "login.enter", input{"login": "a password in the wrong field\n", "password": good})
		h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "root", "password": "not the password at all"})
		h.Must(me, "password.change", input{"old_password": good, "new_password": "eight brown hens under a ladder"})
		bearer := h.Must(me, "token.create", input{"name": "script", "expires_in": 1, "scope": []string{"read"}})
		b, _ := json.Marshal(bearer.Changes)
		secrets = append(secrets, setup, session.Reveal(), link, bearer.Output.(token.Created).Token)
		kept := h.Everything() + string(b)
		if !strings.Contains(kept, me.ID) {
			t.Fatal("the search looks at the wrong place")
		}
		for _, s := range secrets {
			if strings.Contains(kept, s) {
				t.Errorf("%q is kept", s)
			}
		}
	})
}

func TestStrangersCannotTryInAPreview(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		before := len(h.Leaves())
		for _, password := range []string{good, "not the password at all"} {
			in, _ := json.Marshal(input{"login": "root", "password": password})
			if r, err := h.Do(t.Context(), act.Call{Op: "login.enter", Actor: stranger, Input: in, Preview: true}); core.CodeOf(err) != core.Denied || r.Output != nil {
				t.Errorf("a preview of log-in answers %+v, %v", r, err)
			}
		}
		if len(h.Leaves()) != before+2 {
			t.Error("the attempts are not on record")
		}
	})
}

func TestOneStrangersAnswerIsNotAnothers(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Account(root, "shop", "customer", "provider")
		claim := func(token string) error {
			in, _ := json.Marshal(input{"token": token, "password": good})
			_, err := h.Do(t.Context(), act.Call{Op: "login.claim", Actor: stranger, Input: in, Key: "1"})
			return err
		}
		if err := claim(h.Invite(root, "shop")); err != nil {
			t.Fatal(err)
		}
		if err := claim("guessed"); core.CodeOf(err) != core.NotFound || err == nil {
			t.Errorf("the same Idempotency-Key with another link answers %v", err)
		}
	})
}

func TestSystemOperationsAreForTheSystem(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		primary := h.Primary()
		for op, in := range map[string]input{
			"session.resolve": {"token": "x"}, "session.renew": {"session": "x"}, "session.sweep": {}, "login.offer": {},
			"token.resolve": {"token": "x"}, "token.note": {"token": "x"},
		} {
			h.Refused(core.Denied, primary, op, in)
			h.Refused(core.Unauthenticated, stranger, op, in)
		}
	})
}

func TestADeletedAccountLeavesNothingToLogInWith(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		shop := h.Account(root, "shop", "customer", "provider")
		h.Claim("shop")
		token := h.Token("shop", good)
		h.Invite(root, "shop")
		h.Must(root, "account.delete", input{"account": "shop"})
		h.Over(token)
		for _, table := range []string{"login_session", "login_setup"} {
			if n := h.Count(table); n != 0 {
				t.Errorf("%s holds %d rows", table, n)
			}
		}
		h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "shop", "password": good})
		again := h.Must(root, "account.create", input{"login": "shop", "role": "customer"}).Output.(account.Account)
		if again.ID == shop.ID {
			t.Error("an id was used again")
		}
		h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "shop", "password": good})
	})
}

func TestAGoodLoginRenewsACheapHash(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		events := func() (names []string) {
			for _, e := range h.Must(stranger, "login.enter", input{"login": "root", "password": good}).Changes {
				names = append(names, e.Name)
			}
			return names
		}
		if got := events(); slices.Contains(got, "credential.rehashed") {
			t.Errorf("a hash of today was renewed: %v", got)
		}
		h.Cheap(true)
		if got := events(); !slices.Contains(got, "credential.rehashed") {
			t.Errorf("a cheap hash was kept: %v", got)
		}
		h.Refused(core.Unauthenticated, stranger, "login.enter", input{"login": "root", "password": "not the password at all"})
		h.Cheap(false)
		h.Enter("root", good)
	})
}

func TestEverySampleIsValidForEveryRole(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		primary := h.Primary()
		actors := []act.Actor{primary, h.Account(primary, "second", "additional administrator", "provider"), h.Account(primary, "auditor", "auditor", "provider"),
			h.Account(primary, "agency", "reseller", "provider"), h.Account(primary, "shop", "customer", "agency"), stranger, act.SystemActor("test")}
		for _, op := range h.Registry.Ops() {
			if slices.ContainsFunc(op.Input, func(p act.Param) bool { return p.Form == "passkey" && p.Required }) {
				continue // a browser answers a challenge of ours; a sample answers none
			}
			for _, a := range actors {
				if a.Role == act.System && op.Roles&act.System == 0 {
					continue // the system has no account of its own
				}
				_, err := h.Do(t.Context(), act.Call{Op: op.Name, Actor: a, Input: op.Sample(), Confirmed: true})
				if code := core.CodeOf(err); err != nil && (code == core.Invalid || code == core.Internal) {
					t.Errorf("%s by %s: %v", op.Name, a.Role, err)
				}
				if err == nil && op.Roles&a.Role == 0 {
					t.Errorf("%s went through for %s", op.Name, a.Role)
				}
			}
		}
	})
}

// TestLoginsDoNotKeepPagesWaiting has more log-ins at their passwords than
// there are snapshots, and reads meanwhile.
func TestLoginsDoNotKeepPagesWaiting(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		primary := h.Primary()
		const many = 24
		gate := h.Block()
		answers := make(chan error, many)
		for i := range many {
			go func() {
				_, err := h.Call(accounttest.Stranger("198.51.100."+string(rune('1'+i%9))), "login.enter", input{"login": "root", "password": good})
				answers <- err
			}()
		}
		limit := time.After(30 * time.Second)
		for i := range many {
			select {
			case <-gate.Arrived:
			case <-limit:
				close(gate.Open)
				t.Fatalf("only %d log-ins came to their password: the others wait for a snapshot", i)
			}
		}
		h.Must(primary, "account.list", nil)
		close(gate.Open)
		for range many {
			if err := <-answers; err != nil {
				t.Error(err)
			}
		}
	})
}
