package sign

import (
	"encoding/binary"
	"hash/fnv"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Timing says from when to when signatures hold. The zero value is usable.
//
// An RRset with the TTL t that is signed at the time now holds from now -
// Backdate to now + Validity + t - j, with 0 <= j <= Jitter, and is signed
// again when Refresh + t is left. So whatever leaves a server has at least
// Refresh left when the last cache forgets it (RFC 6781 4.4.2). Of a TTL 30
// days count, which is longer than resolvers keep anything (RFC 8767 4).
type Timing struct {
	// Validity is how long signatures hold. 0: 14 days.
	Validity time.Duration `json:"validity"`
	// Refresh is how long they still hold when they are renewed, and how long
	// signing may stand still before anybody notices. It should be longer than the
	// zone's SOA expire time, or a secondary that was cut off serves signatures that
	// have expired before it gives up (RFC 6781 4.4.2.2). 0: half of Validity.
	Refresh time.Duration `json:"refresh"`
	// Jitter spreads what was signed at once over that much time, so that it is not
	// due at once. 0: a fifth of Validity. Negative: none.
	Jitter time.Duration `json:"jitter"`
	// Backdate is how far a validator's clock may be behind ours. 0: 1 h. Negative: none.
	Backdate time.Duration `json:"backdate"`
	// KeyTTL is the TTL of DNSKEY, CDS and CDNSKEY in seconds. 0: 3600.
	KeyTTL uint32 `json:"key_ttl"`
	// Seed makes the jitter of one zone differ from that of another. Any number.
	Seed uint64 `json:"seed"`
}

const day = 24 * time.Hour

// withDefaults fills in what is zero and refuses what cannot be.
func (t Timing) withDefaults() (Timing, core.Faults) {
	t.Validity = or(t.Validity, 14*day)
	t.Refresh = or(t.Refresh, t.Validity/2)
	t.Jitter = max(or(t.Jitter, t.Validity/5), 0)
	t.Backdate = max(or(t.Backdate, time.Hour), 0)
	t.KeyTTL = or(t.KeyTTL, 3600)
	var faults core.Faults
	if t.Validity < time.Hour || t.Validity > 365*day {
		faults.Add("validity", t.Validity.String(), "1 hour to 365 days")
	}
	if t.Refresh < 0 || t.Refresh+t.Jitter >= t.Validity {
		faults.Add("refresh", t.Refresh.String(), "together with the jitter, less than the validity: signatures would be due when they are made")
	}
	if t.Backdate > 7*day {
		faults.Add("backdate", t.Backdate.String(), "at most 7 days")
	}
	if t.KeyTTL > rr.MaxTTL {
		faults.Add("key_ttl", "", "a TTL up to 2147483647 seconds (RFC 2181 8)")
	}
	return t, faults
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}

// cached is for how many seconds an RRset is counted on to stay in caches.
func cached(ttl uint32) int64 { return min(int64(ttl), int64(30*day/time.Second)) }

// Spread is the time over which signatures that were made at once are due.
func (t Timing) Spread() time.Duration {
	t, _ = t.withDefaults()
	return t.Jitter
}

// window returns from when to when a signature made now holds, in seconds since
// 1970. RRSIG has 32 bits for them (RFC 4034 3.1.5), enough until 2106.
func (t Timing) window(s rr.RRset, now time.Time) (inception, expiration uint32) {
	end := now.Add(t.Validity).Unix() + cached(s.TTL) - t.jitter(s, now)
	return uint32(now.Add(-t.Backdate).Unix()), uint32(end)
}

// jitter is a number of seconds that looks random, and is the same for the same
// set, time and seed.
func (t Timing) jitter(s rr.RRset, now time.Time) int64 {
	span := uint64(t.Jitter / time.Second)
	if span == 0 {
		return 0
	}
	h := fnv.New64a()
	var b [16]byte
	binary.BigEndian.PutUint64(b[:], t.Seed)
	binary.BigEndian.PutUint64(b[8:], uint64(now.Unix()))
	h.Write(b[:])
	h.Write([]byte(s.Name))
	h.Write([]byte(s.Type))
	return int64(h.Sum64() % (span + 1))
}

// renewal is when a signature over an RRset with that TTL is to be made again,
// in seconds since 1970.
func (t Timing) renewal(ttl, expiration uint32) int64 {
	return int64(expiration) - int64(t.Refresh/time.Second) - cached(ttl)
}
