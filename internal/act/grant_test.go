package act_test

import (
	"context"
	"fmt"
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
)

// bearer is who acts with a token of the administrator.
func bearer(grants ...act.Grant) act.Actor {
	a := admin
	a.Session, a.Grants = "t_1", append([]act.Grant{}, grants...)
	return a
}

// memoAll reads without a target, and memoWatch for long.
var (
	memoAll = act.Query[plainIn, int]{Name: "memo.all", Doc: "Toy.", Class: "panel", Roles: act.Readers, Sample: plainIn{"m1"},
		Target: func(context.Context, *act.View, *plainIn) (core.Ref, error) { return core.Ref{}, nil },
		Run:    func(context.Context, *act.View, plainIn) (int, error) { return 1, nil }}
	memoWatch = act.Stream[memoIn]{Name: "memo.watch", Doc: "Toy.", Class: "panel", Roles: act.Readers, Sample: memoIn{Memo: "m1"}, Target: memoTarget,
		Run: func(_ context.Context, f *act.Flow, _ memoIn) error { return f.Send("item") }}
)

func TestATokenReachesWhatItsGrantsName(t *testing.T) {
	onEachEngine(t, []act.Declaration{memoAll, memoWatch}, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		mustCreate(t, r, admin, "m2", "before")
		one := "memo:m1"
		for i, c := range []struct {
			grants []act.Grant
			op, on string
			ok     bool
		}{
			{nil, "memo.show", "m1", false},
			{[]act.Grant{{Action: "memo.write"}}, "memo.write", "m1", true},
			{[]act.Grant{{Action: "memo.write"}}, "memo.show", "m1", false},
			{[]act.Grant{{Action: "memo.*"}}, "memo.write", "m1", true},
			{[]act.Grant{{Action: "mem*"}}, "memo.write", "m1", true},
			{[]act.Grant{{Action: "note.*"}}, "memo.write", "m1", false},
			{[]act.Grant{{Action: "*"}}, "memo.create", "m9", true},
			{[]act.Grant{{Action: "read"}}, "memo.show", "m1", true},
			{[]act.Grant{{Action: "read"}}, "memo.all", "m1", true},
			{[]act.Grant{{Action: "read"}}, "memo.watch", "m1", true},
			{[]act.Grant{{Action: "read"}}, "memo.write", "m1", false},
			{[]act.Grant{{"memo.*", one}}, "memo.write", "m1", true},
			{[]act.Grant{{"memo.*", one}}, "memo.write", "m2", false},
			{[]act.Grant{{"memo.*", one}}, "memo.all", "m1", false}, // without a target it would reach all
			{[]act.Grant{{"*", one}}, "memo.create", "m1", false},   // aims at the tenant
			{[]act.Grant{{"read", one}}, "memo.watch", "m1", true},
			{[]act.Grant{{"read", one}}, "memo.watch", "m2", false},
			{[]act.Grant{{"read", one}, {"memo.write", "memo:m2"}}, "memo.write", "m2", true},
		} {
			who := bearer(c.grants...)
			in := fmt.Appendf(nil, `{"memo":"%s"}`, c.on)
			var err error
			if c.op == "memo.watch" {
				err = r.Stream(t.Context(), act.Call{Op: c.op, Actor: who, Input: in}, func(any) error { return nil })
			} else {
				_, err = r.Do(t.Context(), act.Call{Op: c.op, Actor: who, Input: in})
			}
			if (err == nil) != c.ok || err != nil && core.CodeOf(err) != core.Denied {
				t.Errorf("%d: %v calls %s on %s: %v, want %v", i, c.grants, c.op, c.on, err, c.ok)
			}
			if err != nil && !strings.Contains(r.last(t), `"code":"denied"`) {
				t.Errorf("%d: the refusal is not on record: %s", i, r.last(t))
			}
		}
	})
}

// TestATokenIsNeverMoreThanItsOwner: a grant opens nothing that the role does not.
func TestATokenIsNeverMoreThanItsOwner(t *testing.T) {
	admins := memoWrite
	admins.Name, admins.Roles = "memo.rule", act.Admins
	onEachEngine(t, []act.Declaration{admins}, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		shop := actor("shop", act.Customer)
		shop.Grants = []act.Grant{{Action: "*"}, {Action: "memo.rule"}, {Action: "memo.write", Object: "memo:m1"}}
		for op, code := range map[string]core.Code{"memo.rule": core.Denied, "memo.write": core.NotFound} {
			if _, err := do(t, r, act.Call{Op: op, Actor: shop, Input: []byte(`{"memo":"m1"}`)}); err == nil || err.Code != code {
				t.Errorf("%s: %v, want %s", op, err, code)
			}
		}
	})
}

// TestATokenIsHeldToItsGrantsWithinAPageToo reads several queries in one snapshot.
func TestATokenIsHeldToItsGrantsWithinAPageToo(t *testing.T) {
	onEachEngine(t, []act.Declaration{memoAll}, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "x")
		_, faults := r.Read(t.Context(), bearer(act.Grant{Action: "memo.show"}), map[string]act.Call{
			"show": {Op: "memo.show", Input: []byte(`{"memo":"m1"}`)}, "all": {Op: "memo.all", Input: []byte(`{"memo":"m1"}`)}})
		if faults["show"] != nil || core.CodeOf(faults["all"]) != core.Denied {
			t.Errorf("%v", faults)
		}
	})
}

// TestAnAnswerIsRepeatedOnlyToWhoMayCall repeats a call of the owner with his key,
// by a token that has no grant for it and from an address that is shut out.
func TestAnAnswerIsRepeatedOnlyToWhoMayCall(t *testing.T) {
	open := act.Change[plainIn, string]{Name: "memo.plain", Doc: "Toy.", Class: "panel", Roles: act.Hosted, Must: []string{"memo.written"}, Sample: plainIn{"m1"},
		Target: func(_ context.Context, v *act.View, _ *plainIn) (core.Ref, error) {
			return core.Ref{Kind: "tenant", ID: v.Actor().Tenant}, nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in plainIn) (string, error) {
			return memoCreate.Run(ctx, tx, memoIn{Memo: in.Memo, Owner: tx.Actor().Tenant})
		}}
	onEachEngine(t, []act.Declaration{open}, func(t *testing.T, r *rig) {
		call := act.Call{Op: "memo.plain", Actor: admin, Key: "k1", Input: []byte(`{"memo":"m1"}`)}
		if _, err := do(t, r, call); err != nil {
			t.Fatal(err)
		}
		call.Actor = bearer(act.Grant{Action: "*"})
		if res, err := do(t, r, call); err != nil || !res.Replay {
			t.Errorf("to a token that may: %+v, %v", res, err)
		}
		refused := func(why string, who act.Actor) {
			t.Helper()
			call.Actor = who
			records := len(r.records(t))
			res, err := do(t, r, call)
			if err == nil || err.Code != core.Denied || res.Output != nil || res.Replay {
				t.Errorf("%s: %+v, %v", why, res, err)
			}
			if leaf := r.last(t); len(r.records(t)) != records+1 || !strings.Contains(leaf, `"code":"denied"`) || !strings.Contains(leaf, `"tenant":"provider"`) {
				t.Errorf("%s: on record is %s", why, leaf)
			}
		}
		refused("without a grant", bearer(act.Grant{Action: "read"}))
		refused("with a grant for another object", bearer(act.Grant{Action: "memo.plain", Object: "tenant:shop"}))
		r.bar("198.51.100.9", true)
		away := admin
		away.Address = "198.51.100.9"
		refused("from where he may not act", away)
	})
}

// TestAKeyUsedBeforeIsRefusedInTheCallersLog: the refusal names no target.
func TestAKeyUsedBeforeIsRefusedInTheCallersLog(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		shop := actor("shop", act.Customer)
		call := act.Call{Op: "memo.create", Actor: shop, Key: "k1", Input: []byte(`{"memo":"m1"}`)}
		if _, err := do(t, r, call); err != nil {
			t.Fatal(err)
		}
		call.Input = []byte(`{"memo":"m2"}`)
		if _, err := do(t, r, call); err == nil || err.Code != core.Conflict || !strings.Contains(r.last(t), `"tenant":"shop"`) {
			t.Errorf("%v; on record is %s", err, r.last(t))
		}
	})
}
