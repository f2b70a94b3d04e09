package cli

import (
	"context"
	"errors"
	"net"
	"net/http"
	"sync"
)

// inside serves the house's own handler within this process, over pipes, so
// that a recovery word runs the same code as with a server.
func (s *session) inside(ctx context.Context, data string) (*client, error) {
	handler, end, err := s.Offline(ctx, data)
	if err != nil {
		return nil, err
	}
	l := &pipes{conns: make(chan net.Conn), done: make(chan struct{})}
	server := &http.Server{Handler: handler}
	go func() { _ = server.Serve(l) }()
	c := s.client(&http.Transport{DialContext: l.dial}, "http://hostward")
	c.close = func() error { return errors.Join(server.Close(), end()) }
	return c, nil
}

// pipes is a listener whose connections are pipes within the process.
type pipes struct {
	conns chan net.Conn
	done  chan struct{}
	once  sync.Once
}

func (l *pipes) dial(ctx context.Context, _, _ string) (net.Conn, error) {
	near, far := net.Pipe()
	select {
	case l.conns <- far:
		return near, nil
	case <-l.done:
		return nil, net.ErrClosed
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// Accept waits for a dial.
func (l *pipes) Accept() (net.Conn, error) {
	select {
	case c := <-l.conns:
		return c, nil
	case <-l.done:
		return nil, net.ErrClosed
	}
}

// Close ends Accept and dial.
func (l *pipes) Close() error {
	l.once.Do(func() { close(l.done) })
	return nil
}

// Addr is of no network.
func (l *pipes) Addr() net.Addr { return &net.UnixAddr{Name: "inside", Net: "pipe"} }
