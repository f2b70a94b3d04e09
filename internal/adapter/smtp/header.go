package smtp

import (
	"encoding/base64"
	"strings"
	"unicode/utf8"
)

// mostLine is the length of a line that holds encoded words (RFC 2047 2), and
// what any line should keep to (RFC 5322 2.1.1), in bytes.
const mostLine = 76

// mostChunk bytes of text make an encoded word of 64 bytes, which fits in a
// line with any field name of ours.
const mostChunk = 39

// unstructured writes a field of free text: as it is when that reads the same,
// else in encoded words.
func unstructured(name, value string) string {
	if mustEncode(value) {
		return name + encode(value)
	}
	return fold(name + value)
}

// mailbox writes a field of one address with its display name (RFC 5322 3.4).
func mailbox(name, display string, a address) string {
	switch {
	case display == "":
		return name + a.String()
	case mustEncode(display):
		display = name + encode(display)
	default:
		display = fold(name + `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(display) + `"`)
	}
	return display + "\r\n <" + a.String() + ">"
}

// mustEncode reports text that would be changed on its way: other than ASCII,
// with spaces that folding could lose, with what looks like an encoded word,
// or with a word too long for one line.
func mustEncode(s string) bool {
	if !isASCII(s) || strings.Contains(s, "=?") || s != strings.Join(strings.Fields(s), " ") {
		return true
	}
	for word := range strings.SplitSeq(s, " ") {
		if len(word) > mostChunk {
			return true
		}
	}
	return false
}

// encode writes encoded words (RFC 2047 2, encoding "b"), each with whole
// characters (RFC 2047 5) and in a line of its own. mime.WordEncoder leaves all
// ASCII as it is, even what looks encoded.
func encode(s string) string {
	var words []string
	for s != "" {
		n := min(len(s), mostChunk)
		for n < len(s) && !utf8.RuneStart(s[n]) {
			n--
		}
		words = append(words, "=?utf-8?b?"+base64.StdEncoding.EncodeToString([]byte(s[:n]))+"?=")
		s = s[n:]
	}
	return strings.Join(words, "\r\n ")
}

// fold breaks lines before words (RFC 5322 2.2.3).
func fold(field string) string {
	var b strings.Builder
	length := 0
	for i, word := range strings.Split(field, " ") {
		switch {
		case i > 0 && length+1+len(word) > mostLine:
			b.WriteString("\r\n ")
			length = 1
		case i > 0:
			b.WriteByte(' ')
			length++
		}
		b.WriteString(word)
		length += len(word)
	}
	return b.String()
}
