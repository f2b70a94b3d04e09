package outside

import (
	"context"
	"net/netip"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/ask"
	"hostward/internal/rr/sign"
)

// Config is how the world is asked. Dial, Clock and Allow are needed.
type Config struct {
	Dial  ask.Dial
	Clock core.Clock
	// Allow says which addresses may be asked. Delegations are what strangers write:
	// without it a zone could have us knock at doors inside (SPEC A10).
	Allow func(netip.Addr) bool
	// Roots are the root's servers. None: those of the IANA.
	Roots []netip.Addr
	// Resolver is a validating resolver, address and port, that is asked whether it
	// would accept the zone. It may be inside. "": nobody is asked.
	Resolver string
	// Time bounds a whole check, Wait one answer. 0: 30 s and 2 s.
	Time, Wait time.Duration
	// Questions bounds how many are asked in one check. 0: 600.
	Questions int
}

func (c Config) withDefaults() (Config, error) {
	var faults core.Faults
	if c.Dial == nil || c.Clock == nil || c.Allow == nil {
		faults.Add("dial", "", "a dial, a clock and a rule for addresses")
	}
	if _, err := netip.ParseAddrPort(c.Resolver); c.Resolver != "" && err != nil {
		faults.Add("resolver", c.Resolver, "an address and a port, such as 127.0.0.1:53")
	}
	if c.Time < 0 || c.Wait < 0 || c.Questions < 0 {
		faults.Add("time", c.Time.String(), "bounds of 0 or more")
	}
	if len(c.Roots) == 0 {
		c.Roots = roots()
	}
	c.Time, c.Wait, c.Questions = or(c.Time, 30*time.Second), or(c.Wait, 2*time.Second), or(c.Questions, 600)
	return c, faults.Err()
}

func or[T comparable](v, otherwise T) T {
	var zero T
	if v == zero {
		return otherwise
	}
	return v
}

// Outside looks at zones from outside.
type Outside struct{ cfg Config }

// New returns an Outside. A Config that cannot work is Invalid.
func New(c Config) (*Outside, error) {
	c, err := c.withDefaults()
	return &Outside{c}, err
}

// Report is what a check measured.
type Report struct {
	Zone     rr.Name   `json:"zone"`
	At       time.Time `json:"at"`
	Parent   rr.Name   `json:"parent"` // the zone that delegates it
	Findings []Finding `json:"findings"`
	Servers  []Served  `json:"servers"`
	// Observed is what sign.Next wants to know, but for Revision and Complete: what is
	// served says nothing of those (see Served.Keys). MaxTTL is the greatest at the zone's
	// top; whoever has the zone knows better.
	Observed sign.Observed `json:"observed"`
}

// Served is what one address of the zone serves.
type Served struct {
	Server  string   `json:"server"` // "ns1.example. (192.0.2.1)"
	Failed  bool     `json:"failed,omitempty"`
	Serial  uint32   `json:"serial"`
	Keys    []string `json:"keys,omitempty"`    // data of its DNSKEY records, sorted
	Signers []string `json:"signers,omitempty"` // tag and algorithm of the keys whose signatures over SOA hold
}

// Check asks the parent's servers and the zone's own about a zone. What is wrong with
// the zone stands in the Report. An error says that the zone's name is Invalid, or that
// not even its parent was found; the Report then says no more than that.
func (o *Outside) Check(ctx context.Context, zone rr.Name) (Report, error) {
	if zone == "." || zone == "" {
		return Report{}, core.Errorf(core.Invalid, "checking the zone %q: one with a parent is accepted", zone)
	}
	ctx, cancel := context.WithTimeout(ctx, o.cfg.Time)
	defer cancel()
	s := &survey{search: search{cfg: o.cfg, known: map[rr.Name]place{}, quiet: map[netip.Addr]bool{}}, zone: zone}
	s.Report = Report{Zone: zone, At: o.cfg.Clock()}
	if err := s.measure(ctx); err != nil {
		return s.Report, err
	}
	s.judge()
	return s.Report, nil
}

// roots are the addresses of a.root-servers.net to m.root-servers.net (IANA root
// hints; seen 2026-11).
func roots() (out []netip.Addr) {
	for _, text := range []string{
		"198.41.0.4", "170.247.170.2", "192.33.4.12", "199.7.91.13", "192.203.230.10", "192.5.5.241", "192.112.36.4",
		"198.97.190.53", "192.36.148.17", "192.58.128.30", "193.0.14.129", "199.7.83.42", "202.12.27.33",
	} {
		out = append(out, netip.MustParseAddr(text))
	}
	return out
}
