package sign_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
	"hostward/internal/rr/sign/signtest"
)

func TestAConfigThatCannotWorkIsRefusedWithEveryFault(t *testing.T) {
	good := signtest.Key(sign.Ed25519, 1, signtest.CSK)
	silent := good
	silent.Signer = nil
	zsk := signtest.Key(sign.Ed25519, 2, signtest.ZSK)
	zsk.Submit = true
	for name, c := range map[string]struct {
		config sign.Config
		faults int
	}{
		"no keys":                  {sign.Config{}, 1},
		"a key twice":              {sign.Config{Keys: []sign.Key{good, good}}, 1},
		"no signer":                {sign.Config{Keys: []sign.Key{silent}}, 1},
		"a ZSK in the parent":      {sign.Config{Keys: []sign.Key{good, zsk}}, 1},
		"to have a DS and not":     {sign.Config{Keys: []sign.Key{{Public: good.Public, Signer: good.Signer, Duty: sign.Duty{Publish: true, SignKeys: true, SignData: true, Submit: true}}}, RemoveDS: true}, 1},
		"a digest of old":          {sign.Config{Keys: []sign.Key{good}, Digests: []sign.DigestType{1}}, 1},
		"a moment, digest, no key": {sign.Config{Timing: sign.Timing{Validity: time.Minute}, Digests: []sign.DigestType{1}}, 3},
		"renewed before made":      {sign.Config{Keys: []sign.Key{good}, Timing: sign.Timing{Validity: day, Refresh: day}}, 1},
		"too far back":             {sign.Config{Keys: []sign.Key{good}, Timing: sign.Timing{Backdate: 8 * day}}, 1},
	} {
		c.config.Origin = "z.example."
		_, err := sign.New(context.Background(), c.config, parse(t, head), now)
		if e := core.AsError(err); err == nil || e.Code != core.Invalid || len(e.Faults) != c.faults {
			t.Errorf("%s: %v", name, err)
		}
	}
	long := rr.Name(strings.Repeat(strings.Repeat("a", 63)+".", 3) + strings.Repeat("b", 40) + ".")
	soa := rr.RRset{Name: long, Type: "SOA", TTL: 1, Data: []string{"a. b. 1 2 3 4 5"}}
	if _, err := sign.New(context.Background(), sign.Config{Origin: long, NSEC3: true, Keys: []sign.Key{good}}, []rr.RRset{soa}, now); core.CodeOf(err) != core.Invalid {
		t.Errorf("a zone whose hashed names are too long: %v", err)
	}
}

var errLocked = errors.New("the keeper is locked")

// fickle signs so many times, then no more.
type fickle struct{ left *int }

func (f fickle) Sign(ctx context.Context, message []byte) ([]byte, error) {
	if *f.left--; *f.left < 0 {
		return nil, errLocked
	}
	return mark(1).Sign(ctx, message)
}

func TestASignerThatFailsLeavesTheZoneAsItWas(t *testing.T) {
	left := 1000
	keys := csk(sign.Ed25519)
	keys[0].Signer = fickle{&left}
	c := sign.Config{Origin: "odd.example.", Keys: keys, Workers: 1}
	z := signed(t, c, sample(t, "odd.example.zone"), now)
	before := all(z)
	set := rr.RRset{Name: "new.odd.example.", Type: "A", TTL: 60, Data: []string{"192.0.2.1"}}
	for left = 0; left < 4; left++ {
		have := left
		if _, _, err := z.Apply(context.Background(), []rr.RRset{set}, now); !errors.Is(err, errLocked) {
			t.Errorf("with %d signatures: %v", have, err)
		}
		left = have
	}
	left = 4 // A and NSEC of the new name, the NSEC before it, SOA
	next, _, err := z.Apply(context.Background(), []rr.RRset{set}, now)
	if err != nil || left != 0 {
		t.Fatalf("%d signatures too many, %v", left, err)
	}
	if len(all(next)) != len(before)+2 || len(all(z)) != len(before) {
		t.Error("the old zone has changed, or the new one has not")
	}
}

// short gives signatures that are none.
type short struct{}

func (short) Sign(context.Context, []byte) ([]byte, error) { return []byte("short"), nil }

func TestASignatureOfAnotherLengthIsRefused(t *testing.T) {
	keys := csk(sign.Ed25519)
	keys[0].Signer = short{}
	if _, err := sign.New(context.Background(), sign.Config{Origin: "odd.example.", Keys: keys}, sample(t, "odd.example.zone"), now); err == nil || !strings.Contains(err.Error(), "64 octets") {
		t.Error(err)
	}
}

func TestSigningStopsWhenNobodyWaitsAnyMore(t *testing.T) {
	ctx, stop := context.WithCancel(context.Background())
	stop()
	_, err := sign.New(ctx, sign.Config{Origin: "odd.example.", Keys: csk(sign.Ed25519), Workers: 2}, sample(t, "odd.example.zone"), now)
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
