package zone

import (
	"context"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// A catalog (RFC 9432) is a zone that lists zones of the same primaries. What
// it lists is taken, followed and dropped here without anybody's doing; the house
// compares the two and calls what stands here.

// mayList reports why somebody may not have a zone be a catalog: it takes names and
// gives them up, for all tenants.
func mayList(a act.Actor, follow bool) error {
	if a.Role&act.Admins == 0 {
		return core.Errorf(core.Denied, "a catalog decides which zones there are: it is for administrators")
	}
	if !follow {
		return core.Faults{{Field: "catalog", Accepted: "together with follow: a catalog is read again and again"}}.Err()
	}
	return nil
}

// unlisted reports why a zone cannot be deleted: what a catalog lists would be back
// at once.
func unlisted(ctx context.Context, v *act.View, r row) error {
	f, err := primaryOf(ctx, v, r.ID)
	if err != nil || f.Catalog == "" {
		return err
	}
	c, found, err := byID(ctx, v, f.Catalog)
	if err == nil && found && c.Deleted == 0 {
		err = core.Errorf(core.Conflict, "the catalog %s lists the zone: take it out there, or make it your own first (zone.unfollow)", shown(c.Name))
	}
	return err
}

// unlist has a zone belong to no catalog any more: it was dropped by one, and is
// brought back by a person.
func unlist(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `UPDATE zone_primary SET catalog = '', label = '' WHERE zone_id = $1 AND catalog <> ''`, id)
	return err
}

// taken says of a catalog how many of its zones are here.
func (z *Zones) taken(ctx context.Context, v *act.View, out *Shown) error {
	if !out.Lists {
		return nil
	}
	if z.ports.Untaken != nil {
		out.Untaken = z.ports.Untaken(out.ID)
	}
	_, err := v.Get(ctx, `SELECT count(*) FROM zone_primary JOIN zone_zone ON id = zone_id WHERE catalog = $1 AND deleted = 0`, []any{out.ID}, &out.Taken)
	return err
}

// EnlistIn says which zone a catalog lists.
type EnlistIn struct {
	Catalog string `json:"catalog" doc:"id of the catalog" rule:"required,max=40" cli:"arg"`
	Name    string `json:"name" doc:"domain name of the zone" rule:"required,max=1020" cli:"arg"`
	Label   string `json:"label" doc:"under which it stands in the catalog" rule:"required,max=255" cli:"arg"`

	sets  []rr.RRset // the whole zone, as the primary has it
	name  rr.Name
	draft draft
}

// enlist makes a zone that a catalog lists. It is the owner's of the catalog.
func (z *Zones) enlist() act.Change[EnlistIn, Changed] {
	return act.Change[EnlistIn, Changed]{
		Name: "zone.enlist", Doc: "Take a zone that a catalog lists (RFC 9432).", Class: class,
		Roles: act.System, Must: []string{"zone.fetched"}, Wakes: []string{nameserver}, Serves: serves(),
		Sample: EnlistIn{Catalog: "z_0123456789abcdefghjkmnpqrs", Name: "example.org", Label: "1"},
		Target: func(ctx context.Context, v *act.View, in *EnlistIn) (core.Ref, error) {
			return target(ctx, v, in.Catalog)
		},
		Prepare: func(_ context.Context, _ *act.View, in *EnlistIn) (err error) {
			if in.name, err = apexName(in.Name); err == nil {
				in.draft, err = newDraft(in.name, in.sets)
			}
			return err
		},
		Run: func(ctx context.Context, tx *act.Tx, in EnlistIn) (Changed, error) {
			c, f, err := catalogOf(ctx, &tx.View, in.Catalog)
			if err == nil {
				err = z.claim(ctx, &tx.View, in.name, c.Owner)
			}
			if err != nil {
				return Changed{}, err
			}
			r, err := insert(ctx, tx, "zone.enlist", in.name, c.Owner, in.draft)
			if err != nil {
				return Changed{}, err
			}
			f.Lists, f.Catalog, f.Label = false, c.ID, in.Label
			if err := writePrimary(ctx, tx, r.ID, f); err != nil {
				return Changed{}, err
			}
			return r.made(nil), tx.Record(ctx, "zone.fetched", r.ref(), append(r.fields(),
				act.Field{Name: "from", New: ptr(f.Primaries)}, act.Field{Name: "catalog", New: ptr(c.ID)}, act.Field{Name: "label", New: ptr(in.Label)})...)
		},
	}
}

// catalogOf is a live catalog and where it is fed from.
func catalogOf(ctx context.Context, v *act.View, id string) (row, follows, error) {
	c, err := live(ctx, v, id)
	if err != nil {
		return c, follows{}, err
	}
	f, err := primaryOf(ctx, v, c.ID)
	if err == nil && !f.Lists {
		err = core.Errorf(core.Conflict, "the zone %s is no catalog", shown(c.Name))
	}
	return c, f, err
}

// DelistIn names a zone that its catalog lists no more.
type DelistIn struct {
	Zone    string `json:"zone" doc:"id of the zone" rule:"required,max=40" cli:"arg"`
	Catalog string `json:"catalog" doc:"id of the catalog" rule:"required,max=40" cli:"arg"`
}

// delist deletes a zone that its catalog lists no more. Like every deleted zone it
// can be brought back.
func (z *Zones) delist() act.Change[DelistIn, Changed] {
	return act.Change[DelistIn, Changed]{
		Name: "zone.delist", Doc: "Delete a zone that its catalog lists no more (RFC 9432).", Class: class,
		Roles: act.System, Must: []string{"zone.deleted"}, Wakes: []string{nameserver}, Serves: serves(),
		Sample: DelistIn{Zone: "z_0123456789abcdefghjkmnpqrs", Catalog: "z_0123456789abcdefghjkmnpqrt"},
		Target: func(ctx context.Context, v *act.View, in *DelistIn) (core.Ref, error) { return target(ctx, v, in.Zone) },
		Run: func(ctx context.Context, tx *act.Tx, in DelistIn) (Changed, error) {
			c, _, err := catalogOf(ctx, &tx.View, in.Catalog)
			if err != nil {
				return Changed{}, err
			}
			r, err := live(ctx, &tx.View, in.Zone)
			if err != nil {
				return Changed{}, err
			}
			f, err := primaryOf(ctx, &tx.View, r.ID)
			if err == nil && f.Catalog != c.ID {
				err = core.Errorf(core.Conflict, "the zone %s is not of the catalog %s", shown(r.Name), shown(c.Name))
			}
			if err != nil {
				return Changed{}, err
			}
			return bury(ctx, tx, r, "zone.delist")
		},
	}
}

// Enlist takes a zone that a catalog lists.
func (z *Zones) Enlist(ctx context.Context, b *act.Bus, catalog string, name rr.Name, label string, sets []rr.RRset) error {
	_, _, err := z.enlist().Call(ctx, b, act.SystemActor(secondary), EnlistIn{Catalog: catalog, Name: string(name), Label: label, sets: flat(sets)})
	return err
}

// Delist deletes a zone that its catalog lists no more.
func (z *Zones) Delist(ctx context.Context, b *act.Bus, catalog, id string) error {
	_, _, err := z.delist().Call(ctx, b, act.SystemActor(secondary), DelistIn{Catalog: catalog, Zone: id})
	return err
}
