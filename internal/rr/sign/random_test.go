package sign_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"hostward/internal/rr"
)

// tape turns octets into zones and changes: random ones, or a fuzzer's.
type tape struct {
	octets []byte
}

func randomTape(seed uint64, size int) *tape {
	r := rand.New(rand.NewPCG(seed, 1))
	t := &tape{make([]byte, size)}
	for i := range t.octets {
		t.octets[i] = byte(r.Uint32())
	}
	return t
}

// fuzzTape fuzzes a check that lives off a tape.
func fuzzTape(f *testing.F, check func(*testing.T, *tape)) {
	for seed := range uint64(10) {
		f.Add(randomTape(seed, 200).octets)
	}
	f.Fuzz(func(t *testing.T, b []byte) { check(t, &tape{b[:min(len(b), 400)]}) })
}

func (t *tape) over() bool { return len(t.octets) == 0 }

// below returns a number from 0 to n-1.
func (t *tape) below(n int) int {
	if t.over() {
		return 0
	}
	b := t.octets[0]
	t.octets = t.octets[1:]
	return int(b) % n
}

func pick[T any](t *tape, of ...T) T { return of[t.below(len(of))] }

// name returns one of few names, so that names meet, with labels that are hard to order.
func (t *tape) name() rr.Name {
	name := rr.Name("z.example.")
	for range t.below(4) {
		name = rr.Name(pick(t, "a", "b", `a\000`, `\001`, "*", "aa", `\255`, "c")+".") + name
	}
	return name
}

// set returns an RRset, without data if it is to go.
func (t *tape) set() rr.RRset {
	s := rr.RRset{Name: t.name(), TTL: uint32(pick(t, 300, 60, 3600)), Type: pick(t, "A", "TXT", "NS", "DNAME", "DS", "TYPE65400", "CAA", "NS")}
	if s.Name == "z.example." && t.below(4) == 0 {
		soa := rr.SOA{Primary: "ns.other.test.", Mailbox: "h.other.test.", Serial: uint32(t.below(256)), Refresh: 7200, Retry: 900, Expire: 604800, Minimum: uint32(pick(t, 300, 300, 20))}
		return rr.RRset{Name: s.Name, Type: "SOA", TTL: s.TTL, Data: []string{soa.String()}}
	}
	if t.below(3) == 0 {
		return s
	}
	data := map[string][]string{
		"A": {"192.0.2.1", "192.0.2.2"}, "TXT": {`"one"`, `"two"`}, "NS": {"ns.a.z.example.", "ns.other.test."},
		"DNAME": {"else.test.", "other.test."}, "TYPE65400": {`\# 1 00`, `\# 1 01`}, "CAA": {`0 issue "a"`, `0 issue "b"`},
		"DS": {"1 13 2 4A0F0E5C7B1D2E3F405162738495A6B7C8D9EAFB0C1D2E3F405162738495A6B7", "2 13 2 4A0F0E5C7B1D2E3F405162738495A6B7C8D9EAFB0C1D2E3F405162738495A6B7"},
	}[s.Type]
	s.Data = [][]string{data, data[:1], data[1:]}[t.below(3)]
	return s
}

// content is what a zone should have.
type content map[rr.Key]rr.RRset

func newContent() content {
	return content{}.with(rr.RRset{Name: "z.example.", Type: "SOA", TTL: 300, Data: []string{"ns.other.test. h.other.test. 1 7200 900 604800 300"}})
}

// with changes sets in c and returns it.
func (c content) with(sets ...rr.RRset) content {
	for _, s := range sets {
		if c[s.Key()] = s; len(s.Data) == 0 {
			delete(c, s.Key())
		}
	}
	return c
}

func (c content) sets() (out []rr.RRset) {
	for _, s := range c {
		out = append(out, s)
	}
	rr.SortRRsets(out)
	return out
}

// String lists the sets, for a failure.
func (c content) String() string {
	var out string
	for _, s := range c.sets() {
		out += fmt.Sprintln(s.Name, s.TTL, s.Type, s.Data)
	}
	return out
}

// zone returns the content of a zone with some sets.
func (t *tape) zone(sets int) content {
	c := newContent()
	for range sets {
		if s := t.set(); s.Type != "SOA" {
			c.with(s)
		}
	}
	return c
}

// changes returns one to four changes.
func (t *tape) changes() []rr.RRset {
	var out []rr.RRset
	for range 1 + t.below(4) {
		s := t.set()
		out = slices.DeleteFunc(out, func(o rr.RRset) bool { return o.Key() == s.Key() })
		out = append(out, s)
	}
	return out
}
