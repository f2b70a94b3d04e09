package zone

import (
	"context"
	"encoding/json"
	"slices"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr/sign"
)

// kindDefault is the object kind of what new zones of a tenant begin with; its id
// is the tenant's.
const kindDefault = "zonedefault"

// DefaultIn is how new zones of a tenant are signed.
type DefaultIn struct {
	Owner     string `json:"owner" doc:"customer or reseller, by log-in name or id; left out: you" rule:"max=254"`
	Sign      string `json:"sign" doc:"yes: new zones are signed as they are made; no: they are not; inherit: as it is decided above" rule:"required,enum=yes|no|inherit" cli:"arg"`
	Algorithm string `json:"algorithm" doc:"left out: ecdsa" rule:"enum=ecdsa|ed25519"`
	Keys      string `json:"keys" doc:"left out: csk" rule:"enum=csk|split"`
	Denial    string `json:"denial" doc:"left out: nsec" rule:"enum=nsec|nsec3"`
}

// Default is the answer: what holds for a tenant, and who decided it.
type Default struct {
	Owner string `json:"owner"`
	Wish  Wish   `json:"wish"`
	From  string `json:"from,omitempty"` // tenant that decided it; "": nobody did
}

func (z *Zones) setDefault() act.Declaration {
	return act.Change[DefaultIn, Default]{
		Name: "zone.default.set", Doc: "Decide whether new zones of a tenant, and of those below it, are signed from the start.", Class: class,
		Roles: act.Hosted, May: []string{"zonedefault.changed"}, Serves: signServes(), Sample: DefaultIn{Sign: "yes"},
		Target: func(ctx context.Context, v *act.View, in *DefaultIn) (core.Ref, error) {
			return z.account(ctx, v, &in.Owner)
		},
		Run: func(ctx context.Context, tx *act.Tx, in DefaultIn) (Default, error) {
			was, there, err := defaultOf(ctx, &tx.View, in.Owner)
			if err != nil {
				return Default{}, err
			}
			now := Wish{Signed: in.Sign == "yes"}
			if now.Signed {
				now.Algorithm, now.Keys, now.Denial = in.Algorithm, in.Keys, in.Denial
				now = now.usual()
			}
			if in.Sign == "inherit" && !there || in.Sign != "inherit" && there && was == now {
				return z.effective(ctx, &tx.View, in.Owner)
			}
			if err := writeDefault(ctx, tx, in.Owner, in.Sign, now); err != nil {
				return Default{}, err
			}
			fields := append(act.Diff(was, now), act.Field{Name: "sign", New: &in.Sign})
			if err := tx.Record(ctx, "zonedefault.changed", core.Ref{Kind: kindDefault, ID: in.Owner}, fields...); err != nil {
				return Default{}, err
			}
			return z.effective(ctx, &tx.View, in.Owner)
		},
	}
}

func writeDefault(ctx context.Context, tx *act.Tx, tenant, sign string, w Wish) error {
	if sign == "inherit" {
		_, err := tx.Exec(ctx, `DELETE FROM zone_default WHERE tenant = $1`, tenant)
		return err
	}
	text, err := json.Marshal(w)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO zone_default (tenant, wish) VALUES ($1, $2) ON CONFLICT (tenant) DO UPDATE SET wish = excluded.wish`, tenant, string(text))
	return err
}

func defaultOf(ctx context.Context, v *act.View, tenant string) (w Wish, there bool, err error) {
	var text string
	there, err = v.Get(ctx, `SELECT wish FROM zone_default WHERE tenant = $1`, []any{tenant}, &text)
	if err == nil && there {
		err = json.Unmarshal([]byte(text), &w)
	}
	return w, there, err
}

// DefaultOf names a tenant.
type DefaultOf struct {
	Owner string `json:"owner" doc:"customer or reseller, by log-in name or id; left out: you" rule:"max=254" cli:"arg"`
}

func (z *Zones) showDefault() act.Declaration {
	return act.Query[DefaultOf, Default]{
		Name: "zone.default.show", Doc: "Show whether new zones of a tenant are signed from the start, and who decided it.", Class: class, Roles: act.Readers,
		Serves: signServes(), Sample: DefaultOf{},
		Target: func(ctx context.Context, v *act.View, in *DefaultOf) (core.Ref, error) {
			return z.account(ctx, v, &in.Owner)
		},
		Run: func(ctx context.Context, v *act.View, in DefaultOf) (Default, error) {
			return z.effective(ctx, v, in.Owner)
		},
	}
}

// effective is what holds for a tenant: its own decision, or the nearest above.
func (z *Zones) effective(ctx context.Context, v *act.View, tenant string) (Default, error) {
	out := Default{Owner: tenant}
	above, err := z.ports.Above(ctx, v, tenant)
	if err != nil {
		return out, err
	}
	line := append([]string{tenant}, above...)
	if !slices.Contains(line, core.Provider) {
		line = append(line, core.Provider)
	}
	for _, t := range line {
		w, there, err := defaultOf(ctx, v, t)
		if err != nil {
			return out, err
		}
		if there {
			out.Wish, out.From = w, t
			return out, nil
		}
	}
	return out, nil
}

// signNew signs a zone that was just made, if its owner's new zones are. It is
// served signed from the first answer on.
func (z *Zones) signNew(ctx context.Context, tx *act.Tx, r row) error {
	d, err := z.effective(ctx, &tx.View, r.Owner)
	if err != nil || !d.Wish.Signed {
		return err
	}
	g := keyring{Wish: d.Wish.usual(), Keys: map[sign.KeyID]string{}, there: true, Since: r.Version}
	o := sign.Observed{Zone: r.Name, KeyTTL: keyTTL, Complete: true}
	if o.MaxTTL, err = maxTTL(ctx, &tx.View, r); err != nil {
		return err
	}
	err = g.turn(o, tx.Now(), func(role sign.Role, a sign.Algorithm) (sign.Public, string, error) {
		return z.ports.NewKey(ctx, r.Name, role.Flags(), a)
	})
	if err == nil {
		err = z.mayBeSigned(ctx, tx, r, g)
	}
	if err != nil {
		return err
	}
	g.Next = tx.Now().UnixMicro()
	if err := writeKeyring(ctx, tx, r.ID, keyring{}, g); err != nil {
		return err
	}
	return tx.Record(ctx, signed, r.ref(), keyFields(keyring{}, g)...)
}

func (z *Zones) defaultKind() act.Kind {
	return act.Kind{Name: kindDefault, Title: "What new zones begin with",
		Owner: func(_ context.Context, _ *act.View, id string) (string, error) { return id, nil },
		Digest: func(ctx context.Context, v *act.View, id string) (string, error) {
			w, there, err := defaultOf(ctx, v, id)
			if err != nil || !there {
				return "", err
			}
			return act.DigestOf(w)
		},
		IDs: func(ctx context.Context, v *act.View) (ids []string, err error) {
			err = v.Each(ctx, `SELECT tenant FROM zone_default ORDER BY tenant`, nil, func(scan func(dest ...any) error) error {
				var id string
				err := scan(&id)
				ids = append(ids, id)
				return err
			})
			return ids, err
		}}
}
