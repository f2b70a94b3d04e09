package account_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/notice"
)

// sent takes the letters that wait, as "account address" with nothing for the
// account's own.
func sent(h *accounttest.House) (to []string) {
	h.T.Helper()
	var due []notice.Letter
	err := h.Look(h.T.Context(), "test", func(v *act.View) (err error) {
		due, err = notice.Due(h.T.Context(), v)
		return err
	})
	if err != nil {
		h.T.Fatal(err)
	}
	for _, l := range due {
		text := "without a notice"
		if l.Notice != nil {
			text = l.Notice.Subject
		}
		to = append(to, fmt.Sprintf("%s <%s> %s", l.Account, l.Address, text))
		if err := h.Notices.Settled(h.T.Context(), h.Bus, l.ID, "", false); err != nil {
			h.T.Fatal(err)
		}
	}
	slices.Sort(to)
	return to
}

func TestAChangedAddressIsToldToBoth(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		h.Mails = true
		subject := "Your e-mail address was changed"
		change := func(who act.Actor, email string, want ...string) {
			t.Helper()
			p.Must(who, "account.update", input{"account": p.shop.ID, "email": email})
			for i := range want {
				want[i] = p.shop.ID + " <" + want[i] + "> " + subject
			}
			if got := sent(h); !slices.Equal(got, want) {
				t.Errorf("after %s letters go to %v, want %v", email, got, want)
			}
		}
		change(p.shop, "first@shop.example", "")
		change(p.agency, "second@shop.example", "", "first@shop.example")
		change(p.agency, "second@shop.example") // the same again
		change(p.primary, "-", "second@shop.example")
		p.Must(p.shop, "account.update", input{"account": p.shop.ID, "name": "The shop"})
		if got := sent(h); len(got) != 0 {
			t.Errorf("a new name is told to %v", got)
		}
		var said []string
		for _, n := range p.Must(p.shop, "notice.list", nil).Output.(notice.List).Notices {
			said = append(said, n.Text)
			if strings.Contains(n.Text, "@") {
				t.Errorf("a notice holds an address: %q", n.Text)
			}
		}
		if len(said) != 3 || !strings.Contains(said[0], "root (administrator)") || !strings.Contains(said[1], "agency (reseller)") {
			t.Errorf("he is told %q", said)
		}
	})
}

// TestAnAddressIsPersonalOnRecord: no leaf holds it.
func TestAnAddressIsPersonalOnRecord(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		p.Must(p.shop, "account.update", input{"account": p.shop.ID, "name": "Ottilie", "email": "ottilie@shop.example"})
		p.Refused(core.Invalid, p.shop, "account.update", input{"account": p.shop.ID, "email": "ottilie-without-an-at"})
		if leaves := strings.Join(h.Leaves(), "\n"); strings.Contains(leaves, "ottilie") || strings.Contains(leaves, "Ottilie") || strings.Contains(leaves, "an-at") {
			t.Error("a leaf holds what is personal")
		}
	})
}

// TestChangesAskForAProof: each of them, by whoever.
func TestChangesAskForAProof(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		for _, name := range []string{"agency", "shop", "second"} {
			h.Claim(name)
		}
		primary, second, agency, shop := h.Enter("root", accounttest.Good), h.Enter("second", accounttest.Good), h.Enter("agency", accounttest.Good), h.Enter("shop", accounttest.Good)
		h.Pass(16 * time.Minute)
		for op, in := range map[string]input{
			"account.create": {"login": "new", "role": "customer"}, "account.update": {"account": "shop", "name": "x"},
			"account.disable": {"account": "shop"}, "account.enable": {"account": "shop"}, "account.delete": {"account": "shop"},
		} {
			for _, who := range []act.Actor{primary, second, agency} {
				p.Refused(core.Unproved, who, op, in)
			}
		}
		p.Refused(core.Unproved, shop, "account.update", input{"account": "shop", "email": "thief@example.org"})
		p.Refused(core.NotFound, agency, "account.disable", input{"account": "other"}) // before that: what is not his is not there
		p.Must(accounttest.Root(), "account.update", input{"account": "shop", "name": "x"})
	})
}

// TestPagesOfAListHideWhatTheListHides: neither a page's end nor its length tells
// an additional administrator of another.
func TestPagesOfAListHideWhatTheListHides(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		for limit := 1; limit <= 8; limit++ {
			var names []string
			for after, page := "", 0; page < 10; page++ {
				l := p.Must(p.second, "account.list", input{"limit": limit, "after": after}).Output.(account.List)
				for _, x := range l.Accounts {
					names = append(names, x.Login)
				}
				if l.Next != "" && len(l.Accounts) != limit {
					t.Errorf("a page of %d has %d accounts and goes on", limit, len(l.Accounts))
				}
				if after = l.Next; after == "" {
					break
				}
				if after == "root" || after == "third" {
					t.Errorf("a page of %d ends in %q", limit, after)
				}
			}
			if want := p.logins(p.second); !slices.Equal(names, want) {
				t.Errorf("by %d he sees %v, at once %v", limit, names, want)
			}
		}
	})
}

// TestASearchCountsNobodyWhoIsHidden: an additional administrator who knows one
// account that matches would learn from an empty answer that another comes before.
func TestASearchCountsNobodyWhoIsHidden(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		p.Must(p.primary, "account.create", input{"login": "aaron", "role": "additional administrator", "email": "zither@home.example"})
		p.Must(p.second, "account.create", input{"login": "zz-mine", "role": "customer", "name": "zither and yodel"})
		for _, text := range []string{"zither", "yodel", "z"} {
			l := p.Must(p.second, "account.list", input{"text": text, "limit": 1}).Output.(account.List)
			if len(l.Accounts) != 1 || l.Accounts[0].Login != "zz-mine" {
				t.Errorf("%q finds %v", text, l.Accounts)
			}
			found, err := p.Find(t.Context(), p.second, text, 1)
			if err != nil || len(found) != 1 {
				t.Errorf("a search for %q finds %v, %v", text, found, err)
			}
		}
		if found, err := p.Find(t.Context(), p.primary, "zither", 10); err != nil || len(found) != 2 {
			t.Errorf("the primary finds %v, %v", found, err)
		}
		if l := p.Must(p.second, "account.list", input{"text": "second"}).Output.(account.List); len(l.Accounts) != 1 {
			t.Errorf("himself he finds as %v", l.Accounts)
		}
		if found, err := p.Find(t.Context(), p.agency, "o", 10); err != nil || len(found) != 1 {
			t.Errorf("the reseller finds %v, %v, want his customer alone", found, err)
		}
	})
}

// TestASearchTakesEveryCharacterForItself tries what databases take for more.
func TestASearchTakesEveryCharacterForItself(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		p := populate(h)
		p.Must(p.shop, "account.update", input{"account": p.shop.ID, "name": `100% _own_ ! \ ' "`})
		for text, want := range map[string]int{"%": 1, "_": 1, "!": 1, `\`: 1, "'": 1, `"`: 1, "100%": 1, "100%%": 0, "_%": 0, "0_0": 0, "' OR 1=1": 0} {
			if l := p.Must(p.primary, "account.list", input{"text": text}).Output.(account.List); len(l.Accounts) != want {
				t.Errorf("%q finds %d, want %d", text, len(l.Accounts), want)
			}
		}
	})
}

func TestWordsAreTheNamesSomebodyIsKnownBy(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *accounttest.House) {
		h.Must(h.Primary(), "account.create", input{"login": "anna@kranewitt.example", "role": "customer", "name": "Anna Kranewitt", "email": "mail@post.example"})
		who := h.As("anna@kranewitt.example")
		err := h.Look(t.Context(), "test", func(v *act.View) error {
			words, err := h.Accounts.Words(t.Context(), v, who.ID)
			for _, want := range []string{"anna@kranewitt.example", "Anna Kranewitt", "mail@post.example", "anna", "kranewitt.example", "mail", "post.example"} {
				if !slices.Contains(words, want) {
					t.Errorf("%q is not among %q", want, words)
				}
			}
			if slices.Contains(words, "") {
				t.Errorf("an empty one is among %q", words)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	})
}
