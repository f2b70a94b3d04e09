package nameserver

import "hostward/internal/rr"

// ChangeSet is one step of one zone, and what the stream consists of. It is
// plain data: encoding/json round-trips it.
type ChangeSet struct {
	Zone    rr.Name    `json:"zone"`
	Version uint64     `json:"version"`        // grows with each change of the zone
	Full    bool       `json:"full,omitempty"` // Set is the whole zone
	Set     []rr.RRset `json:"set,omitempty"`  // new content of these RRsets; empty Data: gone
	Drop    bool       `json:"drop,omitempty"` // the zone is served no more
}
