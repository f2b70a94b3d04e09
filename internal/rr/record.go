package rr

import (
	"bytes"
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
	p := newParser([]byte(line), Options{Origin: origin, TTL: ttl, MaxRecords: 1, oneLine: true})
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
	wire = bytes.Clone(wire)
	if err := fold(code, wire); err != nil {
		return "", core.Errorf(core.Invalid, "%s: %s", typ, err.why)
	}
	if _, err := unpack(code, wire); err != nil {
		return "", core.Errorf(core.Invalid, "%s: %s", typ, plain(err))
	}
	return decode(code, wire), nil
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

// parsed is a record with its wire rdata and the line it stood on.
type parsed struct {
	Record
	wire []byte
	line int
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
		ps[i] = parsed{Record: r, wire: wire}
	}
	return group(ps)
}

func group(records []parsed) (sets []RRset, mixed []Key) {
	groups := map[Key][]parsed{}
	for _, r := range records {
		groups[r.Key()] = append(groups[r.Key()], r)
	}
	for k, g := range groups {
		slices.SortFunc(g, func(a, b parsed) int { return bytes.Compare(a.wire, b.wire) })
		set := RRset{Name: k.Name, Type: k.Type, TTL: g[0].TTL}
		differ := false
		for i, m := range g {
			differ = differ || m.TTL != g[0].TTL
			set.TTL = min(set.TTL, m.TTL)
			if i == 0 || !bytes.Equal(m.wire, g[i-1].wire) {
				set.Data = append(set.Data, m.Data)
			}
		}
		if differ {
			mixed = append(mixed, k)
		}
		sets = append(sets, set)
	}
	SortRRsets(sets)
	slices.SortFunc(mixed, Key.Compare)
	return sets, mixed
}

// SortRRsets sorts by Key.
func SortRRsets(sets []RRset) {
	keys := make([]sortKey, len(sets))
	for i, s := range sets {
		keys[i] = sortKey{s.Name.labels(), rank(s.Type), s}
	}
	slices.SortFunc(keys, sortKey.compare)
	for i, k := range keys {
		sets[i] = k.set
	}
}

// sortKey keeps what comparing would compute again and again.
type sortKey struct {
	labels []string
	rank   int
	set    RRset
}

func (k sortKey) compare(o sortKey) int {
	for i, j := len(k.labels)-1, len(o.labels)-1; i >= 0 && j >= 0; i, j = i-1, j-1 {
		if c := strings.Compare(k.labels[i], o.labels[j]); c != 0 {
			return c
		}
	}
	if c := len(k.labels) - len(o.labels); c != 0 {
		return c
	}
	return k.rank - o.rank
}
