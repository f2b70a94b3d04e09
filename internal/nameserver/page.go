package nameserver

import (
	"bytes"
	"encoding/binary"
	"math"
)

// A page is a sorted run of nodes in one piece of memory without pointers, so
// that a great zone costs the garbage collector next to nothing, one change
// copies one page, and the disk image is the memory image.
//
//	soonest   uint32      when the first signature in it expires; noExpiry
//	count     uint16
//	shared    uint16      octets that all keys begin with
//	heads     [count]uint32  the octets of each key after the shared ones
//	offsets   [count]uint32  where each node begins
//	nodes     key length uint16, key, body
type page []byte

const (
	pageHead  = 8
	pageNodes = 48       // most nodes of a page
	pageSize  = 16 << 10 // octets from which on a page is full
	noExpiry  = math.MaxUint32
)

// entry is a node with its key.
type entry struct {
	key  []byte
	body node
}

func (p page) count() int      { return int(binary.LittleEndian.Uint16(p[4:])) }
func (p page) soonest() uint32 { return binary.LittleEndian.Uint32(p) }

// at returns a node of the page.
func (p page) at(i int) entry {
	n := p.count()
	from, to := p.offset(n, i), len(p)
	if i+1 < n {
		to = p.offset(n, i+1)
	}
	k := from + 2 + int(binary.LittleEndian.Uint16(p[from:]))
	return entry{p[from+2 : k], node(p[k:to])}
}

func (p page) offset(n, i int) int {
	return int(binary.LittleEndian.Uint32(p[pageHead+4*(n+i):]))
}

func (p page) key(i int) []byte {
	from := p.offset(p.count(), i)
	return p[from+2 : from+2+int(binary.LittleEndian.Uint16(p[from:]))]
}

// search returns the place of the first key not below the wanted one, and
// whether it is that key.
func (p page) search(key []byte) (int, bool) {
	n := p.count()
	shared := int(binary.LittleEndian.Uint16(p[6:]))
	if c := bytes.Compare(key[:min(shared, len(key))], p.key(0)[:shared]); c != 0 {
		if c < 0 {
			return 0, false
		}
		return n, false
	}
	want := head(key[shared:])
	low, high := 0, n
	for low < high {
		mid := int(uint(low+high) >> 1)
		h := binary.LittleEndian.Uint32(p[pageHead+4*mid:])
		if h < want || h == want && bytes.Compare(p.key(mid), key) < 0 {
			low = mid + 1
		} else {
			high = mid
		}
	}
	return low, low < n && binary.LittleEndian.Uint32(p[pageHead+4*low:]) == want && bytes.Equal(p.key(low), key)
}

// head returns the first four octets as a number that compares like them.
func head(b []byte) uint32 {
	if len(b) >= 4 {
		return binary.BigEndian.Uint32(b)
	}
	var h uint32
	for i, c := range b {
		h |= uint32(c) << (24 - 8*i)
	}
	return h
}

// pack makes pages of nodes in order.
func pack(entries []entry) []page {
	var out []page
	for len(entries) > 0 {
		n, size := 0, 0
		for n < len(entries) && n < pageNodes && size < pageSize {
			size += 10 + len(entries[n].key) + len(entries[n].body)
			n++
		}
		if rest := len(entries) - n; rest > 0 && rest < n/2 { // two of a size rather than one and a rest
			n, size = halve(entries[:n+rest])
		}
		out = append(out, packOne(entries[:n], size))
		entries = entries[n:]
	}
	return out
}

func halve(entries []entry) (n, size int) {
	n = (len(entries) + 1) / 2
	for _, e := range entries[:n] {
		size += 10 + len(e.key) + len(e.body)
	}
	return n, size
}

func packOne(entries []entry, size int) page {
	n := len(entries)
	p := make(page, pageHead+8*n, pageHead+size)
	shared := sharedOctets(entries[0].key, entries[n-1].key)
	soonest := uint32(noExpiry)
	for i, e := range entries {
		binary.LittleEndian.PutUint32(p[pageHead+4*i:], head(e.key[shared:]))
		binary.LittleEndian.PutUint32(p[pageHead+4*(n+i):], uint32(len(p)))
		p = binary.LittleEndian.AppendUint16(p, uint16(len(e.key)))
		p = append(append(p, e.key...), e.body...)
		soonest = min(soonest, e.body.soonest())
	}
	binary.LittleEndian.PutUint32(p, soonest)
	binary.LittleEndian.PutUint16(p[4:], uint16(n))
	binary.LittleEndian.PutUint16(p[6:], uint16(shared))
	return p
}

func sharedOctets(a, b []byte) (n int) {
	for n < len(a) && n < len(b) && a[n] == b[n] {
		n++
	}
	return n
}
