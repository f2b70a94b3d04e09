package breach

import (
	"encoding/binary"
	"errors"
	"os"
	"runtime"
)

// memory is the bytes of a filter file, wherever they are. The head has been
// checked, so offsets are within the file as it was opened.
type memory interface {
	// print returns the fingerprint at an offset.
	print(offset int64) (uint16, error)
	// close gives back what opening took. The file stays open.
	close() error
}

// mapped is a file in the address space: it costs what its pages cost in the
// cache of the system, which all processes share.
type mapped []byte

func (m mapped) print(offset int64) (uint16, error) {
	return binary.LittleEndian.Uint16(m[offset : offset+2]), nil
}

func (m mapped) close() error { return unmapFile(m) }

// unmapped is a file that is read at each look-up.
type unmapped struct{ file *os.File }

func (u unmapped) print(offset int64) (uint16, error) {
	var b [2]byte
	_, err := u.file.ReadAt(b[:], offset)
	return binary.LittleEndian.Uint16(b[:]), err
}

func (unmapped) close() error { return nil }

// faultOf makes an error of a panic over a page of a mapped file that is not
// there: somebody shortened the file, or the disk does not answer. Any other
// panic goes on.
func faultOf(panicked any) error {
	if panicked == nil {
		return nil
	}
	if err, ok := panicked.(interface {
		runtime.Error
		Addr() uintptr
	}); ok {
		return errors.New("the file was shortened or cannot be read: " + err.Error())
	}
	panic(panicked)
}
