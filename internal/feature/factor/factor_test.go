package factor_test

import (
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/factor"
	"hostward/internal/feature/token"
)

type (
	input = accounttest.Input
	house = accounttest.House
)

const (
	good = accounttest.Good
	step = 30 * time.Second
	day  = 24 * time.Hour
)

var root = accounttest.Root()

func each(t *testing.T, f func(t *testing.T, h *house)) { accounttest.Each(t, f) }

// guest is a house with a customer who is logged in and has no factor yet.
func guest(t *testing.T, f func(t *testing.T, h *house, shop act.Actor)) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		f(t, h, h.Create(root, "shop", "customer", "provider"))
	})
}

// armed is a house with a customer who has an app.
func armed(t *testing.T, f func(t *testing.T, h *house, shop act.Actor, seed string, codes []string)) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		shop, seed, codes := h.Arm(shop)
		f(t, h, shop, seed, codes)
	})
}

func owned(h *house, a act.Actor) factor.Owned {
	h.T.Helper()
	return h.Must(a, "factor.list", nil).Output.(factor.Owned)
}

func begin(h *house, a act.Actor) string {
	h.T.Helper()
	return h.Must(a, "totp.begin", nil).Output.(factor.Begun).Secret
}

// entrant is an account after its password.
func entrant(h *house, name string) act.Actor {
	h.T.Helper()
	return h.Inside(h.Token(name, good))
}

// apart waits for a moment whose code, that before, that after, and the one before
// both are four different ones.
func apart(h *house, seed string) {
	for {
		seen := map[string]bool{}
		now := h.Clock()
		for n := -2; n <= 1; n++ {
			seen[accounttest.Code(seed, now.Add(time.Duration(n)*step))] = true
		}
		if len(seen) == 4 {
			return
		}
		h.Pass(step)
	}
}

// off is the code that an app shows whose clock goes wrong by d.
func off(h *house, seed string, d time.Duration) string {
	return accounttest.Code(seed, h.Clock().Add(d))
}

// program is what acts with a token of an account that may call the operations.
func program(h *house, a act.Actor, ops ...string) act.Actor {
	h.T.Helper()
	out := h.Must(a, "token.create", input{"name": "script", "expires_in": 1, "scope": ops}).Output.(token.Created)
	who, err := h.Tokens.Bearer(h.T.Context(), h.Bus, core.NewSecret(out.Token), "192.0.2.9")
	if err != nil {
		h.T.Fatal(err)
	}
	return who
}

// changes are the operations that change factors, with an input for each.
func changes(seed string, h *house) map[string]input {
	return map[string]input{
		"totp.begin": nil, "totp.confirm": {"code": off(h, seed, 0)}, "totp.remove": nil, "recovery.renew": nil,
		"passkey.add": {"name": "phone", "response": "AAAA handle"},
	}
}

func TestNobodyChangesFactorsButTheirOwnerInHisSession(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, _ string, _ []string) {
		addKey(h, shop, "key")
		id := owned(h, shop).Passkeys[0].ID
		over := h.Strong("shop", good, begun(h, shop))
		h.Must(over, "session.end", nil)
		fresh := begin(h, shop)
		in := changes(fresh, h)
		in["passkey.remove"] = input{"passkey": id}
		var names []string
		for op := range in {
			names = append(names, op)
		}
		boss := h.Enter("root", good)
		acting := h.Inside(sessionOf(h.Must(boss, "session.act", input{"account": "shop", "why": "he asked for help"})))
		borrowed := shop
		borrowed.Session = boss.Session
		for what, a := range map[string]act.Actor{
			"a token": program(h, shop, append(names, "*")...), "root": root, "who acts as him": acting, "an ended session": over, "another's session": borrowed,
		} {
			before := h.Count("factor_recovery") + h.Count("factor_passkey") + h.Count("factor_totp")
			for op, in := range in {
				if op == "passkey.add" {
					in["response"] = accounttest.Answer(offer(h, shop), "new")
				}
				if _, err := h.Call(a, op, in); err == nil || core.CodeOf(err) != core.Denied {
					t.Errorf("%s calls %s: %v", what, op, err)
				}
			}
			if n := h.Count("factor_recovery") + h.Count("factor_passkey") + h.Count("factor_totp"); n != before {
				t.Errorf("%s changed %d rows to %d", what, before, n)
			}
		}
		h.Must(shop, "totp.confirm", input{"code": off(h, fresh, 0)})
	})
}

func sessionOf(r act.Result) core.Secret {
	token, _ := r.Output.(interface {
		OpensSession() (core.Secret, time.Time)
	}).OpensSession()
	return token
}

func TestChangingFactorsAsksForAFreshProof(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, seed string, _ []string) {
		addKey(h, shop, "key")
		h.Pass(16 * time.Minute)
		for op, in := range map[string]input{
			"totp.begin": nil, "totp.remove": nil, "recovery.renew": nil, "passkey.remove": {"passkey": owned(h, shop).Passkeys[0].ID},
			"passkey.add": {"name": "phone", "response": accounttest.Answer(offer(h, shop), "new")},
		} {
			h.Refused(core.Unproved, shop, op, in)
		}
		shop = h.Inside(sessionOf(h.Must(shop, "session.prove", input{"code": h.Code(seed)})))
		h.Must(shop, "recovery.renew", nil)
	})
}

func TestOthersSeeNoFactorsButThoseTheyManage(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		agency := h.Account(root, "agency", "reseller", "provider")
		other := h.Account(root, "other", "reseller", "provider")
		second := h.Account(root, "second", "additional administrator", "provider")
		auditor := h.Account(root, "auditor", "auditor", "provider")
		shop, _, _ := h.Arm(h.Create(agency, "shop", "customer", ""))
		addKey(h, shop, "handle of a passkey")
		h.Refused(core.NotFound, other, "factor.list", input{"account": shop.ID})
		h.Refused(core.NotFound, shop, "factor.list", input{"account": "agency"})
		h.Refused(core.NotFound, second, "factor.list", input{"account": "root"})
		h.Refused(core.Unauthenticated, accounttest.Stranger("192.0.2.7"), "factor.list", input{"account": "shop"})
		for _, a := range []act.Actor{agency, auditor, second, root} {
			out := h.Must(a, "factor.list", input{"account": "shop"}).Output.(factor.Owned)
			if out.App.IsZero() || len(out.Passkeys) != 1 || out.Recovery != 10 || !out.Has {
				t.Errorf("%s sees %+v", a.Role, out)
			}
		}
	})
}

func TestADeletedAccountLeavesNoFactor(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, _ string, _ []string) {
		addKey(h, shop, "key")
		begin(h, shop)
		tables := []string{"factor_totp", "factor_passkey", "factor_recovery", "factor_reset"}
		h.Must(root, "account.disable", input{"account": "shop"})
		for _, table := range tables[:3] {
			if h.Count(table) == 0 {
				t.Errorf("%s is empty when the account is only closed", table)
			}
		}
		h.Must(root, "account.delete", input{"account": "shop"})
		gone := h.Create(root, "gone", "customer", "provider")
		h.Arm(gone)
		h.Must(root, "factor.reset", input{"account": "gone", "how": "called back"})
		if h.Count("factor_reset") != 1 {
			t.Error("the reset is not noted")
		}
		h.Must(root, "account.delete", input{"account": "gone"})
		for _, table := range tables {
			if n := h.Count(table); n != 0 {
				t.Errorf("%s holds %d rows of deleted accounts", table, n)
			}
		}
	})
}

func TestNoSeedAndNoCodeIsKept(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, seed string, codes []string) {
		fresh := begin(h, shop)
		kept := h.Everything()
		for _, s := range append(codes, seed, fresh, strings.ReplaceAll(codes[0], "-", "")) {
			if strings.Contains(kept, s) {
				t.Errorf("%q is kept", s)
			}
		}
		if !strings.Contains(kept, shop.ID) || len(codes) != 10 {
			t.Error("the search looks at the wrong place")
		}
	})
}
