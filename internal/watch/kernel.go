package watch

import (
	"context"
	"net/http"
	"net/netip"

	"hostward/internal/host"
	"hostward/internal/socket"
)

// The verbs of host.Kernel between two processes.
const (
	pathKernelBan    = "/v1/bans/ban"
	pathKernelUnban  = "/v1/bans/unban"
	pathKernelBanned = "/v1/bans/banned"
	pathKernelTest   = "/v1/bans/test"
)

// mostAsked is the most octets of one call.
const mostAsked = 64 << 20

// ServeKernel adds the verbs of a kernel to a mux: the agent's side.
func ServeKernel(m *http.ServeMux, k host.Kernel) {
	socket.Put(m, pathKernelBan, mostAsked, func(r *http.Request, in []host.Ban) error { return k.Ban(r.Context(), in) })
	socket.Put(m, pathKernelUnban, mostAsked, func(r *http.Request, in []netip.Prefix) error { return k.Unban(r.Context(), in) })
	socket.Put(m, pathKernelTest, mostAsked, func(r *http.Request, _ struct{}) error { return k.Test(r.Context()) })
	socket.Get(m, pathKernelBanned, func(r *http.Request) (any, error) { return k.Banned(r.Context()) })
}

// Kernel is the kernel behind a socket on which somebody serves ServeKernel.
type Kernel struct{ c *socket.Client }

var _ host.Kernel = Kernel{}

// DialKernel returns the kernel behind a socket. See socket.Dial.
func DialKernel(path string) Kernel { return Kernel{socket.Dial(path, "the agent")} }

// Ban implements host.Kernel. Only what counts is sent.
func (k Kernel) Ban(ctx context.Context, bans []host.Ban) error {
	bare := make([]host.Ban, len(bans))
	for i, b := range bans {
		bare[i] = host.Ban{Prefix: b.Prefix, Until: b.Until}
	}
	return k.c.Put(ctx, pathKernelBan, bare)
}

// Unban implements host.Kernel.
func (k Kernel) Unban(ctx context.Context, prefixes []netip.Prefix) error {
	return k.c.Put(ctx, pathKernelUnban, prefixes)
}

// Banned implements host.Kernel.
func (k Kernel) Banned(ctx context.Context) (out []host.Ban, err error) {
	return out, k.c.Get(ctx, pathKernelBanned, nil, &out)
}

// Test implements host.Kernel.
func (k Kernel) Test(ctx context.Context) error {
	return k.c.Put(ctx, pathKernelTest, struct{}{})
}
