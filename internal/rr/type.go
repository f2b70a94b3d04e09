package rr

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"
)

// Types the rules name.
const (
	typeA          = 1
	typeNS         = 2
	typeCNAME      = 5
	typeSOA        = 6
	typeNULL       = 10
	typePTR        = 12
	typeMX         = 15
	typeTXT        = 16
	typeAAAA       = 28
	typeSRV        = 33
	typeDNAME      = 39
	typeDS         = 43
	typeRRSIG      = 46
	typeNSEC       = 47
	typeNSEC3      = 50
	typeNSEC3PARAM = 51
	typeCAA        = 257
)

// TypeCode returns the number of a type: a mnemonic such as "AAAA", or
// "TYPE65400" (RFC 3597 5). It refuses what is no data of a zone: OPT, and
// the meta and question types 128 to 255 (RFC 6895 3.1).
func TypeCode(s string) (uint16, bool) {
	s = strings.ToUpper(s)
	code, ok := libraryCode(s)
	if digits, generic := strings.CutPrefix(s, "TYPE"); !ok && generic {
		n, err := strconv.ParseUint(digits, 10, 16)
		code, ok = uint16(n), err == nil
	}
	return code, ok && storable(code)
}

func storable(code uint16) bool {
	return code != 0 && code != 41 && (code < 128 || code > 255) && code != 65535
}

// TypeName returns the canonical mnemonic of a type, "TYPE65400" if it has none.
func TypeName(code uint16) string {
	if s, ok := libraryName(code); ok {
		return s
	}
	return fmt.Sprintf("TYPE%d", code)
}

// CompareTypes orders types for people and files: SOA, NS, then by number.
func CompareTypes(a, b string) int { return cmp.Compare(rank(a), rank(b)) }

func rank(t string) int {
	code, _ := TypeCode(t)
	return rankOf(code)
}

func rankOf(code uint16) int {
	switch code {
	case typeSOA:
		return -2
	case typeNS:
		return -1
	}
	return int(code)
}

// Layout says where the names are in a type's rdata: after Skip octets and
// Strings character-strings follow Names names.
type Layout struct {
	Skip, Strings, Names int
	Compress             bool // the names may be compressed in messages (RFC 3597 4)
}

// LayoutOf returns the layout of the types whose names are folded to lower
// case in canonical form (RFC 4034 6.2, RFC 6840 5.1), and the zero Layout
// for all others, whose rdata is never touched.
func LayoutOf(code uint16) Layout {
	switch code {
	case 2, 3, 4, 5, 7, 8, 9, 12: // NS MD MF CNAME MB MG MR PTR
		return Layout{Names: 1, Compress: true}
	case 6, 14: // SOA MINFO
		return Layout{Names: 2, Compress: true}
	case 15: // MX
		return Layout{Skip: 2, Names: 1, Compress: true}
	case 17: // RP
		return Layout{Names: 2}
	case 18, 21, 36: // AFSDB RT KX
		return Layout{Skip: 2, Names: 1}
	case 24, 46: // SIG RRSIG
		return Layout{Skip: 18, Names: 1}
	case 26: // PX
		return Layout{Skip: 2, Names: 2}
	case 30, 39: // NXT DNAME
		return Layout{Names: 1}
	case 33: // SRV
		return Layout{Skip: 6, Names: 1}
	case 35: // NAPTR
		return Layout{Skip: 4, Strings: 3, Names: 1}
	}
	return Layout{}
}

// NameAt returns where the names begin and end in rdata, or false if the
// rdata is too short for the layout.
func (l Layout) NameAt(rdata []byte) (start, end int, ok bool) {
	i := l.Skip
	for range l.Strings {
		if i >= len(rdata) {
			return 0, 0, false
		}
		i += 1 + int(rdata[i])
	}
	start = i
	for range l.Names {
		n := nameLen(rdata, i)
		if n == 0 {
			return 0, 0, false
		}
		i += n
	}
	return start, i, l.Names > 0
}

// nameLen returns the length of the uncompressed name at b[i:], 0 if there is none.
func nameLen(b []byte, i int) int {
	for j := i; j < len(b) && j-i < maxName; j += 1 + int(b[j]) {
		if b[j] == 0 {
			return j - i + 1
		}
		if b[j] > maxLabel {
			return 0
		}
	}
	return 0
}

// accepted says what a type's rdata looks like.
func accepted(typ string) string {
	if s, ok := syntax()[typ]; ok {
		return typ + " takes " + s
	}
	return typ + ` takes its fields in presentation form, or \# length hex (RFC 3597)`
}

func syntax() map[string]string {
	const host = "a host name"
	return map[string]string{
		"A":      "an IPv4 address such as 192.0.2.1",
		"AAAA":   "an IPv6 address such as 2001:db8::1",
		"NS":     host,
		"CNAME":  host,
		"DNAME":  "a domain name",
		"PTR":    host,
		"MX":     "a preference from 0 to 65535 and a host name: 10 mail",
		"TXT":    `one or more strings of up to 255 octets: "some text"`,
		"SOA":    "primary, mailbox, serial, refresh, retry, expire, minimum",
		"SRV":    "priority, weight, port, each from 0 to 65535, and a host name: 0 1 443 www",
		"CAA":    `flags, tag and a quoted value: 0 issue "ca.example"`,
		"DS":     "key tag, algorithm, digest type and digest in hex",
		"TLSA":   "usage, selector, matching type and data in hex: 3 1 1 8cb6…",
		"SSHFP":  "algorithm, fingerprint type and fingerprint in hex",
		"NAPTR":  `order, preference, "flags", "service", "regexp" and a name`,
		"HTTPS":  `priority, target and parameters: 1 . alpn="h2,h3"`,
		"SVCB":   `priority, target and parameters: 1 svc.example. port="8443"`,
		"LOC":    "a position: 48 12 30.000 N 16 22 20.000 E 171m",
		"DNSKEY": "flags, 3, algorithm and key in base64",
		"HINFO":  "two strings: processor and system",
		"URI":    `priority, weight and a quoted URI`,
	}
}
