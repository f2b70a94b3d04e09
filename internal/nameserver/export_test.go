package nameserver

import (
	"context"

	"hostward/internal/rr"
)

// Compact writes an image now.
var Compact = compactNow

// Version returns the version a zone is served in, 0 when it is not served.
func (s *Server) Version(zone rr.Name) uint64 {
	if slot := s.zones.Load().get(zone.Wire()); slot != nil {
		return slot.image.Load().version
	}
	return 0
}

// Versions returns that of every zone.
func (s *Server) Versions() map[rr.Name]uint64 {
	out := map[rr.Name]uint64{}
	held, _ := s.Held(context.Background())
	for name, h := range held {
		out[name] = h.Version
	}
	return out
}
