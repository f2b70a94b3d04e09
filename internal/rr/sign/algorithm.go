package sign

import "strconv"

// Algorithm is the number of a signature algorithm (IANA, "DNS Security
// Algorithm Numbers", which RFC 9904 made the list of what to use).
type Algorithm uint8

// The algorithms that sign here. Both are recommended for signing (RFC 9904),
// and both make signatures of 64 octets.
const (
	ECDSAP256SHA256 Algorithm = 13 // RFC 6605
	Ed25519         Algorithm = 15 // RFC 8080
)

// signatureSize is the length of a signature in octets, the same for both
// algorithms (RFC 6605 4, RFC 8080 4).
const signatureSize = 64

// String returns the mnemonic, "13" and the like for an algorithm that does
// not sign here.
func (a Algorithm) String() string {
	switch a {
	case ECDSAP256SHA256:
		return "ECDSAP256SHA256"
	case Ed25519:
		return "ED25519"
	}
	return strconv.Itoa(int(a))
}

// Known reports whether the algorithm signs here.
func (a Algorithm) Known() bool { return a.keySize() > 0 }

// keySize is the length of a public key in octets (RFC 6605 4, RFC 8080 3).
func (a Algorithm) keySize() int {
	switch a {
	case ECDSAP256SHA256:
		return 64
	case Ed25519:
		return 32
	}
	return 0
}

// DigestType is the number of a digest of a DS record (IANA, "Digest
// Algorithms" of "DNSSEC Delegation Signer").
type DigestType uint8

// The digests that are made. SHA-1 is not: it must not be used any more (RFC 9905).
const (
	SHA256 DigestType = 2 // RFC 4509
	SHA384 DigestType = 4 // RFC 6605 2
)

// String returns the name people know.
func (d DigestType) String() string {
	switch d {
	case SHA256:
		return "SHA-256"
	case SHA384:
		return "SHA-384"
	}
	return strconv.Itoa(int(d))
}
