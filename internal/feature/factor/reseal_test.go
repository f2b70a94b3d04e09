package factor_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/keeper"
)

// rotate makes a new key for seeds, has them sealed again, and destroys the old
// key. first, if there is one, is called with the first seed that is sealed again,
// after it was read from the database and before anything is written.
func rotate(h *house, first func()) int {
	h.T.Helper()
	ctx := h.T.Context()
	generation, err := h.Keeper.Renew(ctx, keeper.TOTP)
	if err != nil {
		h.T.Fatal(err)
	}
	n, err := h.Factors.Reseal(ctx, h.Bus, func(ctx context.Context, ad, sealed []byte) ([]byte, error) {
		if f := first; f != nil {
			first = nil
			f()
		}
		return h.Keeper.Reseal(ctx, keeper.TOTP, ad, sealed)
	})
	if err == nil {
		err = h.Keeper.Retire(ctx, keeper.TOTP, generation)
	}
	if err != nil {
		h.T.Fatal(err)
	}
	return n
}

func TestCodesOutliveTheKeyOfTheirSeeds(t *testing.T) {
	armed(t, func(t *testing.T, h *house, _ act.Actor, seed string, codes []string) {
		before := sealed(h)
		if n := rotate(h, nil); n != 1 {
			t.Errorf("%d seeds were sealed again, want 1", n)
		}
		if after := sealed(h); after[0] == before[0] {
			t.Error("the seed is sealed as before")
		}
		h.Strong("shop", good, seed)
		h.Must(entrant(h, "shop"), "login.factor", input{"code": codes[0]})
	})
}

// sealed are the seeds as they are kept.
func sealed(h *house) []string {
	h.T.Helper()
	var all []string
	err := h.Look(h.T.Context(), "test", func(v *act.View) error {
		return v.Each(h.T.Context(), `SELECT sealed FROM factor_totp ORDER BY account`, nil, func(scan func(...any) error) error {
			var s string
			err := scan(&s)
			all = append(all, s)
			return err
		})
	})
	if err != nil {
		h.T.Fatal(err)
	}
	return all
}

// TestAnAppThatIsConfirmedMeanwhileOutlivesTheKey: its seed was sealed under the old
// key when it was begun, and took the place of the one that is being sealed again.
func TestAnAppThatIsConfirmedMeanwhileOutlivesTheKey(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, _ string, _ []string) {
		seed := begin(h, shop)
		rotate(h, func() { h.Must(shop, "totp.confirm", input{"code": off(h, seed, 0)}) })
		h.Strong("shop", good, seed)
	})
}

func TestTheFirstAppThatIsConfirmedMeanwhileOutlivesTheKey(t *testing.T) {
	armed(t, func(t *testing.T, h *house, _ act.Actor, _ string, _ []string) {
		late := h.Create(root, "late", "customer", "provider")
		seed := begin(h, late)
		rotate(h, func() { h.Must(late, "totp.confirm", input{"code": off(h, seed, 0)}) })
		h.Strong("late", good, seed)
	})
}

func TestAnAppThatIsRemovedMeanwhileStaysAway(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, _ string, _ []string) {
		rotate(h, func() { h.Must(shop, "totp.remove", nil) })
		if n := h.Count("factor_totp"); n != 0 {
			t.Errorf("%d apps are back", n)
		}
	})
}

// TestACodeIsGoodWhileItsSeedIsSealedAgain lets the key change between the look at
// a code and its use.
func TestACodeIsGoodWhileItsSeedIsSealedAgain(t *testing.T) {
	armed(t, func(t *testing.T, h *house, _ act.Actor, seed string, _ []string) {
		who := entrant(h, "shop")
		h.Meanwhile(func() { rotate(h, nil) })
		code := h.Code(seed)
		h.Must(who, "login.factor", input{"code": code})
		h.Refused(core.Invalid, entrant(h, "shop"), "login.factor", input{"code": code})
	})
}

// TestACodeIsGoodThoughTheKeyOfItsSeedIsGone lets the key change, and the old one be
// destroyed, after the seed was read and before the code is held against it.
func TestACodeIsGoodThoughTheKeyOfItsSeedIsGone(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, seed string, _ []string) {
		who := entrant(h, "shop")
		apart(h, seed)
		h.First(func() { rotate(h, nil) })
		h.Refused(core.Invalid, who, "login.factor", input{"code": off(h, seed, step)})
		h.First(func() { rotate(h, nil) })
		h.Must(who, "login.factor", input{"code": h.Code(seed)})
		h.First(func() { rotate(h, nil) })
		h.Must(shop, "session.prove", input{"code": h.Code(seed)})
		begun := begin(h, shop)
		h.First(func() { rotate(h, nil) })
		h.Refused(core.Conflict, shop, "totp.confirm", input{"code": off(h, begun, 0)})
		h.Must(shop, "totp.confirm", input{"code": off(h, begin(h, shop), 0)})
	})
}

func TestSettingUpAnAppBeginsAgainAfterANewKey(t *testing.T) {
	guest(t, func(t *testing.T, h *house, shop act.Actor) {
		seed := begin(h, shop)
		rotate(h, nil)
		h.Refused(core.Conflict, shop, "totp.confirm", input{"code": off(h, seed, 0)})
		h.Must(shop, "totp.confirm", input{"code": off(h, begin(h, shop), 0)})
		h.Meanwhile(func() { rotate(h, nil) })
		seed = begin(h, shop)
		h.Refused(core.Conflict, shop, "totp.confirm", input{"code": off(h, seed, 0)})
	})
}

func TestSealingThatFailsLeavesTheSeedsAsTheyAre(t *testing.T) {
	armed(t, func(t *testing.T, h *house, _ act.Actor, seed string, _ []string) {
		broken := errors.New("the disk is full")
		_, err := h.Factors.Reseal(t.Context(), h.Bus, func(context.Context, []byte, []byte) ([]byte, error) { return nil, broken })
		if !errors.Is(err, broken) {
			t.Errorf("it says %v", err)
		}
		h.Strong("shop", good, seed)
	})
}

const seedOfElsewhere = "JBSWY3DPEHPK3PXPJBSWY3DPEHPK3PXP"

// moved puts a seed in plain text into the database, as who moves accounts here from
// elsewhere would.
func moved(h *house, account, seed string) {
	h.T.Helper()
	h.Behind(`INSERT INTO factor_totp (account, sealed, confirmed, last, pending, begun) VALUES ('` + account + `', '{PLAIN}` + seed + `', 0, 0, '', 0)`)
}

func TestASeedInPlainTextIsSealedForGood(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		shop := h.Create(root, "shop", "customer", "provider")
		h.Arm(h.Create(root, "other", "customer", "provider"))
		moved(h, shop.ID, seedOfElsewhere)
		if !strings.Contains(h.Everything(), seedOfElsewhere) || !plain(h) {
			t.Fatal("the seed in plain text is not there to be found")
		}
		n, err := h.Factors.Enclose(t.Context(), h.Bus)
		if err != nil || n != 1 || plain(h) {
			t.Fatalf("%d seeds were sealed, %v", n, err)
		}
		for _, s := range sealed(h) {
			if raw, err := base64.StdEncoding.DecodeString(s); err != nil || strings.Contains(string(raw), seedOfElsewhere[:8]) {
				t.Errorf("a seed is kept as %q", s)
			}
		}
		if err := h.Store.Scrub(t.Context()); err != nil {
			t.Fatal(err)
		}
		if strings.Contains(h.Everything(), seedOfElsewhere) {
			t.Error("the plain text is still kept")
		}
		if l := h.Last(); l.Action != "totp.enclose" || l.Outcome != "done" || len(l.Events) != 1 || l.Events[0].Object.ID != shop.ID {
			t.Errorf("recorded %+v", l)
		}
		if who := entrant(h, "shop"); who.Step != "factor" {
			t.Errorf("the next log-in leads to %q", who.Step)
		}
		h.Strong("shop", good, seedOfElsewhere)
		rotate(h, nil)
		h.Strong("shop", good, seedOfElsewhere)
		before := len(h.Leaves())
		if n, err := h.Factors.Enclose(t.Context(), h.Bus); err != nil || n != 0 || len(h.Leaves()) != before {
			t.Errorf("once more it seals %d, %v", n, err)
		}
	})
}

func TestAPlainSeedIsKnownInWhateverCaseAndWithBlanks(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		shop := h.Create(root, "shop", "customer", "provider")
		h.Behind(`INSERT INTO factor_totp (account, sealed, confirmed, last, pending, begun)
			VALUES ('` + shop.ID + `', '{Plain}jbsw y3dp ehpk 3pxp jbsw y3dp ehpk 3pxp', 0, 0, '', 0)`)
		if n, err := h.Factors.Enclose(t.Context(), h.Bus); err != nil || n != 1 || plain(h) {
			t.Fatalf("%d seeds were sealed, %v", n, err)
		}
		h.Strong("shop", good, seedOfElsewhere)
	})
}

func plain(h *house) (found bool) {
	h.T.Helper()
	if err := h.Look(h.T.Context(), "test", func(v *act.View) (err error) {
		found, err = h.Factors.Plain(h.T.Context(), v)
		return err
	}); err != nil {
		h.T.Fatal(err)
	}
	return found
}

// TestManySeedsAreSealedInPieces goes over more of them than one operation takes.
func TestManySeedsAreSealedInPieces(t *testing.T) {
	each(t, func(t *testing.T, h *house) {
		h.Primary()
		const many = 205
		var ids []string
		for i := range many {
			ids = append(ids, h.Account(root, fmt.Sprintf("shop%d", i), "customer", "provider").ID)
		}
		for _, id := range ids {
			moved(h, id, seedOfElsewhere)
		}
		if n, err := h.Factors.Enclose(t.Context(), h.Bus); err != nil || n != many {
			t.Fatalf("%d were sealed, %v", n, err)
		}
		if n := rotate(h, nil); n != many {
			t.Errorf("%d were sealed again", n)
		}
		err := h.Look(t.Context(), "test", func(v *act.View) error {
			for _, id := range ids {
				if _, err := h.Factors.Check(t.Context(), v, id, core.NewSecret(accounttest.Code(seedOfElsewhere, v.Now())), ""); err != nil {
					return fmt.Errorf("%s: %w", id, err)
				}
			}
			return nil
		})
		if err != nil {
			t.Error(err)
		}
	})
}

// TestASeedThatWasSealedIsBoundToItsAccount moves one to another row.
func TestASeedThatWasSealedIsBoundToItsAccount(t *testing.T) {
	armed(t, func(t *testing.T, h *house, shop act.Actor, seed string, _ []string) {
		other, own, _ := h.Arm(h.Create(root, "other", "customer", "provider"))
		var mine, his string
		for _, a := range []struct {
			id   string
			into *string
		}{{shop.ID, &mine}, {other.ID, &his}} {
			if err := h.Look(t.Context(), "test", func(v *act.View) error {
				_, err := v.Get(t.Context(), `SELECT sealed FROM factor_totp WHERE account = $1`, []any{a.id}, a.into)
				return err
			}); err != nil {
				t.Fatal(err)
			}
		}
		h.Behind(`UPDATE factor_totp SET sealed = '` + mine + `' WHERE account = '` + other.ID + `'`)
		if _, err := h.Call(entrant(h, "other"), "login.factor", input{"code": h.Code(seed)}); err == nil {
			t.Error("a seed that was moved lets in")
		}
		h.Behind(`UPDATE factor_totp SET sealed = '` + his + `' WHERE account = '` + other.ID + `'`)
		h.Strong("other", good, own)
	})
}
