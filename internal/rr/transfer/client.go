package transfer

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Dial opens a connection: network is "udp" or "tcp", address a host and a
// port. The caller's function decides what may be reached; to forbid private
// networks it looks after it has resolved (SPEC A10).
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Peer is another server.
type Peer struct {
	Address string      // host and port
	Key     *Key        // signs what is asked; nil: nothing is signed
	TLS     *tls.Config // transfers and queries go over TLS (XoT, RFC 9103); nil: plain
}

// Client asks other servers. All fields but Limits and Patience are needed. It
// keeps nothing between calls and may be used by several goroutines if its
// functions may.
type Client struct {
	Dial     Dial
	Clock    core.Clock
	Random   io.Reader // of message ids; crypto/rand.Reader
	Limits   Limits
	Patience Patience
}

// Patience is how often, and how long, a question is asked.
type Patience struct {
	Tries int           // over UDP, then once over TCP; 0: 5
	First time.Duration // wait for the first answer, twice as long each time after; 0: 1 s
}

func (p Patience) orDefault() Patience {
	if p.Tries <= 0 {
		p.Tries = 5
	}
	if p.First <= 0 {
		p.First = time.Second
	}
	return p
}

// longestWait bounds the doubling of Patience.First.
const longestWait = time.Minute

// ErrNoAnswer is a server that does not answer, however often it is asked.
var ErrNoAnswer = errors.New("no answer")

// asking is one question to one server.
type asking struct {
	client Client
	peer   Peer
	asked  question
	opcode int
	flags  uint16
	extra  []record // beside the question
	in     int      // the section they stand in
	edits  []record // of an update, in the section after
}

// message writes the question under a new id and signs it.
func (a asking) message() ([]byte, *Chain, error) {
	var id [2]byte
	if _, err := io.ReadFull(a.client.Random, id[:]); err != nil {
		return nil, nil, fmt.Errorf("making a message id: %w", err)
	}
	room := 0
	if a.peer.Key != nil {
		room = a.peer.Key.Room()
	}
	b := newBuilder(maxMessage - room)
	b.begin(get16(id[:]), uint16(a.opcode)<<11|a.flags)
	b.ask(a.asked)
	for _, r := range a.extra {
		if !b.add(a.in, r) {
			return nil, nil, errTooLong()
		}
	}
	for _, r := range a.edits {
		if !b.add(authority, r) {
			return nil, nil, errTooLong()
		}
	}
	if a.peer.Key == nil {
		return b.buf, nil, nil
	}
	return a.peer.Key.Sign(b.buf, a.client.Clock())
}

func errTooLong() error {
	return core.Errorf(core.Invalid, "the request does not fit into a message of %d octets", maxMessage)
}

// exchange asks over UDP with patience, then over TCP. Over TLS it asks once.
func (a asking) exchange(ctx context.Context) (*cursor, error) {
	if a.peer.TLS != nil {
		return a.stream(ctx)
	}
	p := a.client.Patience.orDefault()
	var last error
	for wait := p.First; p.Tries > 0; p.Tries-- {
		c, err := a.datagram(ctx, wait)
		if c != nil && c.flags&flagTC != 0 || errors.Is(err, errUnproved) {
			break
		}
		if err == nil || final(err) || ctx.Err() != nil {
			return c, err
		}
		last, wait = err, min(2*wait, longestWait)
	}
	c, err := a.stream(ctx)
	if err != nil && !final(err) {
		err = fmt.Errorf("asking %s over UDP and TCP: %w: %w", a.peer.Address, ErrNoAnswer, errors.Join(last, err))
	}
	return c, err
}

// final reports whether asking again is of no use: the other side answered, or
// we cannot ask.
func final(err error) bool {
	_, told := errors.AsType[*Fault](err)
	_, ours := errors.AsType[*core.Error](err)
	return told || ours
}

// datagram asks once over UDP. Datagrams that are no answer to this question,
// or whose signature is wrong, may be anybody's: they are passed over.
func (a asking) datagram(ctx context.Context, wait time.Duration) (*cursor, error) {
	msg, chain, err := a.message()
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, wait)
	defer cancel()
	conn, err := a.client.Dial(ctx, "udp", a.peer.Address)
	if err != nil {
		return nil, fmt.Errorf("reaching %s: %w", a.peer.Address, err)
	}
	defer closing(ctx, conn)()
	if _, err := conn.Write(msg); err != nil {
		return nil, fmt.Errorf("asking %s: %w", a.peer.Address, err)
	}
	buf := make([]byte, maxMessage)
	for {
		n, err := conn.Read(buf)
		if err != nil {
			return nil, fmt.Errorf("waiting for %s: %w", a.peer.Address, err)
		}
		c := a.answer(buf[:n], get16(msg))
		if c == nil {
			continue
		}
		switch err := errors.Join(chain.Check(buf[:n], a.client.Clock()), chain.Done()); {
		case err == nil:
			return c, refusal(c)
		case c.rcode() == NotAuth:
			return nil, errUnproved
		}
	}
}

// errUnproved is an answer over UDP that says, without a valid signature, that
// ours is not accepted. It may be true: TCP will tell.
var errUnproved = errors.New("the server does not accept the signature, as it seems")

// stream asks once over TCP or TLS.
func (a asking) stream(ctx context.Context) (*cursor, error) {
	msg, chain, err := a.message()
	if err != nil {
		return nil, err
	}
	l := a.client.Limits.orDefault()
	ctx, cancel := context.WithTimeout(ctx, l.Idle)
	defer cancel()
	conn, err := a.peer.connect(ctx, a.client.Dial)
	if err != nil {
		return nil, err
	}
	defer closing(ctx, conn)()
	got, err := send(conn, msg)
	if err != nil {
		return nil, fmt.Errorf("asking %s: %w", a.peer.Address, err)
	}
	c := a.answer(got, get16(msg))
	if c == nil {
		return nil, malformed("the answer of %s is to another question", a.peer.Address)
	}
	if err := errors.Join(chain.Check(got, a.client.Clock()), chain.Done()); err != nil {
		return nil, err
	}
	return c, refusal(c)
}

// send writes one message with its length and reads the one that answers.
func send(conn net.Conn, msg []byte) ([]byte, error) {
	if _, err := conn.Write(append(put16(nil, uint16(len(msg))), msg...)); err != nil {
		return nil, err
	}
	return receive(conn, nil)
}

// receive reads one message with its length before it into buf, which grows to
// 65535 octets at most.
func receive(r io.Reader, buf []byte) ([]byte, error) {
	var head [2]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, err
	}
	n := int(get16(head[:]))
	if cap(buf) < n {
		buf = make([]byte, n, maxMessage)
	}
	if _, err := io.ReadFull(r, buf[:n]); err != nil {
		return nil, errors.Join(io.ErrUnexpectedEOF, err)
	}
	return buf[:n], nil
}

// answer opens a message if it answers this question.
func (a asking) answer(msg []byte, id uint16) *cursor {
	c, err := read(msg)
	if err != nil || c.id != id || !c.reply() || c.opcode() != a.opcode {
		return nil
	}
	if len(c.asked) == 1 && c.asked[0] != a.asked {
		return nil
	}
	return c
}

// refusal is the error of an answer that says no.
func refusal(c *cursor) error {
	if c.rcode() == Success {
		return nil
	}
	return &Fault{Rcode: c.rcode(), Why: "the server refuses" + c.reason()}
}

// reason is what the server says in an extended error.
func (c *cursor) reason() string {
	for {
		r, _, ok, err := c.next()
		if err != nil || !ok {
			return ""
		}
		if r.typ != typeOPT || len(r.data) < 6 || get16(r.data) != optionEDE {
			continue
		}
		if n := int(get16(r.data[2:])); n > 2 && len(r.data) >= 4+n {
			return ": " + clip(string(r.data[6:4+n]))
		}
	}
}

// connect opens TCP, and TLS 1.3 in it if the peer has it (RFC 9103 7.1).
func (p Peer) connect(ctx context.Context, dial Dial) (net.Conn, error) {
	conn, err := dial(ctx, "tcp", p.Address)
	if err != nil {
		return nil, fmt.Errorf("reaching %s: %w", p.Address, err)
	}
	if p.TLS == nil {
		return conn, nil
	}
	secure := tls.Client(conn, p.tls())
	if err := secure.HandshakeContext(ctx); err != nil {
		_ = conn.Close() // the handshake's error says more
		return nil, fmt.Errorf("speaking TLS with %s: %w", p.Address, err)
	}
	return secure, nil
}

func (p Peer) tls() *tls.Config {
	c := XoT(p.TLS)
	if host, _, err := net.SplitHostPort(p.Address); err == nil && c.ServerName == "" {
		c.ServerName = host
	}
	return c
}

// XoT returns a copy of c as transfers over TLS ask for it, for client and
// server: TLS 1.3 and the protocol "dot" (RFC 9103 7.1, 8.1).
func XoT(c *tls.Config) *tls.Config {
	c = c.Clone()
	c.MinVersion = tls.VersionTLS13
	c.NextProtos = []string{"dot"}
	return c
}

// closing closes conn when ctx ends or the function it returns is called.
func closing(ctx context.Context, conn net.Conn) func() {
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	return func() {
		if stop() {
			_ = conn.Close() // what was read is what counts
		}
	}
}

// Notify tells a secondary that a zone has changed (RFC 1996): over UDP with
// patience, in the end over TCP. soa may be nil; it is a hint. The error is a
// *Fault if the secondary answers that it does not want to know, or wraps
// ErrNoAnswer.
func (c Client) Notify(ctx context.Context, to Peer, zone rr.Name, soa *rr.Record) error {
	to.TLS = nil // a server listens for NOTIFY where it answers queries
	a := asking{client: c, peer: to, asked: question{zone, typeSOA, classIN}, opcode: opNotify, flags: flagAA, in: answer}
	if soa != nil {
		wire, err := wireOf(*soa)
		if err != nil {
			return err
		}
		a.extra = []record{wire}
	}
	_, err := a.exchange(ctx)
	return err
}

// SOA asks a server for the SOA record of a zone. The error is a *Fault if the
// server answers and has none, or not with authority, or wraps ErrNoAnswer.
func (c Client) SOA(ctx context.Context, from Peer, zone rr.Name) (rr.Record, error) {
	got, err := asking{client: c, peer: from, asked: question{zone, typeSOA, classIN}}.exchange(ctx)
	if err != nil {
		return rr.Record{}, err
	}
	if got.flags&flagAA == 0 {
		return rr.Record{}, &Fault{Rcode: NotAuth, EDE: NotAuthoritative, Why: "the server answers for " + string(zone) + " without authority"}
	}
	for {
		r, section, ok, err := got.next()
		if err != nil {
			return rr.Record{}, err
		}
		if !ok || section != answer {
			return rr.Record{}, &Fault{Rcode: NotAuth, EDE: NotAuthoritative, Why: "the server has no zone " + string(zone)}
		}
		if r.name == zone && r.typ == typeSOA && r.class == classIN {
			return r.text()
		}
	}
}
