package nameserver

import "encoding/binary"

// Sizes of the parts of a message (RFC 1035 4.1).
const (
	headerLen   = 12
	questionLen = 4  // type and class after the name
	recordLen   = 10 // type, class, TTL, length after the owner
	pointer     = 0xC000
)

// builder appends to a message and compresses names (RFC 1035 4.1.4).
type builder struct {
	msg   []byte
	known [48]uint16 // where labels begin that later names may point to
	n     int
}

// reset starts with a message that holds header and question.
func (b *builder) reset(msg []byte) { b.msg, b.n = msg, 0 }

func (b *builder) know(off int) {
	if off < 0x4000 && b.n < len(b.known) {
		b.known[b.n] = uint16(off)
		b.n++
	}
}

// name appends an uncompressed name in lower case, compressed as far as the
// message allows, and returns where it begins: as the pointer that means it.
func (b *builder) name(wire []byte) uint16 {
	start, complete := len(b.msg), b.n // its own labels end only when it is written
	for i := 0; wire[i] != 0; i += 1 + int(wire[i]) {
		if off, ok := b.find(wire[i:], complete); ok {
			b.msg = binary.BigEndian.AppendUint16(b.msg, pointer|off)
			if i == 0 {
				return pointer | off
			}
			return pointerTo(start)
		}
		b.know(len(b.msg))
		b.msg = append(b.msg, wire[i:i+1+int(wire[i])]...)
	}
	b.msg = append(b.msg, 0)
	return pointerTo(start)
}

// pointerTo returns the pointer to an offset, 0 if none reaches it.
func pointerTo(off int) uint16 {
	if off >= 0x4000 {
		return 0
	}
	return pointer | uint16(off)
}

func (b *builder) find(suffix []byte, n int) (uint16, bool) {
	for _, off := range b.known[:n] {
		if same(b.msg, int(off), suffix) {
			return off, true
		}
	}
	return 0, false
}

// same compares the name at msg[off:], which may end in pointers backwards,
// with an uncompressed name in lower case. The message is our own: its
// pointers are sound.
func same(msg []byte, off int, name []byte) bool {
	i := 0
	for {
		for msg[off]&0xC0 == 0xC0 {
			off = int(binary.BigEndian.Uint16(msg[off:]) & 0x3FFF)
		}
		n := int(msg[off])
		if n != int(name[i]) {
			return false
		}
		if n == 0 {
			return true
		}
		for k := 1; k <= n; k++ {
			if fold(msg[off+k]) != name[i+k] {
				return false
			}
		}
		off, i = off+1+n, i+1+n
	}
}

// fold lowers ASCII (RFC 4343 3).
func fold(c byte) byte {
	if 'A' <= c && c <= 'Z' {
		c += 'a' - 'A'
	}
	return c
}

// owner appends a pointer, or the name where no pointer is known.
func (b *builder) owner(ptr uint16, wire []byte) {
	if ptr == 0 {
		b.name(wire)
		return
	}
	b.msg = binary.BigEndian.AppendUint16(b.msg, ptr)
}

// forget drops what was learnt from an offset on, which was cut off again.
func (b *builder) forget(at int) {
	for b.n > 0 && int(b.known[b.n-1]) >= at {
		b.n--
	}
}
