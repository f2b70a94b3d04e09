package ini

import (
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
	// networks in any form of core.ParseNetwork, separated by commas or blanks.
	// Absent: everyone. Present but empty: nobody.
	APIAllowed Allowed

	// DNSUpdate is "[api] dnsUpdate", on or off, default: as "[api] enabled". It
	// switches DNS UPDATE (RFC 2136) alone; allowedIPs holds for it in any case.
	DNSUpdate Switch

	// URL is "[panel] url": how people reach the panel, such as
	// https://panel.example.org:8443. Links in mails begin with it, and passkeys
	// belong to its host name. Default: none; then no mail carries a link, and
	// passkeys belong to the name that the browser called.
	URL string

	// Proxies is "[proxy] trusted": the reverse proxies whose word about the
	// client's address is believed. Default: nobody's.
	Proxies []core.Network

	// ProxyHeader is "[proxy] header": where they say it, X-Forwarded-For
	// (default), Forwarded (RFC 7239) or X-Real-IP. The other two are not looked at.
	ProxyHeader string

	// Mail is the section [mail]: which server takes what the panel sends.
	Mail Mail

	// DNS is the section [dns]: how the nameserver answers strangers.
	DNS DNS
}

// DNS is how the nameserver answers strangers.
type DNS struct {
	Rate    int            // "rateLimit": like answers a second to one network over UDP; 0: no limit; default 20
	Slip    int            // "rateLimitSlip": every so manieth beyond is sent truncated, the others are dropped; default 2
	Exempt  []core.Network // "rateLimitExempt": without a limit; default: nobody
	NSID    string         // "nsid": what it calls itself when asked (RFC 5001); default: nothing
	Catalog string         // "catalog": name of the zone that lists all others for secondaries (RFC 9432); default: none
	Version string         // "version": what it says it is when asked for version.bind; default: it refuses
}

// Mail is how the panel sends mail. Without a Server it sends none.
type Mail struct {
	Server       string // "server": host or host:port
	TLS          string // "tls": starttls, implicit, or none (for a server on this machine only)
	From         string // "from": address of the sender
	User         string // "user": log-in name at the server; default: none
	PasswordFile string // "passwordFile": file that holds its password
}

// Mails reports whether the panel sends mail: it knows a server, who it is, and
// what links begin with.
func (p Policy) Mails() bool { return p.Mail.Server != "" && p.Mail.From != "" && p.URL != "" }

// Allowed is a list of networks, or everyone. The zero Allowed is nobody.
type Allowed struct {
	Everyone bool
	Networks []core.Network
}

// Switch is on, off, or left to another key.
type Switch string

// The switches.
const (
	Unset Switch = ""
	On    Switch = "on"
	Off   Switch = "off"
)

// Words that keys accept, the default first.
var (
	ProxyHeaders = []string{"X-Forwarded-For", "Forwarded", "X-Real-IP"}
	MailTLS      = []string{"starttls", "implicit", "none"}
)

// Default is the policy of an empty file.
func Default() Policy {
	return Policy{SyslogFacility: "local0", APIEnabled: true, APIAllowed: Allowed{Everyone: true}, ProxyHeader: ProxyHeaders[0], Mail: Mail{TLS: MailTLS[0]}, DNS: DNS{Rate: 20, Slip: 2}}
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
	return a.Everyone || slices.ContainsFunc(a.Networks, func(n core.Network) bool { return n.Contains(addr) })
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

func (a Allowed) list() string { return listed(a.Networks) }

func listed(networks []core.Network) string {
	texts := make([]string, len(networks))
	for i, n := range networks {
		texts[i] = n.String()
	}
	return strings.Join(texts, ", ")
}

// parseNetworks reads a list. Every wrong item is named.
func parseNetworks(text string) (list []core.Network, accepted string) {
	var wrong core.Faults
	for _, n := range core.ParseNetworks(&wrong, "", text) {
		if !slices.Contains(list, n) {
			list = append(list, n)
		}
	}
	var said []string
	for _, f := range wrong {
		said = append(said, `"`+f.Value+`": `+f.Accepted)
	}
	return list, strings.Join(said, "; ")
}
