package hands

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"math/rand/v2"
	"net"
	"net/netip"
	"os"
	"time"

	"golang.org/x/sys/unix"

	"hostward/internal/core"
	"hostward/internal/host"
)

// Test implements host.Kernel. It sends packets over the loopback interface with a
// source of TEST-NET-2 (RFC 5737) to a socket of its own, before, during and after
// a ban of that source. It proves that the element was in the set, that the rule
// counted and dropped each packet, that what was heard before was not heard
// during, and was again afterwards. Nothing leaves the machine, and nobody else's
// address is banned.
func (b *Bans) Test(ctx context.Context) (err error) {
	source := netip.AddrFrom4([4]byte{198, 51, 100, byte(1 + rand.IntN(254))}) //nolint:gosec // any of them
	p, err := newProbe(source)
	if err != nil {
		return core.Wrap(core.Unavailable, err, "the self-test needs root: "+err.Error())
	}
	defer func() { err = errors.Join(err, p.close()) }()
	prefix := netip.PrefixFrom(source, 32)
	if err := b.Unban(ctx, []netip.Prefix{prefix}); err != nil {
		return err
	}
	if got, err := p.send(ctx); err != nil || got == 0 {
		return errors.Join(err, failed("before the ban, no packet from %s is heard: something else drops it, so nothing is proved", source))
	}
	if err := b.Ban(ctx, []host.Ban{{Prefix: prefix, Until: time.Now().Add(time.Minute)}}); err != nil {
		return err
	}
	got, err := p.send(ctx)
	dropped, lookErr := b.dropped(ctx, prefix)
	if err := errors.Join(err, lookErr, b.Unban(context.WithoutCancel(ctx), []netip.Prefix{prefix})); err != nil {
		return err
	}
	if got > 0 || dropped < probePackets {
		return failed("%s was banned, and %d of %d packets from it were heard; the kernel counts %d as dropped", source, got, probePackets, dropped)
	}
	if got, err := p.send(ctx); err != nil || got == 0 {
		return errors.Join(err, failed("after the ban of %s was lifted, no packet from it is heard", source))
	}
	return nil
}

func failed(format string, a ...any) error { return core.Errorf(core.Unavailable, format, a...) }

// dropped is the kernel's count for a ban.
func (b *Bans) dropped(ctx context.Context, prefix netip.Prefix) (uint64, error) {
	bans, err := b.Banned(ctx)
	for _, ban := range bans {
		if ban.Prefix == prefix {
			return ban.Dropped, nil
		}
	}
	return 0, errors.Join(err, failed("%s was banned, and is not in the kernel's set", prefix))
}

// probePackets is how many packets one look sends.
const probePackets = 3

// probe sends with a source that is not ours, and listens.
type probe struct {
	raw    int
	ear    *net.UDPConn
	source netip.Addr
}

func newProbe(source netip.Addr) (*probe, error) {
	raw, err := unix.Socket(unix.AF_INET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, unix.IPPROTO_RAW)
	if err != nil {
		return nil, fmt.Errorf("opening a raw socket: %w", err)
	}
	ear, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	if err != nil {
		return nil, errors.Join(err, unix.Close(raw))
	}
	return &probe{raw, ear, source}, nil
}

func (p *probe) close() error { return errors.Join(p.ear.Close(), unix.Close(p.raw)) }

// send sends some packets and returns how many of them are heard. What is sent over
// loopback has arrived, or is dropped, when the call returns; half a second is
// for a kernel that is busy.
func (p *probe) send(ctx context.Context) (heard int, err error) {
	to := p.ear.LocalAddr().(*net.UDPAddr)
	for range probePackets {
		if err := errors.Join(ctx.Err(), unix.Sendto(p.raw, packet(p.source, uint16(to.Port)), 0, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}})); err != nil {
			return 0, fmt.Errorf("sending a packet from %s over loopback: %w", p.source, err)
		}
	}
	if err := p.ear.SetReadDeadline(time.Now().Add(500 * time.Millisecond)); err != nil {
		return 0, err
	}
	for heard < probePackets {
		_, from, err := p.ear.ReadFromUDPAddrPort(make([]byte, 64))
		if errors.Is(err, os.ErrDeadlineExceeded) {
			break
		}
		if err != nil {
			return heard, err
		}
		if from.Addr().Unmap() == p.source {
			heard++
		}
	}
	return heard, nil
}

// packet is an empty datagram (RFC 791, RFC 768) to a port of 127.0.0.1. The kernel
// fills in the header's checksum; that of UDP is left out.
func packet(source netip.Addr, port uint16) []byte {
	const length = 28
	b := make([]byte, length)
	b[0], b[8], b[9] = 0x45, 64, unix.IPPROTO_UDP
	binary.BigEndian.PutUint16(b[2:], length)
	from := source.As4()
	copy(b[12:], from[:])
	copy(b[16:], []byte{127, 0, 0, 1})
	binary.BigEndian.PutUint16(b[20:], 9) // discard
	binary.BigEndian.PutUint16(b[22:], port)
	binary.BigEndian.PutUint16(b[24:], length-20)
	return b
}
