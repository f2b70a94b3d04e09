package ledger

import (
	"context"
	"database/sql"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"

	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/core"
)

// Migrations are the log's tables, in sql/.
//
//go:embed sql/*.sql
var Migrations embed.FS

// Reader is the reading half of a transaction or a snapshot.
type Reader interface {
	Query(ctx context.Context, query string, args ...any) (*sql.Rows, error)
	QueryRow(ctx context.Context, query string, args ...any) *sql.Row
}

// Tx is the one writer's open transaction. Query texts are constants of this
// package, so that prepared statements can be kept by text.
type Tx interface {
	Reader
	Exec(ctx context.Context, query string, args ...any) (int64, error)
}

// Snapshot runs read on a consistent view of what is committed.
type Snapshot func(ctx context.Context, read func(Reader) error) error

// Book writes records. It remembers the next index and the ends of the chains
// it has used, so its writing methods belong to the one goroutine that writes.
type Book struct {
	keys    Keys
	now     core.Clock
	loaded  bool
	epoch   Epoch
	next    int64
	objects map[core.Ref]*end
	tenants map[string]*end
	periods map[string]bool // known to ledger_period
	block   *block          // the one that is being filled, if all of it was seen
	staged  pages           // rows to write with the next Flush
	first   int64           // number of the first staged record; -1: none
	texts   texts
}

// NewBook returns a Book that has read nothing yet.
func NewBook(keys Keys, now core.Clock) *Book {
	b := &Book{keys: keys, now: now, texts: newTexts()}
	b.Forget()
	return b
}

// Forget drops what the Book remembers. The bus calls it when a savepoint in
// which something was appended is rolled back and when a COMMIT fails: what
// was remembered may then never have happened. Appending after a forgotten
// Forget fails on the primary key; it cannot write a wrong record silently.
func (b *Book) Forget() {
	b.loaded = false
	b.objects = map[core.Ref]*end{}
	b.tenants = map[string]*end{}
	b.periods = map[string]bool{}
	b.block = nil
	b.staged, b.first = pages{}, -1
}

// Receipt says where a record went.
type Receipt struct {
	ID       string
	Seq      int64 // of the first leaf
	Leaves   int   // more than 1 when the entry needed several
	Hash     tlog.Hash
	Versions map[core.Ref]uint64 // counter of each object that Events named
}

// end is the newest leaf of an object or a tenant.
type end struct {
	n      uint64
	seq    int64
	leaf   string // hash in hex
	state  string
	tenant string
	bucket int
	dirty  bool
}

const (
	// manyEnds bounds the memory of a Book: about 30 MB.
	manyEnds = 100_000
	// blobAbove is the size of field differences in bytes above which they
	// leave the leaf (SPEC L2); those of one event stay up to smallFields.
	blobAbove   = 16 << 10
	smallFields = 256
	// leafBudget is what the events of one leaf may take; the rest is for the
	// fields around them.
	leafBudget = 44 << 10
)

// Append writes one record. After it returns nil the record is in tx: durable
// when tx is, and gone when tx is. An error leaves the Book forgotten and tx
// to be rolled back. What strangers sent (reason, names, values) is made valid
// UTF-8 and cut to length; it is never a reason to fail.
func (b *Book) Append(ctx context.Context, tx Tx, e *Entry) (Receipt, error) {
	receipts, err := b.AppendBatch(ctx, tx, []*Entry{e})
	if err != nil {
		return Receipt{}, err
	}
	return receipts[0], nil
}

// AppendBatch writes entries in order, with the same promises and less work
// for each than Append.
func (b *Book) AppendBatch(ctx context.Context, tx Tx, entries []*Entry) ([]Receipt, error) {
	receipts, err := b.appendBatch(ctx, tx, entries)
	if err != nil {
		b.Forget()
		return nil, fmt.Errorf("writing to the action log: %w", err)
	}
	return receipts, nil
}

func (b *Book) appendBatch(ctx context.Context, tx Tx, entries []*Entry) ([]Receipt, error) {
	receipts := make([]Receipt, 0, len(entries))
	for _, e := range entries {
		r, err := b.Stage(ctx, tx, e)
		if err != nil {
			return nil, err
		}
		receipts = append(receipts, r)
	}
	return receipts, b.Flush(ctx, tx)
}

// Stage fixes the number and the bytes of one record and writes nothing yet:
// many records that share a transaction share the writing too. Flush must
// follow before COMMIT. After an error the whole transaction is to be rolled
// back and the Book to be forgotten.
func (b *Book) Stage(ctx context.Context, tx Tx, e *Entry) (Receipt, error) {
	if err := b.load(ctx, tx); err != nil {
		return Receipt{}, err
	}
	if b.first < 0 {
		b.first = b.next
	}
	return b.record(ctx, tx, e, &b.staged)
}

// Flush writes what was staged. Without any it does nothing.
func (b *Book) Flush(ctx context.Context, tx Tx) error {
	if b.first < 0 {
		return nil
	}
	w, first := b.staged, b.first
	b.staged, b.first = pages{}, -1
	if err := b.write(ctx, tx, &w); err != nil {
		return err
	}
	return summarise(ctx, tx, first, b.next, w.blocks)
}

// Newest returns the end of an object's chain, staged records included.
func (b *Book) Newest(ctx context.Context, r Reader, ref core.Ref) (Head, bool, error) {
	if at := b.objects[ref]; at != nil && at.dirty {
		return Head{N: at.n, Seq: at.seq, State: at.state, Tenant: at.tenant}, true, nil
	}
	return ReadHead(ctx, r, ref)
}

// load finds the next index.
func (b *Book) load(ctx context.Context, r Reader) error {
	if b.loaded && (b.first >= 0 || len(b.objects)+len(b.tenants) < manyEnds) {
		return nil
	}
	b.Forget()
	epochs, err := readEpochs(ctx, r)
	if err != nil {
		return err
	}
	if b.next, err = countEntries(ctx, r); err != nil {
		return err
	}
	b.epoch = epochs[len(epochs)-1]
	b.next = max(b.next, b.epoch.Base)
	b.loaded = true
	return nil
}

// countEntries returns the highest seq plus one.
func countEntries(ctx context.Context, r Reader) (int64, error) {
	var next int64
	err := r.QueryRow(ctx, `SELECT COALESCE(MAX(seq) + 1, 0) FROM ledger_entry`).Scan(&next)
	return next, err
}

// record turns e into one leaf, or several when its events are too many.
func (b *Book) record(ctx context.Context, tx Tx, e *Entry, w *pages) (Receipt, error) {
	if err := e.check(); err != nil {
		return Receipt{}, err
	}
	if first := b.next == b.epoch.Base && b.epoch.Number > 1; first && (len(e.Events) == 0 || e.Events[0].Name != RecoveredEvent) {
		return Receipt{}, fmt.Errorf("the first record of epoch %d must say what was recovered", b.epoch.Number)
	}
	parts, blobs := split(e.Events)
	receipt := Receipt{ID: e.ID, Seq: b.next, Leaves: len(parts), Versions: make(map[core.Ref]uint64, len(e.Events))}
	for i, events := range parts {
		l, p := e.leaf(b.now)
		if len(parts) > 1 {
			l.Part, l.Parts = i+1, len(parts)
			l.ID = partID(e.ID, i)
		}
		w.blobs = l.addEvents(events, blobs, &p, b.next, w.blobs)
		hash, err := b.chain(ctx, tx, &l, events, w)
		if err != nil {
			return Receipt{}, err
		}
		if w.personal, err = b.seal(ctx, b.next, &l, &p, w.personal, &w.periods); err != nil {
			return Receipt{}, err
		}
		for _, k := range l.Objects {
			receipt.Versions[k.Object] = k.N
		}
		if i == 0 {
			receipt.Hash = hash
		}
		b.next++
	}
	return receipt, nil
}

// partID names the leaves of one entry: "r_x", "r_x.2", "r_x.3".
func partID(id string, i int) string {
	if i == 0 {
		return id
	}
	return fmt.Sprintf("%s.%d", id, i+1)
}

// chain links l to the newest leaves of its objects and tenants, fixes its
// bytes and moves the ends on.
func (b *Book) chain(ctx context.Context, r Reader, l *Leaf, events []Event, w *pages) (tlog.Hash, error) {
	touched := map[string]bool{}
	if l.Tenant != "" {
		touched[l.Tenant] = true
	}
	for i := range events {
		if err := b.link(ctx, r, l, &events[i], touched); err != nil {
			return tlog.Hash{}, err
		}
	}
	if err := b.linkTenants(ctx, r, l, touched); err != nil {
		return tlog.Hash{}, err
	}
	leaf := l.AppendJSON(make([]byte, 0, 1024))
	if len(leaf) > MaxLeaf {
		return tlog.Hash{}, fmt.Errorf("the record %s takes %d bytes; the most is %d", l.ID, len(leaf), MaxLeaf)
	}
	hash := LeafHash(leaf)
	b.moveEnds(l, hexHash(hash), w)
	b.sum(l, w)
	w.entries = append(w.entries, entryRow{b.next, l.ID, leaf})
	return hash, nil
}

// link adds e's object to l, or notes its newer state when it is there already.
func (b *Book) link(ctx context.Context, r Reader, l *Leaf, e *Event, touched map[string]bool) error {
	tenant := clean(e.Tenant, maxID)
	ref := cleanRef(e.Object)
	at, err := b.object(ctx, r, ref)
	if err != nil {
		return err
	}
	for _, t := range []string{tenant, at.tenant} {
		if t != "" {
			touched[t] = true
		}
	}
	for i := range l.Objects {
		if k := &l.Objects[i]; k.Object == ref {
			k.State, k.Tenant = e.State, tenant
			return nil
		}
	}
	l.Objects = append(l.Objects, Link{Object: ref, Tenant: tenant, N: at.n + 1, Prev: at.leaf, State: e.State})
	return nil
}

func (b *Book) linkTenants(ctx context.Context, r Reader, l *Leaf, touched map[string]bool) error {
	for _, id := range sortedKeys(touched) {
		at, err := b.tenant(ctx, r, id)
		if err != nil {
			return err
		}
		l.Tenants = append(l.Tenants, TenantLink{ID: id, N: at.n + 1, Prev: at.leaf})
	}
	return nil
}

// sum adds l to the summary of its block, so that a block of which all was
// seen need not be read again.
func (b *Book) sum(l *Leaf, w *pages) {
	if b.next%BlockSize == 0 {
		b.block = newBlock(b.next / BlockSize)
	}
	if b.block == nil {
		return
	}
	b.block.add(l)
	if (b.next+1)%BlockSize == 0 {
		w.blocks = append(w.blocks, b.block)
		b.block = nil
	}
}

func (b *Book) moveEnds(l *Leaf, hash string, w *pages) {
	for _, k := range l.Objects {
		at := b.objects[k.Object]
		if !at.dirty {
			w.objects = append(w.objects, k.Object)
		}
		at.n, at.seq, at.leaf, at.state, at.tenant, at.dirty = k.N, b.next, hash, k.State, k.Tenant, true
	}
	for _, k := range l.Tenants {
		at := b.tenants[k.ID]
		if !at.dirty {
			w.tenants = append(w.tenants, k.ID)
		}
		at.n, at.seq, at.leaf, at.dirty = k.N, b.next, hash, true
	}
}

// object returns the end of an object's chain, from memory or the database.
func (b *Book) object(ctx context.Context, r Reader, ref core.Ref) (*end, error) {
	if at := b.objects[ref]; at != nil {
		return at, nil
	}
	h, found, err := ReadHead(ctx, r, ref)
	if err != nil {
		return nil, err
	}
	at := &end{n: h.N, seq: h.Seq, state: h.State, tenant: h.Tenant, bucket: objectBucket(ref)}
	if found {
		at.leaf = hexHash(h.Leaf)
	}
	b.objects[ref] = at
	return at, nil
}

func (b *Book) tenant(ctx context.Context, r Reader, id string) (*end, error) {
	if at := b.tenants[id]; at != nil {
		return at, nil
	}
	at := &end{bucket: tenantBucket(id)}
	var leaf []byte
	err := r.QueryRow(ctx, `SELECT n, seq, leaf FROM ledger_tenant WHERE id = $1`, id).Scan(&at.n, &at.seq, &leaf)
	if err != nil && !errors.Is(err, sql.ErrNoRows) {
		return nil, fmt.Errorf("reading the head of tenant %s: %w", id, err)
	}
	at.leaf = hex.EncodeToString(leaf)
	b.tenants[id] = at
	return at, nil
}

// Head is the end of an object's chain.
type Head struct {
	N      uint64 // leaves so far; what If-Match compares
	Seq    int64  // of the newest
	Leaf   tlog.Hash
	State  string // as Event.State
	Tenant string // the owner then
}

// ReadHead returns the end of an object's chain. The bool is false for an
// object that never was in the log.
func ReadHead(ctx context.Context, r Reader, ref core.Ref) (Head, bool, error) {
	var h Head
	var leaf []byte
	err := r.QueryRow(ctx, `SELECT n, seq, leaf, state, tenant FROM ledger_head WHERE kind = $1 AND id = $2`,
		ref.Kind, ref.ID).Scan(&h.N, &h.Seq, &leaf, &h.State, &h.Tenant)
	if errors.Is(err, sql.ErrNoRows) {
		return Head{}, false, nil
	}
	if err != nil {
		return Head{}, false, fmt.Errorf("reading the head of %v: %w", ref, err)
	}
	copy(h.Leaf[:], leaf)
	return h, true, nil
}

// Head is ReadHead; unlike the writing methods it may be called from any goroutine.
func (b *Book) Head(ctx context.Context, r Reader, ref core.Ref) (Head, bool, error) {
	return ReadHead(ctx, r, ref)
}

// Version returns the counter of an object: how many leaves it has. It may be
// called from any goroutine.
func (b *Book) Version(ctx context.Context, r Reader, ref core.Ref) (uint64, bool, error) {
	h, found, err := ReadHead(ctx, r, ref)
	return h.N, found, err
}
