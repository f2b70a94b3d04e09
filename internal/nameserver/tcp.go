package nameserver

import (
	"bufio"
	"context"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"
)

const (
	longestQuestion = 4096 // octets taken from a connection for one question
	flushAt         = 32 << 10
)

// serveTCP accepts connections until the listener is closed; with a TLS
// configuration, each begins with a handshake.
func (s *Server) serveTCP(l net.Listener, c *counters, over *tls.Config) error {
	for {
		conn, err := l.Accept()
		if ne, ok := errors.AsType[net.Error](err); ok && ne.Timeout() {
			continue
		}
		if err != nil {
			return err
		}
		if !s.enter(conn) {
			_ = conn.Close() // over the limit: RFC 7766 6.2.2
			continue
		}
		s.running.Go(func() {
			defer s.leave(conn)
			s.talk(conn, s.newResponder(c), over)
		})
	}
}

// talk greets and converses.
func (s *Server) talk(conn net.Conn, r *responder, over *tls.Config) {
	r.from = asker{addr: remote(conn), stream: true, tls: over != nil}
	if over == nil {
		s.converse(conn, r)
		return
	}
	if conn.SetDeadline(time.Now().Add(s.patience())) != nil {
		return
	}
	secured := tls.Server(conn, over)
	if secured.HandshakeContext(context.Background()) != nil { // the deadline bounds it
		return
	}
	s.converse(secured, r)
	_ = secured.CloseWrite() // the connection is closed right after
}

// tlsConfig is that of DNS over TLS (RFC 7858, RFC 8310).
func (s *Server) tlsConfig() *tls.Config {
	return &tls.Config{
		MinVersion: tls.VersionTLS12,
		NextProtos: []string{"dot"},
		GetCertificate: func(*tls.ClientHelloInfo) (*tls.Certificate, error) {
			return s.cfg.Certificate()
		},
	}
}

func remote(conn net.Conn) netip.Addr {
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		return a.AddrPort().Addr().Unmap()
	}
	return netip.Addr{}
}

// enter notes a connection unless there are too many, of its network or in all.
func (s *Server) enter(conn net.Conn) bool {
	network := networkOf(remote(conn))
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.open) >= s.cfg.Connections || s.perNet[network] >= s.cfg.PerClient {
		s.refused.Add(1)
		return false
	}
	s.open[conn] = network
	s.perNet[network]++
	return true
}

func (s *Server) leave(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	network := s.open[conn]
	delete(s.open, conn)
	if s.perNet[network]--; s.perNet[network] == 0 {
		delete(s.perNet, network)
	}
	_ = conn.Close()
}

// patience is how long a connection may be silent: less, the fuller it is, so
// that those who only hold connections do not keep others out.
func (s *Server) patience() time.Duration {
	s.mu.Lock()
	defer s.mu.Unlock()
	if free := s.cfg.Connections - len(s.open); 2*free < s.cfg.Connections {
		return max(s.cfg.Idle*time.Duration(free)/time.Duration(s.cfg.Connections), s.cfg.Idle/20)
	}
	return s.cfg.Idle
}

// converse answers the questions of one connection in order: each takes
// microseconds, so that none waits for another. Answers to questions that
// came together leave together (RFC 7766 6.2.1.1).
func (s *Server) converse(conn net.Conn, r *responder) {
	in := bufio.NewReaderSize(conn, longestQuestion+2)
	var out []byte
	var answer []byte
	for {
		r.idle = s.patience()
		if err := conn.SetReadDeadline(time.Now().Add(r.idle)); err != nil {
			return
		}
		msg, err := nextMessage(in)
		if err != nil {
			return
		}
		s.refresh(r)
		if special(msg) {
			if s.flush(conn, out) != nil || s.courier(r, conn).stream(conn, msg) != nil {
				return
			}
			out = out[:0]
			_, _ = in.Discard(2 + len(msg))
			continue
		}
		a := r.guarded(msg, answer[:0])
		if a == nil {
			return
		}
		answer = a
		out = append(binary.BigEndian.AppendUint16(out, uint16(len(a))), a...)
		_, _ = in.Discard(2 + len(msg)) // they are buffered
		if len(out) < flushAt && whole(in) {
			continue
		}
		if s.flush(conn, out) != nil {
			return
		}
		out = out[:0]
	}
}

func (s *Server) courier(r *responder, conn net.Conn) courier {
	c := courier{Server: s, responder: r}
	if a, ok := conn.RemoteAddr().(*net.TCPAddr); ok {
		c.from = netip.AddrPortFrom(a.AddrPort().Addr().Unmap(), a.AddrPort().Port())
	}
	return c
}

// nextMessage waits for a whole message and returns it in place.
func nextMessage(in *bufio.Reader) ([]byte, error) {
	head, err := in.Peek(2)
	if err != nil {
		return nil, err
	}
	n := int(binary.BigEndian.Uint16(head))
	if n > longestQuestion {
		return nil, io.ErrShortBuffer
	}
	b, err := in.Peek(2 + n)
	if err != nil {
		return nil, err
	}
	return b[2:], nil
}

// whole reports whether the next message is there already.
func whole(in *bufio.Reader) bool {
	head, err := in.Peek(min(2, in.Buffered()))
	return err == nil && len(head) == 2 && in.Buffered() >= 2+int(binary.BigEndian.Uint16(head))
}

func (s *Server) flush(conn net.Conn, out []byte) error {
	if err := conn.SetWriteDeadline(time.Now().Add(s.cfg.Idle)); err != nil {
		return err
	}
	_, err := conn.Write(out)
	return err
}
