package rr

import (
	"crypto/sha256"
	"crypto/sha3"
	"encoding/binary"
	"strconv"
)

// Accumulator is the running digest of a set of RRsets: LtHash with 1024
// lanes of 16 bits. Adding or removing one RRset costs the same however large
// the zone is, and the order does not matter.
//
// It is defined so that it can be computed anywhere:
//
//   - The octets of an RRset are the lines, each ended by one LF (0x0A):
//     "hostward-rrset-v1", the name, the TTL in decimal, the type, then the
//     data of each record in the RRset's order. All are ASCII and none holds
//     an LF, so no two RRsets have the same octets.
//   - SHAKE128 (FIPS 202) of these octets gives 2048 octets: 1024 lanes, each
//     an unsigned 16-bit number, little endian.
//   - The accumulator of a set is the sum of its members' lanes, lane by lane,
//     modulo 2^16; that of the empty set is all zero.
//   - Sum, the state digest, is SHA-256 of the accumulator's 2048 octets.
//
// To find another set with the same sum is to solve a short integer solution
// problem. Sources: Bellare, Micciancio, "A New Paradigm for Collision-Free
// Hashing: Incrementality at Reduced Cost" (EUROCRYPT 1997), which has AdHash
// and LtHash; Lewi, Kim, Maykov, Weis, "Securing Update Propagation with
// Homomorphic Hashing" (IACR ePrint 2019/227), which estimates these
// parameters, 16 and 1024, above 200 bits. It holds for sets: the same RRset
// added 2^16 times would vanish, so a caller adds each at most once.
//
// The octets are the text as it is stored, not wire format: what an auditor
// sees is what is hashed, and an edit that means the same is noticed too.
type Accumulator [2048]byte

// Add adds an RRset. One without data is nothing and changes nothing.
func (a *Accumulator) Add(s RRset) {
	if len(s.Data) == 0 {
		return
	}
	lanes := expand(s)
	for i := 0; i < len(a); i += 2 {
		put(a[i:], get(a[i:])+get(lanes[i:]))
	}
}

// Remove takes back an Add of the same RRset.
func (a *Accumulator) Remove(s RRset) {
	if len(s.Data) == 0 {
		return
	}
	lanes := expand(s)
	for i := 0; i < len(a); i += 2 {
		put(a[i:], get(a[i:])-get(lanes[i:]))
	}
}

// Sum returns the state digest.
func (a *Accumulator) Sum() [32]byte { return sha256.Sum256(a[:]) }

func get(b []byte) uint16    { return binary.LittleEndian.Uint16(b) }
func put(b []byte, n uint16) { binary.LittleEndian.PutUint16(b, n) }

// expand returns the lanes of one RRset.
func expand(s RRset) (lanes Accumulator) {
	h := sha3.NewSHAKE128()
	_, _ = h.Write(s.octets()) // a hash never fails
	_, _ = h.Read(lanes[:])
	return lanes
}

func (s RRset) octets() []byte {
	b := []byte("hostward-rrset-v1\n")
	for _, line := range append([]string{string(s.Name), strconv.FormatUint(uint64(s.TTL), 10), s.Type}, s.Data...) {
		b = append(append(b, line...), '\n')
	}
	return b
}
