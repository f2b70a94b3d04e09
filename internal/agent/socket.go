package agent

import (
	"context"
	"net/http"
	"net/url"
	"strconv"

	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/socket"
)

// Verbs are all that others may ask of an agent about its controls.
type Verbs interface {
	// Accept takes an order, carries it out, and returns how the control stands then.
	Accept(ctx context.Context, d Delivery) (host.Status, error)
	// Confirm keeps an order that waits, Revert undoes it at once.
	Confirm(ctx context.Context, control string, number uint64) (host.Status, error)
	Revert(ctx context.Context, control string, number uint64) (host.Status, error)
	// Look looks at a control now; Statuses say what was seen last.
	Look(ctx context.Context, control string) (host.Status, error)
	Statuses(ctx context.Context) ([]host.Status, error)
	// Plan says what would be done to bring a desired state about, and does nothing.
	Plan(ctx context.Context, control string, desired []byte) (host.Planned, error)
	// Journal returns at most n entries behind seq, and may forget those before.
	Journal(ctx context.Context, after uint64, n int) ([]host.Line, error)
}

var (
	_ Verbs = (*Agent)(nil)
	_ Verbs = (*Client)(nil)
	_ Verbs = (*Looker)(nil)
)

const (
	pathAccept   = "/v1/accept"
	pathConfirm  = "/v1/confirm"
	pathRevert   = "/v1/revert"
	pathLook     = "/v1/look"
	pathStatuses = "/v1/statuses"
	pathPlan     = "/v1/plan"
	pathJournal  = "/v1/journal"
)

// mostSent is the most octets of one call: an order in base64 and its proof.
const mostSent = 2*host.MaxOrder + 1<<20

// mostAtOnce is how many calls are worked at that are large, or that have programs run.
// Who only asks, confirms or reverts never waits for them.
const mostAtOnce = 4

type named struct {
	Control string `json:"control"`
	Number  uint64 `json:"number,omitempty"`
	Desired []byte `json:"desired,omitempty"`
}

// Handler serves the verbs.
func Handler(v Verbs) http.Handler {
	m, heavy := http.NewServeMux(), http.NewServeMux()
	m.Handle(pathAccept, socket.AtMost(mostAtOnce, heavy))
	looks := socket.AtMost(mostAtOnce, heavy)
	m.Handle(pathLook, looks)
	m.Handle(pathPlan, looks)
	socket.Post(heavy, pathAccept, mostSent, func(r *http.Request, d Delivery) (any, error) { return v.Accept(r.Context(), d) })
	socket.Post(m, pathConfirm, 1<<10, func(r *http.Request, in named) (any, error) {
		return v.Confirm(r.Context(), in.Control, in.Number)
	})
	socket.Post(m, pathRevert, 1<<10, func(r *http.Request, in named) (any, error) {
		return v.Revert(r.Context(), in.Control, in.Number)
	})
	socket.Post(heavy, pathLook, 1<<10, func(r *http.Request, in named) (any, error) { return v.Look(r.Context(), in.Control) })
	socket.Post(heavy, pathPlan, mostSent, func(r *http.Request, in named) (any, error) {
		return v.Plan(r.Context(), in.Control, in.Desired)
	})
	socket.Get(m, pathStatuses, func(r *http.Request) (any, error) { return v.Statuses(r.Context()) })
	socket.Get(m, pathJournal, func(r *http.Request) (any, error) {
		after, err := strconv.ParseUint(r.FormValue("after"), 10, 64)
		if err != nil {
			return nil, core.Errorf(core.Invalid, "after is the number of an entry, not %.40q", r.FormValue("after"))
		}
		n, err := strconv.Atoi(r.FormValue("n"))
		if err != nil || n < 1 || n > mostEntries {
			return nil, core.Errorf(core.Invalid, "n is from 1 to %d, not %.40q", mostEntries, r.FormValue("n"))
		}
		return v.Journal(r.Context(), after, n)
	})
	return m
}

// mostEntries is the most entries of the journal in one answer.
const mostEntries = 1000

// Client asks an agent in another process.
type Client struct{ to *socket.Client }

// Dial returns a client for the agent that listens on a Unix socket, now or later.
func Dial(path string) *Client { return &Client{socket.Dial(path, "the agent")} }

// Accept implements Verbs.
func (c *Client) Accept(ctx context.Context, d Delivery) (out host.Status, err error) {
	return out, c.to.Post(ctx, pathAccept, d, &out)
}

// Confirm implements Verbs.
func (c *Client) Confirm(ctx context.Context, control string, number uint64) (out host.Status, err error) {
	return out, c.to.Post(ctx, pathConfirm, named{Control: control, Number: number}, &out)
}

// Revert implements Verbs.
func (c *Client) Revert(ctx context.Context, control string, number uint64) (out host.Status, err error) {
	return out, c.to.Post(ctx, pathRevert, named{Control: control, Number: number}, &out)
}

// Look implements Verbs.
func (c *Client) Look(ctx context.Context, control string) (out host.Status, err error) {
	return out, c.to.Post(ctx, pathLook, named{Control: control}, &out)
}

// Plan implements Verbs.
func (c *Client) Plan(ctx context.Context, control string, desired []byte) (out host.Planned, err error) {
	return out, c.to.Post(ctx, pathPlan, named{Control: control, Desired: desired}, &out)
}

// Statuses implements Verbs.
func (c *Client) Statuses(ctx context.Context) (out []host.Status, err error) {
	return out, c.to.Get(ctx, pathStatuses, nil, &out)
}

// Journal implements Verbs.
func (c *Client) Journal(ctx context.Context, after uint64, n int) (out []host.Line, err error) {
	q := url.Values{"after": {strconv.FormatUint(after, 10)}, "n": {strconv.Itoa(n)}}
	return out, c.to.Get(ctx, pathJournal, q, &out)
}

// Close frees the connections.
func (c *Client) Close() error { return c.to.Close() }
