package keeper_test

import (
	"context"
	"crypto/rand"
	"testing"
	"time"

	"hostward/internal/core"
	"hostward/internal/keeper"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// signerOf signs with a key of the keeper, and keeps the last message.
type signerOf struct {
	k      keeper.Keeper
	zone   rr.Name
	sealed []byte
	last   *[]byte
}

func (s signerOf) Sign(ctx context.Context, message []byte) ([]byte, error) {
	*s.last = append([]byte(nil), message...)
	out, err := s.k.SignZone(ctx, s.zone, s.sealed, [][]byte{message})
	if err != nil {
		return nil, err
	}
	return out[0], nil
}

// signedZone signs a small zone by a key of the keeper and returns the key, and the
// message that was signed last.
func signedZone(t *testing.T, k keeper.Keeper, a sign.Algorithm, name rr.Name) (sealed, message []byte, z *sign.Zone) {
	t.Helper()
	public, sealed, err := k.NewZoneKey(t.Context(), name, sign.EntryPoint, a)
	if err != nil {
		t.Fatal(err)
	}
	z, err = sign.New(t.Context(), sign.Config{Origin: name, Workers: 1, Keys: []sign.Key{{Public: public,
		Duty: sign.Duty{Publish: true, SignKeys: true, SignData: true}, Signer: signerOf{k, name, sealed, &message}}}},
		[]rr.RRset{
			{Name: name, Type: "SOA", TTL: 300, Data: []string{"ns.example. h.example. 1 7200 900 604800 300"}},
			{Name: name, Type: "NS", TTL: 300, Data: []string{"ns.example."}},
		}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return sealed, message, z
}

func TestAZoneKeySignsForItsZoneAlone(t *testing.T) {
	for _, a := range []sign.Algorithm{sign.ECDSAP256SHA256, sign.Ed25519} {
		k := openAt(t, keeper.Config{Dir: t.TempDir()})
		sealed, message, z := signedZone(t, k, a, "own.example.")
		if !z.Complete() {
			t.Errorf("%s: not everything is signed", a)
		}
		other, foreign, _ := signedZone(t, k, a, "other.example.")
		for what, try := range map[string]struct {
			zone    rr.Name
			sealed  []byte
			message []byte
		}{
			"another zone's name":  {"other.example.", sealed, foreign},
			"another zone's key":   {"own.example.", other, message},
			"another zone's words": {"own.example.", sealed, foreign},
			"any octets":           {"own.example.", sealed, []byte(rand.Text())},
			"no octets":            {"own.example.", sealed, nil},
			"a key that is cut":    {"own.example.", sealed[:len(sealed)-1], message},
			"another algorithm":    {"own.example.", sealed, changed(message, 2, message[2]^2)},
			"another key's tag":    {"own.example.", sealed, changed(message, 16, message[16]+1)},
			"for ever":             {"own.example.", sealed, changed(message, 8, message[8]+40)},
			"to before it begins":  {"own.example.", sealed, changed(message, 8, 0)},
		} {
			if out, err := k.SignZone(t.Context(), try.zone, try.sealed, [][]byte{message, try.message}); err == nil || out != nil {
				t.Errorf("%s: %s was signed", a, what)
			}
		}
		if _, err := k.SignZone(t.Context(), "own.example.", sealed, [][]byte{message}); err != nil {
			t.Errorf("%s: its own words are refused: %v", a, err)
		}
	}
}

func changed(b []byte, at int, to byte) []byte {
	b = append([]byte(nil), b...)
	b[at] = to
	return b
}

func TestAZoneKeyOutlivesNewKeysOfTheKeeper(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	sealed, message, _ := signedZone(t, k, sign.ECDSAP256SHA256, "own.example.")
	before, err := k.SignZone(t.Context(), "own.example.", sealed, [][]byte{message})
	if err != nil {
		t.Fatal(err)
	}
	generation, err := k.Renew(t.Context(), keeper.DNSSEC)
	if err != nil || generation != 2 {
		t.Fatal(generation, err)
	}
	again, err := k.Reseal(t.Context(), keeper.DNSSEC, keeper.ZoneKeyAD("own.example."), sealed)
	if err != nil {
		t.Fatal(err)
	}
	if err := k.Retire(t.Context(), keeper.DNSSEC, generation); err != nil {
		t.Fatal(err)
	}
	if _, err := k.SignZone(t.Context(), "own.example.", sealed, [][]byte{message}); err == nil {
		t.Error("what is sealed under a destroyed key still signs")
	}
	after, err := k.SignZone(t.Context(), "own.example.", again, [][]byte{message})
	if err != nil || string(after[0]) != string(before[0]) {
		t.Errorf("another signature after sealing again (%v): the key is another, or signing is not deterministic", err)
	}
}

func TestNoOtherKeysAreMadeForZones(t *testing.T) {
	k := openAt(t, keeper.Config{Dir: t.TempDir()})
	for _, bad := range []struct {
		flags     uint16
		algorithm sign.Algorithm
	}{{256, 8}, {256, 5}, {0, 13}, {384, 15}} {
		if _, _, err := k.NewZoneKey(t.Context(), "own.example.", bad.flags, bad.algorithm); core.AsError(err).Code != core.Invalid {
			t.Errorf("flags %d, algorithm %d: %v", bad.flags, bad.algorithm, err)
		}
	}
}
