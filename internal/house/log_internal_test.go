package house

import (
	"context"
	"encoding/json"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/actionlog"
	"hostward/internal/ledger"
)

// testHouse opens a house on SQLite whose clock can be moved.
func testHouse(t *testing.T) (h *House, move func(time.Duration)) {
	t.Helper()
	var moved time.Duration
	dir := t.TempDir()
	h, err := Open(t.Context(), Config{Data: dir, Config: filepath.Join(dir, "etc"), Offline: true,
		Clock: func() time.Time { return core.SystemClock().Add(moved) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Error(err)
		}
	})
	return h, func(d time.Duration) { moved += d }
}

var root = act.Actor{Kind: "os", ID: "uid:0", Name: "root for anna", Role: act.Primary, Tenant: core.Provider, Door: "cli", Address: "192.0.2.44"}

func do[O any](t *testing.T, h *House, op string, in any) O {
	t.Helper()
	raw, err := json.Marshal(in)
	if err != nil {
		t.Fatal(err)
	}
	r, err := h.Bus.Do(context.Background(), act.Call{Op: op, Actor: root, Input: raw, Confirmed: true})
	if err != nil {
		t.Fatalf("%s: %v", op, err)
	}
	out, ok := r.Output.(O)
	if !ok {
		t.Fatalf("%s answered %T", op, r.Output)
	}
	return out
}

func TestCompletenessIsProvedByASealedHeadsRecord(t *testing.T) {
	h, _ := testHouse(t)
	hold := do[actionlog.Hold](t, h, "log.hold.add", map[string]any{"why": "to have an object"})
	c := do[actionlog.Completeness](t, h, "log.complete", map[string]any{"object": "hold:" + hold.ID})
	if !strings.Contains(c.Line, hold.ID) || !strings.Contains(c.Line, `"n":1`) {
		t.Fatalf("the line is about something else: %s", c.Line)
	}
	leaf, _, _, err := ledger.CheckProof([]byte(c.Proof.File), nil, c.Proof.Key, nil)
	if err != nil {
		t.Fatalf("the heads record is not proved: %v", err)
	}
	if got := *leaf.Events[0].Fields[0].New; got != c.Root {
		t.Fatalf("the sealed root is %s, the proof leads to %s", got, c.Root)
	}
	if err := follow(t, c); err != nil {
		t.Error(err)
	}
	c.Line = strings.Replace(c.Line, `"n":1`, `"n":2`, 1)
	if err := follow(t, c); err == nil {
		t.Error("a false line passes too")
	}
}

// follow checks a proof from its text alone, as an outsider would.
func follow(t *testing.T, c actionlog.Completeness) error {
	t.Helper()
	p := ledger.HeadProof{Index: c.Index, Size: c.Size, Inner: hashes(t, c.Inner), Outer: hashes(t, c.Outer)}
	if err := json.Unmarshal([]byte(c.Line), &struct {
		Kind  *string `json:"kind"`
		ID    *string `json:"id"`
		Owner *string `json:"owner"`
		N     *uint64 `json:"n"`
		Leaf  *string `json:"leaf"`
		State *string `json:"state"`
	}{&p.Line.Object.Kind, &p.Line.Object.ID, &p.Line.Tenant, &p.Line.N, &p.Line.Leaf, &p.Line.State}); err != nil {
		t.Fatal(err)
	}
	var want tlog.Hash
	for i := range want {
		want[i] = unhex(c.Root[2*i])<<4 | unhex(c.Root[2*i+1])
	}
	return p.Check(want)
}

func unhex(c byte) byte { return byte(strings.IndexByte("0123456789abcdef", c)) }

func hashes(t *testing.T, texts []string) []tlog.Hash {
	t.Helper()
	out := make([]tlog.Hash, len(texts))
	for i, s := range texts {
		h, err := tlog.ParseHash(s)
		if err != nil {
			t.Fatal(err)
		}
		out[i] = h
	}
	return out
}

func TestAHoldStopsErasureAndItsEndLetsItGoOn(t *testing.T) {
	h, move := testHouse(t)
	hold := do[actionlog.Hold](t, h, "log.hold.add", map[string]any{"why": "case 12"})
	for range 600 { // values go by blocks of 256 records
		do[actionlog.Listed](t, h, "log.list", map[string]any{"limit": 1})
	}
	move(100 * 24 * time.Hour) // past the 90 days of addresses
	if err := h.erase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := address(t, h); a != root.Address {
		t.Fatalf("held, and yet the address is %q", a)
	}
	do[actionlog.Hold](t, h, "log.hold.end", map[string]any{"hold": hold.ID})
	if err := h.erase(t.Context()); err != nil {
		t.Fatal(err)
	}
	if a := address(t, h); a != "" {
		t.Errorf("the hold has ended, and the address is still %q", a)
	}
	if r := do[actionlog.Report](t, h, "log.verify", nil); !r.Sound {
		t.Errorf("after an erasure: %s %v", r.Sentence, r.Findings)
	}
}

// address is what the log still knows of where the first upload came from.
func address(t *testing.T, h *House) string {
	t.Helper()
	l := do[actionlog.Listed](t, h, "log.list", map[string]any{"action": []string{"log.hold.add"}})
	if len(l.Records) != 1 {
		t.Fatalf("%d records of the hold", len(l.Records))
	}
	return l.Records[0].Address
}
