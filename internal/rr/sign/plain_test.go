package sign_test

import (
	"context"
	"slices"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// overlay is what somebody has who was fed sets, and then changed ones.
func overlay(sets, changed []rr.RRset) []rr.RRset {
	have := map[rr.Key]rr.RRset{}
	for _, s := range slices.Concat(sets, changed) {
		if have[s.Key()] = s; len(s.Data) == 0 {
			delete(have, s.Key())
		}
	}
	var out []rr.RRset
	for _, s := range have {
		out = append(out, s)
	}
	rr.SortRRsets(out)
	return out
}

func TestWhatANameserverIsFedIsAllThatSigningNeedsToGoOn(t *testing.T) {
	for _, nsec3 := range []bool{false, true} {
		c := sign.Config{Origin: "odd.example.", Keys: marks(split(sign.Ed25519)), NSEC3: nsec3}
		z := signed(t, c, sample(t, "odd.example.zone"), now)
		served := z.All()
		for step := range 12 {
			at := now.Add(time.Duration(step) * 40 * time.Hour)
			z = loaded(t, c, served, at)
			next, applied, err := z.Apply(context.Background(), []rr.RRset{soaOf(z, uint32(3000000000+step))}, at)
			if err != nil {
				t.Fatal(err)
			}
			next, finished, err := next.Finish(context.Background(), at, 3*day)
			if err != nil {
				t.Fatal(err)
			}
			if got, want := next.Serial(), uint32(3000000000+step); got != want {
				t.Fatalf("step %d: serial %d, want %d", step, got, want)
			}
			if left := next.Expires().Sub(at); !next.Complete() || left < 10*day {
				t.Fatalf("step %d: complete %v, %s left", step, next.Complete(), left)
			}
			served = overlay(overlay(served, next.Plain(applied)), next.Plain(finished))
			if d := cmp.Diff(overlay(next.All(), nil), served); d != "" {
				t.Fatalf("step %d: what was fed is not the zone (-zone +fed):\n%s", step, d)
			}
		}
	}
}

func loaded(t *testing.T, c sign.Config, served []rr.RRset, at time.Time) *sign.Zone {
	t.Helper()
	z, err := sign.Load(c, sign.Stored(served), at)
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(overlay(served, nil), overlay(z.All(), nil)); d != "" {
		t.Fatalf("loading changes the zone (-served +loaded):\n%s", d)
	}
	return z
}

// soaOf is the zone's SOA with another serial.
func soaOf(z *sign.Zone, serial uint32) rr.RRset {
	s, _ := z.Find(rr.Key{Name: z.Origin(), Type: "SOA"})
	soa, _ := rr.ParseSOA(s.Data[0])
	soa.Serial = serial
	return rr.RRset{Name: s.Name, Type: "SOA", TTL: s.TTL, Data: []string{soa.String()}}
}

func TestKeysThatChangeAreFinishedInTheSameVersion(t *testing.T) {
	old := sign.Config{Origin: "odd.example.", Keys: marks(csk(sign.Ed25519))}
	served := signed(t, old, sample(t, "odd.example.zone"), now).All()
	next := sign.Config{Origin: "odd.example.", Keys: marks(split(sign.ECDSAP256SHA256)), NSEC3: true}
	z, err := sign.Load(next, sign.Stored(served), now.Add(time.Hour))
	if err != nil {
		t.Fatal(err)
	}
	serial := z.Serial()
	if z, _, err = z.Finish(context.Background(), now.Add(time.Hour), 0); err != nil {
		t.Fatal(err)
	}
	if !z.Complete() || z.Serial() != serial {
		t.Errorf("complete %v, serial %d, want that of before, %d", z.Complete(), z.Serial(), serial)
	}
}
