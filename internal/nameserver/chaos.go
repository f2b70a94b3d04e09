package nameserver

import "encoding/binary"

const (
	classCH   = 3
	classANY  = 255
	mostChaos = 200 // octets of what the server says of itself
)

// chaos answers what the server is called and what it runs, if it is to say
// so (RFC 4892); everything else of that class is refused.
func (r *responder) chaos() {
	text := ""
	if r.q.typ == typeTXT || r.q.typ == typeANY {
		switch string(r.q.name[:r.q.nameLen]) {
		case "\x07version\x04bind\x00", "\x07version\x06server\x00":
			text = r.version
		case "\x08hostname\x04bind\x00", "\x02id\x06server\x00":
			text = r.nsid
		}
	}
	if text == "" {
		r.refuse(rcodeRefused, edeNotSupported)
		return
	}
	r.aa = true
	r.an++
	b := append(r.b.msg, pointer>>8, headerLen, 0, typeTXT, 0, classCH, 0, 0, 0, 0)
	b = binary.BigEndian.AppendUint16(b, uint16(1+len(text)))
	r.b.msg = append(append(b, byte(len(text))), text...)
}
