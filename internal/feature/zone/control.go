package zone

import (
	"context"

	"hostward/internal/act"
	"hostward/internal/control"
	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/rr"
)

// Control says what the nameserver should answer: every live zone, in its
// newest version. A catalog of others is nobody's business: it is not served.
func (z *Zones) Control() control.Control {
	return control.Control{Name: nameserver, Kind: kind, Desired: z.desired, Plan: z.steps}
}

func (z *Zones) desired(ctx context.Context, v *act.View) (map[core.Ref]uint64, error) {
	want := map[core.Ref]uint64{}
	err := v.Each(ctx, `SELECT id, version FROM zone_zone WHERE deleted = 0 AND id NOT IN (SELECT zone_id FROM zone_primary WHERE lists = 1)`, nil, func(scan func(dest ...any) error) error {
		var r row
		err := scan(&r.ID, &r.Version)
		if !z.expired(r.ID) {
			want[r.ref()] = r.Version
		}
		return err
	})
	return want, err
}

// steps sends the difference since the version in effect, as long as it is in
// the history and the keys had the same duties. A nameserver that is ahead, after the database went back, gets
// the whole zone. A zone unknown here is dropped.
func (z *Zones) steps(ctx context.Context, v *act.View, object core.Ref, have uint64) ([]host.Step, error) {
	r, found, err := byID(ctx, v, object.ID)
	var f follows
	if err == nil {
		f, err = primaryOf(ctx, v, object.ID)
	}
	switch {
	case err != nil:
		return nil, err
	case !found || r.Deleted != 0 || z.expired(r.ID) || f.Lists:
		if have == 0 {
			return nil, nil
		}
		return []host.Step{host.DropZone{Zone: object, Name: r.Name, Version: r.Version}}, nil
	case have == r.Version:
		return nil, nil
	}
	g, err := keyringOf(ctx, v, r.ID)
	if err != nil {
		return nil, err
	}
	step := host.SetZone{Zone: object, Name: r.Name, Version: r.Version, Signing: g.how()}
	if have > 0 && have < r.Version && have >= g.Since {
		if changes, err := between(ctx, v, r, have, r.Version); err == nil {
			step.From, step.Set = have, after(changes)
			return []host.Step{step}, nil
		}
	}
	step.Full = true
	step.Set, err = sets(ctx, v, r)
	return []host.Step{step}, err
}

// expired reports a zone of which nobody knows any more whether it is right.
func (z *Zones) expired(id string) bool { return z.ports.Expired != nil && z.ports.Expired(id) }

func after(changes []rr.Change) []rr.RRset {
	out := make([]rr.RRset, len(changes))
	for i, c := range changes {
		out[i] = c.New
	}
	return out
}
