package sign

import (
	"context"
	"maps"
	"slices"
	"time"

	"hostward/internal/rr"
)

// revision is a zone that is being changed. Nodes it touches are new ones; the
// old zone stays as it is, also when the change comes to nothing.
type revision struct {
	old, zone     *Zone
	names, hashes *edit
	fresh         map[place]*node // names that were touched; nil: gone
	freshHashes   map[place]*node // the same of the NSEC3 chain
	now           time.Time
	still         bool // the serial stays
}

func (z *Zone) revise(p *plan, now time.Time) *revision {
	next := *z
	next.plan = p
	return &revision{old: z, zone: &next, names: z.names.edit(), hashes: z.hashes.edit(),
		fresh: map[place]*node{}, freshHashes: map[place]*node{}, now: now}
}

// Apply changes RRsets of the zone and signs what has to be signed for it: the
// new sets, the chain around them, and the SOA. sets are the new content, in
// canonical form; one without data is gone. It returns the new zone, and all
// that is different in it, sorted by key.
//
// The serial grows: a SOA among the sets may bring a greater one, otherwise it is
// the next. Where nothing is different the zone itself is returned. Errors are
// as those of New, and the zone is as it was.
func (z *Zone) Apply(ctx context.Context, sets []rr.RRset, now time.Time) (*Zone, []Change, error) {
	r := z.revise(z.plan, now)
	if err := r.take(sets); err != nil {
		return nil, nil, err
	}
	if err := r.mend(); err != nil {
		return nil, nil, err
	}
	return r.finish(ctx, keepAll)
}

// touch returns a node of a name that may be changed; a new one if there is none.
func (r *revision) touch(key place, name rr.Name) *node {
	if n := r.fresh[key]; n != nil {
		return n
	}
	n := &node{name: name, key: key}
	if old := r.names.get(key); old != nil {
		n = old.clone()
	}
	r.fresh[key] = n
	r.names.put(n)
	return n
}

// take puts sets into their nodes.
func (r *revision) take(sets []rr.RRset) error {
	for _, s := range sets {
		read, err := r.zone.plan.read(s)
		if err != nil {
			return err
		}
		key := placeOf(s.Name.Wire(), len(r.zone.plan.apexWire))
		if len(s.Data) == 0 && r.names.get(key) == nil {
			continue
		}
		r.touch(key, s.Name).put(read)
	}
	for key, n := range r.fresh {
		if n.empty() {
			r.names.remove(key)
			r.fresh[key] = nil
		}
	}
	r.recast()
	return r.readSOA()
}

// empty reports whether nothing is left but the chain.
func (n *node) empty() bool {
	return len(n.sets) == 0 || len(n.sets) == 1 && n.sets[0].code == typeNSEC
}

// recast gives roles to what was touched, and to what stands below a name that
// hides otherwise than before.
func (r *revision) recast() {
	for _, key := range slices.Collect(maps.Keys(r.fresh)) {
		old, new := r.old.names.get(key), r.fresh[key]
		if (old != nil && old.hides()) == (new != nil && new.hides()) {
			continue
		}
		for _, n := range r.under(key) {
			r.touch(n.key, n.name)
		}
	}
	for key, n := range r.fresh {
		if n == nil {
			continue
		}
		if n.role = n.roleAlone(); r.hider(key) != nil {
			n.role = below
		}
		if !n.role.chained() {
			n.put(set{code: typeNSEC})
		}
	}
}

// under returns the names below a place, itself not included.
func (r *revision) under(key place) (out []*node) {
	for n := range r.names.from(key) {
		if !n.key.below(key) {
			break
		}
		if n.key != key {
			out = append(out, n)
		}
	}
	return out
}

// hider returns the uppermost name that hides a place, or nil.
func (r *revision) hider(key place) *node {
	if key == "" {
		return nil
	}
	if n := r.names.get(""); n != nil && n.hides() {
		return n
	}
	for p := range key.ancestors {
		if n := r.names.get(p); n != nil && n.hides() {
			return n
		}
	}
	return nil
}

// readSOA takes the chain's TTL from the SOA.
func (r *revision) readSOA() (err error) {
	r.zone.chainTTL, err = chainTTL(r.names.get(""), r.zone.plan.Origin)
	return err
}

// keepAll leaves every signature that is there.
func keepAll(*set, *signature) bool { return true }

// finish signs what was touched and gives the new zone out. keep says which
// signatures stay.
func (r *revision) finish(ctx context.Context, keep func(*set, *signature) bool) (*Zone, []Change, error) {
	var jobs []job
	for _, n := range r.touched() {
		jobs = append(jobs, r.zone.plan.prepare(n, r.now, keep)...)
	}
	if len(jobs) == 0 && !r.differs() {
		return r.unchanged()
	}
	if !r.still {
		jobs = r.turnSerial(jobs)
	}
	if err := r.zone.plan.sign(ctx, jobs); err != nil {
		return nil, nil, err
	}
	r.settle()
	return r.zone, r.changes(), nil
}

// unchanged gives out a zone whose records are those of the old one.
func (r *revision) unchanged() (*Zone, []Change, error) {
	if r.zone.plan == r.old.plan {
		return r.old, nil, nil
	}
	r.settle()
	return r.zone, nil, nil
}

// settle puts the touched nodes into the new zone.
func (r *revision) settle() {
	for _, n := range r.touched() {
		r.zone.settleNode(n)
	}
	r.zone.names, r.zone.hashes = r.names.done(), r.hashes.done()
	if r.zone.plan != r.old.plan {
		r.zone.resettle()
	}
}

// resettle works out anew when signatures are to be renewed, after the keys or
// the policy have changed. Nodes of the old zone are copied: they never change.
func (z *Zone) resettle() {
	for _, l := range []*list{&z.names, &z.hashes} {
		nodes := make([]*node, 0, l.len())
		for n := range l.all() {
			c := *n
			z.settleNode(&c)
			nodes = append(nodes, &c)
		}
		*l = newList(nodes)
	}
}

// touched returns the nodes that are new or changed: names, then hashes, each in order.
func (r *revision) touched() (out []*node) {
	for _, fresh := range []map[place]*node{r.fresh, r.freshHashes} {
		for _, key := range slices.Sorted(maps.Keys(fresh)) {
			if n := fresh[key]; n != nil {
				out = append(out, n)
			}
		}
	}
	return out
}

// differs reports whether anything would be different if nothing were signed.
func (r *revision) differs() bool {
	for key, n := range r.fresh {
		if !r.old.names.get(key).same(n) {
			return true
		}
	}
	for key, n := range r.freshHashes {
		if !r.old.hashes.get(key).same(n) {
			return true
		}
	}
	return false
}

// same reports whether two nodes, either of which may be nil, have the same
// records and signatures.
func (n *node) same(other *node) bool {
	if n == nil || other == nil {
		return n == other
	}
	return slices.EqualFunc(n.sets, other.sets, set.same)
}

// changes returns what is different from the old zone, sorted by key.
func (r *revision) changes() (out []Change) {
	for key, n := range r.fresh {
		out = append(out, r.zone.plan.changes(r.old.names.get(key), n)...)
	}
	for key, n := range r.freshHashes {
		out = append(out, r.zone.plan.changes(r.old.hashes.get(key), n)...)
	}
	slices.SortFunc(out, func(a, b Change) int { return a.Key().Compare(b.Key()) })
	return out
}

// turnSerial gives the SOA a serial after the old zone's, and signs it anew:
// secondaries ask for what has a new serial only (RFC 1996 3.7, RFC 1995 2).
func (r *revision) turnSerial(jobs []job) []job {
	p := r.zone.plan
	top := r.touch("", p.Origin)
	at, _ := top.find(typeSOA)
	jobs = slices.DeleteFunc(jobs, func(j job) bool { return j.node == top && j.set == at })
	s := top.sets[at]
	soa, _ := rr.ParseSOA(s.Data[0]) // checked by readSOA
	if old := r.old.Serial(); !rr.SerialAfter(soa.Serial, old) {
		soa.Serial = rr.SerialNext(old, r.now)
	}
	s.Data, s.sigs = []string{soa.String()}, nil
	top.sets[at] = s
	return append(jobs, job{top, at, p.renew(&top.sets[at], r.now, keepAll)})
}
