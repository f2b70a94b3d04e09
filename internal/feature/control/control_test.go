package control_test

import (
	"context"
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/act/acttest"
	engine "hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/feature/control"
	"hostward/internal/host"
	"hostward/internal/ledger"
	"hostward/internal/store/storetest"
)

var admin = act.Actor{Kind: "account", ID: core.Provider, Name: "ann", Role: act.Primary, Tenant: core.Provider, Door: "rest", Proof: time.Now().Add(24 * time.Hour)}

// wish is what a control of these tests should be.
type wish struct {
	Text string `json:"text"`
	Loud bool   `json:"loud"`
}

// world is a bus with the feature, and an agent that says what it is told to.
type world struct {
	*act.Bus
	t        *testing.T
	controls *control.Controls
	wish     wish
	status   host.Status
	fault    error
}

func (w *world) Statuses(context.Context) ([]host.Status, error) {
	return []host.Status{w.status}, w.fault
}

func (w *world) Plan(_ context.Context, name string, desired []byte) (host.Planned, error) {
	return host.Planned{Lines: []string{name + " becomes " + string(desired)}}, w.fault
}

func (w *world) machine() engine.Machine {
	return engine.Of(engine.Spec[wish, string]{Name: "thing", Title: "Thing", Lockout: true,
		Desired: func(context.Context, *act.View) (wish, error) { return w.wish, nil },
		Validate: func(d wish) error {
			if d.Text == "never" {
				return errors.New("never is not accepted")
			}
			return nil
		}})
}

func each(t *testing.T, f func(t *testing.T, w *world)) {
	storetest.EachURL(t, func(t *testing.T, url string) {
		w := &world{t: t, status: host.Status{Control: "thing", State: host.Idle}}
		w.controls = control.New(w, []engine.Machine{w.machine()})
		w.Bus = acttest.Open(t, url, core.SystemClock, acttest.Accounts(), w.controls.Feature())
		f(t, w)
	})
}

func (w *world) as(who act.Actor, op string, in map[string]any) (act.Result, error) {
	w.t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.Do(context.Background(), act.Call{Op: op, Actor: who, Input: raw, Confirmed: true})
}

func (w *world) do(op string, in map[string]any) (act.Result, error) {
	w.t.Helper()
	return w.as(admin, op, in)
}

func (w *world) must(op string, in map[string]any) act.Result {
	w.t.Helper()
	r, err := w.do(op, in)
	if err != nil {
		w.t.Fatalf("%s: %v", op, err)
	}
	return r
}

var thing = map[string]any{"control": "thing"}

func (w *world) standing() control.Standing {
	w.t.Helper()
	return w.must("control.show", thing).Output.(control.Standing)
}

func names(r act.Result) (list []string) {
	for _, e := range r.Changes {
		list = append(list, e.Name)
	}
	return list
}

func TestOrdersCountUpAndSayWhatChanged(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		w.wish = wish{Text: "one"}
		if s := w.standing(); s.Number != 0 || !s.Edited || s.State != host.Idle {
			t.Errorf("before the first order: %+v", s)
		}
		out := w.must("control.apply", map[string]any{"control": "thing"}).Output.(control.Applied)
		if out.Number != 1 || out.Seconds != 60 || len(out.Plan) != 1 || !strings.Contains(out.Plan[0], `"one"`) {
			t.Errorf("the first order: %+v", out)
		}
		if s := w.standing(); s.State != control.Pending || s.Edited {
			t.Errorf("before the agent has it: %+v", s)
		}
		w.status = host.Status{Control: "thing", State: host.InForce, Order: 1, Highest: 1}
		w.wish.Text = "two"
		if s := w.standing(); s.State != host.InForce || !s.Edited {
			t.Errorf("after a change: %+v", s)
		}
		r := w.must("control.apply", map[string]any{"control": "thing", "keep": true, "leave": true})
		if out := r.Output.(control.Applied); out.Number != 2 || out.Seconds != 0 {
			t.Errorf("the second order: %+v", out)
		}
		var changed []string
		for _, f := range r.Changes[0].Fields {
			changed = append(changed, f.Name)
		}
		if !slices.Equal(changed, []string{"text", "number", "confirm", "mend"}) {
			t.Errorf("on record is %q", changed)
		}
		w.wish.Text = "never"
		if _, err := w.do("control.apply", thing); core.CodeOf(err) != core.Invalid {
			t.Errorf("what the control refuses: %v", err)
		}
		w.fault = core.Errorf(core.Unavailable, "the agent is away")
		if s := w.standing(); s.State != control.Unknown || !strings.Contains(s.Fault, "agent is away") {
			t.Errorf("without the agent: %+v", s)
		}
	})
}

func TestOnlyANewConnectionConfirms(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		if _, err := w.do("control.confirm", thing); core.CodeOf(err) != core.Conflict {
			t.Errorf("where nothing waits: %v", err)
		}
		if _, err := w.do("control.release", thing); core.CodeOf(err) != core.Conflict {
			t.Errorf("letting go of what was never ordered: %v", err)
		}
		w.must("control.apply", map[string]any{"control": "thing", "seconds": 100})
		began := time.Now()
		w.status = host.Status{Control: "thing", State: host.Awaiting, Order: 1, Highest: 1, Waiting: 1, Until: began.Add(100 * time.Second)}
		who := admin
		for at, ok := range map[time.Time]bool{{}: false, began.Add(-time.Minute): false, began.Add(time.Second): true} {
			who.Connected = at
			r, err := w.as(who, "control.confirm", thing)
			if ok != (err == nil) || ok && !slices.Equal(names(r), []string{"control.kept"}) {
				t.Errorf("over a connection of %s: %v, %v", at, names(r), err)
			}
		}
		who.Door, who.Connected = "cli", began.Add(time.Second)
		who.Connected = time.Time{}
		if _, err := w.as(who, "control.confirm", thing); core.CodeOf(err) != core.Conflict || !strings.Contains(err.Error(), "--console") {
			t.Errorf("over the local socket: %v", err)
		}
		if _, err := w.as(who, "control.confirm", map[string]any{"control": "thing", "console": true}); err != nil {
			t.Errorf("at the console: %v", err)
		}
		if _, err := w.do("control.revert", map[string]any{"control": "thing", "number": 7}); core.CodeOf(err) != core.Conflict {
			t.Errorf("another order: %v", err)
		}
		if r := w.must("control.revert", map[string]any{"control": "thing", "number": 1}); !slices.Equal(names(r), []string{"control.undone"}) {
			t.Errorf("undone at once: %v", names(r))
		}
	})
}

func TestTheJournalBecomesRecords(t *testing.T) {
	each(t, func(t *testing.T, w *world) {
		hash := func(c string) string { return strings.Repeat(c, 64) }
		line := func(seq uint64, prev, own, control, what string) host.Line {
			return host.Line{Entry: host.Entry{Seq: seq, Time: time.Now(), Prev: prev, Control: control, What: what, Reason: "two\nlines", Lines: []string{"a\tb"}}, Hash: own}
		}
		note := func(lines ...host.Line) {
			t.Helper()
			if err := w.controls.Note(context.Background(), w.Bus, lines); err != nil {
				t.Fatal(err)
			}
		}
		note(line(1, "", hash("a"), "", host.Started), line(2, hash("a"), hash("b"), "thing", host.Blind))
		w.must("control.apply", thing)
		note(line(3, hash("b"), hash("c"), "thing", host.Done))
		if got := w.recorded(); !slices.Equal(got, []string{"agent.started", "agent.blind", "agent.told", "control.ordered", "control.done", "agent.told"}) {
			t.Errorf("on record is %q", got)
		}
		note(line(1, "", hash("d"), "", host.Started))
		if got := w.recorded(); !slices.Contains(got, "agent.gap") {
			t.Errorf("a journal that began anew leaves %q", got)
		}
		note(line(2, hash("d"), hash("e"), "thing", host.Drifted))
		if got := w.recorded(); got[len(got)-2] != "control.drifted" {
			t.Errorf("and then %q", got)
		}
	})
}

// recorded returns every event that is on record, oldest first.
func (w *world) recorded() (names []string) {
	w.t.Helper()
	err := w.Look(context.Background(), "test", func(v *act.View) error {
		rows, err := v.Ledger().Query(context.Background(), `SELECT leaf FROM ledger_entry ORDER BY seq`)
		if err != nil {
			return err
		}
		defer rows.Close()
		for rows.Next() {
			var b []byte
			if err := rows.Scan(&b); err != nil {
				return err
			}
			l, err := ledger.DecodeLeaf(b)
			if err != nil {
				return err
			}
			for _, e := range l.Events {
				names = append(names, e.Name)
			}
		}
		return rows.Err()
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return names
}
