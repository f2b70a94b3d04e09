package socket

import (
	"encoding/json"
	"errors"
	"net/http"
	"time"

	"hostward/internal/core"
)

// refusal is an error on its way between the processes.
type refusal struct {
	Code   core.Code `json:"code"`
	Public string    `json:"public"`
}

// Get serves a verb that has no body.
func Get(m *http.ServeMux, path string, f func(r *http.Request) (any, error)) {
	m.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		out, err := f(r)
		say(w, out, err)
	})
}

// mostSending is how long a caller may take to send a body.
const mostSending = time.Minute

// Post serves a verb with a body of at most so many octets.
func Post[I any](m *http.ServeMux, path string, most int64, f func(r *http.Request, in I) (any, error)) {
	m.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var in I
		c := http.NewResponseController(w)
		_ = c.SetReadDeadline(time.Now().Add(mostSending)) // without one it only takes longer
		err := json.NewDecoder(http.MaxBytesReader(w, r.Body, most)).Decode(&in)
		_ = c.SetReadDeadline(time.Time{})
		if err != nil {
			say(w, nil, core.Errorf(core.Invalid, "reading what was sent to %s: %v", path, err))
			return
		}
		out, err := f(r, in)
		say(w, out, err)
	})
}

// AtMost lets so many calls in at once; the others wait, before anything of them is read.
func AtMost(n int, h http.Handler) http.Handler {
	turns := make(chan struct{}, n)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		select {
		case turns <- struct{}{}:
			defer func() { <-turns }()
			h.ServeHTTP(w, r)
		case <-r.Context().Done():
		}
	})
}

// Put is a Post whose answer says nothing.
func Put[I any](m *http.ServeMux, path string, most int64, f func(r *http.Request, in I) error) {
	Post(m, path, most, func(r *http.Request, in I) (any, error) { return struct{}{}, f(r, in) })
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
