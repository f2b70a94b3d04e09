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

// kind is the kind of the objects that a nameserver holds.
const kind = "zone"

// Nameserver are the hands and eyes for an authoritative server. It knows zones by
// name and says whose they are; here one asks by the object. What is remembered is
// only where to look: the server is asked each time.
type Nameserver struct {
	server nameserver.Feed

	mu    sync.Mutex
	names map[core.Ref]rr.Name // nil: not asked yet
}

var (
	_ host.Follower = (*Nameserver)(nil)
	_ host.Followed = (*Nameserver)(nil)
)

// NewNameserver takes a server that nobody else feeds.
func NewNameserver(s nameserver.Feed) *Nameserver { return &Nameserver{server: s} }

// Do brings the steps into effect: when it returns, every new query is
// answered from them. A step that the server refuses does not hold up the
// others; its error is among those returned.
func (n *Nameserver) Do(ctx context.Context, steps []host.Step) error {
	if err := n.apply(ctx, steps); err == nil || len(steps) == 1 {
		return err
	}
	var errs []error // all or none: find the one that is in the way
	for _, s := range steps {
		errs = append(errs, n.apply(ctx, []host.Step{s}))
	}
	return errors.Join(errs...)
}

// apply feeds the steps in one go.
func (n *Nameserver) apply(ctx context.Context, steps []host.Step) error {
	var feed []nameserver.ChangeSet
	for _, step := range steps {
		change, err := n.translate(ctx, step)
		if err != nil {
			return err
		}
		if change.Zone != "" {
			feed = append(feed, change)
		}
	}
	if len(feed) == 0 {
		return nil
	}
	if err := n.server.Apply(ctx, feed); err != nil {
		return err
	}
	n.remember(feed)
	return nil
}

func (n *Nameserver) remember(feed []nameserver.ChangeSet) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.names == nil {
		return
	}
	for _, c := range feed {
		if !c.Drop {
			n.names[core.Ref{Kind: kind, ID: c.Object}] = c.Zone
		}
	}
}

func (n *Nameserver) translate(ctx context.Context, step host.Step) (nameserver.ChangeSet, error) {
	switch s := step.(type) {
	case host.SetZone:
		return nameserver.ChangeSet{Zone: s.Name, Object: s.Zone.ID, Version: s.Version, From: s.From, Full: s.Full, Set: s.Set}, nil
	case host.DropZone:
		name, err := n.name(ctx, s.Zone) // that of the step may be forgotten
		return nameserver.ChangeSet{Zone: name, Object: s.Zone.ID, Version: s.Version, Drop: true}, err
	}
	return nameserver.ChangeSet{}, fmt.Errorf("%T is no step for a nameserver", step)
}

// name returns under which name an object is, or was, served; "": none is known.
func (n *Nameserver) name(ctx context.Context, object core.Ref) (rr.Name, error) {
	n.mu.Lock()
	known := n.names != nil
	name := n.names[object]
	n.mu.Unlock()
	if known {
		return name, nil
	}
	if _, err := n.Versions(ctx); err != nil {
		return "", err
	}
	return n.name(ctx, object)
}

// Standing asks the server what it has of a zone; the zero value: nothing.
func (n *Nameserver) Standing(ctx context.Context, object core.Ref) (nameserver.ZoneStatus, error) {
	name, err := n.name(ctx, object)
	if err != nil || name == "" {
		return nameserver.ZoneStatus{}, err
	}
	s, err := n.server.Standing(ctx, name)
	if s.Object != object.ID {
		s = nameserver.ZoneStatus{}
	}
	return s, core.UnlessNotFound(err)
}

// Version implements host.Followed.
func (n *Nameserver) Version(ctx context.Context, object core.Ref) (uint64, error) {
	s, err := n.Standing(ctx, object)
	return s.Version, err
}

// Versions implements host.Followed.
func (n *Nameserver) Versions(ctx context.Context) (map[core.Ref]uint64, error) {
	held, err := n.server.Held(ctx)
	if err != nil {
		return nil, err
	}
	versions, names := make(map[core.Ref]uint64, len(held)), make(map[core.Ref]rr.Name, len(held))
	for name, h := range held {
		object := core.Ref{Kind: kind, ID: h.Object}
		versions[object], names[object] = h.Version, name
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.names = names
	return versions, nil
}
