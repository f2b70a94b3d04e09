package nameserver

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
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

// refusal is an error on its way between the processes.
type refusal struct {
	Code   core.Code `json:"code"`
	Public string    `json:"public"`
}

// Handler serves the verbs of Feed for a Client.
func (s *Server) Handler() http.Handler {
	m := http.NewServeMux()
	take(m, pathApply, func(r *http.Request, in fed) error { return s.Apply(r.Context(), in.Changes) })
	take(m, pathSettings, func(r *http.Request, in Settings) error { return s.Configure(r.Context(), in) })
	take(m, pathAnswered, func(r *http.Request, in answered) error { return s.Answered(r.Context(), in.ID, in.Message) })
	get := func(path string, f func(r *http.Request) (any, error)) {
		m.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			out, err := f(r)
			say(w, out, err)
		})
	}
	get(pathHeld, func(r *http.Request) (any, error) { return s.Held(r.Context()) })
	get(pathTold, func(r *http.Request) (any, error) { return s.Told(r.Context()) })
	get(pathAsked, func(r *http.Request) (any, error) {
		ctx, stop := context.WithTimeout(r.Context(), longestPoll)
		defer stop()
		a, err := s.Asked(ctx)
		if errors.Is(err, context.DeadlineExceeded) {
			err = nil // nobody asked anything
		}
		return a, err
	})
	get(pathStats, func(r *http.Request) (any, error) { return s.Counted(r.Context()) })
	get(pathStanding, func(r *http.Request) (any, error) { return s.Standing(r.Context(), rr.Name(r.FormValue("zone"))) })
	get(pathExpiring, func(r *http.Request) (any, error) {
		before, err := time.Parse(time.RFC3339Nano, r.FormValue("before"))
		if err != nil {
			return nil, core.Errorf(core.Invalid, "a time as RFC 3339 has it is accepted, not %.40q", r.FormValue("before"))
		}
		return s.Expiring(r.Context(), before)
	})
	get(pathSets, func(r *http.Request) (any, error) {
		sets, version, err := s.Sets(r.Context(), rr.Name(r.FormValue("zone")))
		return readBack{version, sets}, err
	})
	return m
}

// take is a verb with a body.
func take[I any](m *http.ServeMux, path string, f func(r *http.Request, in I) error) {
	m.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var in I
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostFed)).Decode(&in); err != nil {
			say(w, nil, core.Errorf(core.Invalid, "reading what is fed: %v", err))
			return
		}
		say(w, struct{}{}, f(r, in))
	})
}

func say(w http.ResponseWriter, out any, err error) {
	w.Header().Set("Content-Type", "application/json")
	if err != nil {
		w.WriteHeader(http.StatusUnprocessableEntity)
		out = refusal{core.CodeOf(err), err.Error()}
	}
	if err := json.NewEncoder(w).Encode(out); err != nil && !errors.Is(err, http.ErrHandlerTimeout) {
		panic(http.ErrAbortHandler) // the other end sees that the answer is cut off
	}
}
