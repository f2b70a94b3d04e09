package zone

import (
	"context"
	"encoding/base64"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// ResealIn is what the keeper sealed again.
type ResealIn struct {
	Zone string      `json:"zone" rule:"required,max=40" doc:"id of the zone"`
	Keys []SealedKey `json:"keys" rule:"required,max=200" doc:"keys that were sealed again"`
}

// SealedKey is a key, with what it was sealed as and is now.
type SealedKey struct {
	ID  string `json:"id" rule:"required,max=16" doc:"of the key"`
	Was string `json:"was" rule:"required,max=400" doc:"as it was sealed, base64"`
	Now string `json:"now" rule:"required,max=400" doc:"as it is sealed now, base64"`
}

// reseal takes keys that were sealed again under another key of the keeper. One
// that is gone, or another, by now stays as it is.
func (z *Zones) reseal() act.Change[ResealIn, Resealed] {
	return act.Change[ResealIn, Resealed]{
		Name: "zone.key.reseal", Doc: "Keep zone keys that were sealed again under a new key.", Class: class, Roles: act.System,
		May: []string{resealed}, Serves: signServes(), Sample: ResealIn{Zone: "z_0123456789abcdefghjkmnpqrs", Keys: []SealedKey{{ID: "0123456789abcdef", Was: "AA==", Now: "AA=="}}},
		Target: func(_ context.Context, _ *act.View, in *ResealIn) (core.Ref, error) {
			return core.Ref{Kind: kind, ID: in.Zone}, nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in ResealIn) (out Resealed, err error) {
			for _, k := range in.Keys {
				n, err := tx.Exec(ctx, `UPDATE zone_key SET sealed = $4 WHERE zone_id = $1 AND id = $2 AND sealed = $3`, in.Zone, k.ID, k.Was, k.Now)
				if err != nil {
					return out, err
				}
				out.Keys += n
			}
			if out.Keys == 0 {
				return out, nil
			}
			return out, tx.Record(ctx, resealed, core.Ref{Kind: kind, ID: in.Zone}, act.Field{Name: "keys", New: ptr(number(out.Keys))})
		},
	}
}

// Resealed is how many keys were.
type Resealed struct {
	Keys int64 `json:"keys"`
}

// Reseal seals every private key of a zone again, deleted zones included, and
// returns how many. When it returns without an error, nothing that was sealed
// before it began is left.
func (z *Zones) Reseal(ctx context.Context, b *act.Bus, seal func(ctx context.Context, zone rr.Name, sealed []byte) ([]byte, error)) (n int, err error) {
	names := map[string]rr.Name{}
	err = b.Look(ctx, "reseal", func(v *act.View) error {
		return v.Each(ctx, `SELECT DISTINCT id, name FROM zone_zone JOIN zone_signing ON zone_id = id`, nil, func(scan func(dest ...any) error) error {
			var id string
			var name rr.Name
			err := scan(&id, &name)
			names[id] = name
			return err
		})
	})
	for id, name := range names {
		if err != nil {
			return n, err
		}
		var more int
		more, err = z.resealOne(ctx, b, id, name, seal)
		n += more
	}
	return n, err
}

// resealOne goes on until no key of a zone is as it was when a round began: others
// may have been made meanwhile, under the new key already.
func (z *Zones) resealOne(ctx context.Context, b *act.Bus, id string, name rr.Name, seal func(ctx context.Context, zone rr.Name, sealed []byte) ([]byte, error)) (int, error) {
	in := ResealIn{Zone: id}
	err := b.Look(ctx, "reseal", func(v *act.View) error {
		return eachKey(ctx, v, id, func(key, sealed string) error {
			now, err := seal(ctx, name, unbase64(sealed))
			in.Keys = append(in.Keys, SealedKey{ID: key, Was: sealed, Now: base64.StdEncoding.EncodeToString(now)})
			return err
		})
	})
	if err != nil || len(in.Keys) == 0 {
		return 0, err
	}
	_, _, err = z.reseal().Call(ctx, b, act.SystemActor("reseal"), in)
	return len(in.Keys), err
}
