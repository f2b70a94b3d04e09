package nameserver

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"syscall"
	"unsafe"

	"golang.org/x/sys/unix"
)

const (
	batch       = 64      // packets for one system call
	questionMax = 2048    // longer questions over UDP are dropped
	backlog     = 4 << 20 // octets of packets that may wait in a socket
	controlMax  = 64      // holds IP_PKTINFO or IPV6_PKTINFO
)

// sockets: the kernel spreads packets over sockets of one address.
func sockets(want int) int { return want }

// listenUDP takes an address together with others of this program. A socket
// of all addresses learns which one was asked, to answer from it.
func listenUDP(at netip.AddrPort) (*net.UDPConn, error) {
	var option error
	lc := net.ListenConfig{Control: func(_, _ string, raw syscall.RawConn) error {
		err := raw.Control(func(fd uintptr) { option = prepare(int(fd), at.Addr()) })
		return errors.Join(err, option)
	}}
	network := "udp6"
	if at.Addr().Unmap().Is4() {
		network = "udp4"
	}
	c, err := lc.ListenPacket(context.Background(), network, at.String())
	if err != nil {
		return nil, err
	}
	u := c.(*net.UDPConn)
	_ = u.SetReadBuffer(backlog) // less is granted where less is allowed
	return u, nil
}

func prepare(fd int, at netip.Addr) error {
	err := unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEPORT, 1)
	if err != nil || !at.IsUnspecified() {
		return err
	}
	if at.Is4() {
		return unix.SetsockoptInt(fd, unix.IPPROTO_IP, unix.IP_PKTINFO, 1)
	}
	return unix.SetsockoptInt(fd, unix.IPPROTO_IPV6, unix.IPV6_RECVPKTINFO, 1)
}

// mmsghdr is struct mmsghdr of recvmmsg(2).
type mmsghdr struct {
	hdr unix.Msghdr
	len uint32
}

// post is the memory of one socket: packets in, answers out. The kernel reads
// and writes it during a system call only, and all of it lives as long as the
// socket's loop.
type post struct {
	in, out   [batch]mmsghdr
	inv, outv [batch]unix.Iovec
	from      [batch]unix.RawSockaddrInet6 // large enough for both families
	control   [batch][controlMax]byte
	question  [batch][questionMax]byte
	answer    [batch][udpHeadroom + 512]byte

	special func(msg, control []byte, from netip.AddrPort)
}

func newPost() *post {
	p := &post{}
	for i := range batch {
		p.inv[i].Base = &p.question[i][0]
		p.inv[i].SetLen(questionMax)
		h := &p.in[i].hdr
		h.Name, h.Iov, h.Control = (*byte)(unsafe.Pointer(&p.from[i])), &p.inv[i], &p.control[i][0]
		h.SetIovlen(1)
	}
	return p
}

// ready makes the first n places free again.
func (p *post) ready(n int) {
	for i := range n {
		h := &p.in[i].hdr
		h.Namelen, h.Flags = unix.SizeofSockaddrInet6, 0
		h.SetControllen(controlMax)
	}
}

// serveUDP answers packets in batches: one system call takes up to 64, one
// sends their answers.
func (s *Server) serveUDP(c *net.UDPConn, r *responder) error {
	raw, err := c.SyscallConn()
	if err != nil {
		return err
	}
	p := newPost()
	p.ready(batch)
	p.special = s.beside(c)
	n, sent, total := 0, 0, 0
	receive := func(fd uintptr) bool {
		var errno syscall.Errno
		n, errno = mmsg(unix.SYS_RECVMMSG, fd, p.in[:])
		return errno != unix.EAGAIN
	}
	send := func(fd uintptr) bool {
		var done bool
		sent, done = p.send(fd, sent, total)
		return done
	}
	for {
		if err := raw.Read(receive); err != nil {
			return closedErr(err)
		}
		s.refresh(r)
		total, sent = p.handle(n, r), 0
		if total > 0 {
			if err := raw.Write(send); err != nil {
				return closedErr(err)
			}
		}
		p.ready(n)
	}
}

// closedErr: a raw connection names its end in its own way.
func closedErr(err error) error {
	var op *net.OpError
	if errors.As(err, &op) {
		return net.ErrClosed
	}
	return err
}

// handle answers n packets and returns how many answers there are.
func (p *post) handle(n int, r *responder) (total int) {
	for i := range n {
		h := &p.in[i]
		if h.hdr.Flags&unix.MSG_TRUNC != 0 {
			r.count.dropped.Add(1)
			continue
		}
		if special(p.question[i][:h.len]) {
			p.special(p.question[i][:h.len], p.control[i][:h.hdr.Controllen], addrPortOf(&p.from[i]))
			continue
		}
		r.from = asker{addr: addrOf(&p.from[i])}
		a := r.guarded(p.question[i][:h.len], p.answer[i][:0])
		if a == nil {
			continue
		}
		p.outv[total].Base = &a[0]
		p.outv[total].SetLen(len(a))
		o := &p.out[total].hdr
		o.Name, o.Namelen, o.Iov = h.hdr.Name, h.hdr.Namelen, &p.outv[total]
		o.SetIovlen(1)
		o.Control, o.Controllen = h.hdr.Control, h.hdr.Controllen // from the address that was asked
		total++
	}
	return total
}

// addrOf reads the address of either family.
func addrOf(a *unix.RawSockaddrInet6) netip.Addr {
	if a.Family == unix.AF_INET {
		return netip.AddrFrom4((*unix.RawSockaddrInet4)(unsafe.Pointer(a)).Addr)
	}
	return netip.AddrFrom16(a.Addr).Unmap()
}

// addrPortOf reads address and port of either family; the port is in network order.
func addrPortOf(a *unix.RawSockaddrInet6) netip.AddrPort {
	p := (*[2]byte)(unsafe.Pointer(&a.Port)) // at the same place in both
	return netip.AddrPortFrom(addrOf(a), uint16(p[0])<<8|uint16(p[1]))
}

// send sends the answers from..total and returns how far it came; done is
// false if the socket has to drain first. An answer the kernel refuses, for a
// host that is not reachable, is left out.
func (p *post) send(fd uintptr, from, total int) (int, bool) {
	for from < total {
		n, errno := mmsg(unix.SYS_SENDMMSG, fd, p.out[from:total])
		switch errno {
		case 0:
			from += n
		case unix.EAGAIN:
			return from, false
		case unix.EINTR:
		default:
			from++
		}
	}
	return from, true
}

// mmsg is recvmmsg(2) or sendmmsg(2) without waiting. The scheduler is not
// told of the call: a batch takes some 100 µs, long enough for it to hand our
// processor to another thread and back each time, which costs a fifth of the
// throughput on one core. The price is that a stop of the world may wait for
// one batch.
func mmsg(call, fd uintptr, v []mmsghdr) (int, syscall.Errno) {
	n, _, errno := unix.RawSyscall6(call, fd, uintptr(unsafe.Pointer(&v[0])), uintptr(len(v)), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0, errno
	}
	return int(n), 0
}
