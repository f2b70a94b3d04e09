package nameserver

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"maps"
	"math/rand/v2"
	"net/netip"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/miekg/dns"
	"pgregory.net/rapid"

	"hostward/internal/rr"
)

// loaded returns a responder for the university's zone, without sockets.
func loaded(t testing.TB, text string) *responder {
	t.Helper()
	if text == "" {
		b, err := os.ReadFile("testdata/university.example.zone")
		if err != nil {
			t.Fatal(err)
		}
		text = string(b)
	}
	z, err := rr.ParseZone(strings.NewReader(text), rr.Options{})
	if err != nil {
		t.Fatal(err)
	}
	s, err := New(Config{NSID: "fuzz"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(t.Context(), []ChangeSet{{Zone: z.Origin, Version: 1, Full: true, Set: z.Sets}}); err != nil {
		t.Fatal(err)
	}
	return s.newResponder(&counters{})
}

// packet packs a question for seeds.
func packet(t testing.TB, name string, typ uint16, change func(*dns.Msg)) []byte {
	m := new(dns.Msg)
	m.SetQuestion(name, typ)
	if change != nil {
		change(m)
	}
	b, err := m.Pack()
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// hostile are packets as attackers send them.
func hostile(t testing.TB) map[string][]byte {
	good := packet(t, "www.university.example.", dns.TypeA, nil)
	change := func(f func(b []byte) []byte) []byte { return f(slices.Clone(good)) }
	count := func(at int, n uint16) []byte {
		return change(func(b []byte) []byte { binary.BigEndian.PutUint16(b[at:], n); return b })
	}
	opt := packet(t, "www.university.example.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, true) })
	return map[string][]byte{
		"compression loop":      append(slices.Clone(good[:12]), 0xC0, 12, 0, 1, 0, 1),
		"pointer forward":       append(slices.Clone(good[:12]), 0xC0, 0xFF, 0, 1, 0, 1),
		"label of type 01":      append(slices.Clone(good[:12]), 0x41, 0, 0, 1, 0, 1),
		"label longer than all": append(slices.Clone(good[:12]), 63, 'a'),
		"name longer than 255":  append(append(slices.Clone(good[:12]), slices.Repeat([]byte("\x3f"+strings.Repeat("a", 63)), 4)...), 0, 0, 1, 0, 1),
		"no end of name":        append(slices.Clone(good[:12]), slices.Repeat([]byte("\x01a"), 300)...),
		"no question":           count(4, 0),
		"two questions":         count(4, 2),
		"65535 questions":       count(4, 65535),
		"answers in a question": count(6, 1),
		"authority missing":     count(8, 3),
		"additional missing":    count(10, 1),
		"half a question":       good[:len(good)-1],
		"octets left over":      append(slices.Clone(good), 1, 2, 3),
		"two OPT":               change(func([]byte) []byte { b := append(slices.Clone(opt), opt[len(good):]...); b[11] = 2; return b }),
		"half an OPT":           opt[:len(opt)-3],
		"OPT option too long":   change(func([]byte) []byte { b := append(slices.Clone(opt), 0, 3, 0xFF, 0xFF); b[len(opt)-1] = 4; return b }),
		"OPT not at the root": change(func([]byte) []byte {
			b := append(slices.Clone(good), 1, 'a')
			b[11] = 1
			return append(b, opt[len(good):]...)
		}),
	}
}

func TestHostilePacketsGetFORMERR(t *testing.T) {
	r := loaded(t, "")
	for name, b := range hostile(t) {
		a := r.respond(b, nil)
		if len(a) != headerLen || a[3]&15 != rcodeFormErr || a[2]&0x80 == 0 || a[0] != b[0] || a[1] != b[1] {
			t.Errorf("%s: answer %x", name, a)
		}
	}
}

func TestWhatIsNoQuestionGetsNoAnswer(t *testing.T) {
	r := loaded(t, "")
	answer := packet(t, "www.university.example.", dns.TypeA, func(m *dns.Msg) { m.Response = true })
	for _, b := range [][]byte{nil, {0}, answer[:11], answer} {
		if a := r.respond(b, nil); a != nil {
			t.Errorf("%x was answered with %x", b, a)
		}
	}
	if n := r.count.dropped.Load(); n != 4 {
		t.Errorf("%d dropped", n)
	}
}

// FuzzPacket: no packet makes the server panic, and every answer is a sound
// message to that question, within the size the asker takes.
func FuzzPacket(f *testing.F) {
	for _, b := range hostile(f) {
		f.Add(b)
	}
	for _, name := range []string{"www", "x.y.students", "a.wild", "x.physics", "x.old", strings.Repeat("long.", 30) + "old", "alias1", "sip", "_ldap._tcp", "b.c.deep"} {
		for _, typ := range []uint16{dns.TypeA, dns.TypeANY, dns.TypeDS, dns.TypeSRV} {
			f.Add(packet(f, name+".university.example.", typ, func(m *dns.Msg) { m.SetEdns0(600, true) }))
		}
	}
	r := loaded(f, "")
	f.Fuzz(func(t *testing.T, b []byte) {
		for _, tcp := range []bool{false, true} {
			sound(t, b, ask(r, b, tcp), tcp)
		}
	})
}

func ask(r *responder, b []byte, tcp bool) []byte {
	r.from = asker{addr: netip.MustParseAddr("192.0.2.1"), stream: tcp, tls: tcp}
	return r.respond(b, nil)
}

func sound(t *testing.T, question, answer []byte, tcp bool) {
	if answer == nil {
		return
	}
	if answer[0] != question[0] || answer[1] != question[1] || answer[2]&0x80 == 0 || answer[3]&0xF0 != 0 {
		t.Fatalf("header %x for %x", answer[:4], question[:4])
	}
	if !tcp && len(answer) > 1232 {
		t.Fatalf("%d octets over UDP", len(answer))
	}
	var m dns.Msg
	if err := m.Unpack(answer); err != nil {
		t.Fatalf("the answer is broken: %v\n%x", err, answer)
	}
}

// TestIncrementalEqualsWhole: whatever changes are applied one after another,
// the image answers as one loaded with the result.
func TestIncrementalEqualsWhole(t *testing.T) {
	const apex = "z.test."
	names := []rr.Name{"a.z.test.", "b.a.z.test.", "c.b.a.z.test.", "*.a.z.test.", "*.z.test.", "x.*.z.test.", "d.z.test.", "e.d.z.test.", "z.test."}
	data := map[string][]string{"A": {"192.0.2.1", "192.0.2.2"}, "NS": {"e.d.z.test.", "ns.other."}, "CNAME": {"a.z.test."}, "DNAME": {"d.z.test."}, "MX": {"1 e.d.z.test."}}
	soa := rr.RRset{Name: apex, Type: "SOA", TTL: 60, Data: []string{"ns. h. 1 2 3 4 5"}}
	rapid.Check(t, func(t *rapid.T) {
		content := map[rr.Key]rr.RRset{soa.Key(): soa}
		img, err := (*image)(nil).next(ChangeSet{Zone: apex, Version: 1, Full: true, Set: []rr.RRset{soa}})
		for version := range rapid.IntRange(1, 25).Draw(t, "changes") {
			s := rr.RRset{Name: rapid.SampledFrom(names).Draw(t, "name"), Type: rapid.SampledFrom([]string{"A", "NS", "CNAME", "DNAME", "MX"}).Draw(t, "type"), TTL: 60}
			if rapid.Bool().Draw(t, "set") {
				s.Data = data[s.Type]
			}
			content[s.Key()] = s
			if err == nil {
				img, err = img.next(ChangeSet{Zone: apex, Version: uint64(version + 2), Set: []rr.RRset{s}})
			}
		}
		var all []rr.RRset
		for _, s := range content {
			all = append(all, s)
		}
		rand.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
		whole, werr := (*image)(nil).next(ChangeSet{Zone: apex, Version: 1, Full: true, Set: all})
		if err != nil || werr != nil {
			t.Fatal(err, werr)
		}
		if d := cmp.Diff(dump(whole), dump(img)); d != "" {
			t.Fatal(d)
		}
	})
}

// dump shows everything an image holds.
func dump(img *image) map[string]any {
	out := map[string]any{"cuts": img.cuts, "wilds": img.wilds, "records": img.records, "serial": img.serial, "denial": img.denial, "soonest": img.soonest}
	for e := range img.names.all() {
		out[fmt.Sprintf("name %q", e.key)] = string(e.body)
	}
	for e := range img.hashes.all() {
		out[fmt.Sprintf("hash %x", e.key)] = string(e.body)
	}
	return out
}

func TestAChangeLeavesTheOldImageAlone(t *testing.T) {
	r := loaded(t, "")
	before := r.zones().get((rr.Name)("university.example.").Wire()).image.Load()
	want := dump(before)
	_, err := before.next(ChangeSet{Zone: "university.example.", Version: 2, Set: []rr.RRset{
		{Name: "www.university.example.", Type: "A"}, {Name: "new.www.university.example.", Type: "A", TTL: 1, Data: []string{"192.0.2.1"}},
		{Name: "physics.university.example.", Type: "NS"}, {Name: "a.b.c.deep.university.example.", Type: "A"},
		{Name: "university.example.", Type: "MX"},
	}})
	if err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(want, dump(before)); d != "" {
		t.Error(d)
	}
}

func TestKeysCompareCanonically(t *testing.T) {
	// RFC 4034 6.1, with some more
	var keys [][]byte
	for _, n := range []rr.Name{"example.", "a.example.", "yljkjljk.a.example.", "z.a.example.", "zabc.a.example.", "z.example.", `\000.z.example.`, `\000a.z.example.`, `\001.z.example.`, `\001\001.z.example.`, `\002.z.example.`, "*.z.example.", `\200.z.example.`} {
		w := n.Wire()
		relative := w[:len(w)-len("\x07example\x00")]
		keys = append(keys, appendKey(nil, relative))
		if back := appendRelative(nil, keys[len(keys)-1]); !bytes.Equal(back, relative) {
			t.Errorf("%s came back as %q", n, back)
		}
	}
	if !slices.IsSortedFunc(keys, bytes.Compare) {
		t.Errorf("%q", keys)
	}
}

// TestATreeIsASortedMap: whatever is edited, the tree finds what a map holds,
// in order, and the tree before the edit is as it was.
func TestATreeIsASortedMap(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		var tr tree
		held := map[string]string{}
		for range rapid.IntRange(1, 12).Draw(t, "edits") {
			before, was := tr, maps.Clone(held)
			edits := map[string]string{}
			prefix := rapid.SampledFrom([]string{"", "aaaaaaaaaaaa", "b"}).Draw(t, "prefix")
			for range rapid.IntRange(0, 150).Draw(t, "keys") {
				k := prefix + strconv.Itoa(rapid.IntRange(0, 400).Draw(t, "key"))
				edits[k] = rapid.SampledFrom([]string{"", "x", "yy"}).Draw(t, "body")
			}
			var entries []entry
			for _, k := range slices.Sorted(maps.Keys(edits)) {
				e := entry{key: []byte(k)}
				if body := edits[k]; body != "" {
					e.body = nodeOf([]part{{typ: typeTXT, count: 1, text: []byte(body)}}, 0, 0)
					held[k] = body
				} else {
					delete(held, k)
				}
				entries = append(entries, e)
			}
			tr = tr.edit(entries)
			matches(t, &before, was)
			matches(t, &tr, held)
		}
	})
}

func matches(t *rapid.T, tr *tree, held map[string]string) {
	want := slices.Sorted(maps.Keys(held))
	var got []string
	for e := range tr.all() {
		got = append(got, string(e.key))
		if s := string(e.body.find(typeTXT).text); s != held[string(e.key)] {
			t.Fatalf("%s: %q", e.key, s)
		}
	}
	if !slices.Equal(got, want) {
		t.Fatalf("got %q, want %q", got, want)
	}
	for i := range 401 {
		key := strconv.Itoa(i)
		s, ok := tr.search([]byte(key))
		at, there := slices.BinarySearch(want, key)
		e, any := tr.from(s)
		if ok != there || any != (at < len(want)) || any && string(e.key) != want[at] {
			t.Fatalf("searching %s: found %v, then %q", key, ok, e.key)
		}
		b, any := tr.before(s)
		if any != (at > 0) || any && string(tr.at(b).key) != want[at-1] {
			t.Fatalf("before %s", key)
		}
	}
}

func BenchmarkRespond(b *testing.B) {
	r := loaded(b, "")
	for name, msg := range map[string][]byte{
		"positive": packet(b, "lab-7.university.example.", dns.TypeA, nil),
		"nxdomain": packet(b, "nothing.university.example.", dns.TypeA, nil),
		"nodata":   packet(b, "lab-7.university.example.", dns.TypeMX, nil),
		"mx":       packet(b, "university.example.", dns.TypeMX, nil),
		"referral": packet(b, "www.physics.university.example.", dns.TypeA, nil),
		"chain":    packet(b, "alias1.university.example.", dns.TypeA, nil),
		"wildcard": packet(b, "x.students.university.example.", dns.TypeA, nil),
		"dname":    packet(b, "page.old.university.example.", dns.TypeA, nil),
		"edns":     packet(b, "lab-7.university.example.", dns.TypeA, func(m *dns.Msg) { m.SetEdns0(1232, true) }),
	} {
		b.Run(name, func(b *testing.B) {
			out := make([]byte, 0, 8192)
			b.ReportAllocs()
			for b.Loop() {
				r.respond(msg, out)
			}
		})
	}
}

func TestAMistakeOfOursCostsOnePacketAndIsCounted(t *testing.T) {
	r := loaded(t, "")
	zones := r.zones
	r.zones = func() *table[*slot] { panic("a mistake") }
	question := packet(t, "www.university.example.", dns.TypeA, nil)
	if a := r.guarded(question, nil); a != nil || r.count.panics.Load() != 1 {
		t.Errorf("answer %x, %d counted", a, r.count.panics.Load())
	}
	r.zones = zones
	if a := r.guarded(question, nil); a == nil || a[3]&15 != rcodeOK {
		t.Errorf("the next packet: %x", a)
	}
}

func TestVersionIsThatOfTheImage(t *testing.T) {
	s, err := New(Config{})
	if err != nil {
		t.Fatal(err)
	}
	soa := rr.RRset{Name: "z.test.", Type: "SOA", TTL: 60, Data: []string{"ns. h. 1 2 3 4 5"}}
	if err := s.Apply(t.Context(), []ChangeSet{{Zone: "z.test.", Version: 9, Full: true, Set: []rr.RRset{soa}}}); err != nil {
		t.Fatal(err)
	}
	if s.Version("z.test.") != 9 || s.Version("other.test.") != 0 {
		t.Errorf("versions %d, %d", s.Version("z.test."), s.Version("other.test."))
	}
}

// BenchmarkChange is one change of a zone of 100,000 names, until it is served.
func BenchmarkChange(b *testing.B) {
	const names = 100_000
	sets := []rr.RRset{{Name: "z.test.", Type: "SOA", TTL: 60, Data: []string{"ns. h. 1 2 3 4 5"}}}
	for i := range names {
		sets = append(sets, rr.RRset{Name: rr.Name(fmt.Sprintf("h%d.z.test.", i)), Type: "A", TTL: 60, Data: []string{"192.0.2.1"}})
	}
	s, err := New(Config{})
	if err != nil {
		b.Fatal(err)
	}
	if err := s.Apply(b.Context(), []ChangeSet{{Zone: "z.test.", Version: 1, Full: true, Set: sets}}); err != nil {
		b.Fatal(err)
	}
	version := uint64(1)
	for b.Loop() {
		version++
		set := rr.RRset{Name: rr.Name(fmt.Sprintf("h%d.z.test.", version%names)), Type: "A", TTL: uint32(version), Data: []string{"192.0.2.2"}}
		if err := s.Apply(b.Context(), []ChangeSet{{Zone: "z.test.", Version: version, Set: []rr.RRset{set}}}); err != nil {
			b.Fatal(err)
		}
	}
}
