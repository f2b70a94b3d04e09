//go:build !linux

package nameserver

import (
	"net"
	"net/netip"
)

// sockets: without SO_REUSEPORT's balancing one socket serves an address.
func sockets(int) int { return 1 }

func listenUDP(at netip.AddrPort) (*net.UDPConn, error) {
	return net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
}

// serveUDP answers packet by packet.
func (s *Server) serveUDP(c *net.UDPConn, r *responder) error {
	in, out := make([]byte, udpHeadroom), make([]byte, 0, 2*udpHeadroom)
	aside := s.beside(c)
	for {
		n, from, err := c.ReadFromUDPAddrPort(in)
		if err != nil {
			if s.ended() {
				return net.ErrClosed
			}
			continue // an ICMP error of an earlier answer
		}
		s.refresh(r)
		if special(in[:n]) {
			aside(in[:n], nil, from)
			continue
		}
		r.from = asker{addr: from.Addr().Unmap()}
		if a := r.guarded(in[:n], out); a != nil {
			_, _ = c.WriteToUDPAddrPort(a, from) // the asker asks again
		}
	}
}

func (s *Server) ended() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.closed
}
