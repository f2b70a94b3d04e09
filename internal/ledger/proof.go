package ledger

import (
	"bytes"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// proofHeader begins every C2SP tlog-proof file.
const proofHeader = "c2sp.org/tlog-proof@v1"

// Prove returns a proof that a record is in the log: a C2SP tlog-proof file
// with the leaf as extra data, so that one file and the verifier key are all
// that is needed. It uses the newest cosigned checkpoint if that covers the
// record, otherwise the newest signed one. A record that is not sealed yet has
// no proof: wait for it (Sealer.WaitFor).
func (s *Sealer) Prove(ctx context.Context, r Reader, seq int64) ([]byte, error) {
	c, ok := s.covering(seq)
	if !ok {
		return nil, ErrNotSealed
	}
	list, err := readRange(ctx, r, seq, seq+1)
	if err != nil {
		return nil, fmt.Errorf("proving record %d: %w", seq, err)
	}
	if len(list) == 0 {
		return nil, ErrNoRecord
	}
	index := seq - c.Base
	path, err := tlog.ProveRecord(c.Tree.Size, index, epochFolder(s.Dir, c.Tree.Epoch).hashes(c.Tree.Size))
	if err != nil {
		return nil, fmt.Errorf("proving record %d: %w", seq, err)
	}
	return FormatProof(Proof{Leaf: list[0].leaf, Index: index, Path: path, Note: c.Note}), nil
}

// ErrNotSealed says that a record is committed but in no signed tree yet.
var ErrNotSealed = errors.New("the record is not sealed yet: it will be within a second while the log is running")

// covering returns the best checkpoint for a record.
func (s *Sealer) covering(seq int64) (Checkpoint, bool) {
	s.mu.RLock()
	defer s.mu.RUnlock()
	for _, list := range [][]Checkpoint{s.witnessed, s.sealed} {
		for _, c := range list {
			if c.Covers(seq) && len(c.Note) > 0 {
				return c, true
			}
		}
	}
	return Checkpoint{}, false
}

// Proof is the content of a proof file.
type Proof struct {
	Leaf  []byte // the record itself, carried as extra data
	Index int64
	Path  tlog.RecordProof
	Note  []byte // signed checkpoint
}

// FormatProof writes the file: header, extra, index, hashes, empty line, checkpoint.
func FormatProof(p Proof) []byte {
	var b bytes.Buffer
	b.WriteString(proofHeader + "\n")
	b.WriteString("extra " + base64.StdEncoding.EncodeToString(p.Leaf) + "\n")
	fmt.Fprintf(&b, "index %d\n", p.Index)
	for _, h := range p.Path {
		b.WriteString(h.String() + "\n")
	}
	b.WriteByte('\n')
	b.Write(p.Note)
	return b.Bytes()
}

// ParseProof reads a proof file without believing it.
func ParseProof(data []byte) (Proof, error) {
	head, checkpoint, found := bytes.Cut(data, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || lines[0] != proofHeader {
		return Proof{}, fmt.Errorf("not a proof: the first line must be %q", proofHeader)
	}
	p := Proof{Note: checkpoint}
	lines = lines[1:]
	if len(lines) > 0 && strings.HasPrefix(lines[0], "extra ") {
		leaf, err := base64.StdEncoding.Strict().DecodeString(lines[0][len("extra "):])
		if err != nil {
			return Proof{}, fmt.Errorf("the proof's extra data is not base64: %w", err)
		}
		p.Leaf, lines = leaf, lines[1:]
	}
	if len(lines) == 0 || !strings.HasPrefix(lines[0], "index ") {
		return Proof{}, errors.New("not a proof: the index line is missing")
	}
	number := lines[0][len("index "):]
	var err error
	p.Index, err = strconv.ParseInt(number, 10, 64)
	if err != nil || p.Index < 0 || strconv.FormatInt(p.Index, 10) != number {
		return Proof{}, fmt.Errorf("the proof's index %q is not a plain decimal number", number)
	}
	for _, line := range lines[1:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return Proof{}, fmt.Errorf("the proof's hash %q is not 32 bytes in base64", line)
		}
		p.Path = append(p.Path, h)
	}
	return p, nil
}

// CheckProof verifies a proof file: the log's signature, and that leaf is where
// the proof says. A nil leaf means the one in the file. It returns the record,
// the tree it is in and the witnesses whose cosignatures hold.
func CheckProof(data, leaf []byte, vkey string, witnesses []note.Verifier) (*Leaf, Tree, []string, error) {
	p, err := ParseProof(data)
	if err != nil {
		return nil, Tree{}, nil, err
	}
	if leaf == nil {
		leaf = p.Leaf
	}
	tree, who, err := OpenCheckpoint(p.Note, vkey, witnesses)
	if err != nil {
		return nil, Tree{}, nil, fmt.Errorf("the proof's checkpoint: %w", err)
	}
	if p.Index >= tree.Size {
		return nil, Tree{}, nil, errors.New("the proof's index lies outside its tree")
	}
	if err := tlog.CheckRecord(p.Path, tree.Size, tree.Root, p.Index, LeafHash(leaf)); err != nil {
		return nil, Tree{}, nil, errors.New("the proof does not lead from this record to the signed root")
	}
	l, err := DecodeLeaf(leaf)
	if err != nil {
		return nil, Tree{}, nil, fmt.Errorf("the record is sealed but cannot be read: %w", err)
	}
	return l, tree, who, nil
}

// consistencyHeader begins a consistency proof file, which C2SP has no format for.
const consistencyHeader = "hostward/consistency-proof@v1"

// ProveConsistency returns a proof that the tree of old is the beginning of
// the newest signed tree of its epoch: header, old size, hashes, empty line,
// the newer signed checkpoint.
func (s *Sealer) ProveConsistency(old Tree) ([]byte, error) {
	s.mu.RLock()
	var c Checkpoint
	for _, sealed := range s.sealed {
		if sealed.Tree.Epoch == old.Epoch {
			c = sealed
		}
	}
	s.mu.RUnlock()
	if old.Size < 1 || old.Size > c.Tree.Size {
		return nil, fmt.Errorf("the log's epoch %d has %d sealed records; a consistency proof begins at 1 to %d", old.Epoch, c.Tree.Size, c.Tree.Size)
	}
	var path tlog.TreeProof
	if old.Size < c.Tree.Size {
		var err error
		path, err = tlog.ProveTree(c.Tree.Size, old.Size, epochFolder(s.Dir, old.Epoch).hashes(c.Tree.Size))
		if err != nil {
			return nil, fmt.Errorf("proving consistency: %w", err)
		}
	}
	var b bytes.Buffer
	fmt.Fprintf(&b, "%s\nold %d\n", consistencyHeader, old.Size)
	for _, h := range path {
		b.WriteString(h.String() + "\n")
	}
	b.WriteByte('\n')
	b.Write(c.Note)
	return b.Bytes(), nil
}

// CheckConsistency verifies that the tree of the older checkpoint, a signed
// note, is the beginning of the tree in the proof.
func CheckConsistency(proof, older []byte, vkey string, witnesses []note.Verifier) (old, newer Tree, err error) {
	old, _, err = OpenCheckpoint(older, vkey, witnesses)
	if err != nil {
		return old, newer, fmt.Errorf("the older checkpoint: %w", err)
	}
	head, signed, found := bytes.Cut(proof, []byte("\n\n"))
	lines := strings.Split(string(head), "\n")
	if !found || len(lines) < 2 || lines[0] != consistencyHeader || lines[1] != "old "+strconv.FormatInt(old.Size, 10) {
		return old, newer, fmt.Errorf("not a consistency proof from size %d", old.Size)
	}
	var path tlog.TreeProof
	for _, line := range lines[2:] {
		h, err := tlog.ParseHash(line)
		if err != nil {
			return old, newer, fmt.Errorf("the proof's hash %q is not 32 bytes in base64", line)
		}
		path = append(path, h)
	}
	if newer, _, err = OpenCheckpoint(signed, vkey, witnesses); err != nil {
		return old, newer, fmt.Errorf("the newer checkpoint: %w", err)
	}
	return old, newer, CheckGrowth(old, newer, path)
}

// TreeAt returns the state of the log at a given size, from the tiles.
func (s *Sealer) TreeAt(epoch int, size int64) (Tree, error) {
	root, err := tlog.TreeHash(size, epochFolder(s.Dir, epoch).hashes(size))
	if err != nil {
		return Tree{}, fmt.Errorf("the tree of %d records: %w", size, err)
	}
	return Tree{Epoch: epoch, Size: size, Root: root}, nil
}

// ConsistencyPath returns the hashes of a consistency proof between two sizes,
// as a witness's add-checkpoint wants them (C2SP tlog-witness).
func (s *Sealer) ConsistencyPath(epoch int, older, newer int64) (tlog.TreeProof, error) {
	if older == 0 || older == newer {
		return nil, nil
	}
	return tlog.ProveTree(newer, older, epochFolder(s.Dir, epoch).hashes(newer))
}
