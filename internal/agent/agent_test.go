package agent_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/agent"
	"hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/ledger"
)

var (
	before = newMachine().String()
	wanted = want{Text: "new\n", Rules: "chain input"}
	after  = "/etc/thing/hostward.conf: \"new\\n\"\ntable thing: \"chain input\"\nloaded: \"new\\n\"\n"
)

func TestAnOrderIsCarriedOutAndKept(t *testing.T) {
	p := newPlace(t)
	s, _, err := p.send(p.order(1, 0, true, wanted))
	if err != nil || s.State != host.InForce || p.machine.String() != after {
		t.Fatalf("%+v, %v\n%s", s, err, p.machine)
	}
	p.restart()
	if s := p.until("in force", inState(host.InForce)); s.Order != 1 || len(s.Plan) != 0 {
		t.Errorf("after a restart: %+v", s)
	}
	if got := p.told(); !slices.Equal(got, []string{host.Intends, host.Done}) {
		t.Errorf("the journal tells %q", got)
	}
	if s, _, err := p.send(p.order(2, 0, true, nil)); err != nil || s.State != host.Idle || p.machine.String() != before {
		t.Errorf("it does not let go: %+v, %v\n%s", s, err, p.machine)
	}
}

// A fault at every step, in every way, at the first try or again and again, with
// and without confirmation: it always ends in force or undone.
func TestWhateverFailsItEndsInForceOrUndone(t *testing.T) {
	ways := map[string]fault{
		"failed, not done":    {undone: true, err: errors.New("no")},
		"failed, but done":    {err: errors.New("no, and yet")},
		"not done, unsaid":    {undone: true},
		"dies before the act": {undone: true, crash: true},
		"dies after the act":  {crash: true},
	}
	for name, way := range ways {
		for _, confirm := range []int{0, 600} {
			for _, times := range []int{1, 2, 4} {
				for first := 1; first <= 6; first++ {
					t.Run(fmt.Sprintf("%s/%d/%d/%d", name, confirm, times, first), func(t *testing.T) {
						t.Parallel()
						p := newPlace(t)
						p.set(func(m *machine) {
							m.fault = func(call int, _ host.Step) fault {
								if call >= first && call < first+times {
									return way
								}
								return fault{}
							}
						})
						_, crashed, err := p.send(p.order(1, confirm, true, wanted))
						if err != nil {
							t.Fatal(err)
						}
						p.settle(crashed)
						p.check(confirm)
					})
				}
			}
		}
	}
}

// settle starts the agent again as often as it dies, until it has nothing under way.
func (p *place) settle(crashed bool) {
	p.t.Helper()
	for range 10 {
		if crashed {
			p.restart()
		}
		if crashed = !p.rests(); !crashed {
			return
		}
	}
	p.t.Fatal("it dies again and again")
}

// rests waits until nothing is under way; false if the agent died meanwhile.
func (p *place) rests() bool {
	p.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		select {
		case <-p.died:
			return false
		default:
		}
		list, err := p.a.Statuses(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		if s := list[0]; s.State != host.Failed && s.State != host.Drift && !s.Seen.IsZero() {
			return true
		}
	}
	p.t.Fatalf("it never rests\n%s", p.machine)
	return false
}

// check wants the machine to be one of two things, and the status to say which.
func (p *place) check(confirm int) {
	p.t.Helper()
	s := p.until("at rest", func(s host.Status) bool { return s.State != host.Failed && s.State != host.Drift && !s.Seen.IsZero() })
	switch got := p.machine.String(); got {
	case after:
		want := host.InForce
		if confirm > 0 {
			want = host.Awaiting
		}
		if s.State != want {
			p.t.Errorf("everything is done, and the state is %+v", s)
		}
	case before:
		if s.State != host.Idle || !strings.Contains(s.Undone, "order 1 was undone") || !slices.Contains(p.told(), host.Reverted) {
			p.t.Errorf("everything is undone, and the state is %+v, the journal %q", s, p.told())
		}
	default:
		p.t.Errorf("it is neither in force nor undone:\n%s%+v\n%q", got, s, p.told())
	}
}

func TestNobodyConfirmsAndItIsUndone(t *testing.T) {
	p := newPlace(t)
	s, _, err := p.send(p.order(1, 60, true, wanted))
	if err != nil || s.State != host.Awaiting || s.Waiting != 1 || s.Until.Before(time.Now().Add(50*time.Second)) || p.machine.String() != after {
		t.Fatalf("%+v, %v\n%s", s, err, p.machine)
	}
	if _, _, err := p.send(p.order(2, 60, true, want{Text: "other\n"})); core.CodeOf(err) != core.Conflict {
		t.Errorf("a second order is taken while one waits: %v", err)
	}
	p.restart() // the panel and the agent may die: the time runs on
	p.until("waiting still", inState(host.Awaiting))
	p.set(func(m *machine) { m.up += 61 * time.Second })
	s = p.until("undone", inState(host.Idle))
	if p.machine.String() != before || !strings.Contains(s.Undone, "nobody confirmed") {
		t.Errorf("%+v\n%s", s, p.machine)
	}
	if _, err := p.a.Confirm(t.Context(), "thing", 1); core.CodeOf(err) != core.Conflict {
		t.Errorf("it is confirmed afterwards: %v", err)
	}
}

func TestABootInBetweenUndoesIt(t *testing.T) {
	p := newPlace(t)
	if _, _, err := p.send(p.order(1, 60, true, wanted)); err != nil {
		t.Fatal(err)
	}
	p.kill()
	p.set(func(m *machine) { m.id, m.up = "boot-2", time.Second; delete(m.tables, "thing") })
	p.start()
	p.until("undone", inState(host.Idle))
	if p.machine.String() != before {
		t.Error(p.machine)
	}
}

func TestItIsConfirmedOrRevertedByItsNumber(t *testing.T) {
	p := newPlace(t)
	if _, _, err := p.send(p.order(1, 60, true, wanted)); err != nil {
		t.Fatal(err)
	}
	if _, err := p.a.Confirm(t.Context(), "thing", 2); core.CodeOf(err) != core.Conflict {
		t.Errorf("another order is confirmed: %v", err)
	}
	if s, err := p.a.Confirm(t.Context(), "thing", 1); err != nil || s.State != host.InForce {
		t.Fatalf("%+v, %v", s, err)
	}
	p.set(func(m *machine) { m.up += time.Hour })
	p.restart()
	p.until("in force", inState(host.InForce))
	if _, _, err := p.send(p.order(2, 60, true, want{Text: "other\n"})); err != nil {
		t.Fatal(err)
	}
	if s, err := p.a.Revert(t.Context(), "thing", 2); err != nil || s.State != host.InForce || s.Order != 1 || p.machine.String() != after {
		t.Errorf("%+v, %v\n%s", s, err, p.machine)
	}
}

func TestAfterABootWhatHoldsIsBroughtIntoForce(t *testing.T) {
	p := newPlace(t)
	if _, _, err := p.send(p.order(1, 0, false, wanted)); err != nil {
		t.Fatal(err)
	}
	p.kill()
	p.set(func(m *machine) { m.id, m.up = "boot-2", time.Second; delete(m.tables, "thing") })
	p.start()
	p.until("in force", inState(host.InForce))
	if p.machine.String() != after {
		t.Error(p.machine)
	}
}

func TestDriftIsToldOnceAndMendedIfWished(t *testing.T) {
	for _, mend := range []bool{false, true} {
		p := newPlace(t)
		if _, _, err := p.send(p.order(1, 0, mend, wanted)); err != nil {
			t.Fatal(err)
		}
		p.set(func(m *machine) { m.files[path] = "by hand\n" })
		end := host.Drift
		if mend {
			end = host.InForce
		}
		s := p.until("looked at", func(s host.Status) bool { return s.State == end && slices.Contains(p.told(), host.Drifted) })
		if !mend && (len(s.Plan) != 1 || !strings.HasPrefix(s.Plan[0], "write "+path)) {
			t.Errorf("the plan is %q", s.Plan)
		}
		if mend {
			p.until("mended", func(host.Status) bool { return p.machine.String() == after })
		} else {
			p.set(func(m *machine) { m.files[path] = "new\n" })
			p.until("in force", inState(host.InForce))
		}
		last := host.Vanished
		if mend {
			last = host.Mended
		}
		if got := p.told(); !slices.Equal(got, []string{host.Intends, host.Done, host.Drifted, last}) {
			t.Errorf("mend %v: the journal tells %q", mend, got)
		}
	}
}

func TestAlarmsAreToldWhenTheyBeginAndEnd(t *testing.T) {
	p := newPlace(t)
	if _, _, err := p.send(p.order(1, 0, true, want{Text: "smoke\n"})); err != nil {
		t.Fatal(err)
	}
	if s := p.until("in force", inState(host.InForce)); len(s.Alarms) != 1 {
		t.Errorf("%+v", s)
	}
	if _, _, err := p.send(p.order(2, 0, true, wanted)); err != nil {
		t.Fatal(err)
	}
	if got := p.told(); !slices.Contains(got, host.Alarmed) || got[len(got)-1] != host.Eased {
		t.Errorf("the journal tells %q", got)
	}
}

func TestOrdersWithoutProofAreRefused(t *testing.T) {
	p := newPlace(t)
	if _, _, err := p.send(p.order(5, 0, true, wanted)); err != nil {
		t.Fatal(err)
	}
	stranger := newPanel(t)
	good := p.order(6, 0, true, want{Text: "other\n"})
	for name, d := range map[string]agent.Delivery{
		"another log's proof":      stranger.order(6, 0, true, wanted),
		"a proof of another order": {Order: good.Order, Proof: p.order(7, 0, true, wanted).Proof, Key: p.key},
		"a record of a refusal":    {Order: good.Order, Proof: p.record(host.Digest(good.Order), ledger.Refused), Key: p.key},
		"no proof":                 {Order: good.Order, Key: p.key},
		"an old number":            p.order(5, 0, true, want{Text: "other\n"}),
		"an order that was rewritten": {Order: append(slices.Clone(good.Order), '\n'),
			Proof: p.prove(host.Digest(append(slices.Clone(good.Order), '\n'))), Key: p.key},
		"what the control refuses": p.order(6, 0, true, want{Text: "never\n"}),
		"fields nobody knows":      p.order(6, 0, true, map[string]string{"shell": "rm"}),
		"too long a time":          p.order(6, 100000, true, wanted),
	} {
		if _, _, err := p.send(d); err == nil || p.machine.String() != after {
			t.Errorf("%s: %v\n%s", name, err, p.machine)
		}
		if got := p.told(); len(got) > 0 && name != "an order that was rewritten" && name != "too long a time" && got[len(got)-1] != host.Refused {
			t.Errorf("%s: the journal tells %q", name, got)
		}
	}
	p.restart()
	if _, _, err := p.send(stranger.order(6, 0, true, wanted)); core.CodeOf(err) != core.Denied {
		t.Errorf("the pinned key is forgotten: %v", err)
	}
	p.kill()
	if err := agent.Pin(p.dir, stranger.key); err != nil {
		t.Fatal(err)
	}
	p.start()
	if _, _, err := p.send(stranger.order(6, 0, true, wanted)); err != nil {
		t.Errorf("root's own key is refused: %v", err)
	}
}

func TestWithAFullDiskNothingIsDone(t *testing.T) {
	p := newPlace(t)
	p.until("looked at", func(s host.Status) bool { return !s.Seen.IsZero() })
	folder := filepath.Join(p.dir, "controls")
	if err := errors.Join(os.RemoveAll(folder), os.WriteFile(folder, nil, 0o600)); err != nil {
		t.Fatal(err)
	}
	_, _, err := p.send(p.order(1, 0, true, wanted))
	if core.CodeOf(err) != core.Unavailable || p.machine.String() != before {
		t.Errorf("%v\n%s", err, p.machine)
	}
	if err := errors.Join(os.Remove(folder), os.Mkdir(folder, 0o700)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.send(p.order(1, 0, true, wanted)); err != nil || p.machine.String() != after {
		t.Errorf("with room again: %v\n%s", err, p.machine)
	}
}

func TestStepsPastWhatAControlOwnsAreRefused(t *testing.T) {
	owns := host.Owns{Files: []string{"/etc/a.conf"}, Folders: []string{"/etc/d"}, Tables: []string{"inet hostward"}, Commands: [][]string{{"/bin/true"}}}
	for _, s := range []host.Step{
		host.WriteFile{Path: "/etc/a.conf", Mode: 0o644}, host.RemoveFile{Path: "/etc/d/x"}, host.LoadTable{Family: "inet", Name: "hostward"}, host.Run{Args: []string{"/bin/true"}},
	} {
		if err := owns.Allows(s); err != nil {
			t.Errorf("%s: %v", s, err)
		}
	}
	for _, s := range []host.Step{
		host.WriteFile{Path: "/etc/b.conf", Mode: 0o644}, host.WriteFile{Path: "/etc/a.conf", Mode: 0o666}, host.WriteFile{Path: "/etc/a.conf", Mode: 0o4755},
		host.RemoveFile{Path: "/etc/d/../shadow"}, host.RemoveFile{Path: "/etc/d/.."}, host.RemoveFile{Path: "/etc/d/x/y"}, host.RemoveFile{Path: "/etc/d/"},
		host.LoadTable{Family: "ip", Name: "hostward"}, host.Run{Args: []string{"/bin/true", "x"}}, host.Run{},
	} {
		if owns.Allows(s) == nil {
			t.Errorf("%s is allowed", s)
		}
	}
}

func TestAJournalThatWasAlteredIsRefused(t *testing.T) {
	p := newPlace(t)
	if _, _, err := p.send(p.order(1, 0, true, wanted)); err != nil {
		t.Fatal(err)
	}
	p.kill()
	path := filepath.Join(p.dir, "journal")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.SplitAfter(string(whole), "\n")
	open := func(text string) error {
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		a, err := agent.Open(agent.Config{Dir: p.dir, Eyes: p.machine, Hands: p.machine})
		if err == nil {
			_ = a.Close()
		}
		return err
	}
	if open(strings.Join(append(slices.Clone(lines[:1]), lines[2:]...), "")) == nil {
		t.Error("a line may be taken out")
	}
	if open(strings.Replace(string(whole), "Done", "done", 1)+"{") != nil {
		t.Error("half a line at the end is not cut off")
	}
	if open(strings.Replace(string(whole), `"control":"thing"`, `"control":"thinG"`, 1)) == nil {
		t.Error("a line may be altered")
	}
}

func TestOverTheSocketItIsTheSame(t *testing.T) {
	p := newPlace(t)
	c := overSocket(t, p.a)
	if s, err := c.Accept(t.Context(), p.order(1, 60, true, wanted)); err != nil || s.State != host.Awaiting {
		t.Fatalf("%+v, %v", s, err)
	}
	if _, err := c.Confirm(t.Context(), "thing", 7); core.CodeOf(err) != core.Conflict {
		t.Errorf("%v", err)
	}
	if s, err := c.Revert(t.Context(), "thing", 1); err != nil || s.State != host.Idle {
		t.Errorf("%+v, %v", s, err)
	}
	plan, err := c.Plan(t.Context(), "thing", []byte(`{"text":"x\n","rules":""}`))
	if err != nil || len(plan.Steps) != 2 || !strings.HasPrefix(plan.Steps[0], "write") {
		t.Errorf("%+v, %v", plan, err)
	}
	if _, err := c.Plan(t.Context(), "thing", []byte(`{"text":"never"}`)); core.CodeOf(err) != core.Invalid {
		t.Errorf("%v", err)
	}
	if _, err := c.Look(t.Context(), "other"); core.CodeOf(err) != core.NotFound {
		t.Errorf("%v", err)
	}
	list, err := c.Statuses(t.Context())
	if err != nil || len(list) != 1 || list[0].Control != "thing" {
		t.Errorf("%+v, %v", list, err)
	}
	lines, err := c.Journal(t.Context(), 1, 2)
	if err != nil || len(lines) != 2 || lines[0].Seq != 2 || lines[1].Prev != lines[0].Hash {
		t.Errorf("%+v, %v", lines, err)
	}
	if _, err := c.Journal(t.Context(), 0, 1<<20); core.CodeOf(err) != core.Invalid {
		t.Errorf("%v", err)
	}
	ctx, stop := context.WithCancel(t.Context())
	stop()
	if _, err := c.Statuses(ctx); err == nil {
		t.Error("it answers who is gone")
	}
}

// What is kept is known before anybody looked, and when nobody can: else the panel
// brings its order again, which is refused, and nobody can confirm the one that waits.
func TestWhatIsKeptIsToldWithoutALook(t *testing.T) {
	p := newPlace(t)
	if _, _, err := p.send(p.order(1, 0, true, wanted)); err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.send(p.order(2, 600, true, want{Text: "other\n"})); err != nil {
		t.Fatal(err)
	}
	p.kill()
	p.set(func(m *machine) { m.blind = true })
	a, err := agent.Open(agent.Config{Dir: p.dir, Machines: []control.Machine{thing()}, Eyes: p.machine, Hands: p.machine, Boot: p.boot})
	if err != nil {
		t.Fatal(err)
	}
	list, err := a.Statuses(t.Context())
	if s := list[0]; err != nil || s.Highest != 2 || s.Waiting != 2 || s.Until.IsZero() || s.State != host.Awaiting {
		t.Errorf("before the first look: %+v, %v", s, err)
	}
	if err := a.Close(); err != nil {
		t.Fatal(err)
	}
	p.start()
	if s := p.until("blind", inState(host.Failed)); s.Highest != 2 || s.Waiting != 2 {
		t.Errorf("blind: %+v", s)
	}
	if s, err := p.a.Confirm(t.Context(), "thing", 2); err != nil || s.Order != 2 || s.Waiting != 0 {
		t.Errorf("confirmed while blind: %+v, %v", s, err)
	}
}

// The panel takes entries only whole: one that it refuses would silence the journal.
func TestARefusedOrderNamesNoControlThatThereIsNot(t *testing.T) {
	p := newPlace(t)
	raw, err := host.Order{Control: strings.Repeat("thing", 100), Number: 1}.Bytes()
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.send(agent.Delivery{Order: raw}); core.CodeOf(err) != core.Denied {
		t.Errorf("%v", err)
	}
	lines, err := p.a.Journal(t.Context(), 0, 100)
	if last := lines[len(lines)-1]; err != nil || last.What != host.Refused || last.Control != "" || last.Digest != host.Digest(raw) {
		t.Errorf("%+v, %v", last, err)
	}
}

func TestWhoAsksMayGoBeforeDriftIsMended(t *testing.T) {
	p := newPlace(t)
	if _, _, err := p.send(p.order(1, 0, true, wanted)); err != nil {
		t.Fatal(err)
	}
	gone, stop := context.WithCancel(t.Context())
	p.set(func(m *machine) {
		m.loaded = "somebody's"
		m.fault = func(int, host.Step) fault { stop(); return fault{} }
	})
	if s, err := p.a.Look(gone, "thing"); err != nil || s.State != host.InForce {
		t.Errorf("%+v, %v", s, err)
	}
	if slices.Contains(p.told(), host.Blind) {
		t.Errorf("the journal tells %q", p.told())
	}
}

func TestWhatCouldNotBeBroughtBackIsNotChanged(t *testing.T) {
	p := newPlace(t)
	p.set(func(m *machine) { m.mode = 0o664 })
	if _, _, err := p.send(p.order(1, 60, true, wanted)); err == nil || !strings.Contains(err.Error(), "others may write") || p.machine.String() != before {
		t.Errorf("%v\n%s", err, p.machine)
	}
}

func TestWithoutItsIntentOnPaperNothingIsDone(t *testing.T) {
	p := newPlace(t)
	if _, _, err := p.send(p.order(1, 0, true, wanted)); err != nil {
		t.Fatal(err)
	}
	agent.BreakJournal(p.a)
	s, _, _ := p.send(p.order(2, 0, true, want{Text: "other\n"}))
	if p.machine.String() != after || s.Order != 1 || !strings.Contains(s.Undone, "journal") {
		t.Errorf("%+v\n%s", s, p.machine)
	}
}

// A line that somebody altered meanwhile stays where it is, to be found.
func TestNothingIsWrittenOverAnAlteredLine(t *testing.T) {
	p := newPlace(t)
	if _, _, err := p.send(p.order(1, 0, true, wanted)); err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(p.dir, "journal")
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	altered := strings.Replace(string(whole), `"control":"thing"`, `"control":"thinG"`, 1)
	if err := os.WriteFile(path, []byte(altered), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := p.a.Journal(t.Context(), 0, 100); err == nil {
		t.Error("an altered line is not found")
	}
	if _, _, err := p.send(p.order(1, 0, true, wanted)); err == nil {
		t.Fatal("an old number is taken")
	}
	if now, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(now), altered) || len(now) == len(altered) {
		t.Errorf("%v: the journal was\n%s\nand is\n%s", err, altered, now)
	}
}

// A boot in which nothing can be seen at first is still one: what holds is brought into
// force when it can, though its drift is not to be mended.
func TestABlindLookAfterABootIsNotTheLast(t *testing.T) {
	p := newPlace(t)
	if _, _, err := p.send(p.order(1, 0, false, wanted)); err != nil {
		t.Fatal(err)
	}
	p.kill()
	p.set(func(m *machine) { m.id, m.loaded, m.blind = "boot-2", "nothing yet", true })
	p.start()
	p.until("blind", inState(host.Failed))
	p.set(func(m *machine) { m.blind = false })
	p.until("in force", inState(host.InForce))
}

// A program that cannot be started, and could not before, holds nothing up for ever.
func TestANewerOrderEndsAnUndoingThatCannotEnd(t *testing.T) {
	p := newPlace(t)
	broken := func(_ int, s host.Step) fault {
		if _, ok := s.(host.Run); ok && p.files[path] != wanted.Text {
			return fault{undone: true, err: errors.New("it does not start")}
		}
		return fault{}
	}
	p.set(func(m *machine) { m.fault = broken })
	if s, _, err := p.send(p.order(1, 0, true, want{Text: "bad\n"})); err != nil || s.Order != 0 {
		t.Fatalf("%+v, %v", s, err)
	}
	p.until("failed", inState(host.Failed))
	if s, _, err := p.send(p.order(2, 0, true, wanted)); err != nil || s.State != host.InForce || p.machine.String() != after {
		t.Errorf("%+v, %v\n%s", s, err, p.machine)
	}
}

// What cannot be taken now is brought again every few seconds, and told once.
func TestAnOrderThatCannotBeTakenIsToldOnce(t *testing.T) {
	p := newPlace(t)
	p.set(func(m *machine) { m.blind = true })
	refusals := 0
	for range 5 {
		if _, _, err := p.send(p.order(1, 0, true, wanted)); core.CodeOf(err) != core.Unavailable {
			t.Fatal(err)
		}
	}
	for _, what := range p.told() {
		if what == host.Refused {
			refusals++
		}
	}
	if refusals != 1 {
		t.Errorf("it is told %d times", refusals)
	}
}

// One alarm that takes the place of another is told; the same with other figures is not.
func TestAnotherAlarmIsTold(t *testing.T) {
	p := newPlace(t)
	count := func() (n int) {
		for _, what := range p.told() {
			if what == host.Alarmed {
				n++
			}
		}
		return n
	}
	for _, c := range []struct {
		text string
		want int
	}{{"smoke\n", 1}, {"more smoke\n", 1}, {"fire\n", 2}} {
		p.set(func(m *machine) { m.loaded = c.text })
		if _, err := p.a.Look(t.Context(), "thing"); err != nil {
			t.Fatal(err)
		}
		if got := count(); got != c.want {
			t.Errorf("after %q it is told %d times, not %d", c.text, got, c.want)
		}
	}
}
