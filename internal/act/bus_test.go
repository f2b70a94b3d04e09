package act_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"sync"
	"testing"
	"unicode/utf8"

	"hostward/internal/act"
	"hostward/internal/core"
)

func mustCreate(t *testing.T, r *rig, a act.Actor, id, text string) {
	t.Helper()
	if _, _, err := memoCreate.Call(t.Context(), r.Bus, a, memoIn{Memo: id, Text: text}); err != nil {
		t.Fatal(err)
	}
}

func do(t *testing.T, r *rig, c act.Call) (act.Result, *core.Error) {
	t.Helper()
	res, err := r.Do(t.Context(), c)
	if err == nil {
		return res, nil
	}
	e, ok := errors.AsType[*core.Error](err)
	if !ok {
		t.Fatalf("the bus returned %T, not a *core.Error: %v", err, err)
	}
	return res, e
}

func TestAChangeIsOnRecordWithOldAndNew(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		res, err := do(t, r, act.Call{Op: "memo.write", Actor: admin, Input: []byte(`{"memo":"m1","text":"after"}`)})
		if err != nil || res.State != act.InForce || res.Version != 2 {
			t.Fatal(res, err)
		}
		for _, want := range []string{`"action":"memo.write"`, `"old":"before"`, `"new":"after"`, `"outcome":"done"`, `"door":"rest"`, `"n":2`} {
			if leaf := r.last(t); !strings.Contains(leaf, want) {
				t.Errorf("the record lacks %s: %s", want, leaf)
			}
		}
		if leaf := r.last(t); strings.Contains(leaf, "192.0.2.1") {
			t.Errorf("the leaf holds an address in clear: %s", leaf)
		}
	})
}

func TestUnchangedIsSaidAndWritesNothing(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "same")
		res, err := do(t, r, act.Call{Op: "memo.write", Actor: admin, Input: []byte(`{"memo":"m1","text":"same"}`)})
		if err != nil || res.State != act.Unchanged {
			t.Fatal(res, err)
		}
		if leaf := r.last(t); !strings.Contains(leaf, `"outcome":"unchanged"`) {
			t.Error(leaf)
		}
	})
}

func TestPreviewShowsTheChangeAndLeavesNothing(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		records := len(r.records(t))
		res, err := do(t, r, act.Call{Op: "memo.write", Actor: admin, Input: []byte(`{"memo":"m1","text":"after"}`), Preview: true})
		if err != nil || res.State != act.Previewed || len(res.Changes) != 1 || *res.Changes[0].Fields[0].New != "after" {
			t.Fatalf("%+v %v", res, err)
		}
		if text, _ := memoShow.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); text != "before" {
			t.Errorf("the preview changed it to %q", text)
		}
		if n := len(r.records(t)); n != records {
			t.Errorf("the preview left %d records", n-records)
		}
	})
}

func TestIfMatchLetsOneOfTwoWin(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "v1")
		var wg sync.WaitGroup
		codes := make([]core.Code, 8)
		for i := range codes {
			wg.Go(func() {
				_, err := r.Do(t.Context(), act.Call{Op: "memo.write", Actor: admin, Expect: 1, Input: fmt.Appendf(nil, `{"memo":"m1","text":"by %d"}`, i)})
				if err != nil {
					codes[i] = core.CodeOf(err)
				}
			})
		}
		wg.Wait()
		won := 0
		for _, c := range codes {
			if c == "" {
				won++
			} else if c != core.Stale {
				t.Errorf("a loser got %s, want %s", c, core.Stale)
			}
		}
		if won != 1 {
			t.Errorf("%d writers won, want 1", won)
		}
	})
}

// plainIn is an input without a secret.
type plainIn struct {
	Memo string `json:"memo" doc:"Id" rule:"required"`
}

func TestIdempotencyKeyHasOneEffectAndOneAnswer(t *testing.T) {
	plain := act.Change[plainIn, string]{Name: "memo.plain", Doc: "Toy.", Class: "panel", Roles: act.Hosted, Must: []string{"memo.written"},
		Sample: plainIn{"m1"}, Target: func(_ context.Context, v *act.View, _ *plainIn) (core.Ref, error) {
			return core.Ref{Kind: "tenant", ID: v.Actor().Tenant}, nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in plainIn) (string, error) {
			return memoCreate.Run(ctx, tx, memoIn{Memo: in.Memo, Owner: tx.Actor().Tenant})
		}}
	onEachEngine(t, []act.Declaration{plain}, func(t *testing.T, r *rig) {
		call := act.Call{Op: "memo.plain", Actor: admin, Key: "k1", Input: []byte(`{"memo":"m1"}`)}
		first, err := do(t, r, call)
		if err != nil {
			t.Fatal(err)
		}
		again, err := do(t, r, call)
		if err != nil || again.Record != first.Record || !again.Replay || fmt.Sprint(again.Output) != fmt.Sprint(first.Output) {
			t.Errorf("%+v, %v; want the first answer %+v", again, err, first)
		}
		if n := len(r.records(t)); n != 1 {
			t.Errorf("%d records, want 1", n)
		}
		call.Input = []byte(`{"memo":"m2"}`)
		if _, err := do(t, r, call); err == nil || err.Code != core.Conflict {
			t.Errorf("another call under the same key: %v, want %s", err, core.Conflict)
		}
		call.Actor = actor("shop", act.Customer)
		if _, err := do(t, r, call); err != nil {
			t.Errorf("somebody else's key is his own: %v", err)
		}
	})
}

func TestACallWithASecretIsNotReplayed(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		call := act.Call{Op: "memo.create", Actor: admin, Key: "k1", Input: []byte(`{"memo":"m1","pin":"first"}`)}
		if _, err := do(t, r, call); err != nil {
			t.Fatal(err)
		}
		call.Input = []byte(`{"memo":"m1","pin":"other"}`)
		if _, err := do(t, r, call); err == nil || err.Code != core.Conflict {
			t.Errorf("a call with another secret was answered as the first: %v", err)
		}
		if n := r.memos(t); n != 1 {
			t.Errorf("%d memos, want 1", n)
		}
	})
}

func TestForeignObjectsDoNotExist(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		agency, shop, rival := actor("agency", act.Reseller), actor("shop", act.Customer), actor("rival", act.Customer)
		mustCreate(t, r, shop, "m1", "of the shop")
		for _, c := range []struct {
			who  act.Actor
			code core.Code
		}{{admin, ""}, {agency, ""}, {shop, ""}, {rival, core.NotFound}} {
			_, err := do(t, r, act.Call{Op: "memo.write", Actor: c.who, Input: fmt.Appendf(nil, `{"memo":"m1","text":"by %s"}`, c.who.Tenant)})
			if (err == nil) != (c.code == "") || err != nil && err.Code != c.code {
				t.Errorf("%s got %v, want %q", c.who.Tenant, err, c.code)
			}
		}
		if leaf := r.last(t); !strings.Contains(leaf, "another tenant") || !strings.Contains(leaf, `"id":"m1"`) || !strings.Contains(leaf, `"tenant":"rival"`) || strings.Contains(leaf, "shop") {
			t.Errorf("the record hides the truth: %s", leaf)
		}
		_, absent := do(t, r, act.Call{Op: "memo.write", Actor: rival, Input: []byte(`{"memo":"m9"}`)})
		_, foreign := do(t, r, act.Call{Op: "memo.write", Actor: rival, Input: []byte(`{"memo":"m1"}`)})
		if strings.ReplaceAll(absent.Sentence(), "m9", "m1") != foreign.Sentence() {
			t.Errorf("absent and foreign differ: %q, %q", absent.Sentence(), foreign.Sentence())
		}
		if _, err := do(t, r, act.Call{Op: "memo.create", Actor: rival, Input: []byte(`{"memo":"m2","owner":"shop"}`)}); err == nil || err.Code != core.NotFound {
			t.Errorf("creating for another tenant: %v", err)
		}
	})
}

func TestBadInputIsNamedAndOnRecord(t *testing.T) {
	cases := map[string]struct{ input, want string }{
		"unknown field":   {`{"memo":"m1","colour":"red"}`, "colour"},
		"wrong type":      {`{"memo":7}`, "memo"},
		"twice":           {`{"memo":"a","memo":"b"}`, "once"},
		"other case":      {`{"MEMO":"m1"}`, "MEMO: no such field"},
		"twice by case":   {`{"memo":"a","Memo":"b"}`, "Memo: no such field"},
		"missing":         {`{}`, "memo"},
		"too long":        {`{"memo":"m1","text":"` + strings.Repeat("x", 101) + `"}`, "at most 100"},
		"control":         {`{"memo":"m\u0007"}`, "control"},
		"broken UTF-8":    {"{\"memo\":\"\xff\"}", "UTF-8"},
		"no object":       {`[1]`, ""},
		"two objects":     {`{"memo":"m1"} {}`, ""},
		"too deep":        {strings.Repeat("[", 100) + strings.Repeat("]", 100), "deep"},
		"secret too long": {`{"memo":"m1","pin":"tellnobodytellnobodytellnobody"}`, "pin"},
	}
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		for name, c := range cases {
			before := len(r.records(t))
			_, err := do(t, r, act.Call{Op: "memo.write", Actor: admin, Input: []byte(c.input)})
			if err == nil || err.Code != core.Invalid || !strings.Contains(err.Sentence(), c.want) {
				t.Errorf("%s: %v", name, err)
				continue
			}
			if strings.Contains(err.Error()+r.last(t), "tellnobody") {
				t.Errorf("%s: a secret is echoed", name)
			}
			if n := len(r.records(t)) - before; n != 1 || !strings.Contains(r.last(t), `"code":"invalid"`) {
				t.Errorf("%s: %d records: %s", name, n, r.last(t))
			}
		}
		if _, err := do(t, r, act.Call{Op: "memo.fly", Actor: admin}); err == nil || err.Code != core.NotFound || !strings.Contains(r.last(t), "memo.fly") {
			t.Errorf("unknown operation: %v %s", err, r.last(t))
		}
	})
}

// TestWhatStandsBesideTheInputIsBoundedToo sends what a face might let through.
func TestWhatStandsBesideTheInputIsBoundedToo(t *testing.T) {
	good := []byte(`{"memo":"m1","text":"x"}`)
	calls := map[string]act.Call{
		"reason with an escape":        {Op: "memo.write", Input: good, Reason: "\x1b[31mred"},
		"reason of two lines":          {Op: "memo.write", Input: good, Reason: "x\nFAKE"},
		"reason not in UTF-8":          {Op: "memo.write", Input: good, Reason: "\xff"},
		"reason too long":              {Op: "memo.write", Input: good, Reason: strings.Repeat("x", 1025)},
		"key with a zero":              {Op: "memo.write", Input: good, Key: "a\x00"},
		"key too long":                 {Op: "memo.write", Input: good, Key: strings.Repeat("k", 256)},
		"operation not in UTF-8":       {Op: "\xff\xfe"},
		"operation with a zero":        {Op: "a\x00b"},
		"operation cut in a character": {Op: "a" + strings.Repeat("\u00c4", 40)},
	}
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		for name, c := range calls {
			before := len(r.records(t))
			c.Actor = admin
			if _, err := do(t, r, c); err == nil || err.Code != core.Invalid && err.Code != core.NotFound {
				t.Errorf("%s: %v", name, err)
			}
			last := r.last(t)
			if len(r.records(t)) != before+1 || !strings.Contains(last, `"refused"`) || !utf8.ValidString(last) || strings.ContainsAny(last, "\x00\x1b") || strings.Contains(last, "u001b") {
				t.Errorf("%s: on record is %.300s", name, last)
			}
		}
	})
}

func TestDangerAsksFirst(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "")
		if _, err := do(t, r, act.Call{Op: "memo.delete", Actor: admin, Input: []byte(`{"memo":"m1"}`)}); err == nil || err.Code != core.Unconfirmed {
			t.Fatal(err)
		}
		if _, err := do(t, r, act.Call{Op: "memo.delete", Actor: admin, Input: []byte(`{"memo":"m1"}`), Confirmed: true}); err != nil {
			t.Fatal(err)
		}
		if leaf := r.last(t); !strings.Contains(leaf, "memo.removed") || !strings.Contains(leaf, `"tenant":"provider"`) {
			t.Errorf("the record of a deletion has lost its owner: %s", leaf)
		}
	})
}

func TestStrangersCannotFillTheLog(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		stranger := act.Actor{Kind: "stranger", Role: act.Stranger, Door: "web", Address: "198.51.100.7"}
		const attempts = 500
		for range attempts {
			if _, err := do(t, r, act.Call{Op: "memo.write", Actor: stranger, Input: []byte(`{"memo":"m1"}`)}); err == nil || err.Code != core.Unauthenticated {
				t.Fatal(err)
			}
		}
		exact := len(r.records(t))
		if exact > 45 { // 20 a minute, and the minute may turn meanwhile
			t.Errorf("%d records for %d attempts of one network", exact, attempts)
		}
		r.Close()
		total := 0
		for _, leaf := range r.records(t) {
			var l struct{ Count int }
			if err := json.Unmarshal([]byte(leaf), &l); err != nil {
				t.Fatal(err)
			}
			total += max(l.Count, 1)
		}
		if total != attempts {
			t.Errorf("the log accounts for %d attempts, want %d", total, attempts)
		}
	})
}

func TestManyWritersShareCommitsAndLoseNothing(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		const writers, each = 800, 3 // more at once than one batch holds
		var wg sync.WaitGroup
		for w := range writers {
			wg.Go(func() {
				for i := range each {
					if _, _, err := memoCreate.Call(context.Background(), r.Bus, admin, memoIn{Memo: fmt.Sprintf("m%d-%d", w, i)}); err != nil {
						t.Error(err)
					}
				}
			})
		}
		wg.Wait()
		if n := r.memos(t); n != writers*each {
			t.Errorf("%d memos, want %d", n, writers*each)
		}
		if n := len(r.records(t)); n != writers*each {
			t.Errorf("%d records, want %d", n, writers*each)
		}
	})
}

func TestReadsAreRecordedWhenPolicySaysSo(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "x")
		if _, err := memoShow.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); err != nil {
			t.Fatal(err)
		}
		if n := len(r.records(t)); n != 1 {
			t.Fatalf("a read left %d records", n-1)
		}
		r.reads = true
		if _, err := memoShow.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); err != nil {
			t.Fatal(err)
		}
		if leaf := r.last(t); !strings.Contains(leaf, `"outcome":"read"`) || !strings.Contains(leaf, `"id":"m1"`) {
			t.Errorf("not recorded: %s", leaf)
		}
	})
}

func TestAClosedBusSaysSo(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		r.Close()
		if _, _, err := memoCreate.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); core.CodeOf(err) != core.Unavailable {
			t.Fatal(err)
		}
	})
}

func TestUnusedUploadsOfOneActorAreBounded(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		refused := 0
		for range 70 {
			if _, err := r.Upload(t.Context(), admin, strings.NewReader("x")); core.CodeOf(err) == core.Throttled && err != nil {
				refused++
			} else if err != nil {
				t.Fatal(err)
			}
		}
		if refused != 6 {
			t.Errorf("%d of 70 uploads were refused, want 6", refused)
		}
		if leaf := r.last(t); !strings.Contains(leaf, `"code":"throttled"`) {
			t.Errorf("the refusal is not on record: %s", leaf)
		}
		if _, err := r.Upload(t.Context(), actor("shop", act.Customer), strings.NewReader("x")); err != nil {
			t.Errorf("somebody else is refused too: %v", err)
		}
	})
}
