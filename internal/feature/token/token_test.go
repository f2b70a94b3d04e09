package token_test

import (
	"context"
	"encoding/json"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/token"
)

type (
	input = accounttest.Input
	house = accounttest.House
)

const (
	good = accounttest.Good
	day  = 24 * time.Hour
)

// shop is a house with an administrator and a customer who is logged in.
func shop(t *testing.T, f func(t *testing.T, h *house, shop act.Actor)) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		h.Primary()
		who, _, _ := h.Arm(h.Create(accounttest.Root(), "shop", "customer", "provider"))
		f(t, h, who)
	})
}

func mint(h *house, who act.Actor, days int) (id string, secret core.Secret) {
	h.T.Helper()
	out := h.Must(who, "token.create", input{"name": "backup script", "expires_in": days, "scope": []string{"*", "token.create"}}).Output.(token.Created)
	return out.ID, core.NewSecret(out.Token)
}

func bearer(h *house, secret core.Secret) (act.Actor, error) {
	return h.Tokens.Bearer(context.Background(), h.Bus, secret, "192.0.2.9")
}

func opensNothing(h *house, secret core.Secret) {
	h.T.Helper()
	if a, err := bearer(h, secret); err == nil || core.CodeOf(err) != core.Unauthenticated {
		h.T.Fatalf("the token opens as %+v: %v", a, err)
	}
}

func TestATokenActsAsItsOwner(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		id, secret := mint(h, shop, 30)
		if !strings.HasPrefix(secret.Reveal(), "hw_") || len(secret.Reveal()) != 55 {
			t.Errorf("the token has the form %.3s… and %d characters", secret.Reveal(), len(secret.Reveal()))
		}
		a, err := bearer(h, secret)
		if err != nil || a.ID != shop.ID || a.Role != act.Customer || a.Tenant != shop.ID || a.Door != "rest" || a.Session != id || !a.Proof.IsZero() {
			t.Errorf("it acts as %+v, %v", a, err)
		}
	})
}

func TestATokenIsShownOnceAndKeptAsAHash(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		_, secret := mint(h, shop, 30)
		_, _ = bearer(h, secret)
		list := h.Must(shop, "token.list", nil).Output.(token.List)
		b, err := json.Marshal(list)
		if err != nil || len(list.Tokens) != 1 || strings.Contains(string(b), secret.Reveal()) {
			t.Errorf("the list is %s, %v", b, err)
		}
		if strings.Contains(h.Everything(), secret.Reveal()) || !strings.Contains(h.Everything(), "backup script") {
			t.Error("the token is kept, or the search looks at the wrong place")
		}
	})
}

func TestATokenAlwaysEnds(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		for _, days := range []any{0, -1, 367, nil, 1 << 40} {
			h.Refused(core.Invalid, shop, "token.create", input{"name": "x", "scope": []string{"read"}, "expires_in": days})
		}
		_, secret := mint(h, shop, 1)
		h.Pass(day - time.Minute)
		if _, err := bearer(h, secret); err != nil {
			t.Errorf("a minute before its end: %v", err)
		}
		h.Pass(time.Minute)
		opensNothing(h, secret)
	})
}

func TestRevokingAndDisablingShutTheToken(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		id, secret := mint(h, shop, 30)
		h.Must(shop, "token.revoke", input{"token": id})
		opensNothing(h, secret)
		h.Refused(core.NotFound, shop, "token.revoke", input{"token": id})
		_, kept := mint(h, shop, 30)
		h.Must(accounttest.Root(), "account.disable", input{"account": "shop"})
		opensNothing(h, kept)
		h.Must(accounttest.Root(), "account.enable", input{"account": "shop"})
		if _, err := bearer(h, kept); err != nil {
			t.Errorf("after enabling: %v", err)
		}
		h.Must(accounttest.Root(), "account.delete", input{"account": "shop"})
		opensNothing(h, kept)
		if n := h.Count("token"); n != 0 {
			t.Errorf("%d tokens are left of a deleted account", n)
		}
	})
}

func TestWhatIsNoTokenOpensNothingAndLeavesNoRecord(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		id, secret := mint(h, shop, 30)
		before := len(h.Leaves())
		for _, s := range []string{"", "hw_", id, secret.Reveal()[3:], secret.Reveal() + "a", strings.ToUpper(secret.Reveal()), "hw_" + strings.Repeat("a", 5000), "hw_\x00", "hw_' OR '1'='1"} {
			opensNothing(h, core.NewSecret(s))
		}
		if n := len(h.Leaves()) - before; n != 0 {
			t.Errorf("%d records by the system about what strangers sent", n)
		}
	})
}

func TestATokenMakesNoOther(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		_, secret := mint(h, shop, 30)
		program, err := bearer(h, secret)
		if err != nil {
			t.Fatal(err)
		}
		h.Refused(core.Denied, program, "token.create", input{"name": "x", "scope": []string{"read"}, "expires_in": 1})
		program.Session = "" // whatever a face may forget
		h.Refused(core.Denied, program, "token.create", input{"name": "x", "scope": []string{"read"}, "expires_in": 1})
		ended := shop
		h.Must(shop, "session.end", nil)
		h.Refused(core.Denied, ended, "token.create", input{"name": "x", "scope": []string{"read"}, "expires_in": 1})
	})
}

func TestEverybodyMakesTokensForHimself(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		admin := h.Enter("root", good)
		h.Refused(core.Denied, admin, "token.create", input{"name": "x", "scope": []string{"read"}, "expires_in": 1, "account": "shop"})
		h.Refused(core.NotFound, shop, "token.create", input{"name": "x", "scope": []string{"read"}, "expires_in": 1, "account": "root"})
		borrowed := shop
		borrowed.Session = admin.Session // somebody else's session is none
		h.Refused(core.Denied, borrowed, "token.create", input{"name": "x", "scope": []string{"read"}, "expires_in": 1})
		out := h.Must(accounttest.Root(), "token.create", input{"name": "x", "scope": []string{"read"}, "expires_in": 1, "account": "shop"}).Output.(token.Created)
		if a, err := bearer(h, core.NewSecret(out.Token)); err != nil || a.Role != act.Customer {
			t.Errorf("what root made for the customer acts as %+v, %v", a, err)
		}
	})
}

func TestTokensOfOthersAreNotThere(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		primary := h.Primary()
		agency := h.Account(primary, "agency", "reseller", "provider")
		other := h.Account(primary, "other", "reseller", "provider")
		second := h.Account(primary, "second", "additional administrator", "provider")
		auditor := h.Account(primary, "auditor", "auditor", "provider")
		customer := h.Create(agency, "shop", "customer", "")
		customer, _, _ = h.Arm(customer)
		id, _ := mint(h, customer, 30)
		first, _, _ := h.Arm(h.Enter("root", good))
		top, _ := mint(h, first, 30)
		h.Refused(core.NotFound, other, "token.revoke", input{"token": id})
		h.Refused(core.NotFound, other, "token.list", input{"account": customer.ID})
		h.Refused(core.NotFound, second, "token.revoke", input{"token": top})
		h.Refused(core.NotFound, second, "token.list", input{"account": "root"})
		h.Refused(core.NotFound, customer, "token.revoke", input{"token": top})
		h.Refused(core.Denied, auditor, "token.revoke", input{"token": id})
		if n := len(h.Must(auditor, "token.list", input{"account": "shop"}).Output.(token.List).Tokens); n != 1 {
			t.Errorf("the auditor sees %d tokens", n)
		}
		h.Must(agency, "token.revoke", input{"token": id})
	})
}

func TestLastUseIsNotedOnceAnHour(t *testing.T) {
	shop(t, func(t *testing.T, h *house, shop act.Actor) {
		_, secret := mint(h, shop, 30)
		before := len(h.Leaves())
		for range 12 {
			if _, err := bearer(h, secret); err != nil {
				t.Fatal(err)
			}
			h.Pass(10 * time.Minute)
		}
		if n := len(h.Leaves()) - before; n != 2 {
			t.Errorf("two hours of use left %d records, want 2", n)
		}
		if used := h.Must(h.As("shop"), "token.list", nil).Output.(token.List).Tokens[0].Used; h.Clock().Sub(used) > 2*time.Hour {
			t.Errorf("last use is shown as %s", used)
		}
	})
}
