package store

import (
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// userTimeout gives a connection up when sent data stays unacknowledged
// (RFC 5482): keepalive probes are not sent while data is under way.
func userTimeout(network, _ string, c syscall.RawConn) error {
	if !strings.HasPrefix(network, "tcp") {
		return nil
	}
	var err error
	if e := c.Control(func(fd uintptr) {
		err = unix.SetsockoptInt(int(fd), unix.IPPROTO_TCP, unix.TCP_USER_TIMEOUT, 11000)
	}); e != nil {
		return e
	}
	return err
}
