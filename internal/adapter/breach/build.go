package breach

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"os"
	"slices"

	"github.com/FastFilter/xorfilter"

	"hostward/internal/core"
	"hostward/internal/file"
)

// Options say how a filter is built. The zero value takes every hash.
type Options struct {
	Least int64 // take only hashes that were seen at least so often; 0: all
	Size  int64 // bytes of the list, for Progress; 0: unknown
	// Progress is told how much of total is done, in bytes of the list; nil: nobody
	// is told. Reading the list is the first half, building the second. The
	// total is 0 while the list is read and its size is unknown. It is called
	// about once for each megabyte of the list, from Build's own goroutine.
	Progress func(done, total int64)
}

// limits are the sizes of a build. Tests make them small.
type limits struct {
	block int   // bytes of one block of the spill
	shard int64 // keys of one shard, as long as there may be more shards
	most  int64 // keys with the same first byte, hence of one shard
}

// At 36 bytes a key, the fullest shard allowed takes 600 MB, and the blocks of
// the spill take 64 MiB.
func usual() limits { return limits{block: 256 << 10, shard: 1 << 22, most: 1 << 24} }

// Build reads a list and writes its filter to path, with mode 0644: what is in
// it is public. On return the content and the name are durable; on an error,
// when ctx ends, and after a crash at any point, path still has its old content
// or is still absent. A line that is not accepted is a core.Error (Invalid)
// whose sentence names it. The folder of path needs room for 8 bytes a hash
// besides the filter itself while this runs.
func Build(ctx context.Context, list io.Reader, path string, o Options) (Info, error) {
	return buildWith(ctx, list, path, o, usual())
}

func buildWith(ctx context.Context, list io.Reader, path string, o Options, l limits) (Info, error) {
	if o.Least < 0 {
		return Info{}, core.Errorf(core.Invalid, "hashes seen at least %d times: it takes 0 (all) or more", o.Least)
	}
	b := &build{ctx: ctx, path: path, options: o, limits: l}
	h, err := b.run(list)
	if err != nil {
		return Info{}, fmt.Errorf("building a filter of breached passwords: %w", err)
	}
	return h.info(), nil
}

// build is one run of Build.
type build struct {
	ctx     context.Context
	path    string
	options Options
	limits  limits

	spill  *spill
	read   int64 // bytes of the list
	kind   kind
	source [sha256.Size]byte
}

func (b *build) run(list io.Reader) (h head, err error) {
	if b.spill, err = newSpill(b.path, b.limits.block); err != nil {
		return head{}, err
	}
	defer b.spill.close()
	if err := b.spread(list); err != nil {
		return head{}, err
	}
	bits, fullest := shardBits(b.spill.counts, b.limits.shard)
	if fullest > b.limits.most {
		return head{}, core.Errorf(core.Invalid, "%d hashes of the list are in one of %d parts by their first digits, and at most %d may be: it is too large or too uneven",
			fullest, 1<<bits, b.limits.most)
	}
	err = file.ReplaceWith(b.path, 0o644, func(f *os.File) error {
		h, err = b.write(f, bits, fullest)
		return errors.Join(err, b.ctx.Err())
	})
	return h, err
}

// spread reads the list into the spill.
func (b *build) spread(list io.Reader) error {
	sum := sha256.New()
	in := &source{ctx: b.ctx, list: io.TeeReader(list, sum), told: b.reading}
	lines := newLines(in)
	any := false
	for {
		l, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err == nil && l.count >= b.options.Least {
			any, err = true, b.spill.add(l.key)
		}
		if err != nil {
			return err
		}
	}
	b.read, b.kind = in.read, lines.kind
	sum.Sum(b.source[:0])
	switch {
	case b.kind == 0:
		return core.Errorf(core.Invalid, "the list is empty: no line of it has a hash")
	case !any:
		return core.Errorf(core.Invalid, "the list has no hash that was seen at least %d times, in %d lines", b.options.Least, lines.n)
	}
	return nil
}

// shardBits chooses how many shards there are, as the power of two, and
// returns how many keys the fullest has. Fewer and larger shards make smaller
// files (2.25 bytes a key from 1,000,000 on), smaller ones need less memory.
func shardBits(counts [parts]int64, wanted int64) (bits uint32, fullest int64) {
	for bits = 0; ; bits++ {
		fullest = 0
		for group := range slices.Chunk(counts[:], parts>>bits) {
			fullest = max(fullest, sumOf(group))
		}
		if fullest <= wanted || bits == mostBits {
			return bits, fullest
		}
	}
}

func sumOf(counts []int64) (sum int64) {
	for _, n := range counts {
		sum += n
	}
	return sum
}

// write fills f: the fingerprints first, since the head follows from them.
func (b *build) write(f *os.File, bits uint32, fullest int64) (head, error) {
	if _, err := f.Seek(headSize(bits), io.SeekStart); err != nil {
		return head{}, err
	}
	sum := sha256.New()
	shards, err := b.writeShards(io.MultiWriter(f, sum), bits, fullest)
	if err != nil {
		return head{}, err
	}
	top := fixed{Magic: [8]byte([]byte(magic)), Version: version, Kind: b.kind, Least: uint64(b.options.Least), Bits: bits, Source: b.source}
	for _, s := range shards {
		top.Entries += uint64(s.Keys)
	}
	sum.Sum(top.Prints[:0])
	h := newHead(top, shards)
	_, err = f.WriteAt(h.encode(), 0)
	return h, err
}

// writeShards builds one shard after another and writes their fingerprints. All
// that is large is allocated once, for the fullest.
func (b *build) writeShards(w io.Writer, bits uint32, fullest int64) ([]shard, error) {
	builder := xorfilter.MakeBinaryFuseBuilder[uint16](int(fullest))
	keys, data := make([]uint64, 0, fullest), []byte(nil)
	shards := make([]shard, 1<<bits)
	for i := range shards {
		var prints []uint16
		var err error
		if keys, err = b.keys(keys[:0], i, bits); err != nil {
			return nil, err
		}
		if shards[i], prints, err = newShard(&builder, keys); err != nil {
			return nil, err
		}
		data, _ = binary.Append(data[:0], binary.LittleEndian, prints) // never fails for integers
		if _, err := w.Write(data); err != nil {
			return nil, err
		}
		b.building(i+1, len(shards))
	}
	return shards, nil
}

// keys returns the keys of one shard. The library is slow with keys that come
// more than once, and may fail; sorted, they can be dropped, and the file does
// not depend on the order of the list.
func (b *build) keys(keys []uint64, shard int, bits uint32) (_ []uint64, err error) {
	width := parts >> bits
	for part := shard * width; part < (shard+1)*width; part++ {
		if err := b.ctx.Err(); err != nil {
			return nil, err
		}
		if keys, err = b.spill.appendKeys(keys, part); err != nil {
			return nil, err
		}
	}
	slices.Sort(keys)
	return slices.Compact(keys), nil
}

func (b *build) reading(read int64) {
	if b.options.Progress == nil {
		return
	}
	total := b.options.Size
	if total > 0 {
		total = max(total, read)
	}
	b.options.Progress(read/2, total)
}

func (b *build) building(done, of int) {
	if b.options.Progress != nil {
		b.options.Progress(b.read/2+int64(float64(b.read-b.read/2)*float64(done)/float64(of)), b.read)
	}
}
