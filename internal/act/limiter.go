package act

import (
	"net/netip"
	"sync"
	"time"

	"hostward/internal/ledger"
)

// limiter keeps strangers from filling the log: the first failures of a
// network in a minute are exact records, and so many of all networks together;
// the rest is one record with a count, the first and the last time (SPEC L1).
// Only the bus's callers and its loop use it; memory is bounded by maxNetworks.
type limiter struct {
	mu     sync.Mutex
	counts map[crowd]*tally
	minute int64 // for which written counts
	exacts int   // exact records of that minute
}

// crowd is who fails alike: network, minute and kind of failure.
type crowd struct {
	network string
	minute  int64
	action  string
	code    string
}

type tally struct {
	seen  int
	entry *ledger.Entry // of those that were not exact
}

const (
	exactPerMinute = 20
	exactOfAll     = 300
	maxNetworks    = 4096
)

func newLimiter() *limiter {
	return &limiter{counts: map[crowd]*tally{}}
}

// exact reports whether e is to be written by itself; else it is counted.
func (l *limiter) exact(e *ledger.Entry, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	key := crowd{network(e.Address), now.Unix() / 60, e.Action, string(e.Code)}
	if l.counts[key] == nil && len(l.counts) >= maxNetworks {
		key.network = "" // too many networks at once: one crowd for the rest
	}
	t := l.counts[key]
	if t == nil {
		t = &tally{}
		l.counts[key] = t
	}
	t.seen++
	if t.seen <= exactPerMinute && key.network != "" && l.room(key.minute) {
		return true
	}
	if t.entry == nil {
		t.entry = e
		e.First, e.Address, e.Agent = now, key.network, ""
	}
	t.entry.Time = now
	t.entry.Count++
	return false
}

// room takes one of the exact records that all networks have together in a minute.
func (l *limiter) room(minute int64) bool {
	if minute != l.minute {
		l.minute, l.exacts = minute, 0
	}
	l.exacts++
	return l.exacts <= exactOfAll
}

// due returns the counts of minutes that are over and forgets them; a zero
// time means all of them.
func (l *limiter) due(now time.Time) []*ledger.Entry {
	l.mu.Lock()
	defer l.mu.Unlock()
	var out []*ledger.Entry
	for key, t := range l.counts {
		if !now.IsZero() && key.minute >= now.Unix()/60 {
			continue
		}
		if t.entry != nil {
			out = append(out, t.entry)
		}
		delete(l.counts, key)
	}
	return out
}

// network returns the /24 or /64 of an address: who has one, has the rest.
func network(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return "unknown"
	}
	a = a.Unmap()
	bits := 64
	if a.Is4() {
		bits = 24
	}
	p, err := a.Prefix(bits)
	if err != nil {
		return "unknown"
	}
	return p.String()
}
