package main

import (
	"bufio"
	"encoding/binary"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"slices"
	"strings"
	"time"
	"unsafe"

	"golang.org/x/sys/unix"

	"hostward/internal/rr"
)

// burst is the most packets for one system call.
const burst = 64

// load keeps a window of questions open on each of some sockets, in batches:
// one core of it fills one core of server.
func load(args []string) error {
	f := flag.NewFlagSet("load", flag.ExitOnError)
	lasting := f.Duration("t", 3*time.Second, "how long, at most 20s")
	sockets := f.Int("sockets", 8, "sockets")
	window := f.Int("window", 32, "questions open on each socket")
	do := f.Bool("do", false, "ask for signatures")
	_ = f.Parse(args) // it exits on error
	if f.NArg() != 2 || *lasting > 20*time.Second || *window > burst {
		return fmt.Errorf("an address and a file of questions are needed, at most 20s and a window of %d", burst)
	}
	at, err := netip.ParseAddrPort(f.Arg(0))
	if err != nil || !at.Addr().IsLoopback() || !at.Addr().Is4() {
		return fmt.Errorf("%s: an IPv4 loopback address is accepted", f.Arg(0))
	}
	l := &loader{window: *window}
	if l.questions, err = readQuestions(f.Arg(1), *do); err != nil {
		return err
	}
	for range *sockets {
		s, err := dial(at)
		if err != nil {
			return err
		}
		l.sockets = append(l.sockets, s)
	}
	l.run(*lasting)
	l.report(*lasting)
	return nil
}

func readQuestions(path string, do bool) ([][]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer func() { _ = f.Close() }()
	var out [][]byte
	for sc := bufio.NewScanner(f); sc.Scan(); {
		name, typ, _ := strings.Cut(sc.Text(), " ")
		n, err := rr.ParseName(name, ".")
		code, ok := rr.TypeCode(typ)
		if err != nil || !ok {
			return nil, fmt.Errorf("question %q: %w", sc.Text(), err)
		}
		b := append([]byte{0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0}, n.Wire()...)
		b = append(binary.BigEndian.AppendUint16(b, code), 0, 1)
		if do { // OPT: 1232 octets, DO
			b[11] = 1
			b = append(b, 0, 0, 41, 0x04, 0xD0, 0, 0, 0x80, 0, 0, 0)
		}
		out = append(out, b)
	}
	return out, nil
}

// socket is one asker: the ids of its open questions are the times of asking.
type socket struct {
	fd   int
	id   uint16
	open int
	sent [1 << 16]time.Duration // 0: not open
}

func dial(at netip.AddrPort) (*socket, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_RCVBUF, 4<<20) // less is granted where less is allowed
	return &socket{fd: fd}, unix.Connect(fd, &unix.SockaddrInet4{Port: int(at.Port()), Addr: at.Addr().As4()})
}

type header struct {
	unix.Msghdr
	n uint32
}

// mail is a batch of packets.
type mail struct {
	headers [burst]header
	vectors [burst]unix.Iovec
	packets [burst][1500]byte
}

func newMail() *mail {
	m := &mail{}
	for i := range burst {
		m.vectors[i].Base = &m.packets[i][0]
		m.vectors[i].SetLen(len(m.packets[i]))
		m.headers[i].Iov = &m.vectors[i]
		m.headers[i].SetIovlen(1)
	}
	return m
}

func (m *mail) call(number uintptr, fd, n int) int {
	got, _, errno := unix.Syscall6(number, uintptr(fd), uintptr(unsafe.Pointer(&m.headers[0])), uintptr(n), unix.MSG_DONTWAIT, 0, 0)
	if errno != 0 {
		return 0
	}
	return int(got)
}

type loader struct {
	questions [][]byte
	sockets   []*socket
	window    int
	next      int

	answers, lost int
	rcodes        [16]int
	waits         []time.Duration
}

func (l *loader) run(lasting time.Duration) {
	in, out := newMail(), newMail()
	start := time.Now()
	quiet := time.Duration(0)
	for now := time.Since(start); now < lasting; now = time.Since(start) {
		busy := false
		for _, s := range l.sockets {
			busy = l.receive(s, in, now) || busy
			busy = l.send(s, out, now) || busy
		}
		switch {
		case busy:
			quiet = now
		case now-quiet > 200*time.Millisecond: // what is open now is lost
			for _, s := range l.sockets {
				l.lost += s.open
				s.open = 0
				clear(s.sent[:])
			}
			quiet = now
		}
	}
}

func (l *loader) receive(s *socket, in *mail, now time.Duration) bool {
	n := in.call(unix.SYS_RECVMMSG, s.fd, burst)
	for i := range n {
		b := in.packets[i][:in.headers[i].n]
		if len(b) < 12 {
			continue
		}
		id := binary.BigEndian.Uint16(b)
		if s.sent[id] == 0 {
			continue
		}
		if l.answers%16 == 0 {
			l.waits = append(l.waits, now-s.sent[id])
		}
		s.sent[id] = 0
		s.open--
		l.answers++
		l.rcodes[b[3]&15]++
	}
	return n > 0
}

// send fills the window once half of it is free, so that batches stay large.
func (l *loader) send(s *socket, out *mail, now time.Duration) bool {
	free := l.window - s.open
	if free < l.window/2 {
		return false
	}
	for i := range free {
		n := copy(out.packets[i][:], l.questions[l.next])
		l.next = (l.next + 1) % len(l.questions)
		binary.BigEndian.PutUint16(out.packets[i][:], s.id+uint16(i))
		out.vectors[i].SetLen(n)
	}
	sent := out.call(unix.SYS_SENDMMSG, s.fd, free)
	for range sent {
		s.sent[s.id] = max(now, 1)
		s.id++
		s.open++
	}
	return sent > 0
}

func (l *loader) report(lasting time.Duration) {
	slices.Sort(l.waits)
	at := func(part float64) time.Duration {
		if len(l.waits) == 0 {
			return 0
		}
		return l.waits[int(part*float64(len(l.waits)-1))].Round(10 * time.Microsecond)
	}
	fmt.Printf("%.0f %v %v %d %d %d\n", float64(l.answers)/lasting.Seconds(), at(.5), at(.99), l.lost, l.rcodes[0], l.rcodes[3])
}
