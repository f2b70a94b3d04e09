package token

import (
	"context"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

func at(micros int64) time.Time {
	if micros == 0 {
		return time.Time{}
	}
	return time.UnixMicro(micros).UTC()
}

// micros keeps the zero time as 0.
func micros(t time.Time) int64 {
	if t.IsZero() {
		return 0
	}
	return t.UnixMicro()
}

// collect appends each row of id, account, name, hash, created, expires, used.
func collect(list *[]Token) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var t Token
		var created, expires, used int64
		err := scan(&t.ID, &t.Account, &t.Name, &t.hash, &created, &expires, &used)
		t.Created, t.Expires, t.Used = at(created), at(expires), at(used)
		*list = append(*list, t)
		return err
	}
}

func byID(ctx context.Context, v *act.View, id string) (Token, error) {
	var list []Token
	err := v.Each(ctx, `SELECT id, account, name, hash, created, expires, used FROM token WHERE id = $1`, []any{id}, collect(&list))
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
	err := v.Each(ctx, `SELECT id, account, name, hash, created, expires, used FROM token WHERE hash = $1`, []any{hash}, collect(&list))
	if err != nil || len(list) == 0 {
		return Token{}, false, err
	}
	return list[0], true, nil
}

// of returns the tokens of an account, newest first.
func of(ctx context.Context, v *act.View, account string) ([]Token, error) {
	list := []Token{}
	err := v.Each(ctx, `SELECT id, account, name, hash, created, expires, used FROM token
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
	_, err := tx.Exec(ctx, `INSERT INTO token (id, account, name, hash, created, expires, used) VALUES ($1, $2, $3, $4, $5, $6, 0)`,
		t.ID, t.Account, t.Name, t.hash, micros(t.Created), micros(t.Expires))
	return err
}

func note(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `UPDATE token SET used = $1 WHERE id = $2`, tx.Now().UnixMicro(), id)
	return err
}

func remove(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM token WHERE id = $1`, id)
	return err
}
