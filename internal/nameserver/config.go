package nameserver

import (
	"net/netip"
	"time"

	"hostward/internal/core"
)

// Config is how the server is set up. The zero value listens nowhere and
// answers through Apply and Stats only.
type Config struct {
	// Listen has the addresses, for UDP and TCP alike. Port 0 takes a free one.
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
	// Connections is the most TCP connections at once. 0 means 512.
	Connections int
	// Idle ends a TCP connection that asks nothing for so long, or takes so
	// long over one question (RFC 7766 6.2.3). 0 means 10 s.
	Idle time.Duration
}

// withDefaults fills in what is zero and refuses what cannot be.
func (c Config) withDefaults(cores int) (Config, error) {
	c.Sockets = or(c.Sockets, cores)
	c.Payload = or(c.Payload, 1232)
	c.Connections = or(c.Connections, 512)
	c.Idle = or(c.Idle, 10*time.Second)
	var faults core.Faults
	if c.Payload < minUDP || c.Payload > udpHeadroom {
		faults.Add("payload", "", "512 to 4096 octets")
	}
	if len(c.NSID) > 200 {
		faults.Add("nsid", c.NSID, "at most 200 octets")
	}
	if c.Sockets < 0 || c.Sockets > 256 {
		faults.Add("sockets", "", "1 to 256")
	}
	if c.Connections < 0 {
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
