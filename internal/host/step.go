package host

import (
	"context"
	"fmt"

	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// Step is one effect. The set is closed: a new one is added here.
type Step interface {
	fmt.Stringer // one stable line; a plan is these lines
	step()
}

// SetZone changes what the nameserver answers for one zone.
type SetZone struct {
	Zone    core.Ref
	Name    rr.Name
	Version uint64     // of the zone afterwards
	Full    bool       // Set is the whole zone, not a difference
	Set     []rr.RRset // new content of these RRsets; without data: gone
	From    uint64     // of the zone before, unless Full
	Signing *Signing   // how it is signed; nil: it is not
}

// Signing is how a zone is signed. The keys are sealed: who holds the keeper can
// sign with them, and nobody can read them.
type Signing struct {
	Keys     []SigningKey
	NSEC3    bool
	RemoveDS bool // CDS and CDNSKEY ask the parent to remove every DS (RFC 8078 4)
	Timing   sign.Timing
}

// SigningKey is one key of a zone with its present duties.
type SigningKey struct {
	sign.Public
	sign.Duty
	Sealed []byte
}

// DropZone makes the nameserver refuse queries for a zone.
type DropZone struct {
	Zone    core.Ref
	Name    rr.Name
	Version uint64
}

func (s SetZone) step()  {}
func (s DropZone) step() {}

// String returns the step as one line of a plan.
func (s SetZone) String() string {
	verb := "serve"
	if s.Signing != nil {
		verb = "sign and serve"
	}
	if s.Full {
		return fmt.Sprintf("%s zone %s version %d: all %d RRsets", verb, s.Name, s.Version, len(s.Set))
	}
	return fmt.Sprintf("%s zone %s version %d: %d RRsets changed", verb, s.Name, s.Version, len(s.Set))
}

// String returns the step as one line of a plan.
func (s DropZone) String() string { return fmt.Sprintf("stop serving zone %s", s.Name) }

// Follower is the part of the machine that follows the database object by object.
// Only the engine of package control holds it.
type Follower interface {
	// Do carries out the steps in order and returns when they are in effect.
	// Doing a step twice is the same as doing it once.
	Do(ctx context.Context, steps []Step) error
}

// Followed looks at it.
type Followed interface {
	// Version returns which version of an object is in effect now; 0: none.
	Version(ctx context.Context, object core.Ref) (uint64, error)
	// Versions returns that of every object that is in effect.
	Versions(ctx context.Context) (map[core.Ref]uint64, error)
}
