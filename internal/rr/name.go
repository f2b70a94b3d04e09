package rr

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"

	"hostward/internal/core"
)

// Name is an absolute domain name in lower case ASCII presentation form with
// the final dot. Octets that are not printable, and those with a meaning in
// zone files, are escaped (RFC 4343 2.1). Make one with ParseName.
type Name string

// Limits of RFC 1035 2.3.4, in octets.
const (
	maxLabel = 63
	maxName  = 255 // with length octets and the root
)

// ParseName reads a name. One without a final dot is relative to origin; "@"
// is origin itself. A label with letters beyond ASCII is an IDN label and
// becomes its A-label (RFC 5891). Errors are Invalid and say which label and why.
func ParseName(s string, origin Name) (Name, error) {
	if s == "@" && origin != "" {
		return origin, nil
	}
	if name, ok := plainName(s, origin); ok {
		return name, nil
	}
	return parseAnyName(s, origin)
}

func parseAnyName(s string, origin Name) (Name, error) {
	labels, absolute, err := splitName(s)
	if err != nil {
		return "", err
	}
	if !absolute {
		if origin == "" {
			return "", core.Errorf(core.Invalid, "name %q is relative and there is no origin: end it with a dot", clip(s))
		}
		labels = append(labels, origin.labels()...)
	}
	if n := wireLen(labels); n > maxName {
		return "", core.Errorf(core.Invalid, "name %q is %d octets long: at most %d are accepted", clip(s), n, maxName)
	}
	return join(labels), nil
}

// splitName cuts s at its unescaped dots and returns the labels as octets.
func splitName(s string) (labels []string, absolute bool, err error) {
	switch s {
	case "":
		return nil, false, core.Errorf(core.Invalid, "a name is missing: @ is the zone itself")
	case ".":
		return nil, true, nil
	}
	var b []byte
	intl := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '\\':
			octet, n, ok := unescape(s[i:])
			if !ok {
				return nil, false, labelError(s, len(labels), string(b), `has a broken escape: \ and three digits up to 255, or \ and a character, is accepted`)
			}
			b, i = append(b, octet), i+n-1
		case c == '.':
			label, err := finishLabel(s, len(labels), b, intl)
			if err != nil {
				return nil, false, err
			}
			labels, b, intl = append(labels, label), nil, false
			absolute = i == len(s)-1
		default:
			b, intl = append(b, c), intl || c >= utf8.RuneSelf
		}
	}
	if !absolute {
		label, err := finishLabel(s, len(labels), b, intl)
		if err != nil {
			return nil, false, err
		}
		labels = append(labels, label)
	}
	return labels, absolute, nil
}

// finishLabel checks one label; intl says that it has letters beyond ASCII.
func finishLabel(name string, index int, b []byte, intl bool) (string, error) {
	label := string(b)
	if intl {
		ascii, err := aLabel(label)
		if err != nil {
			return "", labelError(name, index, label, "is not an IDN label: "+err.Error())
		}
		label = ascii
	}
	switch {
	case label == "":
		return "", labelError(name, index, label, "is empty: dots stand between labels only")
	case len(label) > maxLabel:
		return "", labelError(name, index, label, fmt.Sprintf("is %d octets long: at most %d are accepted", len(label), maxLabel))
	}
	return lower(label), nil
}

// aLabel converts by the rules of UTS 46, non-transitional, as browsers do.
func aLabel(label string) (string, error) {
	if !utf8.ValidString(label) {
		return "", fmt.Errorf("broken UTF-8")
	}
	profile := idna.New(idna.MapForLookup(), idna.Transitional(false), idna.StrictDomainName(false), idna.BidiRule())
	a, err := profile.ToASCII(label)
	if err != nil {
		return "", fmt.Errorf("%q is not accepted by IDNA", clip(label))
	}
	if strings.Contains(a, ".") {
		return "", fmt.Errorf("%q stands for several labels", clip(label))
	}
	return a, nil
}

func labelError(name string, index int, label, why string) error {
	return core.Errorf(core.Invalid, "name %q: label %d %q %s", clip(name), index+1, clip(label), why)
}

// unescape reads \DDD or \X at the start of s.
func unescape(s string) (octet byte, n int, ok bool) {
	if len(s) < 2 {
		return 0, 0, false
	}
	if s[1] < '0' || s[1] > '9' {
		return s[1], 2, true
	}
	if len(s) < 4 {
		return 0, 0, false
	}
	v, err := strconv.ParseUint(s[1:4], 10, 8)
	return byte(v), 4, err == nil
}

// join writes labels in presentation form.
func join(labels []string) Name {
	if len(labels) == 0 {
		return "."
	}
	var b strings.Builder
	for _, l := range labels {
		for i := range len(l) {
			escape(&b, l[i])
		}
		b.WriteByte('.')
	}
	return Name(b.String())
}

func escape(b *strings.Builder, c byte) {
	switch {
	case c <= ' ' || c > '~':
		fmt.Fprintf(b, `\%03d`, c)
	case strings.IndexByte(`.\"();@$`, c) >= 0:
		b.WriteByte('\\')
		b.WriteByte(c)
	default:
		b.WriteByte(c)
	}
}

// lower folds ASCII only (RFC 4343 3).
func lower(s string) string {
	b := []byte(s)
	lowerBytes(b)
	return string(b)
}

func lowerBytes(b []byte) {
	for i, c := range b {
		if 'A' <= c && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
}

func wireLen(labels []string) int {
	n := 1
	for _, l := range labels {
		n += 1 + len(l)
	}
	return n
}

// labels returns the octets of each label, the root's not included.
func (n Name) labels() []string {
	if !strings.Contains(string(n), `\`) {
		if n == "." || n == "" {
			return nil
		}
		return strings.Split(strings.TrimSuffix(string(n), "."), ".")
	}
	labels, _, err := splitName(string(n))
	if err != nil {
		return nil
	}
	return labels
}

// Labels returns the number of labels, the root's not counted.
func (n Name) Labels() int { return len(n.labels()) }

// Wire returns the uncompressed wire form (RFC 1035 3.1).
func (n Name) Wire() []byte {
	var room [maxName + 1]byte
	if b, ok := appendName(room[:0], string(n), ""); ok {
		return append([]byte(nil), b...)
	}
	labels := n.labels()
	b := make([]byte, 0, wireLen(labels))
	for _, l := range labels {
		b = append(append(b, byte(len(l))), l...)
	}
	return append(b, 0)
}

// NameFromWire reads an uncompressed name at the start of b and returns how
// many octets it took.
func NameFromWire(b []byte) (Name, int, error) {
	var room [maxName]byte
	if text, n := writeName(room[:0], b); n > 0 {
		return Name(text), n, nil
	}
	var labels []string
	for i := 0; i < len(b) && i < maxName; {
		n := int(b[i])
		if n == 0 {
			return join(labels), i + 1, nil
		}
		if n > maxLabel || i+1+n >= len(b) {
			break
		}
		labels = append(labels, lower(string(b[i+1:i+1+n])))
		i += 1 + n
	}
	return "", 0, core.Errorf(core.Invalid, "the octets are not an uncompressed name")
}

// Parent returns the name without its first label; the root's is the root.
func (n Name) Parent() Name {
	for i := 0; i < len(n); i++ {
		switch n[i] {
		case '\\':
			i++
		case '.':
			if i == len(n)-1 {
				return "."
			}
			return n[i+1:]
		}
	}
	return "."
}

// Under reports whether n is zone or below it.
func (n Name) Under(zone Name) bool {
	if zone == "." || n == zone {
		return true
	}
	rest, ok := strings.CutSuffix(string(n), string(zone))
	return ok && strings.HasSuffix(rest, ".") && !oddBackslashes(rest[:len(rest)-1])
}

// oddBackslashes reports whether the character after s would be escaped.
func oddBackslashes(s string) bool {
	n := len(s) - len(strings.TrimRight(s, `\`))
	return n%2 == 1
}

// Wildcard reports whether the first label is "*" (RFC 4592 2.1.1).
func (n Name) Wildcard() bool { return n == "*." || strings.HasPrefix(string(n), "*.") }

// Relative returns n as one writes it below origin: "@", "www", or the
// absolute name if it is not below.
func (n Name) Relative(origin Name) string {
	switch {
	case n == origin:
		return "@"
	case origin == "." || origin == "" || !n.Under(origin):
		return string(n)
	}
	return strings.TrimSuffix(string(n), "."+string(origin))
}

// Unicode returns n for people: A-labels as the letters they stand for,
// where that is unambiguous, otherwise unchanged.
func (n Name) Unicode() string {
	labels := strings.Split(string(n), ".")
	for i, l := range labels {
		if !strings.HasPrefix(l, "xn--") {
			continue
		}
		if u, err := idna.Display.ToUnicode(l); err == nil {
			if back, err := aLabel(u); err == nil && back == l {
				labels[i] = u
			}
		}
	}
	return strings.Join(labels, ".")
}

// Compare orders names canonically: by labels from the right (RFC 4034 6.1).
func (n Name) Compare(other Name) int {
	if n == other {
		return 0
	}
	a, b := n.labels(), other.labels()
	for i, j := len(a)-1, len(b)-1; i >= 0 && j >= 0; i, j = i-1, j-1 {
		if c := strings.Compare(a[i], b[j]); c != 0 {
			return c
		}
	}
	return cmp.Compare(len(a), len(b))
}

// order returns octets that compare as names do: the labels from the right, each
// ended by a zero. In labels, 0 is 1 1, and 1 is 1 2.
func (n Name) order() string {
	var room [2 * maxName]byte
	b := room[:0]
	if strings.IndexByte(string(n), '\\') < 0 {
		rest := strings.TrimSuffix(string(n), ".")
		for rest != "" {
			i := strings.LastIndexByte(rest, '.')
			b = append(append(b, rest[i+1:]...), 0)
			rest = rest[:max(i, 0)]
		}
		return string(b)
	}
	for _, l := range slices.Backward(n.labels()) {
		for i := range len(l) {
			if l[i] <= 1 {
				b = append(b, 1, l[i]+1)
			} else {
				b = append(b, l[i])
			}
		}
		b = append(b, 0)
	}
	return string(b)
}

// sortNames sorts canonically. The key of each name is made once, not with
// every comparison: a large zone is validated in half the time.
func sortNames(names []Name) {
	type keyed struct {
		key  string
		name Name
	}
	keys := make([]keyed, len(names))
	for i, n := range names {
		keys[i] = keyed{n.order(), n}
	}
	slices.SortFunc(keys, func(a, b keyed) int { return strings.Compare(a.key, b.key) })
	for i, k := range keys {
		names[i] = k.name
	}
}

// clip keeps an echoed text short and printable.
func clip(s string) string {
	const most = 60
	s = strings.ToValidUTF8(s, "\uFFFD")
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}
