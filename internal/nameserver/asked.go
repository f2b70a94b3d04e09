package nameserver

import (
	"context"
	"net/netip"
	"sync"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// AskedKind is what somebody outside wants of the feeder.
type AskedKind string

// The kinds.
const (
	AskedNotify AskedKind = "notify" // a primary has a new version of a zone (RFC 1996); no answer is waited for
	AskedUpdate AskedKind = "update" // Message is a dynamic update (RFC 2136)
)

// Asked is something that the server cannot answer by itself.
type Asked struct {
	ID      uint64         `json:"id"`
	Kind    AskedKind      `json:"kind"`
	Zone    rr.Name        `json:"zone"`
	From    netip.AddrPort `json:"from"`
	Serial  uint32         `json:"serial,omitempty"` // of a notify, if Hint
	Hint    bool           `json:"hint,omitempty"`
	Message []byte         `json:"message,omitempty"` // as it came
}

// mostAsks is how many may wait for the feeder; more are turned down.
const mostAsks = 256

// asks are what waits for the feeder.
type asks struct {
	mu      sync.Mutex
	last    uint64
	waiting chan Asked
	open    map[uint64]chan<- []byte
}

func newAsks() *asks {
	return &asks{waiting: make(chan Asked, mostAsks), open: map[uint64]chan<- []byte{}}
}

// put has something wait; false: too much waits already.
func (a *asks) put(what Asked, answer chan<- []byte) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.last++
	what.ID = a.last
	select {
	case a.waiting <- what:
	default:
		return false
	}
	if answer != nil {
		a.open[what.ID] = answer
		if old := what.ID - 2*mostAsks; what.ID > 2*mostAsks {
			delete(a.open, old) // nobody waits so long
		}
	}
	return true
}

// Asked waits until somebody outside wants something of the feeder.
func (s *Server) Asked(ctx context.Context) (Asked, error) {
	select {
	case a := <-s.asks.waiting:
		return a, nil
	case <-ctx.Done():
		return Asked{}, ctx.Err()
	}
}

// Answered gives what the feeder answers to something it was asked.
func (s *Server) Answered(_ context.Context, id uint64, message []byte) error {
	s.asks.mu.Lock()
	defer s.asks.mu.Unlock()
	answer, ok := s.asks.open[id]
	if !ok {
		return core.Errorf(core.NotFound, "nobody waits for an answer to %d", id)
	}
	delete(s.asks.open, id)
	answer <- message // there is room for it
	return nil
}
