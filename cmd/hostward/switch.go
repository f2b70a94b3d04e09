package main

import (
	"net/http"
	"sync/atomic"
)

// switchable is a handler that is replaced once the server has taken over.
type switchable struct{ now atomic.Pointer[http.Handler] }

func newSwitchable(h http.Handler) *switchable {
	s := &switchable{}
	s.to(h)
	return s
}

func (s *switchable) to(h http.Handler) { s.now.Store(&h) }

// ServeHTTP passes the request to the handler of the moment.
func (s *switchable) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	(*s.now.Load()).ServeHTTP(w, r)
}
