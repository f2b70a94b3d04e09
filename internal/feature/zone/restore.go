package zone

import (
	"context"
	"slices"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// RestoreIn names an earlier version.
type RestoreIn struct {
	Zone    string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Version int64  `json:"version" doc:"the version whose records shall be there again" rule:"required" cli:"arg"`

	earlier draft
	warned
}

// restore makes a new version with the records of an earlier one (SPEC D7). The
// history keeps what lies between, so that a restore can be taken back too.
func (z *Zones) restore() act.Declaration {
	return act.Change[RestoreIn, Changed]{
		Name: "zone.restore", Doc: "Give a zone the records of an earlier version; its serial goes on upwards.", Class: class,
		Roles: act.Hosted, May: []string{"zone.restored"}, Wakes: []string{nameserver}, Serves: serves(),
		Sample: RestoreIn{Zone: "example.org", Version: 1},
		Target: func(ctx context.Context, v *act.View, in *RestoreIn) (core.Ref, error) {
			return target(ctx, v, in.Zone)
		},
		Prepare: z.dig,
		Run: func(ctx context.Context, tx *act.Tx, in RestoreIn) (Changed, error) {
			r, err := live(ctx, &tx.View, in.Zone)
			if err != nil {
				return Changed{}, err
			}
			before := r
			changes, err := become(ctx, tx, &r, "zone.restore", in.earlier)
			if err != nil || len(changes) == 0 {
				return r.changed(nil, in.told()), err
			}
			fields := append([]act.Field{
				{Name: "version", Old: ptr(number(before.Version)), New: ptr(number(in.Version))},
				{Name: "serial", Old: ptr(number(before.Serial)), New: ptr(number(r.Serial))}}, summary(changes)...)
			return r.changed(changes, in.told()), tx.Record(ctx, "zone.restored", r.ref(), fields...)
		},
	}
}

// dig reads the earlier version from the history, on a snapshot: what a version
// holds never changes again. Records that signing makes today are left out.
func (z *Zones) dig(ctx context.Context, v *act.View, in *RestoreIn) error {
	r, err := live(ctx, v, in.Zone)
	if err != nil {
		return err
	}
	if in.Version < 1 {
		return core.Faults{{Field: "version", Value: number(in.Version), Accepted: "a version from 1 to " + number(r.Version)}}.Err()
	}
	all, _, err := setsOf(ctx, v, r, in.Version)
	if err != nil {
		return err
	}
	g, err := keyringOf(ctx, v, r.ID)
	if err != nil {
		return err
	}
	if g.signs() {
		all = slices.DeleteFunc(all, func(s rr.RRset) bool { return sign.Makes(r.Name, s.Key()) })
	}
	faults, warnings := rr.Validate(all, r.Name)
	if len(faults) > 0 {
		return &core.Error{Code: core.Invalid, Public: "the zone would not be valid", Faults: first(faults, 10)}
	}
	in.warn(warnings)
	in.earlier, err = newDraft(r.Name, all)
	return err
}
