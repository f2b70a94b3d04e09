// Package hands carries out the effects that package host describes, and looks
// at what is in effect. It decides nothing.
package hands

import (
	"context"
	"errors"
	"fmt"
	"sync"

	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/nameserver"
	"hostward/internal/rr"
)

// Nameserver are the hands and eyes for an authoritative server. The server
// knows zones by name and refuses to go back; here a name belongs to one
// object, so that a zone that was deleted and made anew, or a database that
// was restored to an earlier day, replaces what is served.
type Nameserver struct {
	server *nameserver.Server

	mu    sync.Mutex
	names map[core.Ref]rr.Name
	holds map[rr.Name]core.Ref
}

var (
	_ host.Hands = (*Nameserver)(nil)
	_ host.Eyes  = (*Nameserver)(nil)
)

// NewNameserver takes a server that nobody else feeds.
func NewNameserver(s *nameserver.Server) *Nameserver {
	return &Nameserver{server: s, names: map[core.Ref]rr.Name{}, holds: map[rr.Name]core.Ref{}}
}

// Do brings the steps into effect: when it returns, every new query is
// answered from them. A step that the server refuses does not hold up the
// others; its error is among those returned.
func (n *Nameserver) Do(ctx context.Context, steps []host.Step) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if err := n.apply(ctx, steps); err == nil || len(steps) == 1 {
		return err
	}
	var errs []error // all or none: find the one that is in the way
	for _, s := range steps {
		errs = append(errs, n.apply(ctx, []host.Step{s}))
	}
	return errors.Join(errs...)
}

// apply feeds the steps in one go and, once they are in effect, remembers
// whose the names are.
func (n *Nameserver) apply(ctx context.Context, steps []host.Step) error {
	var feed []nameserver.ChangeSet
	var then []func()
	took := map[rr.Name]core.Ref{} // by steps of this call
	for _, step := range steps {
		sets, done, err := n.translate(step, took)
		if err != nil {
			return err
		}
		feed, then = append(feed, sets...), append(then, done)
	}
	if err := n.server.Apply(ctx, feed); err != nil {
		return err
	}
	for _, done := range then {
		done()
	}
	return nil
}

func (n *Nameserver) translate(step host.Step, took map[rr.Name]core.Ref) ([]nameserver.ChangeSet, func(), error) {
	switch s := step.(type) {
	case host.SetZone:
		took[s.Name] = s.Zone
		return n.set(s), func() { n.keep(s.Zone, s.Name) }, nil
	case host.DropZone:
		name := n.names[s.Zone]
		done := func() { n.forget(s.Zone) }
		if holder, again := took[name]; name == "" || n.holds[name] != s.Zone || again && holder != s.Zone {
			return nil, done, nil // its name is not served, or is another's by now
		}
		return []nameserver.ChangeSet{n.drop(name)}, done, nil
	}
	return nil, nil, fmt.Errorf("%T is no step for a nameserver", step)
}

// set clears the way for a whole zone whose version would not be above that
// of what is served under its name.
func (n *Nameserver) set(s host.SetZone) []nameserver.ChangeSet {
	change := nameserver.ChangeSet{Zone: s.Name, Version: s.Version, Full: s.Full, Set: s.Set}
	served := n.server.Version(s.Name)
	another := n.holds[s.Name] != s.Zone
	if s.Full && served > 0 && (another || served > s.Version) {
		return []nameserver.ChangeSet{n.drop(s.Name), change}
	}
	return []nameserver.ChangeSet{change}
}

func (n *Nameserver) drop(name rr.Name) nameserver.ChangeSet {
	return nameserver.ChangeSet{Zone: name, Version: n.server.Version(name) + 1, Drop: true}
}

func (n *Nameserver) keep(object core.Ref, name rr.Name) {
	if before, ok := n.holds[name]; ok && before != object {
		delete(n.names, before)
	}
	n.names[object], n.holds[name] = name, object
}

func (n *Nameserver) forget(object core.Ref) {
	if name := n.names[object]; n.holds[name] == object {
		delete(n.holds, name)
	}
	delete(n.names, object)
}

// Version asks the server which version of a zone it answers with.
func (n *Nameserver) Version(_ context.Context, object core.Ref) (uint64, error) {
	n.mu.Lock()
	name, ok := n.names[object]
	n.mu.Unlock()
	if !ok {
		return 0, nil
	}
	return n.server.Version(name), nil
}

// Standing asks the server what it has of a zone; the zero value: nothing.
func (n *Nameserver) Standing(object core.Ref) nameserver.ZoneStatus {
	n.mu.Lock()
	name, ok := n.names[object]
	n.mu.Unlock()
	if !ok {
		return nameserver.ZoneStatus{}
	}
	s, _ := n.server.Standing(name)
	return s
}

// Objects returns the zones that are served.
func (n *Nameserver) Objects(context.Context) ([]core.Ref, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	out := make([]core.Ref, 0, len(n.names))
	for object, name := range n.names {
		if n.server.Version(name) > 0 {
			out = append(out, object)
		}
	}
	return out, nil
}
