package transfer

import (
	"iter"
	"slices"

	"hostward/internal/rr"
)

// Zone is one version of a zone that is sent to others. It does not change
// while it is read.
type Zone interface {
	// SOA is the record at the zone's own name.
	SOA() rr.Record

	// Records is how many records there are. A history longer than that is not
	// sent: the zone itself is shorter.
	Records() int

	// Sets gives every RRset. They are sent in this order; the SOA may be among
	// them and is left out. A set may come in parts with a TTL each: signatures
	// have the TTL of what they sign (RFC 4034 3). An error ends the transfer.
	Sets() iter.Seq2[rr.RRset, error]

	// History gives what happened since a serial, or false if that is not known.
	History(from uint32) (History, bool)
}

// History is the steps from one version of a zone to a later one.
type History struct {
	Records int // how many records all steps have
	Steps   iter.Seq2[Step, error]
}

// Step is the difference between a version of a zone and the next (RFC 1995
// 4). Neither list has the SOA.
type Step struct {
	Old     rr.Record   `json:"old"` // SOA before
	New     rr.Record   `json:"new"` // SOA after
	Removed []rr.Record `json:"removed,omitempty"`
	Added   []rr.Record `json:"added,omitempty"`
}

// Records returns how many records the step has in a message.
func (s Step) Records() int { return 2 + len(s.Removed) + len(s.Added) }

// StepOf makes a Step of changes, as rr.Diff returns them, of which one is
// that of the SOA. A set whose TTL changes is removed and added whole.
func StepOf(changes []rr.Change) Step {
	var s Step
	for _, c := range changes {
		old, now := c.Old.Records(), c.New.Records()
		if c.Key().Type == "SOA" {
			s.Old, s.New = first(old), first(now)
			continue
		}
		s.Removed = append(s.Removed, without(old, now)...)
		s.Added = append(s.Added, without(now, old)...)
	}
	return s
}

func first(records []rr.Record) (r rr.Record) {
	if len(records) > 0 {
		r = records[0]
	}
	return r
}

func without(a, b []rr.Record) (out []rr.Record) {
	for _, r := range a {
		if !slices.Contains(b, r) {
			out = append(out, r)
		}
	}
	return out
}

// Condense makes one Step of several that follow one another: what came and
// went in between is gone. Each must remove only what is there and add only
// what is not, as those of StepOf do. It is the zero Step for none.
func Condense(steps []Step) Step {
	if len(steps) == 0 {
		return Step{}
	}
	c := newCondenser()
	for _, s := range steps {
		c.take(s)
	}
	return c.step()
}

// condenser keeps the balance of the steps it was given.
type condenser struct {
	old, new       rr.Record
	taken          int
	removed, added map[rr.Record]int // -> place in the order they came
}

func newCondenser() *condenser {
	return &condenser{removed: map[rr.Record]int{}, added: map[rr.Record]int{}}
}

func (c *condenser) take(s Step) {
	if c.taken == 0 {
		c.old = s.Old
	}
	c.new = s.New
	for _, r := range s.Removed {
		c.balance(r, c.added, c.removed)
	}
	for _, r := range s.Added {
		c.balance(r, c.removed, c.added)
	}
}

// balance strikes r out of one side, or enters it on the other.
func (c *condenser) balance(r rr.Record, from, to map[rr.Record]int) {
	c.taken++
	if _, ok := from[r]; ok {
		delete(from, r)
		return
	}
	to[r] = c.taken
}

func (c *condenser) step() Step {
	return Step{Old: c.old, New: c.new, Removed: ordered(c.removed), Added: ordered(c.added)}
}

func ordered(m map[rr.Record]int) []rr.Record {
	var out []rr.Record
	for r := range m {
		out = append(out, r)
	}
	slices.SortFunc(out, func(a, b rr.Record) int { return m[a] - m[b] })
	return out
}

// serial is that of a SOA record.
func serial(soa rr.Record) (uint32, bool) {
	s, ok := rr.ParseSOA(soa.Data)
	return s.Serial, ok && soa.Type == "SOA"
}
