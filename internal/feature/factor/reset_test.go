package factor_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/factor"
	"hostward/internal/feature/notice"
	"hostward/internal/ledger"
)

// reset resets an account's factors and returns the token of the link.
func reset(h *house, by act.Actor, account string) string {
	h.T.Helper()
	link := h.Must(by, "factor.reset", input{"account": account, "how": "called back"}).Output.(factor.Link)
	_, token, found := strings.Cut(link.Link, "#token=")
	if !found || token == "" || link.Expires.Sub(h.Clock()) > 30*time.Minute {
		h.T.Fatalf("the link is %+v", link)
	}
	return token
}

func TestWhoMayResetWhoseFactors(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		primary := h.Primary()
		who := map[string]act.Actor{"root": primary}
		for _, c := range []struct{ login, role, parent string }{
			{"second", "additional administrator", ""}, {"third", "additional administrator", ""}, {"auditor", "auditor", ""},
			{"agency", "reseller", ""}, {"other", "reseller", ""}, {"shop", "customer", "agency"},
		} {
			h.Must(primary, "account.create", input{"login": c.login, "role": c.role, "parent": c.parent})
			h.Claim(c.login)
			h.Arm(h.Enter(c.login, good))
			who[c.login] = h.As(c.login)
		}
		h.Arm(h.Enter("root", good))
		for _, c := range []struct {
			by, whom string
			code     core.Code
		}{
			{"second", "root", core.NotFound}, {"second", "third", core.NotFound}, {"second", "auditor", core.Denied}, {"second", "second", core.Denied},
			{"root", "root", core.Denied}, {"agency", "agency", core.Denied}, {"agency", "other", core.NotFound}, {"agency", "root", core.NotFound},
			{"other", "shop", core.NotFound}, {"shop", "shop", core.Denied}, {"auditor", "shop", core.Denied}, {"auditor", "auditor", core.Denied},
		} {
			h.Refused(c.code, who[c.by], "factor.reset", input{"account": who[c.whom].ID, "how": "called back"})
		}
		stale := who["agency"]
		stale.Proof = h.Clock().Add(-16 * time.Minute)
		h.Refused(core.Unproved, stale, "factor.reset", input{"account": "shop", "how": "called back"})
		if n := h.Count("factor_reset"); n != 0 {
			t.Fatalf("%d accounts were reset", n)
		}
		for _, c := range []struct {
			by   act.Actor
			whom string
		}{{who["agency"], "shop"}, {who["second"], "agency"}, {who["root"], "second"}, {who["root"], "auditor"}, {root, "root"}} {
			reset(h, c.by, who[c.whom].ID)
		}
		reset(h, who["second"], "shop") // once more: for another link
		h.Account(primary, "bare", "customer", "provider")
		h.Refused(core.Conflict, primary, "factor.reset", input{"account": "bare", "how": "called back"})
	})
}

func TestAResetTakesAllFactorsEndsSessionsAndTellsTheOwner(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, seed string, codes []string) {
		addKey(h, shop, "key")
		token := sessionOf(h.Must(entrant(h, "shop"), "login.factor", input{"code": h.Code(seed)}))
		half := h.Token("shop", good)
		h.Must(root, "account.update", input{"account": "shop", "email": "shop@example.org"})
		h.Must(root, "token.create", input{"account": "shop", "name": "backup", "scope": []string{"read"}, "expires_in": 30})
		h.Mails = true
		r := h.Must(root, "factor.reset", input{"account": "shop", "how": "called back"})
		for _, event := range []string{"totp.removed", "passkey.removed", "recovery.removed", "session.ended", "token.revoked", "factor.reset", "notice.told", "letter.queued"} {
			if !slices.ContainsFunc(r.Changes, func(e ledger.Event) bool { return e.Name == event }) {
				t.Errorf("%s is not on record", event)
			}
		}
		h.Over(token)
		h.Over(half)
		for _, table := range []string{"factor_totp", "factor_passkey", "factor_recovery"} {
			if n := h.Count(table); n != 0 {
				t.Errorf("%s holds %d rows", table, n)
			}
		}
		told := h.Must(h.As("shop"), "notice.list", nil).Output.(notice.List)
		if n := told.Notices[0]; n.Subject != "Your second factors were reset" || !strings.Contains(n.Text, "root at the server's command line") {
			t.Errorf("he is told %+v", n)
		}
		h.Refused(core.Unauthenticated, stranger, "login.passkey", input{"passkey": accounttest.Answer(asked(h, stranger), "key")})
		for _, proof := range []input{{"code": codes[0]}, {"code": h.Code(seed)}} {
			if _, err := h.Call(entrant(h, "shop"), "login.factor", proof); err == nil {
				t.Error("a factor from before the reset lets in")
			}
		}
	})
}

func TestAfterAResetThePasswordAloneLeadsToTheLink(t *testing.T) {
	armed(t, func(t *testing.T, h *house, _ act.Actor, _ string, _ []string) {
		link := reset(h, root, "shop")
		who, other := entrant(h, "shop"), entrant(h, "shop")
		if who.Role != act.Entrant || who.Step != "link" {
			t.Fatalf("after the password he is %s at step %q", who.Role, who.Step)
		}
		for op, in := range map[string]input{
			"totp.begin": nil, "passkey.offer": nil, "factor.list": nil, "totp.confirm": {"code": "123456"}, "session.prove": {"password": good},
			"password.change": {"old_password": good, "new_password": "eight brown hens under a ladder"}, "account.list": nil, "login.factor": {"code": "123456"},
		} {
			h.Refused(core.Unauthenticated, who, op, in)
		}
		h.Refused(core.Invalid, who, "login.link", input{"token": "guessed"})
		h.Refused(core.NotFound, stranger, "login.claim", input{"token": link, "password": good}) // it sets no password
		old := who
		who = h.Inside(sessionOf(h.Must(who, "login.link", input{"token": link})))
		if who.Role != act.Entrant || who.Step != "enrol" || who.Session != old.Session {
			t.Fatalf("after the link he is %s at step %q", who.Role, who.Step)
		}
		if out := owned(h, who); out.Has || !out.Reset || !out.Required {
			t.Errorf("he sees %+v", out)
		}
		h.Refused(core.Conflict, other, "login.link", input{"token": link})
		who, seed, codes := h.Arm(who)
		if who.Role != act.Customer || !who.Strong || len(codes) != 10 || owned(h, who).Reset || h.Count("factor_reset") != 0 {
			t.Errorf("with a factor he is %s, %+v", who.Role, owned(h, who))
		}
		h.Strong("shop", good, seed)
		if last := entrant(h, "shop"); last.Step != "factor" {
			t.Errorf("the next log-in leads to %q", last.Step)
		}
	})
}

func TestAPasskeyEndsAResetToo(t *testing.T) {
	armed(t, func(t *testing.T, h *house, _ act.Actor, _ string, _ []string) {
		link := reset(h, root, "shop")
		who := h.Inside(sessionOf(h.Must(entrant(h, "shop"), "login.link", input{"token": link})))
		out := addKey(h, who, "key")
		token, _ := out.OpensSession()
		if a := h.Inside(token); a.Role != act.Customer || len(out.Codes) != 10 || h.Count("factor_reset") != 0 {
			t.Errorf("he is %s with %d codes", a.Role, len(out.Codes))
		}
	})
}

func TestALinkAfterAResetIsForOneAccountAndOneTime(t *testing.T) {
	armed(t, func(t *testing.T, h *house, _ act.Actor, _ string, _ []string) {
		h.Arm(h.Create(root, "other", "customer", "provider"))
		mine, his := reset(h, root, "shop"), reset(h, root, "other")
		h.Refused(core.Invalid, entrant(h, "shop"), "login.link", input{"token": his})
		h.Must(entrant(h, "shop"), "login.link", input{"token": mine})
		again := entrant(h, "shop") // he closed the browser before he was done
		if again.Step != "link" {
			t.Fatalf("another log-in leads to %q", again.Step)
		}
		h.Refused(core.Conflict, again, "login.link", input{"token": mine})
		h.Must(entrant(h, "other"), "login.link", input{"token": his})
		first := reset(h, root, "shop")
		late := reset(h, root, "shop")
		h.Refused(core.Invalid, entrant(h, "shop"), "login.link", input{"token": first})
		who := entrant(h, "shop")
		h.Pass(30 * time.Minute)
		h.Refused(core.Conflict, who, "login.link", input{"token": late})
	})
}

func TestALinkForAPasswordIsNoneForAFactor(t *testing.T) {
	armed(t, func(t *testing.T, h *house, _ act.Actor, _ string, _ []string) {
		link := reset(h, root, "shop")
		invited := h.Invite(root, "shop")
		h.Refused(core.Invalid, entrant(h, "shop"), "login.link", input{"token": invited})
		h.Must(stranger, "login.claim", input{"token": invited, "password": "eight brown hens under a ladder"})
		if a := h.Inside(h.Token("shop", "eight brown hens under a ladder")); a.Step != "link" {
			t.Errorf("a new password leads to %q", a.Step)
		} else {
			h.Must(a, "login.link", input{"token": link})
		}
	})
}
