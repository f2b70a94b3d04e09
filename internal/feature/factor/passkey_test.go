package factor_test

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/factor"
	"hostward/internal/feature/login"
)

// offer is what a browser is told to make a passkey with.
func offer(h *house, a act.Actor) string {
	h.T.Helper()
	return h.Must(a, "passkey.offer", nil).Output.(factor.Options).Options
}

// asked is what a browser is told to use a passkey with.
func asked(h *house, a act.Actor) string {
	h.T.Helper()
	return h.Must(a, "login.challenge", nil).Output.(login.Challenge).Options
}

func addKey(h *house, a act.Actor, handle string) factor.Confirmed {
	h.T.Helper()
	return h.Must(a, "passkey.add", input{"name": handle, "response": accounttest.Answer(offer(h, a), handle)}).Output.(factor.Confirmed)
}

// keyed is a house with a customer who has a passkey.
func keyed(t *testing.T, f func(t *testing.T, h *house, shop act.Actor)) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		token, _ := addKey(h, shop, "key").OpensSession()
		f(t, h, h.Inside(token))
	})
}

var stranger = accounttest.Stranger("192.0.2.7")

func TestAPasskeyIsASecondFactorAndAWayIn(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		if out := addKey(h, shop, "key"); len(out.Codes) != 10 {
			t.Errorf("%d recovery codes came with the first factor", len(out.Codes))
		}
		if list := owned(h, shop).Passkeys; len(list) != 1 || list[0].Name != "key" || list[0].Made.IsZero() || !list[0].Used.IsZero() {
			t.Errorf("the list is %+v", list)
		}
		who := entrant(h, "shop")
		if who.Step != "factor" {
			t.Fatalf("after the password he is at step %q", who.Step)
		}
		in := h.Second(who, input{"passkey": accounttest.Answer(asked(h, who), "key")})
		alone := h.Must(stranger, "login.passkey", input{"passkey": accounttest.Answer(asked(h, stranger), "key")}).Output.(login.Entered)
		for _, a := range []act.Actor{in, h.Inside(alone.Token)} {
			if a.ID != shop.ID || a.Role != act.Customer || !a.Strong {
				t.Errorf("he is %+v", a)
			}
		}
		if owned(h, in).Passkeys[0].Used.IsZero() {
			t.Error("the use is not shown")
		}
	})
}

func TestAPasskeyIsMadeForTheSessionThatAsked(t *testing.T) {
	keyed(t, func(t *testing.T, h *house, shop act.Actor) {
		who := entrant(h, "shop")
		second := h.Second(who, input{"passkey": accounttest.Answer(asked(h, who), "key")})
		other := h.Create(root, "other", "customer", "provider")
		for what, options := range map[string]string{
			"another session": offer(h, second), "another account": offer(h, other), "proving oneself": asked(h, shop), "arriving": asked(h, stranger), "nobody": `{"challenge":"AAAA"}`,
		} {
			if _, err := h.Call(shop, "passkey.add", input{"name": "x", "response": accounttest.Answer(options, "new")}); err == nil || core.CodeOf(err) != core.Unauthenticated {
				t.Errorf("a challenge for %s: %v", what, err)
			}
		}
		h.Refused(core.Invalid, shop, "passkey.add", input{"name": "x", "response": "{}"})
		addKey(h, shop, "new")
	})
}

func TestAPasskeyProvesTheAccountThatWasAsked(t *testing.T) {
	keyed(t, func(t *testing.T, h *house, shop act.Actor) {
		other := h.Create(root, "other", "customer", "provider")
		addKey(h, other, "other's key")
		mine, his := entrant(h, "shop"), entrant(h, "other")
		for what, response := range map[string]string{
			"another account's challenge": accounttest.Answer(asked(h, his), "key"),
			"a challenge to create":       accounttest.Answer(offer(h, shop), "key"),
			"a stranger's challenge":      accounttest.Answer(asked(h, stranger), "key"),
			"somebody else's passkey":     accounttest.Answer(asked(h, mine), "other's key"),
			"an unknown passkey":          accounttest.Answer(asked(h, mine), "no key"),
		} {
			if _, err := h.Call(mine, "login.factor", input{"passkey": response}); err == nil || core.CodeOf(err) != core.Invalid {
				t.Errorf("%s: %v", what, err)
			}
		}
		h.Refused(core.Unauthenticated, stranger, "login.passkey", input{"passkey": accounttest.Answer(asked(h, mine), "key")})
		h.Refused(core.Unauthenticated, stranger, "login.passkey", input{"passkey": accounttest.Answer(offer(h, shop), "key")})
		h.Refused(core.Unauthenticated, stranger, "login.passkey", input{"passkey": accounttest.Answer(asked(h, stranger), "no key")})
		h.Second(mine, input{"passkey": accounttest.Answer(asked(h, mine), "key")})
	})
}

func TestAnAnswerOfAPasskeyCountsOnce(t *testing.T) {
	keyed(t, func(t *testing.T, h *house, shop act.Actor) {
		first, second := entrant(h, "shop"), entrant(h, "shop")
		early, late := accounttest.Answer(asked(h, first), "key"), accounttest.Answer(asked(h, first), "key")
		h.Second(first, input{"passkey": late})
		h.Refused(core.Invalid, second, "login.factor", input{"passkey": late})
		h.Refused(core.Invalid, second, "login.factor", input{"passkey": early})
		arrival := accounttest.Answer(asked(h, stranger), "key")
		if won := accounttest.Race(3, func(int) error {
			_, err := h.Call(stranger, "login.passkey", input{"passkey": arrival})
			return err
		}); won != 1 {
			t.Errorf("%d got in with one answer", won)
		}
		if won := accounttest.Race(2, func(i int) error {
			_, err := h.Call([]act.Actor{second, entrant(h, "shop")}[i], "login.factor", input{"passkey": arrival})
			return err
		}); won != 0 {
			t.Error("an answer of arrival proved an account")
		}
		made := accounttest.Answer(offer(h, shop), "new")
		h.Must(shop, "passkey.add", input{"name": "new", "response": made})
		challenge, _, _ := strings.Cut(made, " ")
		h.Refused(core.Unauthenticated, shop, "passkey.add", input{"name": "newer", "response": challenge + " newer"})
	})
}

func TestAChallengeLasts5Minutes(t *testing.T) {
	keyed(t, func(t *testing.T, h *house, shop act.Actor) {
		who := entrant(h, "shop")
		answers := func() (made, proof, arrival string) {
			return accounttest.Answer(offer(h, shop), "new"), accounttest.Answer(asked(h, who), "key"), accounttest.Answer(asked(h, stranger), "key")
		}
		made, proof, arrival := answers()
		h.Pass(5 * time.Minute)
		h.Refused(core.Unauthenticated, shop, "passkey.add", input{"name": "new", "response": made})
		h.Refused(core.Invalid, who, "login.factor", input{"passkey": proof})
		h.Refused(core.Unauthenticated, stranger, "login.passkey", input{"passkey": arrival})
		made, proof, arrival = answers()
		h.Pass(5*time.Minute - time.Second)
		h.Must(shop, "passkey.add", input{"name": "new", "response": made})
		h.Must(who, "login.factor", input{"passkey": proof})
		h.Must(stranger, "login.passkey", input{"passkey": arrival})
	})
}

func TestAKnownPasskeyIsNotAddedAgain(t *testing.T) {
	keyed(t, func(t *testing.T, h *house, shop act.Actor) {
		other := h.Create(root, "other", "customer", "provider")
		for _, a := range []act.Actor{shop, other} {
			h.Refused(core.Conflict, a, "passkey.add", input{"name": "again", "response": accounttest.Answer(offer(h, a), "key")})
		}
		if owned(h, other).Has || h.Count("factor_passkey") != 1 {
			t.Error("it was added")
		}
	})
}

func TestAnAccountHasAtMost20Passkeys(t *testing.T) {
	keyed(t, func(t *testing.T, h *house, shop act.Actor) {
		for i := range 19 {
			addKey(h, shop, fmt.Sprintf("key %d", i))
		}
		one := input{"name": "one more", "response": accounttest.Answer(offer(h, shop), "one more")}
		h.Refused(core.Conflict, shop, "passkey.add", one)
		h.Must(shop, "passkey.remove", input{"passkey": owned(h, shop).Passkeys[3].ID})
		h.Must(shop, "passkey.add", one)
		if n := h.Count("factor_passkey"); n != 20 {
			t.Errorf("there are %d passkeys", n)
		}
	})
}

func TestAPasskeyIsRemovedByItsOwnerAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		agency := h.Create(root, "agency", "reseller", "provider")
		shop := h.Create(agency, "shop", "customer", "")
		other := h.Create(agency, "other", "customer", "")
		addKey(h, shop, "key")
		addKey(h, agency, "agency's key")
		in := input{"passkey": owned(h, shop).Passkeys[0].ID}
		h.Refused(core.NotFound, other, "passkey.remove", in)
		h.Refused(core.Denied, agency, "passkey.remove", in)
		h.Refused(core.Denied, h.Enter("root", good), "passkey.remove", in)
		h.Refused(core.NotFound, shop, "passkey.remove", input{"passkey": owned(h, agency).Passkeys[0].ID})
		h.Refused(core.NotFound, shop, "passkey.remove", input{"passkey": "k_0"})
		h.Must(shop, "passkey.remove", in)
		h.Refused(core.Unauthenticated, stranger, "login.passkey", input{"passkey": accounttest.Answer(asked(h, stranger), "key")})
		if out := owned(h, shop); out.Has || out.Recovery != 0 {
			t.Errorf("without a factor there is %+v", out)
		}
		if a := entrant(h, "shop"); a.Role != act.Customer {
			t.Errorf("without a factor he is %s at step %q", a.Role, a.Step)
		}
	})
}

func TestRemovingOneOfTwoFactorsKeepsTheCodes(t *testing.T) {
	keyed(t, func(t *testing.T, h *house, shop act.Actor) {
		shop, _, _ = h.Arm(shop)
		h.Must(shop, "passkey.remove", input{"passkey": owned(h, shop).Passkeys[0].ID})
		if out := owned(h, shop); !out.Has || out.Recovery != 10 {
			t.Errorf("with the app there is %+v", out)
		}
		addKey(h, shop, "another")
		h.Must(shop, "totp.remove", nil)
		if out := owned(h, shop); !out.Has || out.Recovery != 10 {
			t.Errorf("with the passkey there is %+v", out)
		}
	})
}
