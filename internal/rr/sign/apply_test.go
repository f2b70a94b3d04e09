package sign_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

func TestChangingAZoneStepByStepGivesWhatSigningItWholeGives(t *testing.T) {
	for seed := range uint64(100) {
		checkApply(t, randomTape(seed, 400))
	}
}

func FuzzApply(f *testing.F) {
	fuzzTape(f, checkApply)
}

// checkApply changes a zone again and again, and compares each version with one
// that was signed as a whole. Signers and jitter give the same for the same, so
// every octet has to be equal.
func checkApply(t *testing.T, tape *tape) {
	t.Helper()
	config := sign.Config{Origin: "z.example.", NSEC3: tape.below(2) == 0, Keys: marks(pick(tape, split(sign.Ed25519), csk(sign.Ed25519)))}
	want := tape.zone(tape.below(20))
	z := signed(t, config, want.sets(), now)
	for !tape.over() {
		changes := tape.changes()
		next, diff, err := z.Apply(context.Background(), changes, now)
		if err != nil {
			t.Fatal(err)
		}
		want.with(changes...)
		checkVersion(t, config, want, next)
		checkDiff(t, z, next, diff)
		z = next
	}
}

// checkVersion compares a zone with what should be in it.
func checkVersion(t *testing.T, config sign.Config, want content, z *sign.Zone) {
	t.Helper()
	for _, s := range want.sets() {
		if s.Type == "SOA" {
			soa, _ := rr.ParseSOA(s.Data[0])
			soa.Serial = z.Serial()
			s.Data = []string{soa.String()}
			want.with(s)
		}
	}
	whole := signed(t, config, want.sets(), now)
	if d := cmp.Diff(all(whole), all(z)); d != "" {
		t.Fatalf("another zone than by signing the whole:\n%s%s", want, d)
	}
	if !z.Complete() || !z.Due(now).Equal(whole.Due(now)) || !z.Expires().Equal(whole.Expires()) {
		t.Fatalf("complete %t, due %s, expires %s; the whole: due %s, expires %s", z.Complete(), z.Due(now), z.Expires(), whole.Due(now), whole.Expires())
	}
}

// checkDiff holds the changes against the two versions.
func checkDiff(t *testing.T, old, next *sign.Zone, diff []sign.Change) {
	t.Helper()
	sets := map[rr.Key]sign.Signed{}
	for s := range old.Sets() {
		sets[s.Key()] = s
	}
	for i, c := range diff {
		if i > 0 && diff[i-1].Key().Compare(c.Key()) >= 0 {
			t.Fatalf("%s after %s", c.Key(), diff[i-1].Key())
		}
		if was := sets[c.Key()]; len(was.Data) > 0 && !was.Equal(c.Old) || len(was.Data) != len(c.Old.Data) || c.Old.Equal(c.New) {
			t.Fatalf("the change %+v, where %+v was", c, was)
		}
		if sets[c.Key()] = c.New; len(c.New.Data) == 0 {
			delete(sets, c.Key())
		}
	}
	for s := range next.Sets() {
		if !sets[s.Key()].Equal(s) {
			t.Fatalf("the changes give %+v, the zone has %+v", sets[s.Key()], s)
		}
		delete(sets, s.Key())
	}
	if len(sets) > 0 {
		t.Fatalf("the changes leave %v", sets)
	}
	if (len(diff) > 0) != rr.SerialAfter(next.Serial(), old.Serial()) {
		t.Fatalf("%d changes, serial %d after %d", len(diff), next.Serial(), old.Serial())
	}
}

func TestAChangeLeavesTheOldVersionAsItWas(t *testing.T) {
	for _, nsec3 := range []bool{false, true} {
		c := sign.Config{Origin: "odd.example.", Keys: split(sign.Ed25519), NSEC3: nsec3}
		z := signed(t, c, sample(t, "odd.example.zone"), now)
		before := all(z)
		sets := []rr.RRset{{Name: "new.odd.example.", Type: "A", TTL: 60, Data: []string{"192.0.2.1"}}, {Name: "www.odd.example.", Type: "CNAME"}}
		if _, _, err := z.Apply(context.Background(), sets, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		c.Keys = csk(sign.Ed25519)
		if _, _, err := z.Reconfigure(context.Background(), c, now.Add(time.Hour)); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(before, all(z)); d != "" {
			t.Error(d)
		}
	}
}
