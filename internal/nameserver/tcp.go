package nameserver

import (
	"bufio"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"time"
)

const (
	longestQuestion = 4096 // octets taken from a connection for one question
	flushAt         = 32 << 10
)

// serveTCP accepts connections until the listener is closed.
func (s *Server) serveTCP(l net.Listener, c *counters) error {
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
			s.converse(conn, s.newResponder(c))
		})
	}
}

// enter notes a connection unless there are too many.
func (s *Server) enter(conn net.Conn) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed || len(s.open) >= s.cfg.Connections {
		s.refused.Add(1)
		return false
	}
	s.open[conn] = true
	return true
}

func (s *Server) leave(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.open, conn)
	_ = conn.Close()
}

// converse answers the questions of one connection in order. Answers to
// questions that came together leave together (RFC 7766 6.2.1.1).
func (s *Server) converse(conn net.Conn, r *responder) {
	in := bufio.NewReaderSize(conn, longestQuestion+2)
	var out []byte
	var answer []byte
	for {
		if err := conn.SetReadDeadline(time.Now().Add(s.cfg.Idle)); err != nil {
			return
		}
		msg, err := nextMessage(in)
		if err != nil {
			return
		}
		a := r.guarded(msg, answer[:0], true)
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
