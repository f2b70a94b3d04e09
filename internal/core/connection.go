package core

import (
	"context"
	"time"
)

type connectedKey struct{}

// WithConnected notes when the connection began that a request comes over.
func WithConnected(ctx context.Context, at time.Time) context.Context {
	return context.WithValue(ctx, connectedKey{}, at)
}

// Connected returns it; the zero time if nobody noted it.
func Connected(ctx context.Context) time.Time {
	at, _ := ctx.Value(connectedKey{}).(time.Time)
	return at
}
