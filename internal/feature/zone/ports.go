package zone

import (
	"context"
	"embed"
	"fmt"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
	"hostward/internal/rr/transfer"
)

// Ports are what zones need of others. The house joins them; none may be nil
// but Served, Standing and Template.
type Ports struct {
	// Tenant returns the id of the reseller or customer that text names, by id or
	// by log-in name. core.NotFound for a name outside the caller's scope and for
	// an account that is no tenant; an id is judged by the door.
	Tenant func(ctx context.Context, v *act.View, text string) (string, error)
	// TenantName returns the name of a tenant for people, or its id.
	TenantName func(ctx context.Context, v *act.View, id string) (string, error)
	// Above returns the tenants above one, nearest first, without itself: the
	// bus's Scope.
	Above func(ctx context.Context, v *act.View, tenant string) ([]string, error)
	// Below returns all tenants below one, without itself.
	Below func(ctx context.Context, v *act.View, tenant string) ([]string, error)
	// Served returns the version of a zone that the nameserver answers with
	// now, 0 for none: it is asked, not remembered.
	Served func(ctx context.Context, zone core.Ref) (uint64, error)
	// NewKey makes a private key of a zone and returns its public half, and it,
	// sealed and in base64.
	NewKey func(ctx context.Context, zone rr.Name, flags uint16, a sign.Algorithm) (sign.Public, string, error)
	// Policy returns what a TSIG key may change in a zone.
	Policy func(ctx context.Context, v *act.View, key rr.Name, zone string) (transfer.Policy, error)
	// Fetch brings a zone from one of its primaries (AXFR).
	Fetch func(ctx context.Context, zone rr.Name, from Primary) ([]rr.RRset, error)
	// MayUse reports whether the caller may have something signed with a TSIG key.
	MayUse func(ctx context.Context, v *act.View, key rr.Name) (bool, error)
	// Expired reports a zone that is fed from elsewhere and must not be served any
	// more, since nobody there could be asked for too long (RFC 1035 3.3.13). Nil:
	// none is.
	Expired func(id string) bool
	// Untaken says which zones that a catalog lists could not be taken, and why. Nil:
	// nobody knows.
	Untaken func(catalog string) []Untaken
	// Health says what was measured of a zone from outside; now has it measured. Nil:
	// nobody can.
	Health func(ctx context.Context, zone rr.Name, now bool) (Health, error)
	// Standing says what the nameserver has of a zone. Nil: it cannot be asked.
	Standing func(ctx context.Context, zone core.Ref) (Standing, error)
	// Template returns what a new zone of this tenant begins with.
	Template func(ctx context.Context, v *act.View, owner string) (Template, error)
}

// Untaken is a zone that a catalog lists and that is not here.
type Untaken struct {
	Zone string `json:"zone"`
	Why  string `json:"why"`
}

// Standing is what the nameserver has of a zone.
type Standing struct {
	Version uint64    `json:"version"`
	Serial  uint32    `json:"serial"`
	Records int       `json:"records"`          // signatures included
	Expires time.Time `json:"expires,omitzero"` // when the first signature does; zero: there is none
}

// Template is what a new zone begins with. The zero value is usable.
type Template struct {
	Servers []string // names of the nameservers; default ns1 and ns2 in the zone itself
	Mailbox string   // of the person responsible, as a name; default hostmaster in the zone
	TTL     uint32   // seconds; default one hour
}

// Zones is the feature.
type Zones struct {
	ports Ports
	pages embed.FS
}

//go:embed sql
var migrations embed.FS

//go:embed page
var pages embed.FS

// New joins the feature to what it needs.
func New(p Ports) *Zones { return &Zones{ports: p, pages: pages} }

// Feature returns what the house needs to know.
func (z *Zones) Feature() act.Feature {
	return act.Feature{
		Name: "zone",
		Ops: []act.Declaration{
			z.create(), z.importFile(), z.fetchFrom(), z.remove(), z.undelete(), z.restore(),
			z.edit(), z.paste(), z.templateList(), z.templateApply(), z.recordAdd(), z.recordRemove(), z.recordSet(), z.bulkFind(), z.bulkReplace(), z.importMany(),
			z.list(), z.deleted(), z.check(), z.show(), z.export(), z.history(), z.diff(), z.health(),
			z.sign(), z.unsign(), z.signing(), z.roll(), z.turn(), z.resign(), z.reseal(), z.signal(), z.setDefault(), z.showDefault(),
			z.update(), z.unfollow(), z.receive(), z.enlist(), z.delist(),
		},
		Kinds: []act.Kind{{
			Name: kind, Title: "Zones", Path: "/zones/{id}",
			Owner: z.owner, Digest: z.digest, Recompute: z.recompute, IDs: z.ids, Find: z.find,
		}, z.defaultKind()},
		Pages: z.pageList(),
		SQL:   migrations,
	}
}

// class is the log class of everything here.
const class = "dns"

// nameserver is the control that every change wakes.
const nameserver = "nameserver"

// serves names the annex points that every change of a zone is evidence for.
func serves() []string { return []string{"2690:6.4", "2690:6.7"} }

// actsFor reports whether the actor's scope holds the tenant.
func (z *Zones) actsFor(ctx context.Context, v *act.View, tenant string) (bool, error) {
	a := v.Actor()
	if a.Tenant == tenant || a.Role&(act.Admins|act.System) != 0 {
		return true, nil
	}
	above, err := z.ports.Above(ctx, v, tenant)
	for _, t := range above {
		if t == a.Tenant {
			return true, err
		}
	}
	return false, err
}

// template fills in what the house leaves open.
func (z *Zones) template(ctx context.Context, v *act.View, name rr.Name, owner string) (t Template, err error) {
	if z.ports.Template != nil {
		if t, err = z.ports.Template(ctx, v, owner); err != nil {
			return t, err
		}
	}
	if len(t.Servers) == 0 {
		t.Servers = []string{"ns1." + string(name), "ns2." + string(name)}
	}
	if t.Mailbox == "" {
		t.Mailbox = "hostmaster." + string(name)
	}
	if t.TTL == 0 {
		t.TTL = 3600
	}
	return t, nil
}

// Holds says in words what a tenant owns here, or "": an account that owns
// zones is not removed.
func (z *Zones) Holds(ctx context.Context, v *act.View, tenant string) (string, error) {
	n, err := count(ctx, v, []string{tenant}, pattern(""))
	switch {
	case err != nil || n == 0:
		return "", err
	case n == 1:
		return "1 zone", nil
	}
	return fmt.Sprintf("%d zones", n), nil
}
