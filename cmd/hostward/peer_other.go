//go:build !linux

package main

import (
	"net"

	"hostward/internal/act"
	"hostward/internal/core"
)

// peer refuses: without SO_PEERCRED nobody can be told apart here.
func peer(*net.UnixConn) (act.Actor, error) {
	return act.Actor{}, core.Errorf(core.Denied, "the local socket works on Linux only; use --server with a token")
}

// feeder refuses everybody: the kernel cannot say who it is.
func feeder(*net.UnixConn, string) error {
	return core.Errorf(core.Unavailable, "this system does not say who is at the other end of a socket")
}
