package sign

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"strings"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// signature is an RRSIG without what can be told from the RRset it covers.
type signature struct {
	by                    KeyID
	inception, expiration uint32 // seconds since 1970
	tag                   uint16
	algorithm             Algorithm
	octets                [signatureSize]byte
}

// signTime is how RRSIG writes times (RFC 4034 3.2).
const signTime = "20060102150405"

// data returns the RRSIG's data in canonical presentation form (RFC 4034 3.2).
func (s *signature) data(over rr.RRset, labels int, signer string) string {
	b := make([]byte, 0, 160+len(signer))
	b = append(append(b, over.Type...), ' ')
	for _, n := range []uint64{uint64(s.algorithm), uint64(labels), uint64(over.TTL)} {
		b = append(strconv.AppendUint(b, n, 10), ' ')
	}
	for _, t := range []uint32{s.expiration, s.inception} {
		b = append(time.Unix(int64(t), 0).UTC().AppendFormat(b, signTime), ' ')
	}
	b = append(strconv.AppendUint(b, uint64(s.tag), 10), ' ')
	b = append(append(b, signer...), ' ')
	return string(base64.StdEncoding.AppendEncode(b, s.octets[:]))
}

// labelsOf is the Labels field of RRSIG: a wildcard's own label does not count
// (RFC 4034 3.1.3).
func labelsOf(wire []byte) int {
	labels := 0
	for i := 0; wire[i] != 0; i += 1 + int(wire[i]) {
		labels++
	}
	if wire[0] == 1 && wire[1] == '*' {
		labels--
	}
	return labels
}

// parseSignature reads the data of an RRSIG over a set. ok is false if it is
// not one that could have been made here for that set.
func parseSignature(data string, over rr.RRset, labels int, signer string) (s signature, ok bool) {
	head, octets, found := strings.Cut(data, " "+signer+" ")
	f := strings.Fields(head)
	if !found || len(f) != 7 || f[0] != over.Type || f[2] != strconv.Itoa(labels) || f[3] != strconv.FormatUint(uint64(over.TTL), 10) {
		return s, false
	}
	algorithm, err1 := strconv.ParseUint(f[1], 10, 8)
	until, err2 := time.Parse(signTime, f[4])
	from, err3 := time.Parse(signTime, f[5])
	tag, err4 := strconv.ParseUint(f[6], 10, 16)
	if err := errors.Join(err1, err2, err3, err4); err != nil {
		return s, false
	}
	s.algorithm, s.tag = Algorithm(algorithm), uint16(tag)
	s.inception, s.expiration = uint32(from.Unix()), uint32(until.Unix())
	return s, s.readOctets(octets)
}

// readOctets reads a signature in base64.
func (s *signature) readOctets(text string) bool {
	b, err := base64.StdEncoding.DecodeString(text)
	return err == nil && len(b) == signatureSize && copy(s.octets[:], b) == signatureSize
}

// Statement is what a message that is to be signed says (RFC 4034 3.1.8.1).
type Statement struct {
	Type                  string // type covered
	Algorithm             Algorithm
	Labels                uint8
	OriginalTTL           uint32 // seconds
	Expiration, Inception time.Time
	Tag                   uint16
	Signer                rr.Name // the zone
	Owner                 rr.Name // of the RRset, also when it is a wildcard
	Records               int
}

// ReadStatement reads a message that is to be signed, so that whoever holds the
// key can refuse one for another zone, or for times that nobody should sign
// for. Anything that is not exactly such a message is Invalid.
func ReadStatement(message []byte) (Statement, error) {
	if len(message) < signedHeader {
		return Statement{}, errNoStatement()
	}
	code := binary.BigEndian.Uint16(message)
	s := Statement{
		Type: rr.TypeName(code), Algorithm: Algorithm(message[2]), Labels: message[3],
		OriginalTTL: binary.BigEndian.Uint32(message[4:]),
		Expiration:  unix(binary.BigEndian.Uint32(message[8:])), Inception: unix(binary.BigEndian.Uint32(message[12:])),
		Tag: binary.BigEndian.Uint16(message[16:]),
	}
	signer, n, err := rr.NameFromWire(message[signedHeader:])
	if err != nil {
		return Statement{}, errNoStatement()
	}
	s.Signer = signer
	return s, s.readRecords(message[signedHeader+n:], code)
}

// signedHeader is the length of an RRSIG's fixed fields.
const signedHeader = 18

// readRecords reads the RRset that follows.
func (s *Statement) readRecords(b []byte, code uint16) error {
	for len(b) > 0 {
		owner, n, err := rr.NameFromWire(b)
		if err != nil || len(b) < n+10 {
			return errNoStatement()
		}
		fixed := b[n:]
		size := int(binary.BigEndian.Uint16(fixed[8:]))
		if binary.BigEndian.Uint16(fixed) != code || binary.BigEndian.Uint16(fixed[2:]) != classIN ||
			binary.BigEndian.Uint32(fixed[4:]) != s.OriginalTTL || len(fixed) < 10+size || s.Records > 0 && owner != s.Owner {
			return errNoStatement()
		}
		s.Owner, b = owner, fixed[10+size:]
		s.Records++
	}
	if s.Records == 0 || !s.Owner.Under(s.Signer) {
		return errNoStatement()
	}
	return nil
}

func errNoStatement() error {
	return core.Errorf(core.Invalid, "the octets are not an RRset with the head of its RRSIG (RFC 4034 3.1.8.1)")
}

func unix(seconds uint32) time.Time { return time.Unix(int64(seconds), 0).UTC() }

const classIN = 1

// appendHead writes an RRSIG's data up to the signer's name.
func appendHead(b []byte, s *set, sig *signature, labels int, origin []byte) []byte {
	b = binary.BigEndian.AppendUint16(b, s.code)
	b = append(b, byte(sig.algorithm), byte(labels))
	b = binary.BigEndian.AppendUint32(b, s.TTL)
	b = binary.BigEndian.AppendUint32(b, sig.expiration)
	b = binary.BigEndian.AppendUint32(b, sig.inception)
	b = binary.BigEndian.AppendUint16(b, sig.tag)
	return append(b, origin...)
}

// appendRecords writes an RRset in canonical form and order (RFC 4034 6).
// Records in another order are refused: their signature would fit no validator's.
func appendRecords(b []byte, s *set, owner []byte) ([]byte, error) {
	var last []byte
	for i, d := range s.Data {
		b = append(b, owner...)
		b = binary.BigEndian.AppendUint16(b, s.code)
		b = binary.BigEndian.AppendUint16(b, classIN)
		b = binary.BigEndian.AppendUint32(b, s.TTL)
		at := len(b) + 2
		var err error
		if b, err = appendData(append(b, 0, 0), s, d); err != nil {
			return nil, err
		}
		binary.BigEndian.PutUint16(b[at-2:], uint16(len(b)-at))
		if i > 0 && bytes.Compare(last, b[at:]) >= 0 {
			return nil, core.Errorf(core.Invalid, "%s: the records are not in canonical order, or not different (RFC 4034 6.3)", s.Key())
		}
		last = b[at:]
	}
	return b, nil
}

// appendData writes the canonical wire form of data. The types of which zones
// are full have ways of their own here, since reading any type takes ten times as long.
func appendData(b []byte, s *set, data string) ([]byte, error) {
	switch s.code {
	case typeA, typeAAAA:
		if a, err := netip.ParseAddr(data); err == nil && a.Is4() == (s.code == typeA) && a.Zone() == "" {
			return append(b, a.AsSlice()...), nil
		}
	case typeNS, typeCNAME, typePTR, typeDNAME:
		name, err := rr.ParseName(data, "")
		return append(b, name.Wire()...), err
	}
	wire, err := rr.Pack(s.Type, data)
	return append(b, wire...), err
}
