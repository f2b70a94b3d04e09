// Package coretest holds what tests of every room need.
package coretest

import (
	"math/rand/v2"
	"net"
	"net/netip"
	"testing"
)

// Ports that no kernel gives to a connection or to a listener at ":0": Linux
// starts at 32768, IANA's dynamic range (RFC 6335 6) at 49152.
const firstPort, portEnd = 15000, 32768

// Free returns a loopback address that is free for TCP and UDP, for a program
// that is told its port instead of saying which one it got.
func Free(t testing.TB) netip.AddrPort {
	t.Helper()
	var last error
	for range 100 {
		port := firstPort + rand.N(portEnd-firstPort)
		at := netip.AddrPortFrom(netip.MustParseAddr("127.0.0.1"), uint16(port))
		if last = unused(at); last == nil {
			return at
		}
	}
	t.Fatalf("no port is free for both TCP and UDP: %v", last)
	return netip.AddrPort{}
}

// FreePort is the port of Free.
func FreePort(t testing.TB) int {
	t.Helper()
	return int(Free(t).Port())
}

func unused(at netip.AddrPort) error {
	l, err := net.ListenTCP("tcp", net.TCPAddrFromAddrPort(at))
	if err != nil {
		return err
	}
	u, err := net.ListenUDP("udp", net.UDPAddrFromAddrPort(at))
	if err == nil {
		err = u.Close()
	}
	if closed := l.Close(); err == nil {
		err = closed
	}
	return err
}
