package access

import (
	"context"
	"embed"
	"net/netip"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Sets keeps the set that was made of one version of a list. It may forget, and
// answers no other version than the one that is asked for.
type Sets interface {
	Get(version string) (*core.Networks, bool)
	Put(version string, set *core.Networks)
}

// Accounts says who somebody is.
type Accounts interface {
	Actor(ctx context.Context, v *act.View, id string) (who act.Actor, open bool, err error)
}

// Ports are what the feature is joined with; none may be nil.
type Ports struct {
	Sets     Sets
	Accounts Accounts
	// Logins calls yield for every log-in since a time that went through, newest
	// first, until yield says no. Addresses that were erased are left out.
	Logins func(ctx context.Context, v *act.View, since time.Time, yield func(account, address string, at time.Time) bool) error
}

// Access is the feature.
type Access struct{ Ports }

// New makes the feature.
func New(p Ports) *Access { return &Access{p} }

//go:embed sql
var migrations embed.FS

const (
	class = "authentication"
	proof = 15 * time.Minute
)

var serves = []string{"2690:6.7.2", "2690:11.3.2", "2690:11.4"}

// Feature declares it.
func (a *Access) Feature() act.Feature {
	return act.Feature{Name: "access", SQL: migrations, Pages: pages(),
		Ops: []act.Declaration{a.show(), a.mode(), a.add(), a.remove(), a.load(), a.try(), a.reset()},
		Kinds: []act.Kind{{Name: "access", Title: "Administrative access", Path: "/access",
			Owner:  func(context.Context, *act.View, string) (string, error) { return core.Provider, nil },
			Digest: digest, IDs: ids}}}
}

// concerned are the roles that the lists are about: who may change everything,
// and who sees it.
const concerned = act.Admins | act.Auditor

// Admit returns core.Denied when an account may not act from where it is.
func (a *Access) Admit(ctx context.Context, v *act.View, who act.Actor) error {
	if who.Role&(concerned|act.Entrant) == 0 {
		return nil
	}
	mode, version, err := now(ctx, v)
	if err != nil || version == "" {
		return err
	}
	if is, err := a.isConcerned(ctx, v, who); err != nil || !is {
		return err
	}
	listed, err := a.listed(ctx, v, version)
	if err != nil {
		return err
	}
	address, parseErr := netip.ParseAddr(who.Address)
	if parseErr != nil || !admits(mode, listed, address) {
		return core.Errorf(core.Denied, "administrators may not act from the address %s", orUnknown(who.Address))
	}
	return nil
}

// isConcerned goes, for somebody with a step left to do, by what he will be: else
// he could be given a second factor from anywhere.
func (a *Access) isConcerned(ctx context.Context, v *act.View, who act.Actor) (bool, error) {
	if who.Role != act.Entrant {
		return who.Role&concerned != 0, nil
	}
	whole, _, err := a.Accounts.Actor(ctx, v, who.ID)
	return whole.Role&concerned != 0, core.UnlessNotFound(err) // deleted meanwhile: its session ends with it
}

func orUnknown(address string) string {
	if address == "" {
		return "that is unknown"
	}
	return address
}

// listed is the set of the mode in force, which version belongs to.
func (a *Access) listed(ctx context.Context, v *act.View, version string) (*core.Networks, error) {
	if s, ok := a.Sets.Get(version); ok {
		return s, nil
	}
	p, err := read(ctx, v)
	if err != nil {
		return nil, err
	}
	s := set(p.list(""))
	if p.version == version {
		a.Sets.Put(version, s)
	}
	return s, nil
}
