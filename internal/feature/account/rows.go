package account

import (
	"context"
	"fmt"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// collect appends each row of id, login, name, email, role, parent, disabled, barred, created.
func collect(list *[]Account) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var a Account
		var disabled, created int64
		err := scan(&a.ID, &a.Login, &a.Name, &a.Email, &a.Role, &a.Parent, &disabled, &a.Barred, &created)
		a.Disabled, a.Created = disabled != 0, time.UnixMicro(created).UTC()
		if a.Disabled {
			a.Since = time.UnixMicro(disabled).UTC()
		}
		*list = append(*list, a)
		return err
	}
}

// byID answers core.NotFound for an account that is not there.
func byID(ctx context.Context, v *act.View, id string) (Account, error) {
	var list []Account
	err := v.Each(ctx, `SELECT id, login, name, email, role, parent, disabled, barred, created FROM account WHERE id = $1`, []any{id}, collect(&list))
	if err != nil {
		return Account{}, err
	}
	if len(list) == 0 {
		return Account{}, core.Errorf(core.NotFound, "there is no account %q", clip(id))
	}
	return list[0], nil
}

// clip keeps what somebody typed short in a sentence.
func clip(s string) string { return fmt.Sprintf("%.40s", s) }

// everyone calls yield for every account.
func everyone(ctx context.Context, v *act.View, yield func(Account)) error {
	return v.Each(ctx, `SELECT id, login, name, email, role, parent, disabled, barred, created FROM account ORDER BY login`, nil, func(scan func(dest ...any) error) error {
		var one []Account
		err := collect(&one)(scan)
		yield(one[0])
		return err
	})
}

// below returns the accounts that the actor sees, after the log-in name after.
// What visible hides is left out here too: a page must not end in a name that its
// reader may not know.
func below(ctx context.Context, v *act.View, after string, most int) ([]Account, error) {
	var list []Account
	tenant := v.Actor().Tenant
	if tenant == core.Provider {
		err := v.Each(ctx, `SELECT id, login, name, email, role, parent, disabled, barred, created FROM account
			WHERE login > $1 AND ($2 = '-' OR id = $2 OR role NOT IN ('administrator', 'additional administrator')) ORDER BY login LIMIT $3`,
			[]any{after, alone(v.Actor()), most}, collect(&list))
		return list, err
	}
	err := v.Each(ctx, `SELECT id, login, name, email, role, parent, disabled, barred, created FROM account
		WHERE (id = $1 OR parent = $1) AND login > $2 ORDER BY login LIMIT $3`, []any{tenant, after, most}, collect(&list))
	return list, err
}

// alone is the id of somebody who sees no administrator but himself, "-" of anybody
// else.
func alone(a act.Actor) string {
	if a.Role == act.Additional {
		return a.ID
	}
	return "-"
}

// idOf returns the account with a log-in name, "" for none.
func idOf(ctx context.Context, v *act.View, login string) (string, error) {
	var id string
	_, err := v.Get(ctx, `SELECT id FROM account WHERE login = $1`, []any{Fold(login)}, &id)
	return id, err
}

// primary returns the id of the primary administrator, "" for none.
func primary(ctx context.Context, v *act.View) (string, error) {
	var id string
	_, err := v.Get(ctx, `SELECT id FROM account WHERE role = 'administrator'`, nil, &id)
	return id, err
}

func children(ctx context.Context, v *act.View, id string) (n int, err error) {
	_, err = v.Get(ctx, `SELECT count(*) FROM account WHERE parent = $1`, []any{id}, &n)
	return n, err
}

func ids(ctx context.Context, v *act.View) ([]string, error) {
	var all []string
	err := v.Each(ctx, `SELECT id FROM account ORDER BY id`, nil, func(scan func(dest ...any) error) error {
		var id string
		err := scan(&id)
		all = append(all, id)
		return err
	})
	return all, err
}

func insert(ctx context.Context, tx *act.Tx, a Account) error {
	_, err := tx.Exec(ctx, `INSERT INTO account (id, login, name, email, role, parent, disabled, barred, created)
		VALUES ($1, $2, $3, $4, $5, $6, 0, '', $7)`, a.ID, a.Login, a.Name, a.Email, a.Role, a.Parent, a.Created.UnixMicro())
	return err
}

func rename(ctx context.Context, tx *act.Tx, a Account) error {
	_, err := tx.Exec(ctx, `UPDATE account SET name = $1, email = $2 WHERE id = $3`, a.Name, a.Email, a.ID)
	return err
}

// bar closes the account at a time in microseconds, by a tenant; 0 and "" open it.
func bar(ctx context.Context, tx *act.Tx, id string, at int64, by string) error {
	_, err := tx.Exec(ctx, `UPDATE account SET disabled = $1, barred = $2 WHERE id = $3`, at, by, id)
	return err
}

func remove(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM account WHERE id = $1`, id)
	return err
}

var like = strings.NewReplacer("!", "!!", "%", "!%", "_", "!_")

// search returns accounts whose log-in name, name or e-mail address holds text. As
// in below, what visible hides is left out before they are counted.
func search(ctx context.Context, v *act.View, tenant, text string, most int) ([]Account, error) {
	var list []Account
	err := v.Each(ctx, `SELECT id, login, name, email, role, parent, disabled, barred, created FROM account
		WHERE (login LIKE $1 ESCAPE '!' OR lower(name) LIKE $1 ESCAPE '!' OR lower(email) LIKE $1 ESCAPE '!')
		AND ($2 = 'provider' OR id = $2 OR parent = $2)
		AND ($3 = '-' OR id = $3 OR role NOT IN ('administrator', 'additional administrator')) ORDER BY login LIMIT $4`,
		[]any{"%" + like.Replace(strings.ToLower(text)) + "%", tenant, alone(v.Actor()), most}, collect(&list))
	return list, err
}

func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
