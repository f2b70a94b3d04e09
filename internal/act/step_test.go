package act_test

import (
	"strings"
	"testing"

	"hostward/internal/act"
	"hostward/internal/core"
)

// entrant has shown a password and has a step to go.
func entrant(tenant, step string) act.Actor {
	a := actor(tenant, act.Entrant)
	a.Step = step
	return a
}

// stepOps are an operation of one step and one of each.
func stepOps() []act.Declaration {
	atStep, anyStep, look := memoWrite, memoWrite, memoShow
	atStep.Name, atStep.Roles, atStep.Step = "memo.factor", act.Hosted|act.Entrant, "factor"
	anyStep.Name, anyStep.Roles = "memo.leave", act.Entrant
	look.Name, look.Roles, look.Step = "memo.look", act.Readers|act.Entrant, "factor"
	return []act.Declaration{atStep, anyStep, look}
}

func TestAnEntrantCallsOnlyWhatHisStepAllows(t *testing.T) {
	onEachEngine(t, stepOps(), func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		in := []byte(`{"memo":"m1","text":"by an entrant"}`)
		for _, c := range []struct {
			op, step string
			code     core.Code
		}{
			{"memo.factor", "factor", ""}, {"memo.factor", "enrol", core.Unauthenticated}, {"memo.factor", "", core.Unauthenticated},
			{"memo.factor", "Factor", core.Unauthenticated}, {"memo.look", "factor", ""}, {"memo.look", "password", core.Unauthenticated},
			{"memo.leave", "factor", ""}, {"memo.leave", "enrol", ""},
			{"memo.write", "factor", core.Unauthenticated}, {"memo.show", "factor", core.Unauthenticated}, {"memo.create", "factor", core.Unauthenticated},
		} {
			who := entrant(core.Provider, c.step)
			_, err := do(t, r, act.Call{Op: c.op, Actor: who, Input: in})
			if (err == nil) != (c.code == "") || err != nil && (err.Code != c.code || !strings.Contains(err.Public, "step")) {
				t.Errorf("%s at step %q: %v, want %q", c.op, c.step, err, c.code)
			}
			op, _ := r.registry.Op(c.op)
			if r.May(who, op) != (c.code == "") {
				t.Errorf("May says %v about %s at step %q", !(c.code == ""), c.op, c.step)
			}
		}
	})
}

// TestAStepBindsEntrantsAlone lets who is in call what an entrant calls at one step.
func TestAStepBindsEntrantsAlone(t *testing.T) {
	onEachEngine(t, stepOps(), func(t *testing.T, r *rig) {
		shop := actor("shop", act.Customer)
		mustCreate(t, r, shop, "m1", "before")
		if _, err := do(t, r, act.Call{Op: "memo.factor", Actor: shop, Input: []byte(`{"memo":"m1","text":"x"}`)}); err != nil {
			t.Error(err)
		}
		if _, err := do(t, r, act.Call{Op: "memo.leave", Actor: shop, Input: []byte(`{"memo":"m1"}`)}); err == nil || err.Code != core.Denied {
			t.Errorf("what is for entrants alone: %v", err)
		}
		if _, err := do(t, r, act.Call{Op: "memo.factor", Actor: entrant("rival", "factor"), Input: []byte(`{"memo":"m1"}`)}); err == nil || err.Code != core.NotFound {
			t.Errorf("an entrant reaches what is another's: %v", err)
		}
	})
}

func TestAnEntrantHasNoPreviewNoKeyNoUploadAndNoSearch(t *testing.T) {
	onEachEngine(t, stepOps(), func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		who := entrant(core.Provider, "factor")
		before := len(r.records(t))
		call := act.Call{Op: "memo.leave", Actor: who, Input: []byte(`{"memo":"m1","text":"seen"}`), Preview: true}
		if res, err := do(t, r, call); err == nil || err.Code != core.Denied || res.Output != nil || len(r.records(t)) != before+1 {
			t.Errorf("a preview answers %+v, %v", res, err)
		}
		call.Preview, call.Key = false, "k"
		if _, err := do(t, r, call); err != nil {
			t.Fatal(err)
		}
		if res, err := do(t, r, call); err != nil || res.Replay || res.State != act.Unchanged {
			t.Errorf("the same key again: %+v, %v; want no memory of it", res, err)
		}
		if _, err := r.Upload(t.Context(), who, strings.NewReader("x")); core.CodeOf(err) != core.Unauthenticated {
			t.Errorf("an upload: %v", err)
		}
		for _, a := range []act.Actor{who, {Kind: "stranger", Role: act.Stranger}, {}} {
			if found, err := r.Find(t.Context(), a, "m", 10); core.CodeOf(err) != core.Unauthenticated || len(found) != 0 {
				t.Errorf("a search of %q finds %v, %v", a.Role, found, err)
			}
		}
	})
}

// TestEntrantsCannotFillTheLog: whoever knows one password could otherwise.
func TestEntrantsCannotFillTheLog(t *testing.T) {
	onEachEngine(t, nil, func(t *testing.T, r *rig) {
		who := entrant("shop", "factor")
		for _, in := range []string{`{"memo":"m1"}`, `{}`} { // the right is missing, or the input is bad
			before := len(r.records(t))
			for range 200 {
				if _, err := do(t, r, act.Call{Op: "memo.write", Actor: who, Input: []byte(in)}); err == nil || err.Code != core.Unauthenticated && err.Code != core.Invalid {
					t.Fatal(err)
				}
			}
			if n := len(r.records(t)) - before; n > 45 { // 20 a minute, and the minute may turn meanwhile
				t.Errorf("%s: %d records of one entrant's refusals", in, n)
			}
		}
	})
}

func TestAnEntrantsRoleHasAName(t *testing.T) {
	if r, ok := act.ParseRole("entrant"); !ok || r != act.Entrant || r.String() != "entrant" {
		t.Errorf("it reads as %v, %v", r, ok)
	}
	if act.Readers&act.Entrant != 0 || act.Hosted&act.Entrant != 0 || act.Staff&act.Entrant != 0 {
		t.Error("an entrant is among those who are in")
	}
}
