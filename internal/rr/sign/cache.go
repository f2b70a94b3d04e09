package sign

import (
	"slices"
	"time"
)

// Copy is one version of an RRset that a cache somewhere may hold. There is no
// telling which of them a validator has, so every mixture must be good: of the
// parent's DS, the DNSKEY RRset, and the signatures over data.
type Copy struct {
	Keys    []KeyID `json:"keys,omitempty"`    // DS: whose it is; DNSKEY: what it holds; data: who signed; sorted
	Signers []KeyID `json:"signers,omitempty"` // DNSKEY: who signed it
	Foreign bool    `json:"foreign,omitempty"` // DS: there is one that belongs to no key of the State
	TTL     int64   `json:"ttl"`               // the greatest that it was seen with, in seconds
	Seen    bool    `json:"seen,omitempty"`    // DS: a server of the parent had it
	Live    bool    `json:"live,omitempty"`    // it may still be served
	Gone    int64   `json:"gone,omitempty"`    // if not: when it was served last at the latest, on the State's clock
	Dropped int64   `json:"dropped,omitempty"` // DS: when the parent was last asked for it no more, on the same clock
}

// equal reports whether two Copies are the same to a validator.
func (c Copy) equal(o Copy) bool {
	return slices.Equal(c.Keys, o.Keys) && slices.Equal(c.Signers, o.Signers) && c.Foreign == o.Foreign
}

// until is when the last cache forgets it, on the State's clock.
func (c Copy) until(p Policy) int64 { return c.Gone + c.TTL + int64(p.Safety/time.Second) }

// Copies are the versions of one RRset.
type Copies []Copy

// add notes that a copy is, or may soon be, served.
func (cs Copies) add(c Copy) Copies {
	for i := range cs {
		if cs[i].equal(c) {
			cs[i].TTL, cs[i].Seen = max(c.TTL, cs[i].TTL), c.Seen || cs[i].Seen
			cs[i].Live, cs[i].Gone = true, 0
			return cs
		}
	}
	c.Live = true
	return append(cs, c)
}

// stretch has what may be served last for at least that TTL.
func (cs Copies) stretch(ttl int64, which func(Copy) bool) {
	for i := range cs {
		if cs[i].Live && which(cs[i]) {
			cs[i].TTL = max(cs[i].TTL, ttl)
		}
	}
}

// drop notes that the parent is not asked for a copy any more.
func (cs Copies) drop(which Copy, clock int64) {
	for i := range cs {
		if cs[i].equal(which) {
			cs[i].Dropped = max(clock, 1)
		}
	}
}

// settled is when a DS that no server of the parent has is certainly over. A parent
// that read the wish for it in the last moment may act on it much later, even one that
// had it for years: it may lose it and then restore what it read. No DS at all harms
// nobody whenever it comes.
func (c Copy) settled(p Policy, clock int64) int64 {
	if c.Dropped == 0 || len(c.Keys) == 0 {
		return clock
	}
	return max(clock, c.Dropped+int64(p.Registration/time.Second))
}

// end notes that no copies but those that stay are served any more.
func (cs Copies) end(stays func(Copy) bool, gone func(Copy) int64) {
	for i := range cs {
		if cs[i].Live && !stays(cs[i]) {
			cs[i].Live, cs[i].Gone = false, gone(cs[i])
		}
	}
}

// forget drops what no cache holds any more.
func (cs Copies) forget(p Policy, clock int64) Copies {
	return slices.DeleteFunc(cs, func(c Copy) bool { return !c.Live && clock >= c.until(p) })
}

// unions returns all unions of DS sets: while a parent goes from one to another it
// may have both for a time.
func unions(cs Copies) []Copy {
	out := []Copy{{}}
	for _, c := range cs {
		for _, u := range slices.Clone(out) {
			keys := slices.Concat(u.Keys, c.Keys)
			slices.SortFunc(keys, KeyID.compare)
			u.Keys = slices.Compact(keys)
			if !slices.ContainsFunc(out, u.equal) {
				out = append(out, u)
			}
		}
	}
	return out
}

// validates reports whether a validator accepts data with these copies. It is
// the strictest one there is: each algorithm of the DS needs a chain (RFC 4035
// 5.2), and each algorithm of the DS or of the DNSKEY RRset a signature over the data
// (RFC 4035 2.2; RFC 6840 5.11 asks for less). Without DS everything is accepted.
func (s *State) validates(ds, keys, data Copy) bool {
	if len(ds.Keys) == 0 {
		return true
	}
	chain, signed := map[Algorithm]bool{}, map[Algorithm]bool{}
	for _, id := range keys.Keys {
		a := s.algorithm(id)
		signed[a] = signed[a] || slices.Contains(data.Keys, id)
		chain[a] = chain[a] || slices.Contains(ds.Keys, id) && slices.Contains(keys.Signers, id)
	}
	for _, id := range ds.Keys {
		if a := s.algorithm(id); !chain[a] || !signed[a] {
			return false
		}
	}
	for _, is := range signed {
		if !is {
			return false
		}
	}
	return true
}
