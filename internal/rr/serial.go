package rr

import (
	"strconv"
	"time"
)

// SerialNext returns a serial greater than old in the sense of RFC 1982. A
// serial that reads as a date, YYYYMMDDnn, goes to today's 00 or, when that is
// not greater, up by one; any other goes up by one. Zero is left out, since
// some servers take it as "unknown".
func SerialNext(old uint32, now time.Time) uint32 {
	if dated(old, now) {
		n, _ := strconv.ParseUint(now.UTC().Format("20060102")+"00", 10, 32)
		if today := uint32(n); SerialAfter(today, old) {
			return today
		}
	}
	return max(old+1, 1)
}

// dated reports whether a serial reads as a date from 1990 until a year from now.
func dated(serial uint32, now time.Time) bool {
	s := strconv.FormatUint(uint64(serial), 10)
	if len(s) != 10 {
		return false
	}
	t, err := time.Parse("20060102", s[:8])
	return err == nil && t.Year() >= 1990 && t.Before(now.AddDate(1, 0, 0))
}

// SerialAfter reports whether a is greater than b (RFC 1982 3.2).
func SerialAfter(a, b uint32) bool { return int32(a-b) > 0 }

// SOA is the data of a SOA record; times are in seconds (RFC 1035 3.3.13).
type SOA struct {
	Primary, Mailbox                        Name
	Serial, Refresh, Retry, Expire, Minimum uint32
}

// ParseSOA reads the canonical data of a SOA record.
func ParseSOA(data string) (SOA, bool) {
	f := fields(data)
	if len(f) != 7 {
		return SOA{}, false
	}
	s := SOA{Primary: Name(f[0]), Mailbox: Name(f[1])}
	for i, to := range []*uint32{&s.Serial, &s.Refresh, &s.Retry, &s.Expire, &s.Minimum} {
		n, err := strconv.ParseUint(f[2+i], 10, 32)
		if err != nil {
			return SOA{}, false
		}
		*to = uint32(n)
	}
	return s, true
}

// String returns the canonical data.
func (s SOA) String() string {
	out := string(s.Primary) + " " + string(s.Mailbox)
	for _, n := range []uint32{s.Serial, s.Refresh, s.Retry, s.Expire, s.Minimum} {
		out += " " + strconv.FormatUint(uint64(n), 10)
	}
	return out
}
