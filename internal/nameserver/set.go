package nameserver

import (
	"encoding/binary"

	"hostward/internal/rr"
)

// Types the server's rules name.
const (
	typeA     = 1
	typeNS    = 2
	typeCNAME = 5
	typeSOA   = 6
	typePTR   = 12
	typeMX    = 15
	typeTXT   = 16
	typeAAAA  = 28
	typeSRV   = 33
	typeDNAME = 39
	typeOPT   = 41
	typeDS    = 43
	typeRRSIG = 46
	typeNSEC  = 47

	typeNSEC3      = 50
	typeNSEC3PARAM = 51

	typeTSIG = 250
	typeIXFR = 251
	typeAXFR = 252
	typeANY  = 255
	classIN  = 1
)

// ownerPtr points to the question's name.
const ownerPtr = pointer | headerLen

// question returns a message with a question for owner, its header empty.
func question(owner []byte) []byte {
	msg := make([]byte, headerLen, headerLen+len(owner)+questionLen)
	msg = append(msg, owner...)
	return append(msg, 0, 0, 0, classIN)
}

func appendHead(b []byte, owner, code uint16, ttl uint32, length int) []byte {
	b = binary.BigEndian.AppendUint16(b, owner)
	b = binary.BigEndian.AppendUint16(b, code)
	b = append(b, 0, classIN)
	b = binary.BigEndian.AppendUint32(b, ttl)
	return binary.BigEndian.AppendUint16(b, uint16(length))
}

// record appends a record whose owner is a pointer and returns the pointer to
// the last name in its data, 0 if there is none.
func (b *builder) record(owner, code uint16, ttl uint32, l rr.Layout, rdata []byte) uint16 {
	b.msg = appendHead(b.msg, owner, code, ttl, len(rdata))
	return b.rdata(l, rdata)
}

// rdata appends rdata after its length, which it corrects.
func (b *builder) rdata(l rr.Layout, rdata []byte) (last uint16) {
	from := len(b.msg)
	start, end, named := l.NameAt(rdata)
	if !named || !l.Compress {
		b.msg = append(b.msg, rdata...)
		if named {
			return pointerTo(from + start)
		}
		return 0
	}
	b.msg = append(b.msg, rdata[:start]...)
	for i := start; i < end; {
		n := nameLen(rdata[i:])
		last = b.name(rdata[i : i+n])
		i += n
	}
	b.msg = append(b.msg, rdata[end:]...)
	binary.BigEndian.PutUint16(b.msg[from-2:], uint16(len(b.msg)-from))
	return last
}

func nameLen(b []byte) int {
	i := 0
	for b[i] != 0 {
		i += 1 + int(b[i])
	}
	return i + 1
}

// within reports whether a wire name is the apex or below it.
func within(name, apex []byte) bool {
	for i := 0; len(name)-i >= len(apex); i += 1 + int(name[i]) {
		if len(name)-i == len(apex) {
			return string(name[i:]) == string(apex)
		}
	}
	return false
}
