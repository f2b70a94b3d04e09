package watch

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"time"
)

// mostMoments is how many different seconds of one address are kept apart.
const mostMoments = 64

// tracker counts the failures of one prefix in one jail.
type tracker struct {
	prefix     netip.Prefix
	moments    []moment // in the order of time
	lines      evidence
	newer, old *tracker // in the order of use
}

// moment is how much failed within one second.
type moment struct {
	at    int64 // Unix time
	count int
}

// add counts n failures at a time. Of very many the oldest are put together, at the
// earlier time, so that they are forgotten rather too soon than too late.
func (t *tracker) add(at int64, n int) {
	i := len(t.moments)
	for i > 0 && t.moments[i-1].at > at {
		i--
	}
	if i > 0 && t.moments[i-1].at == at {
		t.moments[i-1].count += n
		return
	}
	if len(t.moments) == mostMoments {
		t.moments[0].count += t.moments[1].count
		t.moments = append(t.moments[:1], t.moments[2:]...)
		i = max(1, i-1)
	}
	t.moments = append(t.moments, moment{})
	copy(t.moments[i+1:], t.moments[i:])
	t.moments[i] = moment{at, n}
}

// count forgets what is older than since and returns what is left.
func (t *tracker) count(since int64) (n int) {
	for len(t.moments) > 0 && t.moments[0].at < since {
		t.moments = t.moments[1:]
	}
	for _, m := range t.moments {
		n += m.count
	}
	return n
}

// tracking are the trackers of one jail, of which there are at most so many: the one
// that was not used for longest gives way.
type tracking struct {
	by             map[netip.Prefix]*tracker
	most           int
	newest, oldest *tracker
}

func newTracking(most int) *tracking { return &tracking{by: map[netip.Prefix]*tracker{}, most: most} }

// of returns the tracker of a prefix, a new one if need be, and the one that had to
// give way for it.
func (t *tracking) of(p netip.Prefix) (x, gone *tracker) {
	if x = t.by[p]; x != nil {
		t.unlink(x)
	} else {
		if len(t.by) >= t.most {
			gone = t.oldest
			t.drop(gone)
		}
		x = &tracker{prefix: p}
		t.by[p] = x
	}
	x.old, x.newer = t.newest, nil
	if t.newest != nil {
		t.newest.newer = x
	}
	t.newest = x
	if t.oldest == nil {
		t.oldest = x
	}
	return x, gone
}

func (t *tracking) unlink(x *tracker) {
	if x.newer != nil {
		x.newer.old = x.old
	} else {
		t.newest = x.old
	}
	if x.old != nil {
		x.old.newer = x.newer
	} else {
		t.oldest = x.newer
	}
}

func (t *tracking) drop(x *tracker) {
	t.unlink(x)
	delete(t.by, x.prefix)
}

// past is how often a prefix was banned before.
type past struct {
	times int
	until time.Time // when the last ban ended; zero: it has not
}

// evidence is some lines, the newest last: each is its length in two octets and its
// text, so that those of one prefix are one piece of memory.
type evidence struct {
	text  []byte
	count int
}

func (e *evidence) add(line []byte) {
	if need := len(e.text) + 2 + len(line); need > cap(e.text) {
		e.text = append(make([]byte, 0, need+need/8), e.text...)
	}
	e.text = append(binary.BigEndian.AppendUint16(e.text, uint16(len(line))), line...)
	e.count++
}

// drop takes the oldest line away, of which there must be one.
func (e *evidence) drop() {
	n := 2 + int(binary.BigEndian.Uint16(e.text))
	if e.text, e.count = e.text[:copy(e.text, e.text[n:])], e.count-1; e.count == 0 {
		e.text = nil
	}
}

// size is how many octets the lines have.
func (e *evidence) size() int { return len(e.text) - 2*e.count }

func (e *evidence) all() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		for rest := e.text; len(rest) > 0; {
			n := 2 + int(binary.BigEndian.Uint16(rest))
			if !yield(rest[2:n]) {
				return
			}
			rest = rest[n:]
		}
	}
}
