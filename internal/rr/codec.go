package rr

// This file alone knows the DNS library, github.com/miekg/dns v1: complete
// and frozen. What it is used for is small: rdata from text to wire and back.

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

func libraryCode(s string) (uint16, bool) {
	code, ok := dns.StringToType[s]
	return code, ok
}

func libraryName(code uint16) (string, bool) {
	s, ok := dns.TypeToString[code]
	return s, ok
}

// dataError is what is wrong with an rdata text; at is the offset of the
// token, or -1.
type dataError struct {
	at  int
	why string
}

// encode reads rdata in presentation form. Names in it are relative to origin.
func encode(code uint16, text string, origin Name) ([]byte, *dataError) {
	if wire, ok := plainWire(code, text, origin); ok {
		return wire, nil
	}
	return encodeAny(code, text, origin)
}

func encodeAny(code uint16, text string, origin Name) ([]byte, *dataError) {
	if generic, ok := strings.CutPrefix(text, `\#`); ok {
		return encodeGeneric(code, generic)
	}
	if _, known := dns.TypeToRR[code]; !known || code == typeNULL {
		return nil, &dataError{0, `this type takes \# length hex (RFC 3597)`}
	}
	if text == "" {
		return nil, &dataError{0, "the data is missing"}
	}
	head := fmt.Sprintf(". 0 IN TYPE%d ", code)
	p := dns.NewZoneParser(strings.NewReader(head+text+"\n"), string(origin), "")
	record, ok := p.Next()
	if err := p.Err(); err != nil {
		return nil, place(err, len(head))
	}
	if !ok {
		return nil, &dataError{-1, "the data is incomplete"}
	}
	if _, more := p.Next(); more || p.Err() != nil {
		return nil, &dataError{-1, "there is more than one record"}
	}
	return pack(record)
}

// pack returns the canonical rdata of a record whose owner is the root.
func pack(record dns.RR) ([]byte, *dataError) {
	const header = 1 + 10
	buf := make([]byte, dns.Len(record)+64)
	n, err := dns.PackRR(record, buf, 0, nil, false)
	if err != nil || n < header {
		return nil, &dataError{-1, "the data does not fit into a record: " + plain(err)}
	}
	wire := buf[header:n]
	return wire, fold(record.Header().Rrtype, wire)
}

// fold lowers the names that canonical form lowers.
func fold(code uint16, wire []byte) *dataError {
	l := LayoutOf(code)
	if l.Names == 0 {
		return nil
	}
	start, end, ok := l.NameAt(wire)
	if !ok {
		return &dataError{-1, "the data ends in the middle of a name"}
	}
	for i := start; i < end; i += 1 + int(wire[i]) {
		lowerBytes(wire[i+1 : i+1+int(wire[i])])
	}
	return nil
}

// encodeGeneric reads what follows \# (RFC 3597 5); known types must decode.
func encodeGeneric(code uint16, text string) ([]byte, *dataError) {
	fields := strings.Fields(text)
	if len(fields) == 0 {
		return nil, &dataError{0, `\# needs a length`}
	}
	n, err := strconv.ParseUint(fields[0], 10, 16)
	wire, herr := hex.DecodeString(strings.Join(fields[1:], ""))
	if err != nil || herr != nil || len(wire) != int(n) {
		return nil, &dataError{0, `\# takes a length up to 65535 and that many octets in hex`}
	}
	if _, err := unpack(code, wire); err != nil {
		return nil, &dataError{0, fmt.Sprintf("these octets are no %s: %s", TypeName(code), plain(err))}
	}
	return wire, fold(code, wire)
}

// unpack decodes rdata; nil without error means that the type has no form of its own.
func unpack(code uint16, wire []byte) (dns.RR, error) {
	if _, known := dns.TypeToRR[code]; !known || code == typeNULL {
		return nil, nil
	}
	if len(wire) == 0 {
		if code == dns.TypeAPL {
			return nil, nil
		}
		return nil, fmt.Errorf("no octets")
	}
	h := dns.RR_Header{Name: ".", Rrtype: code, Class: dns.ClassINET, Rdlength: uint16(len(wire))}
	record, off, err := dns.UnpackRRWithHeader(h, wire, 0)
	if err == nil && off != len(wire) {
		err = fmt.Errorf("octets are left over")
	}
	return record, err
}

// decode returns the canonical presentation form of rdata. Where the
// library's text does not lead back to the same octets, the generic form is
// canonical.
func decode(code uint16, wire []byte) string {
	if text, ok := plainText(code, wire); ok {
		return text
	}
	return decodeAny(code, wire)
}

func decodeAny(code uint16, wire []byte) string {
	record, err := unpack(code, wire)
	if record == nil || err != nil {
		return generic(wire)
	}
	text := strings.TrimPrefix(record.String(), record.Header().String())
	if trusted(code) {
		return text
	}
	if back, err := encode(code, text, "."); err != nil || !bytes.Equal(back, wire) || strings.ContainsAny(text, "\n\r\t") {
		return generic(wire)
	}
	return text
}

func generic(wire []byte) string {
	return strings.TrimSpace(fmt.Sprintf(`\# %d %X`, len(wire), wire))
}

// trusted names the types whose text is known to lead back (the fuzz test
// watches over it); the others are tried each time.
func trusted(code uint16) bool {
	switch code {
	case typeA, typeAAAA, typeNS, typeCNAME, typePTR, typeMX, typeSOA, typeSRV, typeTXT, typeDS:
		return true
	}
	return false
}

// place finds the offset of a library error in the rdata text.
func place(err error, head int) *dataError {
	e := &dataError{-1, plain(err)}
	if m := regexp.MustCompile(` at line: 1:(\d+)$`).FindStringSubmatch(err.Error()); m != nil {
		if n, _ := strconv.Atoi(m[1]); n > head {
			e.at = n - head - 1
		}
	}
	return e
}

// plain is the library's reason without its name and position.
func plain(err error) string {
	if err == nil {
		return "it is too long"
	}
	s := strings.TrimPrefix(err.Error(), "dns: ")
	s, _, _ = strings.Cut(s, " at line:")
	if i := strings.LastIndex(s, ": \""); i > 0 {
		s = s[:i]
	}
	return s
}
