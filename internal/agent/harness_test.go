package agent_test

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"hostward/internal/agent"
	"hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/ledger"
)

// machine is a fake that prints itself: files, tables, and a program that reads its
// file when it is told to.
type machine struct {
	mu     sync.Mutex
	files  map[string]string
	tables map[string]string
	loaded string // what the program read last
	calls  int
	fault  func(call int, s host.Step) fault
	blind  bool          // the program cannot be asked
	mode   fs.FileMode   // of files that are there; 0: 0644
	died   chan struct{} // closed when the agent died

	id string
	up time.Duration
}

// fault is what goes wrong with a call of Do.
type fault struct {
	undone bool // it is not done
	err    error
	crash  bool // the agent dies, before or after it is done
}

const (
	old    = "old \xe9\n" // Latin-1: what is brought back need be no UTF-8
	path   = "/etc/thing/hostward.conf"
	reload = "/usr/sbin/thing"
)

func newMachine() *machine {
	return &machine{files: map[string]string{path: old}, tables: map[string]string{}, loaded: old, id: "boot-1", up: time.Hour}
}

func (m *machine) Do(_ context.Context, s host.Step) error {
	m.mu.Lock()
	var f fault
	m.calls++
	if m.fault != nil {
		f = m.fault(m.calls, s)
	}
	if !f.undone {
		switch s := s.(type) {
		case host.WriteFile:
			m.files[s.Path] = s.Content
		case host.RemoveFile:
			delete(m.files, s.Path)
		case host.LoadTable:
			m.tables[s.Name] = s.Rules
			if s.Rules == "" {
				delete(m.tables, s.Name)
			}
		case host.Run:
			m.loaded = m.files[path]
		}
	}
	if f.crash {
		died := m.died
		m.mu.Unlock()
		close(died)
		select {} // as in a killed process, nothing of it runs any more
	}
	m.mu.Unlock()
	return f.err
}

func (m *machine) Undo(_ context.Context, s host.Step) (host.Step, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	file := func(path string) host.Step {
		if text, ok := m.files[path]; ok {
			return host.WriteFile{Path: path, Mode: cmp.Or(m.mode, 0o644), Content: text}
		}
		return host.RemoveFile{Path: path}
	}
	switch s := s.(type) {
	case host.WriteFile:
		return file(s.Path), nil
	case host.RemoveFile:
		return file(s.Path), nil
	case host.LoadTable:
		return host.LoadTable{Family: s.Family, Name: s.Name, Rules: m.tables[s.Name]}, nil
	}
	return nil, nil
}

func (m *machine) ReadFile(path string) ([]byte, bool, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	text, ok := m.files[path]
	return []byte(text), ok, nil
}
func (m *machine) Glob(string) ([]string, error)                      { return nil, nil }
func (m *machine) Find(string, []string, int) ([]string, bool, error) { return nil, true, nil }
func (m *machine) Output(ctx context.Context, _ ...string) ([]byte, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if m.blind || ctx.Err() != nil {
		return nil, errors.Join(errors.New("the program does not answer"), ctx.Err())
	}
	return []byte(m.loaded), nil
}
func (m *machine) Table(_ context.Context, _, name, rules string) (string, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if rules != "" {
		return rules, nil
	}
	return m.tables[name], nil
}
func (m *machine) Now() time.Time { return time.Now() }

func (m *machine) boot() (string, time.Duration, error) {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.id, m.up, nil
}

// set changes the machine as somebody else would.
func (m *machine) set(f func(*machine)) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f(m)
}

func (m *machine) String() string {
	m.mu.Lock()
	defer m.mu.Unlock()
	var b strings.Builder
	for _, p := range slices.Sorted(maps.Keys(m.files)) {
		fmt.Fprintf(&b, "%s: %q\n", p, m.files[p])
	}
	for _, p := range slices.Sorted(maps.Keys(m.tables)) {
		fmt.Fprintf(&b, "table %s: %q\n", p, m.tables[p])
	}
	fmt.Fprintf(&b, "loaded: %q\n", m.loaded)
	return b.String()
}

// want and have are the words of the control in these tests.
type want struct {
	Text  string `json:"text"`
	Rules string `json:"rules"`
}

type have struct{ File, Loaded, Table string }

func thing() control.Machine {
	return control.Of(control.Spec[want, have]{Name: "thing", Title: "Thing", Lockout: true,
		Owns: host.Owns{Files: []string{path}, Tables: []string{"inet thing"}, Commands: [][]string{{reload, "reload"}}},
		Validate: func(w want) error {
			if strings.Contains(w.Text, "never") {
				return core.Errorf(core.Invalid, "the text must not say never")
			}
			return nil
		},
		Observe: func(ctx context.Context, eyes host.Eyes, _ *want) (h have, err error) {
			text, _, err := eyes.ReadFile(path)
			loaded, err2 := eyes.Output(ctx, reload, "show")
			table, err3 := eyes.Table(ctx, "inet", "thing", "")
			return have{string(text), string(loaded), table}, errors.Join(err, err2, err3)
		},
		Plan: func(w *want, h have) (steps []host.Step) {
			if w == nil {
				w = &want{Text: old}
			}
			if h.Table != w.Rules {
				steps = append(steps, host.LoadTable{Family: "inet", Name: "thing", Rules: w.Rules})
			}
			if h.File != w.Text {
				steps = append(steps, host.WriteFile{Path: path, Mode: 0o644, Content: w.Text})
			}
			if h.Loaded != w.Text {
				steps = append(steps, host.Run{Args: []string{reload, "reload"}})
			}
			return steps
		},
		Alarms: func(_ *want, h have) []string {
			if strings.Contains(h.Loaded, "smoke") {
				return []string{fmt.Sprintf("there is smoke, %d octets of it", len(h.Loaded))}
			}
			if strings.Contains(h.Loaded, "fire") {
				return []string{"there is fire"}
			}
			return nil
		}})
}

// panel makes orders with proofs, as a log would.
type panel struct {
	t      *testing.T
	signer note.Signer
	key    string
}

func newPanel(t *testing.T) *panel {
	t.Helper()
	private, public, err := note.GenerateKey(rand.Reader, "panel.example/log")
	if err != nil {
		t.Fatal(err)
	}
	s, err := note.NewSigner(private)
	if err != nil {
		t.Fatal(err)
	}
	return &panel{t, s, public}
}

func (p *panel) order(number uint64, confirm int, mend bool, desired any) agent.Delivery {
	p.t.Helper()
	o := host.Order{Control: "thing", Number: number, Confirm: confirm, Mend: mend}
	if desired != nil {
		b, err := json.Marshal(desired)
		if err != nil {
			p.t.Fatal(err)
		}
		o.Desired = b
	}
	raw, err := o.Bytes()
	if err != nil {
		p.t.Fatal(err)
	}
	return agent.Delivery{Order: raw, Proof: p.prove(host.Digest(raw)), Key: p.key}
}

// prove seals one record that holds a state of control:thing.
func (p *panel) prove(state string) []byte {
	p.t.Helper()
	return p.record(state, ledger.Done)
}

func (p *panel) record(state string, outcome ledger.Outcome) []byte {
	p.t.Helper()
	ref := core.Ref{Kind: "control", ID: "thing"}
	l := ledger.Leaf{ID: "rec_1", Time: time.Now().UnixMilli(), Action: "control.apply", Class: "panel", Door: "web", Actor: ledger.Party{Kind: "account", ID: "a_1"}, Object: ref, Tenant: core.Provider,
		Outcome: outcome, Events: []ledger.Fact{{Name: "control.ordered", Object: ref}},
		Objects: []ledger.Link{{Object: ref, Tenant: core.Provider, N: 1, State: state}}, Tenants: []ledger.TenantLink{{ID: core.Provider, N: 1}}}
	leaf := l.AppendJSON(nil)
	n, err := note.Sign(&note.Note{Text: ledger.FormatCheckpoint("panel.example/log", ledger.Tree{Epoch: 1, Size: 1, Root: ledger.LeafHash(leaf)})}, p.signer)
	if err != nil {
		p.t.Fatal(err)
	}
	return ledger.FormatProof(ledger.Proof{Leaf: leaf, Note: n})
}

// place is an agent's folder with the machine it cares for.
type place struct {
	t *testing.T
	*machine
	*panel
	dir  string
	a    *agent.Agent
	stop func()
}

func newPlace(t *testing.T) *place {
	t.Helper()
	p := &place{t: t, machine: newMachine(), panel: newPanel(t), dir: t.TempDir()}
	p.start()
	t.Cleanup(func() { p.kill() })
	p.until("looked at", inState(host.Idle))
	return p
}

// start opens the agent and lets it work.
func (p *place) start() {
	p.t.Helper()
	a, err := agent.Open(agent.Config{Dir: p.dir, Machines: []control.Machine{thing()}, Eyes: p.machine, Hands: p.machine, Boot: p.boot, Every: 20 * time.Millisecond})
	if err != nil {
		p.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended, died := make(chan struct{}), make(chan struct{})
	p.set(func(m *machine) { m.died = died })
	go func() { a.Run(ctx); close(ended) }()
	p.a = a
	p.stop = func() {
		cancel()
		select {
		case <-ended:
		case <-died:
		}
		_ = a.Close()
	}
}

func (p *place) kill() {
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
}

// restart is a new process on the same folder.
func (p *place) restart() {
	p.t.Helper()
	p.kill()
	p.start()
}

// send hands an order over; the agent may die of it.
func (p *place) send(d agent.Delivery) (s host.Status, crashed bool, err error) {
	p.t.Helper()
	done := make(chan struct{})
	go func() { defer close(done); s, err = p.a.Accept(context.Background(), d) }()
	select {
	case <-done:
		return s, false, err
	case <-p.died:
		return host.Status{}, true, nil
	}
}

// until waits for a state of the control.
func (p *place) until(what string, ok func(host.Status) bool) host.Status {
	p.t.Helper()
	var s host.Status
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		list, err := p.a.Statuses(p.t.Context())
		if err != nil {
			p.t.Fatal(err)
		}
		if s = list[0]; ok(s) {
			return s
		}
	}
	p.t.Fatalf("it never was %s: %+v\n%s", what, s, p.machine)
	return s
}

func inState(state string) func(host.Status) bool {
	return func(s host.Status) bool { return s.State == state && !s.Seen.IsZero() }
}

// told returns what the journal tells of the control, word by word.
func (p *place) told() []string {
	p.t.Helper()
	lines, err := p.a.Journal(p.t.Context(), 0, 10000)
	if err != nil {
		p.t.Fatal(err)
	}
	var words []string
	for _, l := range lines {
		if l.Control != "" {
			words = append(words, l.What)
		}
	}
	return words
}
