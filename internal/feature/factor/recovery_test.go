package factor_test

import (
	"regexp"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/factor"
)

func TestTenRecoveryCodesComeWithTheFirstFactor(t *testing.T) {
	form := regexp.MustCompile(`^([a-hjkmnp-z02-9]{4}-){3}[a-hjkmnp-z02-9]{4}$`)
	armed(t, func(t *testing.T, h *house, shop act.Actor, _ string, codes []string) {
		seen := map[string]bool{}
		for _, c := range codes {
			if seen[c] = true; !form.MatchString(c) {
				t.Errorf("a code reads %q", c)
			}
		}
		if len(seen) != 10 || owned(h, shop).Recovery != 10 {
			t.Errorf("%d codes, %d are counted", len(seen), owned(h, shop).Recovery)
		}
		if more := addKey(h, shop, "key").Codes; len(more) != 0 {
			t.Errorf("%d codes came with the second factor", len(more))
		}
	})
}

func TestARecoveryCodeCountsOnce(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, _ string, codes []string) {
		h.Must(entrant(h, "shop"), "login.factor", input{"code": codes[0]})
		who := entrant(h, "shop")
		h.Refused(core.Invalid, who, "login.factor", input{"code": codes[0]})
		h.Must(who, "login.factor", input{"code": " " + strings.ToUpper(strings.ReplaceAll(codes[1], "-", " "))})
		if n := owned(h, shop).Recovery; n != 8 {
			t.Errorf("%d codes are left, want 8", n)
		}
		if won := accounttest.Race(3, func(int) error {
			_, err := h.Call(entrant(h, "shop"), "login.factor", input{"code": codes[2]})
			return err
		}); won != 1 {
			t.Errorf("%d got in with one code", won)
		}
	})
}

func TestTheLastRecoveryCodeLeavesTheFactor(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, seed string, codes []string) {
		for _, c := range codes {
			h.Must(entrant(h, "shop"), "login.factor", input{"code": c})
		}
		if out := owned(h, shop); out.Recovery != 0 || !out.Has {
			t.Errorf("there is %+v", out)
		}
		who := entrant(h, "shop")
		h.Refused(core.Invalid, who, "login.factor", input{"code": codes[9]})
		h.Must(who, "login.factor", input{"code": h.Code(seed)})
	})
}

func TestNewRecoveryCodesEndTheOldOnes(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, _ string, old []string) {
		h.Must(entrant(h, "shop"), "login.factor", input{"code": old[0]})
		codes := h.Must(shop, "recovery.renew", nil).Output.(factor.Recovery).Codes
		if len(codes) != 10 || owned(h, shop).Recovery != 10 {
			t.Errorf("%d codes, %d are counted", len(codes), owned(h, shop).Recovery)
		}
		who := entrant(h, "shop")
		h.Refused(core.Invalid, who, "login.factor", input{"code": old[1]})
		h.Must(who, "login.factor", input{"code": codes[0]})
	})
}

func TestARecoveryCodeIsItsOwnersAlone(t *testing.T) {
	armed(t, func(t *testing.T, h *house, _ act.Actor, _ string, codes []string) {
		h.Arm(h.Create(root, "other", "customer", "provider"))
		h.Refused(core.Invalid, entrant(h, "other"), "login.factor", input{"code": codes[0]})
		h.Must(entrant(h, "shop"), "login.factor", input{"code": codes[0]})
	})
}

func TestRecoveryCodesStandBesideAFactor(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		h.Refused(core.Conflict, shop, "recovery.renew", nil)
		begin(h, shop) // not confirmed: no factor yet
		h.Refused(core.Conflict, shop, "recovery.renew", nil)
		if h.Count("factor_recovery") != 0 {
			t.Error("codes were made")
		}
	})
}
