package socket

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/url"
	"time"

	"hostward/internal/core"
)

// Client calls the verbs of another process.
type Client struct {
	path, name string
	http       http.Client
}

// Dial returns a client for the process that listens on a Unix socket; name is what
// errors call it: "the nameserver". It need not be there yet: each call tries
// anew, and fails with core.Unavailable.
func Dial(path, name string) *Client {
	var d net.Dialer
	return &Client{path: path, name: name, http: http.Client{Transport: &http.Transport{
		DialContext:         func(ctx context.Context, _, _ string) (net.Conn, error) { return d.DialContext(ctx, "unix", path) },
		MaxIdleConnsPerHost: 8, IdleConnTimeout: time.Minute, DisableCompression: true,
	}}}
}

// Close frees the connections.
func (c *Client) Close() error {
	c.http.CloseIdleConnections()
	return nil
}

// Ask calls a verb that Give serves.
func (c *Client) Ask(ctx context.Context, path string, query url.Values, out any) error {
	return c.call(ctx, http.MethodGet, path, query, nil, out)
}

// Tell calls a verb that Take serves.
func (c *Client) Tell(ctx context.Context, path string, in, out any) error {
	body, err := json.Marshal(in)
	if err != nil {
		return err
	}
	return c.call(ctx, http.MethodPost, path, nil, body, out)
}

func (c *Client) call(ctx context.Context, method, path string, query url.Values, body []byte, out any) error {
	u := url.URL{Scheme: "http", Host: "socket", Path: path, RawQuery: query.Encode()}
	req, err := http.NewRequestWithContext(ctx, method, u.String(), bytes.NewReader(body))
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return core.Wrap(core.Unavailable, err, c.name+" does not answer on "+c.path)
	}
	defer func() { _ = resp.Body.Close() }()
	if resp.StatusCode == http.StatusOK {
		err = json.NewDecoder(resp.Body).Decode(out)
		_, _ = io.Copy(io.Discard, resp.Body) // so that the connection is used again
		if err != nil {
			return core.Wrap(core.Unavailable, err, "the answer of "+c.name+" is cut off")
		}
		return nil
	}
	var no refusal
	if err := json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&no); err != nil || no.Code == "" {
		return core.Errorf(core.Unavailable, "%s answers with HTTP status %d", c.name, resp.StatusCode)
	}
	return core.Errorf(no.Code, "%s", no.Public)
}
