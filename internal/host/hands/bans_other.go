//go:build !linux

package hands

import (
	"context"
	"net/netip"

	"hostward/internal/core"
	"hostward/internal/host"
)

// Bans would be kept by nftables, which only Linux has.
type Bans struct{}

var errNoKernel = core.Errorf(core.Unavailable, "bans are kept by nftables, which only Linux has")

// NewBans returns what refuses everything.
func NewBans() *Bans { return &Bans{} }

// Ban implements host.Kernel.
func (b *Bans) Ban(context.Context, []host.Ban) error { return errNoKernel }

// Unban implements host.Kernel.
func (b *Bans) Unban(context.Context, []netip.Prefix) error { return errNoKernel }

// Banned implements host.Kernel.
func (b *Bans) Banned(context.Context) ([]host.Ban, error) { return nil, errNoKernel }

// Clear removes our table.
func (b *Bans) Clear(context.Context) error { return errNoKernel }

// Test implements host.Kernel.
func (b *Bans) Test(context.Context) error { return errNoKernel }
