package ban

import (
	"context"
	"embed"
	"net/netip"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/host"
)

// Ports are what the feature needs of others.
type Ports struct {
	// Guard returns an engine by its name; nil if it is not joined to this panel.
	Guard func(engine string) host.Guard
	// Sessions returns the addresses that people with live sessions come from.
	Sessions func(ctx context.Context, v *act.View) ([]netip.Addr, error)
	// PanelLog is the path of the log of failed log-ins; "": Debian's place for it.
	PanelLog string
}

// Bans is the feature.
type Bans struct{ ports Ports }

// New makes the feature.
func New(p Ports) *Bans {
	if p.PanelLog == "" {
		p.PanelLog = "/var/lib/hostward/log/panel.log"
	}
	return &Bans{p}
}

// joinedBy is how the panel is told where an engine is.
func joinedBy(engine string) string {
	if engine == Watch {
		return "--watch, where hostward watch runs"
	}
	return "--agent, where hostward agent runs"
}

//go:embed sql
var migrations embed.FS

//go:embed page
var templates embed.FS

const (
	// class has the log erase addresses of who was banned after a year, like names of
	// who failed to log in; in class "panel" they would stay as long as the record.
	class = "authentication"
	proof = 15 * time.Minute
	// wakes has the house hand orders to the engine at once.
	wakes = "bans"
	// unapplied is what nobody does by himself: what is set here is pending until
	// somebody applies the control of bans.
	unapplied = "control.bans"

	readers = act.Admins | act.Auditor
)

func serves() []string { return []string{"2690:3.2.3", "2690:6.7", "2690:11.6"} }

// Feature declares it.
func (b *Bans) Feature() act.Feature {
	provider := func(context.Context, *act.View, string) (string, error) { return core.Provider, nil }
	return act.Feature{Name: "ban", SQL: migrations, Pages: pages(),
		Ops: []act.Declaration{b.list(), b.why(), b.add(), b.lift(), b.test(), b.events(), b.histogram(), b.settle(), b.note(),
			b.listJails(), b.setJail(), b.setPolicy(), b.choose(), b.listTrust(), b.addTrust(), b.removeTrust()},
		Kinds: []act.Kind{
			{Name: "banpolicy", Title: "Policy of bans", Path: "/bans", Owner: provider, Digest: policyDigest, IDs: policyIDs},
			{Name: "ban", Title: "Bans", Path: "/bans", Owner: func(ctx context.Context, v *act.View, id string) (string, error) {
				if isDay(id) {
					return core.Provider, nil
				}
				_, err := orderByID(ctx, v, id)
				return core.Provider, err
			}, Digest: digest, Recompute: recompute, IDs: ids},
		}}
}

func nowhere[I any](context.Context, *act.View, *I) (core.Ref, error) { return core.Ref{}, nil }

func target[I any](context.Context, *act.View, *I) (core.Ref, error) { return self, nil }

func ptr(s string) *string { return &s }

// Nothing is an input without fields.
type Nothing struct{}

// guard returns the engine in use.
func (b *Bans) guard(ctx context.Context, v *act.View) (host.Guard, Policy, error) {
	p, err := read(ctx, v)
	if err != nil {
		return nil, p, err
	}
	if p.Engine == None {
		return nil, p, errNone()
	}
	if b.ports.Guard != nil {
		if g := b.ports.Guard(p.Engine); g != nil {
			return g, p, nil
		}
	}
	return nil, p, core.Errorf(core.Unavailable, "the engine %s is not joined to this panel: it is served with %s", p.Engine, joinedBy(p.Engine))
}

func errNone() error {
	return core.Errorf(core.Unavailable, "no engine is chosen: nobody is banned; choose one with ban engine choose")
}

// briefly is how long a page waits for an engine: it holds a snapshot meanwhile, and
// there are few.
const briefly = 5 * time.Second

// silent makes a sentence for people of an engine that does not answer.
func silent(engine string, err error) error {
	if err == nil || core.CodeOf(err) != core.Internal {
		return err
	}
	return core.Errorf(core.Unavailable, "the engine %s does not answer: %w", engine, err)
}
