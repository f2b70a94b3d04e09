package control_test

import (
	"context"
	"errors"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/act/acttest"
	"hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/rr"
	"hostward/internal/store/storetest"
)

// machine is a fake that prints itself: one line for each object in effect.
type machine struct {
	mu    sync.Mutex
	have  map[core.Ref]uint64
	fault func(step host.Step) (done bool, err error) // nil: every step works
}

func (m *machine) Do(_ context.Context, steps []host.Step) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, s := range steps {
		done, err := true, error(nil)
		if m.fault != nil {
			done, err = m.fault(s)
		}
		if z, ok := s.(host.SetZone); ok && done {
			m.have[z.Zone] = z.Version
		}
		if z, ok := s.(host.DropZone); ok && done {
			delete(m.have, z.Zone)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (m *machine) Version(_ context.Context, o core.Ref) (uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.have[o], nil
}

func (m *machine) Versions(context.Context) (map[core.Ref]uint64, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return maps.Clone(m.have), nil
}

func (m *machine) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var lines []string
	for o, v := range m.have {
		lines = append(lines, host.SetZone{Zone: o, Name: rr.Name(o.ID), Version: v}.String())
	}
	slices.Sort(lines)
	return strings.Join(lines, "\n")
}

// wish is what the database would say should be.
type wish struct {
	mu   sync.Mutex
	want map[core.Ref]uint64
}

func (w *wish) set(id string, version uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.want[zone(id)] = version
}

func zone(id string) core.Ref { return core.Ref{Kind: "zone", ID: id} }

func (w *wish) control() control.Control {
	return control.Control{Name: "nameserver", Kind: "zone",
		Desired: func(context.Context, *act.View) (map[core.Ref]uint64, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			return maps.Clone(w.want), nil
		},
		Plan: func(_ context.Context, _ *act.View, o core.Ref, have uint64) ([]host.Step, error) {
			w.mu.Lock()
			defer w.mu.Unlock()
			switch want, ok := w.want[o]; {
			case !ok && have > 0:
				return []host.Step{host.DropZone{Zone: o, Name: rr.Name(o.ID)}}, nil
			case ok && want != have:
				return []host.Step{host.SetZone{Zone: o, Name: rr.Name(o.ID), Version: want, Full: true}}, nil
			}
			return nil, nil
		}}
}

// start runs an engine on a bus without operations.
func start(t *testing.T, w *wish, m *machine, report func(control.Verdict)) *control.Engine {
	t.Helper()
	bus := acttest.Open(t, storetest.SQLite(t), core.SystemClock)
	e := control.NewEngine(slog.New(slog.DiscardHandler), 50*time.Millisecond, func(_ context.Context, v control.Verdict) { report(v) },
		control.Bound{Control: w.control(), Followed: m, Follower: m})
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan struct{})
	go func() { e.Run(ctx, bus); close(ended) }()
	t.Cleanup(func() { stop(); <-ended })
	return e
}

func wait(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); !ok(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

func TestTheMachineBecomesWhatIsWished(t *testing.T) {
	w := &wish{want: map[core.Ref]uint64{zone("a."): 1, zone("b."): 7}}
	m := &machine{have: map[core.Ref]uint64{zone("gone."): 3}} // left from before
	e := start(t, w, m, func(control.Verdict) {})
	want := "serve zone a. version 1: 0 RRsets changed\nserve zone b. version 7: 0 RRsets changed"
	wait(t, "the start brings all into force", func() bool { return m.String() == want })
	w.set("a.", 2)
	if state := e.Wake(t.Context(), "nameserver", []core.Ref{zone("a.")}); state != act.InForce {
		t.Errorf("the wake answered %q", state)
	}
	if v, _ := m.Version(t.Context(), zone("a.")); v != 2 {
		t.Errorf("answered in force with version %d", v)
	}
}

func TestDriftIsFoundMendedAndReported(t *testing.T) {
	w := &wish{want: map[core.Ref]uint64{zone("a."): 4}}
	m := &machine{have: map[core.Ref]uint64{}}
	drift := make(chan control.Verdict, 100)
	start(t, w, m, func(v control.Verdict) {
		if v.Drift {
			drift <- v
		}
	})
	wait(t, "in force", func() bool { v, _ := m.Version(t.Context(), zone("a.")); return v == 4 })
	m.mu.Lock()
	m.have[zone("a.")] = 9 // somebody's hand
	m.mu.Unlock()
	v := <-drift
	if v.State != act.InForce || len(v.Objects) != 1 || v.Objects[0] != zone("a.") {
		t.Errorf("%+v", v)
	}
	if have, _ := m.Version(t.Context(), zone("a.")); have != 4 {
		t.Errorf("not mended: version %d", have)
	}
}

// Each effect fails in both ways; whatever the hands say, the verdict is what
// the eyes see afterwards, and the next look ends in force.
func TestTheVerdictComesFromLookingNotFromTheHands(t *testing.T) {
	for name, c := range map[string]struct {
		done  bool
		state string
	}{"failed, not done": {false, act.Drift}, "failed, but done": {true, act.InForce}} {
		t.Run(name, func(t *testing.T) {
			w := &wish{want: map[core.Ref]uint64{zone("a."): 1}}
			m := &machine{have: map[core.Ref]uint64{}}
			e := start(t, w, m, func(control.Verdict) {})
			wait(t, "in force", func() bool { v, _ := m.Version(t.Context(), zone("a.")); return v == 1 })
			m.mu.Lock()
			m.fault = func(host.Step) (bool, error) { return c.done, errors.New("the hands slipped") }
			m.mu.Unlock()
			w.set("a.", 2)
			if state := e.Wake(t.Context(), "nameserver", []core.Ref{zone("a.")}); state != c.state {
				t.Errorf("the wake answered %q", state)
			}
			m.mu.Lock()
			m.fault = nil
			m.mu.Unlock()
			wait(t, "the next look ends in force", func() bool {
				v, _ := m.Version(t.Context(), zone("a."))
				return v == 2 && e.States()["nameserver"].State == act.InForce
			})
		})
	}
}

func TestAnUnknownControlIsPending(t *testing.T) {
	e := control.NewEngine(slog.New(slog.DiscardHandler), time.Hour, nil)
	if state := e.Wake(t.Context(), "firewall", nil); state != act.Pending {
		t.Errorf("answered %q", state)
	}
}
