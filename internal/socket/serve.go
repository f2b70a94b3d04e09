package socket

import (
	"encoding/json"
	"errors"
	"net/http"

	"hostward/internal/core"
)

// refusal is an error on its way between the processes.
type refusal struct {
	Code   core.Code `json:"code"`
	Public string    `json:"public"`
}

// Take serves a verb whose input is a JSON body of at most so many octets.
func Take[I, O any](m *http.ServeMux, path string, most int64, f func(r *http.Request, in I) (O, error)) {
	m.HandleFunc("POST "+path, func(w http.ResponseWriter, r *http.Request) {
		var in I
		if err := json.NewDecoder(http.MaxBytesReader(w, r.Body, most)).Decode(&in); err != nil {
			say(w, nil, core.Errorf(core.Invalid, "reading the request: %v", err))
			return
		}
		out, err := f(r, in)
		say(w, out, err)
	})
}

// Give serves a verb that only looks; its input is in the query.
func Give[O any](m *http.ServeMux, path string, f func(r *http.Request) (O, error)) {
	m.HandleFunc("GET "+path, func(w http.ResponseWriter, r *http.Request) {
		out, err := f(r)
		say(w, out, err)
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
