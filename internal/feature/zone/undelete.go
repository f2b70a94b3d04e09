package zone

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// UndeleteIn names a deleted zone.
type UndeleteIn struct {
	Zone string `json:"zone" doc:"id of the deleted zone; or its name, which means the one deleted last" rule:"required,max=1020" cli:"arg"`
}

// undelete brings a zone back as it was deleted (SPEC D7). Its serial counts on,
// so that nameservers that still have it ask for it again.
func (z *Zones) undelete() act.Declaration {
	return act.Change[UndeleteIn, Changed]{
		Name: "zone.undelete", Doc: "Bring a deleted zone back, with its records and its history.", Class: class,
		Roles: act.Hosted, Must: []string{"zone.undeleted"}, Wakes: []string{nameserver, secondary, neighbours}, Serves: serves(),
		Sample: UndeleteIn{Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *UndeleteIn) (core.Ref, error) {
			r, err := z.gone(ctx, v, in.Zone)
			in.Zone = r.ID
			return r.ref(), err
		},
		Run: func(ctx context.Context, tx *act.Tx, in UndeleteIn) (Changed, error) {
			r, err := z.gone(ctx, &tx.View, in.Zone)
			if err == nil && r.Deleted == 0 {
				err = core.Errorf(core.Conflict, "zone %s is not deleted", shown(r.Name))
			}
			if err != nil {
				return Changed{}, err
			}
			return z.revive(ctx, tx, r)
		},
	}
}

func (z *Zones) revive(ctx context.Context, tx *act.Tx, r row) (Changed, error) {
	if err := z.claim(ctx, &tx.View, r.Name, r.Owner); err != nil {
		if core.CodeOf(err) == core.Conflict {
			err = core.Errorf(core.Conflict, "there is another zone %s now: it has to be deleted before the old one can come back", shown(r.Name))
		}
		return Changed{}, err
	}
	before := r
	changes, err := z.wakened(ctx, tx, &r)
	if err != nil {
		return Changed{}, err
	}
	if err := commit(ctx, tx, &r, "zone.undelete", changes, nil); err != nil {
		return Changed{}, err
	}
	fields := append(r.fields()[:2],
		act.Field{Name: "serial", Old: ptr(number(before.Serial)), New: ptr(number(r.Serial))},
		act.Field{Name: "records", New: ptr(number(r.Records))})
	return r.changed(changes, nil), tx.Record(ctx, "zone.undeleted", r.ref(), fields...)
}

// wakened is what changes of a zone that comes back: its serial. One that is fed from
// elsewhere keeps it, which is its primary's, and is no catalog's any more.
func (z *Zones) wakened(ctx context.Context, tx *act.Tx, r *row) ([]rr.Change, error) {
	r.Deleted = 0
	f, err := primaryOf(ctx, &tx.View, r.ID)
	if err != nil || f.there() {
		return nil, errors.Join(err, unlist(ctx, tx, r.ID))
	}
	have := map[rr.Key]rr.RRset{}
	if err := setsAt(ctx, &tx.View, *r, r.Name, have); err != nil {
		return nil, err
	}
	k := rr.Key{Name: r.Name, Type: "SOA"}
	left := map[rr.Key]rr.RRset{k: having(have, k)}
	r.Serial = bump(left, *r, tx.Now())
	return moved([]rr.Key{k}, have, left), nil
}

// gone returns the zone of that id, deleted or not, or the deleted one that text
// names. By name it is the one of the
// actor's scope that was deleted last: others' deleted zones have no names.
func (z *Zones) gone(ctx context.Context, v *act.View, text string) (row, error) {
	none := core.Errorf(core.NotFound, "there is no deleted zone %.80q", text)
	if strings.HasPrefix(text, "z_") {
		if r, found, err := byID(ctx, v, text); err != nil || found {
			return r, err
		}
	}
	name, err := zoneName(text)
	if err != nil {
		return row{}, none
	}
	owners, err := z.scope(ctx, v, "")
	if err != nil {
		return row{}, err
	}
	all, err := buried(ctx, v, owners, tomb{deleted: newest, like: escaped(string(name)), limit: 1})
	if err == nil && len(all) == 0 {
		err = none
	}
	return append(all, row{})[0], err
}

// DeletedIn says which deleted zones to list.
type DeletedIn struct {
	Search string `json:"search" doc:"part of the name" rule:"max=255"`
	After  string `json:"after" doc:"id of the last zone of the page before" rule:"max=64"`
	Limit  int    `json:"limit" doc:"most zones to return; 0 is 100" rule:"max=1000"`
}

// Deleted is a zone that is out of sight.
type Deleted struct {
	Zone
	At time.Time `json:"at"` // when it was deleted
}

// DeletedZones is one page of them, the last deleted first.
type DeletedZones struct {
	Zones []Deleted `json:"zones"`
	Next  string    `json:"next,omitempty"` // "after" of the next page
}

func (z *Zones) deleted() act.Declaration {
	return act.Query[DeletedIn, DeletedZones]{
		Name: "zone.deleted.list", Doc: "List deleted zones, the last deleted first.", Class: class, Roles: act.Readers,
		Sample: DeletedIn{Search: "example"},
		Target: func(context.Context, *act.View, *DeletedIn) (core.Ref, error) { return core.Ref{}, nil },
		Run: func(ctx context.Context, v *act.View, in DeletedIn) (DeletedZones, error) {
			owners, err := z.scope(ctx, v, "")
			if err != nil {
				return DeletedZones{}, err
			}
			at := tomb{deleted: newest, like: pattern(in.Search), limit: cmp.Or(in.Limit, 100) + 1}
			if in.After != "" {
				r, _, err := byID(ctx, v, in.After)
				if err != nil {
					return DeletedZones{}, err
				}
				at.deleted, at.id = r.Deleted, in.After
			}
			rows, err := buried(ctx, v, owners, at)
			if err != nil {
				return DeletedZones{}, err
			}
			return z.graves(ctx, v, rows, at.limit-1)
		},
	}
}

func (z *Zones) graves(ctx context.Context, v *act.View, rows []row, limit int) (out DeletedZones, err error) {
	if len(rows) > limit {
		rows = rows[:limit]
		out.Next = rows[limit-1].ID
	}
	names := map[string]string{}
	out.Zones = make([]Deleted, len(rows))
	for i, r := range rows {
		out.Zones[i] = Deleted{Zone: r.public(), At: instant(r.Deleted)}
		if out.Zones[i].OwnerName, err = z.ownerName(ctx, v, names, r.Owner); err != nil {
			return out, err
		}
	}
	return out, nil
}

// tomb is a place in the list of deleted zones: what comes after it was deleted
// before, or at the same time and has a smaller id.
type tomb struct {
	deleted int64
	id      string
	like    string
	limit   int
}

// buried returns deleted zones, the last deleted first; nil owners are all.
func buried(ctx context.Context, v *act.View, owners []string, t tomb) ([]row, error) {
	var out []row
	collect := func(scan func(dest ...any) error) error {
		var r row
		err := scanRow(&r, scan)
		out = append(out, r)
		return err
	}
	if owners == nil {
		const q = `SELECT ` + columns + ` FROM zone_zone WHERE deleted > 0 AND (deleted < $1 OR deleted = $1 AND id < $2) AND (name LIKE $3 ESCAPE '\' OR shown LIKE $3 ESCAPE '\') ORDER BY deleted DESC, id DESC LIMIT $4`
		return out, v.Each(ctx, q, []any{t.deleted, t.id, t.like, t.limit}, collect)
	}
	for _, owner := range owners {
		const q = `SELECT ` + columns + ` FROM zone_zone WHERE owner = $5 AND deleted > 0 AND (deleted < $1 OR deleted = $1 AND id < $2) AND (name LIKE $3 ESCAPE '\' OR shown LIKE $3 ESCAPE '\') ORDER BY deleted DESC, id DESC LIMIT $4`
		if err := v.Each(ctx, q, []any{t.deleted, t.id, t.like, t.limit, owner}, collect); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b row) int {
		return cmp.Or(cmp.Compare(b.Deleted, a.Deleted), cmp.Compare(b.ID, a.ID))
	})
	return first(out, t.limit), nil
}
