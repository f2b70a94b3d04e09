package clock

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"os"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/note"

	"hostward/internal/agent"
	"hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/host/hands"
	"hostward/internal/ledger"
)

// held is a machine whose clock an agent keeps.
type held struct {
	*machine
	agent  *agent.Agent
	signer note.Signer
	key    string
	number uint64
}

func newHeld(t *testing.T) *held {
	t.Helper()
	h := &held{machine: newMachine(t)}
	private, public, err := note.GenerateKey(rand.Reader, "panel.example/log")
	if err == nil {
		h.signer, err = note.NewSigner(private)
	}
	if err == nil {
		h.key = public
		h.agent, err = agent.Open(agent.Config{Dir: h.made("/run/hostward"), Machines: []control.Machine{h.control}, Eyes: hands.Machine{}, Hands: hands.Machine{}, Every: 100 * time.Millisecond})
	}
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { h.agent.Run(ctx); close(ended) }()
	t.Cleanup(func() { cancel(); <-ended; _ = h.agent.Close() })
	return h
}

// order orders what the clock should go by, with the proof that a log has it.
func (h *held) order(want *Desired) host.Status {
	h.Helper()
	h.number++
	o := host.Order{Control: "clock", Number: h.number, Mend: true}
	if want != nil {
		o.Desired = must(h.T, want)
	}
	raw, err := o.Bytes()
	if err != nil {
		h.Fatal(err)
	}
	ref := core.Ref{Kind: "control", ID: "clock"}
	l := ledger.Leaf{ID: "rec_1", Time: time.Now().UnixMilli(), Action: "control.apply", Class: "panel", Door: "web", Actor: ledger.Party{Kind: "account", ID: "a_1"}, Object: ref, Tenant: core.Provider,
		Outcome: ledger.Done, Events: []ledger.Fact{{Name: "control.ordered", Object: ref}},
		Objects: []ledger.Link{{Object: ref, Tenant: core.Provider, N: 1, State: host.Digest(raw)}}, Tenants: []ledger.TenantLink{{ID: core.Provider, N: 1}}}
	leaf := l.AppendJSON(nil)
	n, err := note.Sign(&note.Note{Text: ledger.FormatCheckpoint("panel.example/log", ledger.Tree{Epoch: 1, Size: 1, Root: ledger.LeafHash(leaf)})}, h.signer)
	if err != nil {
		h.Fatal(err)
	}
	s, err := h.agent.Accept(h.Context(), agent.Delivery{Order: raw, Proof: ledger.FormatProof(ledger.Proof{Leaf: leaf, Note: n}), Key: h.key})
	if err != nil {
		h.Fatal(err)
	}
	return s
}

func (h *held) is(what string, ok func(host.Status, Observed) bool) {
	h.Helper()
	var s host.Status
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		list, err := h.agent.Statuses(h.Context())
		if err != nil {
			h.Fatal(err)
		}
		s = list[0]
		if o := Read(s); o != nil && ok(s, *o) {
			return
		}
	}
	out, _ := json.Marshal(s)
	h.Fatalf("in vain: %s: %s", what, out)
}

// TestTheAgentKeepsTheClock hands orders to a real agent with a real chronyd.
func TestTheAgentKeepsTheClock(t *testing.T) {
	if !place(t) {
		return
	}
	h := newHeld(t)
	h.serve("10.1.0.1")
	h.serve("10.1.0.2")
	h.run("service", "chrony", "start")
	d := at("one.test")
	if s := h.order(&d); s.State != host.InForce || s.Fault != "" {
		t.Fatalf("after the order it is %+v", s)
	}
	h.is("it follows the source", func(s host.Status, o Observed) bool { return o.Following && s.State == host.InForce })
	h.run("rm", SettingsPath)
	h.run("chronyc", "delete", "one.test")
	h.run("kill", strings.TrimSpace(h.run("cat", pidPath)))
	h.is("what somebody did is set right", func(s host.Status, o Observed) bool {
		return s.State == host.InForce && o.Running && o.Files[SettingsPath] == d.settingsText() && source(o, "one.test").Ours()
	})

	h.edit("/etc/chrony/chrony.conf", "rtcsync", "rtcsync\nno such directive") // with which chronyd does not start
	e := at("two.test")
	e.MinSources, e.Bound = 1, 7
	e.StepAbove = 2500
	if s := h.order(&e); s.State == host.InForce && s.Order == h.number {
		t.Fatalf("though chronyd does not start it is %+v", s)
	}
	h.edit("/etc/chrony/chrony.conf", "no such directive", "")
	h.is("what was before is there again", func(s host.Status, o Observed) bool {
		return s.State == host.InForce && s.Order == 1 && s.Undone != "" && o.Running && o.Files[SourcesPath] == d.sourcesText() && o.Files[SettingsPath] == d.settingsText()
	})
	if s := h.order(&e); s.State != host.InForce {
		t.Errorf("once more it is %+v", s)
	}
	if s := h.order(nil); s.State != host.Idle {
		t.Errorf("let go, it is %+v", s)
	}
	if _, err := os.Stat(SourcesPath); !os.IsNotExist(err) {
		t.Errorf("let go, the file is there: %v", err)
	}
	h.is("it is the machine's own again", func(s host.Status, o Observed) bool {
		return o.Running && len(o.Sources) == 1 && s.State == host.Idle
	})
}
