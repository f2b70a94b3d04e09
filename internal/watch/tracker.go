package watch

import (
	"encoding/binary"
	"iter"
	"net/netip"
	"slices"
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

// evidence is the newest lines of one prefix, in one piece of memory that goes round:
// each has a slot, which is the octets it has room for, its length, and its text. A
// line takes the slot of the oldest one if it fits.
type evidence struct {
	slots  []byte
	count  int32
	oldest int32 // where its slot begins
	octets int32
}

// slotHead is what stands in front of the text.
const slotHead = 4

// slot returns how much room a slot has, and its text.
func (e *evidence) slot(at int) (room int, text []byte) {
	room, n := int(binary.BigEndian.Uint16(e.slots[at:])), int(binary.BigEndian.Uint16(e.slots[at+2:]))
	return room, e.slots[at+slotHead:][:n]
}

// add keeps a line, and of the older ones so many that there are no more than most.
func (e *evidence) add(line []byte, most int) {
	for e.count > 0 && int(e.count) > most {
		e.drop()
	}
	if most <= 0 {
		return
	}
	if int(e.count) == most {
		at := int(e.oldest)
		if room, old := e.slot(at); len(line) <= room {
			e.octets += int32(len(line) - len(old))
			binary.BigEndian.PutUint16(e.slots[at+2:], uint16(len(line)))
			copy(e.slots[at+slotHead:], line)
			e.oldest = int32((at + slotHead + room) % len(e.slots))
			return
		}
		e.drop()
	}
	e.straighten()
	room := (len(line) + 15) &^ 15
	if need := len(e.slots) + slotHead + room; need > cap(e.slots) {
		e.slots = append(make([]byte, 0, need), e.slots...)
	}
	at := len(e.slots)
	e.slots = e.slots[:at+slotHead+room]
	binary.BigEndian.PutUint16(e.slots[at:], uint16(room))
	binary.BigEndian.PutUint16(e.slots[at+2:], uint16(len(line)))
	copy(e.slots[at+slotHead:], line)
	e.count++
	e.octets += int32(len(line))
}

// straighten puts the oldest slot in front.
func (e *evidence) straighten() {
	if e.oldest > 0 {
		e.slots, e.oldest = slices.Concat(e.slots[e.oldest:], e.slots[:e.oldest]), 0
	}
}

// drop takes the oldest line away, of which there must be one.
func (e *evidence) drop() {
	e.straighten()
	room, text := e.slot(0)
	e.octets -= int32(len(text))
	if e.count--; e.count == 0 {
		e.slots = nil
		return
	}
	e.slots = e.slots[:copy(e.slots, e.slots[slotHead+room:])]
}

// size is how many octets the lines have.
func (e *evidence) size() int { return int(e.octets) }

// all goes over the lines, the oldest first.
func (e *evidence) all() iter.Seq[[]byte] {
	return func(yield func([]byte) bool) {
		at := int(e.oldest)
		for range e.count {
			room, text := e.slot(at)
			if !yield(text) {
				return
			}
			at = (at + slotHead + room) % len(e.slots)
		}
	}
}
