package socket

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
)

// Client uses the verbs of another process.
type Client struct {
	path, who string
	http      http.Client
}

// Dial returns a client for the process that listens on a Unix socket, and what it
// is called in errors: "the nameserver". It need not be there yet: each call tries
// anew, and fails with core.Unavailable.
func Dial(path, who string) *Client {
	var d net.Dialer
	return &Client{path: path, who: who, http: http.Client{Transport: &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
		MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute, DisableCompression: true,
	}}}
}

// Get calls a verb that has no body.
func (c *Client) Get(ctx context.Context, path string, query url.Values, out any) error {
	return c.call(ctx, http.MethodGet, path, query, nil, out)
}

// Post calls a verb with a body and reads its answer.
func (c *Client) Post(ctx context.Context, path string, in, out any) error {
	b, err := json.Marshal(in)
	if err != nil {
		return fmt.Errorf("writing what is sent to %s: %w", c.who, err)
	}
	return c.call(ctx, http.MethodPost, path, nil, b, out)
}

// Put calls a verb with a body whose answer says nothing.
func (c *Client) Put(ctx context.Context, path string, in any) error {
	return c.Post(ctx, path, in, &struct{}{})
}

// Close frees the connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

func (c *Client) call(ctx context.Context, method, path string, query url.Values, body []byte, out any) error {
	u := url.URL{Scheme: "http", Host: "hostward", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return core.Wrap(core.Unavailable, err, c.who+" does not answer on "+c.path)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		err = json.NewDecoder(resp.Body).Decode(out)
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
		if err != nil {
			return core.Wrap(core.Unavailable, err, "the answer of "+c.who+" is cut off")
		}
		return nil
	}
	var no refusal
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&no); err != nil || no.Code == "" {
		return core.Errorf(core.Unavailable, "%s answers with HTTP status %d", c.who, resp.StatusCode)
	}
	return core.Errorf(no.Code, "%s", no.Public)
}
