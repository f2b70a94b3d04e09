package nameserver

import (
	"encoding/binary"
	"iter"
	"slices"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// node is the body of a name with records, as it stands in a page:
//
//	mark     uint8
//	relative uint8    octets of the name down to the apex
//	sets in order of type, each
//	  type uint16, records uint16, their octets uint32,
//	  signatures uint16, their octets uint32, records, signatures
//
// A set without records keeps signatures whose set is not there (yet).
type node []byte

const (
	nodeHead = 2
	setHead  = 14
)

// mark says what a query has to know of a name at once.
type mark uint8

const (
	marksCut   mark = 1 << iota // NS below the apex: a delegation
	marksDNAME                  // hides what is below (RFC 6672)
	marksCNAME
)

func (n node) mark() mark { return mark(n[0]) }

// set is one RRset, compiled. Both texts are records with the question's name
// as owner, compressed for a question of this very name; the names in them
// point into it from the apex on only, so that a wildcard's can be moved.
type set struct {
	typ    uint16
	count  int
	signed int // number of signatures
	text   []byte
	sigs   []byte // directly behind text
	both   []byte // text and sigs
}

// sets yields the sets, those of signatures alone included.
func (n node) sets() iter.Seq[set] {
	return func(yield func(set) bool) {
		for i := nodeHead; i < len(n); {
			s, next := n.setAt(i)
			if !yield(s) {
				return
			}
			i = next
		}
	}
}

func (n node) setAt(i int) (set, int) {
	h := n[i : i+setHead]
	text := i + setHead + int(binary.LittleEndian.Uint32(h[4:]))
	end := text + int(binary.LittleEndian.Uint32(h[10:]))
	return set{
		typ:    binary.LittleEndian.Uint16(h),
		count:  int(binary.LittleEndian.Uint16(h[2:])),
		signed: int(binary.LittleEndian.Uint16(h[8:])),
		text:   n[i+setHead : text],
		sigs:   n[text:end],
		both:   n[i+setHead : end],
	}, end
}

// find returns the set of a type; its count is 0 if there is none.
func (n node) find(typ uint16) set {
	for i := nodeHead; i < len(n); {
		h := n[i : i+setHead]
		if binary.LittleEndian.Uint16(h) == typ {
			s, _ := n.setAt(i)
			return s
		}
		i += setHead + int(binary.LittleEndian.Uint32(h[4:])) + int(binary.LittleEndian.Uint32(h[10:]))
	}
	return set{}
}

func (n node) has(typ uint16) bool { return n.find(typ).count > 0 }

// smallest is what ANY gets: one RRset, the shortest, so that the answer is of
// no use for amplification (RFC 8482 4.1). What only proves something comes last.
func (n node) smallest() (out set) {
	for s := range n.sets() {
		if s.count > 0 && (out.count == 0 || proves(out.typ) || !proves(s.typ) && len(s.text) < len(out.text)) {
			out = s
		}
	}
	return out
}

func proves(typ uint16) bool { return typ == typeNSEC || typ == typeNSEC3 }

// soonest returns when the first of the node's signatures expires.
func (n node) soonest() uint32 {
	out := uint32(noExpiry)
	for s := range n.sets() {
		for r := range records(s.sigs) {
			out = min(out, binary.BigEndian.Uint32(r.rdata[8:])) // RFC 4034 3.1.5; after 2106 this needs its serial arithmetic
		}
	}
	return out
}

// record is one record of a set's text.
type record struct {
	at    int // where it begins in the text
	ttl   uint32
	rdata []byte // its names may be compressed
}

// records yields the records of a text whose owners are pointers.
func records(text []byte) iter.Seq[record] {
	return func(yield func(record) bool) {
		for i := 0; i < len(text); {
			h := text[i+2:]
			n := int(binary.BigEndian.Uint16(h[8:]))
			if !yield(record{i, binary.BigEndian.Uint32(h[4:]), h[recordLen : recordLen+n]}) {
				return
			}
			i += 2 + recordLen + n
		}
	}
}

// part is a set in the making.
type part struct {
	typ           uint16
	count, signed int
	ttl           uint32
	text, sigs    []byte
}

// parts appends what a node consists of.
func (n node) parts(out []part) []part {
	if n == nil {
		return out
	}
	for s := range n.sets() {
		p := part{typ: s.typ, count: s.count, signed: s.signed, text: s.text, sigs: s.sigs}
		for r := range records(s.both) {
			p.ttl = r.ttl
			break
		}
		out = append(out, p)
	}
	return out
}

// nodeOf puts parts together; nil if nothing is in them.
func nodeOf(parts []part, m mark, relative int) node {
	size := nodeHead
	for _, p := range parts {
		size += setHead + len(p.text) + len(p.sigs)
	}
	n := append(make(node, 0, size), byte(m), byte(relative))
	for _, p := range parts {
		if p.count+p.signed == 0 {
			continue
		}
		n = binary.LittleEndian.AppendUint16(n, p.typ)
		n = binary.LittleEndian.AppendUint16(n, uint16(p.count))
		n = binary.LittleEndian.AppendUint32(n, uint32(len(p.text)))
		n = binary.LittleEndian.AppendUint16(n, uint16(p.signed))
		n = binary.LittleEndian.AppendUint32(n, uint32(len(p.sigs)))
		n = append(append(n, p.text...), p.sigs...)
	}
	if len(n) == nodeHead {
		return nil
	}
	return n
}

// marksOf sets the marks that follow from a name's own sets. A delegation at
// a wildcard is not defined (RFC 4592 4.2): it is answered as data.
func marksOf(parts []part, key []byte) (m mark) {
	for _, p := range parts {
		switch {
		case p.count == 0:
		case p.typ == typeNS && len(key) > 0 && !wild(key):
			m |= marksCut
		case p.typ == typeDNAME && !wild(key):
			m |= marksDNAME
		case p.typ == typeCNAME:
			m |= marksCNAME
		}
	}
	return m
}

// writer compiles the sets of one name.
type writer struct {
	apex  []byte
	owner []byte
	parts []part
}

// put replaces, adds or removes one set.
func (w *writer) put(s rr.RRset) error {
	code, ok := rr.TypeCode(s.Type)
	if !ok {
		return core.Errorf(core.Invalid, "type %q is not known", s.Type)
	}
	rdatas, err := s.Wire()
	if err != nil {
		return err
	}
	if code == typeRRSIG {
		return w.sign(s, rdatas)
	}
	p := w.part(code)
	p.count, p.ttl = len(rdatas), s.TTL
	if p.text, err = w.compile(code, s, rdatas); err != nil {
		return err
	}
	p.sigs = slices.Clone(p.sigs)
	retime(p.sigs, p.ttl)
	return nil
}

// sign replaces all signatures of the name. Each goes to the set it covers and
// has that set's TTL (RFC 4034 3).
func (w *writer) sign(s rr.RRset, rdatas [][]byte) error {
	for i := range w.parts {
		w.parts[i].signed, w.parts[i].sigs = 0, nil
	}
	for _, d := range rdatas {
		if len(d) < 19 {
			return core.Errorf(core.Invalid, "%s has an RRSIG that is too short", s.Name)
		}
		p := w.part(binary.BigEndian.Uint16(d))
		if p.count == 0 {
			p.ttl = s.TTL
		}
		p.sigs = append(appendHead(p.sigs, ownerPtr, typeRRSIG, p.ttl, len(d)), d...)
		p.signed++
	}
	return nil
}

// part returns the set of a type, made if there is none.
func (w *writer) part(code uint16) *part {
	i, found := slices.BinarySearchFunc(w.parts, code, func(p part, c uint16) int { return int(p.typ) - int(c) })
	if !found {
		w.parts = slices.Insert(w.parts, i, part{typ: code})
	}
	return &w.parts[i]
}

func (w *writer) compile(code uint16, s rr.RRset, rdatas [][]byte) ([]byte, error) {
	size := 0
	for _, d := range rdatas {
		size += 2 + recordLen + len(d)
	}
	if size > maxMessage-len(w.owner)-64 || len(rdatas) > 0xFFFF {
		return nil, core.Errorf(core.Invalid, "%s %s has %d octets: no message holds them", s.Name, s.Type, size)
	}
	layout := rr.LayoutOf(code)
	if !layout.Compress {
		text := make([]byte, 0, size)
		for _, d := range rdatas {
			text = append(appendHead(text, ownerPtr, code, s.TTL, len(d)), d...)
		}
		return text, nil
	}
	var b builder
	b.reset(question(w.owner))
	from := len(b.msg)
	b.knowSuffixes(w.owner, len(w.owner)-len(w.apex))
	for _, d := range rdatas {
		b.record(ownerPtr, code, s.TTL, layout, d)
	}
	return b.msg[from:], nil
}

// knowSuffixes notes the labels of the question's name from an offset on.
func (b *builder) knowSuffixes(name []byte, from int) {
	for i := from; name[i] != 0; i += 1 + int(name[i]) {
		b.know(headerLen + i)
	}
}

// retime sets the TTL of each record of a text.
func retime(text []byte, ttl uint32) {
	for r := range records(text) {
		binary.BigEndian.PutUint32(text[r.at+6:], ttl)
	}
}
