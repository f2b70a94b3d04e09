package socket

import (
	"errors"
	"io"
	"net"
	"path/filepath"
	"testing"
	"time"
)

// Everybody can open a socket that several groups may use: nobody may take all that the
// process can have open.
func TestOneUserOpensSoManyConnections(t *testing.T) {
	l, err := Listen(t.Context(), filepath.Join(t.TempDir(), "s"), "thing")
	if err != nil {
		t.Fatal(err)
	}
	uid := uint32(1000)
	f := &fair{Listener: l, open: map[uint32]int{}, who: func(*net.UnixConn) (Peer, error) { return Peer{UID: uid}, nil }}
	defer f.Close()
	taken := make(chan net.Conn, 2*mostOpen)
	go func() {
		for {
			c, err := f.Accept()
			if err != nil {
				return
			}
			taken <- c
		}
	}()
	open := func() net.Conn {
		c, err := new(net.Dialer).DialContext(t.Context(), "unix", l.Addr().String())
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		return c
	}
	for range mostOpen {
		open()
	}
	first := <-taken
	for range mostOpen - 1 {
		<-taken
	}
	if _, err := open().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("one too many: %v", err)
	}
	_ = first.Close()
	_ = first.Close() // twice frees one
	open()
	<-taken
	if _, err := open().Read(make([]byte, 1)); !errors.Is(err, io.EOF) {
		t.Errorf("one too many again: %v", err)
	}
	select {
	case <-taken:
		t.Error("it was let in")
	case <-time.After(10 * time.Millisecond):
	}
}
