package transfer_test

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/core/coretest"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
	"hostward/internal/rr/transfer/transfertest"
)

// TestWeFollowOtherPrimaries fetches a zone of each server, lets it change, and
// wants the difference to lead to what the server then has.
func TestWeFollowOtherPrimaries(t *testing.T) {
	for _, p := range transfertest.Primaries() {
		t.Run(p.Name, func(t *testing.T) {
			t.Parallel()
			lead(t, p)
		})
	}
}

func lead(t *testing.T, p transfertest.Server) {
	k := newKey(t, "shared.key.example.", transfer.SHA256)
	s := transfertest.Setting{Dir: t.TempDir(), Listen: coretest.Free(t), Zone: "z.example", Key: &k, Sets: sample(t, 1, 300)}
	server := p.Start(t, s)
	peer := transfer.Peer{Address: s.Listen.String(), Key: &k}
	var whole transfer.Received
	transfertest.Until(t, func() string { return "the zone can be fetched" }, func() bool {
		var err error
		whole, err = testClient().Fetch(testContext(t), peer, origin, nil)
		return err == nil && (!p.Signs || find(whole.Sets, "www.z.example.", "RRSIG") != nil && signedAll(whole.Sets))
	})
	if want := len(s.Sets); !p.Signs && len(whole.Sets) != want {
		t.Fatalf("%d RRsets, want %d", len(whole.Sets), want)
	}
	p.Change(t, &s, server, "new", "h7")
	transfertest.Until(t, func() string { return "the change shows" }, func() bool {
		soa, err := testClient().SOA(testContext(t), peer, origin)
		return err == nil && soa != whole.SOA
	})
	settled(t, peer)
	got, err := testClient().Fetch(testContext(t), peer, origin, &whole.SOA)
	if err != nil {
		t.Fatal(err)
	}
	now, err := testClient().Fetch(testContext(t), peer, origin, nil)
	if err != nil {
		t.Fatal(err)
	}
	if p.Differences != (got.Kind == transfer.Difference) {
		t.Fatalf("it sent %s", got.Kind)
	}
	if got.Kind == transfer.Whole {
		got.Sets, now.Sets = joined(got.Sets), joined(now.Sets)
		if d := cmp.Diff(now.Sets, got.Sets); d != "" {
			t.Fatal(d)
		}
		return
	}
	changes, err := transfer.Apply(origin, transfer.ViewOf(whole.Sets), got.Steps)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(joined(now.Sets), patched(joined(whole.Sets), changes)); d != "" {
		t.Fatalf("the difference does not lead to the zone:\n%s", d)
	}
	wrong := k
	wrong.Secret = newKey(t, "x.", transfer.SHA256).Secret
	peer.Key = &wrong
	if _, err := testClient().Fetch(testContext(t), peer, origin, nil); !refusesKey(err) {
		t.Errorf("with a wrong secret: %v", err)
	}
}

func refusesKey(err error) bool {
	f, ok := errors.AsType[*transfer.Fault](err)
	return ok && f.Rcode == transfer.NotAuth && (f.TSIG == transfer.BadSig || f.TSIG == transfer.BadKey)
}

// settled waits until the server has nothing more to change, as one that signs
// does after an update.
func settled(t *testing.T, peer transfer.Peer) {
	t.Helper()
	last, same := rr.Record{}, 0
	transfertest.Until(t, func() string { return "the serial stays" }, func() bool {
		soa, err := testClient().SOA(testContext(t), peer, origin)
		if same++; err != nil || soa != last {
			same = 0
		}
		last = soa
		return same > 25
	})
}

func find(sets []rr.RRset, name rr.Name, typ string) *rr.RRset {
	i := slices.IndexFunc(sets, func(s rr.RRset) bool { return s.Name == name && s.Type == typ })
	if i < 0 {
		return nil
	}
	return &sets[i]
}

// signedAll reports whether each host has its signatures.
func signedAll(sets []rr.RRset) bool {
	n := 0
	for _, s := range sets {
		if s.Type == "RRSIG" && strings.HasPrefix(string(s.Name), "h") {
			n += len(s.Data)
		}
	}
	return n >= 600
}
