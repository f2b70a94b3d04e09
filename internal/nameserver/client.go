package nameserver

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// Client feeds and asks a nameserver in another process.
type Client struct {
	path string
	http http.Client
}

var (
	_ Feed = (*Server)(nil)
	_ Feed = (*Client)(nil)
)

// Dial returns a client for the process that listens on a Unix socket. It need
// not be there yet: each call tries anew, and fails with core.Unavailable.
func Dial(path string) *Client {
	var d net.Dialer
	return &Client{path: path, http: http.Client{Transport: &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
		MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute, DisableCompression: true,
	}}}
}

// Apply implements Feed.
func (c *Client) Apply(ctx context.Context, changes []ChangeSet) error {
	b, err := json.Marshal(fed{changes})
	if err != nil {
		return fmt.Errorf("writing change sets: %w", err)
	}
	return c.call(ctx, http.MethodPost, pathApply, nil, b, &struct{}{})
}

// Held implements Feed.
func (c *Client) Held(ctx context.Context) (out map[rr.Name]Held, err error) {
	return out, c.call(ctx, http.MethodGet, pathHeld, nil, nil, &out)
}

// Standing implements Feed.
func (c *Client) Standing(ctx context.Context, zone rr.Name) (out ZoneStatus, err error) {
	return out, c.call(ctx, http.MethodGet, pathStanding, url.Values{"zone": {string(zone)}}, nil, &out)
}

// Expiring implements Feed.
func (c *Client) Expiring(ctx context.Context, before time.Time) (out []ZoneStatus, err error) {
	return out, c.call(ctx, http.MethodGet, pathExpiring, url.Values{"before": {before.Format(time.RFC3339Nano)}}, nil, &out)
}

// Sets implements Feed.
func (c *Client) Sets(ctx context.Context, zone rr.Name) ([]rr.RRset, uint64, error) {
	var out readBack
	err := c.call(ctx, http.MethodGet, pathSets, url.Values{"zone": {string(zone)}}, nil, &out)
	return out.Sets, out.Version, err
}

// Counted implements Feed.
func (c *Client) Counted(ctx context.Context) (out Stats, err error) {
	return out, c.call(ctx, http.MethodGet, pathStats, nil, nil, &out)
}

// Configure implements Feed.
func (c *Client) Configure(ctx context.Context, to Settings) error {
	b, err := json.Marshal(to)
	if err != nil {
		return fmt.Errorf("writing settings: %w", err)
	}
	return c.call(ctx, http.MethodPost, pathSettings, nil, b, &struct{}{})
}

// Asked implements Feed.
func (c *Client) Asked(ctx context.Context) (out Asked, err error) {
	for err == nil && out.ID == 0 { // the other end lets go now and then
		err = c.call(ctx, http.MethodGet, pathAsked, nil, nil, &out)
	}
	return out, err
}

// Answered implements Feed.
func (c *Client) Answered(ctx context.Context, id uint64, message []byte) error {
	b, err := json.Marshal(answered{id, message})
	if err != nil {
		return fmt.Errorf("writing an answer: %w", err)
	}
	return c.call(ctx, http.MethodPost, pathAnswered, nil, b, &struct{}{})
}

// Told implements Feed.
func (c *Client) Told(ctx context.Context) (out []Telling, err error) {
	return out, c.call(ctx, http.MethodGet, pathTold, nil, nil, &out)
}

// Close frees the connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

func (c *Client) call(ctx context.Context, method, path string, query url.Values, body []byte, out any) error {
	u := url.URL{Scheme: "http", Host: "nameserver", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return core.Wrap(core.Unavailable, err, "the nameserver does not answer on "+c.path)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		err = json.NewDecoder(resp.Body).Decode(out)
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
		if err != nil {
			return core.Wrap(core.Unavailable, err, "the nameserver's answer is cut off")
		}
		return nil
	}
	var no refusal
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&no); err != nil || no.Code == "" {
		return core.Errorf(core.Unavailable, "the nameserver answers with HTTP status %d", resp.StatusCode)
	}
	return core.Errorf(no.Code, "%s", no.Public)
}
