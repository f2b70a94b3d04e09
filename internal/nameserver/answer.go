package nameserver

import (
	"encoding/binary"
	"strings"
	"time"
)

const (
	optionNSID      = 3  // RFC 5001
	optionCookie    = 10 // RFC 7873
	optionKeepalive = 11 // RFC 7828
	optionPadding   = 12 // RFC 7830
	optionEDE       = 15 // RFC 8914

	paddingBlock = 468 // RFC 8467 4.1
	optRecord    = 11

	edeNotReady     = 14
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
	version string
	idle    time.Duration // offered to who asks how long a connection stays
	secrets secrets       // empty: no cookies
	limiter *limiter      // nil: none
	count   *counters

	from    asker
	now     moment
	slipped int

	q      query
	b      builder
	img    *image // of the name that is answered for
	apexAt uint16 // pointer to its apex in the message, 0 if there is none
	path   path
	chain  view // the name an alias led to
	made   view
	host   view // of an additional record
	way    path // to it
	hasher hasher
	used   [maxChain]*image // by this answer
	names  [maxChain]uint16 // pointers to the names it followed
	proved [maxProofs]*byte // the NSEC and NSEC3 records that are in
	later  [maxChain]later  // what proves that wildcards were right to answer
	added  [maxHosts]*byte  // the hosts whose addresses are in

	scratch [1024]byte
	room    int // octets an answer may have before OPT
	limit   int
	reply
}

// reply is what is known of the answer so far.
type reply struct {
	aa, tc     bool
	rcode      int
	ede        int
	an, ns, ar int
	valid      bool // the question has a server cookie of ours
	age        int32
	wildcard   bool
	proofs     int // places taken in proved, later and added
	laters     int
	hosts      int
}

// respond appends the answer to out, which is empty, and returns it; nil is
// no answer. r.from and r.now are set by the caller.
func (r *responder) respond(msg, out []byte) []byte {
	q := &r.q
	if !q.header(msg) {
		r.count.dropped.Add(1)
		return nil
	}
	r.reply, r.img = reply{}, nil
	sound := q.parse()
	r.begin(out, sound)
	r.identify()
	r.limits()
	switch {
	case q.opcode() != 0:
		r.refuse(rcodeNotImp, edeNotSupported)
	case !sound:
		r.rcode = rcodeFormErr
	case q.version > 0: // RFC 6891 6.1.3
		r.rcode = rcodeBadVers
	case q.questions() == 0: // somebody asks for a cookie (RFC 7873 5.4)
	default:
		r.answer()
	}
	switch r.judge() {
	case drops:
		return nil
	case slips:
		r.tc = true
	}
	r.finish(sound)
	r.count.answered(r.rcode, r.tc, r.from)
	return r.b.msg
}

// identify checks the server cookie that came along.
func (r *responder) identify() {
	if len(r.q.cookie) == 0 || len(r.secrets) == 0 {
		return
	}
	if r.age, r.valid = r.secrets.check(r.q.cookie, r.from.addr, r.now.unix); r.valid {
		r.count.known.Add(1)
	} else if len(r.q.cookie) > clientCookie {
		r.count.strange.Add(1)
	}
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

// limits keeps room for OPT. What it holds is known but for the EDE, which is
// without text.
func (r *responder) limits() {
	r.limit = maxMessage
	if !r.from.stream {
		r.limit = min(max(r.q.size, minUDP), max(r.payload, minUDP))
	}
	r.room = r.limit
	if !r.q.edns {
		return
	}
	r.room -= optRecord + 6
	if r.q.nsid {
		r.room -= 4 + len(r.nsid)
	}
	if len(r.q.cookie) > 0 {
		r.room -= 4 + clientCookie + serverCookie
	}
	if r.q.keepalive {
		r.room -= 6
	}
}

func (r *responder) refuse(rcode, ede int) { r.rcode, r.ede = rcode, ede }

// answer decides for a sound question.
func (r *responder) answer() {
	q := &r.q
	switch {
	case q.class == classCH:
		r.chaos()
		return
	case q.class != classIN:
		r.refuse(rcodeRefused, edeNotSupported)
		return
	case q.typ == typeAXFR || q.typ == typeIXFR:
		r.refuse(rcodeRefused, edeProhibited)
		return
	}
	img := r.zone(&q.view)
	if img == nil {
		r.refuse(rcodeRefused, edeNotAuthority)
		if r.zones().n == 0 { // nobody has fed us yet
			r.ede = edeNotReady
		}
		return
	}
	r.aa = true
	if r.q.do && img.soonest < r.now.unix {
		r.count.expired.Add(1)
	}
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
		if !r.step(img, v) || r.tc {
			break
		}
		v = &r.chain
		if img = r.zone(v); img == nil || r.circular(v, r.names[:i+1]) {
			break
		}
		img = r.pinned(img, r.used[:i+1])
	}
	r.proveLater()
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
	r.img, r.apexAt = img, 0
	if q := &r.q.view; q.under(img) {
		r.apexAt = pointerTo(headerLen + q.offset(q.n-img.labels))
	}
	r.path.set(v, img.labels)
	f := img.lookup(&r.path)
	switch f.kind {
	case isMissing:
		r.rcode = rcodeNXDomain
		r.deny(v, f)
	case isEmpty:
		r.deny(v, f)
	case isDNAME:
		return r.rename(v, f)
	case isCut:
		if r.q.typ != typeDS || f.depth < r.path.depth {
			r.refer(v, f)
			return false
		}
		return r.data(v, f)
	default:
		return r.data(v, f)
	}
	return false
}

// asked reports whether v is the question's own name: the compiled texts are
// made for it.
func (r *responder) asked(v *view) bool { return v == &r.q.view }

// data answers from a node: the records, an alias, or their absence.
func (r *responder) data(v *view, f found) bool {
	n, typ := f.body, r.q.typ
	s := n.find(typ)
	switch typ {
	case typeANY:
		s = n.smallest()
	case typeRRSIG:
		if r.signatures(v, f) {
			r.expanded(v, f)
			return false
		}
	}
	switch {
	case s.count > 0:
		at := r.emit(v, f, s)
		if r.expanded(v, f); typ != typeANY {
			r.additional(at, s, nil)
		}
	case n != nil && n.mark()&marksCNAME != 0 && typ != typeRRSIG && typ != typeNSEC: // these two may stand beside it (RFC 4035 2.5)
		return r.alias(v, f, n.find(typeCNAME))
	default:
		r.deny(v, f)
	}
	return false
}

// emit writes a set into the answer with v as owner and returns where.
func (r *responder) emit(v *view, f found, s set) int {
	text := s.text
	r.an += s.count
	if r.q.do {
		text = s.both
		r.an += s.signed
	}
	at := len(r.b.msg)
	if r.asked(v) && f.kind != isWildcard && at == r.q.end && r.fits(len(text)) {
		r.b.msg = append(r.b.msg, text...)
		return at
	}
	r.place(f.body, s, owner{ptr: v.ptr, wire: v.name[:v.nameLen]})
	return at
}

// fits notes that an answer is too long before it is written.
func (r *responder) fits(octets int) bool {
	if len(r.b.msg)+octets > r.room {
		r.tc = true
	}
	return !r.tc
}

// signatures answers for RRSIG itself: it is no set of its own (RFC 4035 3.1).
func (r *responder) signatures(v *view, f found) (any bool) {
	if f.body == nil {
		return false
	}
	for s := range f.body.sets() {
		if s.signed > 0 {
			any = true
			r.an += s.signed
			r.place(f.body, set{typ: typeRRSIG, text: s.sigs}, owner{ptr: v.ptr, wire: v.name[:v.nameLen]})
		}
	}
	return any
}

// alias writes a CNAME and goes on with its target (RFC 1034 3.6.2).
func (r *responder) alias(v *view, f found, s set) bool {
	at := r.emit(v, f, s)
	r.expanded(v, f)
	if r.tc {
		return false
	}
	r.chain.read(r.b.msg, rdataAt(r.b.msg, at))
	return r.q.typ != typeCNAME
}

// rename writes a DNAME and the CNAME it makes for v (RFC 6672 3.1).
func (r *responder) rename(v *view, f found) bool {
	s := f.body.find(typeDNAME)
	label := r.path.depth - f.depth
	r.an += s.count
	if r.q.do {
		r.an += s.signed
	}
	r.place(f.body, s, r.ancestor(v, label))
	to := first(s)
	if !r.made.set(v.name[:v.offset(label)], to.rdata) {
		r.rcode = rcodeYXDomain // RFC 6672 2.2
		return false
	}
	if !r.fits(2 + recordLen + r.made.nameLen) {
		return false
	}
	r.b.owner(v.ptr, v.name[:v.nameLen])
	r.b.msg = append(r.b.msg, 0, typeCNAME, 0, classIN)
	r.b.msg = binary.BigEndian.AppendUint32(r.b.msg, to.ttl)
	r.b.msg = append(r.b.msg, 0, 0)
	at := len(r.b.msg)
	r.made.ptr = r.b.name(r.made.name[:r.made.nameLen])
	binary.BigEndian.PutUint16(r.b.msg[at-2:], uint16(len(r.b.msg)-at))
	r.an++
	r.chain = r.made
	return r.q.typ != typeCNAME && r.q.typ != typeANY
}

// ancestor is the owner that v is below, from a label on.
func (r *responder) ancestor(v *view, label int) owner {
	o := owner{wire: v.suffix(label)}
	if r.asked(v) {
		o.ptr = pointerTo(headerLen + v.offset(label))
	}
	return o
}

// refer sends the asker to the zone below (RFC 1034 4.3.2 3b), with its DS or
// the proof that it has none (RFC 4035 3.1.4).
func (r *responder) refer(v *view, f found) {
	s := f.body.find(typeNS)
	s.sigs, s.both, s.signed = nil, s.text, 0 // the parent does not sign it; who did is not believed
	if r.an == 0 {
		r.aa = false
	}
	label := r.path.depth - f.depth
	at := len(r.b.msg)
	r.ns += s.count
	if r.asked(v) && label == 0 && at == r.q.end && r.fits(len(s.text)) {
		r.b.msg = append(r.b.msg, s.text...)
	} else {
		r.place(f.body, s, r.ancestor(v, label))
	}
	if r.q.do {
		r.security(v, f, r.ancestor(v, label))
	}
	r.additional(at, s, v.name[v.offset(label):v.nameLen])
}

// security writes the DS of a delegation, or that there is none.
func (r *responder) security(v *view, f found, o owner) {
	ds := f.body.find(typeDS)
	if ds.count == 0 {
		r.proveNoData(v, f)
		return
	}
	if ds.signed == 0 { // of no use to anybody
		return
	}
	r.ns += ds.count + ds.signed
	r.place(f.body, ds, o)
}

const maxHosts = 64 // hosts of one answer that are kept from being added twice

// additional adds the addresses of the hosts a set names, which stands in the
// message at an offset, as far as they fit. cut is nil for an answer, and for
// a referral the name of the delegation: glue below it is no favour but part
// of the referral, and if it does not fit the answer is truncated (RFC 9471 3.1).
func (r *responder) additional(at int, s set, cut []byte) {
	r.proveLater()
	skip, ok := hostAt(s.typ)
	if !ok || r.tc {
		return
	}
	for range s.count {
		at = rdataAt(r.b.msg, at)
		r.host.read(r.b.msg, at+skip)
		r.addresses(cut)
		at += int(binary.BigEndian.Uint16(r.b.msg[at-2:]))
	}
}

// addresses adds those of r.host.
func (r *responder) addresses(cut []byte) {
	if !r.host.under(r.img) {
		return
	}
	r.way.set(&r.host, r.img.labels)
	n, ok := r.img.names.get(r.way.whole())
	if !ok || r.repeated(&n[0]) || cut == nil && r.img.hidden(&r.way) {
		return
	}
	for _, typ := range [...]uint16{typeA, typeAAAA} {
		if s := n.find(typ); s.count > 0 && !r.address(n, s) {
			r.tc = r.tc || cut != nil && strings.HasSuffix(string(r.host.name[:r.host.nameLen]), string(cut))
		}
	}
}

func (r *responder) repeated(n *byte) bool {
	for _, a := range r.added[:r.hosts] {
		if a == n {
			return true
		}
	}
	if r.hosts < maxHosts {
		r.added[r.hosts] = n
		r.hosts++
	}
	return false
}

// address adds one address set whole, or reports that it does not fit. The
// signature alone is left out where only that does not (RFC 4035 3.1.1).
func (r *responder) address(n node, s set) bool {
	do, tc := r.q.do, r.tc
	defer func() { r.q.do, r.tc = do, tc }()
	for {
		count := s.count
		if r.q.do {
			count += s.signed
		}
		at := len(r.b.msg)
		r.place(n, s, owner{ptr: r.host.ptr, wire: r.host.name[:r.host.nameLen]})
		if !r.tc && len(r.b.msg) <= r.room {
			r.ar += count
			return true
		}
		r.b.msg, r.tc = r.b.msg[:at], tc
		r.b.forget(at)
		if !r.q.do || s.signed == 0 {
			return false
		}
		r.q.do = false
	}
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
	if len(r.q.cookie) > 0 && len(r.secrets) > 0 {
		b = r.cookie(b)
	}
	if r.q.keepalive && r.from.stream {
		b = append(b, 0, optionKeepalive, 0, 2)
		b = binary.BigEndian.AppendUint16(b, uint16(min(r.idle/(100*time.Millisecond), 0xFFFF)))
	}
	if r.ede != 0 {
		b = append(b, 0, optionEDE, 0, 2, 0, byte(r.ede))
	}
	if r.q.padded && r.from.tls {
		b = pad(b)
	}
	binary.BigEndian.PutUint16(b[at:], uint16(len(b)-at-2))
	r.b.msg = b
	r.ar++
}

// cookie appends the asker's cookie with one of ours: his own while it is
// young (RFC 9018 4.3).
func (r *responder) cookie(b []byte) []byte {
	b = append(b, 0, optionCookie, 0, clientCookie+serverCookie)
	if r.valid && r.age >= 0 && r.age < cookieRenew {
		return append(b, r.q.cookie...)
	}
	b = append(b, r.q.cookie[:clientCookie]...)
	return r.secrets.appendCookie(b, r.q.cookie[:clientCookie], r.from.addr, r.now.unix)
}

// pad appends a padding option so that the message is a multiple of the block,
// as far as a message reaches: who listens learns little from its length.
func pad(b []byte) []byte {
	n := (paddingBlock - (len(b)+4)%paddingBlock) % paddingBlock
	if len(b)+4+n > maxMessage {
		return b
	}
	b = append(b, 0, optionPadding, byte(n>>8), byte(n))
	for range n {
		b = append(b, 0)
	}
	return b
}
