package login_test

import (
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/factor"
	"hostward/internal/feature/login"
)

const other = "eight brown hens under a ladder"

// enter logs in from the stranger's address and returns the answer.
func enter(h *house, name, password string) login.Entered {
	h.T.Helper()
	return h.Must(stranger, "login.enter", input{"login": name, "password": password}).Output.(login.Entered)
}

// breach says that a password was found in a breach, from a new list on.
func breach(h *house, file, password string) {
	h.T.Helper()
	h.Breached = map[string]bool{password: true}
	h.Must(root, "password.blocklist.adopt", input{"file": file})
}

// reset takes all factors of an account away and returns the token of its link.
func reset(h *house, name string) string {
	h.T.Helper()
	_, token, _ := strings.Cut(h.Must(root, "factor.reset", input{"account": name, "how": "called back"}).Output.(factor.Link).Link, "#token=")
	return token
}

// require says that customers must have a second factor, now.
func require(h *house) {
	h.T.Helper()
	h.Must(root, "mfa.set", input{"group": "customers", "required": true})
}

// opened is the token of an answer that opens a session.
func opened(r act.Result) core.Secret {
	token, _ := r.Output.(interface {
		OpensSession() (core.Secret, time.Time)
	}).OpensSession()
	return token
}

// at fails unless somebody is in, or is at a step.
func at(h *house, token core.Secret, step string) act.Actor {
	h.T.Helper()
	a := h.Inside(token)
	if a.Step != step || (a.Role == act.Entrant) != (step != "") {
		h.T.Fatalf("he is %s at step %q, want %q", a.Role, a.Step, step)
	}
	return a
}

func TestStepsComeOneAfterAnother(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		_, seed, _ := h.Arm(h.Create(root, "shop", "customer", "provider"))
		breach(h, "1.fuse", good)
		first := enter(h, "shop", good)
		if first.Step != "factor" || !first.Device.Empty() {
			t.Errorf("the answer is %+v", first)
		}
		token := opened(h.Must(at(h, first.Token, "factor"), "login.factor", input{"code": h.Code(seed)}))
		at(h, token, "password") // never before the factor

		link := reset(h, "shop")
		h.Over(token)
		second := enter(h, "shop", good)
		r := h.Must(at(h, second.Token, "link"), "login.link", input{"token": link})
		if out := r.Output.(login.Entered); out.Step != "enrol" || !out.Device.Empty() {
			t.Errorf("after the link: %+v", out)
		}
		h.Over(second.Token)
		a := at(h, opened(r), "enrol")
		h.Refused(core.Unauthenticated, a, "login.link", input{"token": link})
		seed = h.Must(a, "totp.begin", nil).Output.(factor.Begun).Secret
		r = h.Must(a, "totp.confirm", input{"code": accounttest.Code(seed, h.Clock())})
		h.Over(second.Token)
		token = opened(h.Must(at(h, opened(r), "password"), "password.change", input{"old_password": good, "new_password": other}))
		if a := at(h, token, ""); a.Role != act.Customer || !a.Strong {
			t.Errorf("at the end he is %+v", a)
		}
	})
}

// TestTheStepIsWorkedOutAtEveryUse changes the rules while sessions are open.
func TestTheStepIsWorkedOutAtEveryUse(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Create(root, "shop", "customer", "provider")
		one, two := h.Token("shop", good), h.Token("shop", good)
		at(h, one, "")
		h.Must(root, "mfa.set", input{"group": "customers", "required": true, "grace": 3})
		at(h, one, "")
		require(h)
		a := at(h, one, "enrol")
		h.Refused(core.Unauthenticated, a, "session.list", nil)
		at(h, two, "enrol")
		armed, seed, _ := h.Arm(a)
		if armed.Role != act.Customer || !armed.Strong {
			t.Errorf("armed he is %+v", armed)
		}
		h.Over(one)
		at(h, two, "factor") // whoever is in there has shown none
		breach(h, "1.fuse", good)
		enter(h, "shop", good) // and it is found then
		at(h, two, "factor")
		two = opened(h.Must(h.Inside(two), "login.factor", input{"code": h.Code(seed)}))
		at(h, two, "password")
		h.Must(root, "account.disable", input{"account": "shop"})
		h.Over(two)
	})
}

func TestAGraceEndsWithinASession(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Must(root, "mfa.set", input{"group": "customers", "required": true, "grace": 1})
		h.Account(root, "shop", "customer", "provider")
		h.Pass(23*time.Hour + 50*time.Minute)
		h.Claim("shop")
		token := h.Token("shop", good)
		if due := h.Must(at(h, token, ""), "login.step", nil).Output.(login.Step).Due; due.Sub(h.Clock()) > 10*time.Minute || due.Before(h.Clock()) {
			t.Errorf("it is due at %s", due)
		}
		h.Pass(10 * time.Minute)
		at(h, token, "enrol")
	})
}

// allowed are the operations that an entrant may call, by step.
var allowed = map[string][]string{
	"factor":   {"login.factor"},
	"link":     {"login.link"},
	"enrol":    {"factor.list", "passkey.add", "passkey.offer", "session.prove", "totp.begin", "totp.confirm"},
	"password": {"password.change"},
	"":         {"login.challenge", "login.ready", "login.step", "password.check", "password.generate", "session.end"},
}

// TestAnEntrantCallsWhatHisStepNeedsAndNothingElse tries every operation at every step.
func TestAnEntrantCallsWhatHisStepNeedsAndNothingElse(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		entrants := map[string]act.Actor{}
		_, _, _ = h.Arm(h.Create(root, "factor", "customer", "provider"))
		entrants["factor"] = h.Enter("factor", good)
		h.Create(root, "enrol", "customer", "provider")
		_, _, _ = h.Arm(h.Create(root, "link", "customer", "provider"))
		reset(h, "link")
		entrants["link"] = h.Enter("link", good)
		h.Create(root, "password", "reseller", "provider")
		breach(h, "1.fuse", good)
		entrants["password"] = h.Enter("password", good)
		require(h)
		entrants["enrol"] = h.Enter("enrol", good)
		for step, who := range entrants {
			if who.Role != act.Entrant || who.Step != step {
				t.Fatalf("he is %s at step %q, want %q", who.Role, who.Step, step)
			}
			for _, op := range h.Registry.Ops() {
				if op.Name == "session.end" {
					continue
				}
				_, err := h.Do(t.Context(), act.Call{Op: op.Name, Actor: who, Input: op.Sample(), Confirmed: true})
				left := err != nil && strings.Contains(err.Error(), "one step is left")
				if may := slices.Contains(allowed[step], op.Name) || slices.Contains(allowed[""], op.Name); may == left {
					t.Errorf("%s at step %q: %v, want it allowed: %v", op.Name, step, err, may)
				}
				if left && core.CodeOf(err) != core.Unauthenticated {
					t.Errorf("%s at step %q: %v", op.Name, step, err)
				}
			}
			h.Must(who, "session.end", nil)
		}
	})
}

func TestAWrongCodeCountsAndARightOneChangesTheToken(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		_, seed, codes := h.Arm(h.Create(root, "shop", "customer", "provider"))
		token := enter(h, "shop", good).Token
		a := at(h, token, "factor")
		for range 5 {
			if said := h.Refused(core.Invalid, a, "login.factor", input{"code": "000000"}); !strings.Contains(said, "not right") {
				t.Errorf("refused with %q", said)
			}
		}
		if l := h.Last(); l.Outcome != "refused" || l.Actor.ID != a.ID || len(l.Events) != 2 || l.Events[0].Name != "throttle.counted" || l.Events[1].Name != "credential.failed" {
			t.Errorf("recorded as %+v", l)
		}
		at(h, token, "factor") // a wrong one changes nothing
		h.Refused(core.Throttled, a, "login.factor", input{"code": codes[0]})
		other := at(h, enter(h, "shop", good).Token, "factor") // not by another session either
		h.Refused(core.Throttled, other, "login.factor", input{"code": codes[0]})
		h.Pass(time.Minute)
		h.Refused(core.Invalid, a, "login.factor", input{"code": "000000"})
		h.Refused(core.Throttled, a, "login.factor", input{"code": codes[0]})
		h.Pass(2 * time.Minute)
		r := h.Must(a, "login.factor", input{"code": h.Code(seed)})
		h.Over(token)
		if in := at(h, opened(r), ""); !in.Strong || h.Clock().Sub(in.Proof) > time.Minute {
			t.Errorf("he is %+v", in)
		}
		if methods := h.Must(h.As("shop"), "session.list", nil).Output.(login.Sessions).Sessions; !slices.ContainsFunc(methods, func(s login.Session) bool { return s.Method == "password and factor" }) {
			t.Errorf("sessions are %+v", methods)
		}
		// What failed is forgotten: five are free again.
		h.Refused(core.Invalid, other, "login.factor", input{"code": "000000"})
		h.Must(other, "login.factor", input{"code": codes[0]})
	})
}

func TestACodeIsGivenOrAPasskeyUsedNotBoth(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		_, _, codes := h.Arm(h.Create(root, "shop", "customer", "provider"))
		a := h.Enter("shop", good)
		for _, in := range []input{{}, {"code": codes[0], "passkey": "x"}, {"passkey": "x y"}} {
			h.Refused(core.Invalid, a, "login.factor", in)
		}
		h.Must(a, "login.factor", input{"code": codes[0]})
	})
}

// passkey adds a passkey to who is in a session, and returns its handle and who he
// is then.
func passkey(h *house, a act.Actor, handle string) act.Actor {
	h.T.Helper()
	options := h.Must(a, "passkey.offer", nil).Output.(factor.Options).Options
	return h.Inside(opened(h.Must(a, "passkey.add", input{"name": handle, "response": accounttest.Answer(options, handle)})))
}

// answer is what a browser sends with a passkey, for a challenge that was made for a.
func answer(h *house, a act.Actor, handle string) string {
	h.T.Helper()
	return accounttest.Answer(h.Must(a, "login.challenge", nil).Output.(login.Challenge).Options, handle)
}

// TestAPasskeyWaitsForNobodysCodes: it cannot be guessed.
func TestAPasskeyWaitsForNobodysCodes(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		armed, _, codes := h.Arm(h.Create(root, "shop", "customer", "provider"))
		passkey(h, armed, "phone")
		a := h.Enter("shop", good)
		for range 5 {
			h.Refused(core.Invalid, a, "login.factor", input{"code": "000000"})
		}
		h.Refused(core.Throttled, a, "login.factor", input{"code": codes[0]})
		stolen := passkeyOf(h, "thief", "key")
		h.Refused(core.Invalid, a, "login.factor", input{"passkey": answer(h, a, stolen)})
		in := at(h, opened(h.Must(a, "login.factor", input{"passkey": answer(h, a, "phone")})), "")
		if !in.Strong {
			t.Error("a passkey is not strong")
		}
	})
}

// passkeyOf makes a customer with a passkey.
func passkeyOf(h *house, name, handle string) string {
	h.T.Helper()
	passkey(h, h.Create(root, name, "customer", "provider"), handle)
	return handle
}

// TestManyCodesAtOnceDoNotCountAsOne has others fail between the look at a code and
// its use: neither is it told to be wrong, nor does it let anybody in.
func TestManyCodesAtOnceDoNotCountAsOne(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		_, seed, _ := h.Arm(h.Create(root, "shop", "customer", "provider"))
		for _, right := range []bool{false, true} {
			a := h.Enter("shop", good)
			code := "000000"
			if right {
				code = h.Code(seed)
			}
			h.Meanwhile(func() {
				for range 5 {
					h.Refused(core.Invalid, a, "login.factor", input{"code": "000000"})
				}
			})
			h.Refused(core.Throttled, a, "login.factor", input{"code": code})
			h.Pass(16 * time.Minute)
		}
		strong := h.Strong("shop", good, seed)
		h.Meanwhile(func() {
			for range 5 {
				h.Refused(core.Invalid, strong, "session.prove", input{"code": "000000"})
			}
		})
		h.Refused(core.Throttled, strong, "session.prove", input{"code": h.Code(seed)})
	})
}

func TestALinkOfAResetIsForItsOwnerAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		for _, name := range []string{"shop", "rival"} {
			_, _, _ = h.Arm(h.Create(root, name, "customer", "provider"))
		}
		mine, theirs := reset(h, "shop"), reset(h, "rival")
		invitation := h.Invite(root, "shop")
		a := at(h, h.Token("shop", good), "link")
		for _, token := range []string{theirs, invitation, "0", ""} {
			h.Refused(core.Invalid, a, "login.link", input{"token": token})
		}
		h.Refused(core.NotFound, stranger, "login.claim", input{"token": mine, "password": other})
		at(h, opened(h.Must(a, "login.link", input{"token": mine})), "enrol")
		again := at(h, h.Token("shop", good), "link") // it is for one session
		h.Refused(core.Conflict, again, "login.link", input{"token": mine})
		late := at(h, h.Token("rival", good), "link")
		h.Pass(30 * time.Minute)
		h.Refused(core.Conflict, late, "login.link", input{"token": theirs})
	})
}

// TestALinkForAPasswordLeavesThatOfAReset: a stranger can have a letter sent, and a
// person may need both.
func TestALinkForAPasswordLeavesThatOfAReset(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		_, _, _ = h.Arm(h.Create(root, "shop", "customer", "provider"))
		enrol := reset(h, "shop")
		first := h.Invite(root, "shop")
		second := h.Invite(root, "shop")
		h.Refused(core.NotFound, stranger, "login.claim", input{"token": first, "password": other})
		h.Must(stranger, "login.claim", input{"token": second, "password": other})
		at(h, opened(h.Must(at(h, h.Token("shop", other), "link"), "login.link", input{"token": enrol})), "enrol")
	})
}

func TestLoginStepSaysWhatIsLeft(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		said := func(a act.Actor) login.Step { return h.Must(a, "login.step", nil).Output.(login.Step) }
		armed, seed, codes := h.Arm(h.Create(root, "shop", "customer", "provider"))
		passkey(h, armed, "phone")
		a := h.Enter("shop", good)
		if s := said(a); s.Step != "factor" || !slices.Equal(s.Methods, []string{"passkey", "app", "recovery"}) || !s.Has || !s.Fresh || s.Why != "" {
			t.Errorf("before the factor: %+v", s)
		}
		breach(h, "1.fuse", good)
		a = h.Inside(opened(h.Must(h.Enter("shop", good), "login.factor", input{"code": codes[0]})))
		if s := said(a); s.Step != "password" || !strings.Contains(s.Why, "breach") {
			t.Errorf("before the new password: %+v", s)
		}
		a = h.Inside(opened(h.Must(a, "password.change", input{"old_password": good, "new_password": other})))
		h.Pass(16 * time.Minute)
		if s := said(a); s.Step != "" || s.Why != "" || s.Fresh {
			t.Errorf("once in: %+v", s)
		}
		if s := said(h.Strong("shop", other, seed)); !s.Fresh {
			t.Errorf("after the factor: %+v", s)
		}
		if s := said(root); s.Step != "" || s.Has {
			t.Errorf("root, who has no account: %+v", s)
		}
	})
}
