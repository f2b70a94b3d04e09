package nameserver

import (
	"encoding/binary"

	"hostward/internal/rr"
)

// owner is the name a set is written under: as a pointer, or, where that is 0,
// in full.
type owner struct {
	ptr  uint16
	wire []byte
}

// place writes a set anywhere in a message, under any owner, with its
// signatures if those are asked for.
func (r *responder) place(n node, s set, o owner) {
	text := s.text
	if r.q.do && s.signed > 0 {
		text = s.both
	}
	if !r.fits(len(text)) {
		return
	}
	if at := len(r.b.msg); o.ptr != 0 && r.apexAt != 0 && at+len(text) < 0x4000 {
		r.b.msg = append(r.b.msg, text...)
		r.move(n, at, o.ptr)
		return
	}
	for rec := range records(text) {
		typ := binary.BigEndian.Uint16(text[rec.at+2:])
		at := len(r.b.msg)
		r.b.owner(o.ptr, o.wire)
		if o.ptr == 0 {
			o.ptr = pointerTo(at)
		}
		r.b.msg = append(r.b.msg, text[rec.at+2:rec.at+2+recordLen]...)
		r.unfold(n, s.text, rec.rdata, rr.LayoutOf(typ))
	}
}

// move turns the pointers of a text that was copied to an offset: as it is as
// long as ever, those into itself move by as much as it did.
func (r *responder) move(n node, at int, ptr uint16) {
	msg := r.b.msg
	apex, text := r.bases(n)
	layout, of := rr.Layout{}, uint16(0)
	for i := at; i < len(msg); {
		binary.BigEndian.PutUint16(msg[i:], ptr)
		if typ := binary.BigEndian.Uint16(msg[i+2:]); typ != of {
			layout, of = rr.LayoutOf(typ), typ
		}
		i += 2 + recordLen
		next := i + int(binary.BigEndian.Uint16(msg[i-2:]))
		if layout.Compress {
			i += layout.Skip
			for range layout.Names {
				i = turn(msg, i, apex, int(r.apexAt&0x3FFF), text, at)
			}
		}
		i = next
	}
}

// bases returns where the apex and the text are in the message that a node's
// texts were compiled for.
func (r *responder) bases(n node) (apex, text int) {
	apex = headerLen + int(n[1])
	return apex, apex + len(r.img.apex) + questionLen
}

// turn corrects the pointer that a name ends in, if it does, and returns where
// the name ends.
func turn(msg []byte, i, apex, apexAt, text, textAt int) int {
	for msg[i]&0xC0 == 0 {
		if msg[i] == 0 {
			return i + 1
		}
		i += 1 + int(msg[i])
	}
	to := int(binary.BigEndian.Uint16(msg[i:]) & 0x3FFF)
	if to < text {
		to += apexAt - apex
	} else {
		to += textAt - text
	}
	binary.BigEndian.PutUint16(msg[i:], pointer|uint16(to))
	return i + 2
}

// unfold writes rdata whose names may point elsewhere than they should here:
// each is spelt out and compressed anew.
func (r *responder) unfold(n node, text, rdata []byte, l rr.Layout) {
	from := len(r.b.msg)
	if !l.Compress {
		r.b.msg = append(r.b.msg, rdata...)
		return
	}
	r.b.msg = append(r.b.msg, rdata[:l.Skip]...)
	i := l.Skip
	var name [256]byte
	for range l.Names {
		var wire []byte
		wire, i = r.spell(name[:0], n, text, rdata, i)
		r.b.name(wire)
	}
	r.b.msg = append(r.b.msg, rdata[i:]...)
	binary.BigEndian.PutUint16(r.b.msg[from-2:], uint16(len(r.b.msg)-from))
}

// spell appends the name at rdata[i:] and returns where it ends there.
func (r *responder) spell(wire []byte, n node, text, rdata []byte, i int) ([]byte, int) {
	return spell(wire, r.img.apex, int(n[1]), text, rdata, i)
}

// spell writes out a name of a compiled text: relative is how many octets
// the owner of the text has down to the apex.
func spell(wire []byte, apex string, relative int, text, b []byte, i int) ([]byte, int) {
	end := 0
	apexBase := headerLen + relative
	textBase := apexBase + len(apex) + questionLen
	for {
		switch c := int(b[i]); {
		case c == 0:
			return append(wire, 0), max(end, i+1)
		case c < 0xC0:
			wire = append(wire, b[i:i+1+c]...)
			i += 1 + c
		default:
			if end == 0 {
				end = i + 2
			}
			to := int(binary.BigEndian.Uint16(b[i:]) & 0x3FFF)
			if to < textBase {
				return append(wire, apex[to-apexBase:]...), end
			}
			b, i = text, to-textBase
		}
	}
}

// rdataAt returns where the data of the record at an offset begins.
func rdataAt(msg []byte, at int) int { return skipName(msg, at) + recordLen }

// hostAt returns where in its rdata a type names the host whose addresses go
// along (RFC 1034 4.3.2, RFC 2782).
func hostAt(typ uint16) (skip int, ok bool) {
	switch typ {
	case typeNS:
		return 0, true
	case typeMX:
		return 2, true
	case typeSRV:
		return 6, true
	}
	return 0, false
}
