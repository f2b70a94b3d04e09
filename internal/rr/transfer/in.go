package transfer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"sync/atomic"
	"time"

	"hostward/internal/rr"
)

// Errors of transfers that come in, beside *Fault, which is the server's
// refusal or a signature that is wrong.
var (
	// ErrBroken: what the server sends is no transfer of this zone.
	ErrBroken = errors.New("the transfer is broken")

	// ErrLimit: it is more, or takes longer, than Limits allow.
	ErrLimit = errors.New("the transfer exceeds a limit")

	// ErrNotApply: the difference is not one of the version that is here. The
	// whole zone is to be fetched.
	ErrNotApply = errors.New("the difference does not apply")
)

// Limits bound what a server may send. Whatever it sends, not much more is
// held than Octets says and some hundred octets for each record on top.
type Limits struct {
	Records  int           // 0: 2,000,000
	Octets   int64         // of names and data as text; 0: 256 MiB
	Messages int           // 0: 2,000,000, as some servers send one record a message
	Idle     time.Duration // for one message; 0: 30 s
	Total    time.Duration // 0: 1 h
}

func (l Limits) orDefault() Limits {
	d := Limits{2_000_000, 256 << 20, 2_000_000, 30 * time.Second, time.Hour}
	if l.Records > 0 {
		d.Records = l.Records
	}
	if l.Octets > 0 {
		d.Octets = l.Octets
	}
	if l.Messages > 0 {
		d.Messages = l.Messages
	}
	if l.Idle > 0 {
		d.Idle = l.Idle
	}
	if l.Total > 0 {
		d.Total = l.Total
	}
	return d
}

// Received is what a server sent.
type Received struct {
	Kind   Kind       // Whole, Difference or UpToDate
	SOA    rr.Record  // the newest version's
	Serial uint32     // its serial; may be older than what was asked from
	Sets   []rr.RRset // Whole: the zone, sorted; signatures of one name have a set for each TTL
	Steps  []Step     // Difference: from the serial that was given, in order

	Messages, Records int
	Octets            int64 // of the messages
	Strangers         int   // records outside the zone, which were passed over
}

// Fetch brings a zone here. With have, the serial that is here, it asks for
// the difference (IXFR) and, where the server cannot or makes a mess of it, for
// the whole zone; without, for the whole zone (AXFR). All over TCP or TLS.
//
// A difference is in itself complete; whether it applies, Apply says. A whole
// zone has one SOA and nothing from outside; whether it is a zone that can be
// served, rr.Validate says.
func (c Client) Fetch(ctx context.Context, from Peer, zone rr.Name, have *rr.Record) (Received, error) {
	if have != nil {
		got, err := c.transfer(ctx, from, zone, have)
		if err == nil || !wholeMayHelp(err) || ctx.Err() != nil {
			return got, err
		}
	}
	return c.transfer(ctx, from, zone, nil)
}

// wholeMayHelp reports whether AXFR may do where IXFR failed: the server does
// not know it, or its answer makes no sense. Where a key or a clock is wrong,
// or a limit was reached, it does not.
func wholeMayHelp(err error) bool {
	if f, ok := errors.AsType[*Fault](err); ok {
		return f.TSIG == 0
	}
	return errors.Is(err, ErrBroken)
}

// transfer is one AXFR, or one IXFR with have.
func (c Client) transfer(ctx context.Context, from Peer, zone rr.Name, have *rr.Record) (Received, error) {
	in := &inbound{zone: zone, limits: c.Limits.orDefault()}
	a := asking{client: c, peer: from, asked: question{zone, typeAXFR, classIN}, in: authority}
	if have != nil {
		wire, err := wireOf(*have)
		if err != nil {
			return Received{}, err
		}
		in.have, in.ixfr = serial(*have)
		a.asked.typ, a.extra = typeIXFR, []record{wire}
	}
	err := a.receive(ctx, in)
	if err != nil {
		return Received{}, fmt.Errorf("fetching zone %s from %s: %w", zone, from.Address, err)
	}
	return in.done(), nil
}

// receive sends the question and hands in what answers it, until in has all.
func (a asking) receive(ctx context.Context, in *inbound) error {
	msg, chain, err := a.message()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, in.limits.Total)
	defer cancel()
	conn, err := a.connectWithin(ctx, in.limits.Idle)
	if err != nil {
		return err
	}
	defer closing(ctx, conn)()
	var silent atomic.Bool
	idle := time.AfterFunc(in.limits.Idle, func() {
		silent.Store(true)
		_ = conn.Close() // ends the read below
	})
	defer idle.Stop()
	if _, err := conn.Write(append(put16(nil, uint16(len(msg))), msg...)); err != nil {
		return err
	}
	var buf []byte
	for !in.complete {
		if buf, err = receive(conn, buf); err != nil {
			return in.cut(ctx, silent.Load(), err)
		}
		if !idle.Reset(in.limits.Idle) {
			return fmt.Errorf("%w: %v for one message", ErrLimit, in.limits.Idle)
		}
		if err := a.one(in, chain, buf, get16(msg)); err != nil {
			return err
		}
	}
	return chain.Done()
}

func (a asking) connectWithin(ctx context.Context, idle time.Duration) (net.Conn, error) {
	ctx, cancel := context.WithTimeout(ctx, idle)
	defer cancel()
	return a.peer.connect(ctx, a.client.Dial)
}

// cut says why there is nothing more to read.
func (in *inbound) cut(ctx context.Context, silent bool, err error) error {
	switch {
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("%w: %v in all", ErrLimit, in.limits.Total)
	case ctx.Err() != nil:
		return ctx.Err()
	case silent:
		return fmt.Errorf("%w: %v for one message", ErrLimit, in.limits.Idle)
	case errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF):
		return fmt.Errorf("%w: it ends after %d records, before its end", ErrBroken, in.got.Records)
	}
	return err
}

// one checks one message and takes its records.
func (a asking) one(in *inbound, chain *Chain, msg []byte, id uint16) error {
	in.got.Messages++
	in.got.Octets += int64(len(msg))
	if in.got.Messages > in.limits.Messages {
		return fmt.Errorf("%w: more than %d messages", ErrLimit, in.limits.Messages)
	}
	c := a.answer(msg, id)
	if c == nil {
		return fmt.Errorf("%w: message %d answers another question", ErrBroken, in.got.Messages)
	}
	if err := chain.Check(msg, a.client.Clock()); err != nil {
		return err
	}
	if err := refusal(c); err != nil {
		return err
	}
	return in.message(c)
}

// inbound puts a zone, or differences, together from records as they come
// (RFC 5936 2.2, RFC 1995 4).
type inbound struct {
	zone     rr.Name
	ixfr     bool
	have     uint32 // with ixfr: the serial that is here
	limits   Limits
	held     int64 // octets
	got      Received
	expect   expectation
	complete bool
	step     Step
	records  []rr.Record
}

// expectation is what the next record may be.
type expectation int

const (
	start    expectation = iota // the newest SOA
	decision                    // a SOA: differences, anything else: the whole zone
	content                     // the whole zone, ended by the SOA
	removed                     // what a step takes away, ended by its new SOA
	added                       // what a step brings, ended by the next one's old SOA or the newest
)

// message takes the answer section; other sections are nothing to a transfer.
func (in *inbound) message(c *cursor) error {
	first := in.expect == start
	for {
		r, section, ok, err := c.next()
		if err != nil {
			return broken(err)
		}
		if !ok {
			break
		}
		if section != answer {
			continue
		}
		if err := in.take(r); err != nil {
			return err
		}
	}
	if in.expect == start {
		return fmt.Errorf("%w: the first message has no records", ErrBroken)
	}
	if first && in.expect == decision && in.ixfr && !rr.SerialAfter(in.got.Serial, in.have) {
		in.got.Kind, in.complete = UpToDate, true
	}
	return nil
}

func broken(err error) error {
	return fmt.Errorf("%w: %s", ErrBroken, err.Error()) // not wrapped: a *Fault would be the server's own word
}

// take takes the next record.
func (in *inbound) take(r record) error {
	in.got.Records++
	if in.got.Records > in.limits.Records {
		return fmt.Errorf("%w: more than %d records", ErrLimit, in.limits.Records)
	}
	switch {
	case in.complete:
		return fmt.Errorf("%w: records follow after its end", ErrBroken)
	case r.class != classIN:
		return fmt.Errorf("%w: a record of class %d", ErrBroken, r.class)
	case in.expect == start && (r.typ != typeSOA || r.name != in.zone):
		return fmt.Errorf("%w: it begins with %s %s and not with the zone's SOA", ErrBroken, r.name, rr.TypeName(r.typ))
	case !r.name.Under(in.zone):
		in.got.Strangers++
		return nil
	}
	t, err := r.text()
	if err != nil {
		return broken(err)
	}
	if in.held += int64(len(t.Name) + len(t.Data)); in.held > in.limits.Octets {
		return fmt.Errorf("%w: more than %d octets", ErrLimit, in.limits.Octets)
	}
	if r.typ == typeSOA {
		return in.soa(t)
	}
	in.data(t)
	return nil
}

func (in *inbound) data(t rr.Record) {
	switch in.expect {
	case decision, content:
		in.expect = content
		in.records = append(in.records, t)
	case removed:
		in.step.Removed = append(in.step.Removed, t)
	case added:
		in.step.Added = append(in.step.Added, t)
	}
}

// soa takes a SOA record, each of which is a turn.
func (in *inbound) soa(t rr.Record) error {
	n, ok := serial(t)
	if !ok || t.Name != in.zone {
		return fmt.Errorf("%w: a SOA record at %s", ErrBroken, t.Name)
	}
	switch in.expect {
	case start:
		in.got.SOA, in.got.Serial, in.expect = t, n, decision
		return nil
	case decision, content:
		if in.expect == decision && in.ixfr && n != in.got.Serial {
			return in.begin(t, n, in.have)
		}
		return in.end(t)
	case removed:
		return in.turn(t, n)
	}
	now, _ := serial(in.step.New)
	in.got.Steps = append(in.got.Steps, in.step)
	if now == in.got.Serial {
		in.got.Kind, in.complete = Difference, true
		return in.equal(t)
	}
	return in.begin(t, n, now)
}

// end ends a whole zone with the SOA it began with.
func (in *inbound) end(t rr.Record) error {
	in.got.Kind, in.complete = Whole, true
	return in.equal(t)
}

func (in *inbound) equal(t rr.Record) error {
	if t.Data != in.got.SOA.Data {
		return fmt.Errorf("%w: it begins with one SOA and ends with another: the zone changed meanwhile", ErrBroken)
	}
	return nil
}

// begin begins a step, which must go on from the serial before.
func (in *inbound) begin(t rr.Record, n, from uint32) error {
	if n != from {
		return fmt.Errorf("%w: a step begins at serial %d and not at %d", ErrBroken, n, from)
	}
	in.step, in.expect = Step{Old: t}, removed
	return nil
}

// turn ends what a step takes away. Serials go up, and not past the newest: so
// a stream of steps has an end.
func (in *inbound) turn(t rr.Record, n uint32) error {
	old, _ := serial(in.step.Old)
	if !rr.SerialAfter(n, old) || n != in.got.Serial && !rr.SerialAfter(in.got.Serial, n) {
		return fmt.Errorf("%w: a step from serial %d to %d on the way to %d", ErrBroken, old, n, in.got.Serial)
	}
	in.step.New, in.expect = t, added
	return nil
}

// done returns what was received.
func (in *inbound) done() Received {
	if in.got.Kind == Whole {
		in.got.Sets = Group(append(in.records, in.got.SOA))
	}
	return in.got
}

// Group makes sorted RRsets of records. Duplicates go; records of one set
// have one TTL, the lowest (RFC 2181 5.2), but signatures keep the TTL of what
// they sign, and stand in a set for each (RFC 4034 3).
func Group(records []rr.Record) []rr.RRset {
	type part struct {
		rr.Key
		ttl uint32
	}
	parts := make(map[part][]rr.Record, len(records))
	for _, r := range records {
		p := part{Key: r.Key()}
		if r.Type == "RRSIG" {
			p.ttl = r.TTL
		}
		parts[p] = append(parts[p], r)
	}
	sets := make([]rr.RRset, 0, len(parts))
	for _, g := range parts {
		if len(g) == 1 {
			sets = append(sets, rr.RRset{Name: g[0].Name, Type: g[0].Type, TTL: g[0].TTL, Data: []string{g[0].Data}})
			continue
		}
		some, _ := rr.Group(g)
		sets = append(sets, some...)
	}
	sortSets(sets)
	return sets
}
