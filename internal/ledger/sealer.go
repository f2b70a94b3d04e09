package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"golang.org/x/mod/sumdb/tlog"
)

// Checkpoint is a signed state of the log.
type Checkpoint struct {
	Tree Tree
	Base int64  // seq of leaf 0
	Note []byte // the signed note, with cosignatures if Witnessed
}

// Covers reports whether the record is in the tree.
func (c Checkpoint) Covers(seq int64) bool { return seq >= c.Base && seq < c.Base+c.Tree.Size }

// State says how firmly a record stands (SPEC L4).
type State string

// The states. Without an outside witness root could still rewrite the log.
const (
	Committed State = "committed" // durable in the database
	Sealed    State = "sealed"    // in the tree of a signed checkpoint
	Witnessed State = "witnessed" // in the tree of a cosigned checkpoint
)

// SealerConfig is what a Sealer is made of.
type SealerConfig struct {
	Dir      string   // folder of the tiles; one folder for each epoch in it
	Keys     Keys     // signs checkpoints
	Snapshot Snapshot // reads committed records
	// Interval is the least time between two checkpoints while records keep
	// coming. Zero means 250 ms; a checkpoint follows its record within 1 s.
	Interval time.Duration
	// Report is told once when sealing begins to fail, and with nil when it
	// works again. Nil: nobody wants to know.
	Report func(error)
}

// Sealer turns committed records into tiles and signed checkpoints, in the
// order of the database, deterministically: what a crash or a full disk leaves
// half done is done again by the same code, with the same bytes.
type Sealer struct {
	SealerConfig
	wake chan struct{}

	work sync.Mutex // one round at a time
	tree *treeState // nil: to be opened

	mu          sync.RWMutex
	epochs      []Epoch
	sealed      []Checkpoint // by epoch
	witnessed   []Checkpoint
	failing     bool
	subscribers map[chan Checkpoint]struct{}
}

// treeState is the tree that the next round builds on: what was signed last.
type treeState struct {
	epoch  Epoch
	folder folder
	edge   *edge
	bundle []byte // incomplete entry bundle
	signed Tree
	shown  bool // the checkpoint file shows signed
}

// manyLeaves bounds one round: memory, and the time to the next checkpoint.
const manyLeaves = 16384

// NewSealer returns a Sealer that has not looked at anything.
func NewSealer(c SealerConfig) *Sealer {
	if c.Interval <= 0 {
		c.Interval = 250 * time.Millisecond
	}
	if c.Report == nil {
		c.Report = func(error) {}
	}
	return &Sealer{SealerConfig: c, wake: make(chan struct{}, 1), subscribers: map[chan Checkpoint]struct{}{}}
}

// Wake says that records were committed. It never waits.
func (s *Sealer) Wake() {
	select {
	case s.wake <- struct{}{}:
	default:
	}
}

// Run seals until ctx ends: at once, after each Wake, and again after errors.
func (s *Sealer) Run(ctx context.Context) {
	wait := s.Interval
	for ctx.Err() == nil {
		wake := s.wake
		if err := s.Seal(ctx); err != nil {
			s.report(err)
			wake, wait = nil, min(2*wait, 5*time.Second)
		} else {
			s.report(nil)
			wait = s.Interval
		}
		if !pause(ctx, wait) || !awaken(ctx, wake) {
			return
		}
	}
}

// pause waits for d and reports false when ctx ended first.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// awaken waits for wake, unless it is nil.
func awaken(ctx context.Context, wake <-chan struct{}) bool {
	if wake == nil {
		return true
	}
	select {
	case <-ctx.Done():
		return false
	case <-wake:
		return true
	}
}

// report tells when sealing begins to fail and when it works again.
func (s *Sealer) report(err error) {
	if errors.Is(err, context.Canceled) {
		return
	}
	s.mu.Lock()
	changed := s.failing != (err != nil)
	s.failing = err != nil
	s.mu.Unlock()
	if changed {
		s.Report(err)
	}
}

// Seal seals every record that is committed when it begins. After an error
// nothing is lost and Seal may be called again.
func (s *Sealer) Seal(ctx context.Context) error {
	s.work.Lock()
	defer s.work.Unlock()
	for {
		more, err := s.round(ctx)
		if err != nil {
			s.tree = nil
			return fmt.Errorf("sealing the action log: %w", err)
		}
		if !more {
			return nil
		}
	}
}

// round opens what is not open, seals up to manyLeaves records and reports
// whether there are more.
func (s *Sealer) round(ctx context.Context) (more bool, err error) {
	var leaves [][]byte
	err = s.Snapshot(ctx, func(r Reader) error {
		if err := s.open(ctx, r); err != nil {
			return err
		}
		leaves, err = readLeaves(ctx, r, s.tree.epoch.Base+s.tree.edge.size, manyLeaves)
		return err
	})
	if err != nil || (len(leaves) == 0 && s.tree.shown) {
		return false, err
	}
	if err := s.extend(ctx, leaves); err != nil {
		return false, err
	}
	return len(leaves) == manyLeaves, nil
}

// open finds the tree that was signed last and its right edge, on disk or, if
// that is missing or not what was signed, from the database.
func (s *Sealer) open(ctx context.Context, r Reader) error {
	epochs, err := readEpochs(ctx, r)
	if err != nil {
		return err
	}
	epoch := epochs[len(epochs)-1]
	if s.tree != nil && s.tree.epoch == epoch {
		return nil
	}
	signed, err := s.lastSigned(ctx, r, epoch)
	if err != nil {
		return err
	}
	t := &treeState{epoch: epoch, folder: epochFolder(s.Dir, epoch.Number), signed: signed}
	if err := s.loadTree(ctx, r, t); err != nil {
		return err
	}
	t.dropStale()
	t.shown = signed.Size == 0
	s.tree = t
	return s.showPast(epochs)
}

// lastSigned asks the keeper, and has it open an epoch that the database has begun.
func (s *Sealer) lastSigned(ctx context.Context, r Reader, epoch Epoch) (Tree, error) {
	signed, err := s.Keys.LastSigned(ctx)
	if err != nil {
		return Tree{}, fmt.Errorf("asking for the last signed checkpoint: %w", err)
	}
	if signed.Epoch+1 == epoch.Number {
		if err := checkEpochStart(ctx, r, epoch, signed); err != nil {
			return Tree{}, err
		}
		if err := s.Keys.OpenEpoch(ctx, epoch.Number, signed); err != nil {
			return Tree{}, fmt.Errorf("opening epoch %d: %w", epoch.Number, err)
		}
		signed = Tree{Epoch: epoch.Number}
	}
	if signed.Epoch != epoch.Number {
		return Tree{}, &BehindError{Signed: signed, Epoch: epoch}
	}
	return signed, nil
}

func (s *Sealer) loadTree(ctx context.Context, r Reader, t *treeState) error {
	next, err := countEntries(ctx, r)
	if err != nil {
		return err
	}
	if have := max(next-t.epoch.Base, 0); have < t.signed.Size {
		return &BehindError{Signed: t.signed, Epoch: t.epoch, Have: have}
	}
	if t.signed.Size == 0 {
		t.edge = &edge{}
		return nil
	}
	e, err := t.folder.loadEdge(t.signed.Size)
	if err == nil && e.root() == t.signed.Root {
		if t.bundle, err = t.folder.loadBundle(t.signed.Size); err == nil {
			t.edge = e
			return nil
		}
	}
	return s.rebuild(ctx, r, t)
}

// rebuild writes all tiles of the signed tree again from the database.
func (s *Sealer) rebuild(ctx context.Context, r Reader, t *treeState) error {
	t.edge, t.bundle = &edge{}, nil
	for t.edge.size < t.signed.Size {
		limit := min(manyLeaves, t.signed.Size-t.edge.size)
		leaves, err := readLeaves(ctx, r, t.epoch.Base+t.edge.size, int(limit))
		if err != nil {
			return err
		}
		if int64(len(leaves)) < limit {
			return &BehindError{Signed: t.signed, Epoch: t.epoch, Have: t.edge.size + int64(len(leaves))}
		}
		edge, bundle, files := t.grow(leaves)
		if err := t.folder.write(files); err != nil {
			return fmt.Errorf("writing tiles: %w", err)
		}
		t.edge, t.bundle = edge, bundle
	}
	if t.edge.root() != t.signed.Root {
		return fmt.Errorf("%w: the first %d records in the database have the root %s, signed is %s; run `hostward log verify` to see which record was changed",
			ErrNotAppendOnly, t.signed.Size, t.edge.root(), t.signed.Root)
	}
	return nil
}

// readLeaves returns up to limit leaves from seq on and insists that none is missing.
func readLeaves(ctx context.Context, r Reader, from int64, limit int) ([][]byte, error) {
	rows, err := r.Query(ctx, `SELECT seq, leaf FROM ledger_entry WHERE seq >= $1 ORDER BY seq LIMIT $2`, from, limit)
	if err != nil {
		return nil, fmt.Errorf("reading records: %w", err)
	}
	defer rows.Close()
	var leaves [][]byte
	for rows.Next() {
		var seq int64
		var leaf []byte
		if err := rows.Scan(&seq, &leaf); err != nil {
			return nil, fmt.Errorf("reading records: %w", err)
		}
		if want := from + int64(len(leaves)); seq != want {
			return nil, fmt.Errorf("%w: record %d is missing from the database", ErrNotAppendOnly, want)
		}
		leaves = append(leaves, leaf)
	}
	return leaves, rows.Err()
}

// grow computes the tree with leaves added and the files that are new in it.
func (t *treeState) grow(leaves [][]byte) (*edge, []byte, []treeFile) {
	e := t.edge.clone()
	bundle := bytes.Clone(t.bundle)
	var files []treeFile
	full := func(level int, n int64, hashes []tlog.Hash) {
		files = append(files, treeFile{tilePath(level, n, tileWidth), packHashes(hashes)})
	}
	for _, leaf := range leaves {
		bundle = appendBundled(bundle, leaf)
		e.append(LeafHash(leaf), full)
		if e.size%tileWidth == 0 {
			files = append(files, treeFile{tilePath(entriesLevel, e.size/tileWidth-1, tileWidth), bundle})
			bundle = nil
		}
	}
	if len(bundle) > 0 {
		files = append(files, treeFile{tilePath(entriesLevel, e.size/tileWidth, int(e.size%tileWidth)), bundle})
	}
	return e, bundle, append(files, e.partials()...)
}

// extend makes tiles durable, has the tree signed, then shows the checkpoint:
// in this order, so that a checkpoint never speaks of tiles that are not
// there. Signing is the point of no return. A crash before it leaves tiles
// beyond the signed tree, which are written again; a crash after it leaves an
// old checkpoint file, which open replaces, since the same tree is signed
// again with the same result.
func (s *Sealer) extend(ctx context.Context, leaves [][]byte) error {
	t := s.tree
	edge, bundle, files := t.grow(leaves)
	if err := t.folder.write(files); err != nil {
		return fmt.Errorf("writing tiles: %w", err)
	}
	next := Tree{Epoch: t.epoch.Number, Size: edge.size, Root: edge.root()}
	note, err := s.sign(ctx, t, next)
	if err != nil {
		return err
	}
	if err := t.folder.write([]treeFile{{"checkpoint", note}}); err != nil {
		return fmt.Errorf("writing the checkpoint: %w", err)
	}
	old := t.edge.size
	t.edge, t.bundle, t.signed, t.shown = edge, bundle, next, true
	t.dropFilled(old)
	s.publish(Checkpoint{Tree: next, Base: t.epoch.Base, Note: note})
	return nil
}

func (s *Sealer) sign(ctx context.Context, t *treeState, next Tree) ([]byte, error) {
	var proof tlog.TreeProof
	if t.signed.Size > 0 && t.signed.Size < next.Size {
		var err error
		proof, err = tlog.ProveTree(next.Size, t.signed.Size, t.folder.hashes(next.Size))
		if err != nil {
			return nil, fmt.Errorf("proving that the log only grew: %w", err)
		}
	}
	note, err := s.Keys.SignCheckpoint(ctx, next, proof)
	if err != nil {
		return nil, fmt.Errorf("having the checkpoint signed: %w", err)
	}
	return note, nil
}

// dropFilled removes partial tiles of every tile completed since old.
func (t *treeState) dropFilled(old int64) {
	for level := entriesLevel; level < len(t.edge.levels); level++ {
		shift := tileHeight * (max(level, 0) + 1)
		for n := old >> shift; n < t.edge.size>>shift; n++ {
			t.folder.dropPartials(level, n)
		}
	}
}

// dropStale removes what a crash kept dropFilled from removing.
func (t *treeState) dropStale() {
	for level := entriesLevel; level < len(t.edge.levels); level++ {
		if n := t.edge.size >> (tileHeight * (max(level, 0) + 1)); n > 0 {
			t.folder.dropPartials(level, n-1)
		}
	}
}

// showPast reads what earlier runs sealed and what witnesses signed.
func (s *Sealer) showPast(epochs []Epoch) error {
	sealed := make([]Checkpoint, len(epochs))
	witnessed := make([]Checkpoint, len(epochs))
	for i, e := range epochs {
		for _, c := range []struct {
			to   *Checkpoint
			name string
		}{{&sealed[i], "checkpoint"}, {&witnessed[i], "witnessed"}} {
			var err error
			if *c.to, err = readCheckpoint(epochFolder(s.Dir, e.Number), c.name, e); err != nil {
				return err
			}
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.epochs, s.sealed, s.witnessed = epochs, sealed, witnessed
	return nil
}

// readCheckpoint reads a note without checking signatures. Without a file
// nothing is sealed.
func readCheckpoint(f folder, name string, e Epoch) (Checkpoint, error) {
	c := Checkpoint{Base: e.Base, Tree: Tree{Epoch: e.Number}}
	data, err := f.read(name)
	if errors.Is(err, fs.ErrNotExist) {
		return c, nil
	}
	if err != nil {
		return c, fmt.Errorf("reading the %s: %w", name, err)
	}
	text, _, found := bytes.Cut(data, []byte("\n\n"))
	if !found {
		return c, nil
	}
	if _, tree, err := ParseCheckpoint(string(text) + "\n"); err == nil {
		c.Tree, c.Note = tree, data
		c.Tree.Epoch = e.Number
	}
	return c, nil
}

func (s *Sealer) publish(c Checkpoint) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.sealed[len(s.sealed)-1] = c
	s.tell(c)
}

// tell gives each subscriber the newest checkpoint in place of one it has not taken.
func (s *Sealer) tell(c Checkpoint) {
	for ch := range s.subscribers {
		select {
		case <-ch:
		default:
		}
		ch <- c
	}
}

// Subscribe returns a channel with the newest checkpoint, sealed or witnessed;
// who is slow sees only the latest. It is closed by the function that comes with it.
func (s *Sealer) Subscribe() (<-chan Checkpoint, func()) {
	ch := make(chan Checkpoint, 1)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.subscribers[ch] = struct{}{}
	if n := len(s.sealed); n > 0 && s.sealed[n-1].Tree.Size > 0 {
		ch <- s.sealed[n-1]
	}
	return ch, sync.OnceFunc(func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		delete(s.subscribers, ch)
		close(ch)
	})
}

// Sealed returns the newest checkpoint; size 0 when there is none.
func (s *Sealer) Sealed() Checkpoint { return s.newest(s.sealedList) }

// LastWitnessed returns the newest cosigned checkpoint.
func (s *Sealer) LastWitnessed() Checkpoint { return s.newest(s.witnessedList) }

func (s *Sealer) sealedList() []Checkpoint    { return s.sealed }
func (s *Sealer) witnessedList() []Checkpoint { return s.witnessed }

func (s *Sealer) newest(list func() []Checkpoint) Checkpoint {
	s.mu.RLock()
	defer s.mu.RUnlock()
	if l := list(); len(l) > 0 {
		return l[len(l)-1]
	}
	return Checkpoint{}
}

// SetWitnessed keeps a checkpoint of this log that witnesses have cosigned.
// Whoever calls it has verified the cosignatures. Older ones than the last
// are ignored.
func (s *Sealer) SetWitnessed(c Checkpoint) error {
	s.work.Lock()
	defer s.work.Unlock()
	last := s.LastWitnessed()
	if c.Tree.Epoch != last.Tree.Epoch || c.Tree.Size < last.Tree.Size {
		return nil
	}
	f := epochFolder(s.Dir, c.Tree.Epoch)
	if err := f.write([]treeFile{{"witnessed", c.Note}}); err != nil {
		return fmt.Errorf("keeping a cosigned checkpoint: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.witnessed[len(s.witnessed)-1] = c
	s.tell(c)
	return nil
}

// Status returns the state of a record that is committed.
func (s *Sealer) Status(seq int64) State {
	s.mu.RLock()
	defer s.mu.RUnlock()
	covers := func(c Checkpoint) bool { return c.Covers(seq) }
	switch {
	case slices.ContainsFunc(s.witnessed, covers):
		return Witnessed
	case slices.ContainsFunc(s.sealed, covers):
		return Sealed
	}
	return Committed
}

// WaitFor returns when the record has the state, Sealed or Witnessed, or ctx ends.
func (s *Sealer) WaitFor(ctx context.Context, seq int64, state State) error {
	news, cancel := s.Subscribe()
	defer cancel()
	for {
		if at := s.Status(seq); at == state || at == Witnessed {
			return nil
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-news:
		}
	}
}

// BehindError says that the database holds less than what was signed: it was
// rolled back, or its newest records were cut off (SPEC L8).
type BehindError struct {
	Signed    Tree
	Epoch     Epoch
	Have      int64 // records of that epoch in the database
	Witnessed bool  // an outside witness has seen Signed
}

// Error says what happened and what to do.
func (e *BehindError) Error() string {
	who := "signed"
	if e.Witnessed {
		who = "signed and cosigned by a witness"
	}
	return fmt.Sprintf("the database is behind its own log: %d records of epoch %d were %s, the database has %d (epoch %d); "+
		"it was restored from an older copy or records were cut off. Put back the newer database, or, if it is lost, "+
		"run `hostward log recover --reason …`, which opens a new epoch and records what is missing",
		e.Signed.Size, e.Signed.Epoch, who, e.Have, e.Epoch.Number)
}
