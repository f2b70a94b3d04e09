package nameserver

import (
	"context"
	"net/url"
	"time"

	"hostward/internal/rr"
	"hostward/internal/socket"
)

// Client feeds and asks a nameserver in another process.
type Client struct{ to *socket.Client }

var (
	_ Feed = (*Server)(nil)
	_ Feed = (*Client)(nil)
)

// Dial returns a client for the process that listens on a Unix socket. It need
// not be there yet: each call tries anew, and fails with core.Unavailable.
func Dial(path string) *Client {
	return &Client{socket.Dial(path, "the nameserver")}
}

// Apply implements Feed.
func (c *Client) Apply(ctx context.Context, changes []ChangeSet) error {
	return c.to.Put(ctx, pathApply, fed{changes})
}

// Held implements Feed.
func (c *Client) Held(ctx context.Context) (out map[rr.Name]Held, err error) {
	return out, c.to.Get(ctx, pathHeld, nil, &out)
}

// Standing implements Feed.
func (c *Client) Standing(ctx context.Context, zone rr.Name) (out ZoneStatus, err error) {
	return out, c.to.Get(ctx, pathStanding, url.Values{"zone": {string(zone)}}, &out)
}

// Expiring implements Feed.
func (c *Client) Expiring(ctx context.Context, before time.Time) (out []ZoneStatus, err error) {
	return out, c.to.Get(ctx, pathExpiring, url.Values{"before": {before.Format(time.RFC3339Nano)}}, &out)
}

// Sets implements Feed.
func (c *Client) Sets(ctx context.Context, zone rr.Name) ([]rr.RRset, uint64, error) {
	var out readBack
	err := c.to.Get(ctx, pathSets, url.Values{"zone": {string(zone)}}, &out)
	return out.Sets, out.Version, err
}

// Counted implements Feed.
func (c *Client) Counted(ctx context.Context) (out Stats, err error) {
	return out, c.to.Get(ctx, pathStats, nil, &out)
}

// Configure implements Feed.
func (c *Client) Configure(ctx context.Context, to Settings) error {
	return c.to.Put(ctx, pathSettings, to)
}

// Asked implements Feed.
func (c *Client) Asked(ctx context.Context) (out Asked, err error) {
	for err == nil && out.ID == 0 { // the other end lets go now and then
		err = c.to.Get(ctx, pathAsked, nil, &out)
	}
	return out, err
}

// Answered implements Feed.
func (c *Client) Answered(ctx context.Context, id uint64, message []byte) error {
	return c.to.Put(ctx, pathAnswered, answered{id, message})
}

// Told implements Feed.
func (c *Client) Told(ctx context.Context) (out []Telling, err error) {
	return out, c.to.Get(ctx, pathTold, nil, &out)
}

// Close frees the connections.
func (c *Client) Close() error {
	return c.to.Close()
}
