package zone

import (
	"context"

	"hostward/internal/act"
	"hostward/internal/core"
)

// DeleteIn names a zone.
type DeleteIn struct {
	Zone string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
}

// remove takes a zone out of sight. Its rows and its history stay, so that it
// can be brought back (SPEC D7).
func (z *Zones) remove() act.Declaration {
	return act.Change[DeleteIn, Changed]{
		Name: "zone.delete", Doc: "Delete a zone: the nameserver stops answering for it; its history is kept.", Class: class,
		Roles: act.Hosted, Must: []string{"zone.deleted"}, Confirm: true, Wakes: []string{nameserver}, Serves: serves(),
		Sample: DeleteIn{Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *DeleteIn) (core.Ref, error) { return target(ctx, v, in.Zone) },
		Run: func(ctx context.Context, tx *act.Tx, in DeleteIn) (Changed, error) {
			r, err := live(ctx, &tx.View, in.Zone)
			if err != nil {
				return Changed{}, err
			}
			if err := unlisted(ctx, &tx.View, r); err != nil {
				return Changed{}, err
			}
			return bury(ctx, tx, r, "zone.delete")
		},
	}
}

// bury deletes a zone.
func bury(ctx context.Context, tx *act.Tx, r row, op string) (Changed, error) {
	r.Deleted = tx.Now().UnixMicro()
	if err := commit(ctx, tx, &r, op, nil, nil); err != nil {
		return Changed{}, err
	}
	return r.changed(nil, nil), tx.Record(ctx, "zone.deleted", r.ref(),
		act.Field{Name: "name", Old: ptr(string(r.Name))},
		act.Field{Name: "owner", Old: ptr(r.Owner)},
		act.Field{Name: "serial", Old: ptr(number(r.Serial))},
		act.Field{Name: "records", Old: ptr(number(r.Records))})
}
