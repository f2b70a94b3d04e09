package nameserver

import (
	"context"
	"errors"
	"net/http"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/socket"
)

// The verbs of Feed between two processes: HTTP over a Unix socket with JSON
// bodies. Who may open the socket may feed the server: its folder's rights and the
// kernel's word about the other end decide that.
const (
	pathApply    = "/v1/apply"
	pathHeld     = "/v1/held"
	pathStanding = "/v1/standing"
	pathExpiring = "/v1/expiring"
	pathSets     = "/v1/sets"
	pathStats    = "/v1/stats"
	pathSettings = "/v1/settings"
	pathAsked    = "/v1/asked"
	pathAnswered = "/v1/answered"
	pathTold     = "/v1/told"
)

// mostFed is the most octets of one call of Apply.
const mostFed = 1 << 30

// fed is the body of Apply.
type fed struct {
	Changes []ChangeSet `json:"changes"`
}

// answered is the body of Answered.
type answered struct {
	ID      uint64 `json:"id"`
	Message []byte `json:"message"`
}

// longestPoll is how long Asked waits before it lets go.
const longestPoll = 20 * time.Second

// readBack is the answer of Sets.
type readBack struct {
	Version uint64     `json:"version"`
	Sets    []rr.RRset `json:"sets"`
}

// Handler serves the verbs of Feed for a Client.
func (s *Server) Handler() http.Handler {
	m := http.NewServeMux()
	socket.Put(m, pathApply, mostFed, func(r *http.Request, in fed) error { return s.Apply(r.Context(), in.Changes) })
	socket.Put(m, pathSettings, mostFed, func(r *http.Request, in Settings) error { return s.Configure(r.Context(), in) })
	socket.Put(m, pathAnswered, mostFed, func(r *http.Request, in answered) error { return s.Answered(r.Context(), in.ID, in.Message) })
	socket.Get(m, pathHeld, func(r *http.Request) (any, error) { return s.Held(r.Context()) })
	socket.Get(m, pathTold, func(r *http.Request) (any, error) { return s.Told(r.Context()) })
	socket.Get(m, pathAsked, func(r *http.Request) (any, error) {
		ctx, stop := context.WithTimeout(r.Context(), longestPoll)
		defer stop()
		a, err := s.Asked(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = nil // nobody asked anything
		}
		return a, err
	})
	socket.Get(m, pathStats, func(r *http.Request) (any, error) { return s.Counted(r.Context()) })
	socket.Get(m, pathStanding, func(r *http.Request) (any, error) { return s.Standing(r.Context(), rr.Name(r.FormValue("zone"))) })
	socket.Get(m, pathExpiring, func(r *http.Request) (any, error) {
		before, err := time.Parse(time.RFC3339Nano, r.FormValue("before"))
		if err != nil {
			return nil, core.Errorf(core.Invalid, "a time as RFC 3339 has it is accepted, not %.40q", r.FormValue("before"))
		}
		return s.Expiring(r.Context(), before)
	})
	socket.Get(m, pathSets, func(r *http.Request) (any, error) {
		sets, version, err := s.Sets(r.Context(), rr.Name(r.FormValue("zone")))
		return readBack{version, sets}, err
	})
	return m
}
