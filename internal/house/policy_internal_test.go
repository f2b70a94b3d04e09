package house

import (
	"context"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/actionlog"
	"hostward/internal/feature/job"
	"hostward/internal/feature/policy"
)

// openAt opens a house on a folder that may have been used before.
func openAt(t *testing.T, dir string) *House {
	t.Helper()
	h, err := Open(t.Context(), Config{Data: dir, Config: filepath.Join(dir, "etc"), Offline: true})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func writePolicy(t *testing.T, dir, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Join(dir, "etc"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "etc", "panel.ini"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func until(t *testing.T, what string, ok func() bool) {
	t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !ok(); time.Sleep(20 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("in vain: %s", what)
		}
	}
}

// adopted returns the records of what panel.ini said, newest first.
func adopted(t *testing.T, h *House) []actionlog.Record {
	t.Helper()
	return do[actionlog.Listed](t, h, "log.list", map[string]any{"action": []string{"policy.adopt"}}).Records
}

func TestAnEditedPolicyIsAdoptedOnRecordAlsoAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	writePolicy(t, dir, "; ours\n[actionLog]\nnis2compliant = true\n")
	h := openAt(t, dir)
	if !h.policy.current().NIS2 {
		t.Fatal("the NIS2 mode is not in force")
	}
	writePolicy(t, dir, "; ours\n[actionLog]\nnis2compliant = true\n[api]\nallowedIPs = 192.0.2.1, 2001:db8::/32\n")
	outside := netip.MustParseAddr("198.51.100.1")
	until(t, "the API is closed to others", func() bool { return h.policy.current().API(outside) != nil })
	if err := h.policy.current().API(netip.MustParseAddr("::ffff:192.0.2.1")); err != nil {
		t.Errorf("an allowed address in its mapped form is refused: %v", err)
	}
	first := adopted(t, h)[0].Events[0].Fields
	if len(first) != 1 || first[0].Name != "[api] allowedIPs" || *first[0].Old != "everyone" {
		t.Errorf("the record does not tell old and new: %+v", first)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	writePolicy(t, dir, "; ours\n[actionLog]\nnis2compliant = false\n") // while nobody looks
	h = openAt(t, dir)
	until(t, "the mode ends", func() bool { return !h.policy.current().NIS2 })
	last := adopted(t, h)[0]
	if len(last.Events[0].Fields) != 2 || last.State == "committed" {
		t.Errorf("switching the mode off while stopped is not sealed with old and new: %+v", last)
	}
}

func TestABrokenPolicyKeepsTheLastGoodOneAndSaysSo(t *testing.T) {
	dir := t.TempDir()
	writePolicy(t, dir, "[api]\nenabled = off\n")
	h := openAt(t, dir)
	writePolicy(t, dir, "[api]\nenabled = perhaps\n")
	until(t, "the fault is shown", func() bool { return len(do[policy.Shown](t, h, "policy.show", nil).State.Faults) > 0 })
	s := do[policy.Shown](t, h, "policy.show", nil).State
	if s.Source != "last-good" || s.Values["[api] enabled"] != "off" || !strings.Contains(s.Faults[0], "perhaps") {
		t.Errorf("%+v", s)
	}
}

func TestThePanelEditsOneValueAndLeavesTheRestAlone(t *testing.T) {
	dir := t.TempDir()
	const before = "; a comment\n[api]\n  enabled = on ; why not\n[unknown]\nkey[] = x\n"
	writePolicy(t, dir, before)
	h := openAt(t, dir)
	in := []byte(`{"name":"[api] enabled","value":"off"}`)
	r, err := h.Bus.Do(t.Context(), act.Call{Op: "policy.set", Actor: root, Input: in})
	if err != nil || r.State != act.InForce {
		t.Fatal(r.State, err)
	}
	b, err := os.ReadFile(filepath.Join(dir, "etc", "panel.ini"))
	if want := strings.Replace(before, "= on", "= off", 1); err != nil || string(b) != want {
		t.Errorf("the file is now %q, want %q", b, want)
	}
	if h.policy.current().APIEnabled {
		t.Error("answered in force, and it is not")
	}
	in = []byte(`{"name":"[actionLog] nis2compliant","value":"off"}`)
	if _, err := h.Bus.Do(t.Context(), act.Call{Op: "policy.set", Actor: root, Input: in}); core.CodeOf(err) != core.Denied {
		t.Errorf("the panel may switch the NIS2 mode: %v", err)
	}
}

func TestAJobThatAStopCutOffIsMarkedAtTheNextStart(t *testing.T) {
	dir := t.TempDir()
	h := openAt(t, dir)
	id, _, err := h.features.jobs.Begin(t.Context(), h.Bus, root, "log.check", core.Provider)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	h = openAt(t, dir)
	if err := h.checkLog(context.Background()); err != nil {
		t.Fatal(err)
	}
	if j := do[job.Job](t, h, "job.show", map[string]any{"job": id}); j.State != job.Interrupted {
		t.Errorf("the job is %s", j.State)
	}
	until(t, "the check of the start ends", func() bool {
		for _, j := range do[job.List](t, h, "job.list", nil).Jobs {
			if j.Op == "log.check" && j.ID != id && j.State == job.Done && strings.Contains(j.Summary, "Nothing was changed") {
				return true
			}
		}
		return false
	})
}
