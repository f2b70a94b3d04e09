package transfer

import (
	"encoding/binary"
	"net/netip"

	"hostward/internal/rr"
)

// builder writes one message after another into one buffer. Names are
// compressed against the first 16 KiB of the message (RFC 1035 4.1.4).
type builder struct {
	buf   []byte
	names map[string]int // wire form of a name, or of its end -> offset
	limit int            // octets, what is added when signing not counted
}

func newBuilder(limit int) *builder {
	return &builder{names: map[string]int{}, limit: limit}
}

// begin starts a message.
func (b *builder) begin(id, flags uint16) {
	clear(b.names)
	b.buf = put16(put16(b.buf[:0], id), flags)
	b.buf = append(b.buf, 0, 0, 0, 0, 0, 0, 0, 0)
}

func (b *builder) count(slot int) {
	at := b.buf[4+2*slot:]
	binary.BigEndian.PutUint16(at, get16(at)+1)
}

func (b *builder) ask(q question) {
	b.name(q.name.Wire())
	b.buf = put16(put16(b.buf, q.typ), q.class)
	b.count(0)
}

// add appends a record. It returns false and leaves the message as it was if
// there is no room; begin then the next one.
func (b *builder) add(section int, r record) bool {
	start := len(b.buf)
	b.name(r.name.Wire())
	b.buf = put32(put16(put16(b.buf, r.typ), r.class), r.ttl)
	at := len(b.buf)
	b.buf = put16(b.buf, 0)
	b.data(r)
	if len(b.buf) > b.limit || len(b.buf)-at-2 > maxMessage {
		b.buf = b.buf[:start]
		return false
	}
	binary.BigEndian.PutUint16(b.buf[at:], uint16(len(b.buf)-at-2))
	b.count(1 + section)
	return true
}

// data appends rdata; names are compressed where RFC 3597 4 allows it.
func (b *builder) data(r record) {
	l := rr.LayoutOf(r.typ)
	start, end, ok := l.NameAt(r.data)
	if !l.Compress || !ok {
		b.buf = append(b.buf, r.data...)
		return
	}
	b.buf = append(b.buf, r.data[:start]...)
	for at := start; at < end; {
		next, _ := skipName(r.data, at)
		b.name(r.data[at:next])
		at = next
	}
	b.buf = append(b.buf, r.data[end:]...)
}

// name appends an uncompressed name in wire form, compressed.
func (b *builder) name(wire []byte) {
	whole := ""
	for i := 0; wire[i] != 0; i += 1 + int(wire[i]) {
		if at, ok := b.names[string(wire[i:])]; ok {
			b.buf = put16(b.buf, 0xC000|uint16(at))
			return
		}
		if at := len(b.buf); at < 0x4000 {
			if whole == "" {
				whole = string(wire)
			}
			b.names[whole[i:]] = at
		}
		b.buf = append(b.buf, wire[i:i+1+int(wire[i])]...)
	}
	b.buf = append(b.buf, 0)
}

// option appends an OPT record (RFC 6891 6.1.2), with an extended error if why
// is not empty, cut to what fits.
func (b *builder) option(f *Fault) {
	var data []byte
	if f != nil && f.Why != "" {
		const most = 200
		text := f.Why[:min(len(f.Why), most)]
		data = put16(put16(data, optionEDE), uint16(2+len(text)))
		data = append(put16(data, uint16(f.EDE)), text...)
	}
	b.add(additional, record{name: ".", typ: typeOPT, class: payload, data: data})
}

// payload is the size of a UDP message we take (RFC 9715 3.1).
const payload = 1232

// wireOf returns a record of a zone as it stands in a message. What most zones
// are made of takes a short way.
func wireOf(r rr.Record) (record, error) {
	code, _ := rr.TypeCode(r.Type)
	out := record{name: r.Name, typ: code, class: classIN, ttl: r.TTL}
	switch r.Type {
	case "A", "AAAA":
		if a, err := netip.ParseAddr(r.Data); err == nil && a.Is4() == (r.Type == "A") && a.Zone() == "" {
			out.data = a.AsSlice()
			return out, nil
		}
	case "NS", "CNAME", "PTR":
		out.data = rr.Name(r.Data).Wire()
		return out, nil
	}
	var err error
	out.data, err = rr.Pack(r.Type, r.Data)
	return out, err
}
