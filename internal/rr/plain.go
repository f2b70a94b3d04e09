package rr

import (
	"encoding/binary"
	"net/netip"
	"strconv"
	"strings"
)

// Nearly all records of most zones are of a few types and plainly written.
// They are read and written here, several times as fast as by the library,
// which has all others: false means no more than that something is not plain.
// The fuzz tests hold the two to the same results.

// shape is the fields of a type that is read here: a an IPv4 address, b an IPv6
// address, n a name, 2 and 4 numbers of so many octets, s strings to the end.
func shape(code uint16) string {
	switch code {
	case typeA:
		return "a"
	case typeAAAA:
		return "b"
	case typeNS, typeCNAME, typePTR:
		return "n"
	case typeMX:
		return "2n"
	case typeSRV:
		return "222n"
	case typeSOA:
		return "nn44444"
	case typeTXT:
		return "s"
	}
	return ""
}

// plainWire is encode for plain text.
func plainWire(code uint16, text string, origin Name) ([]byte, bool) {
	var room [512]byte
	b, fields := room[:0], shape(code)
	for i := range len(fields) {
		field, rest, more := text, "", false
		if fields[i] != 's' {
			field, rest, more = strings.Cut(text, " ")
		}
		var ok bool
		if b, ok = appendField(b, fields[i], field, origin); !ok || more == (i == len(fields)-1) {
			return nil, false
		}
		text = rest
	}
	if len(b) == 0 || len(b) > 0xFFFF {
		return nil, false
	}
	return append([]byte(nil), b...), true
}

func appendField(b []byte, kind byte, text string, origin Name) ([]byte, bool) {
	switch kind {
	case 'a', 'b':
		a, err := netip.ParseAddr(text)
		if err != nil || a.Zone() != "" || a.Is4() != (kind == 'a') {
			return b, false
		}
		return append(b, a.AsSlice()...), true
	case '2':
		n, err := strconv.ParseUint(text, 10, 16)
		return binary.BigEndian.AppendUint16(b, uint16(n)), err == nil
	case '4':
		n, err := strconv.ParseUint(text, 10, 32)
		return binary.BigEndian.AppendUint32(b, uint32(n)), err == nil
	case 'n':
		return appendName(b, text, origin)
	}
	return appendStrings(b, text)
}

// appendName appends the wire form of a plain name, in lower case.
func appendName(b []byte, name string, origin Name) ([]byte, bool) {
	from, ok := len(b), true
	if name != "@" {
		b, ok = appendLabels(b, name)
	}
	if ok && !strings.HasSuffix(name, ".") {
		b, ok = appendLabels(b, string(origin))
	}
	b = append(b, 0)
	return b, ok && len(b)-from <= maxName
}

func appendLabels(b []byte, name string) ([]byte, bool) {
	name = strings.TrimSuffix(name, ".")
	at := len(b)
	b = append(b, 0)
	for i := range len(name) {
		switch c := name[i]; {
		case ordinary(c):
			b = append(b, c)
		case 'A' <= c && c <= 'Z':
			b = append(b, c+'a'-'A')
		case c == '.':
			if n := len(b) - at - 1; n == 0 || n > maxLabel {
				return b, false
			}
			b[at] = byte(len(b) - at - 1)
			at = len(b)
			b = append(b, 0)
		default:
			return b, false
		}
	}
	n := len(b) - at - 1
	b[at] = byte(n)
	return b, n > 0 && n <= maxLabel
}

// ordinary reports whether an octet of a name means itself, and is in lower case.
func ordinary(c byte) bool {
	return 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_' || c == '*'
}

// plainName is ParseName for plain names.
func plainName(s string, origin Name) (Name, bool) {
	var room [2 * maxName]byte
	absolute := strings.HasSuffix(s, ".")
	if len(s) > maxName || len(origin) > maxName || !absolute && origin == "" {
		return "", false
	}
	b := append(room[:0], s...)
	if !absolute {
		b = append(append(b, '.'), origin...)
	}
	label := 0
	for _, c := range b {
		switch {
		case ordinary(c):
			label++
		case c != '.' || label == 0 || label > maxLabel:
			return "", false
		default:
			label = 0
		}
	}
	if label > 0 || len(b) >= maxName {
		return "", false
	}
	return Name(b), true
}

// appendStrings reads quoted strings without escapes.
func appendStrings(b []byte, text string) ([]byte, bool) {
	for {
		if text == "" || text[0] != '"' {
			return b, false
		}
		n := strings.IndexByte(text[1:], '"')
		if n < 0 || n > 255 || !printable(text[1:1+n]) {
			return b, false
		}
		b = append(append(b, byte(n)), text[1:1+n]...)
		if text = text[n+2:]; text == "" {
			return b, true
		}
		if text[0] != ' ' {
			return b, false
		}
		text = text[1:]
	}
}

func printable(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' || c > '~' || c == '"' || c == '\\' {
			return false
		}
	}
	return true
}

// plainText is decode for plain octets.
func plainText(code uint16, wire []byte) (string, bool) {
	var room [512]byte
	b, fields := room[:0], shape(code)
	for i := range len(fields) {
		if i > 0 {
			b = append(b, ' ')
		}
		var n int // octets of the field; 0: it is not plain
		if b, n = writeField(b, fields[i], wire); n == 0 {
			return "", false
		}
		wire = wire[n:]
	}
	return string(b), fields != "" && len(wire) == 0
}

func writeField(b []byte, kind byte, wire []byte) ([]byte, int) {
	switch {
	case kind == 'a' && len(wire) >= 4:
		return netip.AddrFrom4([4]byte(wire[:4])).AppendTo(b), 4
	case kind == 'b' && len(wire) >= 16:
		return netip.AddrFrom16([16]byte(wire[:16])).AppendTo(b), 16
	case kind == '2' && len(wire) >= 2:
		return strconv.AppendUint(b, uint64(binary.BigEndian.Uint16(wire)), 10), 2
	case kind == '4' && len(wire) >= 4:
		return strconv.AppendUint(b, uint64(binary.BigEndian.Uint32(wire)), 10), 4
	case kind == 'n':
		return writeName(b, wire)
	case kind == 's':
		return writeStrings(b, wire)
	}
	return b, 0
}

func writeName(b, wire []byte) ([]byte, int) {
	n := nameLen(wire, 0)
	if n < 2 { // the root's one octet is left to the library
		return b, 0
	}
	for i := 0; wire[i] != 0; i += 1 + int(wire[i]) {
		for _, c := range wire[i+1 : i+1+int(wire[i])] {
			if !ordinary(c) {
				return b, 0
			}
			b = append(b, c)
		}
		b = append(b, '.')
	}
	return b, n
}

func writeStrings(b, wire []byte) ([]byte, int) {
	for i := 0; i < len(wire); i += 1 + int(wire[i]) {
		end := i + 1 + int(wire[i])
		if end > len(wire) || !printable(string(wire[i+1:end])) {
			return b, 0
		}
		if i > 0 {
			b = append(b, ' ')
		}
		b = append(append(append(b, '"'), wire[i+1:end]...), '"')
	}
	return b, len(wire)
}
