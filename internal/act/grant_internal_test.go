package act

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"hostward/internal/core"
)

// grants, as somebody would say it who has not seen the code: by the words of a name.
func naive(g Grant, name, method string, target core.Ref) bool {
	if g.Object != "" && g.Object != target.Kind+":"+target.ID {
		return false
	}
	switch want, has := strings.Split(g.Action, "."), strings.Split(name, "."); {
	case g.Action == "*":
		return true
	case g.Action == "read":
		return method == "query" || method == "stream"
	case want[len(want)-1] != "*":
		return slices.Equal(want, has)
	default:
		head := want[:len(want)-1]
		return len(has) > len(head) && slices.Equal(has[:len(head)], head)
	}
}

// TestGrantsAreWhatTheirWordsSay holds Grant.covers against the naive reading, over
// names and objects that are almost the same.
func TestGrantsAreWhatTheirWordsSay(t *testing.T) {
	random := rand.New(rand.NewPCG(20261127, 3))
	pick := func(from ...string) string { return from[random.IntN(len(from))] }
	name := func() string {
		words := []string{pick("zone", "zon", "zones", "read", "token")}
		if random.IntN(2) == 0 {
			words = append(words, pick("record", "records", "r"))
		}
		return strings.Join(append(words, pick("add", "adds", "read", "list")), ".")
	}
	grant := func() Grant {
		action := name()
		switch random.IntN(4) {
		case 0:
			action = pick("*", "read")
		case 1:
			words := strings.Split(action, ".")
			action = strings.Join(words[:1+random.IntN(len(words)-1)], ".") + ".*"
		}
		return Grant{action, pick("", "", "zone:z_1", "zone:z_11", "account:z_1")}
	}
	said := map[bool]int{}
	for range 200_000 {
		g := grant()
		op := &Op{Name: name(), Method: pick("query", "change", "stream", "job")}
		target := core.Ref{}
		if random.IntN(4) > 0 {
			target = core.Ref{Kind: pick("zone", "account"), ID: pick("z_1", "z_11", "z_")}
		}
		want := naive(g, op.Name, op.Method, target)
		if said[want]++; g.covers(op, target) != want {
			t.Fatalf("%+v covers %s %s on %v: %v, want %v", g, op.Method, op.Name, target, !want, want)
		}
		if target == (core.Ref{}) && g.Object != "" && want {
			t.Fatalf("%+v covers a call without a target", g)
		}
	}
	if said[true] < 10_000 || said[false] < 10_000 {
		t.Errorf("the cases are one-sided: %v", said)
	}
}

// TestATokenWithoutAGrantMayNothing: no grants and an empty list are not the same.
func TestATokenWithoutAGrantMayNothing(t *testing.T) {
	op := &Op{Name: "zone.list", Method: "query"}
	if granted(op, Actor{Grants: []Grant{}}, core.Ref{}) == nil {
		t.Error("an empty list of grants grants something")
	}
	if err := granted(op, Actor{}, core.Ref{}); err != nil {
		t.Errorf("who has no grants is no token: %v", err)
	}
}
