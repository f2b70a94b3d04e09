package nameserver

import (
	"crypto/tls"
	"net/netip"
	"time"

	"hostward/internal/core"
)

// Config is how the server is set up. The zero value listens nowhere and
// answers through Apply and Stats only.
type Config struct {
	// Folder keeps what is served, so that the server comes back with it (see disk).
	// Empty: nothing is kept. Only one server may have it open.
	Folder string
	// KeepSettings keeps Settings in the Folder too, with the secrets of TSIG keys,
	// readable for the server's user alone: for a server that comes back without
	// whoever feeds it.
	KeepSettings bool
	// Listen has the addresses, for UDP and TCP alike. Port 0 takes a free one, and
	// [::] is all addresses of both families.
	Listen []netip.AddrPort
	// Sockets is how many UDP sockets share each address, where the system
	// can do that. 0 means one for each core the program may use.
	Sockets int
	// Payload is the largest answer over UDP in octets, 512 to 4096. 0 means
	// 1232, which passes unfragmented nearly everywhere (RFC 9715 3).
	Payload int
	// NSID is what the server calls itself when asked (RFC 5001), at most 200
	// octets. Empty: it does not say.
	NSID string
	// Version is what the server says it is when asked for version.bind (RFC
	// 4892), at most 200 octets. Empty: it does not say. The NSID answers for
	// id.server and hostname.bind.
	Version string
	// ListenTLS has the addresses for DNS over TLS (RFC 7858).
	ListenTLS []netip.AddrPort
	// Certificate is asked for at each handshake, so that a new certificate
	// counts from the next connection on. It must be quick: it keeps what it
	// read. Needed with ListenTLS.
	Certificate func() (*tls.Certificate, error)
	// Secrets make and check server cookies: the first makes them, all are
	// believed. None: the server draws one every day
	// and keeps it in Folder.
	Secrets []Secret
	// Limit bounds answers that look the same; zero: none does.
	Limit Limit
	// Connections is the most TCP connections at once. 0 means 512.
	Connections int
	// PerClient is the most TCP connections at once of one network: a /24 of
	// IPv4, a /56 of IPv6. 0 means a fourth of Connections, but 8.
	PerClient int
	// Idle ends a TCP connection that asks nothing for so long, or takes so
	// long over one question (RFC 7766 6.2.3). 0 means 10 s.
	Idle time.Duration
}

const mostRate = 4000

// withDefaults fills in what is zero and refuses what cannot be.
func (c Config) withDefaults(cores int) (Config, error) {
	c.Sockets = or(c.Sockets, cores)
	c.Payload = or(c.Payload, 1232)
	c.Connections = or(c.Connections, 512)
	c.Idle = or(c.Idle, 10*time.Second)
	c.PerClient = or(c.PerClient, max(c.Connections/4, 8))
	var faults core.Faults
	if len(c.ListenTLS) > 0 && c.Certificate == nil {
		faults.Add("certificate", "", "needed to listen for TLS")
	}
	if l := c.Limit; l.Rate < 0 || l.Rate > mostRate || l.Slip < 0 {
		faults.Add("limit", "", "0 to 4000 answers a second, slip 0 or more")
	}
	if len(c.Version) > mostChaos {
		faults.Add("version", c.Version, "at most 200 octets")
	}
	if c.Payload < minUDP || c.Payload > udpHeadroom {
		faults.Add("payload", "", "512 to 4096 octets")
	}
	if len(c.NSID) > 200 {
		faults.Add("nsid", c.NSID, "at most 200 octets")
	}
	if c.Sockets < 0 || c.Sockets > 256 {
		faults.Add("sockets", "", "1 to 256")
	}
	if c.Connections < 0 || c.PerClient < 0 {
		faults.Add("connections", "", "1 or more")
	}
	if c.Idle < 0 {
		faults.Add("idle", "", "a positive time")
	}
	return c, faults.Err()
}

func or[T comparable](v, fallback T) T {
	var zero T
	if v == zero {
		return fallback
	}
	return v
}
