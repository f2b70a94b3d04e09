package login

import (
	"context"

	"hostward/internal/act"
	"hostward/internal/core"
)

// typed is a password that was kept in plain text. One that is longer than anybody
// can type becomes one that nobody knows: its owner needs a link.
func typed(kept string) core.Secret {
	if s, _ := core.CutPlain(kept); len(s.Reveal()) <= mostTyped {
		return s
	}
	return core.NewToken()
}

const mostTyped = 256 // bytes, as every field for a password has it

const mostEnclosed = 50 // at once

// Enclosed is the input of credential.enclose: hashes of passwords that were found
// in plain text.
type Enclosed struct {
	Hashes []EnclosedHash `json:"hashes" rule:"required,max=50" doc:"what takes the place of passwords in plain text"`
}

// EnclosedHash is one of them.
type EnclosedHash struct {
	Account string      `json:"account" rule:"required,max=40" doc:"id of the account"`
	Hash    core.Secret `json:"hash" rule:"required" doc:"argon2id hash of its password"`
}

// enclose puts hashes in the place of passwords. There is no way back from it.
func (l *Login) enclose() act.Change[Enclosed, Nothing] {
	return act.Change[Enclosed, Nothing]{
		Name: "credential.enclose", Doc: "Keep the hash of a password that was found in plain text, and nothing else of it.", Class: class, Roles: act.System,
		Must: []string{"credential.enclosed"}, Serves: serves, Target: nowhere[Enclosed],
		Sample: Enclosed{[]EnclosedHash{{"a_0123456789abcdefghjkmnpqrs", core.NewSecret("$argon2id$")}}},
		Run: func(ctx context.Context, tx *act.Tx, in Enclosed) (Nothing, error) {
			for _, h := range in.Hashes {
				c, found, err := credentialOf(ctx, &tx.View, h.Account)
				if err != nil {
					return Nothing{}, err
				}
				if _, plain := core.CutPlain(c.phc); !found || !plain {
					continue
				}
				if err := rehash(ctx, tx, h.Account, h.Hash.Reveal()); err != nil {
					return Nothing{}, err
				}
				if err := tx.Record(ctx, "credential.enclosed", credentialRef(h.Account), act.Field{Name: "password", Secret: true}); err != nil {
					return Nothing{}, err
				}
			}
			return Nothing{}, nil
		},
	}
}

// Plain reports whether a password in plain text waits to be enclosed.
func (l *Login) Plain(ctx context.Context, v *act.View) (bool, error) {
	list, err := inPlain(ctx, v, 1)
	return len(list) > 0, err
}

// Enclose hashes every password that is kept in plain text, and returns how many
// there were. The house calls it at each start, before anybody can log in.
func (l *Login) Enclose(ctx context.Context, b *act.Bus) (n int, err error) {
	for {
		var found []credential
		err := b.Look(ctx, "enclose", func(v *act.View) (err error) {
			found, err = inPlain(ctx, v, mostEnclosed)
			return err
		})
		if err != nil || len(found) == 0 {
			return n, err
		}
		var in Enclosed
		for _, c := range found {
			phc, err := l.Hasher.HashPassword(ctx, "enclose", true, typed(c.phc))
			if err != nil {
				return n, err
			}
			in.Hashes = append(in.Hashes, EnclosedHash{c.account, core.NewSecret(phc)})
		}
		if _, _, err := l.enclose().Call(ctx, b, act.SystemActor("enclose"), in); err != nil {
			return n, err
		}
		n += len(found)
	}
}
