package breach

import (
	"math/bits"

	"github.com/FastFilter/xorfilter"
)

// The segment lengths that the algorithm chooses.
const (
	shortest = 4
	widest   = 1 << 18
)

// shard is one binary fuse filter, as the table of the file describes it.
type shard struct {
	Seed     uint64
	Length   uint32 // of a segment, in fingerprints
	Segments uint32 // in which the first place of a key may be; two more follow
	Keys     uint32
	_        uint32
}

// newShard builds the filter of keys, which are sorted and different. The
// fingerprints are the builder's: they are good until its next use.
func newShard(b *xorfilter.BinaryFuseBuilder, keys []uint64) (shard, []uint16, error) {
	if len(keys) == 0 {
		return shard{}, nil, nil
	}
	f, err := xorfilter.BuildBinaryFuse[uint16](b, keys)
	return shard{Seed: f.Seed, Length: f.SegmentLength, Segments: f.SegmentCount, Keys: uint32(len(keys))}, f.Fingerprints, err
}

// bytes returns the length of its fingerprints in the file.
func (s shard) bytes() int64 {
	if s.Keys == 0 {
		return 0
	}
	return 2 * int64(s.Length) * (int64(s.Segments) + 2)
}

// possible says whether places stays within bytes for every key.
func (s shard) possible() bool {
	if s.Keys == 0 {
		return s.Length == 0 && s.Segments == 0
	}
	return bits.OnesCount32(s.Length) == 1 && s.Length >= shortest && s.Length <= widest && s.Segments >= 1
}

// places returns the three places of a key, counted in fingerprints, and what
// the fingerprints there give, joined by xor, when the key is held.
func (s shard) places(key uint64) (at [3]int64, print uint16) {
	h := mix(key + s.Seed)
	length := uint64(s.Length)
	first, _ := bits.Mul64(h, length*uint64(s.Segments))
	second := (first + length) ^ (h >> 18 & (length - 1))
	third := (first + 2*length) ^ (h & (length - 1))
	return [3]int64{int64(first), int64(second), int64(third)}, uint16(h ^ h>>32)
}

// mix is the finalizer of MurmurHash3.
func mix(h uint64) uint64 {
	h = (h ^ h>>33) * 0xff51afd7ed558ccd
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
