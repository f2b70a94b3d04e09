package access_test

import (
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/access"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/token"
)

type (
	input = accounttest.Input
	house = accounttest.House
)

const (
	good = accounttest.Good
	here = "192.0.2.9" // where actors of the tests are unless they are moved
)

var root = accounttest.Root()

func each(t *testing.T, f func(t *testing.T, h *house)) { accounttest.Each(t, f) }

// at is somebody at another address.
func at(a act.Actor, address string) act.Actor {
	a.Address = address
	return a
}

// set puts networks in the place of a mode's list, and the mode into force.
func set(h *house, mode, networks string) {
	h.T.Helper()
	h.Must(root, "access.load", input{"file": strings.ReplaceAll(networks, " ", "\n") + "\n# end", "list": mode, "replace": true})
	h.Must(root, "access.mode", input{"mode": mode})
}

// acts reports whether somebody may act at all.
func acts(h *house, a act.Actor) bool {
	h.T.Helper()
	_, err := h.Call(a, "account.list", nil)
	if err != nil && core.CodeOf(err) != core.Denied {
		h.T.Fatalf("%s from %q: %v", a.Role, a.Address, err)
	}
	return err == nil
}

func shown(h *house) access.Shown {
	h.T.Helper()
	return h.Must(root, "access.show", nil).Output.(access.Shown)
}

// listed are the networks of a mode's list.
func listed(h *house, mode string) string {
	h.T.Helper()
	var all []string
	for _, l := range shown(h).Lists {
		for _, e := range l.Entries {
			if l.Mode == mode {
				all = append(all, e.Network.String())
			}
		}
	}
	return strings.Join(all, " ")
}

func TestBothModesTakeEveryFormOfAddress(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		for form, c := range map[string]struct{ inside, outside string }{
			"198.51.100.7":                {"198.51.100.7 ::ffff:198.51.100.7", "198.51.100.6 198.51.100.8 ::198.51.100.7"},
			"::ffff:198.51.100.7":         {"198.51.100.7 ::ffff:c633:6407", "198.51.100.6 ::ffff:198.51.100.8"},
			"198.51.100.0/24":             {"198.51.100.0 198.51.100.255 ::ffff:198.51.100.9", "198.51.99.255 198.51.101.0 ::ffff:198.51.101.0"},
			"198.51.100.0/255.255.255.0":  {"198.51.100.0 198.51.100.255", "198.51.99.255 198.51.101.0"},
			"198.51.100.*":                {"198.51.100.0 198.51.100.255", "198.51.10.0 198.51.101.0"},
			"198.51.*.*":                  {"198.51.0.0 198.51.255.255", "198.50.255.255 198.52.0.0"},
			"198.51.100.10-198.51.100.20": {"198.51.100.10 198.51.100.20 ::ffff:198.51.100.15", "198.51.100.9 198.51.100.21"},
			"198.51.100.10-20":            {"198.51.100.10 198.51.100.20", "198.51.100.9 198.51.100.21"},
			"2001:db8::7":                 {"2001:db8::7 2001:DB8:0:0:0:0:0:7", "2001:db8::6 2001:db8::8 198.51.100.7"},
			"2001:db8:1::/48":             {"2001:db8:1:: 2001:db8:1:ffff:ffff:ffff:ffff:ffff", "2001:db8:0:ffff:: 2001:db8:2::"},
			"2001:db8:1:2:*":              {"2001:db8:1:2:: 2001:db8:1:2:ffff:ffff:ffff:ffff", "2001:db8:1:1:ffff:: 2001:db8:1:3::"},
			"2001:db8::1-2001:db8::ff":    {"2001:db8::1 2001:db8::ff", "2001:db8:: 2001:db8::100"},
			"fe80::1":                     {"fe80::1 fe80::1%eth0", "fe80::2%eth0"},
			"0.0.0.0/0":                   {"0.0.0.0 255.255.255.255 ::ffff:1.2.3.4", "::1 2001:db8::7"},
			"::/0":                        {"::1 2001:db8::7", "198.51.100.7 ::ffff:198.51.100.7"},
		} {
			for mode, in := range map[string]bool{access.AllBut: false, access.Only: true} {
				set(h, mode, form)
				for addresses, want := range map[string]bool{c.inside: in, c.outside: !in} {
					for address := range strings.FieldsSeq(addresses) {
						if acts(h, at(boss, address)) != want {
							t.Errorf("%s with %s: %s may act: %v", mode, form, address, !want)
						}
					}
				}
			}
		}
	})
}

// people are a house's people, one of each role, with addresses.
func people(h *house) map[string]act.Actor {
	h.T.Helper()
	all := map[string]act.Actor{"root": h.Primary()}
	for login, role := range map[string]string{"second": "additional administrator", "auditor": "auditor", "agency": "reseller", "shop": "customer"} {
		all[login] = h.Account(root, login, role, "provider")
	}
	return all
}

func TestTheListsAreAboutAdministratorsAndAuditorsAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all := people(h)
		for mode, networks := range map[string]string{access.AllBut: here, access.Only: "198.51.100.1"} {
			set(h, mode, networks)
			for login, free := range map[string]bool{"root": false, "second": false, "auditor": false, "agency": true, "shop": true} {
				if acts(h, all[login]) != free {
					t.Errorf("%s: %s may act: %v", mode, login, !free)
				}
			}
			if !acts(h, root) {
				t.Errorf("%s: root at the local command line is shut out", mode)
			}
			h.Must(accounttest.Stranger(here), "login.ready", nil)
			h.Must(act.SystemActor("sweep"), "session.sweep", nil)
		}
	})
}

func TestATokenOfAnAdministratorIsOne(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss, _, _ := h.Arm(h.Init())
		out := h.Must(boss, "token.create", input{"name": "script", "expires_in": 1, "scope": []string{"*"}}).Output.(token.Created)
		program, err := h.Tokens.Bearer(t.Context(), h.Bus, core.NewSecret(out.Token), here)
		if err != nil || !acts(h, at(program, here)) {
			t.Fatalf("the token does not work: %v", err)
		}
		set(h, access.Only, "198.51.100.1")
		if acts(h, at(program, here)) || !acts(h, at(program, "198.51.100.1")) {
			t.Error("a token works from where its owner may not act, or not from where he may")
		}
	})
}

func TestTheListsHoldWithinASession(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Init()
		set(h, access.AllBut, "198.51.100.0/24")
		if !acts(h, boss) || acts(h, at(boss, "198.51.100.1")) {
			t.Error("a session goes on at an address that is shut out, or ended elsewhere")
		}
	})
}

// TestTheListsHoldBeforeTheLastStep: a stolen session with one step left would give
// an administrator a second factor that is not his.
func TestTheListsHoldBeforeTheLastStep(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Init()
		h.Create(root, "shop", "customer", "provider")
		h.NIS2 = true
		h.Must(root, "mfa.set", input{"group": "customers", "required": true})
		set(h, access.Only, here)
		boss, shop := h.Enter("root", good), h.Enter("shop", good)
		if boss.Step != "enrol" || shop.Step != "enrol" {
			t.Fatalf("they are at the steps %q and %q", boss.Step, shop.Step)
		}
		h.Refused(core.Denied, at(boss, "198.51.100.1"), "totp.begin", nil)
		h.Refused(core.Denied, at(boss, "198.51.100.1"), "passkey.offer", nil)
		h.Must(boss, "totp.begin", nil)
		h.Must(at(shop, "198.51.100.1"), "totp.begin", nil)
	})
}

func TestTheListsHoldForWhoActsAsSomebodyElse(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Init()
		h.Create(root, "shop", "customer", "provider")
		token, _ := h.Must(boss, "session.act", input{"account": "shop", "why": "he asked for help"}).Output.(interface {
			OpensSession() (core.Secret, time.Time)
		}).OpensSession()
		acting := h.Inside(token)
		if acting.Role != act.Customer || acting.By == nil || !acts(h, acting) {
			t.Fatalf("he acts as %+v", acting)
		}
		set(h, access.Only, "198.51.100.1")
		if acts(h, acting) {
			t.Error("as a customer he acts from where he may not himself")
		}
		acting.By.Address = "198.51.100.1"
		if acting.Address = "198.51.100.1"; !acts(h, acting) {
			t.Error("he may not act from where he may himself")
		}
	})
}

func TestWithoutAReadableAddressNobodyActsOnceThereAreLists(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all := people(h)
		for _, address := range []string{"", "@", "example.org", "192.0.2.9:4711", "192.0.2"} {
			if !acts(h, at(all["root"], address)) {
				t.Errorf("%q is refused before there is any list", address)
			}
		}
		for _, networks := range []string{"0.0.0.0/0 ::/0", "198.51.100.1"} {
			set(h, access.Only, networks)
			for _, address := range []string{"", "@", "example.org", "192.0.2.9:4711", "192.0.2"} {
				if acts(h, at(all["root"], address)) {
					t.Errorf("%q is let in with the list %s", address, networks)
				}
			}
		}
	})
}

func TestEachModeKeepsItsOwnList(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		h.Must(boss, "access.add", input{"networks": "198.51.100.0/24", "note": "attackers"}) // into the list in force
		h.Must(boss, "access.add", input{"networks": here, "note": "office", "list": access.Only})
		h.Must(boss, "access.mode", input{"mode": access.Only})
		if acts(h, at(boss, "198.51.100.1")) {
			t.Error("a network that was refused is let in by the other mode")
		}
		h.Must(boss, "access.mode", input{"mode": access.AllBut})
		if acts(h, at(boss, "198.51.100.1")) || !acts(h, boss) {
			t.Error("the first list is another after both changes of mode")
		}
		if got := listed(h, access.AllBut) + ", " + listed(h, access.Only); got != "198.51.100.0/24, "+here {
			t.Errorf("the lists are %s", got)
		}
	})
}

func TestAChangeThatShutsOutWhoMakesItIsRefusedUnlessForced(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		h.Must(root, "access.add", input{"networks": here + " 198.51.100.1", "list": access.Only})
		for _, c := range []struct {
			mode, op string
			in       input
		}{
			{access.AllBut, "access.add", input{"networks": "192.0.2.0/24"}},
			{access.AllBut, "access.load", input{"file": "203.0.113.1\n192.0.2.*\n"}},
			{access.AllBut, "access.mode", input{"mode": access.Only}}, // once its list is empty
			{access.Only, "access.remove", input{"networks": here}},
			{access.Only, "access.load", input{"file": "203.0.113.1", "replace": true}},
		} {
			set(h, access.Only, here+" 198.51.100.1")
			set(h, access.AllBut, "")
			h.Must(root, "access.mode", input{"mode": c.mode})
			if c.op == "access.mode" {
				h.Must(root, "access.remove", input{"networks": here, "list": access.Only})
			}
			before := listed(h, access.AllBut) + "," + listed(h, access.Only) + shown(h).Mode
			if said := h.Refused(core.Conflict, boss, c.op, c.in); !strings.Contains(said, here) {
				t.Errorf("%s says %q, which names no address", c.op, said)
			}
			if h.Last().Outcome != "refused" {
				t.Errorf("the refusal of %s is not on record", c.op)
			}
			if after := listed(h, access.AllBut) + "," + listed(h, access.Only) + shown(h).Mode; after != before {
				t.Errorf("%s changed %s to %s", c.op, before, after)
			}
			c.in["force"] = true
			h.Must(boss, c.op, c.in)
			if acts(h, boss) {
				t.Errorf("%s was forced and shuts nobody out", c.op)
			}
		}
	})
}

func TestAChangeOfTheListThatIsNotInForceShutsOutNobody(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		h.Must(boss, "access.add", input{"networks": "198.51.100.1", "list": access.Only})
		h.Must(boss, "access.remove", input{"networks": "198.51.100.1", "list": access.Only})
		if !acts(h, boss) {
			t.Error("he is shut out")
		}
	})
}

func TestWhoSwitchesMayAddHimselfInTheSameChange(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		for from, listing := range map[string]string{here: here, "::ffff:198.51.100.7": "198.51.100.7", "fe80::1%eth0": "fe80::1", "2001:db8::1": "2001:db8::1"} {
			h.Must(root, "access.mode", input{"mode": access.AllBut})
			h.Refused(core.Conflict, at(boss, from), "access.mode", input{"mode": access.Only})
			out := h.Must(at(boss, from), "access.mode", input{"mode": access.Only, "add_me": true}).Output.(access.Changed)
			if out.Added != 1 || out.Mode != access.Only || listed(h, access.Only) != listing || !acts(h, at(boss, from)) {
				t.Errorf("from %s: %+v, the list is %s", from, out, listed(h, access.Only))
			}
			if r := h.Must(at(boss, from), "access.mode", input{"mode": access.Only, "add_me": true}); r.State != act.Unchanged {
				t.Errorf("once more it is %s", r.State)
			}
			if said := h.Refused(core.Conflict, root, "access.remove", input{"networks": listing}); !strings.Contains(said, "empty") {
				t.Errorf("the last network: %q", said)
			}
			h.Must(root, "access.remove", input{"networks": listing, "force": true})
		}
		h.Refused(core.Conflict, root, "access.mode", input{"mode": access.Only, "add_me": true})
		set(h, access.Only, "198.51.100.0/24")
		h.Must(at(boss, "198.51.100.1"), "access.mode", input{"mode": access.AllBut, "add_me": true})
		if got := listed(h, access.AllBut) + listed(h, access.Only); got != "198.51.100.0/24" || !acts(h, at(boss, "198.51.100.1")) {
			t.Errorf("with the other mode he was put into a list: %s", got)
		}
	})
}

func TestOnlyThePrimaryAdministratorChangesTheLists(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		all := people(h)
		in := map[string]input{
			"access.mode": {"mode": access.AllBut}, "access.add": {"networks": "198.51.100.1"}, "access.remove": {"networks": "198.51.100.1"},
			"access.load": {"file": "198.51.100.1"}, "access.reset": nil,
		}
		for login, a := range all {
			for op, in := range in {
				if login != "root" {
					h.Refused(core.Denied, a, op, in)
				}
			}
			for _, op := range []string{"access.show", "access.try"} {
				if login == "agency" || login == "shop" {
					h.Refused(core.Denied, a, op, nil)
				} else {
					h.Must(a, op, nil)
				}
			}
		}
		stale := all["root"]
		stale.Proof = h.Clock().Add(-16 * time.Minute)
		for op, in := range in {
			if op != "access.reset" {
				h.Refused(core.Unproved, stale, op, in)
			}
		}
		if h.Count("access_policy") != 0 {
			t.Error("something was changed")
		}
	})
}

func TestAccessIsResetAtTheLocalCommandLineAlone(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Primary()
		set(h, access.Only, "198.51.100.1")
		set(h, access.AllBut, "203.0.113.0/24")
		set(h, access.Only, "198.51.100.1")
		h.Refused(core.Denied, at(boss, "198.51.100.1"), "access.reset", nil)
		h.Must(root, "access.reset", nil)
		for _, from := range []string{here, "203.0.113.1", "2001:db8::1"} {
			if !acts(h, at(boss, from)) {
				t.Errorf("after the reset %s is shut out", from)
			}
		}
		if got := listed(h, access.Only); got != "198.51.100.1" || shown(h).Mode != access.AllBut || listed(h, access.AllBut) != "" {
			t.Errorf("the mode is %s, the lists are %q and %q", shown(h).Mode, listed(h, access.AllBut), got)
		}
		e := h.Last().Events[0]
		if len(e.Fields) != 2 || *e.Fields[0].Old != "203.0.113.0/24" || *e.Fields[1].Old != access.Only || *e.Fields[1].New != access.AllBut {
			t.Errorf("recorded %+v", e)
		}
		if r := h.Must(root, "access.reset", nil); r.State != act.Unchanged {
			t.Errorf("once more it is %s", r.State)
		}
	})
}

func TestLoginAsksTheListsToo(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		boss := h.Init()
		h.Create(root, "shop", "customer", "provider")
		h.Must(boss, "access.add", input{"networks": "198.51.100.0/24"})
		from := accounttest.Stranger("198.51.100.7")
		said := map[string]bool{}
		for _, password := range []string{good, "not the password at all"} {
			said[h.Refused(core.Unauthenticated, from, "login.enter", input{"login": "root", "password": password})] = true
		}
		if len(said) != 1 {
			t.Errorf("the answers tell a right password from a wrong one: %v", said)
		}
		h.Must(from, "login.enter", input{"login": "shop", "password": good})
		h.Must(accounttest.Stranger(here), "login.enter", input{"login": "root", "password": good})
	})
}
