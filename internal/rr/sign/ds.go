package sign

import (
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"strconv"
	"strings"

	"hostward/internal/rr"
)

// DS is the data of a DS or CDS record (RFC 4034 5.1).
type DS struct {
	Tag       uint16     `json:"tag"`
	Algorithm Algorithm  `json:"algorithm"`
	Type      DigestType `json:"digest_type"`
	Digest    string     `json:"digest"` // hexadecimal, upper case
}

// DS returns the key's DS in the parent of the zone owner. Type must be SHA256 or SHA384.
func (p Public) DS(owner rr.Name, typ DigestType) DS {
	text := append(owner.Wire(), p.Wire()...)
	sum := sha256.Sum256(text)
	digest := sum[:]
	if typ == SHA384 {
		long := sha512.Sum384(text)
		digest = long[:]
	}
	return DS{p.Tag(), p.Algorithm, typ, upperHex(digest)}
}

// ParseDS reads the data of a DS or CDS record, of any algorithm and digest.
func ParseDS(data string) (DS, error) {
	wire, err := rr.Pack("DS", data)
	if err != nil {
		return DS{}, err
	}
	return DS{binary.BigEndian.Uint16(wire), Algorithm(wire[2]), DigestType(wire[3]), upperHex(wire[4:])}, nil
}

// String returns the record's data in canonical presentation form.
func (d DS) String() string { return join(itoa(d.Tag), itoa(d.Algorithm), itoa(d.Type), d.Digest) }

// Of reports whether d is a DS of the key p of the zone owner. Digests that are
// not made here match no key.
func (d DS) Of(owner rr.Name, p Public) bool {
	return (d.Type == SHA256 || d.Type == SHA384) && d == p.DS(owner, d.Type)
}

// Forms has one key's DS in each form that registrars ask for.
type Forms struct {
	Zone      rr.Name   `json:"zone"`
	Tag       uint16    `json:"tag"`
	Flags     uint16    `json:"flags"`
	Protocol  uint8     `json:"protocol"`
	Algorithm Algorithm `json:"algorithm"`
	Mnemonic  string    `json:"mnemonic"` // the algorithm's
	Key       string    `json:"key"`      // base64, without blanks

	// DS is one entry for each digest, SHA-256 first: nearly every parent takes
	// that one, and it alone is enough (RFC 9904).
	DS []DSForms `json:"ds"`

	KeyLine string `json:"key_line"` // the DNSKEY record as a line of a zone file
	KeyEPP  string `json:"key_epp"`  // keyData of a registry that makes the DS itself (RFC 5910 4)
}

// DSForms is one DS in each form.
type DSForms struct {
	DS
	DigestName string `json:"digest_name"`
	Data       string `json:"data"` // "12345 13 2 4A…"
	Line       string `json:"line"` // a line of the parent's zone file
	EPP        string `json:"epp"`  // dsData (RFC 5910 4)
}

// Forms returns the key's DS in the parent of the zone owner in each form. ttl,
// in seconds, stands in the lines of a zone file.
func (p Public) Forms(owner rr.Name, ttl uint32) Forms {
	f := Forms{Zone: owner, Tag: p.Tag(), Flags: p.Flags, Protocol: protocol, Algorithm: p.Algorithm, Mnemonic: p.Algorithm.String(),
		Key: base64.StdEncoding.EncodeToString(p.Key)}
	f.KeyLine = rr.Record{Name: owner, TTL: ttl, Type: "DNSKEY", Data: p.Data()}.String()
	f.KeyEPP = fmt.Sprintf("<secDNS:keyData><secDNS:flags>%d</secDNS:flags><secDNS:protocol>%d</secDNS:protocol>"+
		"<secDNS:alg>%d</secDNS:alg><secDNS:pubKey>%s</secDNS:pubKey></secDNS:keyData>", p.Flags, protocol, p.Algorithm, f.Key)
	for _, typ := range []DigestType{SHA256, SHA384} {
		f.DS = append(f.DS, p.DS(owner, typ).forms(owner, ttl))
	}
	return f
}

func (d DS) forms(owner rr.Name, ttl uint32) DSForms {
	return DSForms{DS: d, DigestName: d.Type.String(), Data: d.String(),
		Line: rr.Record{Name: owner, TTL: ttl, Type: "DS", Data: d.String()}.String(),
		EPP: fmt.Sprintf("<secDNS:dsData><secDNS:keyTag>%d</secDNS:keyTag><secDNS:alg>%d</secDNS:alg>"+
			"<secDNS:digestType>%d</secDNS:digestType><secDNS:digest>%s</secDNS:digest></secDNS:dsData>", d.Tag, d.Algorithm, d.Type, d.Digest)}
}

func upperHex(b []byte) string { return strings.ToUpper(hex.EncodeToString(b)) }

func itoa[T ~uint8 | ~uint16 | ~uint32 | ~int](n T) string { return strconv.FormatUint(uint64(n), 10) }
