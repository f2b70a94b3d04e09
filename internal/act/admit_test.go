package act_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// ways are all in which somebody reaches the bus.
func ways(r *rig) map[string]func(ctx context.Context, who act.Actor) error {
	in := []byte(`{"memo":"m1","text":"x"}`)
	return map[string]func(ctx context.Context, who act.Actor) error{
		"change": func(ctx context.Context, who act.Actor) error {
			_, err := r.Do(ctx, act.Call{Op: "memo.write", Actor: who, Input: in})
			return err
		},
		"preview": func(ctx context.Context, who act.Actor) error {
			_, err := r.Do(ctx, act.Call{Op: "memo.write", Actor: who, Input: in, Preview: true})
			return err
		},
		"query": func(ctx context.Context, who act.Actor) error {
			_, err := r.Do(ctx, act.Call{Op: "memo.show", Actor: who, Input: in})
			return err
		},
		"page": func(ctx context.Context, who act.Actor) error {
			_, faults := r.Read(ctx, who, map[string]act.Call{"show": {Op: "memo.show", Input: in}})
			return faults["show"]
		},
		"job": func(ctx context.Context, who act.Actor) error {
			_, err := r.Do(ctx, act.Call{Op: "memo.work", Actor: who, Input: in})
			if err == nil {
				<-r.jobs
			}
			return err
		},
		"stream": func(ctx context.Context, who act.Actor) error {
			return r.Stream(ctx, act.Call{Op: "memo.watch", Actor: who, Input: in}, func(any) error { return nil })
		},
		"search": func(ctx context.Context, who act.Actor) error {
			found, err := r.Find(ctx, who, "m", 10)
			if err == nil && len(found) != 1 {
				err = fmt.Errorf("found %v", found)
			}
			return err
		},
		"upload": func(ctx context.Context, who act.Actor) error {
			_, err := r.Upload(ctx, who, strings.NewReader("x"))
			return err
		},
		"asked beforehand": func(ctx context.Context, who act.Actor) error { return r.Admitted(ctx, who) },
	}
}

func admitOps() []act.Declaration {
	work := act.Job[memoIn]{Name: "memo.work", Doc: "Toy.", Class: "panel", Roles: act.Hosted, Sample: memoIn{Memo: "m1"}, Target: memoTarget,
		Run: func(context.Context, *act.Work, memoIn) (string, error) { return "done", nil }}
	return []act.Declaration{work, memoWatch}
}

// TestNobodyActsFromWhereHeMayNot tries every way in, as somebody who is shut out
// himself, and as somebody for whom one who is shut out acts (SPEC A1).
func TestNobodyActsFromWhereHeMayNot(t *testing.T) {
	onEachEngine(t, admitOps(), func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		r.bar("203.0.113.66", true)
		here, away, through := admin, admin, admin
		away.Address = "203.0.113.66"
		boss := away
		boss.ID = "a_boss"
		through.By = &boss
		for name, way := range ways(r) {
			if err := way(t.Context(), here); err != nil {
				t.Errorf("%s: from where he may: %v", name, err)
			}
			for who, a := range map[string]act.Actor{"himself": away, "through another": through} {
				records := len(r.records(t))
				if err := way(t.Context(), a); core.CodeOf(err) != core.Denied || err == nil || !strings.Contains(err.Error(), "203.0.113.66") {
					t.Errorf("%s, %s: %v", name, who, err)
				}
				recorded := len(r.records(t)) - records
				if quiet := name == "search" || name == "asked beforehand"; quiet && recorded != 0 || !quiet && (recorded != 1 || !strings.Contains(r.last(t), `"code":"denied"`)) {
					t.Errorf("%s, %s: %d records, the last %s", name, who, recorded, r.last(t))
				}
			}
		}
		if text, _ := memoShow.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); text != "x" {
			t.Errorf("m1 is %q", text)
		}
	})
}

// TestAPageAsksOnceWhetherItsReaderMayAct, however much it reads.
func TestAPageAsksOnceWhetherItsReaderMayAct(t *testing.T) {
	onEachEngine(t, admitOps(), func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "x")
		show, asked := act.Call{Op: "memo.show", Input: []byte(`{"memo":"m1"}`)}, r.asked
		results, faults := r.Read(t.Context(), admin, map[string]act.Call{"a": show, "b": show, "c": show})
		if len(results) != 3 || len(faults) != 0 || r.asked != asked+1 {
			t.Errorf("%d results, %v, asked %d times", len(results), faults, r.asked-asked)
		}
	})
}

// TestNobodyActsWhoseSessionIsOver tries every way in after the face looked the
// session up, and before the bus did (SPEC A7).
func TestNobodyActsWhoseSessionIsOver(t *testing.T) {
	onEachEngine(t, admitOps(), func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		who := admin
		who.Session = "s_1"
		r.endSession("s_1")
		for name, way := range ways(r) {
			if err := way(t.Context(), who); core.CodeOf(err) != core.Unauthenticated {
				t.Errorf("%s: %v", name, err)
			}
		}
		if text, _ := memoShow.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); text != "before" {
			t.Errorf("m1 is %q", text)
		}
	})
}

// TestOnlyAccountsAreAskedFromWhere: the local command line always gets in, for
// recovery, and strangers are nobody's.
func TestOnlyAccountsAreAskedFromWhere(t *testing.T) {
	onEachEngine(t, admitOps(), func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		r.bar("", true)
		r.bar(admin.Address, true)
		console := act.Actor{Kind: "os", ID: "uid:0", Role: act.Primary, Tenant: core.Provider, Door: "cli"}
		asked := r.asked
		for name, way := range ways(r) {
			for _, who := range []act.Actor{console, act.SystemActor("test")} {
				if err := way(t.Context(), who); err != nil {
					t.Errorf("%s as %s: %v", name, who.Kind, err)
				}
			}
		}
		if err := r.Admitted(t.Context(), act.Actor{Kind: "stranger", Role: act.Stranger}); err != nil || r.asked != asked {
			t.Errorf("%d were asked, %v", r.asked-asked, err)
		}
	})
}

// TestTheRightIsLookedAtOnceMoreWithinTheTransaction shuts somebody out between the
// costly preparation of a change and the change.
func TestTheRightIsLookedAtOnceMoreWithinTheTransaction(t *testing.T) {
	var shut func()
	slow := memoWrite
	slow.Name = "memo.slow"
	slow.Prepare = func(context.Context, *act.View, *memoIn) error { shut(); return nil }
	onEachEngine(t, []act.Declaration{slow}, func(t *testing.T, r *rig) {
		mustCreate(t, r, admin, "m1", "before")
		slowly := func() core.Code {
			_, err := do(t, r, act.Call{Op: "memo.slow", Actor: admin, Input: []byte(`{"memo":"m1","text":"x"}`)})
			return core.CodeOf(err)
		}
		shut = func() { r.bar(admin.Address, true) }
		if code := slowly(); code != core.Denied {
			t.Errorf("the change of who was shut out: %q", code)
		}
		r.bar(admin.Address, false)
		shut = func() { r.endSession(admin.Session) }
		if code := slowly(); code != core.Unauthenticated {
			t.Errorf("the change of who was logged out: %q", code)
		}
		delete(r.ended, admin.Session)
		if text, err := memoShow.Call(t.Context(), r.Bus, admin, memoIn{Memo: "m1"}); err != nil || text != "before" {
			t.Errorf("m1 is %q, %v", text, err)
		}
	})
}

// TestAStreamEndsWithWhatLetItBegin ends the session, or shuts out the address, of
// who reads for long.
func TestAStreamEndsWithWhatLetItBegin(t *testing.T) {
	step := make(chan struct{})
	watch := memoWatch
	watch.Run = func(ctx context.Context, f *act.Flow, in memoIn) error {
		for {
			if err := f.View(ctx, func(*act.View) error { return nil }); err != nil {
				return err
			}
			if err := f.Send("item"); err != nil {
				return err
			}
			<-step
		}
	}
	for name, end := range map[string]func(r *rig, a act.Actor){
		"the session is over":    func(r *rig, a act.Actor) { r.endSession(a.Session) },
		"the address is barred":  func(r *rig, a act.Actor) { r.bar(a.Address, true) },
		"who acts as him is out": func(r *rig, a act.Actor) { r.bar(a.By.Address, true) },
	} {
		t.Run(name, func(t *testing.T) {
			onEachEngine(t, []act.Declaration{watch}, func(t *testing.T, r *rig) {
				mustCreate(t, r, admin, "m1", "x")
				who, boss := admin, admin
				who.Session, boss.ID, boss.Address, boss.Session = "s_1", "a_boss", "198.51.100.4", "s_1"
				who.By = &boss
				items, over := make(chan any, 1), make(chan error, 1)
				go func() {
					over <- r.Stream(t.Context(), act.Call{Op: "memo.watch", Actor: who, Input: []byte(`{"memo":"m1"}`)}, func(item any) error { items <- item; return nil })
				}()
				<-items
				end(r, who)
				r.pass(3 * time.Second)
				step <- struct{}{}
				select {
				case err := <-over:
					if c := core.CodeOf(err); err == nil || c != core.Denied && c != core.Unauthenticated {
						t.Errorf("it ended with %v", err)
					}
				case <-items:
					t.Fatal("it goes on")
				case <-time.After(generous):
					t.Fatal("it hangs")
				}
			})
		})
	}
}
