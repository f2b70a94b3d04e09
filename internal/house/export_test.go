package house

import (
	"context"

	"hostward/internal/host"
	"hostward/internal/store"
)

// Migrations are the tables of everything, for tests that write past the door.
func Migrations() []store.Migration { return newFeatures(&House{}).migrations() }

// LookAfterKeys looks once after the keys and signatures of all zones, where no loop
// does.
func LookAfterKeys(ctx context.Context, h *House) error { return h.signing.look(ctx) }

// SeeClock has the house take a look at the clock.
func SeeClock(ctx context.Context, h *House, s host.Status) { h.clock.saw(ctx, s) }

// JoinGuard joins a panel that runs to a ban engine.
func JoinGuard(h *House, g func(engine string) host.Guard) { h.Guard = g }

// LookAfterBans serves the engine once, where no loop does.
func LookAfterBans(ctx context.Context, h *House) error { return h.bans.look(ctx) }
