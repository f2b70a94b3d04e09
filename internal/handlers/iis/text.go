package iis

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"unicode/utf16"
	"unicode/utf8"
)

type order interface {
	binary.ByteOrder
	binary.AppendByteOrder
}

// encoding is how a file's text is written down.
type encoding struct {
	name  string
	mark  []byte
	order order // of UTF-16; nil: UTF-8
}

var (
	plain     = encoding{name: "UTF-8"}
	encodings = []encoding{
		{name: "UTF-8 with a byte order mark", mark: []byte{0xef, 0xbb, 0xbf}},
		{name: "UTF-16, little-endian", mark: []byte{0xff, 0xfe}, order: binary.LittleEndian},
		{name: "UTF-16, big-endian", mark: []byte{0xfe, 0xff}, order: binary.BigEndian},
	}
)

// mostOctets is the largest file that is read. IIS itself refuses a web.config above
// 250 KB; an applicationHost.config of a thousand sites has some megabytes.
const mostOctets = 32 << 20

// decode returns the text of a file without its mark. Encoding it again gives the
// same bytes.
func decode(data []byte) (string, encoding, error) {
	if len(data) > mostOctets {
		return "", plain, fmt.Errorf("the file has %d octets, more than %d", len(data), mostOctets)
	}
	e := plain
	for _, known := range encodings {
		if bytes.HasPrefix(data, known.mark) {
			e = known
		}
	}
	body := data[len(e.mark):]
	if e.order == nil {
		if !utf8.Valid(body) || bytes.IndexByte(body, 0) >= 0 {
			return "", e, errors.New("the file is not text in UTF-8, nor in UTF-16 with a byte order mark")
		}
		return string(body), e, nil
	}
	if len(body)%2 != 0 {
		return "", e, errors.New("the file is cut off in the middle of a character of UTF-16")
	}
	units := make([]uint16, len(body)/2)
	for i := range units {
		units[i] = e.order.Uint16(body[2*i:])
	}
	text := string(utf16.Decode(units))
	if !bytes.Equal(e.encode(text), data) {
		return "", e, errors.New("the file is not text in UTF-16: it has halves of characters")
	}
	return text, e, nil
}

func (e encoding) encode(text string) []byte {
	out := bytes.Clone(e.mark)
	if e.order == nil {
		return append(out, text...)
	}
	for _, u := range utf16.Encode([]rune(text)) {
		out = e.order.AppendUint16(out, u)
	}
	return out
}
