package zone

import (
	"context"
	"encoding/json"
	"slices"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// mostSignals is how many zones one zone of nameservers speaks for at once. Others
// follow when the parents of these have their DS.
const mostSignals = 2000

// signalLabel begins the names at which a nameserver confirms the first DS of a zone
// (RFC 9615 2).
const signalLabel = "_dsboot."

// SignalIn are the signaling records of a zone that holds names of nameservers.
type SignalIn struct {
	Zone string `json:"zone" doc:"id of the zone" rule:"required,max=40" cli:"arg"`

	sets []rr.RRset
}

// signal gives a zone exactly these signaling records.
func (z *Zones) signal() act.Change[SignalIn, Changed] {
	return act.Change[SignalIn, Changed]{
		Name: "zone.signal.set", Doc: "Confirm at the names of our nameservers which DS new zones ask for (RFC 9615).", Class: class,
		Roles: act.System, May: []string{added, removed, altered}, Wakes: []string{nameserver}, Serves: signServes(),
		Sample: SignalIn{Zone: "z_0123456789abcdefghjkmnpqrs"},
		Target: func(ctx context.Context, v *act.View, in *SignalIn) (core.Ref, error) { return target(ctx, v, in.Zone) },
		Run: func(ctx context.Context, tx *act.Tx, in SignalIn) (Changed, error) {
			r, err := live(ctx, &tx.View, in.Zone)
			if err != nil {
				return Changed{}, err
			}
			old, err := signalsIn(ctx, &tx.View, r)
			if err != nil {
				return Changed{}, err
			}
			lines := linesOf(rr.Diff(old, in.sets))
			if len(lines) == 0 {
				return r.changed(nil, nil), nil
			}
			return z.apply(ctx, tx, "zone.signal.set", in.Zone, lines, nil)
		},
	}
}

// signalsIn returns the signaling records that a zone has.
func signalsIn(ctx context.Context, v *act.View, r row) (out []rr.RRset, err error) {
	const q = `SELECT name, type, ttl, data FROM zone_rrset WHERE zone_id = $1 AND generation = $2 AND type IN ('CDS', 'CDNSKEY')`
	err = v.Each(ctx, q, []any{r.ID, r.Generation}, func(scan func(dest ...any) error) error {
		s, err := scanSet(scan)
		if strings.HasPrefix(string(s.Name), signalLabel) && strings.Contains(string(s.Name), "._signal.") {
			out = append(out, s)
		}
		return err
	})
	return out, err
}

// signals returns what each signed zone here should say at the names of nameservers
// that it holds, for the zones that wait for their first DS; by the zone's id. A
// zone that has signaling records and should have none is among them.
func (z *Zones) signals(ctx context.Context, v *act.View) (map[string][]rr.RRset, error) {
	want := map[string][]rr.RRset{}
	const held = `SELECT DISTINCT zone_id FROM zone_rrset JOIN zone_zone ON id = zone_id AND zone_zone.generation = zone_rrset.generation
		WHERE deleted = 0 AND type = 'CDS' AND zone_rrset.name LIKE '\_dsboot.%' ESCAPE '\'`
	err := v.Each(ctx, held, nil, func(scan func(dest ...any) error) error {
		var id string
		err := scan(&id)
		want[id] = nil
		return err
	})
	if err != nil {
		return nil, err
	}
	waiting, err := z.waiting(ctx, v)
	if err != nil {
		return nil, err
	}
	count := map[string]int{}
	for _, w := range waiting {
		if err := z.signalsOf(ctx, v, w, want, count); err != nil {
			return nil, err
		}
	}
	return want, nil
}

// waits is a zone whose first DS its parent does not have yet.
type waits struct {
	row
	keys []sign.Public
}

func (z *Zones) waiting(ctx context.Context, v *act.View) (out []waits, err error) {
	const q = `SELECT zone_id, name, zone_zone.generation, state FROM zone_signing JOIN zone_zone ON id = zone_id WHERE deleted = 0 ORDER BY zone_zone.created`
	err = v.Each(ctx, q, nil, func(scan func(dest ...any) error) error {
		var w waits
		var text string
		if err := scan(&w.ID, &w.Name, &w.Generation, &text); err != nil {
			return err
		}
		var s sign.State
		if err := json.Unmarshal([]byte(text), &s); err != nil {
			return err
		}
		for _, k := range s.Keys {
			if k.Duty.Submit {
				w.keys = append(w.keys, k.Public)
			}
		}
		if len(w.keys) > 0 && !slices.ContainsFunc(s.DS, func(c sign.Copy) bool { return c.Seen && len(c.Keys) > 0 }) {
			out = append(out, w)
		}
		return nil
	})
	return out, err
}

// signalsOf adds what the nameservers of one zone should say.
func (z *Zones) signalsOf(ctx context.Context, v *act.View, w waits, want map[string][]rr.RRset, count map[string]int) error {
	have := map[rr.Key]rr.RRset{}
	if err := setsAt(ctx, v, w.row, w.Name, have); err != nil {
		return err
	}
	cds := sign.Signals(w.Name, w.keys, false, keyTTL, sign.SHA256)
	for _, host := range have[rr.Key{Name: w.Name, Type: "NS"}].Data {
		copies, _ := sign.Bootstrap(w.Name, []rr.Name{rr.Name(host)}, cds)
		at, found, err := z.holder(ctx, v, rr.Name(host))
		if err != nil {
			return err
		}
		if !found || at == w.ID || len(copies) == 0 || count[at] >= mostSignals {
			continue
		}
		count[at]++
		want[at] = append(want[at], copies...)
	}
	return nil
}

// holder returns the signed zone here that a name is in.
func (z *Zones) holder(ctx context.Context, v *act.View, name rr.Name) (id string, found bool, err error) {
	for at := name; at != "."; at = at.Parent() {
		r, there, err := byName(ctx, v, at)
		if err != nil {
			return "", false, err
		}
		if there {
			g, err := keyringOf(ctx, v, r.ID)
			return r.ID, g.signs(), err
		}
	}
	return "", false, nil
}

// Signal brings the signaling records of all zones here up to date.
func (z *Zones) Signal(ctx context.Context, b *act.Bus) error {
	var want map[string][]rr.RRset
	err := b.Look(ctx, signer, func(v *act.View) (err error) {
		want, err = z.signals(ctx, v)
		return err
	})
	for id, sets := range want {
		if err != nil {
			return err
		}
		rr.SortRRsets(sets)
		_, _, err = z.signal().Call(ctx, b, act.SystemActor(signer), SignalIn{Zone: id, sets: sets})
	}
	return err
}
