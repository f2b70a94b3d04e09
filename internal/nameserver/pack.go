package nameserver

import (
	"net/netip"
	"strings"

	"hostward/internal/rr"
)

// wireOf returns the rdata of each record. The types that make up nearly all
// of most zones are read here: the general way takes ten times as long.
func wireOf(code uint16, s rr.RRset) ([][]byte, error) {
	out := make([][]byte, len(s.Data))
	for i, d := range s.Data {
		if w, ok := quick(code, d); ok {
			out[i] = w
			continue
		}
		w, err := rr.Pack(s.Type, d)
		if err != nil {
			return nil, err
		}
		out[i] = w
	}
	return out, nil
}

// quick reads plain data; false means nothing but that it is not plain.
func quick(code uint16, data string) ([]byte, bool) {
	switch code {
	case typeA, typeAAAA:
		a, err := netip.ParseAddr(data)
		if err != nil || a.Zone() != "" || a.Is4() != (code == typeA) {
			return nil, false
		}
		return a.AsSlice(), true
	case typeNS, typeCNAME, typePTR:
		return quickName(nil, data)
	case typeMX:
		preference, host, _ := strings.Cut(data, " ")
		if preference == "" {
			return nil, false
		}
		n := 0
		for _, c := range preference {
			if c < '0' || c > '9' || n > 6552 {
				return nil, false
			}
			n = 10*n + int(c-'0')
		}
		return quickName([]byte{byte(n >> 8), byte(n)}, host)
	case typeTXT:
		return quickText(data)
	}
	return nil, false
}

// quickName appends an absolute name of plain lower-case labels.
func quickName(b []byte, name string) ([]byte, bool) {
	if len(name) < 2 || len(name) > 254 || name[len(name)-1] != '.' {
		return nil, false
	}
	from := len(b)
	b = append(b, 0)
	at := from
	for i := range len(name) {
		switch c := name[i]; {
		case c == '.':
			n := len(b) - at - 1
			if n == 0 || n > 63 {
				return nil, false
			}
			b[at] = byte(n)
			at = len(b)
			b = append(b, 0)
		case 'a' <= c && c <= 'z' || '0' <= c && c <= '9' || c == '-' || c == '_':
			b = append(b, c)
		default:
			return nil, false
		}
	}
	return b, true
}

// quickText reads one quoted string without escapes.
func quickText(data string) ([]byte, bool) {
	n := len(data) - 2
	if n < 0 || n > 255 || data[0] != '"' || data[n+1] != '"' {
		return nil, false
	}
	for _, c := range []byte(data[1 : n+1]) {
		if c < ' ' || c > '~' || c == '"' || c == '\\' {
			return nil, false
		}
	}
	return append([]byte{byte(n)}, data[1:n+1]...), true
}
