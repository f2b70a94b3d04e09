package nameserver

import (
	"encoding/binary"
	"iter"

	"hostward/internal/rr"
)

// Types the server's rules name.
const (
	typeA     = 1
	typeNS    = 2
	typeCNAME = 5
	typeSOA   = 6
	typeMX    = 15
	typeAAAA  = 28
	typeSRV   = 33
	typeDNAME = 39
	typeOPT   = 41
	typeDS    = 43
	typeRRSIG = 46
	typeNSEC  = 47
	typeTSIG  = 250
	typeIXFR  = 251
	typeAXFR  = 252
	typeANY   = 255
	classIN   = 1
)

// ownerPtr points to the question's name.
const ownerPtr = pointer | headerLen

// set is one RRset, compiled. Both texts are records with the question's name
// as owner.
type set struct {
	typ     uint16
	count   uint16
	ready   string   // names compressed for a question of this very owner: copied as it is
	plain   string   // names not compressed: for wildcards and chains
	targets []target // hosts in the zone whose addresses go along (RFC 1034 4.3.2, RFC 2782)
}

// target is a host an NS, MX or SRV record names.
type target struct {
	ptr uint16 // where the name is in a message that has ready as its answer; 0: out of reach
	key string // its name relative to the zone
}

// record is one record of a set's plain text.
type record struct {
	ttl   uint32
	rdata string
}

// records yields the records.
func (s *set) records() iter.Seq[record] {
	return func(yield func(record) bool) {
		for i := 0; i < len(s.plain); {
			h := s.plain[i+2:]
			n := int(h[8])<<8 | int(h[9])
			if !yield(record{beString(h[4:]), h[recordLen : recordLen+n]}) {
				return
			}
			i += 2 + recordLen + n
		}
	}
}

func beString(s string) uint32 {
	return uint32(s[0])<<24 | uint32(s[1])<<16 | uint32(s[2])<<8 | uint32(s[3])
}

// compile makes a set of an RRset. owner is its wire name, apex the zone's.
func compile(s rr.RRset, owner, apex []byte) (set, error) {
	code, _ := rr.TypeCode(s.Type)
	rdatas, err := s.Wire()
	if err != nil {
		return set{}, err
	}
	out := set{typ: code, count: uint16(len(rdatas))}
	layout := rr.LayoutOf(code)
	var b builder
	b.reset(question(owner), starts(owner))
	from := len(b.msg)
	var plain []byte
	for _, rdata := range rdatas {
		plain = append(appendHead(plain, ownerPtr, code, s.TTL, len(rdata)), rdata...)
		ptr := b.record(ownerPtr, code, s.TTL, layout, rdata)
		if host := hostOf(code, rdata); host != nil && within(host, apex) {
			out.targets = append(out.targets, target{ptr, string(host[:len(host)-len(apex)])})
		}
	}
	out.plain = string(plain)
	out.ready = out.plain
	if layout.Compress {
		out.ready = string(b.msg[from:])
	}
	return out, nil
}

// question returns a message with a question for owner, its header empty.
func question(owner []byte) []byte {
	msg := make([]byte, headerLen, headerLen+len(owner)+questionLen)
	msg = append(msg, owner...)
	return append(msg, 0, 0, 0, classIN)
}

// starts returns the offsets of the labels of an uncompressed name.
func starts(name []byte) []uint8 {
	var out []uint8
	for i := 0; name[i] != 0; i += 1 + int(name[i]) {
		out = append(out, uint8(i))
	}
	return out
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

// hostOf returns the host whose addresses go along with a record.
func hostOf(code uint16, rdata []byte) []byte {
	switch code {
	case typeNS, typeMX, typeSRV:
		start, end, ok := rr.LayoutOf(code).NameAt(rdata)
		if ok {
			return rdata[start:end]
		}
	}
	return nil
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
