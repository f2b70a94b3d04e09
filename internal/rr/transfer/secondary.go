package transfer

import (
	"time"

	"hostward/internal/rr"
)

// Secondary is where a zone that is fed from primaries stands: a state that is
// kept, and pure functions that say what is to be done and take in what came
// of it (RFC 1034 4.3.5, RFC 1996 4). It has no clock and no socket:
//
//	what, when := s.Due(now)     // do it, or wait until when
//	s = s.Answered(…)            // after AskSOA
//	s = s.Fetched(…)             // after Transfer
//	s = s.Failed(…)              // after either went wrong
//	s = s.Notified(…)            // at any time
//
// A round asks one primary after another, beginning with the one that was of
// use last, until one has something newer. It is good if at least one has what
// is here; a primary that is behind is passed over and counts for nothing.
type Secondary struct {
	Primaries int       `json:"primaries"` // how many there are
	SOA       rr.SOA    `json:"soa"`       // of the version that is here
	Have      bool      `json:"have"`      // there is one
	Checked   time.Time `json:"checked"`   // when a primary last said that it is the newest
	Next      time.Time `json:"next"`      // when the next round begins
	Failures  int       `json:"failures"`  // rounds without success, in a row

	Asking  bool   `json:"asking"`  // a round is on
	Current int    `json:"current"` // the primary that is asked
	Tried   int    `json:"tried"`   // how many were asked in this round
	Good    bool   `json:"good"`    // one of them has what is here
	Newer   bool   `json:"newer"`   // the current one has something newer: fetch it
	Again   bool   `json:"again"`   // NOTIFY came meanwhile: another round follows
	First   int    `json:"first"`   // with which the next round begins
	Hint    uint32 `json:"hint"`    // the serial that NOTIFY spoke of
	Hinted  bool   `json:"hinted"`
}

// Timing bounds what the SOA record asks for: whoever writes it decides about
// our work. Zero fields have the values named.
type Timing struct {
	LeastRefresh, MostRefresh time.Duration // 1 min, 1 day
	LeastRetry, MostRetry     time.Duration // 30 s, 6 h
	LeastExpire               time.Duration // 1 h
	First                     time.Duration // between tries before there is any version, twice as long each time up to MostRetry; 10 s
	Notify                    time.Duration // at least between two rounds that NOTIFY asks for; 1 s
	Jitter                    float64       // by which part of an interval it may be shorter; 0.1
}

func (t Timing) orDefault() Timing {
	for _, f := range []struct {
		to *time.Duration
		d  time.Duration
	}{{&t.LeastRefresh, time.Minute}, {&t.MostRefresh, 24 * time.Hour}, {&t.LeastRetry, 30 * time.Second}, {&t.MostRetry, 6 * time.Hour},
		{&t.LeastExpire, time.Hour}, {&t.First, 10 * time.Second}, {&t.Notify, time.Second}} {
		if *f.to <= 0 {
			*f.to = f.d
		}
	}
	if t.Jitter <= 0 {
		t.Jitter = 0.1
	}
	return t
}

// Task is what is to be done for a secondary zone.
type Task string

// The tasks.
const (
	Wait     Task = "wait"     // until the time that comes with it
	AskSOA   Task = "ask-soa"  // ask primary Current for its SOA
	Transfer Task = "transfer" // fetch the zone from primary Current
)

// Due says what is to be done now, or until when there is nothing. What was
// begun before now and has not come back is asked for again: the caller has
// one task at a time.
func (s Secondary) Due(now time.Time) (Task, time.Time) {
	switch {
	case s.Primaries == 0:
		return Wait, time.Time{}
	case s.Asking && (s.Newer || !s.Have):
		return Transfer, now
	case s.Asking:
		return AskSOA, now
	case now.Before(s.Next):
		return Wait, s.Next
	}
	return s.Begun().Due(now)
}

// Begun begins a round if none is on. Call it before the task of Due is done.
func (s Secondary) Begun() Secondary {
	if s.Asking {
		return s
	}
	s.Asking, s.Tried, s.Good, s.Newer, s.Again = true, 0, false, false, false
	s.Current = s.First % max(s.Primaries, 1)
	return s
}

// Expired reports whether the version that is here must not be served any
// more: no primary could be asked for the SOA's expire time (RFC 1035 3.3.13).
func (s Secondary) Expired(now time.Time, t Timing) bool {
	return !s.Have || !now.Before(s.ExpiresAt(t))
}

// ExpiresAt is when the version that is here expires.
func (s Secondary) ExpiresAt(t Timing) time.Time {
	return s.Checked.Add(max(seconds(s.SOA.Expire), t.orDefault().LeastExpire))
}

func seconds(n uint32) time.Duration { return time.Duration(n) * time.Second }

// Notified takes in a NOTIFY from a primary (its number, or -1) with the serial
// it names, if any. One that names what is here already is nothing. Whoever may
// notify may cause a round a Timing.Notify, not more.
func (s Secondary) Notified(now time.Time, t Timing, from int, serial uint32, hint bool) Secondary {
	if hint && s.Have && !rr.SerialAfter(serial, s.SOA.Serial) {
		return s
	}
	if from >= 0 && from < s.Primaries {
		s.First = from
	}
	s.Hint, s.Hinted = serial, hint
	if s.Asking {
		s.Again = true
		return s
	}
	soonest := now
	if after := s.Checked.Add(t.orDefault().Notify); s.Checked.Before(now) && after.After(now) {
		soonest = after
	}
	if s.Next.After(soonest) || s.Next.IsZero() {
		s.Next = soonest
	}
	return s
}

// Answered takes in the serial of the current primary. random is in [0, 1)
// and spreads the rounds of many zones.
func (s Secondary) Answered(now time.Time, t Timing, serial uint32, random float64) Secondary {
	switch {
	case !s.Have || rr.SerialAfter(serial, s.SOA.Serial):
		s.Newer = true
		return s
	case serial == s.SOA.Serial:
		s.Good = true
		s.Checked = now
	}
	return s.further(now, t, random)
}

// Fetched takes in the SOA of what was fetched from the current primary and is
// now here. After UpToDate it is that of the version before. One that is older
// than what is here counts as a primary that is behind, and must not be kept.
func (s Secondary) Fetched(now time.Time, t Timing, soa rr.SOA, random float64) Secondary {
	if s.Have && rr.SerialAfter(s.SOA.Serial, soa.Serial) {
		return s.further(now, t, random)
	}
	s.SOA, s.Have, s.Checked, s.Good = soa, true, now, true
	return s.over(now, t, random)
}

// Failed takes in that the current primary does not answer, refuses, or sent
// what cannot be used.
func (s Secondary) Failed(now time.Time, t Timing, random float64) Secondary {
	return s.further(now, t, random)
}

// further goes on to the next primary, or ends the round.
func (s Secondary) further(now time.Time, t Timing, random float64) Secondary {
	s.Newer = false
	s.Tried++
	if s.Tried < s.Primaries {
		s.Current = (s.Current + 1) % s.Primaries
		return s
	}
	return s.over(now, t, random)
}

// over ends the round and sets the time of the next one.
func (s Secondary) over(now time.Time, t Timing, random float64) Secondary {
	s.Asking, s.Newer = false, false
	t = t.orDefault()
	if s.Good {
		s.Failures, s.First = 0, s.useful()
		s.Next = now.Add(t.jittered(within(seconds(s.SOA.Refresh), t.LeastRefresh, t.MostRefresh), random))
	} else {
		s.Failures++
		s.First = (s.Current + 1) % max(s.Primaries, 1)
		s.Next = now.Add(t.jittered(s.pause(t), random))
	}
	return s.follow(now, t)
}

// useful is with which primary the next round begins: the current one if the
// version here came from it, else the one that began.
func (s Secondary) useful() int {
	if s.Tried < s.Primaries {
		return s.Current
	}
	return s.First
}

// follow keeps a promise: NOTIFY named a serial that has not come yet, or came
// while the round was on. A primary that notifies and does not have it yet is
// asked again after the pause of a failure, not at once.
func (s Secondary) follow(now time.Time, t Timing) Secondary {
	reached := s.Have && s.Hinted && !rr.SerialAfter(s.Hint, s.SOA.Serial)
	switch {
	case reached:
		s.Hinted = false
	case s.Again:
		s.Next = earlier(s.Next, now.Add(t.Notify))
	case s.Hinted:
		s.Hinted = false
		s.Next = earlier(s.Next, now.Add(within(seconds(s.SOA.Retry), t.LeastRetry, t.MostRetry)))
	}
	s.Again = false
	return s
}

func earlier(a, b time.Time) time.Time {
	if a.Before(b) {
		return a
	}
	return b
}

// pause is how long to wait after rounds without success: the SOA's retry,
// twice as long each time, not longer than refresh; before there is a version,
// from Timing.First to MostRetry.
func (s Secondary) pause(t Timing) time.Duration {
	d, most := t.First, t.MostRetry
	if s.Have {
		d = within(seconds(s.SOA.Retry), t.LeastRetry, t.MostRetry)
		most = max(d, min(t.MostRetry, within(seconds(s.SOA.Refresh), t.LeastRefresh, t.MostRefresh)))
	}
	for n := 1; n < s.Failures && d < most; n++ {
		d *= 2
	}
	return min(d, most)
}

func within(d, least, most time.Duration) time.Duration { return min(max(d, least), most) }

func (t Timing) jittered(d time.Duration, random float64) time.Duration {
	return d - time.Duration(float64(d)*t.Jitter*random)
}
