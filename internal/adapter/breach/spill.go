package breach

import (
	"encoding/binary"
	"os"
	"path/filepath"
)

// parts is how many heaps the keys are spread over: one for each first byte.
const parts = 256

// spill holds keys on the disk, apart by their first byte. It is one file of
// blocks; each block belongs to one part, and what is no full block yet is in
// memory.
type spill struct {
	file   *os.File
	block  int // bytes, a multiple of 8
	next   int64
	blocks [parts][]int64 // numbers of each part's blocks
	rest   [parts][]byte
	counts [parts]int64
}

// newSpill makes the temporary file of a build of path, in the same folder:
// gigabytes may not fit where the system keeps small temporary files.
func newSpill(path string, block int) (*spill, error) {
	f, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+".*")
	if err != nil {
		return nil, err
	}
	// Where a file may lose its name while it is open, a kill leaves nothing.
	// Elsewhere this fails, and close removes it.
	_ = os.Remove(f.Name())
	return &spill{file: f, block: block}, nil
}

func (s *spill) close() {
	_ = s.file.Close()
	_ = os.Remove(s.file.Name())
}

func (s *spill) add(key uint64) error {
	part := key >> 56
	if s.rest[part] == nil {
		s.rest[part] = make([]byte, 0, s.block)
	}
	s.rest[part] = binary.LittleEndian.AppendUint64(s.rest[part], key)
	s.counts[part]++
	if len(s.rest[part]) < s.block {
		return nil
	}
	_, err := s.file.WriteAt(s.rest[part], s.next*int64(s.block))
	s.blocks[part] = append(s.blocks[part], s.next)
	s.rest[part] = s.rest[part][:0]
	s.next++
	return err
}

// appendKeys appends the keys of one part to keys, in no order.
func (s *spill) appendKeys(keys []uint64, part int) ([]uint64, error) {
	block := make([]byte, s.block)
	for _, n := range s.blocks[part] {
		if _, err := s.file.ReadAt(block, n*int64(s.block)); err != nil {
			return nil, err
		}
		keys = appendDecoded(keys, block)
	}
	return appendDecoded(keys, s.rest[part]), nil
}

func appendDecoded(keys []uint64, data []byte) []uint64 {
	for ; len(data) > 0; data = data[8:] {
		keys = append(keys, binary.LittleEndian.Uint64(data))
	}
	return keys
}
