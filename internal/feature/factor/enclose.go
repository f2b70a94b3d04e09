package factor

import (
	"context"
	"encoding/base64"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
)

// bare is a seed that was kept in plain text, in base32, without the blanks with
// which apps show it.
func bare(kept string) core.Secret {
	s, _ := core.CutPlain(kept)
	return core.NewSecret(strings.ToUpper(strings.Join(strings.Fields(s.Reveal()), "")))
}

// enclose puts sealed seeds in the place of plain ones. There is no way back from it.
func (f *Factors) enclose() act.Change[Sealed, Nothing] {
	return act.Change[Sealed, Nothing]{
		Name: "totp.enclose", Doc: "Keep a seed that was found in plain text sealed, and nothing else of it.", Class: class, Roles: act.System,
		Must: []string{"totp.enclosed"}, Serves: serves, Sample: Sealed{[]SealedApp{{Account: "a_0123456789abcdefghjkmnpqrs"}}}, Target: nowhere[Sealed],
		Run: func(ctx context.Context, tx *act.Tx, in Sealed) (Nothing, error) {
			for _, s := range in.Apps {
				a, found, err := appOf(ctx, &tx.View, s.Account)
				if err != nil {
					return Nothing{}, err
				}
				if _, plain := core.CutPlain(a.sealed); !found || !plain {
					continue
				}
				if a.sealed = s.Seed; a.confirmed.IsZero() {
					a.confirmed = tx.Now()
				}
				if err := writeApp(ctx, tx, a); err != nil {
					return Nothing{}, err
				}
				if err := tx.Record(ctx, "totp.enclosed", a.ref(), act.Field{Name: "seed", Secret: true}); err != nil {
					return Nothing{}, err
				}
			}
			return Nothing{}, nil
		},
	}
}

// Plain reports whether a seed in plain text waits to be enclosed.
func (f *Factors) Plain(ctx context.Context, v *act.View) (bool, error) {
	list, err := inPlain(ctx, v, 1)
	return len(list) > 0, err
}

// Enclose seals every seed that is kept in plain text, and returns how many there
// were. The house calls it at each start, before anybody can log in.
func (f *Factors) Enclose(ctx context.Context, b *act.Bus) (n int, err error) {
	for {
		var found []app
		err := b.Look(ctx, "enclose", func(v *act.View) (err error) {
			found, err = inPlain(ctx, v, 200)
			return err
		})
		if err != nil || len(found) == 0 {
			return n, err
		}
		var in Sealed
		for _, a := range found {
			sealed, err := f.Seal(ctx, ad(a.account), bare(a.sealed))
			if err != nil {
				return n, err
			}
			in.Apps = append(in.Apps, SealedApp{Account: a.account, Seed: base64.StdEncoding.EncodeToString(sealed)})
		}
		if _, _, err := f.enclose().Call(ctx, b, act.SystemActor("enclose"), in); err != nil {
			return n, err
		}
		n += len(found)
	}
}
