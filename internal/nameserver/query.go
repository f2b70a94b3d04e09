package nameserver

import "encoding/binary"

// Response codes (RFC 1035 4.1.1, RFC 6672, RFC 6891).
const (
	rcodeOK       = 0
	rcodeFormErr  = 1
	rcodeServFail = 2
	rcodeNXDomain = 3
	rcodeNotImp   = 4
	rcodeRefused  = 5
	rcodeYXDomain = 6
	rcodeBadVers  = 16
)

// view is a name in wire form, lower case, with its labels marked.
type view struct {
	name    [255]byte
	nameLen int        // with the root
	labels  [127]uint8 // where the labels begin
	n       int        // how many there are
	ptr     uint16     // the pointer that means it in the answer; 0: none reaches it
}

// offset returns where label i begins, i == n being the root.
func (v *view) offset(i int) int {
	if i >= v.n {
		return v.nameLen - 1
	}
	return int(v.labels[i])
}

// suffix returns the name from label i on.
func (v *view) suffix(i int) []byte { return v.name[v.offset(i):v.nameLen] }

// set makes the view one of head, which lacks the root, and tail; false if
// together they are longer than a name may be.
func (v *view) set(head, tail []byte) bool {
	if len(head)+len(tail) > len(v.name) {
		return false
	}
	v.nameLen = copy(v.name[:], head)
	v.nameLen += copy(v.name[v.nameLen:], tail)
	v.n = 0
	for i := 0; v.name[i] != 0; i += 1 + int(v.name[i]) {
		v.labels[v.n] = uint8(i)
		v.n++
	}
	return true
}

// read makes the view of the name at an offset of a message of our own, whose
// pointers are sound.
func (v *view) read(msg []byte, off int) {
	v.nameLen, v.n, v.ptr = 0, 0, pointerTo(off)
	for {
		for msg[off]&0xC0 == 0xC0 {
			off = int(binary.BigEndian.Uint16(msg[off:]) & 0x3FFF)
		}
		n := int(msg[off])
		if n > 0 {
			v.labels[v.n] = uint8(v.nameLen)
			v.n++
		}
		v.name[v.nameLen] = byte(n)
		for k := 1; k <= n; k++ {
			v.name[v.nameLen+k] = fold(msg[off+k])
		}
		v.nameLen += 1 + n
		off += 1 + n
		if n == 0 {
			return
		}
	}
}

// under reports whether the name is a zone's apex or below it.
func (v *view) under(img *image) bool {
	return v.n >= img.labels && string(v.suffix(v.n-img.labels)) == img.apex
}

// query is a request taken apart. It is reused from packet to packet.
type query struct {
	view
	msg   []byte
	end   int // of the question in msg; 0: there is none
	typ   uint16
	class uint16

	edns    bool
	version uint8
	size    int // what the asker takes over UDP
	do      bool

	nsid      bool
	keepalive bool
	padded    bool
	cookie    []byte // client's, with the server's behind it if he has one
}

const minUDP = 512 // RFC 1035 2.3.4, and RFC 6891 6.2.3 for smaller offers

// header reports whether the packet is a question at all; what is not gets no
// answer, so that two servers never talk in circles.
func (q *query) header(msg []byte) bool {
	q.msg, q.end, q.n, q.nameLen, q.ptr = msg, 0, 0, 0, ownerPtr
	q.edns, q.version, q.size, q.do = false, 0, minUDP, false
	q.nsid, q.keepalive, q.padded, q.cookie = false, false, false, nil
	return len(msg) >= headerLen && msg[2]&0x80 == 0
}

func (q *query) opcode() byte { return q.msg[2] >> 3 & 15 }

func (q *query) questions() int { return q.count(0) }

func (q *query) count(i int) int { return int(binary.BigEndian.Uint16(q.msg[4+2*i:])) }

// parse reads the question and the records after it; false is FORMERR.
func (q *query) parse() bool {
	if q.count(0) == 0 && q.count(1)+q.count(2) == 0 && q.count(3) > 0 {
		return q.records(headerLen, 0, q.count(3)) && q.cookie != nil
	}
	if q.count(0) != 1 || !q.question() {
		return false
	}
	carried := q.count(1) + q.count(2)
	if carried > 0 && q.typ != typeIXFR { // IXFR carries a SOA (RFC 1995 3)
		return false
	}
	if carried+q.count(3) == 0 {
		return len(q.msg) == q.end
	}
	return q.records(q.end, carried, q.count(3))
}

// question reads name, type and class. Compression has nothing to point to
// here and is refused.
func (q *query) question() bool {
	i := headerLen
	for {
		if i >= len(q.msg) {
			return false
		}
		n := int(q.msg[i])
		if n > 63 || i+1+n > len(q.msg) || q.nameLen+1+n >= len(q.name)+1 {
			return false
		}
		if n > 0 {
			q.labels[q.n] = uint8(q.nameLen)
			q.n++
		}
		q.name[q.nameLen] = byte(n)
		for k := 1; k <= n; k++ {
			q.name[q.nameLen+k] = fold(q.msg[i+k])
		}
		q.nameLen += 1 + n
		i += 1 + n
		if n == 0 {
			break
		}
		if q.nameLen >= len(q.name) {
			return false
		}
	}
	if i+questionLen > len(q.msg) {
		return false
	}
	q.typ = binary.BigEndian.Uint16(q.msg[i:])
	q.class = binary.BigEndian.Uint16(q.msg[i+2:])
	q.end = i + questionLen
	return true
}

// records walks what follows the question and takes the OPT record.
func (q *query) records(i, carried, additional int) bool {
	for k := range carried + additional {
		root := i < len(q.msg) && q.msg[i] == 0
		i = skipName(q.msg, i)
		if i < 0 || i+recordLen > len(q.msg) {
			return false
		}
		end := i + recordLen + int(binary.BigEndian.Uint16(q.msg[i+8:]))
		if end > len(q.msg) {
			return false
		}
		if binary.BigEndian.Uint16(q.msg[i:]) == typeOPT {
			if k < carried || q.edns || !root || !q.opt(q.msg[i:end]) {
				return false
			}
		}
		i = end
	}
	return i == len(q.msg)
}

// skipName returns the offset after a name, -1 if it is broken. Pointers are
// not followed: nothing here needs the name.
func skipName(msg []byte, i int) int {
	for length := 0; i < len(msg); {
		n := int(msg[i])
		switch {
		case n == 0:
			return i + 1
		case n >= 0xC0:
			return i + 2
		case n > 63:
			return -1
		}
		length += 1 + n
		if length >= 255 {
			return -1
		}
		i += 1 + n
	}
	return -1
}

// opt reads an OPT record from its type on (RFC 6891 6.1).
func (q *query) opt(b []byte) bool {
	q.edns = true
	q.size = max(int(binary.BigEndian.Uint16(b[2:])), minUDP)
	q.version = b[5]
	q.do = b[6]&0x80 != 0
	for o := b[recordLen:]; len(o) > 0; {
		if len(o) < 4 {
			return false
		}
		n := 4 + int(binary.BigEndian.Uint16(o[2:]))
		if n > len(o) {
			return false
		}
		if !q.option(binary.BigEndian.Uint16(o), o[4:n]) {
			return false
		}
		o = o[n:]
	}
	return true
}

// option reads one EDNS option; false is FORMERR.
func (q *query) option(code uint16, data []byte) bool {
	switch code {
	case optionNSID:
		q.nsid = true
	case optionKeepalive: // without a time in a question (RFC 7828 3.2.1)
		q.keepalive = true
		return len(data) == 0
	case optionPadding:
		q.padded = true
	case optionCookie:
		if q.cookie != nil { // only the first counts (RFC 7873 5.2)
			return true
		}
		q.cookie = data
		return len(data) == clientCookie || len(data) >= clientCookie+8 && len(data) <= clientCookie+32
	}
	return true
}
