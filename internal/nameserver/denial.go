package nameserver

import "encoding/binary"

const maxProofs = 3*maxChain + 4

// deny says that there is no such name or no such set: NXDOMAIN and NODATA
// look the same but for the response code (RFC 2308 2), and are proved to who
// asks for proof (RFC 4035 3.1.3, RFC 5155 7.2).
func (r *responder) deny(v *view, f found) {
	r.soa()
	if !r.q.do {
		return
	}
	switch f.kind {
	case isMissing:
		r.proveMissing(v, f)
	case isWildcard:
		r.proveWildcardNoData(v, f)
	default:
		r.proveNoData(v, f)
	}
}

// soa writes the zone's SOA with the lower of its TTL and its minimum, for how
// long the denial may be kept (RFC 2308 3).
func (r *responder) soa() {
	top, _ := r.img.names.get(nil)
	s := top.find(typeSOA)
	at := len(r.b.msg)
	r.place(top, s, owner{ptr: r.apexAt, wire: []byte(r.img.apex)})
	if r.tc {
		return
	}
	soa := first(s)
	ttl := min(soa.ttl, binary.BigEndian.Uint32(soa.rdata[len(soa.rdata)-4:]))
	r.ns += s.count
	n := s.count
	if r.q.do {
		r.ns += s.signed
		n += s.signed
	}
	for range n {
		data := rdataAt(r.b.msg, at)
		binary.BigEndian.PutUint32(r.b.msg[data-6:], ttl)
		at = data + int(binary.BigEndian.Uint16(r.b.msg[data-2:]))
	}
}

// proveMissing shows that neither the name nor a wildcard for it is there.
func (r *responder) proveMissing(v *view, f found) {
	switch r.img.denial {
	case provesNSEC:
		r.prove(r.img.nsecBefore(f.spot))
		r.prove(r.img.nsecBefore(r.wildcardSpot(f.depth)))
	case provesNSEC3:
		depth := r.proveEncloser(v, f.depth)
		r.prove(r.img.proofOver(r.wildcardHash(v, depth)))
	}
}

// proveNoData shows that the name has no such set; of a name between others,
// that it has none at all.
func (r *responder) proveNoData(v *view, f found) {
	switch r.img.denial {
	case provesNSEC:
		if f.body != nil {
			r.prove(f.entry)
		} else {
			r.prove(r.img.nsecBefore(f.spot))
		}
	case provesNSEC3:
		if e := r.img.proofAt(r.hashAt(v, f.depth)); e.body != nil {
			r.prove(e)
		} else if f.depth > 0 { // left out by opt-out (RFC 5155 7.2.4, 7.2.7)
			r.proveEncloser(v, f.depth-1)
		}
	}
}

// proveWildcardNoData shows that the name is not there itself, and that the
// wildcard which stands for it has no such set.
func (r *responder) proveWildcardNoData(v *view, f found) {
	switch r.img.denial {
	case provesNSEC:
		r.prove(r.img.nsecBefore(f.spot))
		if f.body != nil {
			r.prove(f.entry)
		} else {
			r.prove(r.img.nsecBefore(r.wildcardSpot(f.depth)))
		}
	case provesNSEC3:
		depth := r.proveEncloser(v, f.depth)
		r.prove(r.img.proofAt(r.wildcardHash(v, depth)))
	}
}

// proveEncloser shows the closest name above that exists and that the next
// one down does not (RFC 5155 7.2.1), and returns how deep the closest is that
// has a proof.
func (r *responder) proveEncloser(v *view, depth int) int {
	for ; depth >= 0; depth-- {
		e := r.img.proofAt(r.hashAt(v, depth))
		if e.body == nil {
			continue
		}
		r.prove(e)
		if depth < r.path.depth {
			r.prove(r.img.proofOver(r.hashAt(v, depth+1)))
		}
		return depth
	}
	return 0
}

// expanded notes what proves that a wildcard was right to answer: that nothing
// closer is there (RFC 4035 3.1.3.3, RFC 5155 7.2.6). It is written at the end.
func (r *responder) expanded(v *view, f found) {
	r.wildcard = r.wildcard || f.kind == isWildcard
	if f.kind != isWildcard || !r.q.do || r.laters == maxChain {
		return
	}
	var e entry
	switch r.img.denial {
	case provesNSEC:
		e = r.img.nsecBefore(f.spot)
	case provesNSEC3:
		e = r.img.proofOver(r.hashAt(v, f.depth+1))
	default:
		return
	}
	r.later[r.laters] = later{r.img, r.apexAt, e}
	r.laters++
}

// later is a proof whose place is behind the answer.
type later struct {
	img    *image
	apexAt uint16
	entry
}

// proveLater writes the proofs of wildcards, which stand in the authority
// section and so come before what is additional.
func (r *responder) proveLater() {
	img, apexAt := r.img, r.apexAt
	for _, l := range r.later[:r.laters] {
		r.img, r.apexAt = l.img, l.apexAt
		r.prove(l.entry)
	}
	r.img, r.apexAt, r.laters = img, apexAt, 0
}

// hashAt returns the NSEC3 hash of v or of an ancestor so many labels below
// the apex.
func (r *responder) hashAt(v *view, depth int) []byte {
	return r.hasher.hash(r.img, v.suffix(r.path.depth-depth))
}

// wildcardHash is that of "*" below an ancestor.
func (r *responder) wildcardHash(v *view, depth int) []byte {
	name := append(append(r.scratch[:0], "\x01*"...), v.suffix(r.path.depth-depth)...)
	return r.hasher.hash(r.img, name)
}

// wildcardSpot is where "*" below an ancestor is or would be.
func (r *responder) wildcardSpot(depth int) spot {
	s, _ := r.img.names.search(append(append(r.scratch[:0], r.path.to(depth)...), wildcardLabel...))
	return s
}

// nsecBefore returns the NSEC record that covers a name which is not there:
// that of the nearest name before it that has one. What stands below a
// delegation has none.
func (img *image) nsecBefore(s spot) entry {
	for {
		var ok bool
		if s, ok = img.names.before(s); !ok {
			return entry{}
		}
		if e := img.names.at(s); e.body.has(typeNSEC) {
			return e
		}
	}
}

// prove writes the NSEC or NSEC3 record of a node, once.
func (r *responder) prove(e entry) {
	if e.body == nil || r.tc || r.shown(&e.body[0]) {
		return
	}
	s, name := e.body.find(typeNSEC), r.scratch[:0]
	if s.count > 0 {
		name = appendRelative(name, e.key)
	} else {
		s = e.body.find(typeNSEC3)
		name = appendHash(name, e.key)
	}
	r.ns += s.count + s.signed
	r.placeBelow(name, s.both)
}

// placeBelow writes the records of a text, which has no compressed names,
// under a name relative to the zone.
func (r *responder) placeBelow(name, text []byte) {
	if !r.fits(len(text) + len(name)) {
		return
	}
	o := owner{ptr: r.apexAt, wire: append(name, r.img.apex...)}
	if len(name) > 0 || o.ptr == 0 {
		o.ptr = pointerTo(len(r.b.msg))
		r.startBelow(name, o.wire)
		text = r.tail(text)
	}
	for len(text) > 0 {
		r.b.owner(o.ptr, o.wire)
		text = r.tail(text)
	}
}

// startBelow writes a name itself: the labels below the apex, and the apex.
func (r *responder) startBelow(name, whole []byte) {
	if r.apexAt == 0 {
		r.b.name(whole)
		return
	}
	r.b.msg = append(r.b.msg, name...)
	r.b.msg = binary.BigEndian.AppendUint16(r.b.msg, r.apexAt)
}

// tail writes the first record of a text without its owner and returns the others.
func (r *responder) tail(text []byte) []byte {
	n := 2 + recordLen + int(binary.BigEndian.Uint16(text[recordLen:]))
	r.b.msg = append(r.b.msg, text[2:n]...)
	return text[n:]
}

func (r *responder) shown(n *byte) bool {
	for _, p := range r.proved[:r.proofs] {
		if p == n {
			return true
		}
	}
	if r.proofs < maxProofs {
		r.proved[r.proofs] = n
		r.proofs++
	}
	return false
}
