package ledger

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"

	"golang.org/x/mod/sumdb/tlog"
)

// fileDifference is a tile or bundle that is not what the database leads to.
type fileDifference struct {
	path    string
	level   int
	indexes []int64 // leaves that differ; none: the whole file is missing or damaged
	fault   string
}

// compareFiles holds a chunk against the hash tiles of level 0 and the entry
// bundles, as far as the log is signed.
func (run *epochRun) compareFiles(c *chunk) {
	for at := int64(0); at < c.size; at += tileWidth {
		first := c.from + at - run.epoch.Base
		width := int(min(tileWidth, run.signed.Tree.Size-first))
		if width <= 0 {
			return
		}
		rows := c.rows[at:min(at+int64(width), c.size)]
		c.compared += 2
		if d := run.compareHashes(first, width, rows); d.fault != "" {
			c.files = append(c.files, d)
		}
		leaf := func(i int) []byte { return c.leaf(int(at) + i) }
		if d := run.compareBundle(first, width, rows, leaf); d.fault != "" {
			c.files = append(c.files, d)
		}
	}
}

func (run *epochRun) compareHashes(first int64, width int, rows []chunkRow) fileDifference {
	d := fileDifference{path: tilePath(0, first/tileWidth, width)}
	hashes, err := run.folder.readTile(0, first/tileWidth, width)
	if err != nil {
		return d.damaged(err)
	}
	for i := range rows {
		if rows[i].present && hashes[i] != rows[i].hash {
			d.indexes = append(d.indexes, first+int64(i))
			d.fault = "differs from the records"
		}
	}
	return d
}

func (run *epochRun) compareBundle(first int64, width int, rows []chunkRow, leaf func(int) []byte) fileDifference {
	d := fileDifference{path: tilePath(entriesLevel, first/tileWidth, width), level: entriesLevel}
	leaves, err := run.folder.readBundle(first/tileWidth, width)
	if err != nil {
		return d.damaged(err)
	}
	for i := range rows {
		if rows[i].present && !bytes.Equal(leaves[i], leaf(i)) {
			d.indexes = append(d.indexes, first+int64(i))
			d.fault = "differs from the records"
		}
	}
	return d
}

func (d fileDifference) damaged(err error) fileDifference {
	d.fault = "is damaged: " + err.Error()
	if errors.Is(err, fs.ErrNotExist) {
		d.fault = "is missing"
	}
	return d
}

// compareTile holds one computed tile of a higher level against its file.
func (run *epochRun) compareTile(level int, n int64, hashes []tlog.Hash) {
	run.report.Files++
	d := fileDifference{path: tilePath(level, n, len(hashes)), level: level}
	found, err := run.folder.readTile(level, n, len(hashes))
	switch {
	case err != nil:
		run.differ = append(run.differ, d.damaged(err))
	case !bytes.Equal(packHashes(found), packHashes(hashes)):
		d.fault = "differs from the records"
		run.differ = append(run.differ, d)
	}
}

// readBundle returns the first width leaves of an entry bundle, from its own
// file, the full one, or a wider partial one.
func (f folder) readBundle(n int64, width int) ([][]byte, error) {
	data, err := f.read(tilePath(entriesLevel, n, width))
	for _, w := range []int{tileWidth} {
		if errors.Is(err, fs.ErrNotExist) && width < w {
			data, err = f.read(tilePath(entriesLevel, n, w))
		}
	}
	if err != nil {
		return nil, err
	}
	leaves, err := unpackBundle(data)
	if err != nil {
		return nil, err
	}
	if len(leaves) < width {
		return nil, fmt.Errorf("it holds %d records", len(leaves))
	}
	return leaves[:width], nil
}

// missing notes a record that is not in the database, once for each gap.
func (run *epochRun) missing(seq int64) {
	run.wrong = true
	if seq != run.gap || seq == run.epoch.Base {
		l, _ := run.sealedLeaf(seq - run.epoch.Base)
		run.noteRecord(RemovedRecord, seq, l, "it is missing from the database")
	}
	run.gap = seq + 1
}

// sealedLeaf returns a leaf from the bundles if its hash is that in the tiles.
func (run *epochRun) sealedLeaf(index int64) (*Leaf, tlog.Hash) {
	if index < 0 || index >= run.signed.Tree.Size {
		return nil, tlog.Hash{}
	}
	n := index / tileWidth
	width := int(min(tileWidth, run.signed.Tree.Size-n*tileWidth))
	hashes, err := run.folder.readTile(0, n, width)
	if err != nil {
		return nil, tlog.Hash{}
	}
	hash := hashes[index%tileWidth]
	leaves, err := run.folder.readBundle(n, width)
	if err != nil || LeafHash(leaves[index%tileWidth]) != hash {
		return nil, hash
	}
	l, err := DecodeLeaf(leaves[index%tileWidth])
	if err != nil {
		return nil, hash
	}
	return l, hash
}

// conclude says who is right, the database or the files, and what is wrong
// with the other.
func (run *epochRun) conclude(ctx context.Context, r Reader) error {
	have := run.edge.size
	signed := run.signed.Tree
	run.count(have)
	run.compareEdge()
	genuine := have >= signed.Size && (signed.Size == 0 || run.roots[signed.Size] == signed.Root)
	if genuine {
		run.blameFiles()
		run.compareKnown(have)
		return nil
	}
	if have < signed.Size && run.lost(ctx, r, have) {
		return nil
	}
	return run.blameDatabase(ctx, r, have)
}

// count notes how many records are sealed and witnessed.
func (run *epochRun) count(have int64) {
	run.report.Sealed += min(have, run.signed.Tree.Size)
	run.report.Witnessed += min(have, run.cosign.Tree.Size)
	if run.last {
		run.report.Newest = run.signed.Tree
	}
}

// compareEdge compares the partial tiles of higher levels.
func (run *epochRun) compareEdge() {
	if run.sealed == nil {
		return
	}
	for level, hashes := range run.sealed.levels {
		if level > 0 && len(hashes) > 0 {
			run.compareTile(level, run.sealed.size>>(tileHeight*(level+1)), hashes)
		}
	}
}

func (run *epochRun) blameFiles() {
	for _, d := range run.differ {
		where := ""
		if len(d.indexes) > 0 {
			where = fmt.Sprintf(" from record %d on", run.epoch.Base+d.indexes[0])
			d.fault = "was replaced: it differs from the signed tree"
		} else if d.fault == "differs from the records" {
			d.fault = "was replaced: it differs from the signed tree"
		}
		run.note(WrongFile, "the file %s of epoch %d %s%s; the database is as it was signed", d.path, run.epoch.Number, d.fault, where)
	}
}

// compareKnown holds the log against trees that others have kept.
func (run *epochRun) compareKnown(have int64) {
	for _, t := range append([]Tree{run.cosign.Tree}, run.Known...) {
		if t.Epoch != run.epoch.Number || t.Size == 0 {
			continue
		}
		if t.Size > have || run.roots[t.Size] != t.Root {
			run.note(WrongSignature, "a checkpoint kept outside (%v) is not the beginning of this log: the log was rewritten", t)
		}
	}
}

// lost reports whether the next epoch's first record says that the records
// from have on are lost, and the tiles still lead to what was signed.
func (run *epochRun) lost(ctx context.Context, r Reader, have int64) bool {
	if run.last {
		return false
	}
	var next Epoch
	for i := range run.epochs {
		if run.epochs[i].Number == run.epoch.Number {
			next = run.epochs[i+1]
		}
	}
	if checkEpochStart(ctx, r, next, run.signed.Tree) != nil {
		return false
	}
	for _, d := range run.differ {
		if d.level == 0 && len(d.indexes) > 0 {
			return false
		}
	}
	if root, err := run.tilesRoot(); err == nil && root != run.signed.Tree.Root {
		return false
	}
	run.report.Lost += run.signed.Tree.Size - have
	return true
}

// tilesRoot is the root that the hash tiles of level 0 lead to.
func (run *epochRun) tilesRoot() (tlog.Hash, error) {
	e := &edge{}
	for e.size < run.signed.Tree.Size {
		width := int(min(tileWidth, run.signed.Tree.Size-e.size))
		hashes, err := run.folder.readTile(0, e.size/tileWidth, width)
		if err != nil {
			return tlog.Hash{}, err
		}
		for _, h := range hashes {
			e.append(h, func(int, int64, []tlog.Hash) {})
		}
	}
	return e.root(), nil
}

// blameDatabase says which records are not what was signed.
func (run *epochRun) blameDatabase(ctx context.Context, r Reader, have int64) error {
	run.wrong = true
	root, err := run.tilesRoot()
	trusted := err == nil && root == run.signed.Tree.Root
	if !trusted {
		run.note(WrongFile, "the tiles of epoch %d do not lead to the signed root either; which of the two was changed cannot be told where they differ", run.epoch.Number)
	}
	named, err := run.blameRecords(ctx, r, trusted)
	if err != nil {
		return err
	}
	if have < run.signed.Tree.Size && !named {
		run.cut(have)
		named = true
	}
	if !named && run.report.First() == nil {
		run.note(WrongSignature, "the records of epoch %d lead to the root %s; signed is %v", run.epoch.Number, run.roots[run.signed.Tree.Size], run.signed.Tree)
	}
	return nil
}

// cut says that the newest records are gone.
func (run *epochRun) cut(have int64) {
	l, _ := run.sealedLeaf(have)
	run.noteRecord(RemovedRecord, run.epoch.Base+have, l,
		"the log ends before it: the newest %d of %d sealed records are missing from the database", run.signed.Tree.Size-have, run.signed.Tree.Size)
}

// blameRecords goes through the records that differ from tiles and bundles.
// It stops at the first that was removed or inserted, since everything after
// it has moved.
func (run *epochRun) blameRecords(ctx context.Context, r Reader, trusted bool) (named bool, err error) {
	swapped := map[int64]bool{}
	for _, d := range run.differ {
		if d.level != 0 {
			continue
		}
		for _, index := range d.indexes {
			if swapped[index] {
				continue
			}
			named = true
			if run.report.More > 0 {
				return named, nil
			}
			moved, err := run.blameRecord(ctx, r, index, trusted, swapped)
			if err != nil || moved {
				return named, err
			}
		}
	}
	return named, nil
}

// blameRecord says what happened to one record, and whether those after it moved.
func (run *epochRun) blameRecord(ctx context.Context, r Reader, index int64, trusted bool, swapped map[int64]bool) (moved bool, err error) {
	seq := run.epoch.Base + index
	found, err := run.hashes(ctx, r, seq, 2)
	if err != nil {
		return false, err
	}
	sealed, hash := run.sealedLeaf(index)
	nextLeaf, next := run.sealedLeaf(index + 1)
	switch {
	case len(found.hashes) == 0:
		return false, nil
	case next == found.hashes[0] && nextLeaf != nil:
		run.noteRecord(RemovedRecord, seq, sealed, "it was removed; the record after it, %s, stands in its place", nextLeaf.ID)
		return true, nil
	case len(found.hashes) > 1 && found.hashes[1] == hash:
		run.noteRecord(InsertedRecord, seq, found.leaves[0], "it was inserted after sealing; the record that belongs here is the next one")
		return true, nil
	}
	if other, ok := run.swappedWith(ctx, r, index, found.hashes[0], hash); ok {
		swapped[other] = true
		run.noteRecord(SwappedRecord, seq, sealed, "it was swapped with record %d", run.epoch.Base+other)
		return false, nil
	}
	run.altered(seq, sealed, found.leaves[0], trusted)
	return false, nil
}

func (run *epochRun) altered(seq int64, sealed, found *Leaf, trusted bool) {
	switch {
	case !trusted:
		run.noteRecord(AlteredRecord, seq, found, "database and tiles differ here")
	case sealed == nil:
		run.noteRecord(AlteredRecord, seq, found, "it was altered after it was sealed; its entry bundle is damaged too, so what it said cannot be told")
	case found == nil:
		run.noteRecord(AlteredRecord, seq, sealed, "it was altered after it was sealed and cannot be read any more")
	default:
		run.noteRecord(AlteredRecord, seq, sealed, "it was altered after it was sealed: %s", differences(sealed, found))
	}
}

// foundRecords are records as the database has them.
type foundRecords struct {
	hashes []tlog.Hash
	leaves []*Leaf // nil where it cannot be decoded
}

func (run *epochRun) hashes(ctx context.Context, r Reader, seq int64, n int64) (foundRecords, error) {
	list, err := readRange(ctx, r, seq, min(seq+n, run.end))
	if err != nil {
		return foundRecords{}, fmt.Errorf("reading records: %w", err)
	}
	var found foundRecords
	for i := len(list) - 1; i >= 0; i-- {
		l, _ := DecodeLeaf(list[i].leaf)
		found.hashes = append(found.hashes, LeafHash(list[i].leaf))
		found.leaves = append(found.leaves, l)
	}
	return found, nil
}

// swappedWith looks for the record that stands where this one belongs.
func (run *epochRun) swappedWith(ctx context.Context, r Reader, index int64, found, sealed tlog.Hash) (int64, bool) {
	for _, d := range run.differ {
		if d.level != 0 {
			continue
		}
		for _, other := range d.indexes {
			if other <= index {
				continue
			}
			if _, hash := run.sealedLeaf(other); hash != found {
				continue
			}
			if there, err := run.hashes(ctx, r, run.epoch.Base+other, 1); err == nil && len(there.hashes) == 1 && there.hashes[0] == sealed {
				return other, true
			}
		}
	}
	return 0, false
}
