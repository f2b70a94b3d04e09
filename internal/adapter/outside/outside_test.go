package outside_test

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/adapter/outside"
	"hostward/internal/rr/sign"
)

func TestNothingIsFoundAtAZoneThatIsInOrder(t *testing.T) {
	for _, nsec3 := range []bool{false, true} {
		w := newTree(t)
		w.of(func(m *machine) { m.nsec3 = nsec3 }, childA, childB)
		w.cfg.Resolver = w.resolver(key(1).DS("test.", sign.SHA256).String())
		r := w.check()
		if len(r.Findings) > 0 {
			t.Errorf("NSEC3 %t:\n%s", nsec3, written(r))
		}
		if len(r.Servers) != 3 || r.Servers[0].Serial != 7 || r.Parent != "test." {
			t.Errorf("servers %+v, parent %s", r.Servers, r.Parent)
		}
	}
}

// Knot and BIND answer in their own ways, and nothing is wrong with those either.
func TestNothingIsFoundAtOtherServersInOrder(t *testing.T) {
	w := newTree(t)
	for at, program := range map[string]string{rootAt: "knotd", testA: "named", testB: "knotd", childA: "knotd", childB: "named"} {
		w.machines[at].with = program
	}
	if r := w.check(); len(r.Findings) > 0 || len(r.Observed.Parent) != 2 || r.Observed.Parent[0].Failed {
		t.Errorf("%+v\n%s", r.Observed, written(r))
	}
}

func TestTheParentsDSIsToldToNext(t *testing.T) {
	w := newTree(t)
	w.cut["tcp "+testB], w.cut["udp "+testB] = true, true
	r := w.check()
	if o := r.Observed; len(o.Parent) != 2 || o.Zone != zone || o.KeyTTL != 3600 || o.MaxTTL != 3600 {
		t.Fatalf("%+v", o)
	}
	heard, silent := r.Observed.Parent[0], r.Observed.Parent[1]
	if heard.Failed || !slices.Equal(heard.DS, []sign.DS{key(2).DS(zone, sign.SHA256)}) || heard.TTL != 3600 {
		t.Errorf("%+v", heard)
	}
	if !silent.Failed || len(silent.DS) > 0 {
		t.Errorf("%+v", silent)
	}
	for _, s := range r.Servers {
		if !slices.Equal(s.Keys, []string{key(2).Data()}) || len(s.Signers) != 1 {
			t.Errorf("%+v", s)
		}
	}
}

// A server that is down costs its own time once, not that of every question: packets to it
// are lost here, not refused.
func TestASilentServerDoesNotUseUpTheCheck(t *testing.T) {
	w := newTree(t)
	w.cfg.Wait, w.cfg.Time = 300*time.Millisecond, 20*time.Second
	silent, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	_, port, err := net.SplitHostPort(silent.LocalAddr().String())
	if err != nil {
		t.Fatal(err)
	}
	w.machines[childA].front = func(string) string { return port }
	asked := w.count()
	r := w.check()
	if got := ids(r); !slices.Equal(got, []outside.ID{outside.ServerSilent}) || *asked > 60 {
		t.Errorf("%d questions, found %v: %s", *asked, got, written(r))
	}
}

// A server of the parent that nobody can find may have another DS: nothing is proved then.
func TestAParentsServerWithoutAnAddressProvesNothing(t *testing.T) {
	w := newTree(t)
	w.parents(with("@ NS gone"))
	r := w.check()
	if got := ids(r); !slices.Equal(got, []outside.ID{outside.ParentSilent}) {
		t.Errorf("found %v: %s", got, written(r))
	}
	if p := r.Observed.Parent; len(p) != 3 || !p[2].Failed || p[2].Name != "gone.test." {
		t.Errorf("%+v", p)
	}
}

// What is measured is what makes a rollover go on: a zone waits for its DS until the
// parent has it.
func TestAZoneWaitsForItsParentUntilTheDSIsSeen(t *testing.T) {
	for _, has := range []bool{false, true} {
		w := newTree(t)
		if !has {
			w.parents(swap(childDS(2), ""))
		}
		o := w.check().Observed
		state, err := sign.State{}.Insert(key(2).Public, sign.CSK, w.now)
		if err != nil {
			t.Fatal(err)
		}
		for at := w.now; at.Before(w.now.Add(10 * 24 * time.Hour)); at = at.Add(30 * time.Minute) {
			o.Revision, o.Complete = state.Revision, true
			state, _, _ = sign.Next(state, sign.Policy{Signed: true, Algorithm: sign.Ed25519}, o, at)
		}
		waits := slices.ContainsFunc(state.Waits, func(w sign.Wait) bool { return w.Reason == sign.ForParent })
		if !state.Keys[0].Duty.Submit || waits == has {
			t.Errorf("DS %t: %+v", has, state.Waits)
		}
	}
}

func written(r outside.Report) string {
	var out strings.Builder
	for _, f := range r.Findings {
		fmt.Fprintf(&out, "%s %s %s: %s (%s; %s)\n", f.Severity, f.ID, f.Server, f.Measured, f.Expected, f.Do)
	}
	return out.String()
}

func ids(r outside.Report) (out []outside.ID) {
	for _, f := range r.Findings {
		out = append(out, f.ID)
	}
	slices.Sort(out)
	return slices.Compact(out)
}
