package core

import "time"

// Clock tells the time. Production uses SystemClock; tests hand in their own.
type Clock func() time.Time

// SystemClock is the machine's clock, in UTC and cut to microseconds, which is
// what the log keeps (SPEC L2).
func SystemClock() time.Time { return time.Now().UTC().Truncate(time.Microsecond) }

// TimeFormat is RFC 3339 in UTC with exactly six digits of a second (SPEC L2).
const TimeFormat = "2006-01-02T15:04:05.000000Z"

// Micros is a time as databases and digests keep it: microseconds since 1970,
// 0 for the zero time. At is the way back.
func Micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// At is the time that Micros made a number of.
func At(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}
