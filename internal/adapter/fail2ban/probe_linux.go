package fail2ban

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"syscall"
	"time"
)

// comes reports whether the kernel lets in a datagram from an address that is not
// ours, sent to ourselves over the loopback. A second one from 127.0.0.1 goes behind
// it: once that has come, the first is not on its way any more.
func comes(ctx context.Context, from netip.Addr) (bool, error) {
	ear, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return false, err
	}
	defer ear.Close()
	if err := say(ctx, from, ear.LocalAddr().String()); err != nil && !errors.Is(err, syscall.EPERM) {
		return false, err
	}
	if err := say(ctx, netip.MustParseAddr("127.0.0.1"), ear.LocalAddr().String()); err != nil {
		return false, err
	}
	if err := ear.SetReadDeadline(time.Now().Add(10 * time.Second)); err != nil {
		return false, err
	}
	for came := false; ; {
		_, who, err := ear.ReadFromUDPAddrPort(make([]byte, 16))
		if err != nil {
			return false, fmt.Errorf("nothing comes from 127.0.0.1 either: %w", err)
		}
		if who.Addr() == from {
			came = true
		} else if who.Addr().IsLoopback() {
			return came, nil
		}
	}
}

func say(ctx context.Context, from netip.Addr, to string) error {
	d := net.Dialer{LocalAddr: net.UDPAddrFromAddrPort(netip.AddrPortFrom(from, 0)), Control: func(_, _ string, c syscall.RawConn) error {
		var err error
		return errors.Join(c.Control(func(fd uintptr) {
			err = syscall.SetsockoptInt(int(fd), syscall.SOL_IP, syscall.IP_TRANSPARENT, 1)
		}), err)
	}}
	c, err := d.DialContext(ctx, "udp4", to)
	if err != nil {
		return err
	}
	defer c.Close()
	_, err = c.Write([]byte("hostward"))
	return err
}
