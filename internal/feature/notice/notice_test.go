package notice_test

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/notice"
)

type (
	input = accounttest.Input
	house = accounttest.House
)

var root = accounttest.Root()

// guest is a house with a customer, not logged in.
func guest(t *testing.T, f func(t *testing.T, h *house, shop act.Actor)) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		f(t, h, h.Account(h.Primary(), "shop", "customer", "provider"))
	})
}

// told has an account told something: its e-mail address is another one.
func told(h *house, account, address string) act.Result {
	h.T.Helper()
	return h.Must(root, "account.update", input{"account": account, "email": address})
}

func list(h *house, a act.Actor) notice.List {
	h.T.Helper()
	return h.Must(a, "notice.list", nil).Output.(notice.List)
}

// due are the letters to send now.
func due(h *house) (letters []notice.Letter) {
	h.T.Helper()
	if err := h.Look(h.T.Context(), "test", func(v *act.View) (err error) {
		letters, err = notice.Due(h.T.Context(), v)
		return err
	}); err != nil {
		h.T.Fatal(err)
	}
	return letters
}

func settle(h *house, l notice.Letter, fault string, never bool) {
	h.T.Helper()
	if err := h.Notices.Settled(context.Background(), h.Bus, l.ID, fault, never); err != nil {
		h.T.Fatal(err)
	}
}

func names(r act.Result) (all []string) {
	for _, e := range r.Changes {
		all = append(all, e.Name)
	}
	return all
}

func TestANoticeStandsUntilItsOwnerHasSeenIt(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		if out := list(h, shop); out.Unseen != 0 || out.Notices == nil || len(out.Notices) != 0 {
			t.Errorf("at first there is %+v", out)
		}
		told(h, "shop", "one@example.org")
		told(h, "shop", "two@example.org")
		out := list(h, shop)
		if out.Unseen != 2 || len(out.Notices) != 2 || !out.Notices[0].Made.After(out.Notices[1].Made) {
			t.Fatalf("there is %+v", out)
		}
		if n := out.Notices[0]; n.Account != shop.ID || n.Subject != "Your e-mail address was changed" || !strings.Contains(n.Text, "root") || !n.Seen.IsZero() {
			t.Errorf("it says %+v", n)
		}
		seen := input{"notice": out.Notices[0].ID}
		if r := h.Must(shop, "notice.dismiss", seen); !slices.Equal(names(r), []string{"notice.seen"}) {
			t.Errorf("recorded %v", names(r))
		}
		if out := list(h, shop); out.Unseen != 1 || out.Notices[0].Seen.IsZero() {
			t.Errorf("then there is %+v", out)
		}
		if r := h.Must(shop, "notice.dismiss", seen); r.State != act.Unchanged {
			t.Errorf("once more it is %s", r.State)
		}
	})
}

func TestTheRecordSaysToWhomAndAboutWhat(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		r := told(h, "shop", "one@example.org")
		if got := names(r); !slices.Equal(got, []string{"account.updated", "notice.told"}) {
			t.Fatalf("recorded %v", got)
		}
		e := r.Changes[1]
		if e.Tenant != shop.ID || *e.Fields[0].New != shop.ID || *e.Fields[1].New != "Your e-mail address was changed" {
			t.Errorf("recorded %+v", e)
		}
	})
}

func TestAnAccountKeepsItsNewest100Notices(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		h.Account(root, "other", "customer", "provider")
		told(h, "other", "other@example.org")
		h.Mails = true
		for i := range 100 {
			told(h, "shop", fmt.Sprintf("shop%d@example.org", i))
			h.Pass(5 * time.Hour)
		}
		first := list(h, shop).Notices[99]
		r := told(h, "shop", "last@example.org")
		if got := names(r); !slices.Contains(got, "notice.dropped") {
			t.Errorf("recorded %v", got)
		}
		now := list(h, shop).Notices
		if len(now) != 100 || slices.ContainsFunc(now, func(n notice.Notice) bool { return n.ID == first.ID }) || h.Count("notice") != 101 {
			t.Errorf("%d notices are kept, %d in all", len(now), h.Count("notice"))
		}
		h.Refused(core.NotFound, shop, "notice.dismiss", input{"notice": first.ID})
		letters := due(h)
		if len(letters) != 50 { // what is taken at once
			t.Errorf("%d letters are due", len(letters))
		}
		if l := letters[0]; l.About != first.ID || l.Notice != nil {
			t.Errorf("the letter about what is gone is %+v", l)
		}
	})
}

// TestAMailboxIsNotFilledFromHere: of one subject few notices go out in a day, and
// what is provoked hides nothing else.
func TestAMailboxIsNotFilledFromHere(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		h.Mails = true
		for i := range 20 {
			told(h, "shop", fmt.Sprintf("shop%d@example.org", i))
		}
		if n := h.Count("notice_letter"); n != 9 { // to the new address each time, and to those before
			t.Errorf("%d letters wait", n)
		}
		h.Must(root, "token.create", input{"account": "shop", "name": "backup", "scope": []string{"read"}, "expires_in": 30})
		if n := h.Count("notice_letter"); n != 10 {
			t.Errorf("with another subject %d letters wait", n)
		}
		if n := list(h, shop).Unseen; n != 21 {
			t.Errorf("%d notices stand in the panel", n)
		}
		h.Pass(25 * time.Hour)
		told(h, "shop", "later@example.org")
		if n := h.Count("notice_letter"); n != 12 {
			t.Errorf("a day later %d letters wait", n)
		}
	})
}

// TestWhatWasSeenGivesWayFirst keeps what its owner has not read yet.
func TestWhatWasSeenGivesWayFirst(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		for i := range 100 {
			told(h, "shop", fmt.Sprintf("shop%d@example.org", i))
		}
		all := list(h, shop).Notices
		h.Must(shop, "notice.dismiss", input{"notice": all[50].ID})
		told(h, "shop", "last@example.org")
		now := list(h, shop).Notices
		if len(now) != 100 || slices.ContainsFunc(now, func(n notice.Notice) bool { return n.ID == all[50].ID }) {
			t.Errorf("%d are kept, the seen one among them", len(now))
		}
	})
}

func TestANoticeIsForItsOwnerAlone(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		boss := h.Init()
		agency := h.Account(root, "agency", "reseller", "provider")
		shop, _, _ := h.Arm(h.Create(agency, "shop", "customer", ""))
		other := h.Account(root, "other", "customer", "provider")
		auditor := h.Account(root, "auditor", "auditor", "provider")
		acting := h.Inside(opened(h.Must(boss, "session.act", input{"account": "shop", "why": "he asked for help"})))
		n := list(h, shop).Notices[0]
		if !strings.Contains(n.Text, "he asked for help") {
			t.Fatalf("the newest notice is %+v", n)
		}
		in := input{"notice": n.ID}
		for _, c := range []struct {
			by   act.Actor
			code core.Code
		}{{acting, core.Denied}, {boss, core.Denied}, {root, core.Denied}, {agency, core.Denied}, {auditor, core.Denied}, {other, core.NotFound},
			{accounttest.Stranger("192.0.2.7"), core.Unauthenticated}} {
			h.Refused(c.code, c.by, "notice.dismiss", in)
		}
		for _, a := range []act.Actor{agency, other, root, auditor} {
			if list := list(h, a).Notices; slices.ContainsFunc(list, func(n notice.Notice) bool { return n.Account == shop.ID }) {
				t.Errorf("%s reads what was for the customer", a.Role)
			}
		}
		h.Must(shop, "notice.dismiss", in)
	})
}

func opened(r act.Result) core.Secret {
	token, _ := r.Output.(interface {
		OpensSession() (core.Secret, time.Time)
	}).OpensSession()
	return token
}

func TestWithMailANoticeGoesOutAsALetterToo(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		told(h, "shop", "older@example.org")
		told(h, "shop", "old@example.org")
		if n := h.Count("notice_letter"); n != 0 {
			t.Fatalf("without mail %d letters wait", n)
		}
		h.Mails = true
		r := told(h, "shop", "new@example.org")
		if got := names(r); !slices.Equal(got, []string{"account.updated", "notice.told", "letter.queued", "letter.queued"}) {
			t.Errorf("recorded %v", got)
		}
		letters := due(h)
		if len(letters) != 2 {
			t.Fatalf("%d letters are due", len(letters))
		}
		n := list(h, shop).Notices[0]
		var to []string
		for _, l := range letters {
			to = append(to, l.Address)
			if l.Account != shop.ID || l.About != n.ID || l.Notice == nil || l.Notice.Text != n.Text || l.Tries != 0 {
				t.Errorf("a letter is %+v", l)
			}
		}
		if slices.Sort(to); !slices.Equal(to, []string{"", "old@example.org"}) {
			t.Errorf("they go to %q", to)
		}
	})
}

func TestAFirstAddressHasNoLetterToTheOneBefore(t *testing.T) {
	guest(t, func(t *testing.T, h *house, _ act.Actor) {
		h.Mails = true
		told(h, "shop", "first@example.org")
		if letters := due(h); len(letters) != 1 || letters[0].Address != "" {
			t.Errorf("due are %+v", letters)
		}
		told(h, "shop", "-")
		if letters := due(h); len(letters) != 2 || !slices.ContainsFunc(letters, func(l notice.Letter) bool { return l.Address == "first@example.org" }) {
			t.Errorf("without an address there are %+v", letters)
		}
	})
}

func TestALetterThatWasSentIsGone(t *testing.T) {
	guest(t, func(t *testing.T, h *house, _ act.Actor) {
		h.Mails = true
		told(h, "shop", "one@example.org")
		l := due(h)[0]
		settle(h, l, "", false)
		if e := h.Last().Events; len(e) != 1 || e[0].Name != "letter.sent" {
			t.Errorf("recorded %+v", e)
		}
		if h.Count("notice_letter") != 0 || h.Count("notice") != 1 {
			t.Error("the letter is kept, or its notice is not")
		}
		if err := h.Notices.Settled(t.Context(), h.Bus, l.ID, "", false); core.CodeOf(err) != core.NotFound || err == nil {
			t.Errorf("settled once more: %v", err)
		}
	})
}

func TestALetterWaitsLongerEachTimeAndEndsAfterADay(t *testing.T) {
	guest(t, func(t *testing.T, h *house, _ act.Actor) {
		h.Mails = true
		told(h, "shop", "one@example.org")
		begun := h.Clock()
		var waits []time.Duration
		for h.Count("notice_letter") > 0 && len(waits) < 100 {
			letters := due(h)
			if len(letters) != 1 || letters[0].Tries != len(waits) {
				t.Fatalf("after %v due are %+v", waits, letters)
			}
			settle(h, letters[0], "connection refused", false)
			if len(due(h)) != 0 {
				t.Fatal("it is due at once again")
			}
			wait := time.Duration(0)
			for h.Count("notice_letter") > 0 && len(due(h)) == 0 {
				h.Pass(30 * time.Second)
				wait += 30 * time.Second
			}
			waits = append(waits, wait.Round(time.Minute))
		}
		want := []time.Duration{1, 2, 4, 8, 16, 32, 60, 60}
		for i, w := range want {
			if waits[i] != w*time.Minute {
				t.Errorf("it waited %v", waits)
				break
			}
		}
		if spent := h.Clock().Sub(begun); spent < 24*time.Hour || spent > 25*time.Hour {
			t.Errorf("it was given up after %s", spent)
		}
		e := h.Last().Events[0]
		if e.Name != "letter.dropped" || !slices.ContainsFunc(e.Fields, func(f act.Field) bool { return f.Name == "why" && *f.New == "connection refused" }) {
			t.Errorf("recorded %+v", e)
		}
	})
}

func TestALetterThatNeverGoesThroughIsNotTriedAgain(t *testing.T) {
	guest(t, func(t *testing.T, h *house, _ act.Actor) {
		h.Mails = true
		told(h, "shop", "one@example.org")
		settle(h, due(h)[0], "there is no such mailbox", true)
		if e := h.Last().Events[0]; e.Name != "letter.dropped" || h.Count("notice_letter") != 0 {
			t.Errorf("recorded %+v, %d letters wait", e, h.Count("notice_letter"))
		}
	})
}

func TestOneLetterThatFailsDoesNotKeepTheOthersWaiting(t *testing.T) {
	guest(t, func(t *testing.T, h *house, _ act.Actor) {
		h.Mails = true
		for i := range 60 {
			login := fmt.Sprintf("shop%d", i/5)
			if i%5 == 0 {
				h.Account(root, login, "customer", "provider")
			}
			told(h, login, fmt.Sprintf("shop%d@example.org", i))
		}
		seen := map[string]bool{}
		for range 10 {
			for _, l := range due(h) {
				seen[l.ID] = true
				settle(h, l, "connection refused", false)
			}
		}
		if len(seen) != h.Count("notice_letter") || len(seen) != 108 {
			t.Errorf("%d of %d letters were tried", len(seen), h.Count("notice_letter"))
		}
	})
}

// TestALetterToNobodyCostsTheSame compares what is recorded and kept for a name
// that somebody has, and for one that nobody has.
func TestALetterToNobodyCostsTheSame(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		h.Mails = true
		ask := func(login, from string) act.Result {
			return h.Must(accounttest.Stranger(from), "login.forgot", input{"login": login})
		}
		known, unknown := ask("shop", "198.51.100.1"), ask("nobody", "198.51.100.2")
		if a, b := names(known), names(unknown); !slices.Equal(a, b) || !slices.Contains(a, "letter.queued") || known.Output != unknown.Output {
			t.Errorf("recorded %v and %v, answered %v and %v", a, b, known.Output, unknown.Output)
		}
		letters := due(h)
		if len(letters) != 2 || letters[0].Account != shop.ID || letters[1].Account != "" || letters[0].About != letters[1].About {
			t.Fatalf("due are %+v", letters)
		}
		if e := unknown.Changes[slices.Index(names(unknown), "letter.queued")]; e.Tenant != core.Provider {
			t.Errorf("the letter to nobody belongs to %s", e.Tenant)
		}
		settle(h, letters[1], "nobody was meant", true)
		if h.Count("notice_letter") != 1 {
			t.Error("the letter to nobody stays")
		}
	})
}

func TestNothingIsLeftOfWhatADeletedAccountWasTold(t *testing.T) {
	guest(t, func(t *testing.T, h *house, _ act.Actor) {
		h.Mails = true
		h.Account(root, "other", "customer", "provider")
		told(h, "other", "other@example.org")
		told(h, "shop", "one@example.org")
		told(h, "shop", "two@example.org")
		h.Must(root, "account.disable", input{"account": "shop"})
		if h.Count("notice") != 3 {
			t.Error("closing the account took its notices")
		}
		r := h.Must(root, "account.delete", input{"account": "shop"})
		if got := names(r); !slices.Contains(got, "notice.dropped") || !slices.Contains(got, "letter.dropped") {
			t.Errorf("recorded %v", got)
		}
		if n, letters := h.Count("notice"), h.Count("notice_letter"); n != 1 || letters != 1 {
			t.Errorf("%d notices and %d letters are left, want those of the other account", n, letters)
		}
	})
}

func TestLettersAreSettledByTheSystemAlone(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		h.Mails = true
		told(h, "shop", "one@example.org")
		in := input{"letter": due(h)[0].ID}
		h.Refused(core.Denied, shop, "letter.settle", in)
		h.Refused(core.Denied, root, "letter.settle", in)
		h.Refused(core.Unauthenticated, accounttest.Stranger("192.0.2.7"), "letter.settle", in)
		if h.Count("notice_letter") != 1 {
			t.Error("it was settled")
		}
	})
}
