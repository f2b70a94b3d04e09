package keeper

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"math/big"
	"time"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// A private key of a zone is sealed as its flags and algorithm, which its tag
// depends on, and 32 octets: the seed of Ed25519 or the scalar of P-256.
const (
	zoneKeyHead = 3
	zoneKeySize = zoneKeyHead + 32
)

// longestStatement is how long a signature may hold, from its inception on: more
// than any policy here asks for, and little enough that what was signed in
// somebody else's hands is over some day.
const longestStatement = 400 * 24 * time.Hour

// zoneKey is the private half of a key, open.
type zoneKey struct {
	sign.Public
	tag  uint16
	sign func(message []byte) ([]byte, error)
}

// ZoneKeyAD is the associated data of a zone's keys, for Reseal: it binds what is
// sealed to its zone, so that a key signs for no other.
func ZoneKeyAD(zone rr.Name) []byte { return []byte("zone key of " + string(zone)) }

// NewZoneKey implements Keeper.
func (k *local) NewZoneKey(ctx context.Context, zone rr.Name, flags uint16, a sign.Algorithm) (public sign.Public, sealed []byte, err error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return public, nil, err
	}
	defer leave()
	if flags != sign.ZoneKey && flags != sign.EntryPoint || !a.Known() {
		return public, nil, core.Errorf(core.Invalid, "a key of algorithm %s with the flags %d: 13 and 15, 256 and 257 are accepted", a, flags)
	}
	raw := make([]byte, zoneKeySize)
	defer clear(raw)
	binary.BigEndian.PutUint16(raw, flags)
	raw[2] = byte(a)
	if err := drawKey(a, raw[zoneKeyHead:]); err != nil {
		return public, nil, fmt.Errorf("making a key of %s: %w", zone, err)
	}
	opened, err := parseZoneKey(raw)
	if err != nil {
		return public, nil, fmt.Errorf("making a key of %s: %w", zone, err)
	}
	sealed, err = k.seal(DNSSEC, ZoneKeyAD(zone), raw)
	return opened.Public, sealed, err
}

func drawKey(a sign.Algorithm, out []byte) error {
	if a == sign.Ed25519 {
		_, _ = rand.Read(out) // never fails: crypto/rand ends the program instead
		return nil
	}
	made, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return err
	}
	scalar, err := made.Bytes()
	copy(out, scalar)
	clear(scalar)
	return err
}

// parseZoneKey reads what is sealed.
func parseZoneKey(raw []byte) (k zoneKey, err error) {
	if len(raw) != zoneKeySize {
		return k, errOpen
	}
	k.Flags, k.Algorithm = binary.BigEndian.Uint16(raw), sign.Algorithm(raw[2])
	if k.Algorithm == sign.Ed25519 {
		private := ed25519.NewKeyFromSeed(raw[zoneKeyHead:])
		k.Key = private.Public().(ed25519.PublicKey)
		k.sign = func(message []byte) ([]byte, error) { return ed25519.Sign(private, message), nil }
	} else {
		private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), raw[zoneKeyHead:])
		if err != nil {
			return k, err
		}
		point, err := private.PublicKey.Bytes()
		if err != nil {
			return k, err
		}
		k.Key = point[1:] // without the mark of an uncompressed point (RFC 6605 4)
		k.sign = func(message []byte) ([]byte, error) { return signP256(private, message) }
	}
	k.tag = k.Public.Tag()
	return k, nil
}

// signP256 makes the same signature each time (RFC 6979), so that no weakness of
// randomness can give the key away.
func signP256(private *ecdsa.PrivateKey, message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	der, err := private.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	r, s := new(big.Int), new(big.Int)
	var inner cryptobyte.String
	in := cryptobyte.String(der)
	if !in.ReadASN1(&inner, asn1.SEQUENCE) || !inner.ReadASN1Integer(r) || !inner.ReadASN1Integer(s) {
		return nil, fmt.Errorf("a signature of P-256 cannot be read")
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, nil
}

// SignZone implements Keeper.
func (k *local) SignZone(ctx context.Context, zone rr.Name, sealed []byte, messages [][]byte) ([][]byte, error) {
	leave, err := k.enter(ctx)
	if err != nil {
		return nil, err
	}
	defer leave()
	raw, err := k.data.open(DNSSEC, ZoneKeyAD(zone), sealed)
	if err != nil {
		return nil, fmt.Errorf("opening a key of %s: %w", zone, err)
	}
	defer clear(raw)
	key, err := parseZoneKey(raw)
	if err != nil {
		return nil, fmt.Errorf("opening a key of %s: %w", zone, err)
	}
	out := make([][]byte, len(messages))
	for i, m := range messages {
		if err := key.mayState(zone, m); err != nil {
			return nil, err
		}
		if out[i], err = key.sign(m); err != nil {
			return nil, fmt.Errorf("signing for %s: %w", zone, err)
		}
	}
	return out, nil
}

// mayState refuses what is no statement of this key about its zone: a key is
// narrow, whatever it is shown.
func (k zoneKey) mayState(zone rr.Name, message []byte) error {
	s, err := sign.ReadStatement(message)
	if err != nil {
		return err
	}
	held := s.Expiration.Sub(s.Inception)
	switch {
	case s.Signer != zone:
		return core.Errorf(core.Denied, "a key of %s signs nothing for %s", zone, s.Signer)
	case s.Algorithm != k.Algorithm || s.Tag != k.tag:
		return core.Errorf(core.Denied, "the key %d of %s signs nothing for the key %d", k.tag, zone, s.Tag)
	case held <= 0 || held > longestStatement:
		return core.Errorf(core.Denied, "a signature for %s that holds %s: at most %s is accepted", zone, held, longestStatement)
	}
	return nil
}
