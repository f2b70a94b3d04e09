package host

import (
	"context"
	"net/netip"
	"time"

	"hostward/internal/core"
)

// Ban is an address or a network that is kept out.
type Ban struct {
	Prefix   netip.Prefix `json:"prefix"`
	Jail     string       `json:"jail"` // which one banned it; "manual": a person
	Since    time.Time    `json:"since"`
	Until    time.Time    `json:"until,omitzero"` // zero: until somebody lifts it
	Times    int          `json:"times"`          // how often it was banned, with this one
	Failures int          `json:"failures"`       // that led to it
	Lines    []string     `json:"lines,omitempty"`
	Dropped  uint64       `json:"dropped,omitempty"` // packets that the kernel dropped so far
}

// Jail is what one jail goes by, and how it stands.
type Jail struct {
	Name     string        `json:"name"`
	On       bool          `json:"on"`
	Filter   string        `json:"filter"`
	Sources  []string      `json:"sources"` // files, or matches of the journal
	MaxRetry int           `json:"maxRetry"`
	FindTime time.Duration `json:"findTime"`
	BanTime  time.Duration `json:"banTime"` // negative: for ever
	Lines    uint64        `json:"lines"`   // read since it started
	Failures uint64        `json:"failures"`
	Bans     uint64        `json:"bans"`
	Banned   int           `json:"banned"` // now
	Fault    string        `json:"fault,omitempty"`
}

// BanEvent is one thing that a ban engine did. Seq grows without gaps.
type BanEvent struct {
	Seq  uint64    `json:"seq"`
	Time time.Time `json:"time"`
	What string    `json:"what"` // "banned", "unbanned", "widened", "spared": a trusted or own address would have been; "restored": the kernel had lost it
	By   string    `json:"by,omitempty"`
	Ban
}

// Guard is a ban engine, as the panel talks to it.
type Guard interface {
	Jails(ctx context.Context) ([]Jail, error)
	Bans(ctx context.Context) ([]Ban, error)
	// Ban keeps a prefix out for a while; 0: until somebody lifts it.
	Ban(ctx context.Context, prefix netip.Prefix, d time.Duration, reason string) error
	// Unban lifts every ban that covers the prefix or lies in it, in all jails.
	Unban(ctx context.Context, prefix netip.Prefix) error
	// Events returns at most n events behind seq. An engine that lost the old ones
	// begins at the oldest it has.
	Events(ctx context.Context, after uint64, n int) ([]BanEvent, error)
	// Test bans an address of TEST-NET-2 (RFC 5737), looks whether the kernel drops
	// what comes from it, and lifts it again.
	Test(ctx context.Context) error
}

// Kernel keeps prefixes out, as a ban engine asks it to. Who holds one is root; an
// engine without rights reaches it through the agent.
type Kernel interface {
	// Ban keeps prefixes out until their bans end; only Prefix and Until count. One
	// that is banned already gets the new end. When it returns without error, the
	// kernel has them all. Those that Bannable refuses are in the error, the others in force.
	Ban(ctx context.Context, bans []Ban) error
	// Unban lets exactly these prefixes in; those that are not banned are no error.
	Unban(ctx context.Context, prefixes []netip.Prefix) error
	// Banned reads back what the kernel holds.
	Banned(ctx context.Context) ([]Ban, error)
	// Test proves that a ban keeps packets out: see Guard.
	Test(ctx context.Context) error
}

// The widest networks that may be banned.
const (
	Widest4 = 8
	Widest6 = 16
)

// Plain is a prefix as bans are kept: of IPv4 where IPv6 maps it, without zone, its
// host bits zero.
func Plain(p netip.Prefix) netip.Prefix {
	a, bits := p.Addr(), p.Bits()
	if a.Is4In6() && bits >= 96 {
		a, bits = a.Unmap(), bits-96
	}
	return netip.PrefixFrom(a.WithZone(""), bits).Masked()
}

// Bannable returns why a plain prefix is never banned, whoever asks.
func Bannable(p netip.Prefix) error {
	a := p.Addr()
	switch {
	case !p.IsValid():
		return core.Errorf(core.Invalid, "an address or a network such as 192.0.2.7 or 2001:db8::/64 is accepted")
	case a.Is4() && p.Bits() < Widest4, a.Is6() && p.Bits() < Widest6:
		return core.Errorf(core.Invalid, "%s is too wide to be banned: networks down to /%d (IPv4) and /%d (IPv6) are accepted", p, Widest4, Widest6)
	}
	for _, never := range neverBanned {
		if never.prefix.Overlaps(p) {
			return core.Errorf(core.Invalid, "%s is not banned: %s", p, never.why)
		}
	}
	return nil
}

var neverBanned = []struct {
	prefix netip.Prefix
	why    string
}{
	{netip.MustParsePrefix("0.0.0.0/8"), "no host has such an address"},
	{netip.MustParsePrefix("127.0.0.0/8"), "it is the machine itself"},
	{netip.MustParsePrefix("169.254.0.0/16"), "it is link-local"},
	{netip.MustParsePrefix("224.0.0.0/3"), "it is multicast or broadcast"},
	{netip.MustParsePrefix("::/64"), "it is the machine itself, or an address of IPv4 in disguise"},
	{netip.MustParsePrefix("fe80::/10"), "it is link-local"},
	{netip.MustParsePrefix("ff00::/8"), "it is multicast"},
}
