package nameserver

import (
	"context"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"net/netip"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// Places: how many zones are sent at once, and how many updates wait for the feeder;
// and how many of them to one address, or signed by one key.
const (
	mostTransfers    = 64
	transfersOfOne   = 32
	mostUpdates      = 48
	updatesOfOneName = 8
)

// Opcodes (RFC 1035 4.1.1, RFC 1996, RFC 2136).
const (
	opNotify = 4
	opUpdate = 5
)

// special reports a message that is not for the packet path: a transfer, NOTIFY,
// an update, or anything that is signed.
func special(msg []byte) bool {
	if len(msg) < headerLen || msg[2]&0x80 != 0 {
		return false
	}
	switch msg[2] >> 3 & 15 {
	case opNotify, opUpdate:
		return true
	case 0:
	default:
		return false
	}
	if binary.BigEndian.Uint16(msg[4:]) != 1 {
		return false
	}
	end := skipName(msg, headerLen)
	if end < 0 || end+questionLen > len(msg) {
		return false
	}
	if typ := binary.BigEndian.Uint16(msg[end:]); typ == typeAXFR || typ == typeIXFR {
		return true
	}
	return signedAt(msg) > 0
}

// signedAt is where the TSIG record begins, which is the last one (RFC 8945 5.1);
// 0: there is none.
func signedAt(msg []byte) int {
	left := int(binary.BigEndian.Uint16(msg[6:])) + int(binary.BigEndian.Uint16(msg[8:])) + int(binary.BigEndian.Uint16(msg[10:]))
	if binary.BigEndian.Uint16(msg[10:]) == 0 {
		return 0
	}
	at := skipName(msg, headerLen) + questionLen
	for ; left > 0; left-- {
		name := skipName(msg, at)
		if name < 0 || name+recordLen > len(msg) {
			return 0
		}
		if left == 1 && binary.BigEndian.Uint16(msg[name:]) == typeTSIG {
			return at
		}
		at = name + recordLen + int(binary.BigEndian.Uint16(msg[name+8:]))
	}
	return 0
}

// courier answers what is special, on one connection or socket.
type courier struct {
	*Server
	*responder
	from netip.AddrPort
	now  time.Time
}

// answer returns the answer to a special message that has one message for an
// answer; nil: none, or later. Over a stream, transfers do not come here.
func (c courier) answer(msg []byte, stream bool) []byte {
	c.now = time.Now()
	settings := c.settings.Load()
	req, err := transfer.Read(msg, settings.keys, c.now)
	if err != nil {
		return c.refused(req, err)
	}
	switch {
	case req.Opcode == transfer.Notify:
		return c.notified(settings, req)
	case req.Opcode == transfer.Update:
		return c.update(settings, req, msg)
	case req.Type == "AXFR" || req.Type == "IXFR":
		z, err := c.zoneFor(settings, req)
		if err != nil {
			return c.refused(req, err)
		}
		out, _, err := transfer.Out{Clock: time.Now}.Datagram(req, z)
		if err != nil {
			return c.refused(req, broken())
		}
		return out
	}
	return c.signed(req, msg, stream)
}

func broken() error {
	return &transfer.Fault{Rcode: transfer.ServFail, Why: "the zone cannot be read now"}
}

// mostBeside is how many special datagrams of a socket are answered at once; more
// are dropped, and asked again by who means it.
const mostBeside = 64

// beside answers the special datagrams of a socket, beside its packet path. control
// says which of our addresses was asked.
func (s *Server) beside(conn *net.UDPConn) func(msg, control []byte, from netip.AddrPort) {
	busy := make(chan struct{}, mostBeside)
	count := &counters{}
	s.mu.Lock()
	s.counters = append(s.counters, count)
	s.mu.Unlock()
	return func(msg, control []byte, from netip.AddrPort) {
		select {
		case busy <- struct{}{}:
		default:
			count.dropped.Add(1)
			return
		}
		msg, control = append([]byte(nil), msg...), append([]byte(nil), control...)
		s.running.Go(func() {
			defer func() { <-busy }()
			c := courier{Server: s, responder: s.newResponder(count), from: netip.AddrPortFrom(from.Addr().Unmap(), from.Port())}
			if a := c.answer(msg, false); a != nil {
				_, _, _ = conn.WriteMsgUDPAddrPort(a, control, from) // a datagram may be lost anyhow
			}
		})
	}
}

// refused answers that something is not served; nil: the message gets no answer.
func (c courier) refused(req *transfer.Request, err error) []byte {
	fault, ok := errors.AsType[*transfer.Fault](err)
	if req == nil || !ok {
		c.count.dropped.Add(1)
		return nil
	}
	return req.Answer(fault, c.now)
}

// signed answers an ordinary question that is signed, and signs the answer: a
// secondary asks for the SOA so.
func (c courier) signed(req *transfer.Request, msg []byte, stream bool) []byte {
	at := signedAt(msg)
	if at == 0 {
		return nil // Read has seen it
	}
	plain := append([]byte(nil), msg[:at]...)
	binary.BigEndian.PutUint16(plain[10:], binary.BigEndian.Uint16(plain[10:])-1)
	c.responder.from = asker{addr: c.from.Addr(), stream: stream}
	a := c.guarded(plain, nil)
	if a == nil {
		return nil
	}
	out := req.Sign(a, c.now)
	if most := max(c.q.size, minUDP); !stream && len(out) > most {
		short := append([]byte(nil), a[:c.q.end]...)
		short[2] |= 2 // TC
		clear(short[6:headerLen])
		return req.Sign(short, c.now)
	}
	return out
}

// zoneFor returns the zone that a request may have, or why not.
func (c courier) zoneFor(settings *Settings, req *transfer.Request) (transfer.Zone, error) {
	if !settings.allows(func(p Peer) bool { return p.Takes }, req.Zone, c.from.Addr(), req.Key) {
		return nil, &transfer.Fault{Rcode: transfer.Refused, EDE: transfer.Prohibited, Why: "no transfer of this zone to you is configured here"}
	}
	slot := c.Server.zones.Load().get(req.Zone.Wire())
	if slot == nil {
		return nil, &transfer.Fault{Rcode: transfer.NotAuth, EDE: transfer.NotAuthoritative, Why: "the zone is not served here"}
	}
	img := slot.image.Load()
	soa, err := img.soa()
	if err != nil {
		return nil, broken()
	}
	return sent{img, soa}, nil
}

// stream answers a special message over a stream. An error ends the connection.
func (c courier) stream(conn net.Conn, msg []byte) error {
	c.now = time.Now()
	settings := c.settings.Load()
	req, err := transfer.Read(msg, settings.keys, c.now)
	if err != nil || req.Opcode != transfer.Query || req.Type != "AXFR" && req.Type != "IXFR" {
		return c.one(conn, c.answer(msg, true))
	}
	z, err := c.zoneFor(settings, req)
	if err != nil {
		return c.one(conn, c.refused(req, err))
	}
	who := c.from.Addr().String()
	if !c.sending.take(who, mostTransfers, transfersOfOne) {
		return c.one(conn, c.refused(req, &transfer.Fault{Rcode: transfer.ServFail, EDE: transfer.NotReady, Why: "too many transfers are under way; ask again in a moment"}))
	}
	defer c.sending.giveBack(who)
	sent, err := transfer.Out{Clock: time.Now, Condense: 100_000, Idle: c.cfg.Idle}.Stream(conn, req, z)
	switch {
	case err == nil && sent.Kind == transfer.Whole:
		c.whole.Add(1)
	case err == nil && sent.Kind == transfer.Difference:
		c.differences.Add(1)
	}
	return err
}

func (c courier) one(conn net.Conn, answer []byte) error {
	if answer == nil {
		return io.EOF
	}
	return c.flush(conn, append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...))
}

// notified takes in that a primary has a new version: the feeder is told.
func (c courier) notified(settings *Settings, req *transfer.Request) []byte {
	if !settings.allows(func(p Peer) bool { return p.Tells }, req.Zone, c.from.Addr(), req.Key) {
		return c.refused(req, &transfer.Fault{Rcode: transfer.NotAuth, EDE: transfer.Prohibited, Why: "this server takes no notice of you for this zone"})
	}
	c.asks.put(Asked{Kind: AskedNotify, Zone: req.Zone, From: c.from, Serial: req.Serial, Hint: req.Hint}, nil)
	return req.Answer(nil, c.now)
}

// longestUpdate is how long an update waits for the feeder.
const longestUpdate = 15 * time.Second

// update hands an update to the feeder, as it came, and returns what that answers.
func (c courier) update(settings *Settings, req *transfer.Request, msg []byte) []byte {
	if !settings.Updates || req.Key == "" {
		return c.refused(req, &transfer.Fault{Rcode: transfer.Refused, EDE: transfer.Prohibited, Why: "updates need a TSIG key that is known here"})
	}
	if !c.updating.take(string(req.Key), mostUpdates, updatesOfOneName) {
		return c.refused(req, notNow())
	}
	defer c.updating.giveBack(string(req.Key))
	answer := make(chan []byte, 1)
	if !c.asks.put(Asked{Kind: AskedUpdate, Zone: req.Zone, From: c.from, Message: append([]byte(nil), msg...)}, answer) {
		return c.refused(req, notNow())
	}
	wait := time.NewTimer(longestUpdate)
	defer wait.Stop()
	select {
	case a := <-answer:
		return a
	case <-wait.C:
		return c.refused(req, notNow())
	case <-c.over:
		return c.refused(req, notNow())
	}
}

func notNow() error {
	return &transfer.Fault{Rcode: transfer.ServFail, EDE: transfer.NotReady, Why: "updates cannot be taken in now"}
}

// Configure implements Feed. Faults are Invalid, and
// the old ones stay.
func (s *Server) Configure(_ context.Context, to Settings) error {
	if err := to.check(); err != nil {
		return err
	}
	s.feed.Lock()
	defer s.feed.Unlock()
	if slot := s.zones.Load().get(to.Catalog.Wire()); to.Catalog != "" && slot != nil && slot.image.Load().object != catalogObject {
		return core.Errorf(core.Conflict, "the catalog %s would take the name of a zone that is served", to.Catalog)
	}
	if err := s.cfg.writeSettings(to); err != nil {
		return core.Wrap(core.Unavailable, err, "the settings of the nameserver could not be kept")
	}
	if !sameLimit(s.settings.Load().Limit, to.Limit) {
		s.limiter.Store(newLimiter(to.Limit))
	}
	was := s.settings.Swap(&to)
	s.notifier.settled(to.Peers)
	if was.Catalog != to.Catalog {
		return s.relist(was.Catalog)
	}
	return nil
}

// soaOf returns the SOA of a zone that is served.
func (s *Server) soaOf(zone rr.Name) (rr.Record, bool) {
	slot := s.zones.Load().get(zone.Wire())
	if slot == nil {
		return rr.Record{}, false
	}
	soa, err := slot.image.Load().soa()
	return soa, err == nil
}
