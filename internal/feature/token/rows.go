package token

import (
	"context"

	"hostward/internal/act"
	"hostward/internal/core"
)

// collect appends each row of id, account, name, hash, created, expires, used,
// grants, networks, unused, warned.
func collect(list *[]Token) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var t Token
		var created, expires, used, warned int64
		var grants, networks string
		err := scan(&t.ID, &t.Account, &t.Name, &t.hash, &created, &expires, &used, &grants, &networks, &t.Unused, &warned)
		t.Created, t.Expires, t.Used, t.warned = core.At(created), core.At(expires), core.At(used), warned != 0
		if err == nil {
			t.Scopes, err = decode(grants)
		}
		if err == nil {
			t.Networks, err = decode(networks)
		}
		*list = append(*list, t)
		return err
	}
}

func byID(ctx context.Context, v *act.View, id string) (Token, error) {
	var list []Token
	err := v.Each(ctx, `SELECT id, account, name, hash, created, expires, used, grants, networks, unused, warned FROM token WHERE id = $1`, []any{id}, collect(&list))
	if err != nil {
		return Token{}, err
	}
	if len(list) == 0 {
		return Token{}, core.Errorf(core.NotFound, "there is no token %.40q", id)
	}
	return list[0], nil
}

func byHash(ctx context.Context, v *act.View, hash string) (Token, bool, error) {
	var list []Token
	err := v.Each(ctx, `SELECT id, account, name, hash, created, expires, used, grants, networks, unused, warned FROM token WHERE hash = $1`, []any{hash}, collect(&list))
	if err != nil || len(list) == 0 {
		return Token{}, false, err
	}
	return list[0], true, nil
}

// of returns the tokens of an account, newest first.
func of(ctx context.Context, v *act.View, account string) ([]Token, error) {
	list := []Token{}
	err := v.Each(ctx, `SELECT id, account, name, hash, created, expires, used, grants, networks, unused, warned FROM token
		WHERE account = $1 ORDER BY created DESC, id`, []any{account}, collect(&list))
	return list, err
}

func ids(ctx context.Context, v *act.View) ([]string, error) {
	var all []string
	err := v.Each(ctx, `SELECT id FROM token ORDER BY id`, nil, func(scan func(dest ...any) error) error {
		var id string
		err := scan(&id)
		all = append(all, id)
		return err
	})
	return all, err
}

func insert(ctx context.Context, tx *act.Tx, t Token) error {
	grants, err := encode(t.Scopes)
	if err != nil {
		return err
	}
	networks, err := encode(t.Networks)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO token (id, account, name, hash, created, expires, used, grants, networks, unused, warned)
		VALUES ($1, $2, $3, $4, $5, $6, 0, $7, $8, $9, 0)`,
		t.ID, t.Account, t.Name, t.hash, core.Micros(t.Created), core.Micros(t.Expires), grants, networks, t.Unused)
	return err
}

// ending returns tokens that end soon and whose owners were not told yet: by
// their own end, or by not being used.
func ending(ctx context.Context, v *act.View, most int) ([]Token, error) {
	var list []Token
	soon := v.Now().Add(warnDays * day).UnixMicro()
	err := v.Each(ctx, `SELECT id, account, name, hash, created, expires, used, grants, networks, unused, warned FROM token
		WHERE warned = 0 AND expires > $1 AND (expires <= $2 OR unused > 0 AND CASE WHEN used > 0 THEN used ELSE created END + unused * 86400000000 <= $2)
		ORDER BY expires, id LIMIT $3`, []any{v.Now().UnixMicro(), soon, most}, collect(&list))
	return list, err
}

func warn(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `UPDATE token SET warned = 1 WHERE id = $1`, id)
	return err
}

// note keeps that a token was used now, and whether its owner was told of its end.
func note(ctx context.Context, tx *act.Tx, id string, warned bool) error {
	told := 0
	if warned {
		told = 1
	}
	_, err := tx.Exec(ctx, `UPDATE token SET used = $1, warned = $2 WHERE id = $3`, tx.Now().UnixMicro(), told, id)
	return err
}

func remove(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM token WHERE id = $1`, id)
	return err
}
