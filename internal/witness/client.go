package witness

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"net/url"
	"strings"
	"time"

	"golang.org/x/mod/sumdb/note"
	"golang.org/x/mod/sumdb/tlog"
)

// Client asks one witness.
type Client struct {
	url  string
	key  *verifier
	http *http.Client
}

// NewClient returns a client for the witness at rawURL, whose cosignatures
// key, a verifier key of type 4, verifies. Addresses that are not public are
// refused when connecting unless allowPrivate (SPEC A10).
func NewClient(rawURL, key string, allowPrivate bool) (*Client, error) {
	v, err := newVerifier(key)
	if err != nil {
		return nil, err
	}
	u, err := url.Parse(rawURL)
	if err != nil || (u.Scheme != "http" && u.Scheme != "https") || u.Host == "" || u.User != nil || u.RawQuery != "" || u.Fragment != "" {
		return nil, fmt.Errorf("%q is not the address of a witness, such as https://witness.example.org/", rawURL)
	}
	return &Client{url: strings.TrimRight(rawURL, "/"), key: v, http: newHTTP(allowPrivate)}, nil
}

// Name returns the witness's name.
func (c *Client) Name() string { return c.key.name }

// URL returns the witness's address.
func (c *Client) URL() string { return c.url }

// Close drops idle connections.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// Cosignature is what a witness gave.
type Cosignature struct {
	Line string    // of the signed note, with its end of line
	Time time.Time // when the witness signed
}

// The witness's refusals that are not about sizes.
var (
	ErrUnknownLog   = errors.New("the witness does not watch this log; give its operator the log's verifier key")
	ErrUntrusted    = errors.New("the witness does not trust the key of this log")
	ErrInconsistent = errors.New("the witness has seen another history of this log")
)

// SizeError says that the witness's latest tree is not the one that was named
// as old. Size is not signed: anyone on the way to the witness can claim it.
type SizeError struct {
	Size int64 // of the latest tree the witness says it cosigned
	Old  int64 // what was named as its size
	Tree int64 // the size of the tree that was offered
}

// Ahead reports that the witness has seen more than was offered. Else the
// witness is behind, and the tree can be offered again from Size.
func (e *SizeError) Ahead() bool { return e.Size > e.Tree }

func (e *SizeError) Error() string {
	if e.Ahead() {
		return fmt.Sprintf("the witness has seen %d records, offered were %d", e.Size, e.Tree)
	}
	return fmt.Sprintf("the witness has seen %d records, not %d", e.Size, e.Old)
}

// Submit offers a checkpoint of which the witness has cosigned the first old
// leaves; proof shows that these did not change, and is empty for old 0 and
// for the same size. The cosignature that comes back is verified.
func (c *Client) Submit(ctx context.Context, old int64, proof tlog.TreeProof, signed []byte) (Cosignature, error) {
	next, err := parseCheckpoint(noteText(signed))
	if err != nil {
		return Cosignature{}, err
	}
	body := request{old: old, proof: proof, note: signed}.format()
	status, kind, answer, err := c.do(ctx, http.MethodPost, "/add-checkpoint", body)
	if err != nil {
		return Cosignature{}, err
	}
	switch status {
	case http.StatusOK:
		return c.accept(signed, answer)
	case http.StatusConflict:
		return Cosignature{}, conflict(kind, answer, old, next.size)
	}
	return Cosignature{}, answered(status, answer)
}

// accept takes this witness's signature from among those that came back.
func (c *Client) accept(signed, answer []byte) (Cosignature, error) {
	opened, err := note.Open(append(bytes.Clone(signed), answer...), note.VerifierList(c.key))
	if err != nil {
		return Cosignature{}, fmt.Errorf("the answer of %s holds no cosignature by its key: %w", c.Name(), err)
	}
	line, at, ok := c.key.find(opened.Sigs)
	if !ok {
		return Cosignature{}, fmt.Errorf("the answer of %s holds no cosignature by its key", c.Name())
	}
	return Cosignature{Line: line, Time: at}, nil
}

func conflict(kind string, answer []byte, old, tree int64) error {
	text, ended := strings.CutSuffix(string(answer), "\n")
	size, err := parseSize(text)
	media, _, _ := mime.ParseMediaType(kind)
	if media != sizeType || !ended || err != nil {
		// Witnesses from before 2026 answer a fork of the same size so.
		return fmt.Errorf("%w, or answers strangely: %.80q", ErrInconsistent, answer)
	}
	return &SizeError{Size: size, Old: old, Tree: tree}
}

func answered(status int, answer []byte) error {
	text := strings.TrimSpace(strings.ToValidUTF8(string(answer[:min(len(answer), 200)]), "?"))
	switch status {
	case http.StatusNotFound:
		return ErrUnknownLog
	case http.StatusForbidden:
		return ErrUntrusted
	case http.StatusUnprocessableEntity:
		return ErrInconsistent
	}
	return fmt.Errorf("the witness answers %d %s: %q", status, http.StatusText(status), text)
}

// Latest fetches the latest checkpoint of a log that the witness cosigned,
// verified with the log's key and the witness's; nil when it has none, or does
// not offer the monitoring interface.
func (c *Client) Latest(ctx context.Context, logKey string) (signed []byte, err error) {
	log, err := note.NewVerifier(logKey)
	if err != nil {
		return nil, fmt.Errorf("the log's verifier key: %w", err)
	}
	status, _, answer, err := c.do(ctx, http.MethodGet, "/"+originHash(log.Name())+"/checkpoint", nil)
	switch {
	case err != nil:
		return nil, err
	case status == http.StatusNotFound || status == http.StatusMethodNotAllowed:
		return nil, nil
	case status != http.StatusOK:
		return nil, answered(status, answer)
	}
	for _, key := range []note.Verifier{log, c.key} {
		if _, err := note.Open(answer, note.VerifierList(key)); err != nil {
			return nil, fmt.Errorf("the latest checkpoint at %s is not signed by %s: %w", c.url, key.Name(), err)
		}
	}
	if latest, err := parseCheckpoint(noteText(answer)); err != nil || latest.origin != log.Name() {
		return nil, fmt.Errorf("the latest checkpoint at %s is not of %s", c.url, log.Name())
	}
	return answer, nil
}

// do sends one request and reads at most maxBody of the answer.
func (c *Client) do(ctx context.Context, method, path string, body []byte) (status int, kind string, answer []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, method, c.url+path, bytes.NewReader(body))
	if err != nil {
		return 0, "", nil, err
	}
	req.Header.Set("User-Agent", "hostward")
	res, err := c.http.Do(req)
	if err != nil {
		return 0, "", nil, fmt.Errorf("asking the witness %s: %w", c.Name(), err)
	}
	defer res.Body.Close()
	answer, err = io.ReadAll(io.LimitReader(res.Body, maxBody))
	if err != nil {
		return 0, "", nil, fmt.Errorf("asking the witness %s: %w", c.Name(), err)
	}
	return res.StatusCode, res.Header.Get("Content-Type"), answer, nil
}
