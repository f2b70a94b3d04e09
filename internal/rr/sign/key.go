package sign

import (
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"strings"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Signer signs for one key. The private half is elsewhere, with the keeper.
//
// Sign returns the signature as RRSIG has it, 64 octets: r and s of 32 octets
// each (RFC 6605 4), or Ed25519's own (RFC 8080 4). message is what is signed
// (RFC 4034 3.1.8.1), not its digest: it begins with the RRSIG's data up to
// the signer's name, so that whoever holds the key can read whom he signs for,
// with what, and from when to when (see ReadStatement), before he does. It
// belongs to the caller and may change after Sign has returned. Sign is called
// from several goroutines.
type Signer interface {
	Sign(ctx context.Context, message []byte) (signature []byte, err error)
}

// Batch is what a Signer may offer besides, so that many signatures cost one
// journey. It returns the signatures in the order of messages.
type Batch interface {
	SignBatch(ctx context.Context, messages [][]byte) (signatures [][]byte, err error)
}

// Flags of a DNSKEY (RFC 4034 2.1.1).
const (
	ZoneKey    uint16 = 256 // signs a zone: a ZSK
	EntryPoint uint16 = 257 // and its DS may stand in the parent: a KSK or CSK
)

// protocol is the only value the field may have (RFC 4034 2.1.2).
const protocol = 3

// Public is the public half of a key: the data of its DNSKEY record.
type Public struct {
	Flags     uint16    `json:"flags"` // ZoneKey or EntryPoint
	Algorithm Algorithm `json:"algorithm"`
	Key       []byte    `json:"key"` // as in the record (RFC 6605 4, RFC 8080 3)
}

// KeyID names a key everywhere and always: the first 8 octets of SHA-256 of
// its DNSKEY data. Key tags do not, two keys may share one.
type KeyID [8]byte

// String returns 16 hexadecimal digits.
func (id KeyID) String() string { return hex.EncodeToString(id[:]) }

// MarshalText writes the form of String.
func (id KeyID) MarshalText() ([]byte, error) { return []byte(id.String()), nil }

// UnmarshalText reads the form of String.
func (id *KeyID) UnmarshalText(text []byte) error {
	b, err := hex.DecodeString(string(text))
	if err != nil || len(b) != len(id) {
		return core.Errorf(core.Invalid, "a key's id is 16 hexadecimal digits, not %.40q", text)
	}
	copy(id[:], b)
	return nil
}

// ParsePublic reads the data of a DNSKEY record.
func ParsePublic(data string) (Public, error) {
	wire, err := rr.Pack("DNSKEY", data)
	if err != nil {
		return Public{}, err
	}
	if wire[2] != protocol {
		return Public{}, core.Errorf(core.Invalid, "a key of the protocol %d: 3 is accepted (RFC 4034 2.1.2)", wire[2])
	}
	p := Public{Flags: binary.BigEndian.Uint16(wire), Algorithm: Algorithm(wire[3]), Key: wire[4:]}
	return p, p.check()
}

// check refuses what is no key of an algorithm that signs here.
func (p Public) check() error {
	switch {
	case p.Flags != ZoneKey && p.Flags != EntryPoint:
		return core.Errorf(core.Invalid, "a key with the flags %d: 256 and 257 are accepted", p.Flags)
	case !p.Algorithm.Known():
		return core.Errorf(core.Invalid, "a key of algorithm %s: %s and %s are accepted", p.Algorithm, ECDSAP256SHA256, Ed25519)
	case len(p.Key) != p.Algorithm.keySize():
		return core.Errorf(core.Invalid, "a key of %s has %d octets, not %d", p.Algorithm, p.Algorithm.keySize(), len(p.Key))
	}
	return nil
}

// Wire returns the record's data in wire form (RFC 4034 2.1).
func (p Public) Wire() []byte {
	b := binary.BigEndian.AppendUint16(make([]byte, 0, 4+len(p.Key)), p.Flags)
	return append(append(b, protocol, byte(p.Algorithm)), p.Key...)
}

// Data returns the record's data in canonical presentation form.
func (p Public) Data() string {
	return join(itoa(p.Flags), itoa(protocol), itoa(p.Algorithm), base64.StdEncoding.EncodeToString(p.Key))
}

// Tag returns the key tag (RFC 4034 appendix B). It helps to find a key, and
// is no name: see KeyID.
func (p Public) Tag() uint16 {
	var sum uint32
	for i, b := range p.Wire() {
		if i%2 == 0 {
			sum += uint32(b) << 8
		} else {
			sum += uint32(b)
		}
	}
	return uint16(sum + sum>>16)
}

// ID returns the key's name.
func (p Public) ID() KeyID {
	sum := sha256.Sum256(p.Wire())
	return KeyID(sum[:8])
}

// Collides reports whether validators could take p for one of the others: the
// same tag and algorithm. Some try only one key for a signature, or refuse such
// zones altogether, so whoever makes a key makes another one then.
func (p Public) Collides(others ...Public) bool {
	for _, o := range others {
		if o.Algorithm == p.Algorithm && o.Tag() == p.Tag() && o.ID() != p.ID() {
			return true
		}
	}
	return false
}

// Duty says what a key does at present. All kinds of keys are combinations: a
// CSK does everything, a KSK all but SignData, a ZSK publishes and signs data;
// keys that come or go do part of it.
type Duty struct {
	Publish  bool `json:"publish,omitempty"`   // it stands in the DNSKEY RRset
	SignKeys bool `json:"sign_keys,omitempty"` // it signs DNSKEY, CDS and CDNSKEY
	SignData bool `json:"sign_data,omitempty"` // it signs everything but DNSKEY
	Submit   bool `json:"submit,omitempty"`    // CDS and CDNSKEY ask the parent for its DS
}

// Key is a key of a zone.
type Key struct {
	Public
	Duty
	Signer Signer // may be nil for a key that signs nothing: one of another signer (RFC 8901)
}

// join puts fields into one line.
func join(fields ...string) string { return strings.Join(fields, " ") }
