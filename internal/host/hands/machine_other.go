//go:build !linux

package hands

import (
	"context"
	"path/filepath"
	"time"

	"hostward/internal/core"
	"hostward/internal/host"
)

// Machine is this machine: only Linux is under control.
type Machine struct{}

var (
	_ host.Eyes  = Machine{}
	_ host.Hands = Machine{}
)

func errLinux() error {
	return core.Errorf(core.Unavailable, "only a Linux server can be under control")
}

// Now implements host.Eyes.
func (Machine) Now() time.Time { return core.SystemClock() }

// ReadFile implements host.Eyes.
func (Machine) ReadFile(string) ([]byte, bool, error) { return nil, false, errLinux() }

// Glob implements host.Eyes.
func (Machine) Glob(pattern string) ([]string, error) { return filepath.Glob(pattern) }

// Find implements host.Eyes.
func (Machine) Find(string, []string, int) ([]string, bool, error) { return nil, false, errLinux() }

// Output implements host.Eyes.
func (Machine) Output(context.Context, ...string) ([]byte, error) { return nil, errLinux() }

// Table implements host.Eyes.
func (Machine) Table(context.Context, string, string, string) (string, error) { return "", errLinux() }

// Do implements host.Hands.
func (Machine) Do(context.Context, host.Step) error { return errLinux() }

// Undo implements host.Hands.
func (Machine) Undo(context.Context, host.Step) (host.Step, error) { return nil, errLinux() }
