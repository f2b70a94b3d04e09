package rr

// What is read by hand, and the library's reading of the same.
var (
	PlainWire = plainWire
	PlainText = plainText
	PlainName = plainName
)

func LibraryWire(code uint16, text string, origin Name) ([]byte, bool) {
	wire, err := encodeAny(code, text, origin)
	return wire, err == nil
}

func LibraryText(code uint16, wire []byte) (string, bool) {
	if fold(code, wire) != nil {
		return "", false
	}
	_, err := unpack(code, wire)
	return decodeAny(code, wire), err == nil
}

// GeneralName is ParseName without the way for plain names.
func GeneralName(s string, origin Name) (Name, error) { return parseAnyName(s, origin) }
