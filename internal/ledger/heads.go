package ledger

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"maps"
	"math/bits"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/core"
)

// The heads map (SPEC L4) commits to the newest leaf of every object and every
// tenant. Each is one line of JSON; lines are spread over Buckets by the first
// 12 bits of the SHA-256 of their key, sorted by key within a bucket. A
// bucket's root is the RFC 6962 tree over its lines, the map's root the RFC
// 6962 tree over the bucket roots. So one change costs one bucket, whatever
// the number of objects.
const Buckets = 4096

// HeadLine is one line of the heads map: Object or Tenant is set.
type HeadLine struct {
	Object core.Ref
	Tenant string // the tenant itself, or the object's owner
	N      uint64
	Leaf   string // hash of its newest leaf, hex
	State  string // objects only
}

// JSON returns the canonical line.
func (h HeadLine) JSON() []byte {
	b := make([]byte, 0, 256)
	if h.Object == (core.Ref{}) {
		b = append(b, `{"tenant":`...)
		b = appendString(b, h.Tenant)
		b = append(b, `,"n":`...)
		b = strconv.AppendUint(b, h.N, 10)
		b = append(b, `,"leaf":`...)
		return append(appendString(b, h.Leaf), '}')
	}
	b = append(b, `{"kind":`...)
	b = appendString(b, h.Object.Kind)
	b = append(b, `,"id":`...)
	b = appendString(b, h.Object.ID)
	b = appendOptional(b, `,"owner":`, h.Tenant)
	b = append(b, `,"n":`...)
	b = strconv.AppendUint(b, h.N, 10)
	b = append(b, `,"leaf":`...)
	b = appendString(b, h.Leaf)
	b = append(b, `,"state":`...)
	return append(appendString(b, h.State), '}')
}

// key decides bucket and order.
func (h HeadLine) key() string {
	if h.Object == (core.Ref{}) {
		return tenantKey(h.Tenant)
	}
	return objectKey(h.Object)
}

func objectKey(r core.Ref) string { return "object\x00" + r.Kind + "\x00" + r.ID }
func tenantKey(id string) string  { return "tenant\x00" + id }
func objectBucket(r core.Ref) int { return bucketOf(objectKey(r)) }
func tenantBucket(id string) int  { return bucketOf(tenantKey(id)) }
func bucketOf(key string) int {
	sum := sha256.Sum256([]byte(key))
	return int(sum[0])<<4 | int(sum[1])>>4
}

// Heads holds the bucket roots of the map as of some seq, to be moved on from
// record to record. Make the first Advance on a snapshot, away from the
// writer: it reads every head. Later ones cost what has changed since.
type Heads struct {
	upto  int64     // the map covers records below; -1: nothing read yet
	last  tlog.Hash // hash of the record before upto
	roots []tlog.Hash
}

// NewHeads returns a Heads that has read nothing.
func NewHeads() *Heads { return &Heads{upto: -1} }

// HeadsRoot is the root of the map and what it covers.
type HeadsRoot struct {
	Root tlog.Hash
	Seq  int64 // it covers every record below
}

// Advance brings the map to what r shows and returns its root. Call it once on
// a snapshot and, right after, inside the transaction that appends the heads
// record, with no other record between them. A transaction that was rolled
// back is noticed.
func (h *Heads) Advance(ctx context.Context, r Reader) (HeadsRoot, error) {
	next, err := nextSeq(ctx, r)
	if err != nil {
		return HeadsRoot{}, err
	}
	if err := h.recheck(ctx, r); err != nil {
		return HeadsRoot{}, fmt.Errorf("reading heads: %w", err)
	}
	dirty, err := h.dirty(ctx, r, next)
	if err == nil {
		h.last, err = hashBefore(ctx, r, next)
	}
	if err != nil {
		h.Forget()
		return HeadsRoot{}, fmt.Errorf("reading heads: %w", err)
	}
	for bucket, lines := range dirty {
		h.roots[bucket] = bucketRoot(lines)
	}
	h.upto = next
	return HeadsRoot{mapRoot(h.roots), next}, nil
}

// recheck forgets everything when the records that were seen are no longer
// those in the database: their transaction was rolled back.
func (h *Heads) recheck(ctx context.Context, r Reader) error {
	if h.upto < 0 {
		return nil
	}
	last, err := hashBefore(ctx, r, h.upto)
	if err == nil && last != h.last {
		h.Forget()
	}
	return err
}

// hashBefore returns the hash of the record before seq, zero if there is none.
func hashBefore(ctx context.Context, r Reader, seq int64) (tlog.Hash, error) {
	list, err := readRange(ctx, r, seq-1, seq)
	if err != nil || len(list) == 0 {
		return tlog.Hash{}, err
	}
	return LeafHash(list[0].leaf), nil
}

// Forget makes the next Advance read everything.
func (h *Heads) Forget() { *h = *NewHeads() }

// Event describes the root as the one event of a "log.heads" record.
func (r HeadsRoot) Event() Event {
	root, seq := hexHash(r.Root), strconv.FormatInt(r.Seq, 10)
	return Event{Name: HeadsEvent, Object: LogObject, Tenant: core.Provider, State: "-", Fields: []Field{
		{Name: "root", New: &root}, {Name: "below", New: &seq},
	}}
}

// Names of the log's own records.
const (
	HeadsAction    = "log.heads"
	HeadsEvent     = "log.heads"
	RecoveredEvent = "log.recovered"
	ErasedEvent    = "log.erased"
	StartedAction  = "log.started"
	StoppedAction  = "log.stopped"
	ClockAction    = "log.clock.behind"
)

// LogObject is the log itself, as the object of its own records.
var LogObject = core.Ref{Kind: "log", ID: "actions"}

// nextSeq returns the index that the next record will have.
func nextSeq(ctx context.Context, r Reader) (int64, error) {
	epochs, err := readEpochs(ctx, r)
	if err != nil {
		return 0, err
	}
	next, err := countEntries(ctx, r)
	return max(next, epochs[len(epochs)-1].Base), err
}

// dirty returns the lines of every bucket that changed since h.upto.
func (h *Heads) dirty(ctx context.Context, r Reader, next int64) (map[int][]HeadLine, error) {
	lines := map[int][]HeadLine{}
	if h.upto < 0 || next < h.upto || next-h.upto > 8*Buckets {
		h.roots = slices.Repeat([]tlog.Hash{bucketRoot(nil)}, Buckets)
		return lines, readHeads(ctx, r, lines, "")
	}
	buckets, err := touchedBuckets(ctx, r, h.upto)
	if err != nil {
		return nil, err
	}
	list := slices.Collect(maps.Keys(buckets))
	for piece := range slices.Chunk(list, bucketPiece) {
		if err := readBuckets(ctx, r, lines, piece); err != nil {
			return nil, err
		}
	}
	return lines, nil
}

// touchedBuckets names the buckets of everything that records from seq on touch.
func touchedBuckets(ctx context.Context, r Reader, from int64) (map[int]bool, error) {
	buckets := map[int]bool{}
	var l Leaf
	err := eachLeaf(ctx, r, from, func(_ int64, leaf []byte) error {
		if err := decodeLeaf(string(leaf), &l); err != nil {
			return err
		}
		for _, k := range l.Objects {
			buckets[objectBucket(k.Object)] = true
		}
		for _, k := range l.Tenants {
			buckets[tenantBucket(k.ID)] = true
		}
		return nil
	})
	return buckets, err
}

// eachLeaf calls do for every record from seq on, oldest first.
func eachLeaf(ctx context.Context, r Reader, from int64, do func(seq int64, leaf []byte) error) error {
	rows, err := r.Query(ctx, `SELECT seq, leaf FROM ledger_entry WHERE seq >= $1 ORDER BY seq`, from)
	if err != nil {
		return err
	}
	defer rows.Close()
	var seq int64
	var leaf []byte
	for rows.Next() {
		if err := rows.Scan(&seq, &leaf); err != nil {
			return err
		}
		if err := do(seq, leaf); err != nil {
			return fmt.Errorf("record %d: %w", seq, err)
		}
	}
	return rows.Err()
}

const (
	selectHeads   = `SELECT kind, id, n, leaf, state, tenant, bucket FROM ledger_head`
	selectTenants = `SELECT id, n, leaf, bucket FROM ledger_tenant`
)

// bucketPiece is how many buckets one query reads.
const bucketPiece = 64

// whereBuckets is for exactly bucketPiece buckets, so that one text serves all.
var whereBuckets = " WHERE bucket IN" + placeholders(1, bucketPiece)

func readBuckets(ctx context.Context, r Reader, lines map[int][]HeadLine, buckets []int) error {
	args := make([]any, bucketPiece)
	for i := range args {
		args[i] = buckets[min(i, len(buckets)-1)]
	}
	for _, b := range buckets {
		lines[b] = nil
	}
	return readHeads(ctx, r, lines, whereBuckets, args...)
}

// readHeads collects lines by bucket, in no order.
func readHeads(ctx context.Context, r Reader, lines map[int][]HeadLine, where string, args ...any) error {
	rows, err := r.Query(ctx, selectHeads+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var h HeadLine
		var leaf []byte
		var bucket int
		if err := rows.Scan(&h.Object.Kind, &h.Object.ID, &h.N, &leaf, &h.State, &h.Tenant, &bucket); err != nil {
			return err
		}
		h.Leaf = hex.EncodeToString(leaf)
		lines[bucket] = append(lines[bucket], h)
	}
	if err := rows.Err(); err != nil {
		return err
	}
	return readTenants(ctx, r, lines, where, args...)
}

func readTenants(ctx context.Context, r Reader, lines map[int][]HeadLine, where string, args ...any) error {
	rows, err := r.Query(ctx, selectTenants+where, args...)
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var h HeadLine
		var leaf []byte
		var bucket int
		if err := rows.Scan(&h.Tenant, &h.N, &leaf, &bucket); err != nil {
			return err
		}
		h.Leaf = hex.EncodeToString(leaf)
		lines[bucket] = append(lines[bucket], h)
	}
	return rows.Err()
}

// bucketRoot sorts lines and returns the root of their tree.
func bucketRoot(lines []HeadLine) tlog.Hash {
	sortLines(lines)
	hashes := make([]tlog.Hash, len(lines))
	for i, h := range lines {
		hashes[i] = LeafHash(h.JSON())
	}
	return merkleRoot(hashes)
}

func sortLines(lines []HeadLine) {
	slices.SortFunc(lines, func(a, b HeadLine) int { return strings.Compare(a.key(), b.key()) })
}

// mapRoot is the tree over the bucket roots.
func mapRoot(roots []tlog.Hash) tlog.Hash {
	hashes := make([]tlog.Hash, len(roots))
	for i, r := range roots {
		hashes[i] = LeafHash(r[:])
	}
	return merkleRoot(hashes)
}

// merkleRoot is RFC 6962 2.1 over leaf hashes, which it overwrites.
func merkleRoot(hashes []tlog.Hash) tlog.Hash {
	if len(hashes) == 0 {
		return sha256.Sum256(nil)
	}
	for len(hashes) > 1 {
		half := hashes[:0]
		for i := 0; i+1 < len(hashes); i += 2 {
			half = append(half, tlog.NodeHash(hashes[i], hashes[i+1]))
		}
		if len(hashes)%2 == 1 {
			half = append(half, hashes[len(hashes)-1])
		}
		hashes = half
	}
	return hashes[0]
}

// HeadProof shows that Line is in the heads map with a given root.
type HeadProof struct {
	Line   HeadLine
	Index  int         // in its bucket
	Size   int         // lines in its bucket
	Inner  []tlog.Hash // RFC 6962 audit path from the line to the bucket's root
	Outer  []tlog.Hash // audit path from the bucket's root to the map's, 12 hashes
	Covers HeadsRoot
}

// ErrNoHead says that an object or tenant has no record.
var ErrNoHead = errors.New("the log has no record of it")

// ProveObject shows where the chain of an object ends. h must be a Heads of
// its own, advanced on the same snapshot r.
func (h *Heads) ProveObject(ctx context.Context, r Reader, ref core.Ref) (HeadProof, error) {
	return h.prove(ctx, r, objectKey(ref))
}

// ProveTenant does the same for a tenant.
func (h *Heads) ProveTenant(ctx context.Context, r Reader, id string) (HeadProof, error) {
	return h.prove(ctx, r, tenantKey(id))
}

func (h *Heads) prove(ctx context.Context, r Reader, key string) (HeadProof, error) {
	covers, err := h.Advance(ctx, r)
	if err != nil {
		return HeadProof{}, err
	}
	lines := map[int][]HeadLine{}
	bucket := bucketOf(key)
	if err := readBuckets(ctx, r, lines, []int{bucket}); err != nil {
		return HeadProof{}, fmt.Errorf("reading heads: %w", err)
	}
	list := lines[bucket]
	sortLines(list)
	at := slices.IndexFunc(list, func(l HeadLine) bool { return l.key() == key })
	if at < 0 {
		return HeadProof{}, ErrNoHead
	}
	p := HeadProof{Line: list[at], Index: at, Size: len(list), Covers: covers}
	p.Inner = auditPath(at, lineHashes(list))
	p.Outer = auditPath(bucket, rootHashes(h.roots))
	return p, nil
}

func lineHashes(lines []HeadLine) []tlog.Hash {
	hashes := make([]tlog.Hash, len(lines))
	for i, l := range lines {
		hashes[i] = LeafHash(l.JSON())
	}
	return hashes
}

func rootHashes(roots []tlog.Hash) []tlog.Hash {
	hashes := make([]tlog.Hash, len(roots))
	for i, r := range roots {
		hashes[i] = LeafHash(r[:])
	}
	return hashes
}

// auditPath is RFC 6962 2.1.1 PATH(m, D[n]).
func auditPath(m int, hashes []tlog.Hash) []tlog.Hash {
	if len(hashes) <= 1 {
		return nil
	}
	k := 1 << (bits.Len(uint(len(hashes)-1)) - 1)
	if m < k {
		right := merkleRoot(slices.Clone(hashes[k:]))
		return append(auditPath(m, hashes[:k]), right)
	}
	left := merkleRoot(slices.Clone(hashes[:k]))
	return append(auditPath(m-k, hashes[k:]), left)
}

// Check verifies the proof against root, the root in a sealed heads record.
func (p HeadProof) Check(root tlog.Hash) error {
	line := LeafHash(p.Line.JSON())
	inner, err := rootFromPath(p.Index, p.Size, line, p.Inner)
	if err != nil {
		return err
	}
	outer, err := rootFromPath(bucketOf(p.Line.key()), Buckets, LeafHash(inner[:]), p.Outer)
	if err != nil {
		return err
	}
	if outer != root {
		return errors.New("the proof leads to another root of the heads map")
	}
	return nil
}

// rootFromPath computes the root that an audit path leads to (RFC 9162 2.1.3.2).
func rootFromPath(index, size int, hash tlog.Hash, path []tlog.Hash) (tlog.Hash, error) {
	if index < 0 || index >= size {
		return tlog.Hash{}, errors.New("the proof's index is outside its tree")
	}
	fn, sn := index, size-1
	for _, p := range path {
		if sn == 0 {
			return tlog.Hash{}, errors.New("the proof is too long")
		}
		if fn&1 == 1 || fn == sn {
			hash = tlog.NodeHash(p, hash)
			for fn&1 == 0 && fn != 0 {
				fn, sn = fn>>1, sn>>1
			}
		} else {
			hash = tlog.NodeHash(hash, p)
		}
		fn, sn = fn>>1, sn>>1
	}
	if sn != 0 {
		return tlog.Hash{}, errors.New("the proof is too short")
	}
	return hash, nil
}
