package token_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/notice"
	"hostward/internal/feature/token"
)

// made makes a token with fields besides the usual ones, and returns it.
func made(h *house, who act.Actor, more input) token.Created {
	h.T.Helper()
	in := input{"name": "backup script", "expires_in": 30, "scope": []string{"read"}}
	for name, value := range more {
		in[name] = value
	}
	return h.Must(who, "token.create", in).Output.(token.Created)
}

// program is who acts with a token.
func program(h *house, x token.Created) act.Actor {
	h.T.Helper()
	a, err := bearer(h, core.NewSecret(x.Token))
	if err != nil {
		h.T.Fatal(err)
	}
	a.Address = "192.0.2.9"
	return a
}

// boss is a house with a reseller who is logged in with a second factor, and two
// customers of his.
func boss(t *testing.T, f func(t *testing.T, h *house, agency, one, two act.Actor)) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		h.Primary()
		agency, _, _ := h.Arm(h.Create(accounttest.Root(), "agency", "reseller", "provider"))
		f(t, h, agency, h.Account(agency, "one", "customer", ""), h.Account(agency, "two", "customer", ""))
	})
}

func TestATokenDoesWhatItsScopesSay(t *testing.T) {
	boss(t, func(t *testing.T, h *house, agency, one, two act.Actor) {
		for _, c := range []struct {
			scope []string
			op    string
			in    input
			ok    bool
		}{
			{[]string{"read"}, "account.list", nil, true},
			{[]string{"read"}, "session.clear", input{"account": "one"}, false},
			{[]string{"account.list"}, "account.list", nil, true},
			{[]string{"account.list"}, "account.show", input{"account": "one"}, false},
			{[]string{"account.*"}, "account.show", input{"account": "one"}, true},
			{[]string{"account.*"}, "session.list", nil, false},
			{[]string{"*"}, "session.clear", input{"account": "one"}, true},
			{[]string{"session.*"}, "session.clear", input{"account": "one"}, true},
			{[]string{"account.* account:one"}, "account.show", input{"account": "one"}, true},
			{[]string{"account.* account:one"}, "account.show", input{"account": "two"}, false},
			{[]string{"account.*  account:one"}, "account.list", nil, false}, // without a target it would show all
			{[]string{"read account:one", "session.clear account:two"}, "session.clear", input{"account": "two"}, true},
			{[]string{"read account:one", "session.clear account:two"}, "session.clear", input{"account": "one"}, false},
			// What asks for a proof is in a scope by its full name alone.
			{[]string{"*", "account.*", "read"}, "account.update", input{"account": "one", "name": "x"}, false},
			{[]string{"account.update"}, "account.update", input{"account": "one", "name": "x"}, true},
			{[]string{"account.update account:one"}, "account.update", input{"account": "one", "name": "y"}, true},
			{[]string{"account.update account:one"}, "account.update", input{"account": "two", "name": "y"}, false},
			{[]string{"account.update account:one", "*"}, "account.update", input{"account": "one", "name": "z"}, true},
			{[]string{"account.create"}, "account.create", input{"login": "three", "role": "customer"}, true},
			{[]string{"account.delete"}, "account.delete", input{"account": "three"}, true},
		} {
			a := program(h, made(h, agency, input{"scope": c.scope}))
			_, err := h.Call(a, c.op, c.in)
			if (err == nil) != c.ok || err != nil && core.CodeOf(err) != core.Denied {
				t.Errorf("%q calls %s %v: %v, want %v", c.scope, c.op, c.in, err, c.ok)
			}
			if l := h.Last(); err != nil && (l.Actor.ID != agency.ID || l.Session != a.Session || l.Door != "rest") {
				t.Errorf("%s is recorded as %+v", c.op, l)
			}
		}
	})
}

// TestAnObjectThatIsNamedIsKeptByItsID: a name may be given to another later.
func TestAnObjectThatIsNamedIsKeptByItsID(t *testing.T) {
	boss(t, func(t *testing.T, h *house, agency, one, two act.Actor) {
		x := made(h, agency, input{"scope": []string{"read account:two", " read   account:" + one.ID + " ", "account.*", "read account:two"}})
		want := []string{"account.*", "read account:" + one.ID, "read account:" + two.ID}
		slices.Sort(want)
		if !slices.Equal(x.Scopes, want) {
			t.Errorf("scopes are %q, want %q", x.Scopes, want)
		}
		if list := h.Must(agency, "token.list", nil).Output.(token.List).Tokens; !slices.Equal(list[0].Scopes, want) {
			t.Errorf("listed are %q", list[0].Scopes)
		}
	})
}

func TestAScopeThatNothingAnswersToIsNamed(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		h.Account(accounttest.Root(), "rival", "customer", "provider")
		refused := func(scope []string) string {
			t.Helper()
			before := h.Count("token")
			said := h.Refused(core.Invalid, shop, "token.create", input{"name": "x", "expires_in": 1, "scope": scope})
			if h.Count("token") != before {
				t.Errorf("%q: a token was made", scope)
			}
			return said
		}
		if said := refused([]string{"read", "account.fly", "account.show account:rival", "read account:nobody"}); !strings.Contains(said, "scope.1") || !strings.Contains(said, "account.fly") ||
			!strings.Contains(said, "scope.2") || !strings.Contains(said, "scope.3") || strings.Contains(said, "scope.0") {
			t.Errorf("refused with %q", said)
		}
		for _, bad := range []string{"", " ", "Read", "account", "account.", ".*", "*.*", "**", "account*", "account.*.show", "account.show x", "account.show account:", "account.show account:a b", "read;", "account.show ACCOUNT:x", "read\taccount:shop\n"} {
			refused([]string{bad})
		}
		for _, bad := range [][]string{nil, {}, slices.Repeat([]string{"read"}, 201)} {
			if said := refused(bad); !strings.Contains(said, "scope") {
				t.Errorf("%d scopes: %q", len(bad), said)
			}
		}
		for _, in := range []input{{"name": ""}, {"name": "   "}, {"name": strings.Repeat("x", 101)}, {"unused_days": 367}, {"unused_days": -1}} {
			if said := h.Refused(core.Invalid, shop, "token.create", merged(input{"name": "x", "expires_in": 1, "scope": []string{"read"}}, in)); len(said) < 5 {
				t.Errorf("%v: %q", in, said)
			}
		}
	})
}

func merged(a, b input) input {
	for name, value := range b {
		a[name] = value
	}
	return a
}

// TestATokenFromBeforeThereWereScopesReads: it goes on working, and does no more.
func TestATokenFromBeforeThereWereScopesReads(t *testing.T) {
	boss(t, func(t *testing.T, h *house, agency, _, _ act.Actor) {
		x := made(h, agency, input{"scope": []string{"*"}})
		h.Behind(`UPDATE token SET grants = '' WHERE id = $1`, x.ID)
		a := program(h, x)
		h.Must(a, "account.list", nil)
		h.Refused(core.Denied, a, "session.clear", input{"account": "one"})
		h.Refused(core.Denied, a, "account.update", input{"account": "one", "name": "x"})
		list := h.Must(agency, "token.list", nil).Output.(token.List).Tokens
		if b, _ := json.Marshal(list); len(list) != 1 || !slices.Equal(list[0].Scopes, []string{"read"}) {
			t.Errorf("listed as %s", b)
		}
	})
}

func TestATokenWorksFromItsNetworksAlone(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		x, everywhere := made(h, shop, input{"networks": "192.0.2.0/24, 198.51.100.7\n2001:db8::/32"}), made(h, shop, nil)
		if said := h.Refused(core.Invalid, shop, "token.create", input{"name": "x", "expires_in": 1, "scope": []string{"read"}, "networks": "192.0.2.7/24, nowhere"}); !strings.Contains(said, "networks") {
			t.Errorf("refused with %q", said)
		}
		secret := core.NewSecret(x.Token)
		for address, ok := range map[string]bool{
			"192.0.2.1": true, "192.0.2.255": true, "::ffff:192.0.2.9": true, "198.51.100.7": true, "2001:db8:1::1": true, "2001:db8::1%eth0": true,
			"192.0.3.1": false, "198.51.100.8": false, "2001:db9::1": false, "": false, "@": false, "::1": false,
		} {
			before := len(h.Leaves())
			a, err := h.Tokens.Bearer(t.Context(), h.Bus, secret, address)
			if (err == nil) != ok || a.ID != shop.ID || a.Session != x.ID { // whose it was, for the record of the face
				t.Errorf("from %q: %+v, %v", address, a, err)
			}
			if !ok && (core.CodeOf(err) != core.Unauthenticated || len(h.Leaves()) != before) {
				t.Errorf("from %q: %v, %d records", address, err, len(h.Leaves())-before)
			}
			h.Pass(2 * time.Hour)
		}
		if _, err := h.Tokens.Bearer(t.Context(), h.Bus, core.NewSecret(everywhere.Token), ""); err != nil {
			t.Errorf("one without networks: %v", err)
		}
	})
}

func TestATokenThatNobodyUsesEndsEarlier(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		used, never := made(h, shop, input{"unused_days": 10, "expires_in": 40}), made(h, shop, input{"unused_days": 10, "expires_in": 40})
		for range 3 {
			h.Pass(9 * day)
			program(h, used)
		}
		opensNothing(h, core.NewSecret(never.Token))
		h.Pass(9 * day)
		program(h, used)
		h.Pass(5 * day) // day 41
		opensNothing(h, core.NewSecret(used.Token))
		list := h.Must(h.As("shop"), "token.list", nil).Output.(token.List).Tokens
		if len(list) != 2 || !list[0].Expired || !list[1].Expired {
			t.Errorf("listed as %+v", list)
		}
	})
}

// subjects are what an account was told, newest first.
func subjects(h *house, name, subject string) (texts []string) {
	h.T.Helper()
	for _, n := range h.Must(h.As(name), "notice.list", nil).Output.(notice.List).Notices {
		if n.Subject == subject {
			texts = append(texts, n.Text)
		}
	}
	return texts
}

func warn(h *house) {
	h.T.Helper()
	if err := h.Tokens.Warn(h.T.Context(), h.Bus); err != nil {
		h.T.Fatal(err)
	}
}

const ends = "An API token ends soon"

func TestAnOwnerIsWarnedOnceBeforeHisTokenEnds(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		x := made(h, shop, input{"name": "nightly", "expires_in": 30})
		before := len(h.Leaves())
		h.Pass(22 * day)
		warn(h)
		if n := len(h.Leaves()) - before; n != 0 || len(subjects(h, "shop", ends)) != 0 {
			t.Fatalf("8 days before its end there are %d records", n)
		}
		h.Pass(2 * day)
		for range 72 { // used every hour, and looked at as often
			warn(h)
			program(h, x)
			h.Pass(time.Hour)
		}
		texts := subjects(h, "shop", ends)
		if len(texts) != 1 || !strings.Contains(texts[0], `"nightly" ends on 2026-12-22`) {
			t.Errorf("he is told %q", texts)
		}
		h.Pass(10 * day)
		warn(h)
		if n := len(subjects(h, "shop", ends)); n != 1 {
			t.Errorf("once it is over he was told %d times", n)
		}
	})
}

// TestAUsePutsOffAnEndByDisuse: then there is something to warn of again.
func TestAUsePutsOffAnEndByDisuse(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		x := made(h, shop, input{"unused_days": 20, "expires_in": 300})
		short := made(h, shop, input{"name": "short", "unused_days": 3, "expires_in": 300})
		for range 20 { // it ends within the week all the time, which is no news each time it is used
			warn(h)
			program(h, short)
			h.Pass(2 * time.Hour)
		}
		for round := range 3 {
			h.Pass(14 * day)
			warn(h)
			warn(h)
			if n := len(subjects(h, "shop", ends)); n != round+2 {
				t.Errorf("in round %d he was told %d times, want of the short one once", round+1, n)
			}
			program(h, x)
			warn(h)
		}
	})
}

func TestATokenIsMadeWithASecondFactorOnly(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		h.Primary()
		in := input{"name": "x", "expires_in": 1, "scope": []string{"read"}}
		weak := h.Create(accounttest.Root(), "shop", "customer", "provider")
		if said := h.Refused(core.Denied, weak, "token.create", in); !strings.Contains(said, "second factor") {
			t.Errorf("refused with %q", said)
		}
		strong, seed, _ := h.Arm(weak)
		h.Pass(16 * time.Minute)
		h.Refused(core.Unproved, strong, "token.create", in)
		again := h.Second(h.Enter("shop", good), input{"code": h.Code(seed)})
		h.Must(again, "token.create", in)
		h.Refused(core.Unauthenticated, h.Enter("shop", good), "token.create", in) // one step is left
		outside := h.As("shop")
		outside.Strong = true // whatever a face may say: it is no session
		h.Refused(core.Denied, outside, "token.create", in)
	})
}

func TestATokenOfTheCommandLineIsAnnounced(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		me := h.Primary()
		h.Account(me, "second", "additional administrator", "provider")
		h.Account(me, "gone", "additional administrator", "provider")
		h.Must(me, "account.disable", input{"account": "gone"})
		h.Account(me, "auditor", "auditor", "provider")
		h.Account(me, "agency", "reseller", "provider")
		shop, _, _ := h.Arm(h.Create(me, "shop", "customer", "agency"))
		const subject = "A token was made at the command line"
		made(h, shop, nil)
		if n := len(subjects(h, "root", subject)) + len(subjects(h, "shop", subject)); n != 0 {
			t.Errorf("one of his own is announced %d times", n)
		}
		x := made(h, accounttest.Root(), input{"name": "nightly", "account": "shop", "scope": []string{"account.*", "read"}})
		for name, want := range map[string]int{"root": 1, "second": 1, "shop": 1, "gone": 0, "auditor": 0, "agency": 0} {
			texts := subjects(h, name, subject)
			if len(texts) != want {
				t.Errorf("%s is told %q", name, texts)
			}
			for _, text := range texts {
				if !strings.Contains(text, `"nightly" for shop`) || !strings.Contains(text, "account.*; read") || strings.Contains(text, x.Token) {
					t.Errorf("%s is told %q", name, text)
				}
			}
		}
		h.Must(accounttest.Root(), "token.create", input{"name": "own", "expires_in": 1, "scope": []string{"read"}, "account": "root"})
		if n := len(subjects(h, "root", subject)); n != 2 {
			t.Errorf("of his own at the command line the administrator is told %d times", n-1)
		}
		h.Refused(core.Invalid, accounttest.Root(), "token.create", input{"name": "x", "expires_in": 1, "scope": []string{"read"}})
		h.Refused(core.Conflict, accounttest.Root(), "token.create", input{"name": "x", "expires_in": 1, "scope": []string{"read"}, "account": "gone"})
	})
}

func TestAnAccountHasAHundredTokensAtMost(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		for range 100 {
			made(h, shop, nil)
		}
		if said := h.Refused(core.Conflict, shop, "token.create", input{"name": "x", "expires_in": 1, "scope": []string{"read"}}); !strings.Contains(said, "100 tokens") {
			t.Errorf("refused with %q", said)
		}
	})
}

func TestATokenLivesAsLongAsItOpens(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		x, short := made(h, shop, nil), made(h, shop, input{"expires_in": 1})
		rival := h.Account(accounttest.Root(), "rival", "customer", "provider")
		live := func(account, id string) (live bool) {
			t.Helper()
			err := h.Look(t.Context(), "test", func(v *act.View) (err error) {
				live, err = h.Tokens.Live(t.Context(), v, account, id)
				return err
			})
			if err != nil {
				t.Fatal(err)
			}
			return live
		}
		h.Pass(day)
		if !live(shop.ID, x.ID) || live(rival.ID, x.ID) || live(shop.ID, short.ID) || live(shop.ID, "t_nobody") {
			t.Error("a token lives that does not open, or the other way round")
		}
		h.Must(accounttest.Root(), "token.revoke", input{"token": x.ID})
		if live(shop.ID, x.ID) {
			t.Error("a revoked token lives")
		}
	})
}

// TestNoProgramActsForWhoMustHaveAFactorAndHasNone: neither does he.
func TestNoProgramActsForWhoMustHaveAFactorAndHasNone(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Account(accounttest.Root(), "shop", "customer", "provider")
		x := made(h, accounttest.Root(), input{"account": "shop"})
		program(h, x)
		h.Must(accounttest.Root(), "mfa.set", input{"group": "customers", "required": true})
		if _, err := bearer(h, core.NewSecret(x.Token)); core.CodeOf(err) != core.Unauthenticated || err == nil {
			t.Errorf("his token: %v", err)
		}
		h.Must(accounttest.Root(), "mfa.set", input{"group": "customers", "required": false})
		program(h, x)
	})
}
