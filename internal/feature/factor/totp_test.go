package factor_test

import (
	"net/url"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/factor"
)

func TestAnAppIsConfirmedByTheCodeItShows(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		h.Refused(core.Conflict, shop, "totp.confirm", input{"code": "123456"})
		seed := begin(h, shop)
		apart(h, seed)
		for _, wrong := range []string{off(h, seed, step), off(h, seed, -2*step), off(h, seed, 0)[:5], off(h, seed, 0) + "0", "abcdef"} {
			h.Refused(core.Invalid, shop, "totp.confirm", input{"code": wrong})
		}
		if out := owned(h, shop); out.Has || !out.App.IsZero() || out.Recovery != 0 {
			t.Errorf("before a right code there is %+v", out)
		}
		out := h.Must(shop, "totp.confirm", input{"code": " " + off(h, seed, 0)[:3] + " " + off(h, seed, 0)[3:]}).Output.(factor.Confirmed)
		if len(out.Codes) != 10 {
			t.Errorf("%d recovery codes are shown, want 10", len(out.Codes))
		}
		if out := owned(h, shop); !out.Has || out.App.IsZero() || out.Recovery != 10 {
			t.Errorf("after the right code there is %+v", out)
		}
		h.Refused(core.Conflict, shop, "totp.confirm", input{"code": off(h, seed, 0)})
	})
}

func TestAQRCodeHoldsWhatAnAppNeeds(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		out := h.Must(shop, "totp.begin", nil).Output.(factor.Begun)
		u, err := url.Parse(out.URI)
		if err != nil || u.Scheme != "otpauth" || u.Host != "totp" || u.Path != "/Hostward test:shop" {
			t.Errorf("it is %s, %v", out.URI, err)
		}
		if q := u.Query(); q.Get("secret") != out.Secret || q.Get("issuer") != "Hostward test" || strings.Contains(out.URI, "+") || len(out.Secret) != 32 {
			t.Errorf("it asks for %v", q)
		}
	})
}

func TestASeedWaits30MinutesForItsCode(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		seed := begin(h, shop)
		h.Pass(30 * time.Minute)
		h.Refused(core.Conflict, shop, "totp.confirm", input{"code": off(h, seed, 0)})
		shop = h.Inside(sessionOf(h.Must(shop, "session.prove", input{"password": good})))
		seed = begin(h, shop)
		h.Pass(30*time.Minute - time.Second)
		h.Must(shop, "totp.confirm", input{"code": off(h, seed, 0)})
	})
}

func TestTheSeedThatWasShownLastIsTheOneToConfirm(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		first, last := begin(h, shop), begin(h, shop)
		apart(h, first)
		h.Refused(core.Invalid, shop, "totp.confirm", input{"code": off(h, first, 0)})
		h.Must(shop, "totp.confirm", input{"code": off(h, last, 0)})
	})
}

// TestACodeConfirmsNoSeedThatCameAfterIt begins again in another window while the
// code of the first seed is being looked at.
func TestACodeConfirmsNoSeedThatCameAfterIt(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		first, last := begin(h, shop), ""
		h.Meanwhile(func() { last = begin(h, shop) })
		h.Refused(core.Conflict, shop, "totp.confirm", input{"code": off(h, first, 0)})
		if owned(h, shop).Has || last == "" {
			t.Fatal("a seed was taken whose code nobody showed")
		}
		h.Must(shop, "totp.confirm", input{"code": off(h, last, 0)})
	})
}

func TestACodeCountsOnceAndSoDoThoseBeforeIt(t *testing.T) {
	armed(t, func(t *testing.T, h *house, _ act.Actor, seed string, _ []string) {
		confirmed := off(h, seed, 0)
		h.Refused(core.Invalid, entrant(h, "shop"), "login.factor", input{"code": confirmed})
		h.Pass(2 * step)
		apart(h, seed)
		older, newer := off(h, seed, -step), off(h, seed, 0)
		h.Must(entrant(h, "shop"), "login.factor", input{"code": newer})
		late := entrant(h, "shop")
		h.Refused(core.Invalid, late, "login.factor", input{"code": newer})
		h.Refused(core.Invalid, late, "login.factor", input{"code": older})
		h.Pass(step)
		h.Refused(core.Invalid, late, "login.factor", input{"code": newer}) // still within the time of typing
		h.Must(late, "login.factor", input{"code": off(h, seed, 0)})
	})
}

func TestOneCodeLetsInOneOfManyAtOnce(t *testing.T) {
	armed(t, func(t *testing.T, h *house, _ act.Actor, seed string, _ []string) {
		who := []act.Actor{entrant(h, "shop"), entrant(h, "shop"), entrant(h, "shop")}
		code := h.Code(seed)
		if won := accounttest.Race(len(who), func(i int) error {
			_, err := h.Call(who[i], "login.factor", input{"code": code})
			return err
		}); won != 1 {
			t.Errorf("%d got in with one code", won)
		}
	})
}

func TestAPhoneMayBeOneStepSlowAndNoneFast(t *testing.T) {
	armed(t, func(t *testing.T, h *house, _ act.Actor, seed string, _ []string) {
		h.Pass(5 * time.Minute)
		apart(h, seed)
		who := entrant(h, "shop")
		h.Refused(core.Invalid, who, "login.factor", input{"code": off(h, seed, step)})
		h.Refused(core.Invalid, who, "login.factor", input{"code": off(h, seed, -2*step)})
		h.Must(who, "login.factor", input{"code": off(h, seed, -step)})
		h.Must(entrant(h, "shop"), "login.factor", input{"code": off(h, seed, 0)})
	})
}

// begun gives an account that has an app another one, and returns its seed.
func begun(h *house, a act.Actor) string {
	h.T.Helper()
	seed := begin(h, a)
	h.Must(a, "totp.confirm", input{"code": off(h, seed, 0)})
	return seed
}

func TestANewAppReplacesTheOldOneOnceItIsConfirmed(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, old string, codes []string) {
		seed := begin(h, shop)
		h.Must(entrant(h, "shop"), "login.factor", input{"code": h.Code(old)})
		apart(h, seed)
		if out := h.Must(shop, "totp.confirm", input{"code": off(h, seed, 0)}).Output.(factor.Confirmed); len(out.Codes) != 0 {
			t.Error("new recovery codes were made though there were some")
		}
		h.Pass(2 * step)
		who := entrant(h, "shop")
		h.Refused(core.Invalid, who, "login.factor", input{"code": off(h, old, 0)})
		h.Must(who, "login.factor", input{"code": off(h, seed, 0)})
		h.Must(entrant(h, "shop"), "login.factor", input{"code": codes[0]})
	})
}

// TestACodeOfAnAppThatIsReplacedMeanwhileIsWorthNothing has the owner confirm
// another app between the look at the code and its use.
func TestACodeOfAnAppThatIsReplacedMeanwhileIsWorthNothing(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, old string, _ []string) {
		seed, who := begin(h, shop), entrant(h, "shop")
		code := h.Code(old)
		h.Meanwhile(func() { h.Must(shop, "totp.confirm", input{"code": off(h, seed, -step)}) }) // so that the old code is the newer one
		h.Refused(core.Invalid, who, "login.factor", input{"code": code})
		h.Must(who, "login.factor", input{"code": h.Code(seed)})
	})
}

func TestRemovingTheAppEndsItsCodes(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, seed string, codes []string) {
		who := entrant(h, "shop")
		h.Must(shop, "totp.remove", nil)
		h.Refused(core.NotFound, shop, "totp.remove", nil)
		if out := owned(h, shop); out.Has || out.Recovery != 0 || h.Count("factor_totp") != 0 {
			t.Errorf("there is %+v, and %d apps", out, h.Count("factor_totp"))
		}
		h.Refused(core.Invalid, who, "login.factor", input{"code": h.Code(seed)})
		h.Refused(core.Invalid, who, "login.factor", input{"code": codes[0]})
		if a := entrant(h, "shop"); a.Role != act.Customer {
			t.Errorf("without a factor he is %s at step %q", a.Role, a.Step)
		}
	})
}
