package rr

import (
	"bytes"
	"cmp"
	"fmt"
	"slices"
	"strings"

	"hostward/internal/core"
)

// MaxTTL is the greatest TTL, in seconds (RFC 2181 8).
const MaxTTL = 1<<31 - 1

// Record is one line of a zone, class IN.
type Record struct {
	Name Name   `json:"name"`
	TTL  uint32 `json:"ttl"` // seconds
	Type string `json:"type"`
	Data string `json:"data"` // canonical presentation rdata
}

// RRset is all records of one name and type. Data is sorted canonically
// (RFC 4034 6.3) and has no duplicates; it is empty where a set is gone.
type RRset struct {
	Name Name     `json:"name"`
	Type string   `json:"type"`
	TTL  uint32   `json:"ttl"` // seconds, the same for all records (RFC 2181 5.2)
	Data []string `json:"data"`
}

// Key names one RRset of a zone.
type Key struct {
	Name Name   `json:"name"`
	Type string `json:"type"`
}

// String returns "www.example. AAAA".
func (k Key) String() string { return string(k.Name) + " " + k.Type }

// Compare orders keys by name, then SOA, NS and the others by number.
func (k Key) Compare(other Key) int {
	if c := k.Name.Compare(other.Name); c != 0 {
		return c
	}
	return CompareTypes(k.Type, other.Type)
}

// Key returns the name and type.
func (r Record) Key() Key { return Key{r.Name, r.Type} }

// String returns the record as a line of a zone file.
func (r Record) String() string {
	return fmt.Sprintf("%s %d IN %s %s", r.Name, r.TTL, r.Type, r.Data)
}

// Key returns the name and type.
func (s RRset) Key() Key { return Key{s.Name, s.Type} }

// Records returns the set as single records.
func (s RRset) Records() []Record {
	out := make([]Record, len(s.Data))
	for i, d := range s.Data {
		out[i] = Record{s.Name, s.TTL, s.Type, d}
	}
	return out
}

// Equal reports whether both are the same, TTL included.
func (s RRset) Equal(other RRset) bool {
	return s.Name == other.Name && s.Type == other.Type && s.TTL == other.TTL && slices.Equal(s.Data, other.Data)
}

// ParseRecord reads one line of a zone file: name, TTL, class, type, data.
// TTL may be left out for ttl, class is IN. Relative names, in the data too,
// are below origin. Errors are Invalid and name the column.
func ParseRecord(line string, origin Name, ttl uint32) (Record, error) {
	p := newParser(line, Options{Origin: origin, TTL: ttl, MaxRecords: 1, oneLine: true})
	p.run()
	if err := p.err("the record is not valid"); err != nil {
		return Record{}, err
	}
	if len(p.records) != 1 {
		return Record{}, core.Errorf(core.Invalid, "one record is accepted: name, TTL, type and data")
	}
	return p.records[0].Record, nil
}

// ParseData reads the data of one record in presentation form and returns
// the canonical form. Relative names in it are below origin.
func ParseData(typ, data string, origin Name) (string, error) {
	if _, ok := TypeCode(typ); !ok {
		return "", core.Errorf(core.Invalid, "type %q is not known: a record type such as AAAA, or TYPE65400, is accepted", clip(typ))
	}
	r, err := ParseRecord(". "+typ+" "+strings.TrimSpace(data), origin, 0)
	return r.Data, err
}

// Pack returns the canonical wire rdata of data, which must be absolute.
func Pack(typ, data string) ([]byte, error) {
	code, ok := TypeCode(typ)
	if !ok {
		return nil, core.Errorf(core.Invalid, "type %q is not known", clip(typ))
	}
	wire, err := encode(code, data, "")
	if err != nil {
		return nil, core.Errorf(core.Invalid, "%s %q: %s", typ, clip(data), err.why)
	}
	return wire, nil
}

// Unpack returns the canonical presentation form of uncompressed wire rdata.
func Unpack(typ string, wire []byte) (string, error) {
	code, ok := TypeCode(typ)
	if !ok {
		return "", core.Errorf(core.Invalid, "type %q is not known", clip(typ))
	}
	if text, ok := plainText(code, wire); ok {
		return text, nil
	}
	wire = bytes.Clone(wire)
	if err := fold(code, wire); err != nil {
		return "", core.Errorf(core.Invalid, "%s: %s", typ, err.why)
	}
	if _, err := unpack(code, wire); err != nil {
		return "", core.Errorf(core.Invalid, "%s: %s", typ, plain(err))
	}
	return decodeAny(code, wire), nil
}

// Wire returns the wire rdata of each record.
func (s RRset) Wire() ([][]byte, error) {
	out := make([][]byte, len(s.Data))
	for i, d := range s.Data {
		w, err := Pack(s.Type, d)
		if err != nil {
			return nil, err
		}
		out[i] = w
	}
	return out, nil
}

// parsed is a record with its wire rdata, the line it stood on, and its place in
// canonical order.
type parsed struct {
	Record
	wire []byte
	line int
	sortKey
}

// Group makes RRsets of records, sorted. Records of one set with different
// TTLs get the lowest, and the set is named in mixed (RFC 2181 5.2).
func Group(records []Record) (sets []RRset, mixed []Key) {
	ps := make([]parsed, len(records))
	for i, r := range records {
		wire, err := Pack(r.Type, r.Data)
		if err != nil {
			wire = []byte(r.Data) // not canonical: Validate names it
		}
		ps[i] = parsed{Record: r, wire: wire, sortKey: keyOf(r.Name, r.Type)}
	}
	sets, _, mixed = group(ps)
	return sets, mixed
}

// begun is where a set begins in a file.
type begun struct {
	Key
	line int
}

// group also returns the line on which each set begins, sorted like the sets.
func group(records []parsed) (sets []RRset, lines []begun, mixed []Key) {
	order, n := make([]*parsed, len(records)), 0
	for i := range records {
		order[i] = &records[i]
	}
	slices.SortFunc(order, (*parsed).compare)
	for i, r := range order {
		if i == 0 || r.Key() != order[i-1].Key() {
			n++
		}
	}
	sets, lines = make([]RRset, 0, n), make([]begun, 0, n)
	data := make([]string, 0, len(records)) // of all sets
	for len(order) > 0 {
		k, n := order[0].Key(), 1
		for n < len(order) && order[n].Key() == k {
			n++
		}
		from, set, line, differ := len(data), RRset{Name: k.Name, Type: k.Type, TTL: order[0].TTL}, order[0].line, false
		for i, m := range order[:n] {
			differ = differ || m.TTL != order[0].TTL
			set.TTL, line = min(set.TTL, m.TTL), min(line, m.line)
			if i == 0 || !bytes.Equal(m.wire, order[i-1].wire) {
				data = append(data, m.Data)
			}
		}
		set.Data = slices.Clip(data[from:])
		if differ {
			mixed = append(mixed, k)
		}
		sets, lines, order = append(sets, set), append(lines, begun{k, line}), order[n:]
	}
	return sets, lines, mixed
}

// compare orders records by name and type, then by rdata (RFC 4034 6.3).
func (r *parsed) compare(o *parsed) int {
	if c := r.sortKey.compare(o.sortKey); c != 0 {
		return c
	}
	return cmp.Or(strings.Compare(string(r.Name), string(o.Name)), strings.Compare(r.Type, o.Type), bytes.Compare(r.wire, o.wire))
}

// SortRRsets sorts by Key.
func SortRRsets(sets []RRset) {
	type keyed struct {
		sortKey
		set RRset
	}
	keys := make([]keyed, len(sets))
	for i, s := range sets {
		keys[i] = keyed{keyOf(s.Name, s.Type), s}
	}
	slices.SortFunc(keys, func(a, b keyed) int { return a.compare(b.sortKey) })
	for i, k := range keys {
		sets[i] = k.set
	}
}

// sortKey keeps what comparing would compute again and again.
type sortKey struct {
	name string // see Name.order
	rank int
}

func keyOf(n Name, typ string) sortKey { return sortKey{n.order(), rank(typ)} }

func (k sortKey) compare(o sortKey) int {
	if c := strings.Compare(k.name, o.name); c != 0 {
		return c
	}
	return k.rank - o.rank
}
