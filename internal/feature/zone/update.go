package zone

import (
	"context"
	"encoding/json"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// UpdateIn is a dynamic update (RFC 2136) whose signature was checked.
type UpdateIn struct {
	Zone   string `json:"zone" doc:"id of the zone" rule:"required,max=40" cli:"arg"`
	Key    string `json:"key" doc:"name of the TSIG key that signed it" rule:"required,max=255"`
	Update string `json:"update" doc:"the update as JSON: zone, conditions (if), edits (then)" rule:"required,max=1048576"`

	warned
}

// update makes a dynamic update one version of a zone, like any other change.
// What the key may not, and conditions that do not hold, are refused as
// *transfer.Fault, which says what the answer says.
func (z *Zones) update() act.Change[UpdateIn, Changed] {
	return act.Change[UpdateIn, Changed]{
		Name: "zone.update", Doc: "Change records of a zone by a dynamic update that a TSIG key signed.", Class: class,
		Roles: act.System, May: []string{added, removed, altered}, Wakes: []string{nameserver}, Serves: serves(),
		Sample: UpdateIn{Zone: "z_0123456789abcdefghjkmnpqrs", Key: "acme.example.org.", Update: `{"zone":"example.org.","then":[]}`},
		Target: func(ctx context.Context, v *act.View, in *UpdateIn) (core.Ref, error) { return target(ctx, v, in.Zone) },
		Prepare: func(ctx context.Context, v *act.View, in *UpdateIn) error {
			lines, err := z.updated(ctx, v, *in)
			if err != nil || len(lines) == 0 {
				return err
			}
			found, err := z.look(ctx, v, in.Zone, lines)
			in.warn(found)
			return err
		},
		Run: func(ctx context.Context, tx *act.Tx, in UpdateIn) (Changed, error) {
			lines, err := z.updated(ctx, &tx.View, in)
			if err != nil {
				return Changed{}, err
			}
			if len(lines) == 0 {
				r, err := live(ctx, &tx.View, in.Zone)
				return r.changed(nil, nil), err
			}
			return z.apply(ctx, tx, "zone.update", in.Zone, lines, in.told())
		},
	}
}

// updated works out what an update changes, as lines.
func (z *Zones) updated(ctx context.Context, v *act.View, in UpdateIn) ([]Edit, error) {
	r, err := live(ctx, v, in.Zone)
	if err != nil {
		return nil, err
	}
	var e transfer.Edits
	if err := json.Unmarshal([]byte(in.Update), &e); err != nil || e.Zone != r.Name {
		return nil, core.Errorf(core.Invalid, "the update is none of the zone %s", shown(r.Name))
	}
	key, err := rr.ParseName(in.Key, ".")
	if err != nil {
		return nil, err
	}
	policy, err := z.ports.Policy(ctx, v, key, r.ID)
	if err != nil {
		return nil, err
	}
	read, err := viewOf(ctx, v, r, e)
	if err != nil {
		return nil, err
	}
	if err := e.Hold(read); err != nil {
		return nil, core.Wrap(core.Conflict, err, err.Error())
	}
	if err := policy.Permit(key, e, read); err != nil {
		return nil, core.Wrap(core.Denied, err, err.Error())
	}
	return linesOf(e.Make(read).Changes), nil
}

// viewOf reads the names that an update names.
func viewOf(ctx context.Context, v *act.View, r row, e transfer.Edits) (transfer.View, error) {
	names := map[rr.Name]bool{}
	for _, c := range e.If {
		names[c.Name] = true
	}
	for _, one := range e.Then {
		names[one.Name] = true
	}
	have := map[rr.Key]rr.RRset{}
	for name := range names {
		if err := setsAt(ctx, v, r, name, have); err != nil {
			return nil, err
		}
	}
	return transfer.ViewOf(members(have)), nil
}

// linesOf writes changes as a change set.
func linesOf(changes []rr.Change) (out []Edit) {
	for _, c := range changes {
		k := c.Key()
		if len(c.New.Data) == 0 {
			out = append(out, Edit{Action: "remove", Name: string(k.Name), Type: k.Type})
			continue
		}
		for _, d := range c.New.Data {
			out = append(out, Edit{Action: "set", Name: string(k.Name), Type: k.Type, TTL: number(c.New.TTL), Data: d})
		}
	}
	return out
}

// Update makes an update, as the actor whose key signed it. A *transfer.Fault among
// the causes of an error says what to answer.
func (z *Zones) Update(ctx context.Context, b *act.Bus, who act.Actor, key rr.Name, e transfer.Edits) error {
	id := ""
	err := b.Look(ctx, "update", func(v *act.View) error {
		r, err := live(ctx, v, string(e.Zone))
		id = r.ID
		return err
	})
	if err != nil {
		return err
	}
	text, err := json.Marshal(e)
	if err != nil {
		return err
	}
	who.Tenant = core.Provider
	_, _, err = z.update().Call(ctx, b, who, UpdateIn{Zone: id, Key: strings.TrimSpace(string(key)), Update: string(text)})
	return err
}
