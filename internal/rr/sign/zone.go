package sign

import (
	"cmp"
	"context"
	"encoding/base32"
	"iter"
	"slices"
	"strings"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Zone is a signed zone in memory. It never changes: what changes it returns
// another one, which shares nearly everything with it. So a change can be looked
// at and thrown away, and a Zone may be read from several goroutines.
type Zone struct {
	plan     *plan
	names    list   // names with records, in canonical order
	hashes   list   // NSEC3 records, in the order of their hashes
	chainTTL uint32 // of the chain's records
	since    int64  // when the keys got their duties: what they have not signed yet is due since then
}

// New signs a zone. sets are its RRsets in canonical form, in any order, with
// the SOA and without what signing makes: RRSIG, NSEC, NSEC3, NSEC3PARAM, and at
// the apex DNSKEY, CDS and CDNSKEY. The SOA's serial is signed as it is. Errors
// are Invalid where the sets are no zone, Conflict where NSEC3 cannot hash it,
// or the signer's.
func New(ctx context.Context, c Config, sets []rr.RRset, now time.Time) (*Zone, error) {
	z, nodes, err := build(c, sets, now)
	if err != nil {
		return nil, err
	}
	var jobs []job
	for n := range z.each(nodes) {
		jobs = append(jobs, z.plan.prepare(n, now, func(*set, *signature) bool { return false })...)
	}
	if err := z.plan.sign(ctx, jobs); err != nil {
		return nil, err
	}
	z.settle(nodes)
	return z, nil
}

// Load makes a zone of what was signed before, as Sets returned it, and makes no
// signature. What is missing, was made by no key of c or for another record is
// due at once: Renew makes it. The chain is computed anew, so one that was
// damaged is mended in the same way. A Zone that Renew leaves as it is, is the
// one that was stored.
func Load(c Config, stored []Signed, now time.Time) (*Zone, error) {
	known := make(map[rr.Key]Signed, len(stored))
	var sets []rr.RRset
	for _, s := range stored {
		known[s.Key()] = s
		if code, ok := rr.TypeCode(s.Type); ok && !made(code) && (s.Name != c.Origin || !madeAtApex(code)) {
			sets = append(sets, s.RRset)
		}
	}
	z, nodes, err := build(c, sets, now)
	if err != nil {
		return nil, err
	}
	for n := range z.each(nodes) {
		z.plan.attach(n, known)
	}
	z.settle(nodes)
	return z, nil
}

// build makes the nodes of a zone and its chain, without signatures.
func build(c Config, sets []rr.RRset, now time.Time) (*Zone, []*node, error) {
	p, err := c.plan()
	if err != nil {
		return nil, nil, err
	}
	z := &Zone{plan: p, since: now.Unix()}
	nodes, err := p.nodes(sets)
	if err != nil {
		return nil, nil, err
	}
	if len(nodes) == 0 {
		return nil, nil, noSOA(p.Origin)
	}
	if z.chainTTL, err = chainTTL(nodes[0], p.Origin); err != nil {
		return nil, nil, err
	}
	for _, s := range p.apexSets(z.chainTTL) {
		nodes[0].put(s)
	}
	cast(nodes)
	return z, nodes, z.chainAll(nodes)
}

// nodes groups RRsets by name.
func (p *plan) nodes(sets []rr.RRset) ([]*node, error) {
	byName := make(map[rr.Name]*node, len(sets)/2)
	var nodes []*node
	for _, s := range sets {
		if len(s.Data) == 0 {
			continue
		}
		read, err := p.read(s)
		if err != nil {
			return nil, err
		}
		n := byName[s.Name]
		if n == nil {
			n = &node{name: s.Name, key: placeOf(s.Name.Wire(), len(p.apexWire)), sets: make([]set, 0, 4)}
			byName[s.Name] = n
			nodes = append(nodes, n)
		}
		if n.has(read.code) {
			return nil, core.Errorf(core.Invalid, "%s: the RRset is there twice", s.Key())
		}
		n.put(read)
	}
	slices.SortFunc(nodes, func(a, b *node) int { return cmp.Compare(a.key, b.key) })
	return nodes, nil
}

// read checks an RRset that is to be signed.
func (p *plan) read(s rr.RRset) (set, error) {
	code, ok := rr.TypeCode(s.Type)
	switch {
	case !ok:
		return set{}, core.Errorf(core.Invalid, "%s: the type is not known", s.Key())
	case !s.Name.Under(p.Origin):
		return set{}, core.Errorf(core.Invalid, "%s: the name is not in the zone %s", s.Key(), p.Origin)
	case made(code) || s.Name == p.Origin && madeAtApex(code):
		return set{}, core.Errorf(core.Invalid, "%s: signing makes these records itself", s.Key())
	}
	return set{RRset: s, code: code}, nil
}

// chainTTL is the TTL of NSEC and NSEC3: that of negative answers (RFC 9077 3).
func chainTTL(top *node, origin rr.Name) (uint32, error) {
	s := top.get(typeSOA)
	if len(s.Data) != 1 || top.key != "" {
		return 0, noSOA(origin)
	}
	soa, ok := rr.ParseSOA(s.Data[0])
	if !ok {
		return 0, noSOA(origin)
	}
	return min(s.TTL, soa.Minimum), nil
}

func noSOA(origin rr.Name) error {
	return core.Errorf(core.Invalid, "%s SOA: exactly one SOA record stands at the zone's own name", origin)
}

// cast gives each node its role; nodes are all names, in order.
func cast(nodes []*node) {
	var hider *node
	for _, n := range nodes {
		if hider != nil && n.key.below(hider.key) {
			n.role = below
			continue
		}
		hider = nil
		n.role = n.roleAlone()
		if n.hides() {
			hider = n
		}
	}
}

// roleAlone is a node's role if nothing above hides it.
func (n *node) roleAlone() role {
	switch {
	case n.key == "":
		return apex
	case n.has(typeNS):
		return cut
	}
	return inside
}

// each yields names that are not in the zone yet, then the NSEC3 chain.
func (z *Zone) each(nodes []*node) iter.Seq[*node] {
	return func(yield func(*node) bool) {
		for _, n := range nodes {
			if !yield(n) {
				return
			}
		}
		z.hashes.all()(yield)
	}
}

// attach gives sets the signatures that were stored with them.
func (p *plan) attach(n *node, known map[rr.Key]Signed) {
	labels := labelsOf(n.name.Wire())
	for i := range n.sets {
		s := &n.sets[i]
		stored := known[s.Key()]
		if !n.role.signed(s.code) || !s.RRset.Equal(stored.RRset) {
			continue
		}
		for _, data := range stored.Sigs {
			if sig, ok := parseSignature(data, s.RRset, labels, p.originText); ok && p.attribute(&sig, s, n) {
				s.sigs = append(s.sigs, sig)
			}
		}
	}
}

// settle puts nodes into a new zone.
func (z *Zone) settle(nodes []*node) {
	for n := range z.each(nodes) {
		z.settleNode(n)
	}
	for _, c := range z.hashes.chunks {
		c.sum()
	}
	z.names = newList(nodes)
}

// settleNode works out when a node's signatures are to be renewed.
func (z *Zone) settleNode(n *node) {
	n.term = noTerm
	for i := range n.sets {
		s := &n.sets[i]
		if !n.role.signed(s.code) {
			continue
		}
		n.term = n.join(term{due: never, expires: never, ttl: cached(s.TTL)})
		for j := range s.sigs {
			n.term = n.join(z.plan.termOf(s, &s.sigs[j]))
		}
		if !z.plan.complete(s) {
			n.term = n.join(term{due: z.since, expires: never, part: true})
		}
	}
}

// complete reports whether a set has the signatures of all keys that sign it now, and no others.
func (p *plan) complete(s *set) bool {
	wanted := p.signing(s.code)
	if len(wanted) != len(s.sigs) {
		return false
	}
	for i, k := range wanted {
		if s.sigs[i].by != p.signers[k].id {
			return false
		}
	}
	return true
}

// Origin returns the zone's name.
func (z *Zone) Origin() rr.Name { return z.plan.Origin }

// Serial returns the serial of the zone's SOA.
func (z *Zone) Serial() uint32 {
	soa, _ := rr.ParseSOA(z.names.first().get(typeSOA).Data[0]) // checked when it came in
	return soa.Serial
}

// Names returns how many names there are, those of the NSEC3 chain included.
func (z *Zone) Names() int { return z.names.len() + z.hashes.len() }

// Sets yields the RRsets of the zone with their signatures: names in canonical
// order, then the NSEC3 chain.
func (z *Zone) Sets() iter.Seq[Signed] {
	return func(yield func(Signed) bool) {
		for n := range z.everything() {
			if !z.plan.signedSets(n, yield) {
				return
			}
		}
	}
}

// everything yields all nodes of the zone.
func (z *Zone) everything() iter.Seq[*node] {
	return func(yield func(*node) bool) {
		for _, l := range []list{z.names, z.hashes} {
			for n := range l.all() {
				if !yield(n) {
					return
				}
			}
		}
	}
}

// Unsigned yields the RRsets without what signing made, as they were given; the
// SOA has the signed zone's serial.
func (z *Zone) Unsigned() iter.Seq[rr.RRset] {
	return func(yield func(rr.RRset) bool) {
		for n := range z.names.all() {
			for _, s := range n.sets {
				if !made(s.code) && (n.key != "" || !madeAtApex(s.code)) && !yield(s.RRset) {
					return
				}
			}
		}
	}
}

// Find returns an RRset with its signatures; ok is false if there is none.
func (z *Zone) Find(k rr.Key) (found Signed, ok bool) {
	code, known := rr.TypeCode(k.Type)
	if !known || !k.Name.Under(z.plan.Origin) {
		return Signed{}, false
	}
	wire := k.Name.Wire()
	n := z.names.get(placeOf(wire, len(z.plan.apexWire)))
	if code == typeNSEC3 {
		n = z.hashNode(k.Name)
	}
	s := n.get(code)
	return z.plan.signedSet(&s, labelsOf(wire)), len(s.Data) > 0
}

// hashNode returns the node of the NSEC3 chain that has a name, or nil.
func (z *Zone) hashNode(name rr.Name) *node {
	label, _, _ := strings.Cut(string(name), ".")
	h, err := base32.HexEncoding.DecodeString(strings.ToUpper(label))
	if err != nil || name.Parent() != z.plan.Origin {
		return nil
	}
	return z.hashes.get(place(h))
}
