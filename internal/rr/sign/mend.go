package sign

import (
	"maps"
	"slices"

	"hostward/internal/rr"
)

// mend gives the apex what signing puts there, and the chain the form it has for
// the names as they are now, as far as they were touched.
func (r *revision) mend() error {
	if r.zone.chainTTL != r.old.chainTTL || r.zone.plan != r.old.plan {
		top := r.touch("", r.zone.plan.Origin)
		for _, s := range r.zone.plan.apexSets(r.zone.chainTTL) {
			top.put(s)
		}
	}
	if r.zone.chainTTL != r.old.chainTTL || r.zone.plan.NSEC3 != r.old.plan.NSEC3 {
		return r.rechain()
	}
	if r.zone.plan.NSEC3 {
		return r.mendHashes()
	}
	r.mendNames()
	return nil
}

// mendNames computes the NSEC of each touched name, and of the one before it.
func (r *revision) mendNames() {
	for _, key := range slices.Collect(maps.Keys(r.fresh)) {
		if n := r.fresh[key]; n != nil && n.role.chained() {
			r.link(n)
		}
		if r.chained(r.old.names.get(key)) != r.chained(r.fresh[key]) {
			r.link(r.before(key))
		}
	}
}

func (r *revision) chained(n *node) bool { return n != nil && n.role.chained() }

// link computes the NSEC of a name in the chain.
func (r *revision) link(n *node) {
	if is := r.zone.nsec(n, r.after(n)); !n.get(typeNSEC).Equal(is.RRset) {
		r.touch(n.key, n.name).put(is)
	}
}

// after returns the name that follows a name in the chain. What a name hides is
// passed over; what follows one that hides nothing is in the chain.
func (r *revision) after(n *node) *node {
	from := n.key + "\x00" // labels are not empty: no place begins so, all below n are greater
	if n.hides() {
		from = n.key.past()
	}
	if next := r.names.atOrAfter(from); next != nil && from != "" {
		return next
	}
	return r.names.first()
}

// before returns the name before a place in the chain; before the apex stands the last.
func (r *revision) before(key place) *node {
	n := r.names.before(key)
	if n == nil {
		n = r.names.last()
	}
	if h := r.hider(n.key); h != nil {
		return h
	}
	return n
}

// rechain makes the whole chain anew.
func (r *revision) rechain() error {
	var chained []*node
	for _, n := range slices.Collect(r.names.all()) {
		if n.role.chained() {
			chained = append(chained, n)
		}
		if n.has(typeNSEC) && r.zone.plan.NSEC3 {
			r.touch(n.key, n.name).put(set{code: typeNSEC})
		}
	}
	if r.zone.plan.NSEC3 {
		hashes, err := r.zone.hashAll(chained)
		r.replaceHashes(hashes)
		return err
	}
	r.replaceHashes(nil)
	for _, n := range chained {
		r.link(n)
	}
	return nil
}

func (r *revision) replaceHashes(nodes []*node) {
	for n := range r.old.hashes.all() {
		r.freshHashes[n.key] = nil
	}
	for _, n := range nodes {
		r.freshHashes[n.key] = n
	}
	r.hashes = newEdit(nodes)
}

// mendHashes brings the names that were touched, and the empty non-terminals
// above those that came or went, into the NSEC3 chain or out of it.
func (r *revision) mendHashes() error {
	affected := r.affected()
	for key, name := range affected {
		if inChain(r.old.names, key) && !inChain(r.names.list, key) {
			h := r.zone.hash(name)
			r.hashes.remove(h)
			r.freshHashes[h] = nil
		}
	}
	for key, name := range affected {
		if err := r.rehash(key, name); err != nil {
			return err
		}
	}
	for _, h := range slices.Collect(maps.Keys(r.freshHashes)) {
		if n := r.freshHashes[h]; n != nil {
			r.linkHash(n)
		}
		if before := or(r.hashes.before(h), r.hashes.last()); before.key != h {
			r.linkHash(before)
		}
	}
	return nil
}

// affected returns the names that may stand in the NSEC3 chain otherwise than before.
func (r *revision) affected() map[place]rr.Name {
	out := map[place]rr.Name{}
	for key, n := range r.fresh {
		old := r.old.names.get(key)
		if n == nil && old == nil {
			continue
		}
		name := or(n, old).name
		out[key] = name
		if r.chained(old) != r.chained(n) {
			for p := range key.ancestors {
				out[p] = nameAt(name, key, p)
			}
		}
	}
	return out
}

// inChain reports whether a name is in the NSEC3 chain: because of its records,
// or as an empty non-terminal (RFC 5155 7.1).
func inChain(names list, key place) bool {
	n := names.atOrAfter(key)
	return n != nil && n.key.below(key) && n.role.chained()
}

// rehash brings one name into the NSEC3 chain, or what it has there up to date.
func (r *revision) rehash(key place, name rr.Name) error {
	if !inChain(r.names.list, key) {
		return nil
	}
	h := hashed{key: r.zone.hash(name)}
	if n := r.names.get(key); n != nil {
		h.types = typeNames(n.types())
	}
	there := r.hashes.get(h.key)
	switch {
	case there != nil && !inChain(r.old.names, key):
		return errCollision(h.key)
	case there == nil || hashedTypes(there.sets[0]) != h.types:
		r.touchHash(h.key).put(r.zone.nsec3(h, h.key))
	}
	return nil
}

// touchHash is touch for the NSEC3 chain.
func (r *revision) touchHash(h place) *node {
	if n := r.freshHashes[h]; n != nil {
		return n
	}
	n := &node{name: r.zone.hashedName(h), key: h}
	if old := r.hashes.get(h); old != nil {
		n = old.clone()
	}
	r.freshHashes[h] = n
	r.hashes.put(n)
	return n
}

// linkHash computes the NSEC3 of a hash in the chain.
func (r *revision) linkHash(n *node) {
	next := or(r.hashes.atOrAfter(n.key+"\x00"), r.hashes.first())
	if is := r.zone.nsec3(hashed{n.key, hashedTypes(n.sets[0])}, next.key); !n.sets[0].Equal(is.RRset) {
		r.touchHash(n.key).put(is)
	}
}
