package breach

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"math"
)

const (
	magic   = "hwbreach"
	version = 1
	// fixedSize is the length of the head before the table, shardSize that of
	// one row of the table.
	fixedSize = 104
	shardSize = 24
	// mostBits allows one shard for each part of a spill.
	mostBits = 8
)

// fixed is the beginning of the file, field by field as doc.go has it.
type fixed struct {
	Magic   [8]byte
	Version uint32
	Kind    kind
	Entries uint64
	Least   uint64
	Bits    uint32
	_       uint32
	Source  [sha256.Size]byte
	Prints  [sha256.Size]byte
}

// head is all of the file that is not fingerprints.
type head struct {
	fixed
	shards []shard
	starts []int64 // of each shard's fingerprints in the file
	size   int64   // of the file
	digest [sha256.Size]byte
}

// headSize returns the length of a head with 2^bits shards.
func headSize(bits uint32) int64 { return fixedSize + shardSize<<bits + sha256.Size }

// newHead completes a head: places and digest follow from the rest.
func newHead(f fixed, shards []shard) head {
	h := head{fixed: f, shards: shards, size: headSize(f.Bits)}
	h.digest = sha256.Sum256(h.encodeBare())
	for _, s := range shards {
		h.starts = append(h.starts, h.size)
		h.size += s.bytes()
	}
	return h
}

// encodeBare returns the head without the digest at its end.
func (h head) encodeBare() []byte {
	// Append fails for types without a fixed size only.
	b, _ := binary.Append(nil, binary.LittleEndian, h.fixed)
	b, _ = binary.Append(b, binary.LittleEndian, h.shards)
	return b
}

func (h head) encode() []byte { return append(h.encodeBare(), h.digest[:]...) }

func (h head) info() Info {
	return Info{Kind: h.Kind.String(), Entries: int64(h.Entries), Least: int64(h.Least), Bytes: h.size,
		Digest: hex.EncodeToString(h.digest[:]), Source: hex.EncodeToString(h.Source[:])}
}

var (
	errForeign = errors.New("it is no filter of breached passwords, or its beginning was altered")
	errAltered = errors.New("its head was altered")
)

// readHead reads and checks the head of a file with size bytes. No look-up
// under a head without error leaves the file.
func readHead(r io.ReaderAt, size int64) (head, error) {
	var f fixed
	b := make([]byte, fixedSize)
	if err := readAll(r, b); err != nil {
		return head{}, err
	}
	_, _ = binary.Decode(b, binary.LittleEndian, &f) // the length is right
	switch {
	case string(f.Magic[:]) != magic:
		return head{}, errForeign
	case f.Version != version:
		return head{}, fmt.Errorf("its format has version %d, this program knows version %d", f.Version, version)
	case f.Bits > mostBits:
		return head{}, errAltered
	}
	h, err := readTable(r, f)
	if err != nil {
		return head{}, err
	}
	return h, h.check(size)
}

// readTable reads the head again, now with its table, and compares it with
// what Build would have written, digest and zeros included.
func readTable(r io.ReaderAt, f fixed) (head, error) {
	b := make([]byte, headSize(f.Bits))
	if err := readAll(r, b); err != nil {
		return head{}, err
	}
	shards := make([]shard, 1<<f.Bits)
	_, _ = binary.Decode(b[fixedSize:], binary.LittleEndian, shards) // the length is right
	h := newHead(f, shards)
	if !bytes.Equal(b, h.encode()) {
		return head{}, errAltered
	}
	return h, nil
}

// check looks at what a right digest does not promise: anybody can compute one.
func (h head) check(size int64) error {
	var keys uint64
	for _, s := range h.shards {
		if !s.possible() {
			return errors.New("its table is impossible")
		}
		keys += uint64(s.Keys)
	}
	switch {
	case h.Kind != kindSHA1 && h.Kind != kindNTLM:
		return fmt.Errorf("it holds hashes of the kind %d, this program knows kinds 1 and 2", h.Kind)
	case h.Entries == 0 || h.Entries != keys || h.Least > math.MaxInt64:
		return errors.New("its numbers are impossible")
	case size != h.size:
		return fmt.Errorf("it has %d bytes, its head wants %d", size, h.size)
	}
	return nil
}

// readAll fills b from the beginning of a file.
func readAll(r io.ReaderAt, b []byte) error {
	n, err := r.ReadAt(b, 0)
	if n == len(b) {
		return nil
	}
	if errors.Is(err, io.EOF) {
		return fmt.Errorf("it ends after %d bytes, within its head", n)
	}
	return err
}
