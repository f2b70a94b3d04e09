package transfer

import (
	"time"

	"hostward/internal/rr"
)

// Opcode is the kind of a message (RFC 1035 4.1.1).
type Opcode uint8

// The kinds that are read.
const (
	Query  Opcode = opQuery
	Notify Opcode = opNotify // RFC 1996
	Update Opcode = opUpdate // RFC 2136
)

// Request is a message that came in, as far as answering it needs it. Whether
// the one who asks may have what he asks for is the caller's to say: the key
// is proved, the address is the caller's to know.
type Request struct {
	ID     uint16
	Opcode Opcode
	Zone   rr.Name // the name asked about; of an update the zone
	Type   string  // "AXFR", "IXFR", "SOA" …
	Key    rr.Name // whose signature is valid, "" if the message has none

	// Serial is that of the SOA beside the question: what the client of an IXFR
	// has (RFC 1995 3), or what NOTIFY says is there now, which is a hint and no
	// more (RFC 1996 3.11). Hint is false if there was none.
	Serial uint32
	Hint   bool

	question question
	edns     bool
	size     int // octets the client takes over UDP
	chain    *Chain
	msg      []byte
}

// leastUDP is what every client takes over UDP (RFC 1035 4.2.1).
const leastUDP = 512

// Read reads a request and checks its signature. An error is a *Fault; if
// there is a Request beside it, Answer makes the refusal, and if not, the
// message gets no answer: it is an answer itself, or too short to be anything.
// The Request refers to msg, which must stay as it is meanwhile.
func Read(msg []byte, keys Keys, now time.Time) (*Request, error) {
	if len(msg) < headerLen || get16(msg[2:])&flagQR != 0 {
		return nil, malformed("the message is no request")
	}
	r := &Request{ID: get16(msg), Opcode: Opcode(msg[2] >> 3 & 0xF), size: leastUDP, msg: msg}
	c, err := read(msg)
	if c != nil && len(c.asked) == 1 {
		r.ask(c.asked[0])
	}
	if err != nil {
		return r, err
	}
	if len(c.asked) != 1 {
		return r, malformed("a request without a question")
	}
	if err := r.records(c); err != nil {
		return r, err
	}
	if r.chain, err = Verify(msg, keys, now); err != nil {
		return r, err
	}
	r.Key = r.chain.Name()
	return r, r.fits()
}

func (r *Request) ask(q question) {
	r.question, r.Zone, r.Type = q, q.name, rr.TypeName(q.typ)
}

// records looks for what stands beside the question.
func (r *Request) records(c *cursor) error {
	hint := authority
	if r.Opcode == Notify {
		hint = answer
	}
	for {
		rec, section, ok, err := c.next()
		switch {
		case err != nil || !ok:
			return err
		case rec.typ == typeOPT && section == additional && r.edns:
			return malformed("two OPT records (RFC 6891 6.1.1)")
		case rec.typ == typeOPT && section == additional:
			r.edns, r.size = true, max(int(rec.class), leastUDP)
		case rec.typ == typeSOA && section == hint && rec.name == r.Zone && rec.class == classIN && r.Opcode != Update:
			if err := r.hint(rec); err != nil {
				return err
			}
		}
	}
}

func (r *Request) hint(rec record) error {
	t, err := rec.text()
	if err != nil {
		return err
	}
	soa, ok := rr.ParseSOA(t.Data)
	if !ok {
		return malformed("the SOA record of the request is broken")
	}
	r.Serial, r.Hint = soa.Serial, true
	return nil
}

// fits refuses what this package does not know how to answer.
func (r *Request) fits() error {
	switch {
	case r.Opcode != Query && r.Opcode != Notify && r.Opcode != Update:
		return &Fault{Rcode: NotImp, EDE: NotSupported, Why: "this kind of message is not supported"}
	case r.question.class != classIN:
		return &Fault{Rcode: Refused, EDE: NotSupported, Why: "class IN alone is served"}
	case r.Type == "IXFR" && r.Opcode == Query && !r.Hint:
		return malformed("an IXFR without the SOA record of the version that is there (RFC 1995 3)")
	}
	return nil
}

// Answer answers without data: the refusal that f says, or, if f is nil, that
// all is well, as NOTIFY and updates are answered.
func (r *Request) Answer(f *Fault, now time.Time) []byte {
	b := newBuilder(maxMessage)
	flags := flagQR | uint16(r.Opcode)<<11
	switch {
	case f != nil:
		flags |= uint16(f.Rcode & 0xF)
	case r.Opcode == Notify:
		flags |= flagAA // RFC 1996 3.7 has the answer like the request, which has it
	}
	b.begin(r.ID, flags)
	if r.question.name != "" {
		b.ask(r.question)
	}
	if r.edns {
		b.option(f)
	}
	return r.chain.Sign(b.buf, now)
}

// Sign signs an answer that somebody else wrote, as the request was signed.
func (r *Request) Sign(msg []byte, now time.Time) []byte { return r.chain.Sign(msg, now) }
