package transfer_test

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"

	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// requestFor reads a request as a server would.
func requestFor(t testing.TB, typ uint16, serial uint32, edns uint16, k *transfer.Key) *transfer.Request {
	t.Helper()
	m := new(dns.Msg)
	m.SetQuestion(string(origin), typ)
	if typ == dns.TypeIXFR {
		m.SetIxfr(string(origin), serial, "ns1.z.example.", "h.z.example.")
	}
	if edns > 0 {
		m.SetEdns0(edns, false)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	keys := transfer.Keys(func(rr.Name) (transfer.Key, bool) { return transfer.Key{}, false })
	if k != nil {
		b, _ = sign(t, *k, b, moment)
		keys = transfer.OneKey(*k)
	}
	r, err := transfer.Read(b, keys, moment)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func testOut() transfer.Out { return transfer.Out{Clock: func() time.Time { return moment }} }

// stream returns the messages of an answer.
func stream(t testing.TB, o transfer.Out, r *transfer.Request, z transfer.Zone) ([]*dns.Msg, transfer.Sent) {
	t.Helper()
	var b bytes.Buffer
	sent, err := o.Stream(&b, r, z)
	if err != nil {
		t.Fatal(err)
	}
	var out []*dns.Msg
	for b.Len() > 0 {
		n := int(binary.BigEndian.Uint16(b.Next(2)))
		m := new(dns.Msg)
		if err := m.Unpack(b.Next(n)); err != nil {
			t.Fatal(err)
		}
		out = append(out, m)
	}
	return out, sent
}

func records(messages []*dns.Msg) (out []string) {
	for _, m := range messages {
		for _, r := range m.Answer {
			out = append(out, strings.ToLower(r.String()))
		}
	}
	return out
}

// zoneLines is a zone as the library writes its records.
func zoneLines(t testing.TB, sets []rr.RRset) (out []string) {
	t.Helper()
	for _, s := range sets {
		for _, r := range s.Records() {
			l, err := dns.NewRR(r.String())
			if err != nil {
				t.Fatal(err)
			}
			out = append(out, strings.ToLower(l.String()))
		}
	}
	return out
}

func TestAWholeZoneIsBetweenTwoSOARecords(t *testing.T) {
	sets := sample(t, 7, 3000)
	messages, sent := stream(t, testOut(), requestFor(t, dns.TypeAXFR, 0, 1232, nil), image{sets: sets})
	got := records(messages)
	if got[0] != got[len(got)-1] || !strings.Contains(got[0], "\tsoa\t") {
		t.Fatalf("it begins with %s and ends with %s", got[0], got[len(got)-1])
	}
	got, want := got[:len(got)-1], zoneLines(t, sets)
	slices.Sort(got)
	slices.Sort(want)
	if d := cmp.Diff(want, got); d != "" {
		t.Fatalf("what came is not what was sent:\n%s", d)
	}
	if sent.Kind != transfer.Whole || sent.Records != len(want)+1 || sent.Messages != len(messages) || sent.Serial != 7 {
		t.Errorf("%+v for %d messages and %d records", sent, len(messages), len(want))
	}
	if len(messages) < 2 || messages[0].Len() < 10000 {
		t.Errorf("%d messages, the first of %d octets", len(messages), messages[0].Len())
	}
	for i, m := range messages {
		if !m.Authoritative || !m.Response || (len(m.Question) == 1) != (i == 0) || (m.IsEdns0() != nil) != (i == 0) {
			t.Errorf("message %d: %v", i, m.MsgHdr)
		}
	}
}

func TestMessagesKeepToTheirSize(t *testing.T) {
	k := newKey(t, "a-rather-long-name-of-a-key.z.example.", transfer.SHA512)
	for _, size := range []int{4096, 16384, 65535} {
		o := testOut()
		o.Message = size
		var b bytes.Buffer
		if _, err := o.Stream(&b, requestFor(t, dns.TypeAXFR, 0, 4096, &k), image{sets: sample(t, 7, 3000)}); err != nil {
			t.Fatal(err)
		}
		most := 0
		for b.Len() > 0 {
			n := int(binary.BigEndian.Uint16(b.Next(2)))
			most = max(most, n)
			b.Next(n)
		}
		if most > size || most < size*9/10 {
			t.Errorf("messages of up to %d octets, %d are allowed", most, size)
		}
	}
}

// versions are three of a zone; the middle one adds what the last removes.
func versions(t testing.TB) (one, two, three image) {
	one = image{sets: sample(t, 1, 200)}
	two = one.after(sample(t, 2, 200, "new A 192.0.2.77", "fleeting A 192.0.2.78"))
	three = two.after(sample(t, 3, 199, "new 60 A 192.0.2.77"))
	return one, two, three
}

func TestADifferenceIsSentStepByStepOrCondensed(t *testing.T) {
	_, _, three := versions(t)
	for condense, want := range map[int][]string{
		0:    {"SOA 3", "SOA 1", "SOA 2", "fleeting", "new", "SOA 2", "fleeting", "h199", "h199", "new", "SOA 3", "new", "SOA 3"},
		1000: {"SOA 3", "SOA 1", "h199", "h199", "SOA 3", "new", "SOA 3"},
	} {
		o := testOut()
		o.Condense = condense
		messages, sent := stream(t, o, requestFor(t, dns.TypeIXFR, 1, 0, nil), three)
		if got := outline(records(messages)); !slices.Equal(got, want) || sent.Kind != transfer.Difference {
			t.Errorf("condense %d: %s %v\nwant %v", condense, sent.Kind, got, want)
		}
	}
	messages, _ := stream(t, testOut(), requestFor(t, dns.TypeIXFR, 2, 0, nil), three)
	if got := outline(records(messages)); len(got) != 9 || got[1] != "SOA 2" {
		t.Errorf("from serial 2: %v", got)
	}
}

// outline says which records came, in short.
func outline(lines []string) (out []string) {
	for _, l := range lines {
		f := strings.Fields(l)
		if f[3] == "soa" {
			out = append(out, "SOA "+f[6])
			continue
		}
		out = append(out, strings.Split(f[0], ".")[0])
	}
	return out
}

func TestIXFRFallsBackToTheWholeZone(t *testing.T) {
	one, _, three := versions(t)
	grown := image{sets: sample(t, 1, 1)}
	grown = grown.after(sample(t, 2, 2000)).after(sample(t, 3, 1))
	for name, c := range map[string]struct {
		z    image
		from uint32
		kind transfer.Kind
	}{
		"serial never seen":          {three, 4294967295, transfer.Whole},
		"history forgotten":          {image{sets: three.sets}, 1, transfer.Whole},
		"history longer than zone":   {grown, 1, transfer.Whole},
		"up to date":                 {three, 3, transfer.UpToDate},
		"client ahead":               {three, 4, transfer.UpToDate},
		"client ahead by wrap":       {three, 2147483650, transfer.UpToDate},
		"nothing to fall back from":  {one, 1, transfer.UpToDate},
		"one step of a long history": {three, 2, transfer.Difference},
	} {
		messages, sent := stream(t, testOut(), requestFor(t, dns.TypeIXFR, c.from, 0, nil), c.z)
		if sent.Kind != c.kind {
			t.Errorf("%s: %s, want %s", name, sent.Kind, c.kind)
		}
		if n := len(records(messages)); c.kind == transfer.UpToDate && n != 1 {
			t.Errorf("%s: %d records, want the SOA alone", name, n)
		}
	}
}

func TestOverUDPADifferenceGoesWholeOrNotAtAll(t *testing.T) {
	_, _, three := versions(t)
	long := three.after(sample(t, 4, 160))
	k := newKey(t, "k.", transfer.SHA256)
	for name, c := range map[string]struct {
		z       image
		edns    uint16
		key     *transfer.Key
		kind    transfer.Kind
		records int
	}{
		"fits":            {three, 1232, nil, transfer.Difference, 13},
		"fits, signed":    {three, 1232, &k, transfer.Difference, 13},
		"without EDNS":    {long, 0, nil, transfer.TooLong, 1},
		"too long":        {long, 4096, &k, transfer.TooLong, 1},
		"history unknown": {image{sets: three.sets}, 4096, nil, transfer.TooLong, 1},
	} {
		b, sent, err := testOut().Datagram(requestFor(t, dns.TypeIXFR, 1, c.edns, c.key), c.z)
		if err != nil {
			t.Fatal(err)
		}
		m := new(dns.Msg)
		if err := m.Unpack(b); err != nil {
			t.Fatal(err)
		}
		if sent.Kind != c.kind || len(m.Answer) != c.records || len(b) > max(512, min(int(c.edns), 1232)) || (m.IsTsig() != nil) != (c.key != nil) {
			t.Errorf("%s: %s, %d records, %d octets", name, sent.Kind, len(m.Answer), len(b))
		}
	}
	b, _, err := testOut().Datagram(requestFor(t, dns.TypeAXFR, 0, 0, nil), three)
	if m := new(dns.Msg); err != nil || m.Unpack(b) != nil || m.Rcode != dns.RcodeFormatError {
		t.Errorf("AXFR over UDP: %v", err)
	}
}

func TestABrokenHistoryDoesNotLeaveTheHouse(t *testing.T) {
	_, _, three := versions(t)
	gap := three
	gap.steps = []transfer.Step{three.steps[0]}
	gap.steps = append(gap.steps, three.steps[0])
	for name, steps := range map[string][]transfer.Step{"gap": gap.steps, "short": three.steps[:1]} {
		z := image{three.sets, steps}
		var b bytes.Buffer
		if sent, err := testOut().Stream(&b, requestFor(t, dns.TypeIXFR, 1, 0, nil), z); err == nil || b.Len() > 0 {
			t.Errorf("%s: %+v, %v", name, sent, err)
		}
	}
}

func TestRequestsThatAreNoneAreRefusedOrPassedOver(t *testing.T) {
	none := transfer.Keys(func(rr.Name) (transfer.Key, bool) { return transfer.Key{}, false })
	good := query(t, "z.example.", dns.TypeAXFR)
	for name, c := range map[string]struct {
		change func(b []byte) []byte
		rcode  transfer.Rcode
		silent bool
	}{
		"an answer":       {func(b []byte) []byte { b[2] |= 0x80; return b }, transfer.FormErr, true},
		"short":           {func(b []byte) []byte { return b[:11] }, transfer.FormErr, true},
		"no question":     {func(b []byte) []byte { b[5] = 0; return b[:12] }, transfer.FormErr, false},
		"two questions":   {func(b []byte) []byte { b[5] = 2; return b }, transfer.FormErr, false},
		"cut question":    {func(b []byte) []byte { return b[:len(b)-1] }, transfer.FormErr, false},
		"more than it is": {func(b []byte) []byte { return append(b, 0) }, transfer.FormErr, false},
		"a missing OPT":   {func(b []byte) []byte { b[11] = 1; return b }, transfer.FormErr, false},
		"another opcode":  {func(b []byte) []byte { b[2] |= 2 << 3; return b }, transfer.NotImp, false},
		"class CH":        {func(b []byte) []byte { b[len(b)-1] = 3; return b }, transfer.Refused, false},
		"IXFR without":    {func(b []byte) []byte { b[len(b)-3] = 251; return b }, transfer.FormErr, false},
	} {
		r, err := transfer.Read(c.change(bytes.Clone(good)), none, moment)
		f := wantFault(t, err, c.rcode, 0)
		if (r == nil) != c.silent {
			t.Errorf("%s: answered %v", name, r)
		}
		if r == nil {
			continue
		}
		m := new(dns.Msg)
		if err := m.Unpack(r.Answer(f, moment)); err != nil || m.Rcode != int(c.rcode) || !m.Response {
			t.Errorf("%s: %v %v", name, m, err)
		}
	}
}

func TestARefusalSaysWhyToWhoSpeaksEDNS(t *testing.T) {
	f := &transfer.Fault{Rcode: transfer.Refused, EDE: transfer.Prohibited, Why: "not for you"}
	m := new(dns.Msg)
	if err := m.Unpack(requestFor(t, dns.TypeAXFR, 0, 4096, nil).Answer(f, moment)); err != nil {
		t.Fatal(err)
	}
	ede, ok := m.IsEdns0().Option[0].(*dns.EDNS0_EDE)
	if !ok || ede.InfoCode != 18 || ede.ExtraText != "not for you" {
		t.Errorf("%v", m.IsEdns0())
	}
	if err := m.Unpack(requestFor(t, dns.TypeAXFR, 0, 0, nil).Answer(f, moment)); err != nil || m.IsEdns0() != nil || m.Rcode != dns.RcodeRefused {
		t.Errorf("without EDNS: %v %v", m, err)
	}
}
