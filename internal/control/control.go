// Package control brings the machine to what the database says: observe, plan,
// do, observe again. The verdict is "the plan is now empty", never a return
// code. Normal work, start and repair run the same code.
package control

import (
	"context"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/host"
)

// Control describes one part of the machine; it cannot act. It follows the
// objects of one kind: each has a version in the database and one in effect.
type Control struct {
	Name string // what operations name in Wakes: "nameserver"
	Kind string // kind of the objects it follows: "zone"

	// Desired returns the version of every object that should be in effect.
	Desired func(ctx context.Context, v *act.View) (map[core.Ref]uint64, error)
	// Plan returns the steps that bring one object from version have (0: not in
	// effect) to what the database says. No steps: it is in force. It is pure
	// but for reading the view.
	Plan func(ctx context.Context, v *act.View, object core.Ref, have uint64) ([]host.Step, error)
}
