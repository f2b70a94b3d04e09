package nameserver

import (
	"encoding/binary"
	"encoding/json"

	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// frozen writes an image for the disk:
//
//	version uint64, cuts uint32, wildcards uint32, records uint32
//	apex: length uint8, wire name
//	object: length uint8, text
//	names and hashes, each: pages uint32, of each page length uint32 and octets
//	past: length uint32, its steps as JSON; 0: none
func (img *image) frozen() ([]byte, error) {
	b := binary.LittleEndian.AppendUint64(make([]byte, 0, 64+img.names.octets()+img.hashes.octets()), img.version)
	for _, n := range [...]int{img.cuts, img.wilds, img.records} {
		b = binary.LittleEndian.AppendUint32(b, uint32(n))
	}
	for _, s := range [...]string{img.apex, img.object} {
		b = append(append(b, byte(len(s))), s...)
	}
	for _, t := range [...]*tree{&img.names, &img.hashes} {
		b = binary.LittleEndian.AppendUint32(b, uint32(len(t.pages)))
		for _, p := range t.pages {
			b = append(binary.LittleEndian.AppendUint32(b, uint32(len(p))), p...)
		}
	}
	var steps []byte
	if len(img.past.steps) > 0 {
		var err error
		if steps, err = json.Marshal(img.past.steps); err != nil {
			return nil, err
		}
	}
	return append(binary.LittleEndian.AppendUint32(b, uint32(len(steps))), steps...), nil
}

// thawed reads an image and keeps the octets. The sum of the block says that
// they are what was written; what they say is checked as far as the server's
// life hangs on it.
func thawed(b []byte) (*image, error) {
	r := &reader{b: b}
	img := &image{version: r.uint64(), cuts: int(r.uint32()), wilds: int(r.uint32()), records: int(r.uint32())}
	img.apex, img.object = string(r.take(int(r.uint8()))), string(r.take(int(r.uint8())))
	name, n, err := rr.NameFromWire([]byte(img.apex))
	if err != nil || n != len(img.apex) {
		return nil, core.Errorf(core.Invalid, "an image has no name")
	}
	img.labels = name.Labels()
	for _, t := range [...]*tree{&img.names, &img.hashes} {
		var out tree
		for range r.uint32() {
			p := page(r.take(int(r.uint32())))
			if r.short || !p.whole() {
				return nil, core.Errorf(core.Invalid, "a page of %s is broken", name)
			}
			out.add(p)
		}
		*t = out.sealed()
	}
	if steps := r.take(int(r.uint32())); len(steps) > 0 {
		var all []transfer.Step
		if err := json.Unmarshal(steps, &all); err != nil {
			return nil, core.Errorf(core.Invalid, "the past of %s is broken", name)
		}
		for _, s := range all {
			img.past = img.past.and(s)
		}
	}
	if r.short || len(r.b) > 0 || !img.survey() {
		return nil, core.Errorf(core.Invalid, "the image of %s is broken", name)
	}
	return img, nil
}

// reader takes numbers and octets from a slice; short: it was at its end.
type reader struct {
	b     []byte
	short bool
}

func (r *reader) take(n int) []byte {
	if n < 0 || n > len(r.b) {
		r.short, r.b = true, nil
		return nil
	}
	out := r.b[:n:n]
	r.b = r.b[n:]
	return out
}

func (r *reader) number(n int) (v uint64) {
	for i, c := range r.take(n) {
		v |= uint64(c) << (8 * i)
	}
	return v
}

func (r *reader) uint8() uint8   { return uint8(r.number(1)) }
func (r *reader) uint32() uint32 { return uint32(r.number(4)) }
func (r *reader) uint64() uint64 { return r.number(8) }

// whole reports whether everything in a page lies within it.
func (p page) whole() bool {
	if len(p) < pageHead {
		return false
	}
	n := p.count()
	if n == 0 || len(p) < pageHead+8*n {
		return false
	}
	before := pageHead + 8*n
	for i := range n {
		from, to := p.offset(n, i), len(p)
		if i+1 < n {
			to = p.offset(n, i+1)
		}
		if from != before || to < from+2 || to > len(p) {
			return false
		}
		k := from + 2 + int(binary.LittleEndian.Uint16(p[from:]))
		if k > to || !node(p[k:to]).whole() {
			return false
		}
		before = to
	}
	return len(p.key(0)) >= int(binary.LittleEndian.Uint16(p[6:]))
}

// whole reports whether the sets and records of a node lie within it.
func (n node) whole() bool {
	if len(n) < nodeHead {
		return false
	}
	for i := nodeHead; i < len(n); {
		if i+setHead > len(n) {
			return false
		}
		text, sigs := int(binary.LittleEndian.Uint32(n[i+4:])), int(binary.LittleEndian.Uint32(n[i+10:]))
		i += setHead
		if text < 0 || sigs < 0 || text > len(n)-i || sigs > len(n)-i-text || !wholeText(n[i:i+text], 0) || !wholeText(n[i+text:i+text+sigs], 18) {
			return false
		}
		i += text + sigs
	}
	return true
}

// wholeText reports whether a text consists of records with so much data at least.
func wholeText(b []byte, least int) bool {
	for len(b) > 0 {
		if len(b) < 2+recordLen {
			return false
		}
		n := int(binary.BigEndian.Uint16(b[recordLen:]))
		if n < least || len(b) < 2+recordLen+n {
			return false
		}
		b = b[2+recordLen+n:]
	}
	return true
}
