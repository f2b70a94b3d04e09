package breach

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"errors"
	"io"
	"strconv"

	"hostward/internal/core"
)

const (
	// longest is more than any line has that can be right: 40 digits, a colon
	// and the 19 digits of the largest count.
	longest = 80
	// readSize is how much of a list is read at once.
	readSize = 1 << 20
)

// line is one hash of a list and how often it was seen.
type line struct {
	kind  kind
	key   uint64
	count int64
}

// lines reads a list line by line. The first one settles the kind.
type lines struct {
	in   *bufio.Reader
	n    int64 // number of the line that was read last, from 1
	kind kind
}

func newLines(r io.Reader) *lines { return &lines{in: bufio.NewReaderSize(r, readSize)} }

// next returns the next line that is not empty, and io.EOF after the last.
func (l *lines) next() (line, error) {
	for {
		text, err := l.read()
		if err != nil || len(text) == 0 {
			if err != nil {
				return line{}, err
			}
			continue
		}
		return l.parse(text)
	}
}

// read returns one line without its end. The bytes are good until the next call.
func (l *lines) read() ([]byte, error) {
	text, err := l.in.ReadSlice('\n')
	if errors.Is(err, io.EOF) && len(text) > 0 {
		err = nil // the last line has no end
	}
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		return nil, err
	}
	l.n++
	text = bytes.TrimSuffix(bytes.TrimSuffix(text, []byte("\n")), []byte("\r"))
	if len(text) > longest {
		return nil, l.fault("it has more than " + strconv.Itoa(longest) + " characters")
	}
	return text, nil
}

func (l *lines) parse(text []byte) (line, error) {
	got, fault := parseLine(text)
	if l.kind == 0 {
		l.kind = got.kind
	}
	switch {
	case fault != "":
		return line{}, l.fault(fault)
	case got.kind != l.kind:
		return line{}, l.fault("it has a hash of the kind " + got.kind.String() + ", and the list began with " + l.kind.String())
	}
	return got, nil
}

// fault names the line and what is accepted. It shows nothing of the line: who
// gave us passwords by mistake does not want to find them in a log.
func (l *lines) fault(what string) error {
	return core.Errorf(core.Invalid, "line %d of the list: %s; a line is 40 (SHA-1) or 32 (NTLM) hex digits, the same in all lines, "+
		"then nothing or a colon and how often the password was seen", l.n, what)
}

// parseLine reads "HEX" or "HEX:COUNT". The fault is half a sentence, "" for none.
func parseLine(text []byte) (l line, fault string) {
	digits, count, counted := bytes.Cut(text, []byte(":"))
	l = line{kind: kindOf(len(digits) / 2), count: 1}
	if bytes.IndexByte(text, 0) >= 0 {
		return line{}, "it has a NUL byte, as in UTF-16 or in a file that was not written to its end"
	}
	if l.kind == 0 || len(digits)%2 != 0 {
		return line{}, "it begins with " + strconv.Itoa(len(digits)) + " characters before a colon or its end"
	}
	var hash [longest / 2]byte
	if _, err := hex.Decode(hash[:], digits); err != nil {
		return line{}, "it has a character that is no hex digit in its hash"
	}
	l.key = keyOf(hash[:])
	if !counted {
		return l, ""
	}
	n, err := strconv.ParseUint(string(count), 10, 63)
	if err != nil {
		return line{}, "its count is no whole number from 0 to 9223372036854775807"
	}
	l.count = int64(n)
	return l, ""
}
