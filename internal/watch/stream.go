package watch

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"os"
	"time"
)

const (
	chunk    = 256 << 10 // octets read at once
	maxLine  = 64 << 10  // what is behind it in a line is not looked at
	markSize = 64        // octets before a position that tell whether the file is still the same
)

// stream is an open file and how far it was read. What was read is handed on in
// whole lines; the beginning of a line waits until its end is written.
type stream struct {
	f    *os.File
	r    io.ReaderAt // f, or the beginning of it
	id   identity
	at   int64  // everything before it was handed on
	mark []byte // the last octets before at
	cut  bool   // at is within a line that was too long: its end is thrown away
	grew time.Time
}

// identity tells files apart as long as they exist.
type identity struct {
	Dev uint64 `json:"dev"`
	Ino uint64 `json:"ino"`
}

// errOther: a file no longer has before the position what it had there: it was
// truncated, and perhaps written again.
var errOther = errors.New("the file was truncated")

// open opens a file at a position; nil mark: whatever is before it.
func open(path string, at int64) (*stream, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil && !info.Mode().IsRegular() {
		err = errors.New(path + " is no regular file")
	}
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return &stream{f: f, r: f, id: identify(info), at: at, grew: time.Now()}, nil
}

// read hands on the whole lines of one chunk, and says whether there may be more.
// The mark is read in the same call as what follows it, so that a file which is
// truncated and written again between two reads does not pass for the old one.
func (s *stream) read(buf []byte, line func([]byte)) (more bool, err error) {
	begin := s.at - int64(len(s.mark))
	n, err := s.r.ReadAt(buf[:chunk], begin)
	if err != nil && err != io.EOF {
		return false, err
	}
	got := buf[:n]
	if n < len(s.mark) || !bytes.Equal(got[:len(s.mark)], s.mark) {
		return false, errOther
	}
	used := len(s.mark)
	for used < len(got) {
		took := s.take(got[used:], line)
		if took == 0 {
			break
		}
		used += took
	}
	if used > len(s.mark) {
		s.at, s.grew = begin+int64(used), time.Now()
		s.mark = append(s.mark[:0:0], got[max(0, used-markSize):used]...)
	}
	return n == chunk, nil
}

// take hands on one line, or skips what is none, and returns its length; 0: it is
// not whole yet.
func (s *stream) take(rest []byte, line func([]byte)) int {
	if rest[0] == 0 { // a hole that copytruncate left, or a block that a crash did
		if i := bytes.IndexFunc(rest, func(r rune) bool { return r != 0 }); i > 0 {
			return i
		}
		return len(rest)
	}
	end := bytes.IndexByte(rest, '\n')
	switch {
	case end < 0 && len(rest) < maxLine:
		return 0
	case end < 0 && s.cut:
		return len(rest)
	case end < 0:
		s.cut = true
		line(rest[:maxLine])
		return len(rest)
	case !s.cut:
		whole := rest[:min(end, maxLine)]
		if n := len(whole); n > 0 && whole[n-1] == '\r' {
			whole = whole[:n-1]
		}
		line(whole)
	}
	s.cut = false
	return end + 1
}

// last hands on the beginning of a line that nobody will end any more.
func (s *stream) last(buf []byte, line func([]byte)) {
	n, _ := s.r.ReadAt(buf[:maxLine], s.at) // what cannot be read any more is gone
	if rest := bytes.TrimLeft(buf[:n], "\x00"); len(rest) > 0 && !s.cut && !bytes.ContainsRune(rest, '\n') {
		line(rest)
		s.at += int64(n)
	}
}

// head is how the file begins.
func (s *stream) head() []byte {
	b := make([]byte, 1024)
	n, _ := s.r.ReadAt(b, 0) // what cannot be read is no beginning
	return b[:n]
}

// intact says whether the file still has before the position what it had.
func (s *stream) intact() bool {
	b := make([]byte, len(s.mark))
	n, _ := s.r.ReadAt(b, s.at-int64(len(b)))
	return bytes.Equal(b[:n], s.mark)
}

// digest is the mark as it is kept: lines name people.
func (s *stream) digest() string { return digest(s.mark) }

func digest(mark []byte) string {
	sum := sha256.Sum256(mark)
	return hex.EncodeToString(sum[:12])
}

// resume puts a stream where a digest of so many octets fits; false: it does not.
func (s *stream) resume(at int64, size int, mark string) bool {
	b := make([]byte, size)
	if n, _ := s.r.ReadAt(b, at-int64(size)); n < size || digest(b) != mark {
		return false
	}
	s.at, s.mark = at, b
	return true
}
