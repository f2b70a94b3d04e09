package core

import (
	"cmp"
	"encoding/binary"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
)

// Network is a run of addresses of one family, from First to Last, both in it:
// one address, a CIDR network, or any range.
type Network struct{ First, Last netip.Addr }

// NetworkForms says what ParseNetwork takes, as half a sentence.
const NetworkForms = "an address or a network: 192.0.2.7, 192.0.2.0/24, 192.0.2.*, 192.0.2.10-192.0.2.20, 2001:db8::1 or 2001:db8::/32"

var errNetwork = errors.New(NetworkForms)

// ParseNetwork reads one address or network in the forms that people write:
// CIDR (RFC 4632, RFC 4291 2.3), address/netmask, trailing wildcards, ranges
// whose end may be written as its last number alone. Bits behind the mask are
// refused, since nobody can say whether the host or its network was meant. An
// IPv4 address mapped into IPv6 is itself. The error says what is accepted.
func ParseNetwork(text string) (Network, error) {
	text = strings.TrimSpace(text)
	switch {
	case strings.Contains(text, "*"):
		return parseWildcard(text)
	case strings.Contains(text, "-"):
		return parseRange(text)
	case strings.Contains(text, "/"):
		return parsePrefix(text)
	}
	a, err := parseAddress(text)
	return Network{a, a}, err
}

func parseAddress(text string) (netip.Addr, error) {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return a, errNetwork
	}
	return a.Unmap(), nil
}

func parsePrefix(text string) (Network, error) {
	address, mask, _ := strings.Cut(text, "/")
	if bits, ok := maskBits(mask); ok {
		text = address + "/" + strconv.Itoa(bits)
	}
	p, err := netip.ParsePrefix(text)
	switch {
	case err != nil:
		return Network{}, errNetwork
	case p.Addr().Is4In6():
		return Network{}, errors.New("an IPv4 network in its own form, such as 192.0.2.0/24")
	case p.Masked() != p:
		return Network{}, fmt.Errorf("write %s for the network or %s for the one address", p.Masked(), p.Addr())
	}
	return ofPrefix(p), nil
}

// maskBits reads a netmask such as 255.255.255.0.
func maskBits(mask string) (bits int, ok bool) {
	a, err := netip.ParseAddr(mask)
	if err != nil || !a.Is4() {
		return 0, false
	}
	n := binary.BigEndian.Uint32(a.AsSlice())
	for n&(1<<31) != 0 {
		bits, n = bits+1, n<<1
	}
	return bits, n == 0
}

func ofPrefix(p netip.Prefix) Network {
	last := p.Addr().AsSlice()
	for i := p.Bits(); i < len(last)*8; i++ {
		last[i/8] |= 1 << (7 - i%8)
	}
	a, _ := netip.AddrFromSlice(last)
	return Network{p.Addr(), a}
}

// parseWildcard reads 192.0.2.*, 192.0.*.* and 2001:db8:1:2:*: stars stand for
// whole parts, at the end.
func parseWildcard(text string) (Network, error) {
	separator, parts, width := ".", 4, 8
	if strings.Contains(text, ":") {
		separator, parts, width = ":", 8, 16
	}
	head := strings.TrimRight(text, "*"+separator)
	stars := strings.TrimPrefix(text, head)
	given := strings.Split(head, separator)
	if head == "" || strings.Contains(head, "*") || strings.Contains(text, "::") || len(given) >= parts ||
		strings.Repeat(separator+"*", strings.Count(stars, "*")) != stars || len(given)+strings.Count(stars, "*") > parts {
		return Network{}, errors.New("stars for whole parts at the end, such as 192.0.2.* or 2001:db8:1:2:*")
	}
	zeros := strings.Repeat(separator+"0", parts-len(given))
	p, err := netip.ParsePrefix(fmt.Sprintf("%s%s/%d", head, zeros, len(given)*width))
	if err != nil {
		return Network{}, errNetwork
	}
	return ofPrefix(p), nil
}

func parseRange(text string) (Network, error) {
	from, to, _ := strings.Cut(text, "-")
	first, err := parseAddress(strings.TrimSpace(from))
	if err != nil {
		return Network{}, err
	}
	to = strings.TrimSpace(to)
	if _, err := strconv.ParseUint(to, 10, 8); err == nil && first.Is4() { // 192.0.2.10-20
		text := first.String()
		to = text[:strings.LastIndexByte(text, '.')+1] + to
	}
	last, err := parseAddress(to)
	switch {
	case err != nil:
		return Network{}, err
	case first.Is4() != last.Is4():
		return Network{}, errors.New("a range within IPv4 or within IPv6")
	case last.Less(first):
		return Network{}, fmt.Errorf("a range from the smaller address to the larger, %s-%s", last, first)
	}
	return Network{first, last}, nil
}

// Prefix returns the CIDR network that n is, if it is one.
func (n Network) Prefix() (netip.Prefix, bool) {
	a, b := n.First.AsSlice(), n.Last.AsSlice()
	if len(a) == 0 || len(a) != len(b) {
		return netip.Prefix{}, false
	}
	bits := 0
	for bits < len(a)*8 && (a[bits/8]^b[bits/8])&(1<<(7-bits%8)) == 0 {
		bits++
	}
	p := netip.PrefixFrom(n.First, bits)
	return p, ofPrefix(p.Masked()) == n
}

// Contains reports whether a is in n. A zone does not count, and an IPv4
// address counts as itself also where it comes mapped into IPv6.
func (n Network) Contains(a netip.Addr) bool {
	a = a.Unmap().WithZone("")
	return n.First.Is4() == a.Is4() && n.First.Compare(a) <= 0 && a.Compare(n.Last) <= 0
}

// String is the shortest of an address, a CIDR network and a range.
func (n Network) String() string {
	if n.First == n.Last {
		return n.First.String()
	}
	if p, ok := n.Prefix(); ok {
		return p.String()
	}
	return n.First.String() + "-" + n.Last.String()
}

// MarshalText and UnmarshalText are String and ParseNetwork.
func (n Network) MarshalText() ([]byte, error) { return []byte(n.String()), nil }

// UnmarshalText reads what ParseNetwork reads.
func (n *Network) UnmarshalText(text []byte) (err error) {
	*n, err = ParseNetwork(string(text))
	return err
}

// ParseNetworks reads a list whose items are separated by commas, blanks or
// line ends; blanks may stand around the dash of a range. Every wrong item is
// a fault of the field at.
func ParseNetworks(f *Faults, at, text string) []Network {
	var list []Network
	for item := range strings.FieldsFuncSeq(joined(text), func(c rune) bool { return strings.ContainsRune(", \t\r\n", c) }) {
		n, err := ParseNetwork(item)
		if err != nil {
			f.Add(at, item, err.Error())
			continue
		}
		list = append(list, n)
	}
	return list
}

// joined takes the blanks around dashes away.
func joined(text string) string {
	for _, s := range []string{" -", "- "} {
		for strings.Contains(text, s) {
			text = strings.ReplaceAll(text, s, "-")
		}
	}
	return text
}

// Networks is a set of addresses, made for looking up. The zero value is empty.
type Networks struct {
	four []span[uint32]
	six  []span[six]
}

// span is a run of addresses as numbers.
type span[T any] struct{ first, last T }

// six is an IPv6 address as a number.
type six struct{ high, low uint64 }

func (a six) compare(b six) int {
	return cmp.Or(cmp.Compare(a.high, b.high), cmp.Compare(a.low, b.low))
}

// NewNetworks makes the set of all addresses in list. What overlaps is joined,
// so that a look-up is one binary search.
func NewNetworks(list []Network) *Networks {
	var s Networks
	for _, n := range list {
		if n.First.Is4() {
			s.four = append(s.four, span[uint32]{four(n.First), four(n.Last)})
		} else if n.First.Is6() {
			s.six = append(s.six, span[six]{sixOf(n.First), sixOf(n.Last)})
		}
	}
	s.four = merged(s.four, cmp.Compare[uint32])
	s.six = merged(s.six, six.compare)
	return &s
}

func four(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func sixOf(a netip.Addr) six {
	b := a.As16()
	return six{binary.BigEndian.Uint64(b[:8]), binary.BigEndian.Uint64(b[8:])}
}

// merged sorts the spans and joins those that overlap.
func merged[T any](spans []span[T], compare func(a, b T) int) []span[T] {
	slices.SortFunc(spans, func(a, b span[T]) int { return compare(a.first, b.first) })
	out := spans[:0]
	for _, s := range spans {
		if n := len(out); n > 0 && compare(s.first, out[n-1].last) <= 0 {
			if compare(s.last, out[n-1].last) > 0 {
				out[n-1].last = s.last
			}
			continue
		}
		out = append(out, s)
	}
	return slices.Clip(out)
}

// Contains reports whether a is in the set; see Network.Contains.
func (s *Networks) Contains(a netip.Addr) bool {
	if a = a.Unmap(); a.Is4() {
		return within(s.four, four(a), cmp.Compare[uint32])
	}
	return a.IsValid() && within(s.six, sixOf(a), six.compare)
}

func within[T any](spans []span[T], a T, compare func(a, b T) int) bool {
	i, found := slices.BinarySearchFunc(spans, a, func(s span[T], a T) int { return compare(s.first, a) })
	return found || i > 0 && compare(a, spans[i-1].last) <= 0
}
