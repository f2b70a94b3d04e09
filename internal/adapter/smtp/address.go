package smtp

import (
	"net/netip"
	"strings"
	"unicode"
	"unicode/utf8"
)

// The longest a server must take (RFC 5321 4.5.3.1), in bytes.
const (
	mostLocal   = 64
	mostDomain  = 253 // as text; 255 in DNS
	mostAddress = 254 // a path of 256 with its angle brackets
)

// address is one addr-spec (RFC 5322 3.4.1) without comments, folding white
// space and obsolete forms, which SMTP does not know (RFC 5321 4.1.2).
type address struct{ local, domain string }

// parseAddress reads an address. The local part may be UTF-8 (RFC 6531 3.3);
// the domain is ASCII, an internationalised one in its A-labels.
func parseAddress(s string) (a address, ok bool) {
	at := strings.LastIndexByte(s, '@')
	if at < 1 || at > mostLocal || len(s) > mostAddress || !utf8.ValidString(s) {
		return a, false
	}
	a = address{s[:at], s[at+1:]}
	return a, (isDotAtom(a.local) || isQuoted(a.local)) && (isDomain(a.domain) || isLiteral(a.domain))
}

func (a address) String() string { return a.local + "@" + a.domain }

// isASCII reports that a server without SMTPUTF8 understands the text.
func isASCII(s string) bool {
	return strings.IndexFunc(s, func(r rune) bool { return r > unicode.MaxASCII }) < 0
}

// isDotAtom is dot-atom-text (RFC 5322 3.2.3), with UTF-8 (RFC 6532 3.2).
func isDotAtom(s string) bool {
	for atom := range strings.SplitSeq(s, ".") {
		if atom == "" || strings.IndexFunc(atom, notAtom) >= 0 {
			return false
		}
	}
	return true
}

func notAtom(r rune) bool {
	switch {
	case r > unicode.MaxASCII:
		return !unicode.IsGraphic(r) || unicode.IsSpace(r)
	case 'a' <= r && r <= 'z' || 'A' <= r && r <= 'Z' || '0' <= r && r <= '9':
		return false
	}
	return !strings.ContainsRune("!#$%&'*+-/=?^_`{|}~", r)
}

// isQuoted is Quoted-string (RFC 5321 4.1.2): printable ASCII, in which a
// backslash takes the next character along.
func isQuoted(s string) bool {
	if len(s) < 3 || s[0] != '"' || s[len(s)-1] != '"' {
		return false
	}
	escaped := false
	for _, r := range s[1 : len(s)-1] {
		if r < ' ' || r > '~' || !escaped && r == '"' {
			return false
		}
		escaped = !escaped && r == '\\'
	}
	return !escaped
}

// isDomain is Domain (RFC 5321 4.1.2): letters, digits and inner hyphens.
func isDomain(s string) bool {
	if len(s) > mostDomain {
		return false
	}
	for label := range strings.SplitSeq(s, ".") {
		if label == "" || len(label) > 63 || label[0] == '-' || label[len(label)-1] == '-' || strings.IndexFunc(label, notLabel) >= 0 {
			return false
		}
	}
	return true
}

func notLabel(r rune) bool {
	return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-'
}

// isLiteral is address-literal (RFC 5321 4.1.3).
func isLiteral(s string) bool {
	inner, opened := strings.CutPrefix(s, "[")
	inner, closed := strings.CutSuffix(inner, "]")
	text, is6 := strings.CutPrefix(inner, "IPv6:")
	ip, err := netip.ParseAddr(text)
	return opened && closed && err == nil && ip.Is6() == is6 && ip.Zone() == ""
}

// literal writes an address as an address-literal.
func literal(ip netip.Addr) string {
	if ip = ip.Unmap().WithZone(""); ip.Is6() {
		return "[IPv6:" + ip.String() + "]"
	}
	return "[" + ip.String() + "]"
}
