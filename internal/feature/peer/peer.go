package peer

import (
	"context"
	"embed"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// Zone is what this feature needs to know of a zone.
type Zone struct {
	ID    string
	Name  rr.Name
	Owner string
}

// Ports are what the feature needs of others; none may be nil but Told.
type Ports struct {
	// Zone returns the live zone that text names, by id or by name. It looks at no right.
	Zone func(ctx context.Context, v *act.View, text string) (Zone, error)
	// Reaches reports whether the caller acts for a tenant.
	Reaches func(ctx context.Context, v *act.View, tenant string) (bool, error)
	// Below returns all tenants below one, without itself.
	Below func(ctx context.Context, v *act.View, tenant string) ([]string, error)
	// NewKey makes a secret for a key.
	NewKey func(name rr.Name, a transfer.Algorithm) (transfer.Key, error)
	// Seal seals the secret of a key and returns it in base64.
	Seal func(ctx context.Context, k transfer.Key) (string, error)
	// Told returns what became of telling servers of new versions; nil: it cannot be asked.
	Told func(ctx context.Context) ([]Telling, error)
}

// Telling is what became of telling a server of one zone's new version.
type Telling struct {
	Server string `json:"server"`
	Zone   string `json:"zone"`
	To     string `json:"to"`
	Serial uint32 `json:"serial"`
	Known  uint32 `json:"known,omitempty"`
	Fault  string `json:"fault,omitempty"`
}

// Peers is the feature.
type Peers struct {
	ports Ports
	pages embed.FS
}

//go:embed sql
var migrations embed.FS

//go:embed page
var pages embed.FS

// New makes the feature.
func New(p Ports) *Peers { return &Peers{p, pages} }

// The control that every change here wakes: the nameserver is told.
const wakes = "peers"

const class = "dns"

func serves() []string { return []string{"2690:6.7", "2690:9.2"} }

// Feature declares it.
func (p *Peers) Feature() act.Feature {
	return act.Feature{Name: "peer", SQL: migrations, Pages: p.pageList(),
		Ops: []act.Declaration{p.createKey(), p.deleteKey(), p.listKeys(), p.allow(), p.forbid(), p.resealKeys(), p.add(), p.remove(), p.list()},
		Kinds: []act.Kind{
			{Name: "tsig", Title: "TSIG keys", Path: "/peers", Owner: keyOwner, Digest: keyDigest, IDs: keyIDs},
			{Name: "peer", Title: "Nameservers", Path: "/peers", Owner: func(ctx context.Context, v *act.View, id string) (string, error) {
				_, err := serverOf(ctx, v, id)
				return core.Provider, err
			}, Digest: serverDigest, IDs: serverIDs},
		}}
}

func target[I any](context.Context, *act.View, *I) (core.Ref, error) { return core.Ref{}, nil }

func ptr(s string) *string { return &s }
