package cli

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"syscall"

	"hostward/internal/core"
)

const base = "/api/v1"

// client sends calls to one server.
type client struct {
	http  *http.Client
	url   string // scheme and host
	token core.Secret
	agent string
	close func() error
	lost  func(error) error // says in words why nobody answers
}

// request is one call over HTTP.
type request struct {
	method, path string
	query        url.Values
	header       http.Header
	contentType  string
	body         io.Reader
}

// do sends r. An answer that is no success is a *problem.
func (c *client) do(ctx context.Context, r request) (*http.Response, error) {
	target := c.url + base + r.path
	if len(r.query) > 0 {
		target += "?" + r.query.Encode()
	}
	req, err := http.NewRequestWithContext(ctx, r.method, target, r.body)
	if err != nil {
		return nil, err
	}
	if r.header != nil {
		req.Header = r.header.Clone()
	}
	req.Header.Set("User-Agent", c.agent)
	if r.contentType != "" {
		req.Header.Set("Content-Type", r.contentType)
	}
	if !c.token.Empty() {
		req.Header.Set("Authorization", "Bearer "+c.token.Reveal())
	}
	res, err := c.http.Do(req)
	if err != nil {
		return nil, c.lost(err)
	}
	if res.StatusCode == http.StatusOK {
		return res, nil
	}
	defer res.Body.Close()
	body, err := io.ReadAll(io.LimitReader(res.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	return nil, readProblem(res.StatusCode, body)
}

// bytes sends r and reads the whole answer.
func (c *client) bytes(ctx context.Context, r request) ([]byte, error) {
	res, err := c.do(ctx, r)
	if err != nil {
		return nil, err
	}
	defer res.Body.Close()
	return io.ReadAll(res.Body)
}

// connect finds the server; offline tells that the operation works without one.
func (s *session) connect(ctx context.Context, offline bool) (*client, error) {
	if s.server != "" {
		return s.remote()
	}
	data := DataDir(s.data, s.env)
	socket := filepath.Join(data, "run", "hostward.sock")
	if offline && s.Offline != nil && !runs(ctx, socket) {
		return s.inside(ctx, data)
	}
	c := s.client(&http.Transport{DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "unix", socket)
	}}, "http://hostward")
	c.lost = func(err error) error { return unanswered(err, data, socket) }
	return c, nil
}

func (s *session) client(t http.RoundTripper, target string) *client {
	return &client{
		// A redirect would carry the call, and its token, to another place.
		http:  &http.Client{Transport: t, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }},
		url:   target,
		agent: "hostward/" + s.Version + " (cli)",
		close: func() error { return nil },
		lost:  func(err error) error { return err },
	}
}

// runs reports whether a server listens, even one that we may not reach.
func runs(ctx context.Context, socket string) bool {
	conn, err := (&net.Dialer{}).DialContext(ctx, "unix", socket)
	if err == nil {
		conn.Close()
	}
	return !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ECONNREFUSED)
}

// unanswered says what to do when nobody listens.
func unanswered(err error, data, socket string) error {
	switch {
	case errors.Is(err, context.Canceled):
		return errors.New("given up; whether the server did it, the action log says")
	case errors.Is(err, fs.ErrPermission):
		return core.Errorf(core.Denied, "you may not connect to %s: only root and the group hostward-admin may", socket)
	case errors.Is(err, fs.ErrNotExist), errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("no server runs on the data folder %s: start one with \"hostward serve --data %s\", or name another with --data or --server", data, data)
	}
	return fmt.Errorf("calling the server at %s: %w", socket, err)
}

// remote calls another machine with a token.
func (s *session) remote() (*client, error) {
	u, err := url.Parse(s.server)
	if err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" || strings.Trim(u.Path, "/") != "" || u.User != nil {
		return nil, Usage("--server %q: must be an address such as https://panel.example:8443", s.server)
	}
	if u.Scheme == "http" && !loopback(u.Hostname()) {
		return nil, Usage("--server %q: a token is sent over https only", s.server)
	}
	roots, err := s.roots()
	if err != nil {
		return nil, err
	}
	c := s.client(&http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots, MinVersion: tls.VersionTLS12}, Proxy: http.ProxyFromEnvironment}, u.Scheme+"://"+u.Host)
	c.lost = func(err error) error {
		if _, ok := errors.AsType[*tls.CertificateVerificationError](err); ok {
			return fmt.Errorf("the certificate of %s is not trusted: give the file of its issuer with --ca: %w", u.Host, err)
		}
		return fmt.Errorf("calling %s: %w", u.Host, err)
	}
	c.token, err = s.token()
	return c, err
}

func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

func (s *session) roots() (*x509.CertPool, error) {
	if s.ca == "" {
		return nil, nil // the system's
	}
	pem, err := os.ReadFile(s.ca)
	if err != nil {
		return nil, Usage("--ca: %v", err)
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM(pem) {
		return nil, Usage("--ca %s: there is no certificate in PEM form in it", s.ca)
	}
	return pool, nil
}

// token is HOSTWARD_TOKEN, or the content of the file that HOSTWARD_TOKEN_FILE
// names, or of hostward/token in the user's configuration folder. It is never a
// flag: everyone on the machine can read those.
func (s *session) token() (core.Secret, error) {
	if t := s.env("HOSTWARD_TOKEN"); t != "" {
		return core.NewSecret(strings.TrimSpace(t)), nil
	}
	path, named := s.env("HOSTWARD_TOKEN_FILE"), true
	if path == "" {
		dir, err := os.UserConfigDir()
		if err != nil {
			return core.Secret{}, nil
		}
		path, named = filepath.Join(dir, "hostward", "token"), false
	}
	text, err := readPrivate(path)
	if errors.Is(err, fs.ErrNotExist) && !named {
		return core.Secret{}, Usage("no token: put it into HOSTWARD_TOKEN, or into %s (mode 0600)", path)
	}
	return core.NewSecret(strings.TrimSpace(string(text))), err
}

func readPrivate(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, fmt.Errorf("reading the token: %w", err)
	}
	if err := private(info); err != nil {
		return nil, fmt.Errorf("reading the token: %s: %w", path, err)
	}
	return os.ReadFile(path)
}
