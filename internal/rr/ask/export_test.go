package ask

import "github.com/miekg/dns"

// Read reads a message as Ask does; ok is false if it cannot be read.
func Read(octets []byte) (r Reply, ok bool) {
	m := new(dns.Msg)
	if m.Unpack(octets) != nil {
		return r, false
	}
	return read(m), true
}
