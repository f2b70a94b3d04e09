package ledger

import (
	"context"
	"fmt"
	"math/bits"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

	"hostward/internal/core"
)

// BlockSize is the number of records that one row of ledger_block sums up.
// Lists skip blocks in which nothing can match: every filter, alone or
// combined, reads some bytes for each 256 records instead of needing an index
// of its own, which would make each record dearer to write.
const BlockSize = 256

// The dimensions of a record that lists filter by.
type dimension byte

const (
	dimTenant dimension = iota
	dimClass
	dimAction
	dimOutcome
	dimDoor
	dimActor
	dimKind
	dimObject
	dimSession
	dimensions
)

// pairs are the combinations a block also remembers, so that "refused" and
// "dns" in different records of a block do not look like a match.
var pairs = [...][2]dimension{
	{dimTenant, dimClass}, {dimTenant, dimAction}, {dimTenant, dimOutcome}, {dimTenant, dimDoor},
	{dimTenant, dimActor}, {dimTenant, dimKind}, {dimClass, dimOutcome}, {dimClass, dimDoor},
	{dimClass, dimActor}, {dimClass, dimKind}, {dimAction, dimOutcome}, {dimAction, dimDoor},
	{dimAction, dimActor}, {dimOutcome, dimDoor}, {dimOutcome, dimActor}, {dimOutcome, dimKind},
	{dimDoor, dimActor}, {dimActor, dimKind},
}

// traits are the hashed values of one record, or of a filter, by dimension.
type traits [dimensions][]uint64

func (t *traits) add(d dimension, value string) {
	if value != "" {
		t[d] = append(t[d], hashText(byte(d), value))
	}
}

func (t *traits) addObject(r core.Ref) {
	if r.Kind == "" {
		return
	}
	t.add(dimKind, r.Kind)
	t[dimObject] = append(t[dimObject], hashRef(r))
}

// traits fills t, whose slices it reuses.
func (l *Leaf) traits(t *traits) {
	for d := range t {
		t[d] = t[d][:0]
	}
	for i := range l.Tenants {
		t.add(dimTenant, l.Tenants[i].ID)
	}
	t.add(dimClass, l.Class)
	t.add(dimAction, l.Action)
	t.add(dimOutcome, string(l.Outcome))
	t.add(dimDoor, l.Door)
	t.add(dimActor, l.Actor.ID)
	t.add(dimActor, l.By.ID)
	t.add(dimSession, l.Session)
	t.addObject(l.Object)
	for i := range l.Objects {
		t.addObject(l.Objects[i].Object)
	}
}

// keys calls yield for every single value and every pair.
func (t *traits) keys(set map[uint64]struct{}) {
	for d := range t {
		for _, h := range t[d] {
			set[h] = struct{}{}
		}
	}
	for _, p := range pairs {
		for _, a := range t[p[0]] {
			for _, b := range t[p[1]] {
				set[pairHash(a, b)] = struct{}{}
			}
		}
	}
}

// in reports whether a block with these keys may hold a record with one of t's
// values in each dimension that t restricts.
func (t *traits) in(keys bloom) bool {
	var present traits
	for d := range t {
		for _, h := range t[d] {
			if keys.has(h) {
				present[d] = append(present[d], h)
			}
		}
		if len(t[d]) > 0 && len(present[d]) == 0 {
			return false
		}
	}
	for _, p := range pairs {
		if !present.pairIn(keys, p) {
			return false
		}
	}
	return true
}

func (t *traits) pairIn(keys bloom, p [2]dimension) bool {
	if len(t[p[0]]) == 0 || len(t[p[1]]) == 0 {
		return true
	}
	for _, a := range t[p[0]] {
		for _, b := range t[p[1]] {
			if keys.has(pairHash(a, b)) {
				return true
			}
		}
	}
	return false
}

// matches reports whether a record has one of t's values in each dimension
// that t restricts.
func (t *traits) matches(record *traits) bool {
	for d := range t {
		if len(t[d]) > 0 && !slices.ContainsFunc(record[d], func(h uint64) bool { return slices.Contains(t[d], h) }) {
			return false
		}
	}
	return true
}

// words hashes every word of the record's plain texts into set.
func (l *Leaf) words(add func(uint64)) {
	for _, s := range []string{l.ID, l.Action, l.Class, l.Actor.ID, l.By.ID, l.Session, l.Object.Kind, l.Object.ID,
		l.Tenant, string(l.Outcome), string(l.Code), l.Reason} {
		eachWord(s, add)
	}
	for i := range l.Events {
		e := &l.Events[i]
		eachWord(e.Name, add)
		eachWord(e.Object.Kind, add)
		eachWord(e.Object.ID, add)
		for j := range e.Fields {
			e.Fields[j].words(add)
		}
	}
}

func (f *Field) words(add func(uint64)) {
	eachWord(f.Name, add)
	for _, v := range []*string{f.Old, f.New} {
		if v != nil && !f.Personal {
			eachWord(*v, add)
		}
	}
}

// eachWord calls add with the hash of each run of letters and digits, in
// lower case.
func eachWord(s string, add func(uint64)) {
	h := uint64(fnvOffset)
	n := 0
	for i := 0; i < len(s); {
		c := s[i]
		size := 1
		switch {
		case c >= 'a' && c <= 'z' || c >= '0' && c <= '9':
			h = (h ^ uint64(c)) * fnvPrime
		case c >= 'A' && c <= 'Z':
			h = (h ^ uint64(c|0x20)) * fnvPrime
		case c < utf8.RuneSelf:
			if n > 0 {
				add(mix(h))
			}
			h, n, size = fnvOffset, -1, 1
		default:
			h, n, size = wideRune(s[i:], h, n, add)
		}
		i += size
		n++
	}
	if n > 0 {
		add(mix(h))
	}
}

// wideRune continues or ends a word at a character outside ASCII.
func wideRune(s string, h uint64, n int, add func(uint64)) (hash uint64, length, size int) {
	r, size := utf8.DecodeRuneInString(s)
	if unicode.IsLetter(r) || unicode.IsDigit(r) || unicode.IsMark(r) {
		for _, c := range []byte(strings.ToLower(s[:size])) {
			h = (h ^ uint64(c)) * fnvPrime
		}
		return h, n, size
	}
	if n > 0 {
		add(mix(h))
	}
	return fnvOffset, -1, size
}

const (
	fnvOffset = 14695981039346656037
	fnvPrime  = 1099511628211
)

func hashText(tag byte, s string) uint64 {
	h := (uint64(fnvOffset) ^ uint64(tag)) * fnvPrime
	for i := range len(s) {
		h = (h ^ uint64(s[i])) * fnvPrime
	}
	return mix(h)
}

func hashRef(r core.Ref) uint64 {
	return pairHash(hashText(byte(dimObject), r.Kind), hashText(byte(dimObject), r.ID))
}

func pairHash(a, b uint64) uint64 { return mix(a ^ bits.RotateLeft64(b, 31)) }

// mix spreads a hash over all bits (the finalizer of MurmurHash3).
func mix(h uint64) uint64 {
	h ^= h >> 33
	h *= 0xff51afd7ed558ccd
	h ^= h >> 33
	h *= 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}

// bloom is a Bloom filter whose number of bits is a power of two: 10 to 20
// bits and 6 probes for each entry, so about 1 false answer in 200 or fewer.
type bloom []byte

const probes = 6

func newBloom(set map[uint64]struct{}) bloom {
	size := 8
	for size*8 < 10*len(set) {
		size *= 2
	}
	f := make(bloom, size)
	for h := range set {
		for range probes {
			bit := h & uint64(size*8-1)
			f[bit/8] |= 1 << (bit % 8)
			h = bits.RotateLeft64(h, 21)*fnvPrime + 1
		}
	}
	return f
}

func (f bloom) has(h uint64) bool {
	if len(f) == 0 {
		return false
	}
	for range probes {
		bit := h & uint64(len(f)*8-1)
		if f[bit/8]&(1<<(bit%8)) == 0 {
			return false
		}
		h = bits.RotateLeft64(h, 21)*fnvPrime + 1
	}
	return true
}

// block is the summary of one block while it is built.
type block struct {
	number      int64
	first, last int64 // times
	keys, words map[uint64]struct{}
	counts      map[countKey]int64
	traits      traits
	leaf        Leaf
}

type countKey struct {
	tenant         string
	hour           int64
	class, outcome string
}

func newBlock(number int64) *block {
	return &block{
		number: number, keys: map[uint64]struct{}{}, words: map[uint64]struct{}{}, counts: map[countKey]int64{},
	}
}

const microsPerHour = 3_600_000_000

// everyTenant stands in ledger_count for the whole server.
const everyTenant = "*"

func (b *block) add(l *Leaf) {
	if b.first == 0 || l.Time < b.first {
		b.first = l.Time
	}
	b.last = max(b.last, l.Time)
	l.traits(&b.traits)
	b.traits.keys(b.keys)
	l.words(func(h uint64) { b.words[h] = struct{}{} })
	k := countKey{everyTenant, l.Time - l.Time%microsPerHour, l.Class, string(l.Outcome)}
	b.counts[k] += l.times()
	for _, t := range l.Tenants {
		k.tenant = t.ID
		b.counts[k] += l.times()
	}
}

// times is how many attempts the record stands for.
func (l *Leaf) times() int64 { return int64(max(l.Count, 1)) }

// summarise writes the summary of each block that ends in [from, next): one
// of ready, or one made of the records in the database.
func summarise(ctx context.Context, tx Tx, from, next int64, ready []*block) error {
	for number := from / BlockSize; (number+1)*BlockSize <= next; number++ {
		var b *block
		if at := slices.IndexFunc(ready, func(b *block) bool { return b.number == number }); at >= 0 {
			b = ready[at]
		}
		if b == nil {
			var err error
			if b, err = readBlock(ctx, tx, number); err != nil {
				return fmt.Errorf("summing up block %d: %w", number, err)
			}
		}
		if len(b.counts) == 0 {
			continue
		}
		if err := b.write(ctx, tx); err != nil {
			return fmt.Errorf("summing up block %d: %w", number, err)
		}
	}
	return nil
}

func readBlock(ctx context.Context, r Reader, number int64) (*block, error) {
	b := newBlock(number)
	rows, err := r.Query(ctx, `SELECT leaf FROM ledger_entry WHERE seq >= $1 AND seq < $2`,
		number*BlockSize, (number+1)*BlockSize)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	for rows.Next() {
		var leaf []byte
		if err := rows.Scan(&leaf); err != nil {
			return nil, err
		}
		if err := decodeLeaf(string(leaf), &b.leaf); err != nil {
			return nil, err
		}
		b.add(&b.leaf)
	}
	return b, rows.Err()
}

func (b *block) write(ctx context.Context, tx Tx) error {
	_, err := tx.Exec(ctx, `INSERT INTO ledger_block (block, first_time, last_time, keys, words)
		VALUES ($1, $2, $3, $4, $5)`, b.number, b.first, b.last, []byte(newBloom(b.keys)), []byte(newBloom(b.words)))
	if err != nil {
		return err
	}
	for k, n := range b.counts {
		_, err := tx.Exec(ctx, `INSERT INTO ledger_count (tenant, hour, class, outcome, n) VALUES ($1, $2, $3, $4, $5)
			ON CONFLICT (tenant, hour, class, outcome) DO UPDATE SET n = ledger_count.n + excluded.n`,
			k.tenant, k.hour, k.class, k.outcome, n)
		if err != nil {
			return err
		}
	}
	return nil
}
