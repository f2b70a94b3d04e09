package ini

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hostward/internal/core"
)

// Policy is what panel.ini says. Root writes the file; the panel obeys it.
// The zero Policy refuses every API call; Default is what an empty file means.
type Policy struct {
	// NIS2 is "[actionLog] nis2compliant", on or off, default off. On: logging of
	// the classes DNS and authentication cannot be switched off at any door, the
	// log can only be aged out by rule, and changing API requests are always
	// recorded (SPEC L6). Switching it off takes effect after its record is
	// sealed and, where a witness is set up, witnessed.
	NIS2 bool

	// IncludeReads is "[actionLog] api.includeImmutable", on or off, default
	// off. On: requests that only read are recorded too.
	IncludeReads bool

	// Syslog is "[actionLog] syslog", on or off, default off. On: the local
	// syslog gets a copy of every record (SPEC L10).
	Syslog bool

	// SyslogFacility is "[actionLog] syslogFacility": local0 to local7, or one of
	// auth, authpriv, cron, daemon, ftp, kern, lpr, mail, news, syslog, user, uucp.
	// Default local0.
	SyslogFacility string

	// APIEnabled is "[api] enabled", on or off, default on. Off: every API call
	// (REST and XML) is refused; pages and the local CLI work on (SPEC A2).
	APIEnabled bool

	// APIAllowed is "[api] allowedIPs": who may call the API. Addresses and
	// networks (192.0.2.7, 192.0.2.0/24, 2001:db8::/32), separated by commas or
	// blanks. Absent: everyone. Present but empty: nobody.
	APIAllowed Allowed

	// DNSUpdate is "[api] dnsUpdate", on or off, default: as "[api] enabled". It
	// switches DNS UPDATE (RFC 2136) alone; allowedIPs holds for it in any case.
	DNSUpdate Switch
}

// Allowed is a list of networks, or everyone. The zero Allowed is nobody.
type Allowed struct {
	Everyone bool
	Networks []netip.Prefix
}

// Switch is on, off, or left to another key.
type Switch string

// The switches.
const (
	Unset Switch = ""
	On    Switch = "on"
	Off   Switch = "off"
)

// Default is the policy of an empty file.
func Default() Policy {
	return Policy{SyslogFacility: "local0", APIEnabled: true, APIAllowed: Allowed{Everyone: true}}
}

// Locked is the policy when the file is broken and none was ever good: Default
// with the API off.
func Locked() Policy {
	p := Default()
	p.APIEnabled = false
	return p
}

// API returns nil when addr may call the API, and a Denied error with the
// reason when not. Callers on the local socket have no address and are not asked about.
func (p Policy) API(addr netip.Addr) error {
	if !p.APIEnabled {
		return core.Errorf(core.Denied, "the API is switched off by [api] enabled in panel.ini")
	}
	return p.allowed(addr)
}

// Update returns nil when addr may send DNS UPDATE, else like API.
func (p Policy) Update(addr netip.Addr) error {
	on, key := p.APIEnabled, "enabled"
	if p.DNSUpdate != Unset {
		on, key = p.DNSUpdate == On, "dnsUpdate"
	}
	if !on {
		return core.Errorf(core.Denied, "DNS UPDATE is switched off by [api] %s in panel.ini", key)
	}
	return p.allowed(addr)
}

func (p Policy) allowed(addr netip.Addr) error {
	if p.APIAllowed.Contains(addr) {
		return nil
	}
	return core.Errorf(core.Denied, "the address %s is not in [api] allowedIPs in panel.ini", addr)
}

// Contains reports whether addr is in the list. An IPv4 address counts as
// itself also where it comes mapped into IPv6, and a zone does not count.
func (a Allowed) Contains(addr netip.Addr) bool {
	addr = addr.Unmap().WithZone("")
	return a.Everyone || slices.ContainsFunc(a.Networks, func(n netip.Prefix) bool { return n.Contains(addr) })
}

// String returns the list as it would stand in the file, "everyone" or "nobody".
func (a Allowed) String() string {
	switch {
	case a.Everyone:
		return "everyone"
	case len(a.Networks) == 0:
		return "nobody"
	}
	return a.list()
}

func (a Allowed) list() string {
	texts := make([]string, len(a.Networks))
	for i, n := range a.Networks {
		texts[i] = n.String()
		if n.IsSingleIP() {
			texts[i] = n.Addr().String()
		}
	}
	return strings.Join(texts, ", ")
}

// parseAllowed reads the list. Every wrong item is named.
func parseAllowed(text string) (a Allowed, wrong []string) {
	for item := range strings.FieldsFuncSeq(text, func(c rune) bool { return strings.ContainsRune(", \t\r\n", c) }) {
		network, accepted := parseNetwork(item)
		if accepted != "" {
			wrong = append(wrong, fmt.Sprintf("%q: %s", item, accepted))
			continue
		}
		if !slices.Contains(a.Networks, network) {
			a.Networks = append(a.Networks, network)
		}
	}
	return a, wrong
}

const acceptedNetwork = "an address or a network such as 192.0.2.7, 192.0.2.0/24, 2001:db8::1 or 2001:db8::/32"

// parseNetwork reads one item. Bits behind the mask are refused, since nobody
// can say whether the host or the whole network was meant.
func parseNetwork(item string) (n netip.Prefix, accepted string) {
	if !strings.Contains(item, "/") {
		addr, err := netip.ParseAddr(item)
		if err != nil || addr.Zone() != "" {
			return n, acceptedNetwork
		}
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), ""
	}
	n, err := netip.ParsePrefix(item)
	switch {
	case err != nil:
		return n, acceptedNetwork
	case n.Addr().Is4In6():
		return n, "an IPv4 network in its own form, such as 192.0.2.0/24"
	case n.Masked() != n:
		return n, fmt.Sprintf("write %s for the network or %s for the one address", n.Masked(), n.Addr())
	}
	return n, ""
}
