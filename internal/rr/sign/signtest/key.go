// Package signtest has keys for tests and benchmarks: they come from a number,
// so that they are the same each time, and keep no secret.
package signtest

import (
	"context"
	"crypto"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"encoding/binary"
	"math/big"

	"golang.org/x/crypto/cryptobyte"
	"golang.org/x/crypto/cryptobyte/asn1"

	"hostward/internal/rr/sign"
)

// Duties of the three kinds of keys.
var (
	CSK = sign.Duty{Publish: true, SignKeys: true, SignData: true}
	KSK = sign.Duty{Publish: true, SignKeys: true}
	ZSK = sign.Duty{Publish: true, SignData: true}
)

// Key returns the key with that number. A key that signs keys is an entry point.
func Key(a sign.Algorithm, number uint64, d sign.Duty) sign.Key {
	seed := sha256.Sum256(binary.BigEndian.AppendUint64([]byte("signtest "), number))
	flags := sign.ZoneKey
	if d.SignKeys || d.Submit {
		flags = sign.EntryPoint
	}
	k := sign.Key{Public: sign.Public{Flags: flags, Algorithm: a}, Duty: d}
	if a == sign.Ed25519 {
		private := ed25519.NewKeyFromSeed(seed[:])
		k.Public.Key, k.Signer = private.Public().(ed25519.PublicKey), edwards(private)
		return k
	}
	private, err := ecdsa.ParseRawPrivateKey(elliptic.P256(), seed[:])
	if err != nil {
		panic(err) // the seed is above the curve's order: once in 2^32 numbers
	}
	point, err := private.PublicKey.Bytes()
	if err != nil {
		panic(err) // the key was made one line above
	}
	k.Public.Key, k.Signer = point[1:], nist{private}
	return k
}

type edwards ed25519.PrivateKey

func (k edwards) Sign(_ context.Context, message []byte) ([]byte, error) {
	return ed25519.Sign(ed25519.PrivateKey(k), message), nil
}

type nist struct{ key *ecdsa.PrivateKey }

// Sign makes the same signature each time (RFC 6979).
func (k nist) Sign(_ context.Context, message []byte) ([]byte, error) {
	digest := sha256.Sum256(message)
	der, err := k.key.Sign(nil, digest[:], crypto.SHA256)
	if err != nil {
		return nil, err
	}
	r, s := new(big.Int), new(big.Int)
	var inner cryptobyte.String
	in := cryptobyte.String(der)
	if !in.ReadASN1(&inner, asn1.SEQUENCE) || !inner.ReadASN1Integer(r) || !inner.ReadASN1Integer(s) {
		panic("crypto/ecdsa gave no signature in ASN.1")
	}
	out := make([]byte, 64)
	r.FillBytes(out[:32])
	s.FillBytes(out[32:])
	return out, nil
}
