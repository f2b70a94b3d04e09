//go:build !linux

package hands

import (
	"context"
	"net/netip"

	"hostward/internal/host"
)

// Bans would be kept by nftables, which only Linux has.
type Bans struct{}

// NewBans returns what refuses everything.
func NewBans() *Bans { return &Bans{} }

// Ban implements host.Kernel.
func (b *Bans) Ban(context.Context, []host.Ban) error { return errLinux() }

// Unban implements host.Kernel.
func (b *Bans) Unban(context.Context, []netip.Prefix) error { return errLinux() }

// Banned implements host.Kernel.
func (b *Bans) Banned(context.Context) ([]host.Ban, error) { return nil, errLinux() }

// Clear removes our table.
func (b *Bans) Clear(context.Context) error { return errLinux() }

// Test implements host.Kernel.
func (b *Bans) Test(context.Context) error { return errLinux() }
