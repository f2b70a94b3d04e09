package nameserver

import (
	"hash/maphash"
	"net/netip"
	"sync/atomic"
	"unsafe"

	"hostward/internal/core"
)

// Limit bounds the answers over UDP that look the same and go to the same
// network, which is what a reflected attack consists of. Who shows a valid
// cookie, or asks over TCP, is not limited: his address is real.
type Limit struct {
	// Rate is the answers a second to one network: of one name and type, or of
	// one zone's denials, referrals or errors. At most 4000. 0: no limit.
	Rate int `json:"rate,omitempty"`
	// Slip sends every so manieth answer over the limit truncated, so that a
	// real asker comes back over TCP; the others are dropped. 0 means 2, 1
	// truncates all.
	Slip int `json:"slip,omitempty"`
	// Exempt are networks without a limit.
	Exempt []core.Network `json:"exempt,omitempty"`
}

// What counts as one network, in bits: as in BIND and Knot.
const (
	network4 = 24
	network6 = 56
)

const (
	buckets   = 1 << 17 // 1 MiB, whatever comes
	neighbour = 4       // places in which one bucket may be
	credit    = 8       // parts of an answer that credit is counted in
)

// limiter holds the buckets. Each is one word: 16 bits that tell buckets of
// one place apart, 32 bits of the time in ms, 16 bits of credit.
type limiter struct {
	limit Limit
	seed  maphash.Seed
	table []atomic.Uint64
}

func newLimiter(l Limit) *limiter {
	if l.Rate == 0 {
		return nil
	}
	l.Slip = or(l.Slip, 2)
	return &limiter{limit: l, seed: maphash.MakeSeed(), table: make([]atomic.Uint64, buckets)}
}

// subject is what answers are counted by.
type subject struct {
	network [8]byte // the first bits of the address
	kind    uint16  // the type of a positive answer, or what kind of other answer it is
	zone    uintptr // whose denial or referral; 0 otherwise
	name    uint64  // of a positive answer
}

// allow takes an answer from a bucket; false means that it is empty.
func (l *limiter) allow(s subject, now uint32) bool {
	h := maphash.Comparable(l.seed, s)
	tag := h >> 48
	place := &l.table[h%buckets]
	for i := range uint64(neighbour) {
		p := &l.table[(h+i)%buckets]
		w := p.Load()
		if w>>48 == tag {
			return l.take(p, w, tag, now)
		}
		if now-uint32(w>>16) > now-uint32(place.Load()>>16) {
			place = p // the one that was silent longest
		}
	}
	place.Store(tag<<48 | uint64(now)<<16 | uint64(l.full()-credit))
	return true
}

// full is the credit of who was silent for a second.
func (l *limiter) full() uint32 { return uint32(l.limit.Rate * credit) }

func (l *limiter) take(p *atomic.Uint64, w, tag uint64, now uint32) bool {
	then, have := uint32(w>>16), uint32(w&0xFFFF)
	elapsed := min(now-then, 1000)
	if gained := elapsed * l.full() / 1000; gained > 0 {
		have, then = min(have+gained, l.full()), now
	}
	enough := have >= credit
	if enough {
		have -= credit
	}
	p.CompareAndSwap(w, tag<<48|uint64(then)<<16|uint64(have)) // a race costs one count
	return enough
}

func (l *limiter) exempt(a netip.Addr) bool {
	for _, n := range l.limit.Exempt {
		if n.Contains(a) {
			return true
		}
	}
	return false
}

// networkOf returns the network of an address.
func networkOf(a netip.Addr) (out [8]byte) {
	if a.Is4() {
		b := a.As4()
		copy(out[:network4/8], b[:])
		out[7] = 4
		return out
	}
	b := a.As16()
	copy(out[:network6/8], b[:])
	return out
}

// Kinds of answers that are no records of a type.
const (
	kindError    = 0
	kindDenial   = typeOPT // no type that has records
	kindReferral = typeTSIG
)

// subject says what the answer that was just made is counted by: the zone for
// what can be asked for under any number of names, the name for its records.
func (r *responder) subject() subject {
	s := subject{network: networkOf(r.from.addr)}
	switch {
	case r.rcode != rcodeOK && r.rcode != rcodeNXDomain || r.img == nil:
		s.kind = kindError
		return s
	case r.an == 0 && !r.aa:
		s.kind = kindReferral
	case r.an == 0:
		s.kind = kindDenial
	case r.wildcard:
		s.kind = r.q.typ
	default:
		s.kind, s.name = r.q.typ, maphash.Bytes(r.limiter.seed, r.q.name[:r.q.nameLen])
		return s
	}
	s.zone = uintptr(unsafe.Pointer(unsafe.StringData(r.img.apex)))
	return s
}

// verdict on an answer over UDP.
type verdict uint8

const (
	sends verdict = iota
	slips
	drops
)

func (r *responder) judge() verdict {
	l := r.limiter
	if l == nil || r.from.stream || r.valid || l.exempt(r.from.addr) {
		return sends
	}
	if l.allow(r.subject(), r.now.ms) {
		return sends
	}
	r.slipped++
	if r.slipped%l.limit.Slip == 0 {
		r.count.slipped.Add(1)
		return slips
	}
	r.count.limited.Add(1)
	return drops
}
