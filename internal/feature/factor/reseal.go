package factor

import (
	"context"
	"encoding/base64"

	"hostward/internal/act"
)

// Sealed is the input of totp.reseal and totp.enclose: seeds that were sealed.
type Sealed struct {
	Apps []SealedApp `json:"apps" rule:"required,max=200" doc:"apps whose seeds were sealed again"`
}

// SealedApp is one of them, with what it was and what it is now.
type SealedApp struct {
	Account string `json:"account" rule:"required,max=40" doc:"id of the account"`
	Was     string `json:"was" doc:"the seed in use, as it was sealed"`
	Seed    string `json:"seed" doc:"as it is sealed now"`
}

const mostSealed = 200 // at once

// Left is the output of totp.reseal: accounts that have another app now, which may
// be sealed under the old key too.
type Left struct {
	Accounts []string `json:"accounts,omitempty"`
}

// reseal takes what the keeper sealed again under its newest key. What somebody
// changed meanwhile stays as it is, and is left to the next round.
func (f *Factors) reseal() act.Change[Sealed, Left] {
	return act.Change[Sealed, Left]{
		Name: "totp.reseal", Doc: "Keep seeds that were sealed again under a new key.", Class: class, Roles: act.System,
		Must: []string{"totp.resealed"}, Serves: serves, Sample: Sealed{[]SealedApp{{Account: "a_0123456789abcdefghjkmnpqrs"}}}, Target: nowhere[Sealed],
		Run: func(ctx context.Context, tx *act.Tx, in Sealed) (out Left, err error) {
			for _, s := range in.Apps {
				a, found, err := appOf(ctx, &tx.View, s.Account)
				switch {
				case err != nil:
					return out, err
				case found && a.sealed != s.Was:
					out.Accounts = append(out.Accounts, s.Account)
				case found:
					err = keep(ctx, tx, a, s.Seed)
				}
				if err != nil {
					return out, err
				}
			}
			return out, nil
		},
	}
}

func keep(ctx context.Context, tx *act.Tx, a app, seed string) error {
	a.sealed, a.pending = seed, "" // an app that is being set up begins again
	if err := reseal(ctx, tx, a); err != nil {
		return err
	}
	return tx.Record(ctx, "totp.resealed", a.ref())
}

// Sealer seals a value again under the newest key of its purpose.
type Sealer = func(ctx context.Context, ad, sealed []byte) ([]byte, error)

// Reseal seals every seed again, some at a time, and returns how many. When it
// returns without an error, nothing that was sealed before it began is left: the
// old key may go.
func (f *Factors) Reseal(ctx context.Context, b *act.Bus, seal Sealer) (n int, err error) {
	after := ""
	for {
		var list []app
		err := b.Look(ctx, "reseal", func(v *act.View) (err error) {
			list, err = apps(ctx, v, after, mostSealed)
			return err
		})
		if err != nil || len(list) == 0 {
			return n, err
		}
		after = list[len(list)-1].account
		n += len(list)
		for len(list) > 0 && err == nil {
			list, err = f.round(ctx, b, seal, list)
		}
		if err != nil {
			return n, err
		}
	}
}

// round seals some seeds again, and returns those that are others by now.
func (f *Factors) round(ctx context.Context, b *act.Bus, seal Sealer, list []app) (left []app, err error) {
	var in Sealed
	for _, a := range list {
		seed, err := again(ctx, seal, a)
		if err != nil {
			return nil, err
		}
		in.Apps = append(in.Apps, SealedApp{a.account, a.sealed, seed})
	}
	out, _, err := f.reseal().Call(ctx, b, act.SystemActor("reseal"), in)
	if err != nil || len(out.Accounts) == 0 {
		return nil, err
	}
	err = b.Look(ctx, "reseal", func(v *act.View) (err error) {
		left, err = appsOf(ctx, v, out.Accounts)
		return err
	})
	return left, err
}

func again(ctx context.Context, seal Sealer, a app) (string, error) {
	if a.sealed == "" {
		return "", nil
	}
	raw, err := base64.StdEncoding.DecodeString(a.sealed)
	if err != nil {
		return "", err
	}
	raw, err = seal(ctx, ad(a.account), raw)
	return base64.StdEncoding.EncodeToString(raw), err
}
