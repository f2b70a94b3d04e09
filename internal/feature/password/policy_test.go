package password_test

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/password"
)

type (
	input = accounttest.Input
	house = accounttest.House
)

const good = accounttest.Good

var root = accounttest.Root()

func check(h *house, a act.Actor, in input) password.Verdict {
	h.T.Helper()
	return h.Must(a, "password.check", in).Output.(password.Verdict)
}

func policy(h *house) password.Policy {
	h.T.Helper()
	return h.Must(root, "password.policy.show", nil).Output.(password.Policy)
}

func TestAGeneratedPasswordIsGoodEnoughAtEveryLevel(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		me := h.Primary()
		h.Must(root, "password.policy.set", input{"level": "very strong"})
		stranger := accounttest.Stranger("192.0.2.7")
		for range 20 {
			text := h.Must(stranger, "password.generate", nil).Output.(password.Offered).Password
			if v := check(h, me, input{"password": text}); !v.Enough || v.Level != "very strong" || v.Fault != "" {
				t.Errorf("%q is %+v", text, v)
			}
		}
	})
}

func TestEveryLevelHasItsFloor(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		me := h.Primary()
		h.Breached = map[string]bool{"seven brown ducks under a ladder": true}
		for i, level := range []string{"very weak", "weak", "medium", "strong", "very strong"} {
			h.Must(root, "password.policy.set", input{"level": level})
			for _, c := range []struct {
				text   string
				score  int // of 0 to 4
				enough bool
			}{
				{"k7#vQ2!xLp", 3, false},       // 10 characters, alone
				{"aaaaaaaaaaaaaaaa", 0, false}, // everybody's, at every level
				{"purple monkeys 7", 1, i <= 1}, {"seven brown hens", 2, i <= 2}, {"hens and ladders", 3, i <= 3}, {good, 4, true},
				{"seven brown ducks under a ladder", 4, false},
			} {
				v := check(h, me, input{"password": c.text})
				if v.Score != c.score || v.Enough != c.enough || v.Enough != (v.Fault == "") {
					t.Errorf("at %s %q is %+v, want score %d, enough %v", level, c.text, v, c.score, c.enough)
				}
				if strings.Contains(v.Fault, c.text) || c.text != "seven brown ducks under a ladder" && v.Fault != "" && v.Score < 4 && len(v.Why) == 0 {
					t.Errorf("at %s of %q is said %q, %q", level, c.text, v.Fault, v.Why)
				}
			}
		}
	})
}

func TestTheNIS2ModeAsksForStrong(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		me := h.Primary()
		h.Must(root, "password.policy.set", input{"level": "weak"})
		if v := check(h, me, input{"password": "seven brown hens"}); !v.Enough {
			t.Errorf("without the mode: %+v", v)
		}
		h.NIS2 = true
		if p := policy(h); p.Level != "weak" || p.Force != "strong" || !p.NIS2 || len(p.Levels) != 5 || p.Alone != 15 || p.Beside != 8 {
			t.Errorf("the policy is %+v", p)
		}
		for text, enough := range map[string]bool{"seven brown hens": false, "hens and ladders": true} {
			if v := check(h, me, input{"password": text}); v.Enough != enough {
				t.Errorf("%q: %+v", text, v)
			}
		}
		h.Must(root, "password.policy.set", input{"level": "very strong"}) // more is possible
		if p := policy(h); p.Force != "very strong" {
			t.Errorf("in force is %s", p.Force)
		}
	})
}

// TestOnesOwnNamesAreNoPassword: as it would be for the caller, and for a new account.
func TestOnesOwnNamesAreNoPassword(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		me := h.Primary()
		h.Must(me, "account.create", input{"login": "kranewitt-zwirnbach", "role": "customer", "name": "Ottilie Schlagenhaufen", "email": "ottilie@webstuhlhaus.example"})
		who := h.As("kranewitt-zwirnbach")
		text := "kranewitt-zwirnbach-kranewitt-zwirnbach"
		if v := check(h, me, input{"password": text}); v.Score == 0 {
			t.Fatalf("as anybody's it is %+v: the test would not tell", v)
		}
		for name, v := range map[string]password.Verdict{
			"his log-in name": check(h, who, input{"password": text}),
			"said beforehand": check(h, me, input{"password": text, "login": "kranewitt-zwirnbach"}),
			"his mail":        check(h, who, input{"password": "ottilie@webstuhlhaus.example"}),
			"his name":        check(h, who, input{"password": "ottilieschlagenhaufen"}),
			"a name said":     check(h, me, input{"password": "ottilieschlagenhaufen", "name": "Ottilie Schlagenhaufen"}),
			"a link for an account": check(h, accounttest.Stranger("192.0.2.7"), input{"password": text,
				"token": h.Invite(root, "kranewitt-zwirnbach")}),
		} {
			if v.Enough || v.Score > 1 {
				t.Errorf("%s: %+v", name, v)
			}
		}
	})
}

func TestStrangersHaveAPasswordJudgedWithALinkOnly(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		first, err := h.Logins.Offer(t.Context(), h.Bus)
		if err != nil {
			t.Fatal(err)
		}
		stranger := accounttest.Stranger("192.0.2.7")
		check(h, stranger, input{"password": good, "token": first.Token()})
		h.Primary()
		h.Account(root, "shop", "customer", "provider")
		token := h.Invite(root, "shop")
		check(h, stranger, input{"password": good, "token": token})
		used := token
		h.Must(stranger, "login.claim", input{"token": token, "password": good})
		late := h.Invite(root, "shop")
		h.Pass(30 * time.Minute)
		for name, token := range map[string]string{"none": "", "invented": strings.Repeat("a", 52), "used": used, "late": late, "of the first administrator": first.Token()} {
			said := h.Refused(core.Unauthenticated, stranger, "password.check", input{"password": good, "token": token})
			if strings.Contains(said, good) {
				t.Errorf("%s: %q", name, said)
			}
		}
	})
}

func TestWhoSetsWhatIsAsked(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		me := h.Init()
		second := h.Create(me, "second", "additional administrator", "provider")
		auditor := h.Create(me, "auditor", "auditor", "provider")
		agency := h.Create(me, "agency", "reseller", "provider")
		for _, who := range []act.Actor{second, auditor, agency} {
			h.Refused(core.Denied, who, "password.policy.set", input{"level": "very weak"})
		}
		h.Refused(core.Denied, agency, "password.policy.show", nil)
		h.Must(auditor, "password.policy.show", nil)
		for _, bad := range []string{"", "Strong", "strongest", "3"} {
			h.Refused(core.Invalid, me, "password.policy.set", input{"level": bad})
		}
		r := h.Must(me, "password.policy.set", input{"level": "very strong"})
		if f := r.Changes[0].Fields[0]; *f.Old != "strong" || *f.New != "very strong" || r.Changes[0].Tenant != core.Provider {
			t.Errorf("recorded %+v", r.Changes)
		}
		if r := h.Must(me, "password.policy.set", input{"level": "very strong"}); r.State != act.Unchanged {
			t.Errorf("the same again is %s", r.State)
		}
		h.Pass(16 * time.Minute)
		h.Refused(core.Unproved, me, "password.policy.set", input{"level": "very weak"})
	})
}

// TestAListIsAdoptedAtTheCommandLineOnly: the file is on the machine, and so must be
// whoever names it.
func TestAListIsAdoptedAtTheCommandLineOnly(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		me := h.Init()
		second := h.Create(me, "second", "additional administrator", "provider")
		armed, _, _ := h.Arm(me)
		for _, who := range []act.Actor{me, armed, second} {
			h.Refused(core.Denied, who, "password.blocklist.adopt", input{"file": "2026-11.fuse"})
		}
		for _, bad := range []string{"", "../keys", "/etc/passwd", "a/b.fuse", "A.fuse", ".fuse", "x.fuse\n", "x.txt", "..fuse", strings.Repeat("a", 80) + ".fuse"} {
			h.Refused(core.Invalid, root, "password.blocklist.adopt", input{"file": bad})
		}
		r := h.Must(root, "password.blocklist.adopt", input{"file": "2026-11.fuse"})
		if r.State != act.Pending || r.Changes[0].Name != "password.blocklist.adopted" {
			t.Errorf("the answer is %+v", r)
		}
		if p := policy(h); p.List == nil || p.List.File != "2026-11.fuse" || p.List.Adopted.IsZero() || p.Loaded {
			t.Errorf("the policy is %+v", p)
		}
		if again := h.Must(root, "password.blocklist.adopt", input{"file": "2026-11.fuse"}); again.State != act.Unchanged {
			t.Errorf("the same again is %s", again.State)
		}
		var file, digest string
		err := h.Look(t.Context(), "test", func(v *act.View) (err error) {
			file, digest, err = password.InForce(t.Context(), v)
			return err
		})
		if err != nil || file != "2026-11.fuse" || digest != "2026-11.fuse" {
			t.Errorf("in force is %q, %q, %v", file, digest, err)
		}
		h.Must(root, "password.policy.set", input{"level": "medium"}) // leaves the list alone
		if p := policy(h); p.List == nil || p.Level != "medium" {
			t.Errorf("the policy is %+v", p)
		}
	})
}

// TestNoPasswordStandsInWhatIsSaidOrKept sends passwords of every kind through every
// field, good and bad, and looks for each in answers, errors, records and rows.
func TestNoPasswordStandsInWhatIsSaidOrKept(t *testing.T) {
	accounttest.Each(t, func(t *testing.T, h *house) {
		h.Primary()
		h.Create(root, "shop", "customer", "provider")
		h.Breached = map[string]bool{"fourteen blue geese on a fence": true}
		texts := []string{"short-x9", "fourteen blue geese on a fence", "correct horse battery staple", "qwertyuiop asdfghjkl zxcvbnm", "shopshopshopshopshop",
			"twelve \u0007 blue geese on a roof", strings.Repeat("geese and ducks ", 20), "my unseen passphrase of 2026-11-22"}
		said := ""
		say := func(who act.Actor, op string, in input) {
			r, err := h.Call(who, op, in)
			b, _ := json.Marshal(r)
			said += fmt.Sprintln(string(b), r, err)
		}
		for _, text := range texts {
			h.Pass(16 * time.Minute)
			h.Claim("shop")
			me := h.Enter("shop", good)
			say(me, "password.check", input{"password": text, "login": "x"})
			say(accounttest.Stranger("192.0.2.7"), "password.check", input{"password": text})
			say(me, "password.change", input{"old_password": text, "new_password": text})
			say(me, "password.change", input{"old_password": good, "new_password": text + text})
			say(me, "session.prove", input{"password": text})
			say(accounttest.Stranger("192.0.2.7"), "login.claim", input{"token": h.Invite(root, "shop"), "password": text})
		}
		kept := h.Everything()
		for _, text := range texts {
			if strings.Contains(said, text) || strings.Contains(kept, text) {
				t.Errorf("%q is said: %v, kept: %v", text, strings.Contains(said, text), strings.Contains(kept, text))
			}
		}
		if !strings.Contains(said, "breach") || !strings.Contains(said, "everybody chooses") || !strings.Contains(said, "at least 15") {
			t.Errorf("not every fault came up: %s", said)
		}
	})
}
