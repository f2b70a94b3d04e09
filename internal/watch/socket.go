package watch

import (
	"context"
	"net/http"
	"net/netip"
	"net/url"
	"strconv"
	"time"

	"hostward/internal/host"
	"hostward/internal/socket"
)

// The verbs of host.Guard, and of Working, between two processes.
const (
	pathJails   = "/v1/jails"
	pathBans    = "/v1/bans"
	pathBan     = "/v1/ban"
	pathUnban   = "/v1/unban"
	pathEvents  = "/v1/events"
	pathTest    = "/v1/test"
	pathWorking = "/v1/working"
)

const (
	mostTold  = 1 << 20 // octets of one call
	mostGiven = 1000    // events of one answer
)

// banned is the body of Ban.
type banned struct {
	Prefix   netip.Prefix  `json:"prefix"`
	Duration time.Duration `json:"duration"`
	Reason   string        `json:"reason"`
}

// unbanned is the body of Unban.
type unbanned struct {
	Prefix netip.Prefix `json:"prefix"`
}

// Guard is a ban engine that wants to know from where administrators work.
type Guard interface {
	host.Guard
	Working(ctx context.Context, addrs []netip.Addr) error
}

// Handler serves the engine's verbs for a Client.
func (e *Engine) Handler() http.Handler {
	m := http.NewServeMux()
	ServeGuard(m, e)
	return m
}

// ServeGuard adds the verbs of a ban engine to a mux.
func ServeGuard(m *http.ServeMux, e Guard) {
	socket.Get(m, pathJails, func(r *http.Request) (any, error) { return e.Jails(r.Context()) })
	socket.Get(m, pathBans, func(r *http.Request) (any, error) { return e.Bans(r.Context()) })
	socket.Get(m, pathEvents, func(r *http.Request) (any, error) {
		after, _ := strconv.ParseUint(r.FormValue("after"), 10, 64) // else from the first, and as many as there may be
		n, err := strconv.Atoi(r.FormValue("n"))
		if err != nil || n < 1 || n > mostGiven {
			n = mostGiven
		}
		return e.Events(r.Context(), after, n)
	})
	socket.Put(m, pathBan, mostTold, func(r *http.Request, in banned) error {
		return e.Ban(r.Context(), in.Prefix, in.Duration, in.Reason)
	})
	socket.Put(m, pathUnban, mostTold, func(r *http.Request, in unbanned) error { return e.Unban(r.Context(), in.Prefix) })
	socket.Put(m, pathTest, mostTold, func(r *http.Request, _ struct{}) error { return e.Test(r.Context()) })
	socket.Put(m, pathWorking, mostTold, func(r *http.Request, in []netip.Addr) error { return e.Working(r.Context(), in) })
}

// Client is the engine in another process.
type Client struct{ c *socket.Client }

var _ host.Guard = Client{}

// Dial returns a client for the engine behind a socket. See socket.Dial.
func Dial(path string) Client { return Client{socket.Dial(path, "the ban engine")} }

// Jails implements host.Guard.
func (c Client) Jails(ctx context.Context) (out []host.Jail, err error) {
	return out, c.c.Get(ctx, pathJails, nil, &out)
}

// Bans implements host.Guard.
func (c Client) Bans(ctx context.Context) (out []host.Ban, err error) {
	return out, c.c.Get(ctx, pathBans, nil, &out)
}

// Ban implements host.Guard.
func (c Client) Ban(ctx context.Context, prefix netip.Prefix, d time.Duration, reason string) error {
	return c.c.Put(ctx, pathBan, banned{prefix, d, reason})
}

// Unban implements host.Guard.
func (c Client) Unban(ctx context.Context, prefix netip.Prefix) error {
	return c.c.Put(ctx, pathUnban, unbanned{prefix})
}

// Events implements host.Guard.
func (c Client) Events(ctx context.Context, after uint64, n int) (out []host.BanEvent, err error) {
	return out, c.c.Get(ctx, pathEvents, url.Values{"after": {strconv.FormatUint(after, 10)}, "n": {strconv.Itoa(n)}}, &out)
}

// Test implements host.Guard.
func (c Client) Test(ctx context.Context) error { return c.c.Put(ctx, pathTest, struct{}{}) }

// Working says from which addresses administrators work at present: see
// Engine.Working.
func (c Client) Working(ctx context.Context, addrs []netip.Addr) error {
	return c.c.Put(ctx, pathWorking, addrs)
}

// Close frees the connections.
func (c Client) Close() error { return c.c.Close() }
