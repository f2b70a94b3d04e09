package transfer_test

import (
	"context"
	"crypto/rand"
	"encoding/binary"
	"fmt"
	"io"
	"iter"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

const origin = rr.Name("z.example.")

// sample is a zone of every common type and of more records, with a serial.
func sample(t testing.TB, serial uint32, more int, extra ...string) []rr.RRset {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "$ORIGIN z.example.\n$TTL 3600\n@ SOA ns1 hostmaster %d 7200 1 604800 300\n", serial)
	b.WriteString("@ NS ns1\n@ NS ns2\nns1 A 192.0.2.1\nns2 AAAA 2001:db8::2\n@ MX 10 mail\nmail A 192.0.2.3\nmail AAAA 2001:db8::3\n")
	b.WriteString("www CNAME @\n*.wild TXT \"any\" \"\\200\\\"\"\n_sip._udp SRV 1 2 5060 mail\nsub NS ns.sub\nns.sub A 192.0.2.9\nold DNAME new.example.\n")
	b.WriteString("@ CAA 0 issue \"ca.example\"\n_443._tcp TLSA 3 1 1 8CB6E00123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789\nhost SSHFP 4 2 8CB6E00123456789ABCDEF0123456789ABCDEF0123456789ABCDEF0123456789\nnaptr NAPTR 100 50 \"s\" \"SIP+D2U\" \"\" _sip._udp\n")
	b.WriteString("svc HTTPS 1 . alpn=\"h2,h3\"\nloc LOC 48 12 30.000 N 16 22 20.000 E 171m 10m 100m 10m\nodd\\.dot 60 A 192.0.2.4\nunknown TYPE65400 \\# 4 0A000001\n")
	for i := range more {
		fmt.Fprintf(&b, "h%d A 10.%d.%d.%d\nh%d TXT \"record number %d\"\n", i, i>>16, i>>8&255, i&255, i, i)
	}
	b.WriteString(strings.Join(extra, "\n") + "\n")
	z, err := rr.ParseZone(strings.NewReader(b.String()), rr.Options{})
	if err != nil {
		t.Fatal(err)
	}
	return z.Sets
}

// image is one version of a zone with the history before it.
type image struct {
	sets  []rr.RRset
	steps []transfer.Step
}

var _ transfer.Zone = image{}

func (i image) SOA() rr.Record { return soaOf(i.sets) }

func soaOf(sets []rr.RRset) rr.Record {
	for _, s := range sets {
		if s.Type == "SOA" {
			return s.Records()[0]
		}
	}
	return rr.Record{}
}

func serialOf(sets []rr.RRset) uint32 {
	soa, _ := rr.ParseSOA(soaOf(sets).Data)
	return soa.Serial
}

func (i image) Records() int {
	n := 0
	for _, s := range i.sets {
		n += len(s.Data)
	}
	return n
}

func (i image) Sets() iter.Seq2[rr.RRset, error] {
	return func(yield func(rr.RRset, error) bool) {
		for _, s := range i.sets {
			if !yield(s, nil) {
				return
			}
		}
	}
}

func (i image) History(from uint32) (transfer.History, bool) {
	for n, s := range i.steps {
		if soa, _ := rr.ParseSOA(s.Old.Data); soa.Serial == from {
			return history(i.steps[n:]), true
		}
	}
	return transfer.History{}, false
}

func history(steps []transfer.Step) transfer.History {
	h := transfer.History{}
	for _, s := range steps {
		h.Records += s.Records()
	}
	h.Steps = func(yield func(transfer.Step, error) bool) {
		for _, s := range steps {
			if !yield(s, nil) {
				return
			}
		}
	}
	return h
}

// after is the next version of the zone.
func (i image) after(sets []rr.RRset) image {
	return image{sets, append(slices.Clone(i.steps), transfer.StepOf(rr.Diff(i.sets, sets)))}
}

// primary serves zones on loopback, until the test ends.
type primary struct {
	t    testing.TB
	keys transfer.Keys
	need rr.Name // the key that is asked for, "" none
	out  transfer.Out

	policy transfer.Policy

	mu     sync.Mutex
	zones  map[rr.Name]image
	events []string
	away   bool

	port int
}

func startPrimary(t testing.TB, key *transfer.Key) *primary {
	t.Helper()
	p := &primary{t: t, zones: map[rr.Name]image{}, keys: func(rr.Name) (transfer.Key, bool) { return transfer.Key{}, false }}
	p.out = transfer.Out{Clock: core.SystemClock, Idle: 10 * time.Second}
	if key != nil {
		p.keys, p.need = transfer.OneKey(*key), key.Name
	}
	l, u := listen(t)
	p.port = l.Addr().(*net.TCPAddr).Port
	var work sync.WaitGroup
	work.Go(func() { p.tcp(l) })
	work.Go(func() { p.udp(u) })
	t.Cleanup(func() {
		_, _ = l.Close(), u.Close() // the loops end with them
		work.Wait()
	})
	return p
}

// listen opens one port for both.
func listen(t testing.TB) (net.Listener, net.PacketConn) {
	t.Helper()
	for range 20 {
		l, err := net.Listen("tcp4", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		if u, err := net.ListenPacket("udp4", l.Addr().String()); err == nil {
			return l, u
		}
		_ = l.Close() // taken by another for UDP: try the next
	}
	t.Fatal("no port is free for both UDP and TCP")
	return nil, nil
}

// publish sets the zone's next version; history is kept unless it is forgotten.
func (p *primary) publish(sets []rr.RRset, forget bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	name := soaOf(sets).Name
	old, ok := p.zones[name]
	if !ok || forget {
		p.zones[name] = image{sets: sets}
		return
	}
	p.zones[name] = old.after(sets)
}

func (p *primary) leave(away bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.away = away
}

func (p *primary) note(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.events = append(p.events, fmt.Sprintf(format, args...))
}

// seen returns what happened since the last call.
func (p *primary) seen() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	s := strings.Join(p.events, "\n")
	p.events = nil
	return s
}

func (p *primary) zone(name rr.Name) (image, bool, bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	z, ok := p.zones[name]
	return z, ok, p.away
}

func (p *primary) tcp(l net.Listener) {
	for {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		go p.converse(conn)
	}
}

func (p *primary) converse(conn net.Conn) {
	defer func() { _ = conn.Close() }()
	for {
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		var head [2]byte
		if _, err := io.ReadFull(conn, head[:]); err != nil {
			return
		}
		msg := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(conn, msg); err != nil || !p.answer(conn, msg) {
			return
		}
	}
}

func (p *primary) udp(u net.PacketConn) {
	buf := make([]byte, 65535)
	for {
		n, from, err := u.ReadFrom(buf)
		if err != nil {
			return
		}
		p.answer(datagram{u, from}, slices.Clone(buf[:n]))
	}
}

// datagram writes to one client.
type datagram struct {
	conn net.PacketConn
	to   net.Addr
}

func (d datagram) Write(b []byte) (int, error) { return d.conn.WriteTo(b, d.to) }

// answer handles one request and reports whether to go on.
func (p *primary) answer(w io.Writer, msg []byte) bool {
	now := core.SystemClock()
	r, err := transfer.Read(msg, p.keys, now)
	if r == nil {
		return false
	}
	z, ok, away := p.zone(r.Zone)
	if away {
		return false
	}
	f := faultOf(err)
	if f == nil && r.Key != p.need {
		f = &transfer.Fault{Rcode: transfer.Refused, EDE: transfer.Prohibited, Why: "a signature is asked for"}
	} else if f == nil && !ok {
		f = &transfer.Fault{Rcode: transfer.NotAuth, EDE: transfer.NotAuthoritative, Why: "no such zone"}
	}
	udp, isUDP := w.(datagram)
	if f != nil {
		p.note("refused %s: %v", r.Type, f)
		return p.put(w, r.Answer(f, now))
	}
	switch {
	case r.Opcode == transfer.Update:
		return p.put(w, r.Answer(p.update(r, z), now))
	case r.Type != "AXFR" && r.Type != "IXFR":
		return p.put(w, p.plain(r, z, msg, now))
	case isUDP:
		b, sent, err := p.out.Datagram(r, z)
		p.note("%s over UDP: %s %v", r.Type, sent.Kind, err)
		return p.put(udp, b)
	}
	sent, err := p.out.Stream(w, r, z)
	p.note("%s: %s, serial %d to %d, %d messages, %d records, %v", r.Type, sent.Kind, r.Serial, sent.Serial, sent.Messages, sent.Records, err)
	return err == nil
}

func (p *primary) put(w io.Writer, msg []byte) bool {
	if _, udp := w.(datagram); !udp {
		msg = append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...)
	}
	_, err := w.Write(msg)
	return err == nil
}

// plain answers a query for the SOA.
func (p *primary) plain(r *transfer.Request, z image, msg []byte, now time.Time) []byte {
	q, m := new(dns.Msg), new(dns.Msg)
	if err := q.Unpack(msg); err != nil {
		return r.Answer(&transfer.Fault{Rcode: transfer.FormErr}, now)
	}
	m.SetReply(q)
	m.Authoritative = true
	if r.Type == "SOA" {
		soa, err := dns.NewRR(z.SOA().String())
		if err != nil {
			p.t.Error(err)
		}
		m.Answer = append(m.Answer, soa)
	}
	b, err := m.Pack()
	if err != nil {
		p.t.Error(err)
	}
	return r.Sign(b, now)
}

func testClient() transfer.Client {
	d := net.Dialer{}
	return transfer.Client{Dial: d.DialContext, Clock: core.SystemClock, Random: rand.Reader, Patience: transfer.Patience{Tries: 3, First: 300 * time.Millisecond}}
}

func testContext(t testing.TB) context.Context {
	ctx, cancel := context.WithTimeout(context.Background(), 30*time.Second)
	t.Cleanup(cancel)
	return ctx
}

// update makes an update, as a server would.
func (p *primary) update(r *transfer.Request, z image) *transfer.Fault {
	view := transfer.ViewOf(z.sets)
	e, err := r.Edits(1000)
	if err == nil {
		err = e.Hold(view)
	}
	if err == nil {
		err = p.policy.Permit(r.Key, e, view)
	}
	if err != nil {
		f := faultOf(err)
		p.note("update: %v", f)
		return f
	}
	made := e.Make(view)
	p.note("update: %d changes, ignored %q", len(made.Changes), made.Ignored)
	if len(made.Changes) == 0 {
		return nil
	}
	now := patched(z.sets, made.Changes)
	soa, _ := rr.ParseSOA(soaOf(now).Data)
	if soa.Serial == serialOf(z.sets) {
		soa.Serial++
		now = patched(now, []rr.Change{{New: rr.RRset{Name: r.Zone, Type: "SOA", TTL: soaOf(now).TTL, Data: []string{soa.String()}}}})
	}
	p.publish(now, false)
	return nil
}
