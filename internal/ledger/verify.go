package ledger

import (
	"context"
	"database/sql"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/core"
)

// Sampled is up to how many records Verify opens every personal value; of more
// it opens about so many, spread over the log, unless Thorough.
const Sampled = 2000

// VerifyOptions says what to verify and against what.
type VerifyOptions struct {
	Snapshot Snapshot
	Dir      string // folder of the tiles
	// VerifierKey returns the verifier key of an epoch, as Keys.VerifierKey does.
	VerifierKey func(epoch int) string
	// Keys, if there, also opens personal values and says what was signed last.
	Keys Keys
	// Witnesses are those whose cosignatures count.
	Witnesses []note.Verifier
	// Known are trees that somebody outside has kept; each must be the
	// beginning of this log.
	Known []Tree
	// States yields kind, id and digest of every object that is in the database
	// now and returns the kinds it has gone through completely.
	States func(ctx context.Context, r Reader, yield func(ref core.Ref, digest string) error) (kinds []string, err error)
	// Thorough opens every personal value, not some 2000 spread over the log,
	// and recomputes every summary that lists go by.
	Thorough bool
	// Progress, if there, is told how many of how many records are done.
	Progress func(done, total int64)
}

// Verify recomputes the log from the database and compares it with tiles,
// checkpoints, heads and the state of objects. Findings are in the report; the
// error says why verifying was not possible.
func Verify(ctx context.Context, o VerifyOptions) (Report, error) {
	began := time.Now()
	v := &verification{
		VerifyOptions: o, objects: map[core.Ref]*chainEnd{}, tenants: map[string]*chainEnd{},
		erased: map[string]bool{}, blobs: map[string]BlobRef{},
	}
	v.buckets = make([]bucketState, Buckets)
	if err := v.readNotes(ctx); err != nil {
		return v.report, fmt.Errorf("verifying the action log: %w", err)
	}
	err := o.Snapshot(ctx, func(r Reader) error { return v.all(ctx, r) })
	if err != nil {
		return v.report, fmt.Errorf("verifying the action log: %w", err)
	}
	v.report.order()
	v.report.Took = time.Since(began)
	return v.report, nil
}

// verification is one run of Verify.
type verification struct {
	VerifyOptions
	report  Report
	notes   map[string]noteFile // by epoch and name
	signed  *Tree               // what the keeper signed last
	epochs  []Epoch
	next    int64 // seq after the last record in the database
	objects map[core.Ref]*chainEnd
	tenants map[string]*chainEnd
	buckets []bucketState
	erased  map[string]bool    // periods that erasure records name
	blobs   map[string]BlobRef // named by leaves
	wrong   bool               // a record is not what was sealed: chains after it mean nothing
}

// chainEnd is where the chain of an object or tenant stands.
type chainEnd struct {
	line HeadLine
	seq  int64
	hash tlog.Hash // of line, zero when it changed
	seen bool      // found in the table of heads, or among the states
}

type bucketState struct {
	ends  []*chainEnd
	root  tlog.Hash
	dirty bool
}

func (v *verification) all(ctx context.Context, r Reader) error {
	var err error
	if v.epochs, err = readEpochs(ctx, r); err != nil {
		return err
	}
	if v.next, err = countEntries(ctx, r); err != nil {
		return err
	}
	v.report.Epochs = len(v.epochs)
	for i, e := range v.epochs {
		end := v.next
		if i+1 < len(v.epochs) {
			end = v.epochs[i+1].Base
		}
		if err := v.epoch(ctx, r, e, end, i+1 == len(v.epochs)); err != nil {
			return err
		}
	}
	for _, step := range []func(context.Context, Reader) error{
		v.compareHeads, v.compareTenants, v.comparePersonal, v.compareBlobs, v.compareBlocks, v.compareStates,
	} {
		if err := step(ctx, r); err != nil {
			return err
		}
	}
	return nil
}

// epochRun is the verification of one epoch's tree.
type epochRun struct {
	*verification
	epoch  Epoch
	folder folder
	end    int64 // seq after its last possible record
	last   bool
	signed Checkpoint
	cosign Checkpoint
	edge   *edge
	sealed *edge               // the edge at the signed size
	roots  map[int64]tlog.Hash // by size, of the sizes somebody signed
	differ []fileDifference    // between database and files
	gap    int64               // seq after the last missing record, to say each gap once
}

func (v *verification) epoch(ctx context.Context, r Reader, e Epoch, end int64, last bool) error {
	run := &epochRun{verification: v, epoch: e, folder: epochFolder(v.Dir, e.Number), end: end, last: last,
		edge: &edge{}, roots: map[int64]tlog.Hash{}}
	if err := run.checkpoints(ctx); err != nil {
		return err
	}
	if err := run.bound(ctx, r); err != nil {
		return err
	}
	if err := run.records(ctx, r); err != nil {
		return err
	}
	return run.conclude(ctx, r)
}

// bound finds where the records of the epoch end.
func (run *epochRun) bound(ctx context.Context, r Reader) error {
	var next int64
	err := r.QueryRow(ctx, `SELECT COALESCE(MAX(seq) + 1, 0) FROM ledger_entry WHERE seq < $1`, run.end).Scan(&next)
	run.end = max(next, run.epoch.Base)
	return err
}

// checkpoints reads what was signed and cosigned, and by whom.
func (run *epochRun) checkpoints(ctx context.Context) error {
	var err error
	run.signed, err = run.checkpoint("checkpoint")
	if err != nil {
		return err
	}
	if run.cosign, err = run.checkpoint("witnessed"); err != nil {
		return err
	}
	run.newest()
	for _, t := range append([]Tree{run.signed.Tree, run.cosign.Tree}, run.Known...) {
		if t.Epoch == run.epoch.Number && t.Size > 0 {
			run.roots[t.Size] = tlog.Hash{}
		}
	}
	return nil
}

// checkpoint reads one note and checks its signatures.
func (run *epochRun) checkpoint(name string) (Checkpoint, error) {
	c := Checkpoint{Base: run.epoch.Base, Tree: Tree{Epoch: run.epoch.Number}}
	data, err := run.notes[noteName(run.epoch.Number, name)].get()
	if errors.Is(err, fs.ErrNotExist) {
		if name == "checkpoint" && run.end > run.epoch.Base {
			run.note(WrongSignature, "the signed checkpoint of epoch %d is missing (%s in %s)", run.epoch.Number, name, run.folder.dir)
		}
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("reading the %s: %w", name, err)
	}
	key := run.VerifierKey(run.epoch.Number)
	tree, who, err := OpenCheckpoint(data, key, run.Witnesses)
	if err != nil {
		run.note(WrongSignature, "the file %s of epoch %d is not a checkpoint of this log: %v", name, run.epoch.Number, err)
		return c, nil
	}
	if name == "witnessed" {
		run.report.Witnesses = who
		if len(who) == 0 {
			return c, nil
		}
	}
	c.Tree, c.Note = tree, data
	return c, nil
}

// OpenCheckpoint checks the log's signature on a note and returns the tree and
// the names of the witnesses whose cosignatures hold.
func OpenCheckpoint(data []byte, vkey string, witnesses []note.Verifier) (Tree, []string, error) {
	log, err := note.NewVerifier(vkey)
	if err != nil {
		return Tree{}, nil, fmt.Errorf("the verifier key: %w", err)
	}
	n, err := note.Open(data, note.VerifierList(append([]note.Verifier{log}, witnesses...)...))
	if err != nil {
		return Tree{}, nil, fmt.Errorf("its signature does not hold: %w", err)
	}
	var who []string
	signed := false
	for _, s := range n.Sigs {
		if s.Name == log.Name() && s.Hash == log.KeyHash() {
			signed = true
		} else {
			who = append(who, s.Name)
		}
	}
	origin, tree, err := ParseCheckpoint(n.Text)
	switch {
	case !signed:
		return Tree{}, nil, errors.New("it is not signed by the log's key")
	case err != nil:
		return Tree{}, nil, err
	case origin != log.Name():
		return Tree{}, nil, fmt.Errorf("its origin is %q, not %q", origin, log.Name())
	}
	return tree, who, nil
}

// newest compares the checkpoint file with the keeper's memory.
func (run *epochRun) newest() {
	if run.verification.signed == nil || !run.last {
		return
	}
	signed := *run.verification.signed
	if signed.Epoch != run.epoch.Number {
		run.note(WrongSignature, "the keeper has signed epoch %d, the database is in epoch %d", signed.Epoch, run.epoch.Number)
		return
	}
	if signed != run.signed.Tree && signed.Size > 0 {
		run.note(WrongSignature, "the checkpoint file shows %v; the keeper last signed %v", run.signed.Tree, signed)
		run.signed.Tree = signed
	}
}

// noteFile is a checkpoint as it was read.
type noteFile struct {
	data []byte
	err  error
}

func (n noteFile) get() ([]byte, error) {
	if n.data == nil && n.err == nil {
		return nil, fs.ErrNotExist
	}
	return n.data, n.err
}

func noteName(epoch int, name string) string { return strconv.Itoa(epoch) + "/" + name }

// readNotes reads every checkpoint before the database is looked at, so that
// records which a running sealer adds meanwhile do not seem to be missing. It
// gives the sealer time to finish between signing and writing.
func (v *verification) readNotes(ctx context.Context) error {
	const tries, pause = 40, 50 * time.Millisecond
	for range tries {
		v.notes, v.signed = map[string]noteFile{}, nil
		if v.Keys != nil {
			signed, err := v.Keys.LastSigned(ctx)
			if err != nil {
				return fmt.Errorf("asking for the last signed checkpoint: %w", err)
			}
			v.signed = &signed
		}
		v.readFolders()
		if v.signed == nil || v.shows(*v.signed) {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(pause):
		}
	}
	return nil
}

func (v *verification) readFolders() {
	for epoch := 1; ; epoch++ {
		f := epochFolder(v.Dir, epoch)
		if _, err := os.Stat(f.dir); err != nil {
			return
		}
		for _, name := range []string{"witnessed", "checkpoint"} {
			data, err := f.read(name)
			v.notes[noteName(epoch, name)] = noteFile{data, err}
		}
	}
}

// shows reports whether the checkpoint file is the one of the signed tree, or
// waiting would not help.
func (v *verification) shows(signed Tree) bool {
	data := v.notes[noteName(signed.Epoch, "checkpoint")].data
	if data == nil {
		return true
	}
	shown, _, err := OpenCheckpoint(data, v.VerifierKey(signed.Epoch), nil)
	return err != nil || shown == signed
}

func (v *verification) note(kind, format string, args ...any) {
	v.report.add(Finding{Kind: kind, Seq: -1, What: fmt.Sprintf(format, args...)})
}

func (run *epochRun) noteRecord(kind string, seq int64, l *Leaf, format string, args ...any) {
	f := Finding{Kind: kind, Seq: seq, Epoch: run.epoch.Number, Index: seq - run.epoch.Base, What: fmt.Sprintf(format, args...)}
	if l != nil && l.ID != "" {
		f = f.about(l)
	}
	run.report.add(f)
}

// chunk is a run of records on its way through the pipeline.
type chunk struct {
	from int64 // seq of the first; a multiple of tileWidth from the epoch's base
	size int64
	rows []chunkRow
	data []byte // all ids and leaves
	done chan struct{}

	compared int // files
	files    []fileDifference
}

// chunkRow is one record; id and leaf lie in chunk.data.
type chunkRow struct {
	present     bool
	id, at, end int
	hash        tlog.Hash
	hex         string
	leaf        Leaf
	bad         error
	idDiffers   bool
}

func (c *chunk) leaf(i int) []byte { return c.data[c.rows[i].at:c.rows[i].end] }

const chunkSize = 8 * tileWidth

// records reads, decodes and hashes with every core, and puts the results
// together in order.
func (run *epochRun) records(ctx context.Context, r Reader) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	workers := max(runtime.GOMAXPROCS(0), 2)
	work := make(chan *chunk, workers)
	order := make(chan *chunk, 2*workers)
	pool := make(chan *chunk, 4*workers)
	for range cap(pool) {
		pool <- &chunk{rows: make([]chunkRow, chunkSize)}
	}
	var wait sync.WaitGroup
	for range workers {
		wait.Go(func() {
			for c := range work {
				run.digest(c)
				close(c.done)
			}
		})
	}
	var failed error
	wait.Go(func() {
		defer close(work)
		defer close(order)
		failed = run.feed(ctx, r, pool, work, order)
	})
	for c := range order {
		<-c.done
		run.join(c)
		pool <- c
	}
	wait.Wait()
	return failed
}

// feed reads the records in chunks.
func (run *epochRun) feed(ctx context.Context, r Reader, pool <-chan *chunk, work, order chan<- *chunk) error {
	end := run.end
	for from := run.epoch.Base; from < end; from += chunkSize {
		c := <-pool
		c.from, c.size = from, min(chunkSize, end-from)
		if err := c.read(ctx, r); err != nil {
			return fmt.Errorf("reading records: %w", err)
		}
		c.done = make(chan struct{})
		order <- c
		work <- c
		if run.Progress != nil {
			run.Progress(from+c.size, run.next)
		}
	}
	return nil
}

func (c *chunk) read(ctx context.Context, r Reader) error {
	rows, err := r.Query(ctx, `SELECT seq, id, leaf FROM ledger_entry WHERE seq >= $1 AND seq < $2 ORDER BY seq`, c.from, c.from+c.size)
	if err != nil {
		return err
	}
	defer rows.Close()
	c.data, c.files, c.compared = c.data[:0], nil, 0
	for i := range c.rows {
		c.rows[i].present = false
	}
	var seq int64
	var id, leaf sql.RawBytes
	for rows.Next() {
		if err := rows.Scan(&seq, &id, &leaf); err != nil {
			return err
		}
		row := &c.rows[seq-c.from]
		row.present, row.id = true, len(c.data)
		c.data = append(c.data, id...)
		row.at = len(c.data)
		c.data = append(c.data, leaf...)
		row.end = len(c.data)
	}
	return rows.Err()
}

// digest does what needs no order: decode, hash, compare with files.
func (run *epochRun) digest(c *chunk) {
	text := string(c.data)
	for i := range c.rows[:c.size] {
		row := &c.rows[i]
		row.hash, row.hex, row.bad = tlog.Hash{}, "", nil
		if !row.present {
			continue
		}
		row.hash = LeafHash(c.data[row.at:row.end])
		row.hex = hex.EncodeToString(row.hash[:])
		row.bad = decodeLeaf(text[row.at:row.end], &row.leaf)
		row.idDiffers = text[row.id:row.at] != row.leaf.ID
	}
	run.compareFiles(c)
}

// join does what needs order: the tree, the chains, the heads records.
func (run *epochRun) join(c *chunk) {
	run.report.Files += c.compared
	run.differ = append(run.differ, c.files...)
	for i := range c.rows[:c.size] {
		row := &c.rows[i]
		seq := c.from + int64(i)
		run.edge.append(row.hash, func(level int, n int64, hashes []tlog.Hash) {
			if level > 0 && (n+1)<<(tileHeight*(level+1)) <= run.signed.Tree.Size {
				run.compareTile(level, n, hashes)
			}
		})
		if run.edge.size == run.signed.Tree.Size {
			run.sealed = run.edge.clone()
		}
		if _, asked := run.roots[run.edge.size]; asked {
			run.roots[run.edge.size] = run.edge.root()
		}
		if row.present {
			run.report.Records++
		}
		run.joinRecord(seq, row)
	}
}

func (run *epochRun) joinRecord(seq int64, row *chunkRow) {
	switch {
	case !row.present:
		run.missing(seq)
		return
	case row.bad != nil:
		run.noteRecord(AlteredRecord, seq, nil, "it cannot be read: %v", row.bad)
		run.wrong = true
		return
	case row.idDiffers:
		run.noteRecord(AlteredRecord, seq, &row.leaf, "the column id differs from the record's id")
	}
	l := &row.leaf
	for i := range l.Events {
		run.event(seq, l, &l.Events[i])
	}
	if len(l.Events) > 0 && l.Events[0].Name == HeadsEvent {
		run.heads(seq, l)
	}
	for i := range l.Objects {
		run.follow(seq, l, run.object(&l.Objects[i]), l.Objects[i].N, l.Objects[i].Prev, row.hex)
	}
	for i := range l.Tenants {
		run.follow(seq, l, run.tenant(l.Tenants[i].ID), l.Tenants[i].N, l.Tenants[i].Prev, row.hex)
	}
	for i := range l.Objects {
		k := &l.Objects[i]
		at := run.objects[k.Object]
		at.line.State = strings.Clone(k.State)
		if at.line.Tenant != k.Tenant {
			at.line.Tenant = strings.Clone(k.Tenant)
		}
	}
}

// event notes what later steps need.
func (v *verification) event(_ int64, _ *Leaf, f *Fact) {
	if f.Blob != nil {
		digest := strings.Clone(f.Blob.Digest)
		v.blobs[digest] = BlobRef{Digest: digest, Count: f.Blob.Count, Size: f.Blob.Size}
	}
	if f.Name == ErasedEvent {
		for _, field := range f.Fields {
			if field.Name == "period" && field.New != nil {
				v.erased[strings.Clone(*field.New)] = true
			}
		}
	}
}

func (v *verification) object(k *Link) *chainEnd {
	at := v.objects[k.Object]
	if at == nil {
		// Cloned: what a leaf holds keeps the memory of its whole chunk alive.
		ref := core.Ref{Kind: strings.Clone(k.Object.Kind), ID: strings.Clone(k.Object.ID)}
		at = &chainEnd{line: HeadLine{Object: ref}}
		v.objects[ref] = at
		v.place(at, objectBucket(k.Object))
	}
	v.buckets[objectBucket(k.Object)].dirty = true
	return at
}

func (v *verification) tenant(id string) *chainEnd {
	at := v.tenants[id]
	if at == nil {
		id = strings.Clone(id)
		at = &chainEnd{line: HeadLine{Tenant: id}}
		v.tenants[id] = at
		v.place(at, tenantBucket(id))
	}
	v.buckets[tenantBucket(id)].dirty = true
	return at
}

func (v *verification) place(at *chainEnd, bucket int) {
	v.buckets[bucket].ends = append(v.buckets[bucket].ends, at)
}

// follow moves a chain on. After a record that is not what was sealed, chains
// are bound to be broken: that is said once, at its cause.
func (run *epochRun) follow(seq int64, l *Leaf, at *chainEnd, n uint64, prev, hash string) {
	if (n != at.line.N+1 || prev != at.line.Leaf) && !run.wrong {
		run.noteRecord(BrokenChain, seq, l, "its chain is broken: it says it is number %d of %s after the record with hash %.12s; the record before is number %d with hash %.12s",
			n, name(at.line), orNone(prev), at.line.N, orNone(at.line.Leaf))
		run.wrong = true
	}
	at.line.N, at.line.Leaf, at.seq, at.hash = n, hash, seq, tlog.Hash{}
}

func name(h HeadLine) string {
	if h.Object == (core.Ref{}) {
		return "tenant " + h.Tenant
	}
	return h.Object.String()
}

func orNone(s string) string {
	if s == "" {
		return "(none)"
	}
	return s
}

// heads recomputes the heads map and compares it with a heads record.
func (run *epochRun) heads(seq int64, l *Leaf) {
	run.report.Heads++
	var root, below string
	for _, f := range l.Events[0].Fields {
		if f.New != nil && f.Name == "root" {
			root = *f.New
		}
		if f.New != nil && f.Name == "below" {
			below = *f.New
		}
	}
	if run.wrong {
		return
	}
	if below != strconv.FormatInt(seq, 10) || root != hexHash(run.mapRoot()) {
		run.noteRecord(WrongHeads, seq, l, "the heads map it commits to is not that of the records before it")
	}
}

// mapRoot brings the buckets up to date.
func (v *verification) mapRoot() tlog.Hash {
	roots := make([]tlog.Hash, Buckets)
	for i := range v.buckets {
		b := &v.buckets[i]
		if b.dirty || b.root == (tlog.Hash{}) {
			b.update()
		}
		roots[i] = b.root
	}
	return mapRoot(roots)
}

func (b *bucketState) update() {
	sortEnds(b.ends)
	hashes := make([]tlog.Hash, len(b.ends))
	for i, at := range b.ends {
		if at.hash == (tlog.Hash{}) {
			at.hash = LeafHash(at.line.JSON())
		}
		hashes[i] = at.hash
	}
	b.root, b.dirty = merkleRoot(hashes), false
}

// CheckKey says what is wrong with the text of a log's verifier key.
func CheckKey(vkey string) error {
	_, err := note.NewVerifier(vkey)
	return err
}
