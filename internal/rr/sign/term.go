package sign

import "math"

// term is how long signatures hold; times are in seconds since 1970.
type term struct {
	due     int64 // when the first is to be renewed
	expires int64 // when the first expires
	newest  int64 // when the last begins to hold
	part    bool  // one of a key that signs now is missing, or one of another key is there
	ttl     int64 // the greatest TTL of what is signed
}

// never is a time that does not come; noTerm is the term of no signatures.
const never = math.MaxInt64

var noTerm = term{due: never, expires: never}

// join is the term of two groups of signatures together.
func (t term) join(o term) term {
	return term{min(t.due, o.due), min(t.expires, o.expires), max(t.newest, o.newest), t.part || o.part, max(t.ttl, o.ttl)}
}

func (p *plan) termOf(s *set, sig *signature) term {
	return term{due: p.Timing.renewal(s.TTL, sig.expiration), expires: int64(sig.expiration), newest: int64(sig.inception)}
}

// waits reports whether Renew has something to do at a time. Signatures that do
// not hold yet were made while the clock was ahead.
func (t term) waits(now int64) bool { return t.part || t.due <= now || t.newest > now }

// urgency orders what waits: first what nobody accepts, then what is due longest.
func (t term) urgency(now int64) int64 {
	if t.newest > now {
		return 0
	}
	return t.due
}
