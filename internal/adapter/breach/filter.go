package breach

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime/debug"
	"sync"
)

// Info is what a filter says about itself.
type Info struct {
	Kind    string // of the list: "SHA-1" or "NTLM"
	Entries int64  // different hashes that it holds
	Least   int64  // hashes seen less often were left out; 0: none were
	Bytes   int64  // of the file
	Digest  string // hex SHA-256 of the file's head, which holds that of the rest: names the whole file
	Source  string // hex SHA-256 of the list as it was read
}

// Filter is an open filter. Its methods may be called at the same time.
type Filter struct {
	head head
	file *os.File

	mu   sync.RWMutex // held for writing by Close, which waits for look-ups
	data memory       // nil after Close
}

// ErrClosed is the error of a look-up after Close.
var ErrClosed = errors.New("the filter of breached passwords is closed")

// Open opens a filter that Build wrote. It maps the file where the system can,
// and reads it at each look-up elsewhere. The head is checked whole, the
// fingerprints are not read: Verify does that.
//
// Build may replace the file meanwhile; the open filter goes on with the old
// one. Who writes into it or shortens it gets wrong answers and errors, no crash.
func Open(path string) (*Filter, error) { return open(path, mapFile) }

func open(path string, mapFile func(*os.File, int64) ([]byte, error)) (*Filter, error) {
	file, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("opening a filter of breached passwords: %w", err)
	}
	h, err := headOf(file)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("opening the filter of breached passwords %s: %w", path, err), file.Close())
	}
	f := &Filter{head: h, file: file, data: unmapped{file}}
	if data, err := mapFile(file, h.size); err == nil {
		f.data = mapped(data)
	}
	return f, nil
}

func headOf(file *os.File) (head, error) {
	stat, err := file.Stat()
	if err != nil {
		return head{}, err
	}
	if !stat.Mode().IsRegular() {
		return head{}, errors.New("it is no regular file")
	}
	return readHead(file, stat.Size())
}

// Holds says whether a password is in the list: always when it is, and by
// mistake for one in 65,536 that are not. The password is compared as it is;
// bringing it to NFC is the caller's part. The error is ErrClosed, or says that
// the file can no longer be read; the answer is false then.
func (f *Filter) Holds(password string) (bool, error) {
	return f.holds(f.head.Kind.key(password))
}

// HoldsHash is Holds for who has the password's hash already. It must be of the
// filter's kind: 20 bytes for SHA-1, 16 for NTLM.
func (f *Filter) HoldsHash(hash []byte) (bool, error) {
	if len(hash) != f.head.Kind.size() {
		return false, fmt.Errorf("looking up a hash of %d bytes: those of the filter are %s, %d bytes", len(hash), f.head.Kind, f.head.Kind.size())
	}
	return f.holds(keyOf(hash))
}

func (f *Filter) holds(key uint64) (found bool, err error) {
	f.mu.RLock()
	defer f.mu.RUnlock()
	if f.data == nil {
		return false, ErrClosed
	}
	before := debug.SetPanicOnFault(true) // of this goroutine only
	defer func() {
		debug.SetPanicOnFault(before)
		if fault := faultOf(recover()); fault != nil {
			found, err = false, fault
		}
	}()
	return f.find(key)
}

// find compares the fingerprints at the three places of a key.
func (f *Filter) find(key uint64) (bool, error) {
	n := key >> (64 - f.head.Bits)
	s, start := f.head.shards[n], f.head.starts[n]
	if s.Keys == 0 {
		return false, nil
	}
	at, want := s.places(key)
	for _, place := range at {
		print, err := f.data.print(start + 2*place)
		if err != nil {
			return false, fmt.Errorf("reading a filter of breached passwords: %w", err)
		}
		want ^= print
	}
	return want == 0, nil
}

// Info returns what the filter says about itself. It needs no open file.
func (f *Filter) Info() Info { return f.head.info() }

// Verify reads the whole file and says whether it is still what Build wrote.
// That takes a second or two for each gigabyte; ctx ends it.
func (f *Filter) Verify(ctx context.Context) error {
	if err := f.verify(ctx); err != nil {
		return fmt.Errorf("verifying the filter of breached passwords %s: %w", f.file.Name(), err)
	}
	return nil
}

func (f *Filter) verify(ctx context.Context) error {
	h, err := headOf(f.file)
	if err != nil {
		return err
	}
	if h.digest != f.head.digest {
		return errors.New("its head is not the one that was opened")
	}
	begin, sum := headSize(h.Bits), sha256.New()
	prints := io.NewSectionReader(f.file, begin, h.size-begin)
	if _, err := io.Copy(sum, &source{ctx: ctx, list: prints}); err != nil {
		return err
	}
	if !bytes.Equal(sum.Sum(nil), h.Prints[:]) {
		return errors.New("its fingerprints were altered")
	}
	return nil
}

// Close waits for look-ups that are under way and gives the file back. Later
// look-ups get ErrClosed; a second Close does nothing.
func (f *Filter) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.data == nil {
		return nil
	}
	err := errors.Join(f.data.close(), f.file.Close())
	f.data = nil
	return err
}
