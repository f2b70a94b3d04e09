package breach

import (
	"crypto/sha1"
	"encoding/binary"
	"unicode/utf16"

	"golang.org/x/crypto/md4"
)

// kind is the hash function of a list, as the file names it.
type kind uint32

const (
	kindSHA1 kind = 1
	kindNTLM kind = 2
)

// kindOf tells a kind by the length of its hashes in bytes, 0 for none.
func kindOf(size int) kind {
	switch size {
	case sha1.Size:
		return kindSHA1
	case md4.Size:
		return kindNTLM
	}
	return 0
}

// String returns the name that people know it by.
func (k kind) String() string {
	switch k {
	case kindSHA1:
		return "SHA-1"
	case kindNTLM:
		return "NTLM"
	}
	return "unknown"
}

// size returns the length of a hash in bytes.
func (k kind) size() int {
	if k == kindNTLM {
		return md4.Size
	}
	return sha1.Size
}

// key hashes a password. Neither function is fit to protect one: they are what
// the public lists are made of.
func (k kind) key(password string) uint64 {
	if k == kindNTLM {
		return keyOf(ntlm(password))
	}
	sum := sha1.Sum([]byte(password))
	return keyOf(sum[:])
}

// ntlm is MD4 of UTF-16LE (MS-NLMP 3.3.1, NTOWFv1). Bytes that are no UTF-8
// become U+FFFD.
func ntlm(password string) []byte {
	text := make([]byte, 0, 2*len(password)) // a byte of UTF-8 never makes more than one unit
	var pair [2]uint16
	for _, r := range password {
		for _, unit := range utf16.AppendRune(pair[:0], r) {
			text = binary.LittleEndian.AppendUint16(text, unit)
		}
	}
	h := md4.New()
	_, _ = h.Write(text) // never fails
	return h.Sum(nil)
}

// keyOf takes the first 8 bytes of a hash. In 36 of 37 lists of a thousand
// million hashes they are different for all.
func keyOf(hash []byte) uint64 { return binary.BigEndian.Uint64(hash) }
