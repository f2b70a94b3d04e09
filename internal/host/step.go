// Package host holds the words for effects on the machine, as data only. Who
// plans effects (a feature's control) cannot carry them out; who carries them
// out (hands) does not decide.
package host

import (
	"context"
	"fmt"

	"hostward/internal/core"
	"hostward/internal/rr"
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
	if s.Full {
		return fmt.Sprintf("serve zone %s version %d: all %d RRsets", s.Name, s.Version, len(s.Set))
	}
	return fmt.Sprintf("serve zone %s version %d: %d RRsets changed", s.Name, s.Version, len(s.Set))
}

// String returns the step as one line of a plan.
func (s DropZone) String() string { return fmt.Sprintf("stop serving zone %s", s.Name) }

// Hands change the machine. Only the engine of package control holds them.
type Hands interface {
	// Do carries out the steps in order and returns when they are in effect.
	// Doing a step twice is the same as doing it once.
	Do(ctx context.Context, steps []Step) error
}

// Eyes look at the machine.
type Eyes interface {
	// Version returns which version of an object is in effect now; 0: none.
	Version(ctx context.Context, object core.Ref) (uint64, error)
	// Objects returns every object that is in effect.
	Objects(ctx context.Context) ([]core.Ref, error)
}
