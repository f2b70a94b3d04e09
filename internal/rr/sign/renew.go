package sign

import (
	"cmp"
	"context"
	"slices"
	"time"

	"hostward/internal/core"
)

// Renew makes signatures that are due: those that expire soon (see Timing), those
// that do not hold yet because the clock was ahead when they were made, and those
// that are missing since Load or Reconfigure; it drops those of keys that sign no
// more. It goes from name to name, the most urgent first, and stops as soon as it
// has made limit signatures; 0 is no limit. Call it until Due is later than now.
//
// The result is as that of Apply: the serial grows once for each call that did
// anything.
//
// Everything depends on now, and nothing here can tell a clock that is wrong. One
// that is ahead by more than Backdate makes signatures that nobody accepts yet,
// one that is behind by more than Refresh some that have expired. The first Renew
// after it was put right replaces both.
func (z *Zone) Renew(ctx context.Context, now time.Time, limit int) (*Zone, []Change, error) {
	r := z.revise(z.plan, now)
	keep := func(s *set, sig *signature) bool { return !z.plan.termOf(s, sig).waits(now.Unix()) }
	made := 0
	for n := range z.waiting(now.Unix()) {
		made += r.revisit(n, keep)
		if limit > 0 && made >= limit {
			break
		}
	}
	return r.finish(ctx, keep)
}

// Finish ends a version of the zone that nobody was given yet, such as Load and
// Apply return it: it makes what Renew would have to make until ahead from now, all
// of it, and leaves the serial alone. Its changes belong to those that led to that
// version.
func (z *Zone) Finish(ctx context.Context, now time.Time, ahead time.Duration) (*Zone, []Change, error) {
	r := z.revise(z.plan, now)
	r.still = true
	until := now.Add(max(ahead, 0)).Unix()
	waits := func(t term) bool { return t.waits(now.Unix()) || t.due <= until }
	keep := func(s *set, sig *signature) bool { return !waits(z.plan.termOf(s, sig)) }
	for n := range z.everything() {
		if waits(n.term) {
			r.revisit(n, keep)
		}
	}
	return r.finish(ctx, keep)
}

// waiting yields the nodes for which something is to be done. The most urgent one
// comes first; the others in its chunk come before those of less urgent chunks, so
// that a call with a limit need not look at everything.
func (z *Zone) waiting(now int64) func(yield func(*node) bool) {
	return func(yield func(*node) bool) {
		for _, c := range urgent(slices.Concat(z.names.chunks, z.hashes.chunks), now) {
			for _, n := range urgent(c.nodes, now) {
				if !yield(n) {
					return
				}
			}
		}
	}
}

// urgent returns those that wait, the most urgent first.
func urgent[T interface {
	waits(int64) bool
	urgency(int64) int64
}](all []T, now int64) (out []T) {
	for _, t := range all {
		if t.waits(now) {
			out = append(out, t)
		}
	}
	slices.SortStableFunc(out, func(a, b T) int { return cmp.Compare(a.urgency(now), b.urgency(now)) })
	return out
}

// revisit has a node signed anew as far as keep wants, and returns how much work
// that is, in signatures; dropping some counts as one.
func (r *revision) revisit(n *node, keep func(*set, *signature) bool) int {
	if r.old.hashes.get(n.key) == n {
		n = r.touchHash(n.key)
	} else {
		n = r.touch(n.key, n.name)
	}
	work := 0
	for i := range n.sets {
		s := n.sets[i]
		if n.role.signed(s.code) {
			work += len(r.zone.plan.renew(&s, r.now, keep))
		}
	}
	return max(work, 1)
}

// Reconfigure changes keys, policy or the kind of the chain. The DNSKEY, CDS and
// CDNSKEY RRsets, the SOA and a chain of another kind are right at once, in one
// version of the zone; everything else keeps the signatures it has until Renew
// comes to it, and Complete says when it has. A key may therefore begin to
// sign while its predecessor still stands in the DNSKEY RRset (RFC 6781 4.1.1.1);
// when what may be done is the question that Next answers.
//
// The result and the errors are as those of Apply; another Origin is Invalid.
func (z *Zone) Reconfigure(ctx context.Context, c Config, now time.Time) (*Zone, []Change, error) {
	p, err := c.plan()
	if err != nil {
		return nil, nil, err
	}
	if p.Origin != z.plan.Origin {
		return nil, nil, core.Errorf(core.Invalid, "the zone %s cannot become %s", z.plan.Origin, p.Origin)
	}
	p.hash = z.plan.hash
	r := z.revise(p, now)
	r.zone.since = now.Unix()
	if err := r.mend(); err != nil {
		return nil, nil, err
	}
	return r.finish(ctx, keepAll)
}

// total is the term of the whole zone.
func (z *Zone) total() term {
	t := noTerm
	for _, l := range []list{z.names, z.hashes} {
		for _, c := range l.chunks {
			t = t.join(c.term)
		}
	}
	return t
}

// Due returns when Renew has something to do next; a time that is not after now
// if it has at once.
func (z *Zone) Due(now time.Time) time.Time {
	t := z.total()
	if t.waits(now.Unix()) {
		return time.Unix(min(t.due, now.Unix()), 0).UTC()
	}
	return time.Unix(t.due, 0).UTC()
}

// Expires returns when the first signature expires: from then on validators
// refuse part of the zone. If it is less than Refresh ahead, Renew was not called.
func (z *Zone) Expires() time.Time { return time.Unix(z.total().expires, 0).UTC() }

// Complete reports whether everything has the signatures of all keys that sign it,
// and no others.
func (z *Zone) Complete() bool { return !z.total().part }

// MaxTTL returns the greatest TTL of what is signed, in seconds, as far as resolvers
// go along (see Timing).
func (z *Zone) MaxTTL() uint32 { return uint32(z.total().ttl) }
