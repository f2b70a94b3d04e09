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

// Handler serves the verbs of host.Guard and Working for a Client.
func (e *Engine) Handler() http.Handler {
	m := http.NewServeMux()
	socket.Give(m, pathJails, func(r *http.Request) ([]host.Jail, error) { return e.Jails(r.Context()) })
	socket.Give(m, pathBans, func(r *http.Request) ([]host.Ban, error) { return e.Bans(r.Context()) })
	socket.Give(m, pathEvents, func(r *http.Request) ([]host.BanEvent, error) {
		after, _ := strconv.ParseUint(r.FormValue("after"), 10, 64) // from the first, and as many as there may be
		n, err := strconv.Atoi(r.FormValue("n"))
		if err != nil || n > mostGiven {
			n = mostGiven
		}
		return e.Events(r.Context(), after, n)
	})
	socket.Take(m, pathBan, mostTold, func(r *http.Request, in banned) (done, error) {
		return done{}, e.Ban(r.Context(), in.Prefix, in.Duration, in.Reason)
	})
	socket.Take(m, pathUnban, mostTold, func(r *http.Request, in unbanned) (done, error) { return done{}, e.Unban(r.Context(), in.Prefix) })
	socket.Take(m, pathTest, mostTold, func(r *http.Request, _ done) (done, error) { return done{}, e.Test(r.Context()) })
	socket.Take(m, pathWorking, mostTold, func(r *http.Request, in []netip.Addr) (done, error) { return done{}, e.Working(r.Context(), in) })
	return m
}

// Client is the engine in another process.
type Client struct{ c *socket.Client }

var _ host.Guard = Client{}

// Dial returns a client for the engine behind a socket. See socket.Dial.
func Dial(path string) Client { return Client{socket.Dial(path, "the ban engine")} }

// Jails implements host.Guard.
func (c Client) Jails(ctx context.Context) (out []host.Jail, err error) {
	return out, c.c.Ask(ctx, pathJails, nil, &out)
}

// Bans implements host.Guard.
func (c Client) Bans(ctx context.Context) (out []host.Ban, err error) {
	return out, c.c.Ask(ctx, pathBans, nil, &out)
}

// Ban implements host.Guard.
func (c Client) Ban(ctx context.Context, prefix netip.Prefix, d time.Duration, reason string) error {
	return c.c.Tell(ctx, pathBan, banned{prefix, d, reason}, &done{})
}

// Unban implements host.Guard.
func (c Client) Unban(ctx context.Context, prefix netip.Prefix) error {
	return c.c.Tell(ctx, pathUnban, unbanned{prefix}, &done{})
}

// Events implements host.Guard.
func (c Client) Events(ctx context.Context, after uint64, n int) (out []host.BanEvent, err error) {
	return out, c.c.Ask(ctx, pathEvents, url.Values{"after": {strconv.FormatUint(after, 10)}, "n": {strconv.Itoa(n)}}, &out)
}

// Test implements host.Guard.
func (c Client) Test(ctx context.Context) error { return c.c.Tell(ctx, pathTest, done{}, &done{}) }

// Working says from which addresses administrators work at present: see
// Engine.Working.
func (c Client) Working(ctx context.Context, addrs []netip.Addr) error {
	return c.c.Tell(ctx, pathWorking, addrs, &done{})
}

// Close frees the connections.
func (c Client) Close() error { return c.c.Close() }
