package nameserver

import (
	"iter"

	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// Limits of what is kept of a zone's past for IXFR. Who is further behind gets the
// whole zone, which for most zones is about as short.
const (
	mostSteps  = 200
	mostOctets = 512 << 10 // of records of a zone's steps, some 100 a record
	perRecord  = 100
)

// past is the steps that led to an image, oldest first. It is never changed.
type past struct {
	steps  []transfer.Step
	octets int
}

// and is the past with one step more, without what is too long ago.
func (p past) and(s transfer.Step) past {
	out := past{steps: append(append(make([]transfer.Step, 0, len(p.steps)+1), p.steps...), s), octets: p.octets + cost(s)}
	for len(out.steps) > mostSteps || out.octets > mostOctets {
		out.octets -= cost(out.steps[0])
		out.steps = out.steps[1:]
	}
	return out
}

func cost(s transfer.Step) int { return perRecord * s.Records() }

// since returns the steps after a serial; false: that is not known.
func (p past) since(serial uint32) ([]transfer.Step, bool) {
	for i, s := range p.steps {
		if soa, ok := rr.ParseSOA(s.Old.Data); ok && soa.Serial == serial {
			return p.steps[i:], true
		}
	}
	return nil, false
}

// step is what a change set did: the records of the names it names, before and after.
func step(old, now *image, c ChangeSet) (out transfer.Step, err error) {
	seen := map[rr.Name]bool{}
	for _, set := range c.Set {
		if seen[set.Name] {
			continue
		}
		seen[set.Name] = true
		before, err := old.recordsAt(set.Name)
		if err != nil {
			return out, err
		}
		after, err := now.recordsAt(set.Name)
		if err != nil {
			return out, err
		}
		out.Removed = append(out.Removed, without(before, after)...)
		out.Added = append(out.Added, without(after, before)...)
	}
	if out.Old, err = old.soa(); err != nil {
		return out, err
	}
	out.New, err = now.soa()
	return out, err
}

// without is what a has and b has not, but for the SOA.
func without(a, b []rr.Record) (out []rr.Record) {
	have := make(map[rr.Record]bool, len(b))
	for _, r := range b {
		have[r] = true
	}
	for _, r := range a {
		if r.Type != "SOA" && !have[r] {
			out = append(out, r)
		}
	}
	return out
}

// recordsAt returns all records of a name.
func (img *image) recordsAt(name rr.Name) (out []rr.Record, err error) {
	owner := name.Wire()
	relative := owner[:len(owner)-len(img.apex)]
	var sets []rr.RRset
	if n, ok := img.names.get(appendKey(nil, relative)); ok {
		if sets, err = n.read(sets, owner); err != nil {
			return nil, err
		}
	}
	if hash, ok := hashOf(relative); ok {
		if n, ok := img.hashes.get(hash); ok {
			if sets, err = n.read(sets, owner); err != nil {
				return nil, err
			}
		}
	}
	for _, s := range sets {
		out = append(out, s.Records()...)
	}
	return out, nil
}

// soa returns the zone's SOA record.
func (img *image) soa() (rr.Record, error) {
	name, _, err := rr.NameFromWire([]byte(img.apex))
	if err != nil {
		return rr.Record{}, err
	}
	all, err := img.recordsAt(name)
	for _, r := range all {
		if r.Type == "SOA" {
			return r, err
		}
	}
	return rr.Record{}, err
}

// sent is an image as transfers want it.
type sent struct {
	*image
	start rr.Record // the SOA
}

var _ transfer.Zone = sent{}

// SOA implements transfer.Zone.
func (z sent) SOA() rr.Record { return z.start }

// Records implements transfer.Zone.
func (z sent) Records() int { return z.records }

// Sets implements transfer.Zone.
func (z sent) Sets() iter.Seq2[rr.RRset, error] {
	return func(yield func(rr.RRset, error) bool) {
		for _, t := range [...]struct {
			*tree
			owner func(key []byte) []byte
		}{{&z.names, z.ownerOf}, {&z.hashes, z.hashedOwner}} {
			for e := range t.all() {
				sets, err := e.body.read(nil, t.owner(e.key))
				if err != nil && !yield(rr.RRset{}, err) {
					return
				}
				for _, s := range sets {
					if !yield(s, nil) {
						return
					}
				}
			}
		}
	}
}

// History implements transfer.Zone.
func (z sent) History(from uint32) (h transfer.History, ok bool) {
	steps, ok := z.past.since(from)
	for _, s := range steps {
		h.Records += s.Records()
	}
	h.Steps = func(yield func(transfer.Step, error) bool) {
		for _, s := range steps {
			if !yield(s, nil) {
				return
			}
		}
	}
	return h, ok
}
