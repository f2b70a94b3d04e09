package nameserver

import (
	"crypto/rand"
	"encoding/binary"
	"math/bits"
	"net/netip"
)

// Secret makes and checks server cookies. Servers of one name that share it
// believe each other's cookies (RFC 9018 5).
type Secret [16]byte

const (
	clientCookie  = 8
	serverCookie  = 16
	cookieVersion = 1
	// RFC 9018 4.3: how long a cookie is good, how far it may be ahead, and
	// the age from which on a new one is given, in seconds
	cookieLife  = 3600
	cookieAhead = 300
	cookieRenew = 1800
)

// secrets are those in use: the first makes cookies, all are believed, so that
// a new one can be brought in without anybody losing what he holds.
type secrets []Secret

func newSecret() Secret {
	var s Secret
	_, _ = rand.Read(s[:]) // it never fails
	return s
}

// appendCookie appends a server cookie for a client (RFC 9018 4).
func (s secrets) appendCookie(b, client []byte, from netip.Addr, now uint32) []byte {
	var in [clientCookie + 8 + 16]byte
	copy(in[:], client)
	in[8] = cookieVersion
	binary.BigEndian.PutUint32(in[12:], now)
	b = append(b, in[8:16]...)
	return binary.LittleEndian.AppendUint64(b, s[0].sum(in[:16], from))
}

// sum is the hash of what stands before the address, and the address.
func (s Secret) sum(head []byte, from netip.Addr) uint64 {
	var in [32]byte
	n := copy(in[:], head)
	if from.Is4() {
		a := from.As4()
		n += copy(in[n:], a[:])
	} else {
		a := from.As16()
		n += copy(in[n:], a[:])
	}
	return siphash(s, in[:n])
}

// check reports whether a server cookie is one of ours for this client, and
// how old it is in seconds.
func (s secrets) check(cookie []byte, from netip.Addr, now uint32) (age int32, ok bool) {
	if len(cookie) != clientCookie+serverCookie || cookie[8] != cookieVersion {
		return 0, false
	}
	age = int32(now - binary.BigEndian.Uint32(cookie[12:])) // serial arithmetic (RFC 9018 4.3)
	if age > cookieLife || age < -cookieAhead {
		return 0, false
	}
	want := binary.LittleEndian.Uint64(cookie[16:])
	for _, secret := range s {
		if secret.sum(cookie[:16], from) == want {
			return age, true
		}
	}
	return 0, false
}

// siphash is SipHash-2-4 of Aumasson and Bernstein (2012), as RFC 9018 4.4
// asks for.
func siphash(key Secret, in []byte) uint64 {
	k0, k1 := binary.LittleEndian.Uint64(key[:]), binary.LittleEndian.Uint64(key[8:])
	v := [4]uint64{k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d, k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573}
	last := uint64(len(in)) << 56
	for ; len(in) >= 8; in = in[8:] {
		m := binary.LittleEndian.Uint64(in)
		v[3] ^= m
		mix(&v, 2)
		v[0] ^= m
	}
	for i, c := range in {
		last |= uint64(c) << (8 * i)
	}
	v[3] ^= last
	mix(&v, 2)
	v[0] ^= last
	v[2] ^= 0xff
	mix(&v, 4)
	return v[0] ^ v[1] ^ v[2] ^ v[3]
}

func mix(v *[4]uint64, rounds int) {
	for range rounds {
		v[0] += v[1]
		v[1] = bits.RotateLeft64(v[1], 13) ^ v[0]
		v[0] = bits.RotateLeft64(v[0], 32)
		v[2] += v[3]
		v[3] = bits.RotateLeft64(v[3], 16) ^ v[2]
		v[0] += v[3]
		v[3] = bits.RotateLeft64(v[3], 21) ^ v[0]
		v[2] += v[1]
		v[1] = bits.RotateLeft64(v[1], 17) ^ v[2]
		v[2] = bits.RotateLeft64(v[2], 32)
	}
}
