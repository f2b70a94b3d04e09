package nameserver

import (
	"encoding/binary"
	"strings"

	"hostward/internal/rr"
)

const (
	optionNSID = 3  // RFC 5001
	optionEDE  = 15 // RFC 8914

	edeProhibited   = 18
	edeNotAuthority = 20
	edeNotSupported = 21
	maxChain        = 16 // aliases followed for one question
	maxMessage      = 65535
	udpHeadroom     = 4096 // most an answer over UDP may ever be configured to take
)

// responder answers questions, one at a time; each socket has its own, and
// nothing in it is allocated from packet to packet.
type responder struct {
	zones   func() *table[*slot]
	payload int
	nsid    string
	count   *counters

	q       query
	b       builder
	chain   view
	scratch [256]byte
	used    [maxChain]*image // by this answer
	names   [maxChain]uint16 // pointers to the names it followed
	room    int              // octets an answer may have before OPT
	limit   int
	reply
}

// reply is what is known of the answer so far.
type reply struct {
	aa, tc     bool
	rcode      int
	ede        int
	an, ns, ar int
}

// respond appends the answer to out, which is empty, and returns it; nil is
// no answer.
func (r *responder) respond(msg, out []byte, tcp bool) []byte {
	q := &r.q
	if !q.header(msg) {
		r.count.dropped.Add(1)
		return nil
	}
	r.reply = reply{}
	sound := q.parse()
	r.begin(out, sound)
	r.limits(tcp)
	switch {
	case q.opcode() != 0:
		r.refuse(rcodeNotImp, edeNotSupported)
	case !sound:
		r.rcode = rcodeFormErr
	case q.version > 0: // RFC 6891 6.1.3
		r.rcode = rcodeBadVers
	default:
		r.answer()
	}
	r.finish(sound)
	r.count.answered(r.rcode, r.tc, tcp)
	return r.b.msg
}

// begin writes the header's place and the question as it came, so that its
// letters keep their case (0x20).
func (r *responder) begin(out []byte, sound bool) {
	q := &r.q
	if !sound && q.opcode() == 0 || q.end == 0 {
		q.end = headerLen
	}
	out = append(out, q.msg[:q.end]...)
	r.b.msg, r.b.n = out, 0
	for _, off := range q.labels[:q.n] {
		r.b.know(headerLen + int(off))
	}
}

func (r *responder) limits(tcp bool) {
	r.limit = maxMessage
	if !tcp {
		r.limit = min(max(r.q.size, minUDP), max(r.payload, minUDP))
	}
	r.room = r.limit
	if r.q.edns {
		r.room -= 11 + 6 // OPT and an EDE without text
		if r.q.nsid {
			r.room -= 4 + len(r.nsid)
		}
	}
}

func (r *responder) refuse(rcode, ede int) { r.rcode, r.ede = rcode, ede }

// answer decides for a sound question.
func (r *responder) answer() {
	q := &r.q
	switch {
	case q.class != classIN: // version.bind and its kin included
		r.refuse(rcodeRefused, edeNotSupported)
		return
	case q.typ == typeAXFR || q.typ == typeIXFR:
		r.refuse(rcodeRefused, edeProhibited)
		return
	}
	img := r.zone(&q.view)
	if img == nil {
		r.refuse(rcodeRefused, edeNotAuthority)
		return
	}
	r.aa = true
	r.follow(img)
}

// zone finds the served zone nearest to a name. The DS of a zone is its
// parent's to answer, if that is served too (RFC 4035 3.1.4.1).
func (r *responder) zone(v *view) *image {
	zones := r.zones()
	var own *image
	for i := range v.n + 1 {
		s := zones.get(v.suffix(i))
		if s == nil {
			continue
		}
		img := s.image.Load()
		if i == 0 && r.q.typ == typeDS {
			own = img
			continue
		}
		return img
	}
	return own
}

// follow answers for the question's name and for what it is an alias of, as
// long as that is served here.
func (r *responder) follow(img *image) {
	v := &r.q.view
	for i := range maxChain {
		r.used[i], r.names[i] = img, v.ptr
		if !r.step(img, v) {
			return
		}
		v = &r.chain
		if img = r.zone(v); img == nil || r.circular(v, r.names[:i+1]) {
			return
		}
		img = r.pinned(img, r.used[:i+1])
	}
}

// circular reports whether the answer already followed this name.
func (r *responder) circular(v *view, names []uint16) bool {
	for _, ptr := range names {
		if ptr != 0 && same(r.b.msg, int(ptr&^pointer), v.name[:v.nameLen]) {
			return true
		}
	}
	return false
}

// pinned returns the image of that zone this answer has used already: an
// answer shows one version of a zone, even if a change goes live meanwhile.
func (r *responder) pinned(img *image, used []*image) *image {
	for _, u := range used {
		if u.apex == img.apex {
			return u
		}
	}
	return img
}

// step answers for one name; true means that r.chain is the next.
func (r *responder) step(img *image, v *view) bool {
	f := img.lookup(v, &r.scratch)
	switch f.kind {
	case isMissing:
		r.rcode = rcodeNXDomain
		r.deny(img, v)
	case isDNAME:
		return r.rename(img, v, f)
	case isCut:
		if r.q.typ != typeDS || f.label > 0 {
			r.refer(img, v, f)
			return false
		}
		return r.data(img, v, f)
	default:
		return r.data(img, v, f)
	}
	return false
}

// asked reports whether v is the question's own name: the compiled texts are
// made for it.
func (r *responder) asked(v *view) bool { return v == &r.q.view }

// data answers from a node: the records, an alias, or their absence.
func (r *responder) data(img *image, v *view, f found) bool {
	n, typ := f.node, r.q.typ
	s := n.find(typ)
	if typ == typeANY {
		s = n.smallest()
	}
	switch {
	case s != nil:
		ready := r.emit(v, f, s)
		r.an += int(s.count)
		if typ != typeANY {
			r.additional(img, s, ready, nil)
		}
	case n.mark&marksCNAME != 0 && typ != typeRRSIG && typ != typeNSEC: // these two may stand beside it (RFC 4035 2.5)
		return r.alias(v, f, n.find(typeCNAME))
	default:
		r.deny(img, v)
	}
	return false
}

// emit writes a set with v as owner and reports whether it was the ready text.
func (r *responder) emit(v *view, f found, s *set) bool {
	if r.asked(v) && f.kind != isWildcard && f.label == 0 && r.an == 0 {
		r.b.msg = append(r.b.msg, s.ready...)
		return true
	}
	l := rr.LayoutOf(s.typ)
	for rec := range s.records() {
		if len(r.b.msg) > r.limit { // truncated anyway
			break
		}
		r.b.owner(v.ptr, v.name[:v.nameLen])
		r.tail(s.typ, rec.ttl, l, rec.rdata)
	}
	return false
}

// tail writes a record after its owner and returns the pointer to its last name.
func (r *responder) tail(typ uint16, ttl uint32, l rr.Layout, rdata string) uint16 {
	b := binary.BigEndian.AppendUint16(r.b.msg, typ)
	b = append(b, 0, classIN)
	b = binary.BigEndian.AppendUint32(b, ttl)
	r.b.msg = binary.BigEndian.AppendUint16(b, uint16(len(rdata)))
	if !l.Compress {
		r.b.msg = append(r.b.msg, rdata...)
		return 0
	}
	n := copy(r.scratch[:], rdata) // types with compressed names are short, SOA the longest
	if n < len(rdata) {
		return r.b.rdata(l, []byte(rdata))
	}
	return r.b.rdata(l, r.scratch[:n])
}

// alias writes a CNAME and goes on with its target (RFC 1034 3.6.2).
func (r *responder) alias(v *view, f found, s *set) bool {
	to := first(s)
	r.b.owner(v.ptr, v.name[:v.nameLen])
	ptr := r.tail(typeCNAME, to.ttl, rr.LayoutOf(typeCNAME), to.rdata)
	r.an++
	r.chain.set(nil, to.rdata)
	r.chain.ptr = ptr
	return r.q.typ != typeCNAME
}

// rename writes a DNAME and the CNAME it makes for v (RFC 6672 3.1).
func (r *responder) rename(img *image, v *view, f found) bool {
	to := first(f.node.find(typeDNAME))
	r.b.name(v.suffix(f.label))
	r.tail(typeDNAME, to.ttl, rr.LayoutOf(typeDNAME), to.rdata)
	r.an++
	var made view
	if !made.set(v.name[:v.offset(f.label)], to.rdata) {
		r.rcode = rcodeYXDomain // RFC 6672 2.2
		return false
	}
	r.b.owner(v.ptr, v.name[:v.nameLen])
	made.ptr = r.tail(typeCNAME, to.ttl, rr.LayoutOf(typeCNAME), string(made.name[:made.nameLen]))
	r.an++
	r.chain = made
	return r.q.typ != typeCNAME && r.q.typ != typeANY
}

// deny writes the zone's SOA: NXDOMAIN and NODATA look the same but for the
// response code (RFC 2308 2).
func (r *responder) deny(img *image, v *view) {
	r.ns++
	if !r.asked(v) || r.an > 0 {
		soa := first(img.top.find(typeSOA))
		ttl := min(soa.ttl, beString(soa.rdata[len(soa.rdata)-4:]))
		r.b.name([]byte(img.apex))
		r.tail(typeSOA, ttl, rr.LayoutOf(typeSOA), soa.rdata)
		return
	}
	at := len(r.b.msg)
	r.b.msg = append(r.b.msg, img.denial.text...)
	shift := uint16(v.offset(v.n - img.labels))
	for _, p := range img.denial.patches {
		b := r.b.msg[at+p:]
		binary.BigEndian.PutUint16(b, binary.BigEndian.Uint16(b)+shift)
	}
}

// refer sends the asker to the zone below (RFC 1034 4.3.2 3b).
func (r *responder) refer(img *image, v *view, f found) {
	s := f.node.find(typeNS)
	r.ns += int(s.count)
	if r.an == 0 {
		r.aa = false
	}
	ready := false
	if f.label == 0 {
		ready = r.emit(v, f, s)
	} else {
		r.below(v.suffix(f.label), s)
	}
	r.additional(img, s, ready, v.name[v.offset(f.label):v.offset(v.n-img.labels)])
}

// below writes the NS records of a delegation above the name that was asked.
func (r *responder) below(cut []byte, s *set) {
	l := rr.LayoutOf(typeNS)
	for rec := range s.records() {
		r.b.name(cut)
		r.tail(typeNS, rec.ttl, l, rec.rdata)
	}
}

// additional adds the addresses of the hosts a set names, as far as they fit.
// cut is nil for an answer, and for a referral the delegation relative to the
// zone: glue below it is no favour but part of the referral, and if it does
// not fit the answer is truncated (RFC 9471 3.1).
func (r *responder) additional(img *image, s *set, ready bool, cut []byte) {
	for i, t := range s.targets {
		if repeated(s.targets[:i], t.key) || cut == nil && img.hidden(t.key) {
			continue
		}
		n := img.nodes.getString(t.key)
		if n == nil {
			continue
		}
		for _, typ := range [...]uint16{typeA, typeAAAA} {
			if a := n.find(typ); a != nil && !r.address(img, t, a, ready) {
				r.tc = r.tc || cut != nil && strings.HasSuffix(t.key, string(cut))
			}
		}
	}
}

func repeated(before []target, key string) bool {
	for i := range before {
		if before[i].key == key {
			return true
		}
	}
	return false
}

// address adds one address set whole, or reports that it does not fit.
func (r *responder) address(img *image, t target, s *set, ready bool) bool {
	at := len(r.b.msg)
	ptr := t.ptr
	for rec := range s.records() {
		switch {
		case ready && ptr != 0:
			r.b.msg = binary.BigEndian.AppendUint16(r.b.msg, ptr)
		default:
			n := copy(r.scratch[:], t.key)
			n += copy(r.scratch[n:], img.apex)
			ptr = r.b.name(r.scratch[:n])
		}
		r.tail(s.typ, rec.ttl, rr.Layout{}, rec.rdata)
	}
	if len(r.b.msg) > r.room {
		r.b.msg = r.b.msg[:at]
		r.b.forget(at)
		return false
	}
	r.ar += int(s.count)
	return true
}

// finish truncates what does not fit, adds OPT and writes the header.
func (r *responder) finish(sound bool) {
	if len(r.b.msg) > r.room || r.tc {
		r.b.msg = r.b.msg[:r.q.end]
		r.an, r.ns, r.ar, r.tc = 0, 0, 0, true
	}
	if r.q.edns && sound {
		r.opt()
	}
	h := r.b.msg
	h[2] = 0x80 | h[2]&0x79 // QR, opcode and RD as they came
	if r.aa {
		h[2] |= 4
	}
	if r.tc {
		h[2] |= 2
	}
	h[3] = byte(r.rcode & 15)
	questions := 0
	if r.q.end > headerLen {
		questions = 1
	}
	for i, n := range [...]int{questions, r.an, r.ns, r.ar} {
		binary.BigEndian.PutUint16(h[4+2*i:], uint16(n))
	}
}

// opt adds the OPT record (RFC 6891 6.1): our size, the DO bit as it came.
func (r *responder) opt() {
	flags := uint16(0)
	if r.q.do {
		flags = 0x8000
	}
	b := append(r.b.msg, 0, 0, typeOPT)
	b = binary.BigEndian.AppendUint16(b, uint16(r.payload))
	b = append(b, byte(r.rcode>>4), 0)
	b = binary.BigEndian.AppendUint16(b, flags)
	at := len(b)
	b = append(b, 0, 0)
	if r.q.nsid && r.nsid != "" {
		b = append(b, 0, optionNSID, 0, byte(len(r.nsid)))
		b = append(b, r.nsid...)
	}
	if r.ede != 0 {
		b = append(b, 0, optionEDE, 0, 2, 0, byte(r.ede))
	}
	binary.BigEndian.PutUint16(b[at:], uint16(len(b)-at-2))
	r.b.msg = b
	r.ar++
}
