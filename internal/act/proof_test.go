package act_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

const quarter = 15 * time.Minute

// proofOps ask for a proof of a quarter of an hour: a change, and a dangerous job.
func proofOps() []act.Declaration {
	open := memoWrite
	open.Name, open.Proof = "memo.open", quarter
	work := act.Job[memoIn]{Name: "memo.work", Doc: "Toy.", Class: "panel", Roles: act.Hosted, Proof: quarter, Confirm: true, Sample: memoIn{Memo: "m1"}, Target: memoTarget,
		Run: func(context.Context, *act.Work, memoIn) (string, error) { return "done", nil }}
	return []act.Declaration{open, work}
}

func TestAProofAgesOut(t *testing.T) {
	onEachEngine(t, proofOps(), func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		for name, c := range map[string]struct {
			age  time.Duration
			code core.Code
		}{
			"a moment ago": {0, ""}, "just in time": {quarter - time.Minute, ""}, "too old": {quarter + time.Second, core.Unproved}, "never": {-1, core.Unproved},
		} {
			who := admin
			if who.Proof = time.Now().Add(-c.age); c.age < 0 {
				who.Proof = time.Time{}
			}
			_, err := do(t, r, act.Call{Op: "memo.open", Actor: who, Input: []byte(`{"memo":"m1","text":"` + name + `"}`)})
			if (err == nil) != (c.code == "") || err != nil && (err.Code != c.code || !strings.Contains(err.Public, "15 minutes")) {
				t.Errorf("%s: %v, want %q", name, err, c.code)
			}
			if c.code != "" && !strings.Contains(r.last(t), `"code":"unproved"`) {
				t.Errorf("%s: the refusal is not on record: %s", name, r.last(t))
			}
		}
	})
}

// TestAPreviewNeedsNoProof: what would happen may be looked at before; nothing does.
func TestAPreviewNeedsNoProof(t *testing.T) {
	onEachEngine(t, proofOps(), func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		res, err := do(t, r, act.Call{Op: "memo.open", Actor: admin, Input: []byte(`{"memo":"m1","text":"after"}`), Preview: true})
		if err != nil || res.State != act.Previewed || len(res.Changes) != 1 {
			t.Errorf("%+v %v", res, err)
		}
		if text, _ := memoShow.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); text != "before" {
			t.Errorf("the preview changed it to %q", text)
		}
		as := admin
		as.By = &act.Actor{Kind: "account", ID: "a_boss", Role: act.Primary, Tenant: core.Provider}
		token := admin
		token.Grants = []act.Grant{{Action: "*"}}
		for _, who := range []act.Actor{as, token} {
			if _, err := do(t, r, act.Call{Op: "memo.open", Actor: who, Input: []byte(`{"memo":"m1","text":"after"}`), Preview: true}); err == nil || err.Code != core.Denied {
				t.Errorf("a preview of what he may not: %v", err)
			}
		}
	})
}

func TestWhoActsAsAnotherHasNoProofOfHis(t *testing.T) {
	onEachEngine(t, proofOps(), func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		as, boss := admin, admin
		as.Proof, boss.ID, boss.Name, boss.Proof, boss.Strong = time.Now(), "a_boss", "boss", time.Now(), true
		as.By = &boss
		if _, err := do(t, r, act.Call{Op: "memo.open", Actor: as, Input: []byte(`{"memo":"m1","text":"x"}`)}); err == nil || err.Code != core.Denied {
			t.Errorf("what asks for the person himself: %v", err)
		}
		if _, err := do(t, r, act.Call{Op: "memo.write", Actor: as, Input: []byte(`{"memo":"m1","text":"x"}`)}); err != nil {
			t.Fatal(err)
		}
		if leaf := r.last(t); !strings.Contains(leaf, `"actor":{"kind":"account","id":"a_provider"`) || !strings.Contains(leaf, `"by":{"kind":"account","id":"a_boss"`) {
			t.Errorf("the record does not name both: %s", leaf)
		}
	})
}

// TestTheMachinesOwnPeopleHaveProvedThemselvesToIt: the local socket and jobs.
func TestTheMachinesOwnPeopleHaveProvedThemselvesToIt(t *testing.T) {
	onEachEngine(t, proofOps(), func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		console := act.Actor{Kind: "os", ID: "uid:0", Name: "root", Role: act.Primary, Tenant: core.Provider, Door: "cli"}
		for _, who := range []act.Actor{console, act.SystemActor("job")} {
			if _, err := do(t, r, act.Call{Op: "memo.open", Actor: who, Input: []byte(`{"memo":"m1","text":"by ` + who.Kind + `"}`)}); err != nil {
				t.Errorf("%s: %v", who.Kind, err)
			}
		}
	})
}

func TestAJobAsksForProofAndIsConfirmed(t *testing.T) {
	onEachEngine(t, proofOps(), func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "x")
		proved := admin
		proved.Proof = time.Now()
		as, token, named := proved, proved, admin
		as.By = &admin
		token.Grants, named.Grants = []act.Grant{{Action: "memo.*"}}, []act.Grant{{Action: "memo.work"}}
		for _, c := range []struct {
			name      string
			who       act.Actor
			confirmed bool
			code      core.Code
		}{
			{"not confirmed", proved, false, core.Unconfirmed}, {"not proved", admin, true, core.Unproved}, {"as another", as, true, core.Denied},
			{"with a token for everything", token, true, core.Denied}, {"with a token for this", named, true, ""}, {"proved and confirmed", proved, true, ""},
		} {
			res, err := do(t, r, act.Call{Op: "memo.work", Actor: c.who, Input: []byte(`{"memo":"m1"}`), Confirmed: c.confirmed})
			if (err == nil) != (c.code == "") || err != nil && err.Code != c.code {
				t.Errorf("%s: %v, want %q", c.name, err, c.code)
				continue
			}
			if err != nil {
				if !strings.Contains(r.last(t), `"code":"`+string(c.code)+`"`) {
					t.Errorf("%s: the refusal is not on record: %s", c.name, r.last(t))
				}
				continue
			}
			if res.State != act.Pending {
				t.Errorf("%s: it answers %q", c.name, res.State)
			}
			r.ends(t)
		}
		if res, err := do(t, r, act.Call{Op: "memo.work", Actor: admin, Input: []byte(`{"memo":"m1"}`), Preview: true}); err != nil || res.State != act.Previewed {
			t.Errorf("a preview: %+v, %v", res, err)
		}
		select {
		case <-r.jobs:
			t.Error("a job that was refused or looked at ran")
		default:
		}
	})
}

// ends waits for a job to end well.
func (r *rig) ends(t *testing.T) {
	t.Helper()
	select {
	case err := <-r.jobs:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(generous):
		t.Fatal("the job did not end")
	}
}

// TestAJobsStepsAreJudgedOneByOne: whoever was shut out meanwhile does not go on.
func TestAJobsStepsAreJudgedOneByOne(t *testing.T) {
	next, done := make(chan struct{}), make(chan error, 1)
	work := act.Job[memoIn]{Name: "memo.work", Doc: "Toy.", Class: "panel", Roles: act.Hosted, Sample: memoIn{Memo: "m1"}, Target: memoTarget,
		Run: func(ctx context.Context, w *act.Work, in memoIn) (string, error) {
			<-next
			_, err := w.Do(ctx, act.Call{Op: "memo.write", Input: []byte(`{"memo":"m1","text":"by the job"}`)})
			done <- err
			return "", err
		}}
	onEachEngine(t, []act.Declaration{work}, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		if _, err := do(t, r, act.Call{Op: "memo.work", Actor: admin, Input: []byte(`{"memo":"m1"}`)}); err != nil {
			t.Fatal(err)
		}
		r.endSession(admin.Session) // it goes on without its owner
		r.bar(admin.Address, true)
		next <- struct{}{}
		if err := <-done; core.CodeOf(err) != core.Denied || err == nil {
			t.Errorf("a step from where he may not act any more: %v", err)
		}
		if err := <-r.jobs; err == nil {
			t.Error("the job is said to have ended well")
		}
	})
}
