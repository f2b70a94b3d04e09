package core

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"syscall"
)

// errNotPublic says that a name led to an address that is not of the public
// Internet (SPEC A10).
var errNotPublic = errors.New("the address is private or local: hostward serve --allow-private lets such servers be asked")

// PublicOnly is a net.Dialer's ControlContext that refuses connections to addresses
// outside the public Internet. It runs after resolving, for each address that is
// tried, so that no name and no answer of a name server gets around it.
func PublicOnly(_ context.Context, _, address string, _ syscall.RawConn) error {
	at, err := netip.ParseAddrPort(address)
	if err != nil {
		return err
	}
	if !IsPublic(at.Addr()) {
		return fmt.Errorf("connecting to %s: %w", at.Addr(), errNotPublic)
	}
	return nil
}

// IsPublic reports an address of the public Internet. What carries an IPv4
// address inside is as public as that address.
func IsPublic(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	if inner, ok := embedded(addr); ok {
		return IsPublic(inner)
	}
	if !addr.IsGlobalUnicast() || addr.IsPrivate() {
		return false
	}
	for _, n := range special() {
		if n.Contains(addr) {
			return false
		}
	}
	return true
}

// special lists what IsGlobalUnicast and IsPrivate leave of the IANA
// special-purpose address registries (RFC 6890; seen 2026-11).
func special() []netip.Prefix {
	texts := []string{
		"0.0.0.0/8", "100.64.0.0/10", "192.0.0.0/24", "192.0.2.0/24", "192.88.99.0/24", "198.18.0.0/15",
		"198.51.100.0/24", "203.0.113.0/24", "240.0.0.0/4",
		"::/96", "64:ff9b:1::/48", "100::/64", "2001::/23", "2001:db8::/32", "3fff::/20", "5f00::/16", "fec0::/10",
	}
	out := make([]netip.Prefix, len(texts))
	for i, text := range texts {
		out[i] = netip.MustParsePrefix(text)
	}
	return out
}

// embedded returns the IPv4 address inside of NAT64 (RFC 6052) and 6to4 (RFC 3056).
func embedded(addr netip.Addr) (netip.Addr, bool) {
	if !addr.Is6() {
		return netip.Addr{}, false
	}
	b := addr.As16()
	switch {
	case netip.PrefixFrom(addr, 96).Masked() == netip.MustParsePrefix("64:ff9b::/96"):
		return netip.AddrFrom4([4]byte(b[12:16])), true
	case netip.PrefixFrom(addr, 16).Masked() == netip.MustParsePrefix("2002::/16"):
		return netip.AddrFrom4([4]byte(b[2:6])), true
	}
	return netip.Addr{}, false
}
