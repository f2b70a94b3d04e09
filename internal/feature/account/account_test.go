package account_test

import (
	"slices"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account"
	"hostward/internal/feature/account/accounttest"
)

type input = accounttest.Input

// people is a house with one of each.
type people struct {
	*accounttest.House
	primary, second, third, auditor, agency, other, shop, direct act.Actor
}

func populate(h *accounttest.House) *people {
	p := &people{House: h, primary: h.Primary()}
	p.second = h.Account(p.primary, "second", "additional administrator", "provider")
	p.third = h.Account(p.primary, "third", "additional administrator", "provider")
	p.auditor = h.Account(p.primary, "auditor", "auditor", "provider")
	p.agency = h.Account(p.primary, "agency", "reseller", "provider")
	p.other = h.Account(p.second, "other", "reseller", "provider")
	p.shop = h.Account(p.agency, "shop", "customer", "")
	p.direct = h.Account(p.primary, "direct", "customer", "provider")
	return p
}

func (p *people) logins(a act.Actor) []string {
	var names []string
	for _, x := range p.Must(a, "account.list", nil).Output.(account.List).Accounts {
		names = append(names, x.Login)
	}
	return names
}

func TestEveryoneListsOnlyWhatIsHis(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		all := []string{"agency", "auditor", "direct", "other", "root", "second", "shop", "third"}
		for _, c := range []struct {
			who  act.Actor
			want []string
		}{
			{p.primary, all}, {p.auditor, all}, {accounttest.Root(), all},
			{p.second, []string{"agency", "auditor", "direct", "other", "second", "shop"}},
			{p.agency, []string{"agency", "shop"}},
			{p.other, []string{"other"}},
			{p.shop, []string{"shop"}},
		} {
			if got := p.logins(c.who); !slices.Equal(got, c.want) {
				t.Errorf("%s sees %v, want %v", c.who.Name, got, c.want)
			}
		}
	})
}

func TestListGoesOnWhereItStopped(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		var names []string
		after := ""
		for range 10 {
			l := p.Must(p.primary, "account.list", input{"limit": 3, "after": after}).Output.(account.List)
			for _, x := range l.Accounts {
				names = append(names, x.Login)
			}
			if after = l.Next; after == "" {
				break
			}
		}
		if want := p.logins(p.primary); !slices.Equal(names, want) {
			t.Errorf("page by page %v, at once %v", names, want)
		}
		found := p.Must(p.agency, "account.list", input{"text": "O"}).Output.(account.List)
		if len(found.Accounts) != 1 || found.Accounts[0].Login != "shop" {
			t.Errorf("the reseller found %v, want shop alone", found.Accounts)
		}
		if none := p.Must(p.primary, "account.list", input{"text": "%"}).Output.(account.List); len(none.Accounts) != 0 {
			t.Errorf("%% is no wildcard, but found %v", none.Accounts)
		}
	})
}

func TestForeignAccountsDoNotExist(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		for _, c := range []struct{ who, whom act.Actor }{
			{p.agency, p.other}, {p.agency, p.direct}, {p.agency, p.primary}, {p.shop, p.agency}, {p.shop, p.direct}, {p.other, p.shop},
			{p.second, p.primary}, {p.second, p.third},
		} {
			for _, op := range []string{"account.show", "account.update", "account.disable", "account.enable", "account.delete"} {
				if o, _ := p.Registry.Op(op); o.Roles&c.who.Role == 0 {
					continue
				}
				byID := p.Refused(core.NotFound, c.who, op, input{"account": c.whom.ID})
				if want := strings.ReplaceAll(p.Refused(core.NotFound, c.who, op, input{"account": "a_nobody"}), "a_nobody", c.whom.ID); byID != want {
					t.Errorf("%s by %s: a foreign account answers %q, an absent one %q", op, c.who.Name, byID, want)
				}
				byName := p.Refused(core.NotFound, c.who, op, input{"account": c.whom.Name})
				if strings.Contains(byName, c.whom.ID) {
					t.Errorf("%s by %s: the log-in name gives the id away: %s", op, c.who.Name, byName)
				}
			}
		}
	})
}

func TestTheRecordOfAForeignAttemptTellsTheTruth(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		p.Refused(core.NotFound, p.agency, "account.disable", input{"account": p.other.ID})
		l := p.Last()
		if l.Object.ID != p.other.ID || !strings.Contains(l.Reason, "another tenant") || l.Actor.ID != p.agency.ID {
			t.Errorf("record says %s about %s by %s", l.Reason, l.Object, l.Actor.ID)
		}
	})
}

func TestWhoMayCreateWhom(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		for _, c := range []struct {
			who          act.Actor
			role, parent string
			code         core.Code
		}{
			{p.second, "additional administrator", "provider", core.Denied},
			{p.second, "auditor", "provider", core.Denied},
			{p.agency, "reseller", "", core.Denied},
			{p.agency, "auditor", "", core.Denied},
			{p.agency, "customer", "provider", core.NotFound},
			{p.agency, "customer", p.other.ID, core.NotFound},
			{p.agency, "customer", p.shop.ID, core.Denied},
			{p.primary, "customer", p.direct.ID, core.Invalid},
			{p.primary, "reseller", p.agency.ID, core.Invalid},
			{p.primary, "auditor", p.agency.ID, core.Invalid},
			{p.primary, "administrator", "provider", core.Invalid},
			{p.shop, "customer", "", core.Denied},
			{p.auditor, "customer", "provider", core.Denied},
		} {
			p.Refused(c.code, c.who, "account.create", input{"login": "new", "role": c.role, "parent": c.parent})
		}
		p.Must(p.second, "account.create", input{"login": "new", "role": "customer", "parent": "agency"})
		if got := p.logins(p.agency); !slices.Equal(got, []string{"agency", "new", "shop"}) {
			t.Errorf("the reseller sees %v", got)
		}
	})
}

func TestALoginNameIsOneWhateverItsCase(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		root := h.Primary()
		a := h.Must(root, "account.create", input{"login": "Anna@Kranewitt.Example", "role": "customer"}).Output.(account.Account)
		if a.Login != "anna@kranewitt.example" {
			t.Errorf("kept as %q", a.Login)
		}
		h.Refused(core.Conflict, root, "account.create", input{"login": "ANNA@kranewitt.example", "role": "customer"})
		if h.Must(root, "account.show", input{"account": "ANNA@KRANEWITT.EXAMPLE"}).Output.(account.Account).ID != a.ID {
			t.Error("the name in capitals shows another account")
		}
		for _, bad := range []string{"", "a b", ".a", "a.", "ä", "a@b", "a@-b.example", "a/b", "a@@b.example", strings.Repeat("a", 64), "a\u200b", "a@b.c"} {
			h.Refused(core.Invalid, root, "account.create", input{"login": bad, "role": "customer"})
		}
	})
}

func TestNobodyClosesHimselfOrThePrimary(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		for _, op := range []string{"account.disable", "account.delete"} {
			p.Refused(core.Denied, p.primary, op, input{"account": p.primary.ID})
			p.Refused(core.Denied, accounttest.Root(), op, input{"account": p.primary.ID})
			p.Refused(core.Denied, p.agency, op, input{"account": p.agency.ID})
			p.Refused(core.Denied, p.second, op, input{"account": p.auditor.ID})
			p.Refused(core.Denied, p.auditor, op, input{"account": p.shop.ID})
		}
	})
}

func TestADisabledAccountIsShutAtOnceAndOnRecord(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		p.Claim("shop")
		token, _ := p.Token("shop", accounttest.Good), p.Token("shop", accounttest.Good)
		r := p.Must(p.agency, "account.disable", input{"account": "shop"})
		if !r.Output.(account.Account).Disabled || r.State != act.InForce {
			t.Fatalf("answer %+v", r)
		}
		p.Over(token)
		ended := 0
		for _, e := range r.Changes {
			if e.Name == "session.ended" {
				ended++
			}
		}
		if ended != 2 {
			t.Errorf("%d sessions were recorded as ended, want 2", ended)
		}
		p.Refused(core.Unauthenticated, accounttest.Stranger("192.0.2.7"), "login.enter", input{"login": "shop", "password": accounttest.Good})
		if again := p.Must(p.agency, "account.disable", input{"account": "shop"}); again.State != act.Unchanged {
			t.Errorf("disabling twice is %s", again.State)
		}
		p.Must(p.agency, "account.enable", input{"account": "shop"})
		p.Over(token)
		p.Enter("shop", accounttest.Good)
	})
}

func TestAResellerDoesNotUndoWhatTheProviderDid(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		p.Must(p.second, "account.disable", input{"account": "shop"})
		p.Refused(core.Denied, p.agency, "account.enable", input{"account": "shop"})
		p.Must(p.primary, "account.enable", input{"account": "shop"})
	})
}

func TestAnAccountThatOwnsSomethingStays(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		if said := p.Refused(core.Conflict, p.primary, "account.delete", input{"account": "agency"}); !strings.Contains(said, "1 account") {
			t.Errorf("refused with %q", said)
		}
		p.Hold("3 zones")
		if said := p.Refused(core.Conflict, p.agency, "account.delete", input{"account": "shop"}); !strings.Contains(said, "3 zones") {
			t.Errorf("refused with %q", said)
		}
		p.Hold("")
		b, err := p.Do(t.Context(), act.Call{Op: "account.delete", Actor: p.agency, Input: []byte(`{"account":"shop"}`)})
		if core.CodeOf(err) != core.Unconfirmed {
			t.Fatalf("unconfirmed: %v, %v", b, err)
		}
		p.Claim("shop")
		shop, _, _ := p.Arm(p.Enter("shop", accounttest.Good))
		p.Must(shop, "token.create", input{"name": "x", "expires_in": 1, "scope": []string{"read"}})
		p.Must(p.agency, "account.delete", input{"account": "shop"})
		p.Refused(core.NotFound, p.agency, "account.show", input{"account": p.shop.ID})
		p.Must(p.agency, "account.delete", input{"account": p.Must(p.agency, "account.create", input{"login": "shop", "role": "customer"}).Output.(account.Account).ID})
		p.Must(p.primary, "account.delete", input{"account": "agency"})
		if got := p.logins(p.primary); slices.Contains(got, "agency") || slices.Contains(got, "shop") {
			t.Errorf("still there: %v", got)
		}
	})
}

func TestUpdateChangesWhatItIsGiven(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		r := p.Must(p.shop, "account.update", input{"account": p.shop.ID, "name": "The shop", "email": "mail@shop.example"})
		if len(r.Changes) != 2 || r.Changes[1].Name != "notice.told" || len(r.Changes[0].Fields) != 2 || !r.Changes[0].Fields[0].Personal {
			t.Errorf("recorded %+v", r.Changes)
		}
		p.Must(p.agency, "account.update", input{"account": "shop", "email": "-"})
		x := p.Must(p.agency, "account.show", input{"account": "shop"}).Output.(account.Account)
		if x.Name != "The shop" || x.Email != "" || !x.Managed {
			t.Errorf("now %+v", x)
		}
		if r := p.Must(p.agency, "account.update", input{"account": "shop", "name": "The shop"}); r.State != act.Unchanged {
			t.Errorf("the same again is %s", r.State)
		}
		p.Refused(core.Invalid, p.agency, "account.update", input{"account": "shop", "email": "nowhere"})
		p.Refused(core.Denied, p.auditor, "account.update", input{"account": "auditor", "name": "x"})
		p.Refused(core.Denied, p.second, "account.update", input{"account": "auditor", "name": "x"})
	})
}

func TestTenantsAboveNearestFirst(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		err := p.Look(t.Context(), "test", func(v *act.View) error {
			for tenant, want := range map[string][]string{
				core.Provider: nil, p.agency.ID: {core.Provider}, p.direct.ID: {core.Provider}, p.shop.ID: {p.agency.ID, core.Provider},
			} {
				if got, err := p.Accounts.Scope(t.Context(), v, tenant); err != nil || !slices.Equal(got, want) {
					t.Errorf("above %s: %v, %v; want %v", tenant, got, err, want)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}

func TestSearchFindsPartsOfNames(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		k, _ := p.Registry.Kind("account")
		var names []string
		err := p.Look(t.Context(), "test", func(v *act.View) error {
			hits, err := k.Find(t.Context(), v, "O", 4)
			for _, x := range hits {
				names = append(names, x.Name)
			}
			return err
		})
		if want := []string{"auditor", "other", "root", "second"}; err != nil || !slices.Equal(names, want) {
			t.Errorf("found %v, %v; want %v", names, err, want)
		}
	})
}
