package transfer

import (
	"errors"
	"fmt"
	"io"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Out sends zones to those who ask. Its zero value is ready but for the clock.
type Out struct {
	Clock core.Clock

	// Message is the most octets of a message over TCP; 0 is 65535, which all
	// servers take. Some very old ones want 16384.
	Message int

	// Condense is up to how many records of history are held in memory to be sent
	// as one step, without what came and went in between; longer ones, and all
	// if it is 0, go out step by step.
	Condense int

	// Idle is how long one message may take to be written, if the connection
	// knows deadlines; 0: for ever.
	Idle time.Duration
}

// Kind says what an answer to a request for transfer was.
type Kind string

// The kinds.
const (
	Whole      Kind = "whole"      // the zone, as AXFR or as IXFR that fell back to it
	Difference Kind = "difference" // the steps from what the client has (RFC 1995 4)
	UpToDate   Kind = "up-to-date" // one SOA: there is nothing newer
	TooLong    Kind = "too-long"   // one SOA over UDP: the client is to come back over TCP
)

// Sent is what went out.
type Sent struct {
	Kind              Kind
	Serial            uint32 // of the version that was sent
	Messages, Records int
	Octets            int64
}

// Stream answers a request for AXFR or IXFR over TCP or TLS: messages with
// their length before them (RFC 5936 2.2, RFC 1995 4). The memory it takes is
// that of one message, and of the history that is condensed. An error is of the
// connection or of the zone; the answer is then incomplete, and the connection
// must be closed.
func (o Out) Stream(w io.Writer, r *Request, z Zone) (Sent, error) {
	s := &stream{out: o, w: w, request: r, b: newBuilder(o.message() - r.chain.room() - optionRoom)}
	s.begin()
	err := o.write(s, r, z)
	if err == nil {
		err = s.flush()
	}
	if err != nil {
		err = fmt.Errorf("sending zone %s: %w", r.Zone, err)
	}
	return s.sent, err
}

func (o Out) message() int {
	const least = 4096 // the question and a signature fit in any case
	if o.Message <= 0 {
		return maxMessage
	}
	return min(max(o.Message, least), maxMessage)
}

// write sends what the client needs.
func (o Out) write(s *stream, r *Request, z Zone) error {
	now, ok := serial(z.SOA())
	if !ok {
		return fmt.Errorf("the zone has no SOA record")
	}
	s.sent.Serial = now
	if r.Type == "IXFR" && !rr.SerialAfter(now, r.Serial) {
		s.sent.Kind = UpToDate
		return s.put(z.SOA())
	}
	if r.Type == "IXFR" {
		if h, ok := z.History(r.Serial); ok && h.Records <= z.Records() {
			return o.difference(s, r.Serial, z, h)
		}
	}
	return whole(s, z)
}

// whole sends SOA, all other records, SOA (RFC 5936 2.2).
func whole(s *stream, z Zone) error {
	s.sent.Kind = Whole
	if err := s.put(z.SOA()); err != nil {
		return err
	}
	for set, err := range z.Sets() {
		if err != nil {
			return err
		}
		if set.Type == "SOA" {
			continue
		}
		for _, d := range set.Data {
			if err := s.put(rr.Record{Name: set.Name, TTL: set.TTL, Type: set.Type, Data: d}); err != nil {
				return err
			}
		}
	}
	return s.put(z.SOA())
}

// difference sends the newest SOA, then of each step the old SOA, what goes,
// the new SOA and what comes, then the newest SOA again (RFC 1995 4).
func (o Out) difference(s *stream, from uint32, z Zone, h History) error {
	s.sent.Kind = Difference
	if err := s.put(z.SOA()); err != nil {
		return err
	}
	if err := o.steps(s, from, s.sent.Serial, h); err != nil {
		return err
	}
	return s.put(z.SOA())
}

// steps sends a history and holds it against what it should be: a chain of
// serials from one to the other. A broken one must not leave the house.
func (o Out) steps(s *stream, from, to uint32, h History) error {
	condensed := newCondenser()
	for step, err := range h.Steps {
		if err != nil {
			return err
		}
		old, ok := serial(step.Old)
		next, also := serial(step.New)
		if !ok || !also || old != from {
			return fmt.Errorf("the history is broken after serial %d", from)
		}
		from = next
		if h.Records <= o.Condense {
			condensed.take(step)
		} else if err := s.step(step); err != nil {
			return err
		}
	}
	if from != to {
		return fmt.Errorf("the history ends with serial %d, the zone has %d", from, to)
	}
	if condensed.taken > 0 || h.Records <= o.Condense {
		return s.step(condensed.step())
	}
	return nil
}

// stream writes records into messages and messages to the client.
type stream struct {
	out     Out
	w       io.Writer
	request *Request
	b       *builder
	frame   []byte
	filled  bool
	sent    Sent
}

// begin starts a message. The first has the question and EDNS, the others
// neither (RFC 5936 2.2.1, 2.2.5).
func (s *stream) begin() {
	s.b.begin(s.request.ID, flagQR|flagAA)
	s.filled = false
	if s.sent.Messages == 0 {
		s.b.ask(s.request.question)
	}
}

func (s *stream) step(step Step) error {
	for _, part := range [][]rr.Record{{step.Old}, step.Removed, {step.New}, step.Added} {
		for _, r := range part {
			if err := s.put(r); err != nil {
				return err
			}
		}
	}
	return nil
}

// put adds one record, to the next message if this one is full.
func (s *stream) put(r rr.Record) error {
	wire, err := wireOf(r)
	if err != nil {
		return fmt.Errorf("writing %s: %w", r.Key(), err)
	}
	if !s.b.add(answer, wire) {
		if err := s.flush(); err != nil {
			return err
		}
		s.begin()
		if !s.b.add(answer, wire) {
			return fmt.Errorf("writing %s: %d octets do not fit into a message", r.Key(), len(wire.data))
		}
	}
	s.filled = true
	s.sent.Records++
	return nil
}

// flush signs and sends the message.
func (s *stream) flush() error {
	if !s.filled {
		return nil
	}
	if s.sent.Messages == 0 && s.request.edns {
		s.b.limit += optionRoom
		s.b.option(nil)
		s.b.limit -= optionRoom
	}
	now := s.out.Clock()
	s.b.buf = s.request.chain.Sign(s.b.buf, now)
	s.frame = append(put16(s.frame[:0], uint16(len(s.b.buf))), s.b.buf...)
	if d, ok := s.w.(interface{ SetWriteDeadline(time.Time) error }); ok && s.out.Idle > 0 {
		if err := d.SetWriteDeadline(time.Now().Add(s.out.Idle)); err != nil {
			return err
		}
	}
	n, err := s.w.Write(s.frame)
	s.sent.Messages++
	s.sent.Octets += int64(n)
	return err
}

// optionRoom is what an OPT record without options takes.
const optionRoom = 11

// Datagram answers a request for IXFR over UDP: the whole difference if it
// fits into one message of at most 1232 octets, else the SOA alone, which sends
// the client to TCP (RFC 1995 2). AXFR over UDP is not defined (RFC 5936
// 4.2) and is refused. The error is of the zone.
func (o Out) Datagram(r *Request, z Zone) ([]byte, Sent, error) {
	now := o.Clock()
	if r.Type != "IXFR" {
		f := malformed("a whole zone is sent over TCP only (RFC 5936 4.2)")
		return r.Answer(f, now), Sent{}, nil
	}
	msg, sent, err := o.datagram(r, z)
	if err != nil {
		err = fmt.Errorf("sending zone %s: %w", r.Zone, err)
	}
	return msg, sent, err
}

// full is a message over UDP that has no room left.
type full struct{}

func (full) Error() string { return "the message is full" }

// Write makes full a stream's connection: the first message that would have to
// go out says that one is not enough.
func (full) Write([]byte) (int, error) { return 0, full{} }

func (o Out) datagram(r *Request, z Zone) ([]byte, Sent, error) {
	limit := min(r.size, payload) - r.chain.room() - optionRoom
	s := &stream{out: o, w: full{}, request: r, b: newBuilder(limit)}
	s.begin()
	h, known := z.History(r.Serial)
	now, ok := serial(z.SOA())
	if !ok {
		return nil, Sent{}, fmt.Errorf("the zone has no SOA record")
	}
	s.sent.Serial = now
	s.sent.Kind = UpToDate
	if rr.SerialAfter(now, r.Serial) {
		s.sent.Kind = TooLong
		if known && h.Records <= z.Records() && h.Records < limit {
			return o.whether(s, r, z, h)
		}
	}
	return s.single(z)
}

// whether sends the difference if it fits. A message that is not sent was not
// signed: the signature would be bound to it.
func (o Out) whether(s *stream, r *Request, z Zone, h History) ([]byte, Sent, error) {
	chain := r.chain
	r.chain = nil
	err := o.difference(s, r.Serial, z, h)
	r.chain = chain
	if errors.Is(err, full{}) {
		s.sent = Sent{Kind: TooLong, Serial: s.sent.Serial}
		s.begin()
		return s.single(z)
	}
	if err != nil {
		return nil, Sent{}, err
	}
	return s.datagram()
}

func (s *stream) single(z Zone) ([]byte, Sent, error) {
	if err := s.put(z.SOA()); err != nil {
		return nil, Sent{}, err
	}
	return s.datagram()
}

func (s *stream) datagram() ([]byte, Sent, error) {
	s.b.limit += optionRoom
	if s.request.edns {
		s.b.option(nil)
	}
	msg := s.request.chain.Sign(s.b.buf, s.out.Clock())
	s.sent.Messages, s.sent.Octets = 1, int64(len(msg))
	return msg, s.sent, nil
}
