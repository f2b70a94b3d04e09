package nameserver

import (
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
)

// mostFed is the most octets of one call of Apply.
const mostFed = 1 << 30

// fed is the body of Apply.
type fed struct {
	Changes []ChangeSet `json:"changes"`
}

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
	m.HandleFunc("POST "+pathApply, func(w http.ResponseWriter, r *http.Request) {
		var in fed
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, mostFed)).Decode(&in); err != nil {
			say(w, nil, core.Errorf(core.Invalid, "reading change sets: %v", err))
			return
		}
		say(w, struct{}{}, s.Apply(r.Context(), in.Changes))
	})
	get := func(path string, f func(r *http.Request) (any, error)) {
		m.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
			out, err := f(r)
			say(w, out, err)
		})
	}
	get(pathHeld, func(r *http.Request) (any, error) { return s.Held(r.Context()) })
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
