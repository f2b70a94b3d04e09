package nameserver

import (
	"bytes"
	"crypto/sha1"
	"encoding/binary"
)

const (
	hashLen   = sha1.Size
	hashLabel = 32 // base32hex of a hash
	hashSHA1  = 1  // RFC 5155 11: there is no other
)

// hasher computes the names of NSEC3 records.
type hasher struct {
	in  [512]byte
	out [hashLen]byte
}

// hash returns the hash of a wire name in lower case (RFC 5155 5). It stands
// until the next call.
func (h *hasher) hash(img *image, name []byte) []byte {
	n := copy(h.in[:], name)
	n += copy(h.in[n:], img.salt)
	h.out = sha1.Sum(h.in[:n])
	for range img.rounds {
		n = copy(h.in[:], h.out[:])
		n += copy(h.in[n:], img.salt)
		h.out = sha1.Sum(h.in[:n])
	}
	return h.out[:]
}

const base32hex = "0123456789abcdefghijklmnopqrstuv"

// appendHash appends the label a hash stands in (RFC 4648 7, without padding).
func appendHash(b, hash []byte) []byte {
	b = append(b, hashLabel)
	for i := 0; i < hashLen; i += 5 {
		v := uint64(hash[i])<<32 | uint64(binary.BigEndian.Uint32(hash[i+1:]))
		for shift := 35; shift >= 0; shift -= 5 {
			b = append(b, base32hex[v>>shift&31])
		}
	}
	return b
}

// hashOf reads the hash back from a relative name of one label.
func hashOf(relative []byte) ([]byte, bool) {
	if len(relative) != 1+hashLabel || relative[0] != hashLabel {
		return nil, false
	}
	out := make([]byte, 0, hashLen)
	for i := 1; i < len(relative); i += 8 {
		var v uint64
		for _, c := range relative[i : i+8] {
			d := bytes.IndexByte([]byte(base32hex), c)
			if d < 0 {
				return nil, false
			}
			v = v<<5 | uint64(d)
		}
		out = append(out, byte(v>>32), byte(v>>24), byte(v>>16), byte(v>>8), byte(v))
	}
	return out, true
}

// proofAt returns the NSEC3 record of a hash in the chain in use.
func (img *image) proofAt(hash []byte) entry {
	s, ok := img.hashes.search(hash)
	if !ok {
		return entry{}
	}
	if e := img.hashes.at(s); img.chained(e) {
		return e
	}
	return entry{}
}

// proofOver returns the NSEC3 record that covers a hash which has none: the
// one before it, in a circle.
func (img *image) proofOver(hash []byte) entry {
	s, _ := img.hashes.search(hash)
	wrapped := false
	for {
		var ok bool
		if s, ok = img.hashes.before(s); !ok {
			if wrapped {
				return entry{}
			}
			wrapped = true
			s, _ = img.hashes.last()
		}
		if e := img.hashes.at(s); img.chained(e) {
			return e
		}
	}
}

// chained reports whether a record belongs to the chain in use: while the
// parameters change, two of them stand side by side.
func (img *image) chained(e entry) bool {
	const fixed = 5
	for r := range records(e.body.find(typeNSEC3).text) {
		d := r.rdata
		if len(d) < fixed || d[0] != hashSHA1 || int(binary.BigEndian.Uint16(d[2:])) != img.rounds {
			continue
		}
		if n := int(d[4]); fixed+n <= len(d) && string(d[fixed:fixed+n]) == img.salt {
			return true
		}
	}
	return false
}
