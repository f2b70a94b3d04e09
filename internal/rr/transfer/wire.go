package transfer

import (
	"encoding/binary"

	"hostward/internal/rr"
)

// Numbers of RFC 1035, 1995, 1996, 2136, 6891 and 8945.
const (
	headerLen  = 12
	maxMessage = 65535
	maxName    = 255

	typeSOA    = 6
	typeOPT    = 41
	typeRRSIG  = 46
	typeTSIG   = 250
	typeIXFR   = 251
	typeAXFR   = 252
	typeANY    = 255
	classIN    = 1
	classNONE  = 254
	classANY   = 255
	optionEDE  = 15
	opQuery    = 0
	opNotify   = 4
	opUpdate   = 5
	flagQR     = 0x8000
	flagAA     = 0x0400
	flagTC     = 0x0200
	answer     = 0
	authority  = 1
	additional = 2
)

// question is the question of a message; in an update it is the zone.
type question struct {
	name       rr.Name
	typ, class uint16
}

// record is one record of a message. data is uncompressed.
type record struct {
	name       rr.Name
	typ, class uint16
	ttl        uint32
	data       []byte
}

// text returns the record as the house writes it. Types that are no data of a
// zone, and data that is no data of its type, are refused.
func (r record) text() (rr.Record, error) {
	typ := rr.TypeName(r.typ)
	data, err := rr.Unpack(typ, r.data)
	if err != nil {
		return rr.Record{}, malformed("reading %s %s: %v", r.name, typ, err)
	}
	return rr.Record{Name: r.name, TTL: r.ttl, Type: typ, Data: data}, nil
}

// cursor reads a message record by record. Whatever the message says, it
// holds no more than one record and the names that others point to.
type cursor struct {
	msg     []byte
	id      uint16
	flags   uint16
	asked   []question // none or one
	at      int
	section int
	left    [3]int
	names   map[int]rr.Name // by where they begin
}

func (c *cursor) opcode() int  { return int(c.flags>>11) & 0xF }
func (c *cursor) rcode() Rcode { return Rcode(c.flags & 0xF) }
func (c *cursor) reply() bool  { return c.flags&flagQR != 0 }

// read opens a message: the header, and the question if there is one.
func read(msg []byte) (*cursor, error) {
	if len(msg) < headerLen || len(msg) > maxMessage {
		return nil, malformed("a message of %d octets", len(msg))
	}
	c := &cursor{msg: msg, id: get16(msg), flags: get16(msg[2:]), at: headerLen, names: map[int]rr.Name{}}
	for i := range c.left {
		c.left[i] = int(get16(msg[6+2*i:]))
	}
	switch n := get16(msg[4:]); n {
	case 0:
		return c, nil
	case 1:
		return c, c.ask()
	default:
		return c, malformed("%d questions in a message: one is accepted (RFC 9619)", n)
	}
}

func (c *cursor) ask() error {
	name, at, err := c.name(c.at)
	if err != nil {
		return err
	}
	if at+4 > len(c.msg) {
		return malformed("the message ends within its question")
	}
	c.asked = []question{{name, get16(c.msg[at:]), get16(c.msg[at+2:])}}
	c.at = at + 4
	return nil
}

// next returns the next record and the section it stands in; ok is false
// after the last.
func (c *cursor) next() (r record, section int, ok bool, err error) {
	for c.section < len(c.left) && c.left[c.section] == 0 {
		c.section++
	}
	if c.section == len(c.left) {
		if c.at != len(c.msg) {
			return r, 0, false, malformed("%d octets are left over after the last record", len(c.msg)-c.at)
		}
		return r, 0, false, nil
	}
	c.left[c.section]--
	r, err = c.record()
	return r, c.section, err == nil, err
}

func (c *cursor) record() (r record, err error) {
	name, at, err := c.name(c.at)
	if err != nil {
		return r, err
	}
	if at+10 > len(c.msg) {
		return r, malformed("the message ends within a record")
	}
	b := c.msg[at:]
	r = record{name: name, typ: get16(b), class: get16(b[2:]), ttl: get32(b[4:])}
	start, end := at+10, at+10+int(get16(b[8:]))
	if end > len(c.msg) {
		return r, malformed("the message ends within the data of %s %s", name, rr.TypeName(r.typ))
	}
	c.at = end
	r.data, err = c.expand(r.typ, start, end)
	return r, err
}

// expand copies rdata with its names uncompressed. Layouts tell where names
// are; in types without one there is no compression (RFC 3597 4).
func (c *cursor) expand(typ uint16, start, end int) ([]byte, error) {
	l := rr.LayoutOf(typ)
	if l.Names == 0 || start == end {
		return append([]byte{}, c.msg[start:end]...), nil
	}
	at := start + l.Skip
	for range l.Strings {
		if at >= end {
			return nil, malformed("the data of a %s is too short", rr.TypeName(typ))
		}
		at += 1 + int(c.msg[at])
	}
	if at > end {
		return nil, malformed("the data of a %s is too short", rr.TypeName(typ))
	}
	out := append([]byte{}, c.msg[start:at]...)
	for range l.Names {
		var err error
		if out, at, err = appendName(out, c.msg[:end], at); err != nil {
			return nil, err
		}
	}
	return append(out, c.msg[at:end]...), nil
}

// name reads a name that may be compressed. Names that are all pointer, as
// most owners are, are read once.
func (c *cursor) name(at int) (rr.Name, int, error) {
	begin := at
	if at+1 < len(c.msg) && c.msg[at]&0xC0 == 0xC0 {
		begin = int(get16(c.msg[at:]) & 0x3FFF)
		if name, ok := c.names[begin]; ok {
			return name, at + 2, nil
		}
	}
	wire, next, err := appendName(make([]byte, 0, maxName), c.msg, at)
	if err != nil {
		return "", 0, err
	}
	name, _, err := rr.NameFromWire(wire)
	if err != nil {
		return "", 0, malformed("reading a name: %v", err)
	}
	c.names[begin] = name
	return name, next, nil
}

// appendName appends the name at msg[at:] without compression and returns
// where it ends in msg. A pointer leads strictly backwards, so that every
// name ends (RFC 1035 4.1.4).
func appendName(out, msg []byte, at int) ([]byte, int, error) {
	next, floor, size := 0, at, 0
	for at < len(msg) {
		n := int(msg[at])
		switch {
		case n&0xC0 == 0xC0 && at+1 < len(msg):
			to := int(get16(msg[at:]) & 0x3FFF)
			if next == 0 {
				next = at + 2
			}
			if to >= floor || to < headerLen {
				return nil, 0, malformed("a compressed name points forward")
			}
			at, floor = to, to
			continue
		case n > 63 || at+1+n > len(msg) || size+1+n > maxName:
			return nil, 0, malformed("a name is broken or longer than %d octets", maxName)
		}
		out = append(out, msg[at:at+1+n]...)
		at, size = at+1+n, size+1+n
		if n == 0 {
			if next == 0 {
				next = at
			}
			return out, next, nil
		}
	}
	return nil, 0, malformed("the message ends within a name")
}

// skipName returns where the name at msg[at:] ends, without following it.
func skipName(msg []byte, at int) (int, bool) {
	for at < len(msg) {
		switch n := int(msg[at]); {
		case n == 0:
			return at + 1, true
		case n&0xC0 == 0xC0:
			return at + 2, at+2 <= len(msg)
		case n > 63:
			return 0, false
		default:
			at += 1 + n
		}
	}
	return 0, false
}

func get16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func get32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

func put16(b []byte, n uint16) []byte { return binary.BigEndian.AppendUint16(b, n) }
func put32(b []byte, n uint32) []byte { return binary.BigEndian.AppendUint32(b, n) }

// put48 appends a TSIG time: seconds since 1970 in 48 bits.
func put48(b []byte, n uint64) []byte { return put32(put16(b, uint16(n>>32)), uint32(n)) }
func get48(b []byte) uint64           { return uint64(get16(b))<<32 | uint64(get32(b[2:])) }
