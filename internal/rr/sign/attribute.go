package sign

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/sha256"
	"math/big"
)

// attribute finds out which key made a signature, and reports whether one of
// the zone's did. Where several have the tag, only trying tells.
func (p *plan) attribute(sig *signature, s *set, n *node) bool {
	var of []*signer
	for i := range p.signers {
		if k := &p.signers[i]; k.tag == sig.tag && k.Algorithm == sig.algorithm {
			of = append(of, k)
		}
	}
	for _, k := range of {
		sig.by = k.id
		if len(of) == 1 || p.verify(k.Public, sig, s, n) {
			return true
		}
	}
	return false
}

// verify reports whether a key made the signature over a set.
func (p *plan) verify(k Public, sig *signature, s *set, n *node) bool {
	owner := n.name.Wire()
	message, err := appendRecords(appendHead(nil, s, sig, labelsOf(owner), p.apexWire), s, owner)
	return err == nil && k.verify(message, sig.octets)
}

// verify reports whether the key made the signature over a message.
func (p Public) verify(message []byte, sig [signatureSize]byte) bool {
	switch p.Algorithm {
	case Ed25519:
		return ed25519.Verify(p.Key, message, sig[:])
	case ECDSAP256SHA256:
		key, err := ecdsa.ParseUncompressedPublicKey(elliptic.P256(), append([]byte{4}, p.Key...))
		if err != nil {
			return false
		}
		digest := sha256.Sum256(message)
		const half = signatureSize / 2
		return ecdsa.Verify(key, digest[:], new(big.Int).SetBytes(sig[:half]), new(big.Int).SetBytes(sig[half:]))
	}
	return false
}
