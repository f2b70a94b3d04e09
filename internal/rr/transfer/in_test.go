package transfer_test

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// wired is a client whose connections all end in serve, which gets the
// request's octets. serve has ended when the test does.
func wired(t testing.TB, serve func(conn net.Conn, msg []byte)) transfer.Client {
	t.Helper()
	var work sync.WaitGroup
	t.Cleanup(work.Wait)
	c := testClient()
	c.Clock = func() time.Time { return moment }
	c.Dial = func(context.Context, string, string) (net.Conn, error) {
		ours, their := net.Pipe()
		work.Go(func() {
			defer func() { _ = their.Close() }()
			var head [2]byte
			if _, err := io.ReadFull(their, head[:]); err != nil {
				return
			}
			msg := make([]byte, binary.BigEndian.Uint16(head[:]))
			if _, err := io.ReadFull(their, msg); err == nil {
				serve(their, msg)
			}
		})
		return ours, nil
	}
	return c
}

// from is a client of a server that sends z.
func from(t testing.TB, o transfer.Out, z transfer.Zone, key *transfer.Key) (transfer.Client, transfer.Peer) {
	keys := transfer.Keys(func(rr.Name) (transfer.Key, bool) { return transfer.Key{}, false })
	if key != nil {
		keys = transfer.OneKey(*key)
	}
	o.Clock = func() time.Time { return moment }
	c := wired(t, func(conn net.Conn, msg []byte) {
		r, err := transfer.Read(msg, keys, moment)
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := o.Stream(conn, r, z); err != nil && !errors.Is(err, io.ErrClosedPipe) {
			t.Error(err)
		}
	})
	return c, transfer.Peer{Address: "192.0.2.53:53", Key: key}
}

func TestWhatIsSentIsWhatIsReceived(t *testing.T) {
	one, _, three := versions(t)
	k := newKey(t, "k.", transfer.SHA256)
	for _, key := range []*transfer.Key{nil, &k} {
		c, peer := from(t, transfer.Out{Message: 4096}, three, key)
		got, err := c.Fetch(t.Context(), peer, origin, nil)
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(three.sets, got.Sets); d != "" || got.Kind != transfer.Whole || got.Serial != 3 {
			t.Errorf("%s serial %d:\n%s", got.Kind, got.Serial, d)
		}
		if got.Messages < 3 || got.Octets < 8192 || got.Records != three.Records()+1 {
			t.Errorf("%d messages, %d octets, %d records", got.Messages, got.Octets, got.Records)
		}
		soa := one.SOA()
		if got, err = c.Fetch(t.Context(), peer, origin, &soa); err != nil || got.Kind != transfer.Difference {
			t.Fatalf("%s %v", got.Kind, err)
		}
		if d := cmp.Diff(three.steps, got.Steps); d != "" {
			t.Error(d)
		}
		soa = three.SOA()
		if got, err = c.Fetch(t.Context(), peer, origin, &soa); err != nil || got.Kind != transfer.UpToDate || got.Serial != 3 {
			t.Errorf("%s %v", got.Kind, err)
		}
	}
}

// drawZone makes a zone of few names, so that versions overlap.
func drawZone(t *rapid.T, serial uint32) []rr.RRset {
	records := []rr.Record{
		{Name: origin, TTL: 300, Type: "SOA", Data: fmt.Sprintf("ns.z.example. h.z.example. %d 7200 900 604800 300", serial)},
		{Name: origin, TTL: 300, Type: "NS", Data: "ns.z.example."},
	}
	data := map[string][]string{
		"A": {"192.0.2.1", "192.0.2.2", "192.0.2.3"}, "TXT": {`"a"`, `"b" "c"`, `"\200"`}, "MX": {"10 mail.z.example.", "20 x.z.example."},
		"SRV": {"1 2 3 h.z.example."}, "TYPE65400": {`\# 1 00`},
		"RRSIG": {"A 13 2 300 20270101000000 20260101000000 1 z.example. AAAA", "TXT 13 2 60 20270101000000 20260101000000 1 z.example. AAAA"},
	}
	types := []string{"A", "TXT", "MX", "SRV", "TYPE65400", "RRSIG"}
	for range rapid.IntRange(0, 25).Draw(t, "sets") {
		typ := rapid.SampledFrom(types).Draw(t, "type")
		name := rapid.SampledFrom([]rr.Name{origin, "a.z.example.", "*.a.z.example.", `b\.c.z.example.`, "ns.z.example."}).Draw(t, "name")
		d := rapid.SampledFrom(data[typ]).Draw(t, "data")
		ttl := rapid.SampledFrom([]uint32{0, 60, 300}).Draw(t, "ttl")
		if typ == "RRSIG" { // the TTL of what is signed
			ttl = map[bool]uint32{true: 300, false: 60}[strings.HasPrefix(d, "A ")]
		}
		records = append(records, rr.Record{Name: name, TTL: ttl, Type: typ, Data: d})
	}
	return transfer.Group(records)
}

// drawStep is the exact difference of two versions, signatures apart by TTL.
func drawStep(old, now []rr.RRset) transfer.Step {
	s := transfer.Step{Old: soaOf(old), New: soaOf(now)}
	list := func(sets []rr.RRset) (out []rr.Record) {
		for _, set := range sets {
			if set.Type != "SOA" {
				out = append(out, set.Records()...)
			}
		}
		return out
	}
	a, b := list(old), list(now)
	for _, r := range a {
		if !slices.Contains(b, r) {
			s.Removed = append(s.Removed, r)
		}
	}
	for _, r := range b {
		if !slices.Contains(a, r) {
			s.Added = append(s.Added, r)
		}
	}
	return s
}

// Whatever a zone and its history are, however they are sent: the client has
// the zone, and the difference applied to any older version gives the same.
func TestAnyZoneAndHistoryArriveWhole(t *testing.T) {
	key := newKey(t, "k.", transfer.SHA512)
	rapid.Check(t, func(rt *rapid.T) {
		z := image{sets: drawZone(rt, 1)}
		old := []image{z}
		for n := range rapid.IntRange(0, 4).Draw(rt, "steps") {
			next := drawZone(rt, uint32(n+2))
			z = image{next, append(slices.Clone(z.steps), drawStep(z.sets, next))}
			old = append(old, z)
		}
		o := transfer.Out{Condense: rapid.SampledFrom([]int{0, 10, 1000}).Draw(rt, "condense")}
		var k *transfer.Key
		if rapid.Bool().Draw(rt, "signed") {
			k = &key
		}
		c, peer := from(t, o, z, k)
		got, err := c.Fetch(context.Background(), peer, origin, nil)
		if err != nil {
			rt.Fatal(err)
		}
		if d := cmp.Diff(z.sets, got.Sets); d != "" {
			rt.Fatalf("the whole zone:\n%s", d)
		}
		have := rapid.SampledFrom(old).Draw(rt, "have")
		soa := have.SOA()
		got, err = c.Fetch(context.Background(), peer, origin, &soa)
		if err != nil {
			rt.Fatal(err)
		}
		arrived(rt, have, z, got)
	})
}

// arrived checks that what came makes the newest version of the one before.
func arrived(t *rapid.T, have, z image, got transfer.Received) {
	switch got.Kind {
	case transfer.UpToDate:
		if serialOf(have.sets) != serialOf(z.sets) {
			t.Fatalf("serial %d counts as up to date", serialOf(have.sets))
		}
	case transfer.Whole:
		if d := cmp.Diff(z.sets, got.Sets); d != "" {
			t.Fatal(d)
		}
	case transfer.Difference:
		stepwise, err := transfer.Apply(origin, transfer.ViewOf(have.sets), got.Steps)
		if err != nil {
			t.Fatal(err)
		}
		at, err := transfer.Apply(origin, transfer.ViewOf(have.sets), []transfer.Step{transfer.Condense(got.Steps)})
		if err != nil {
			t.Fatalf("condensed: %v", err)
		}
		if d := cmp.Diff(stepwise, at); d != "" {
			t.Fatalf("condensed and step by step are not the same:\n%s", d)
		}
		if d := cmp.Diff(joined(z.sets), patched(joined(have.sets), stepwise)); d != "" {
			t.Fatalf("the difference does not lead to the zone:\n%s", d)
		}
	}
}

// joined gives signatures of one name one TTL, as rr.Change does.
func joined(sets []rr.RRset) []rr.RRset {
	var all []rr.Record
	for _, s := range sets {
		all = append(all, s.Records()...)
	}
	out, _ := rr.Group(all)
	return out
}

func patched(sets []rr.RRset, changes []rr.Change) []rr.RRset {
	m := map[rr.Key]rr.RRset{}
	for _, s := range sets {
		m[s.Key()] = s
	}
	for _, c := range changes {
		m[c.Key()] = c.New
	}
	var out []rr.RRset
	for _, s := range m {
		if len(s.Data) > 0 {
			out = append(out, s)
		}
	}
	rr.SortRRsets(out)
	return out
}

// script is an answer written by hand: messages, each a list of records.
type script [][]string

// play answers with the script. "SOA n" is the zone's SOA with that serial.
func (s script) play(t testing.TB, conn net.Conn, msg []byte, change func(i int, m *dns.Msg)) {
	q := new(dns.Msg)
	if err := q.Unpack(msg); err != nil {
		t.Error(err)
		return
	}
	for i, lines := range s {
		m := new(dns.Msg)
		m.SetReply(q)
		m.Authoritative = true
		for _, l := range lines {
			if n, ok := strings.CutPrefix(l, "SOA "); ok {
				l = "z.example. 300 IN SOA ns.z.example. h.z.example. " + n + " 7200 900 604800 300"
			}
			r, err := dns.NewRR(l)
			if err != nil {
				t.Error(err)
				return
			}
			m.Answer = append(m.Answer, r)
		}
		if change != nil {
			change(i, m)
		}
		b, err := m.Pack()
		if err != nil {
			t.Error(err)
			return
		}
		if _, err := conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...)); err != nil {
			return // the client has seen enough
		}
	}
}

func soa(serial int) *rr.Record {
	return &rr.Record{Name: origin, TTL: 300, Type: "SOA", Data: fmt.Sprintf("ns.z.example. h.z.example. %d 7200 900 604800 300", serial)}
}

const (
	ns = "z.example. 300 IN NS ns.z.example."
	a1 = "a.z.example. 300 IN A 192.0.2.1"
	a2 = "a.z.example. 300 IN A 192.0.2.2"
)

func TestEveryServersWayOfSendingIsUnderstood(t *testing.T) {
	for name, c := range map[string]struct {
		script script
		have   *rr.Record
		kind   transfer.Kind
		sets   int
		steps  int
	}{
		"one record a message":          {script{{"SOA 2"}, {ns}, {a1}, {a2}, {"SOA 2"}}, nil, transfer.Whole, 3, 0},
		"empty messages in between":     {script{{"SOA 2", ns}, {}, {}, {"SOA 2"}}, nil, transfer.Whole, 2, 0},
		"duplicates":                    {script{{"SOA 2", ns, ns, a1, a1, "SOA 2"}}, nil, transfer.Whole, 3, 0},
		"records out of zone":           {script{{"SOA 2", ns, "evil.example. 300 IN A 192.0.2.6", "SOA 2"}}, nil, transfer.Whole, 2, 0},
		"upper case":                    {script{{"SOA 2", ns, "A.Z.Example. 300 IN A 192.0.2.6", "SOA 2"}}, nil, transfer.Whole, 3, 0},
		"SOA alone":                     {script{{"SOA 2", "SOA 2"}}, nil, transfer.Whole, 1, 0},
		"AXFR as answer to IXFR":        {script{{"SOA 2", ns, a1, "SOA 2"}}, soa(1), transfer.Whole, 3, 0},
		"the same, record by record":    {script{{"SOA 2"}, {ns}, {a1}, {"SOA 2"}}, soa(1), transfer.Whole, 3, 0},
		"an empty zone as AXFR":         {script{{"SOA 2", "SOA 2"}}, soa(1), transfer.Whole, 1, 0},
		"difference":                    {script{{"SOA 2", "SOA 1", a1, "SOA 2", a2, "SOA 2"}}, soa(1), transfer.Difference, 0, 1},
		"difference record by record":   {script{{"SOA 2"}, {"SOA 1"}, {a1}, {"SOA 2"}, {a2}, {"SOA 2"}}, soa(1), transfer.Difference, 0, 1},
		"three steps":                   {script{{"SOA 9", "SOA 1", "SOA 4", a2, "SOA 4"}, {a2, "SOA 5", "SOA 5", "SOA 9", "SOA 9"}}, soa(1), transfer.Difference, 0, 3},
		"serials that wrap":             {script{{"SOA 1", "SOA 4294967295", "SOA 1", a2, "SOA 1"}}, soa(4294967295), transfer.Difference, 0, 1},
		"nothing newer":                 {script{{"SOA 2"}}, soa(2), transfer.UpToDate, 0, 0},
		"the server is behind":          {script{{"SOA 1"}}, soa(2), transfer.UpToDate, 0, 0},
		"behind, and says it at length": {script{{"SOA 1", ns, "SOA 1"}}, soa(2), transfer.Whole, 2, 0},
	} {
		t.Run(name, func(t *testing.T) {
			client := wired(t, func(conn net.Conn, msg []byte) { c.script.play(t, conn, msg, nil) })
			got, err := client.Fetch(t.Context(), transfer.Peer{Address: "x"}, origin, c.have)
			if err != nil || got.Kind != c.kind || len(got.Sets) != c.sets || len(got.Steps) != c.steps {
				t.Fatalf("%s, %d sets, %d steps: %v", got.Kind, len(got.Sets), len(got.Steps), err)
			}
		})
	}
}

func TestBrokenTransfersAreRefused(t *testing.T) {
	many := script{{"SOA 2"}}
	for i := range 50 {
		many = append(many, []string{fmt.Sprintf("h%d.z.example. 300 IN TXT \"%s\"", i, strings.Repeat("x", 200))})
	}
	for name, c := range map[string]struct {
		script script
		have   *rr.Record
		change func(i int, m *dns.Msg)
		limits transfer.Limits
		want   error
	}{
		"truncated":             {script: script{{"SOA 2", ns}}, want: transfer.ErrBroken},
		"nothing":               {script: script{}, want: transfer.ErrBroken},
		"empty answer":          {script: script{{}}, want: transfer.ErrBroken},
		"no SOA first":          {script: script{{ns, "SOA 2"}}, want: transfer.ErrBroken},
		"another zone's SOA":    {script: script{{"y.example. 300 IN SOA a. b. 1 2 3 4 5"}}, want: transfer.ErrBroken},
		"SOA below the apex":    {script: script{{"SOA 2", "sub.z.example. 300 IN SOA a. b. 1 2 3 4 5", "SOA 2"}}, want: transfer.ErrBroken},
		"two SOAs that differ":  {script: script{{"SOA 2", ns, "SOA 3"}}, want: transfer.ErrBroken},
		"records after the end": {script: script{{"SOA 2", ns, "SOA 2", a1}}, want: transfer.ErrBroken},
		"wrong id":              {script: script{{"SOA 2", "SOA 2"}}, change: func(_ int, m *dns.Msg) { m.Id++ }, want: transfer.ErrBroken},
		"wrong id later":        {script: script{{"SOA 2"}, {"SOA 2"}}, change: func(i int, m *dns.Msg) { m.Id += uint16(i) }, want: transfer.ErrBroken},
		"a question, no answer": {script: script{{"SOA 2", "SOA 2"}}, change: func(_ int, m *dns.Msg) { m.Response = false }, want: transfer.ErrBroken},
		"another question":      {script: script{{"SOA 2", "SOA 2"}}, change: func(_ int, m *dns.Msg) { m.Question[0].Name = "y.example." }, want: transfer.ErrBroken},
		"class CH":              {script: script{{"SOA 2", "z.example. 300 CH TXT x", "SOA 2"}}, want: transfer.ErrBroken},
		"an OPT among records":  {script: script{{"SOA 2", "SOA 2"}}, change: putOPT, want: transfer.ErrBroken},
		"too many records":      {script: many, limits: transfer.Limits{Records: 20}, want: transfer.ErrLimit},
		"too many octets":       {script: many, limits: transfer.Limits{Octets: 5000}, want: transfer.ErrLimit},
		"too many messages":     {script: many, limits: transfer.Limits{Messages: 20}, want: transfer.ErrLimit},
	} {
		t.Run(name, func(t *testing.T) {
			client := wired(t, func(conn net.Conn, msg []byte) { c.script.play(t, conn, msg, c.change) })
			client.Limits = c.limits
			if got, err := client.Fetch(t.Context(), transfer.Peer{Address: "x"}, origin, c.have); !errors.Is(err, c.want) {
				t.Fatalf("%s: %v, want %v", got.Kind, err, c.want)
			}
		})
	}
}

func putOPT(_ int, m *dns.Msg) {
	m.Answer = slices.Insert(m.Answer, 1, dns.RR(&dns.OPT{Hdr: dns.RR_Header{Name: ".", Rrtype: dns.TypeOPT, Class: 1}}))
	m.Answer[1].Header().Name = string(origin)
}

// An IXFR that makes no sense is followed by an AXFR.
func TestABrokenDifferenceIsReplacedByTheWholeZone(t *testing.T) {
	whole := script{{"SOA 5", ns, "SOA 5"}}
	for name, s := range map[string]script{
		"from a serial that is not here":   {{"SOA 5", "SOA 2", "SOA 5", "SOA 5"}},
		"steps with a gap":                 {{"SOA 5", "SOA 1", "SOA 2", "SOA 3", "SOA 5", "SOA 5"}},
		"steps that go back":               {{"SOA 5", "SOA 1", "SOA 4", "SOA 4", "SOA 3", "SOA 3"}},
		"steps beyond the end":             {{"SOA 5", "SOA 1", "SOA 6", "SOA 6", "SOA 7", "SOA 7"}},
		"a step that stands still":         {{"SOA 5", "SOA 1", "SOA 1", "SOA 1", "SOA 1"}},
		"cut in the middle":                {{"SOA 5", "SOA 1", a1}},
		"one SOA, newer, and then nothing": {{"SOA 5"}},
		"an empty answer":                  {{}},
		"data after the end":               {{"SOA 5", "SOA 1", "SOA 5", "SOA 5", a1}},
	} {
		t.Run(name, func(t *testing.T) {
			var asked []uint16
			client := wired(t, func(conn net.Conn, msg []byte) {
				typ := questionType(t, msg)
				asked = append(asked, typ)
				if typ == dns.TypeIXFR {
					s.play(t, conn, msg, nil)
					return
				}
				whole.play(t, conn, msg, nil)
			})
			got, err := client.Fetch(t.Context(), transfer.Peer{Address: "x"}, origin, soa(1))
			if err != nil || got.Kind != transfer.Whole || got.Serial != 5 || len(asked) != 2 {
				t.Fatalf("%s %v, asked %v", got.Kind, err, asked)
			}
		})
	}
}

func questionType(t testing.TB, msg []byte) uint16 {
	m := new(dns.Msg)
	if err := m.Unpack(msg); err != nil {
		t.Error(err)
		return 0
	}
	return m.Question[0].Qtype
}

func TestTheServersRefusalIsTold(t *testing.T) {
	client := wired(t, func(conn net.Conn, msg []byte) {
		script{{}}.play(t, conn, msg, func(_ int, m *dns.Msg) {
			m.Rcode = dns.RcodeRefused
			m.SetEdns0(1232, false)
			m.IsEdns0().Option = append(m.IsEdns0().Option, &dns.EDNS0_EDE{InfoCode: 18, ExtraText: "ask the operator"})
		})
	})
	_, err := client.Fetch(t.Context(), transfer.Peer{Address: "x"}, origin, soa(1))
	if f := wantFault(t, err, transfer.Refused, 0); !strings.Contains(f.Why, "ask the operator") {
		t.Errorf("%q does not say why", f.Why)
	}
}

func TestASilentServerIsLeft(t *testing.T) {
	for name, limits := range map[string]transfer.Limits{
		"idle":  {Idle: 50 * time.Millisecond},
		"total": {Total: 50 * time.Millisecond},
	} {
		client := wired(t, func(conn net.Conn, msg []byte) {
			script{{"SOA 2", ns}}.play(t, conn, msg, nil)
			_, _ = io.Copy(io.Discard, conn) // until the client leaves
		})
		client.Limits = limits
		if _, err := client.Fetch(t.Context(), transfer.Peer{Address: "x"}, origin, nil); !errors.Is(err, transfer.ErrLimit) {
			t.Errorf("%s: %v", name, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	client := wired(t, func(conn net.Conn, _ []byte) {
		cancel()
		_, _ = io.Copy(io.Discard, conn)
	})
	if _, err := client.Fetch(ctx, transfer.Peer{Address: "x"}, origin, nil); !errors.Is(err, context.Canceled) {
		t.Errorf("cancelled: %v", err)
	}
}

func TestAnEndlessStreamEnds(t *testing.T) {
	client := wired(t, func(conn net.Conn, msg []byte) {
		endless := script{{"SOA 2"}}
		for range 2000 {
			endless = append(endless, []string{a1})
		}
		endless.play(t, conn, msg, nil)
	})
	client.Limits = transfer.Limits{Octets: 20_000}
	if _, err := client.Fetch(t.Context(), transfer.Peer{Address: "x"}, origin, nil); !errors.Is(err, transfer.ErrLimit) {
		t.Error(err)
	}
}

func TestASignedTransferEndsWithASignature(t *testing.T) {
	k := newKey(t, "k.", transfer.SHA256)
	_, _, three := versions(t)
	good, peer := from(t, transfer.Out{Message: 4096}, three, &k)
	for name, spoil := range map[string]func(i int, b []byte) []byte{
		"unsigned end":  func(i int, b []byte) []byte { return unsigned(t, b, i == 2) },
		"unsigned":      func(_ int, b []byte) []byte { return unsigned(t, b, true) },
		"record edited": func(i int, b []byte) []byte { b[len(b)/2] ^= byte(i >> 1); return b },
	} {
		client := good
		client.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			conn, err := good.Dial(ctx, network, address)
			return &spoiled{Conn: conn, spoil: spoil}, err
		}
		_, err := client.Fetch(t.Context(), peer, origin, nil)
		if f, ok := errors.AsType[*transfer.Fault](err); !ok || f.TSIG != transfer.BadSig {
			t.Errorf("%s: %v", name, err)
		}
	}
}

// spoiled changes messages on their way.
type spoiled struct {
	net.Conn
	spoil func(i int, b []byte) []byte
	i     int
	rest  bytes.Buffer
}

func (s *spoiled) Read(b []byte) (int, error) {
	if s.rest.Len() == 0 {
		var head [2]byte
		if _, err := io.ReadFull(s.Conn, head[:]); err != nil {
			return 0, err
		}
		msg := make([]byte, binary.BigEndian.Uint16(head[:]))
		if _, err := io.ReadFull(s.Conn, msg); err != nil {
			return 0, err
		}
		msg = s.spoil(s.i, msg)
		s.i++
		s.rest.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(msg))), msg...))
	}
	return s.rest.Read(b)
}

// unsigned takes the signature off.
func unsigned(t testing.TB, b []byte, really bool) []byte {
	m := new(dns.Msg)
	if err := m.Unpack(b); err != nil || !really {
		return b
	}
	m.Extra = nil
	m.Compress = true
	out, err := m.Pack()
	if err != nil {
		t.Error(err)
	}
	return out
}

func TestADifferenceThatDoesNotFitChangesNothing(t *testing.T) {
	one, _, three := versions(t)
	view := transfer.ViewOf(one.sets)
	for name, spoil := range map[string]func(s []transfer.Step){
		"another serial":      func(s []transfer.Step) { s[0].Old = *soa(7) },
		"removes what is not": func(s []transfer.Step) { s[1].Removed[0].Data = "192.0.2.200" },
		"adds what is there": func(s []transfer.Step) {
			r := one.sets[2].Records()[0]
			r.TTL++
			s[0].Added = append(s[0].Added, r)
		},
		"gap": func(s []transfer.Step) { s[1].Old = *soa(1) },
	} {
		steps := []transfer.Step{three.steps[0], three.steps[1]}
		for i := range steps {
			steps[i].Added, steps[i].Removed = slices.Clone(steps[i].Added), slices.Clone(steps[i].Removed)
		}
		spoil(steps)
		if changes, err := transfer.Apply(origin, view, steps); !errors.Is(err, transfer.ErrNotApply) || changes != nil {
			t.Errorf("%s: %d changes, %v", name, len(changes), err)
		}
	}
}

func FuzzFetch(f *testing.F) {
	for _, s := range []script{{{"SOA 2", ns, a1, "SOA 2"}}, {{"SOA 2", "SOA 1", a1, "SOA 2", a2, "SOA 2"}}, {{"SOA 2"}, {"SOA 2"}}} {
		var all []byte
		client, server := net.Pipe()
		done := make(chan struct{})
		go func() {
			defer close(done)
			all, _ = io.ReadAll(client)
		}()
		q := new(dns.Msg)
		q.SetIxfr(string(origin), 1, "ns.", "h.")
		q.Id = 0x0101
		b, err := q.Pack()
		if err != nil {
			f.Fatal(err)
		}
		s.play(f, server, b, nil)
		_ = server.Close()
		<-done
		f.Add(all)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		c := transfer.Client{
			Clock: func() time.Time { return moment }, Random: bytes.NewReader(bytes.Repeat([]byte{1}, 64)),
			Limits: transfer.Limits{Records: 500, Octets: 1 << 16},
			Dial: func(context.Context, string, string) (net.Conn, error) {
				return &canned{bytes.NewReader(b)}, nil
			},
		}
		for _, have := range []*rr.Record{nil, soa(1)} {
			got, err := c.Fetch(t.Context(), transfer.Peer{Address: "x"}, origin, have)
			if err != nil {
				continue
			}
			for _, s := range got.Sets {
				if !s.Name.Under(origin) || s.Type == "SOA" && len(s.Data) != 1 {
					t.Fatalf("%v is let in", s)
				}
			}
			if _, err := transfer.Apply(origin, transfer.ViewOf([]rr.RRset{{Name: origin, Type: "SOA", TTL: 300, Data: []string{soa(1).Data}}}), got.Steps); err != nil && !errors.Is(err, transfer.ErrNotApply) {
				t.Fatal(err)
			}
		}
	})
}

// canned is a connection on which everything has been said already.
type canned struct{ r io.Reader }

func (c *canned) Read(b []byte) (int, error)       { return c.r.Read(b) }
func (c *canned) Write(b []byte) (int, error)      { return len(b), nil }
func (c *canned) Close() error                     { return nil }
func (c *canned) LocalAddr() net.Addr              { return nil }
func (c *canned) RemoteAddr() net.Addr             { return nil }
func (c *canned) SetDeadline(time.Time) error      { return nil }
func (c *canned) SetReadDeadline(time.Time) error  { return nil }
func (c *canned) SetWriteDeadline(time.Time) error { return nil }

// recorder dials a server that reads one request, shows it and says yes.
func recorder(t testing.TB, k *transfer.Key, see func(*transfer.Request)) transfer.Dial {
	c := wired(t, func(conn net.Conn, msg []byte) {
		r, err := transfer.Read(msg, transfer.OneKey(*k), moment)
		if err != nil {
			t.Error(err)
			return
		}
		see(r)
		b := r.Answer(nil, moment)
		_, _ = conn.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(b))), b...))
	})
	return c.Dial
}
