package ask

import (
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"time"

	"github.com/miekg/dns"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Dial opens a connection: network is "udp" or "tcp", address an IP address and a
// port. The caller's function decides what may be reached (SPEC A10).
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Client asks. Both fields are needed; it may be used by several goroutines if Dial may.
type Client struct {
	Dial Dial
	Wait time.Duration // for each answer
}

// Question is one question of class IN.
type Question struct {
	Name    rr.Name
	Type    string // a record type, or AXFR, of which the first message is read
	Stream  bool   // over TCP
	Recurse bool   // the server is to find the answer elsewhere (RD)
	Plain   bool   // without EDNS; otherwise with DO and 1232 octets
}

// Sections of an answer.
const (
	Answer = iota
	Authority
	Additional
)

// Reply is what a server said.
type Reply struct {
	Code          string // "NOERROR", "NXDOMAIN", …
	Authoritative bool   // AA
	Truncated     bool   // TC: the rest is to be had over TCP
	Recursion     bool   // RA: it would ask others for us
	Proved        bool   // AD: the resolver validated it
	EDNS          bool
	Sections      [3][]rr.Record
}

// ErrUnreachable is a server to which no connection could be opened from here, or
// which refused it. Over UDP it says something about this machine's routes only.
var ErrUnreachable = errors.New("there is no way to the server")

// dnssecSize is what fits into a packet everywhere (DNS flag day 2020).
const dnssecSize = 1232

// Ask asks the server at address once. An error is no answer: nothing came in time,
// or nothing that can be read.
func (c Client) Ask(ctx context.Context, address string, q Question) (Reply, error) {
	m, err := q.message()
	if err != nil {
		return Reply{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, c.Wait)
	defer cancel()
	network := "udp"
	if q.Stream {
		network = "tcp"
	}
	conn, err := c.Dial(ctx, network, address)
	if err != nil {
		return Reply{}, fmt.Errorf("asking %s over %s: %w: %w", address, network, ErrUnreachable, err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.SetDeadline(time.Unix(1, 0)) }) // wakes who reads
	defer func() { stop(); _ = conn.Close() }()                                      // nothing is written after
	r, err := exchange(conn, m, q.Stream)
	if err != nil {
		return Reply{}, fmt.Errorf("asking %s over %s for %s %s: %w", address, network, q.Name, q.Type, err)
	}
	return read(r), nil
}

func (q Question) message() (*dns.Msg, error) {
	code, ok := dns.StringToType[q.Type]
	if !ok {
		return nil, core.Errorf(core.Invalid, "asking for the type %.20q: it is not known", q.Type)
	}
	m := new(dns.Msg)
	m.SetQuestion(string(q.Name), code)
	m.RecursionDesired, m.AuthenticatedData = q.Recurse, q.Recurse
	if !q.Plain {
		m.SetEdns0(dnssecSize, true)
	}
	return m, nil
}

// exchange sends m and reads until its answer comes. On a stream nobody else can
// write, so what is no answer there is an error.
func exchange(conn net.Conn, m *dns.Msg, stream bool) (*dns.Msg, error) {
	octets, err := m.Pack()
	if err != nil {
		return nil, err
	}
	if stream {
		octets = append(binary.BigEndian.AppendUint16(nil, uint16(len(octets))), octets...) //nolint:gosec // one question is short
	}
	if _, err := conn.Write(octets); err != nil {
		return nil, err
	}
	buf := make([]byte, dns.MaxMsgSize)
	for {
		n, err := receive(conn, buf, stream)
		if err != nil {
			return nil, err
		}
		r := new(dns.Msg)
		if r.Unpack(buf[:n]) == nil && answers(r, m) {
			return r, nil
		}
		if stream {
			return nil, errors.New("what came is no answer to the question")
		}
	}
}

// receive reads one message; on a stream its length stands before it (RFC 1035 4.2.2).
func receive(conn net.Conn, buf []byte, stream bool) (int, error) {
	if !stream {
		return conn.Read(buf)
	}
	var head [2]byte
	if _, err := io.ReadFull(conn, head[:]); err != nil {
		return 0, err
	}
	return io.ReadFull(conn, buf[:binary.BigEndian.Uint16(head[:])])
}

// answers reports whether r is an answer to m. Servers without EDNS may leave the
// question out of an error.
func answers(r, m *dns.Msg) bool {
	if r.Id != m.Id || !r.Response || r.Opcode != m.Opcode {
		return false
	}
	if len(r.Question) == 0 {
		return r.Rcode != dns.RcodeSuccess
	}
	a, b := r.Question[0], m.Question[0]
	return len(r.Question) == 1 && a.Qtype == b.Qtype && a.Qclass == b.Qclass && strings.EqualFold(a.Name, b.Name)
}

func read(m *dns.Msg) Reply {
	r := Reply{Code: dns.RcodeToString[m.Rcode], Authoritative: m.Authoritative, Truncated: m.Truncated, Recursion: m.RecursionAvailable,
		Proved: m.AuthenticatedData, EDNS: m.IsEdns0() != nil}
	if r.Code == "" {
		r.Code = fmt.Sprintf("RCODE%d", m.Rcode)
	}
	for i, section := range [][]dns.RR{m.Answer, m.Ns, m.Extra} {
		for _, record := range section {
			if out, ok := house(record); ok {
				r.Sections[i] = append(r.Sections[i], out)
			}
		}
	}
	return r
}

// house writes a record as the house does; ok is false for what is no record of a zone.
func house(record dns.RR) (out rr.Record, ok bool) {
	h := record.Header()
	buf := make([]byte, dns.MaxMsgSize)
	end, err := dns.PackRR(record, buf, 0, nil, false)
	if err != nil || h.Class != dns.ClassINET || h.Rrtype == dns.TypeOPT || int(h.Rdlength) > end {
		return out, false
	}
	name, n, err := rr.NameFromWire(buf[:end])
	if err != nil || n+10 > end {
		return out, false
	}
	out = rr.Record{Name: name, TTL: h.Ttl, Type: rr.TypeName(h.Rrtype)}
	if out.TTL > rr.MaxTTL {
		out.TTL = 0
	}
	out.Data, err = rr.Unpack(out.Type, buf[n+10:end])
	return out, err == nil
}

// Find returns the records of a section with a name and a type.
func (r Reply) Find(section int, name rr.Name, typ string) (out []rr.Record) {
	for _, record := range r.Sections[section] {
		if record.Name == name && record.Type == typ {
			out = append(out, record)
		}
	}
	return out
}
