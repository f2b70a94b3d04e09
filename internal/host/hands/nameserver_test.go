package hands_test

import (
	"context"
	"maps"
	"strings"
	"testing"

	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/host/hands"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
)

func ref(id string) core.Ref { return core.Ref{Kind: "zone", ID: id} }

// whole is a zone with one host.
func whole(id string, name rr.Name, version uint64, address string) host.SetZone {
	return host.SetZone{Zone: ref(id), Name: name, Version: version, Full: true, Set: []rr.RRset{
		{Name: name, Type: "SOA", TTL: 60, Data: []string{"ns1.hosting.example. hostmaster.hosting.example. 1 3600 900 604800 300"}},
		{Name: name, Type: "NS", TTL: 60, Data: []string{"ns1.hosting.example."}},
		{Name: "www." + name, Type: "A", TTL: 60, Data: []string{address}}}}
}

func part(id string, name rr.Name, version uint64, address string) host.SetZone {
	s := whole(id, name, version, address)
	s.Full, s.Set = false, s.Set[2:]
	return s
}

func drop(id string, name rr.Name, version uint64) host.DropZone {
	return host.DropZone{Zone: ref(id), Name: name, Version: version}
}

// What is in effect after each call, as the eyes see it.
func TestStepsAreInEffectWhenDoReturns(t *testing.T) {
	const name = rr.Name("kranewitt.example.")
	for _, c := range []struct {
		story string
		calls [][]host.Step
		want  map[string]uint64
	}{
		{"a new zone", [][]host.Step{{whole("a", name, 3, "192.0.2.1")}}, map[string]uint64{"a": 3}},
		{"the same step twice", [][]host.Step{{whole("a", name, 3, "192.0.2.1")}, {whole("a", name, 3, "192.0.2.1")}}, map[string]uint64{"a": 3}},
		{"a difference", [][]host.Step{{whole("a", name, 3, "192.0.2.1")}, {part("a", name, 5, "192.0.2.2")}}, map[string]uint64{"a": 5}},
		{"a database that went back", [][]host.Step{{whole("a", name, 9, "192.0.2.1")}, {whole("a", name, 2, "192.0.2.2")}}, map[string]uint64{"a": 2}},
		{"gone", [][]host.Step{{whole("a", name, 3, "192.0.2.1")}, {drop("a", name, 4)}}, map[string]uint64{"a": 0}},
		{"gone twice", [][]host.Step{{whole("a", name, 3, "192.0.2.1")}, {drop("a", name, 4), drop("a", name, 4)}}, map[string]uint64{"a": 0}},
		{"gone, its name forgotten", [][]host.Step{{whole("a", name, 3, "192.0.2.1")}, {drop("a", "", 0)}}, map[string]uint64{"a": 0}},
		{"deleted and made anew", [][]host.Step{{whole("a", name, 7, "192.0.2.1")}, {drop("a", name, 8), whole("b", name, 1, "192.0.2.2")}}, map[string]uint64{"a": 0, "b": 1}},
		{"made anew before the old one is dropped", [][]host.Step{{whole("a", name, 7, "192.0.2.1")}, {whole("b", name, 1, "192.0.2.2"), drop("a", name, 8)}}, map[string]uint64{"a": 0, "b": 1}},
		{"made anew, the drop comes late", [][]host.Step{{whole("a", name, 7, "192.0.2.1")}, {whole("b", name, 1, "192.0.2.2")}, {drop("a", name, 8)}}, map[string]uint64{"a": 0, "b": 1}},
	} {
		t.Run(c.story, func(t *testing.T) {
			n := hands.NewNameserver(server(t))
			for _, steps := range c.calls {
				if err := n.Do(t.Context(), steps); err != nil {
					t.Fatal(err)
				}
			}
			want := map[core.Ref]uint64{}
			for id, version := range c.want {
				if got, err := n.Version(t.Context(), ref(id)); err != nil || got != version {
					t.Errorf("%s is in version %d, want %d (%v)", id, got, version, err)
				}
				if version > 0 {
					want[ref(id)] = version
				}
			}
			if got, err := n.Versions(t.Context()); err != nil || !maps.Equal(got, want) {
				t.Errorf("in effect are %v, want %v (%v)", got, want, err)
			}
		})
	}
}

func TestOneBadStepDoesNotHoldUpTheOthers(t *testing.T) {
	n := hands.NewNameserver(server(t))
	err := n.Do(t.Context(), []host.Step{whole("a", "a.example.", 1, "192.0.2.1"), part("b", "b.example.", 2, "192.0.2.2"), whole("c", "c.example.", 1, "192.0.2.3")})
	if err == nil || !strings.Contains(err.Error(), "b.example.") {
		t.Errorf("the error is %v", err)
	}
	got, _ := n.Versions(context.Background())
	if len(got) != 2 || got[ref("b")] != 0 {
		t.Errorf("in effect are %v", got)
	}
}

func server(t *testing.T) *nameserver.Server {
	t.Helper()
	s, err := nameserver.New(nameserver.Config{})
	if err != nil {
		t.Fatal(err)
	}
	return s
}
