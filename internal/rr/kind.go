package rr

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"hostward/internal/core"
)

// Kind is a record type as people fill it in who do not know how it is written.
type Kind struct {
	Type  string
	Doc   string // what it is for, one sentence
	Owner string // what its name looks like, where there is a rule for it
	Line  string // an example of the data as one line
	Parts []Part // in the order in which they are written
}

// Part is one part of a kind's data.
type Part struct {
	Name, Doc string
	Choice    []string // nil: free
	Optional  bool

	form form
}

// form says how one part stands in the data. take reads it from the front of
// the tokens; put writes it, or says what is accepted.
type form struct {
	take func(ts []token) (value string, rest []token, ok bool)
	put  func(value string, origin Name) (text, accepted string)
}

// Kinds returns every type whose data has fixed parts; those that people write
// most come first.
func Kinds() []Kind {
	return slices.Concat(places(), texts(), services(), digests(), rare())
}

// KindOf returns the kind of a type; false if its data is one line of text.
func KindOf(typ string) (Kind, bool) {
	all := Kinds()
	i := slices.IndexFunc(all, func(k Kind) bool { return strings.EqualFold(k.Type, strings.TrimSpace(typ)) })
	if i < 0 {
		return Kind{}, false
	}
	return all[i], true
}

// Split cuts data into the parts of its kind. ok means that Join makes the same
// record of them; data that no parts can say stays a line of text.
func (k Kind) Split(data string) (parts []string, ok bool) {
	e, fault, found := newScanner(data).next()
	if fault != nil || !found {
		return nil, false
	}
	rest := e.tokens
	for _, p := range k.Parts {
		value, left, ok := p.form.take(rest)
		if !ok && !p.Optional || len(value) > maxPart {
			return nil, false
		}
		parts, rest = append(parts, value), left
	}
	text, faults := k.Join(parts, ".")
	was, werr := ParseData(k.Type, data, ".")
	is, err := ParseData(k.Type, text, ".")
	return parts, len(rest) == 0 && len(faults) == 0 && werr == nil && err == nil && was == is
}

// maxPart bounds one part, in octets: what is longer is handled better as text.
const maxPart = 4096

// Join writes the parts as data. Each fault names its part: parts.0. Names
// without a final dot are below origin. Whether the parts go together is
// ParseData's question.
func (k Kind) Join(parts []string, origin Name) (string, core.Faults) {
	var faults core.Faults
	var out []string
	if len(parts) > len(k.Parts) {
		faults.Add("parts", strconv.Itoa(len(parts)), fmt.Sprintf("%s has %d parts", k.Type, len(k.Parts)))
	}
	for i, p := range k.Parts {
		value := ""
		if i < len(parts) {
			value = strings.TrimSpace(parts[i])
		}
		text, accepted := p.form.put(value, origin)
		switch {
		case value == "" && !p.Optional:
			faults.Add(fmt.Sprintf("parts.%d", i), "", "must be given")
		case accepted != "":
			faults.Add(fmt.Sprintf("parts.%d", i), clip(value), accepted)
		case text != "":
			out = append(out, text)
		}
	}
	return strings.Join(out, " "), faults
}

// Text writes any text as the data of a TXT record: quoted, in pieces of at
// most 255 octets (RFC 1035 3.3.14), which readers join (RFC 7208 3.3, RFC 6376
// 3.6.2.2).
func Text(s string) string {
	const most = 255
	var out []string
	for len(s) > most {
		out, s = append(out, quote(s[:most])), s[most:]
	}
	return strings.Join(append(out, quote(s)), " ")
}

func quote(s string) string {
	var b strings.Builder
	b.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			b.WriteString(`\` + string(rune(c)))
		case c < ' ' || c > '~':
			fmt.Fprintf(&b, `\%03d`, c)
		default:
			b.WriteByte(c)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// unquote returns the text that tokens stand for, joined; false if it is none
// that people could type.
func unquote(ts []token) (string, bool) {
	var b []byte
	for _, t := range ts {
		for i := 0; i < len(t.text); i++ {
			c := t.text[i]
			if c == '\\' && i+1 < len(t.text) {
				i++
				c = t.text[i]
				if n, err := strconv.ParseUint(t.text[i:min(i+3, len(t.text))], 10, 8); err == nil && i+3 <= len(t.text) {
					c, i = byte(n), i+2
				}
			}
			b = append(b, c)
		}
	}
	s := string(b)
	return s, utf8.ValidString(s) && !strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f })
}

// word is one token that says what it must be.
func word(accept func(value string, origin Name) string) form {
	return form{
		take: func(ts []token) (string, []token, bool) {
			if len(ts) == 0 || ts[0].quoted {
				return "", ts, false
			}
			return ts[0].text, ts[1:], true
		},
		put: func(value string, origin Name) (string, string) {
			if strings.ContainsAny(value, " \t\"();") {
				return "", "one word without spaces, quotes and brackets"
			}
			return value, accept(value, origin)
		},
	}
}

// among is one word of a few.
func among(choice ...string) form {
	return word(func(value string, _ Name) string {
		if slices.Contains(choice, value) {
			return ""
		}
		return "one of " + strings.Join(choice, ", ")
	})
}

func upTo(most uint64) form {
	return word(func(value string, _ Name) string {
		if n, err := strconv.ParseUint(value, 10, 64); err == nil && n <= most {
			return ""
		}
		return fmt.Sprintf("a whole number from 0 to %d", most)
	})
}

func octet() form { return upTo(1<<8 - 1) }
func short() form { return upTo(1<<16 - 1) }
func free() form  { return word(func(string, Name) string { return "" }) }

func host() form {
	return word(func(value string, origin Name) string {
		if _, err := ParseName(value, origin); err != nil {
			return reason(err)
		}
		return ""
	})
}

func address(accepted string, is func(netip.Addr) bool) form {
	return word(func(value string, _ Name) string {
		if a, err := netip.ParseAddr(value); err == nil && is(a) && a.Zone() == "" {
			return ""
		}
		return accepted
	})
}

// tail is all that is left, as it is written.
func tail() form {
	return form{
		take: func(ts []token) (string, []token, bool) {
			text := flatten(ts)
			return text, nil, text != ""
		},
		put: func(value string, _ Name) (string, string) { return value, "" },
	}
}

// freeText is one string in quotes, of at most so many octets, or all that are left.
func freeText(most int, all bool) form {
	return form{
		take: func(ts []token) (string, []token, bool) {
			n := min(1, len(ts))
			if all {
				n = len(ts)
			}
			s, ok := unquote(ts[:n])
			return s, ts[n:], ok && n > 0
		},
		put: func(value string, _ Name) (string, string) {
			if len(value) > most {
				return "", fmt.Sprintf("at most %d octets", most)
			}
			if all {
				return Text(value), ""
			}
			return quote(value), ""
		},
	}
}

// until is all tokens up to one of these: half a position (RFC 1876 3).
func until(ends ...string) form {
	is := func(t token) bool { return slices.Contains(ends, strings.ToUpper(t.text)) }
	return form{
		take: func(ts []token) (string, []token, bool) {
			i := slices.IndexFunc(ts, is)
			text := flatten(ts[:i+1])
			return text, ts[i+1:], i > 0
		},
		put: func(value string, _ Name) (string, string) {
			if words := strings.Fields(value); len(words) < 2 || len(words) > 4 || !is(token{text: words[len(words)-1]}) {
				return "", "degrees, minutes, seconds and " + strings.Join(ends, " or ") + ": 48 12 30 " + ends[0]
			}
			return value, ""
		},
	}
}
