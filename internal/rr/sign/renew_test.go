package sign_test

import (
	"context"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"hostward/internal/rr"
	"hostward/internal/rr/sign"
	"hostward/internal/rr/sign/signtest"
)

const day = 24 * time.Hour

// renewed calls Renew until nothing is due, and returns the zone and the most
// signatures that one call made.
func renewed(t *testing.T, z *sign.Zone, at time.Time, limit int) (*sign.Zone, int) {
	t.Helper()
	most := 0
	for calls := 0; !z.Due(at).After(at); calls++ {
		next, diff, err := z.Renew(context.Background(), at, limit)
		if err != nil {
			t.Fatal(err)
		}
		if len(diff) == 0 || calls > 10000 {
			t.Fatalf("due %s at %s, and nothing was done", z.Due(at), at)
		}
		checkDiff(t, z, next, diff)
		most, z = max(most, fresh(diff)), next
	}
	return z, most
}

// fresh counts the signatures that are in the new sets only.
func fresh(diff []sign.Change) (n int) {
	for _, c := range diff {
		old := map[string]bool{}
		for _, s := range c.Old.Sigs {
			old[s] = true
		}
		for _, s := range c.New.Sigs {
			if !old[s] {
				n++
			}
		}
	}
	return n
}

func TestRenewalWhenDueKeepsAZoneValidForGood(t *testing.T) {
	for _, nsec3 := range []bool{false, true} {
		c := sign.Config{Origin: "odd.example.", Keys: marks(split(sign.Ed25519)), NSEC3: nsec3}
		z := signed(t, c, sample(t, "odd.example.zone"), now)
		at := now
		for at.Before(now.Add(60 * day)) {
			at = z.Due(at)
			if left := z.Expires().Sub(at); left < 7*day {
				t.Fatalf("at %s a signature has only %s left", at, left)
			}
			z, _ = renewed(t, z, at, 20)
		}
		whole := signed(t, c, sets(z.Unsigned()), now)
		if d := cmp.Diff(bare(all(whole)), bare(all(z))); d != "" {
			t.Error(d)
		}
	}
}

// bare takes the signatures away.
func bare(sets []sign.Signed) (out []rr.RRset) {
	for _, s := range sets {
		out = append(out, s.RRset)
	}
	return out
}

func TestAnRRsetLeavesEveryCacheBeforeItsSignatureExpires(t *testing.T) {
	z := signed(t, sign.Config{Origin: "z.example.", Keys: marks(csk(sign.Ed25519))}, parse(t, head, "a 1209600 A 192.0.2.1", "b 2147483647 A 192.0.2.1"), now)
	for name, ttl := range map[rr.Name]time.Duration{"a.z.example.": 14 * day, "b.z.example.": 30 * day} {
		for at := now; at.Before(now.Add(40 * day)); at = at.Add(day) {
			z, _ = renewed(t, z, at, 0)
			s, _ := z.Find(rr.Key{Name: name, Type: "A"})
			if until := expiration(t, s.Sigs[0]); until.Before(at.Add(ttl + 7*day)) {
				t.Fatalf("%s with a TTL of %s expires %s when it is asked for at %s", name, ttl, until, at)
			}
		}
	}
}

func expiration(t *testing.T, sig string) time.Time {
	t.Helper()
	until, err := time.Parse("20060102150405", fields(sig)[4])
	if err != nil {
		t.Fatal(err)
	}
	return until
}

func TestRenewalDoesAsMuchAsItIsAllowedTo(t *testing.T) {
	c := sign.Config{Origin: "odd.example.", Keys: marks(split(sign.Ed25519))}
	z := signed(t, c, sample(t, "odd.example.zone"), now)
	late := now.Add(20 * day) // everything has expired
	const limit, nameAndSOA = 10, 13
	z, most := renewed(t, z, late, limit)
	if most > limit+nameAndSOA {
		t.Errorf("%d signatures at once with a limit of %d", most, limit)
	}
	if z.Expires().Before(late.Add(7 * day)) {
		t.Errorf("expires %s", z.Expires())
	}
}

func TestTheClockMayJump(t *testing.T) {
	z := signed(t, sign.Config{Origin: "odd.example.", Keys: marks(split(sign.Ed25519))}, sample(t, "odd.example.zone"), now)
	for name, to := range map[string]time.Duration{"ahead": 400 * day, "ahead by little": 9 * day, "back": -400 * day, "back by little": -2 * time.Hour} {
		at := now.Add(to)
		jumped, _ := renewed(t, z, at, 50)
		checkTimes(t, name, jumped, at)
		back, _ := renewed(t, jumped, now.Add(time.Hour), 50)
		checkTimes(t, name+" and right again", back, now.Add(time.Hour))
	}
}

// checkTimes holds every signature against a validator's clock.
func checkTimes(t *testing.T, name string, z *sign.Zone, at time.Time) {
	t.Helper()
	for s := range z.Sets() {
		for _, sig := range s.Sigs {
			if from, _ := time.Parse("20060102150405", fields(sig)[5]); from.After(at) || expiration(t, sig).Before(at.Add(7*day)) {
				t.Fatalf("%s: at %s: %s %s", name, at, s.Key(), sig)
			}
		}
	}
}

func TestTheSignaturesOfOneDayAreDueOnManyDays(t *testing.T) {
	z := signed(t, sign.Config{Origin: "odd.example.", Keys: marks(csk(sign.Ed25519))}, sample(t, "odd.example.zone"), now)
	days := map[int]bool{}
	for s := range z.Sets() {
		for _, sig := range s.Sigs {
			days[expiration(t, sig).YearDay()] = true
		}
	}
	if len(days) < 3 {
		t.Errorf("all expire on %d days", len(days))
	}
}

func TestAnotherKeyTakesOverLittleByLittle(t *testing.T) {
	for _, nsec3 := range []bool{false, true} {
		first, second := signtest.Key(sign.Ed25519, 2, signtest.ZSK), signtest.Key(sign.Ed25519, 5, sign.Duty{Publish: true})
		ksk := signtest.Key(sign.Ed25519, 1, signtest.KSK)
		c := sign.Config{Origin: "odd.example.", Keys: marks([]sign.Key{ksk, first, second}), NSEC3: nsec3}
		z := signed(t, c, sample(t, "odd.example.zone"), now)
		first.Duty, second.Duty = sign.Duty{Publish: true}, signtest.ZSK
		c.Keys = marks([]sign.Key{second, ksk, first})
		next, diff, err := z.Reconfigure(context.Background(), c, now)
		if err != nil {
			t.Fatal(err)
		}
		checkDiff(t, z, next, diff)
		if next.Complete() || fresh(diff) > 10 {
			t.Errorf("complete %t after %d signatures", next.Complete(), fresh(diff))
		}
		for calls := 0; !next.Complete(); calls++ {
			if next, _, err = next.Renew(context.Background(), now, 10); err != nil || calls > 1000 {
				t.Fatal(calls, err)
			}
		}
		want := content{}.with(sets(next.Unsigned())...)
		checkVersion(t, c, want, next)
	}
}

func TestAChainOfAnotherKindReplacesTheOldOneAtOnce(t *testing.T) {
	c := sign.Config{Origin: "odd.example.", Keys: split(sign.Ed25519)}
	z := signed(t, c, sample(t, "odd.example.zone"), time.Now())
	for _, nsec3 := range []bool{true, false} {
		c.NSEC3 = nsec3
		next, diff, err := z.Reconfigure(context.Background(), c, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		checkDiff(t, z, next, diff)
		validate(t, next)
		z = next
	}
}

func TestAStoredZoneIsTheSameWhenItIsLoaded(t *testing.T) {
	for file, origin := range zones {
		for _, nsec3 := range []bool{false, true} {
			c := sign.Config{Origin: origin, Keys: split(sign.Ed25519), NSEC3: nsec3}
			z := signed(t, c, sample(t, file), now)
			loaded, err := sign.Load(c, all(z), now.Add(day))
			if err != nil {
				t.Fatal(err)
			}
			if d := cmp.Diff(all(z), all(loaded)); d != "" {
				t.Error(d)
			}
			if !loaded.Complete() || !loaded.Due(now).Equal(z.Due(now)) {
				t.Errorf("%s: complete %t, due %s instead of %s", file, loaded.Complete(), loaded.Due(now), z.Due(now))
			}
		}
	}
}

func TestWhatWasDamagedInStoreIsDueAtOnce(t *testing.T) {
	for _, nsec3 := range []bool{false, true} {
		c := sign.Config{Origin: "odd.example.", Keys: marks(split(sign.Ed25519)), NSEC3: nsec3}
		z := signed(t, c, sample(t, "odd.example.zone"), now)
		for damage, do := range map[string]func(s *sign.Signed){
			"no signature":    func(s *sign.Signed) { s.Sigs = nil },
			"one for another": func(s *sign.Signed) { s.TTL++ },
			"one of a stranger": func(s *sign.Signed) {
				s.Sigs = []string{"TXT 15 2 3600 20261210000000 20261127000000 1 odd.example. AAAA"}
			},
			"no text":            func(s *sign.Signed) { s.Sigs = []string{"", " ", "odd.example."} },
			"nothing left of it": func(s *sign.Signed) { s.Data, s.Sigs = nil, nil },
		} {
			stored := all(z)
			for i := range stored {
				if i%5 == 0 && stored[i].Type != "SOA" && (damage != "nothing left of it" || stored[i].Type == "NSEC" || stored[i].Type == "NSEC3") {
					do(&stored[i])
				}
			}
			loaded, err := sign.Load(c, stored, now)
			if err != nil {
				t.Fatal(err)
			}
			if loaded.Complete() || loaded.Due(now).After(now) {
				t.Errorf("%s: nobody noticed", damage)
			}
			loaded, _ = renewed(t, loaded, now, 7)
			want := content{}.with(sets(loaded.Unsigned())...)
			checkVersion(t, c, want, loaded)
		}
	}
}

func TestKeysWithOneTagAreToldApart(t *testing.T) {
	keys := collision()
	c := sign.Config{Origin: "odd.example.", Keys: keys}
	z := signed(t, c, sample(t, "odd.example.zone"), time.Now())
	validate(t, z, "kzonecheck") // 3.2 tries one of the keys only
	loaded, err := sign.Load(c, all(z), now)
	if err != nil {
		t.Fatal(err)
	}
	if !loaded.Complete() {
		t.Error("the signatures of two keys with the same tag were mixed up")
	}
	if d := cmp.Diff(all(z), all(loaded)); d != "" {
		t.Error(d)
	}
}

// collision returns two CSKs with the same tag.
func collision() []sign.Key {
	tags := map[uint16]sign.Key{}
	for number := uint64(100); ; number++ {
		k := signtest.Key(sign.Ed25519, number, signtest.CSK)
		if other, ok := tags[k.Tag()]; ok {
			return []sign.Key{other, k}
		}
		tags[k.Tag()] = k
	}
}
