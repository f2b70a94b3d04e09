package breach

import (
	"context"
	"crypto/sha256"
	"errors"
	"io"
	"os"
)

// BuildSmall is Build with blocks of 8 keys and shards of some 100, so that a
// small list makes what a large one would.
func BuildSmall(ctx context.Context, list io.Reader, path string, o Options) (Info, error) {
	return buildWith(ctx, list, path, o, limits{block: 64, shard: 100, most: 1000})
}

// OpenUnmapped is Open where files cannot be mapped.
func OpenUnmapped(path string) (*Filter, error) {
	return open(path, func(*os.File, int64) ([]byte, error) { return nil, errors.ErrUnsupported })
}

// Mapped says whether look-ups go through the address space.
func (f *Filter) Mapped() bool {
	_, ok := f.data.(mapped)
	return ok
}

// Shards returns how many shards the filter has.
func (f *Filter) Shards() int { return len(f.head.shards) }

// HeadSize returns the length of the head in bytes.
func (f *Filter) HeadSize() int64 { return headSize(f.head.Bits) }

// NTLM hashes a password; TestPasswordsAreHashedAsTheListsAre holds it to another program.
func NTLM(password string) []byte { return ntlm(password) }

// ParseLine parses one line without its end.
func ParseLine(text []byte) (kind string, key uint64, count int64, fault string) {
	l, fault := parseLine(text)
	return l.kind.String(), l.key, l.count, fault
}

// Completed gives a head the magic, the version and the digest that make Open
// look at the rest of it. Shorter data stays as it is.
func Completed(data []byte) []byte {
	if len(data) < fixedSize {
		return data
	}
	copy(data, magic)
	data[8], data[9], data[10], data[11] = version, 0, 0, 0
	data[32], data[33], data[34], data[35] = data[32]%(mostBits+1), 0, 0, 0
	end := int(headSize(uint32(data[32])))
	if len(data) < end {
		return data
	}
	return append(append(data[:end-32:end-32], digestOf(data[:end-32])...), data[end:]...)
}

func digestOf(data []byte) []byte {
	sum := sha256.Sum256(data)
	return sum[:]
}
