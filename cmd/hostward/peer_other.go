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
