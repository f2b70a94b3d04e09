//go:build !linux

package socket

import (
	"net"

	"hostward/internal/core"
)

// Credentials fails: only Linux says who is at the other end.
func Credentials(*net.UnixConn) (Peer, error) {
	return Peer{}, core.Errorf(core.Unavailable, "who is at the other end of a socket is known on Linux only")
}
