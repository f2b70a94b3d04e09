package nameserver

import (
	"context"
	"time"

	"hostward/internal/rr"
)

// Feed is what whoever feeds a nameserver needs of it: a Server in the same
// process, or a Client of another one.
type Feed interface {
	// Apply brings in change sets, in order, all or none; see Server.Apply.
	Apply(ctx context.Context, changes []ChangeSet) error
	// Held returns what is served of each zone.
	Held(ctx context.Context) (map[rr.Name]Held, error)
	// Standing returns the status of one zone; core.NotFound: it is not served.
	Standing(ctx context.Context, zone rr.Name) (ZoneStatus, error)
	// Expiring returns the status of each zone of which a signature expires before
	// a time.
	Expiring(ctx context.Context, before time.Time) ([]ZoneStatus, error)
	// Sets returns every RRset that is served of a zone; see Server.Sets.
	Sets(ctx context.Context, zone rr.Name) (sets []rr.RRset, version uint64, err error)
	// Configure replaces the settings.
	Configure(ctx context.Context, to Settings) error
	// Asked waits until somebody outside wants something of the feeder; Answered
	// gives the answer.
	Asked(ctx context.Context) (Asked, error)
	Answered(ctx context.Context, id uint64, message []byte) error
	// Told returns what became of telling others of new versions.
	Told(ctx context.Context) ([]Telling, error)
	// Counted returns what was counted since the server started.
	Counted(ctx context.Context) (Stats, error)
}

// Held is what is served of a zone.
type Held struct {
	Object  string `json:"object,omitempty"`
	Version uint64 `json:"version"`
}

// ChangeSet is one step of one zone, and what the stream consists of. It is
// plain data: encoding/json round-trips it.
type ChangeSet struct {
	Zone    rr.Name    `json:"zone"`
	Object  string     `json:"object,omitempty"` // whose versions these are: a zone that is made anew under the name is another
	Version uint64     `json:"version"`          // grows with each change of the zone
	From    uint64     `json:"from,omitempty"`   // version that is served before, unless Full; 0: any below Version
	Full    bool       `json:"full,omitempty"`   // Set is the whole zone
	Set     []rr.RRset `json:"set,omitempty"`    // new content of these RRsets; empty Data: gone
	Drop    bool       `json:"drop,omitempty"`   // the zone is served no more
}
