package host

import (
	"context"
	"net/netip"
	"time"
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
	What string    `json:"what"` // "banned", "unbanned", "widened", "spared": a trusted or own address would have been
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
