package factor

import (
	"context"

	"hostward/internal/act"
	"hostward/internal/core"
)

func appOf(ctx context.Context, v *act.View, account string) (app, bool, error) {
	a := app{account: account}
	var confirmed, begun int64
	found, err := v.Get(ctx, `SELECT sealed, confirmed, last, pending, begun FROM factor_totp WHERE account = $1`, []any{account},
		&a.sealed, &confirmed, &a.last, &a.pending, &begun)
	a.confirmed, a.begun = core.At(confirmed), core.At(begun)
	return a, found, err
}

func writeApp(ctx context.Context, tx *act.Tx, a app) error {
	_, err := tx.Exec(ctx, `INSERT INTO factor_totp (account, sealed, confirmed, last, pending, begun) VALUES ($1, $2, $3, $4, $5, $6)
		ON CONFLICT (account) DO UPDATE SET sealed = excluded.sealed, confirmed = excluded.confirmed, last = excluded.last,
		pending = excluded.pending, begun = excluded.begun`,
		a.account, a.sealed, core.Micros(a.confirmed), a.last, a.pending, core.Micros(a.begun))
	return err
}

// spendStep notes the step of an accepted code; false: it, or a later one, was
// used meanwhile, or the account has another app. That the same seed was sealed
// again meanwhile does not matter.
func spendStep(ctx context.Context, tx *act.Tx, a app, step int64) (bool, error) {
	n, err := tx.Exec(ctx, `UPDATE factor_totp SET last = $1 WHERE account = $2 AND confirmed = $3 AND last < $1`, step, a.account, core.Micros(a.confirmed))
	return n == 1, err
}

func reseal(ctx context.Context, tx *act.Tx, a app) error {
	_, err := tx.Exec(ctx, `UPDATE factor_totp SET sealed = $1, pending = $2 WHERE account = $3`, a.sealed, a.pending, a.account)
	return err
}

func removeApp(ctx context.Context, tx *act.Tx, account string) error {
	_, err := tx.Exec(ctx, `DELETE FROM factor_totp WHERE account = $1`, account)
	return err
}

// apps returns accounts with an app, after one, for sealing them again.
func apps(ctx context.Context, v *act.View, after string, most int) (list []app, err error) {
	err = v.Each(ctx, `SELECT account, sealed, pending FROM factor_totp WHERE account > $1 ORDER BY account LIMIT $2`, []any{after, most},
		func(scan func(dest ...any) error) error {
			var a app
			err := scan(&a.account, &a.sealed, &a.pending)
			list = append(list, a)
			return err
		})
	return list, err
}

// appsOf returns the apps of accounts that have one.
func appsOf(ctx context.Context, v *act.View, accounts []string) (list []app, err error) {
	for _, account := range accounts {
		a, found, err := appOf(ctx, v, account)
		if err != nil {
			return nil, err
		}
		if found {
			list = append(list, a)
		}
	}
	return list, nil
}

// inPlain returns accounts whose seed is kept in plain text.
func inPlain(ctx context.Context, v *act.View, most int) (list []app, err error) {
	err = v.Each(ctx, `SELECT account, sealed FROM factor_totp WHERE upper(substr(sealed, 1, 7)) = '{PLAIN}' ORDER BY account LIMIT $1`, []any{most},
		func(scan func(dest ...any) error) error {
			var a app
			err := scan(&a.account, &a.sealed)
			list = append(list, a)
			return err
		})
	return list, err
}

// passkeys appends each row of id, account, name, handle, data, made, used, asked.
func passkeys(list *[]Passkey) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var p Passkey
		var made, used, asked int64
		err := scan(&p.ID, &p.account, &p.Name, &p.handle, &p.data, &made, &used, &asked)
		p.Made, p.Used, p.asked = core.At(made), core.At(used), core.At(asked)
		*list = append(*list, p)
		return err
	}
}

func passkeysOf(ctx context.Context, v *act.View, account string) ([]Passkey, error) {
	list := []Passkey{}
	err := v.Each(ctx, `SELECT id, account, name, handle, data, made, used, asked FROM factor_passkey WHERE account = $1 ORDER BY made, id`, []any{account}, passkeys(&list))
	return list, err
}

func passkeyByID(ctx context.Context, v *act.View, id string) (Passkey, error) {
	var list []Passkey
	err := v.Each(ctx, `SELECT id, account, name, handle, data, made, used, asked FROM factor_passkey WHERE id = $1`, []any{id}, passkeys(&list))
	return one(list, id, err)
}

func passkeyByHandle(ctx context.Context, v *act.View, handle string) (Passkey, error) {
	var list []Passkey
	err := v.Each(ctx, `SELECT id, account, name, handle, data, made, used, asked FROM factor_passkey WHERE handle = $1`, []any{handle}, passkeys(&list))
	return one(list, handle, err)
}

func one(list []Passkey, id string, err error) (Passkey, error) {
	if err == nil && len(list) == 0 {
		err = core.Errorf(core.NotFound, "there is no passkey %.40q", id)
	}
	if err != nil {
		return Passkey{}, err
	}
	return list[0], nil
}

func insertPasskey(ctx context.Context, tx *act.Tx, p Passkey) error {
	_, err := tx.Exec(ctx, `INSERT INTO factor_passkey (id, account, name, handle, data, made, used, asked) VALUES ($1, $2, $3, $4, $5, $6, 0, $7)`,
		p.ID, p.account, p.Name, p.handle, p.data, core.Micros(p.Made), core.Micros(p.asked))
	return err
}

// spendPasskey notes what a passkey answered; false: it answered a later challenge
// meanwhile, or is gone.
func spendPasskey(ctx context.Context, tx *act.Tx, p Passkey) (bool, error) {
	n, err := tx.Exec(ctx, `UPDATE factor_passkey SET data = $1, used = $2, asked = $3 WHERE id = $4 AND asked < $3`,
		p.data, tx.Now().UnixMicro(), core.Micros(p.asked), p.ID)
	return n == 1, err
}

func removePasskey(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM factor_passkey WHERE id = $1`, id)
	return err
}

func codesOf(ctx context.Context, v *act.View, account string) (r recoveryState, err error) {
	r.Account = account
	err = v.Each(ctx, `SELECT hash, made FROM factor_recovery WHERE account = $1 ORDER BY hash`, []any{account}, func(scan func(dest ...any) error) error {
		var hash string
		err := scan(&hash, &r.Made)
		r.Hashes = append(r.Hashes, hash)
		return err
	})
	return r, err
}

func insertCode(ctx context.Context, tx *act.Tx, account, hash string) error {
	_, err := tx.Exec(ctx, `INSERT INTO factor_recovery (account, hash, made) VALUES ($1, $2, $3)`, account, hash, tx.Now().UnixMicro())
	return err
}

// spendCode uses a recovery code up; false: somebody did.
func spendCode(ctx context.Context, tx *act.Tx, account, hash string) (bool, error) {
	n, err := tx.Exec(ctx, `DELETE FROM factor_recovery WHERE account = $1 AND hash = $2`, account, hash)
	return n == 1, err
}

func removeCodes(ctx context.Context, tx *act.Tx, account string) (int64, error) {
	return tx.Exec(ctx, `DELETE FROM factor_recovery WHERE account = $1`, account)
}

// counted is how many factors an account has, and whether they were reset.
func counted(ctx context.Context, v *act.View, account string) (factors int, reset bool, err error) {
	var n int
	_, err = v.Get(ctx, `SELECT (SELECT count(*) FROM factor_totp WHERE account = $1 AND confirmed > 0) + (SELECT count(*) FROM factor_passkey WHERE account = $1),
		(SELECT count(*) FROM factor_reset WHERE account = $1)`, []any{account}, &factors, &n)
	return factors, n > 0, err
}

// equipped returns every account with a factor.
func equipped(ctx context.Context, v *act.View) (map[string]bool, error) {
	all := map[string]bool{}
	err := v.Each(ctx, `SELECT account FROM factor_totp WHERE confirmed > 0 UNION SELECT account FROM factor_passkey`, nil, func(scan func(dest ...any) error) error {
		var id string
		err := scan(&id)
		all[id] = true
		return err
	})
	return all, err
}

func resetAt(ctx context.Context, v *act.View, account string) (at int64, found bool, err error) {
	found, err = v.Get(ctx, `SELECT at FROM factor_reset WHERE account = $1`, []any{account}, &at)
	return at, found, err
}

func writeReset(ctx context.Context, tx *act.Tx, account string) error {
	_, err := tx.Exec(ctx, `INSERT INTO factor_reset (account, at) VALUES ($1, $2) ON CONFLICT (account) DO UPDATE SET at = excluded.at`, account, tx.Now().UnixMicro())
	return err
}

func removeReset(ctx context.Context, tx *act.Tx, account string) (bool, error) {
	n, err := tx.Exec(ctx, `DELETE FROM factor_reset WHERE account = $1`, account)
	return n > 0, err
}

// rules are what was set, one for each group.
func rules(ctx context.Context, v *act.View) ([]Rule, error) {
	set := map[string]Rule{}
	err := v.Each(ctx, `SELECT role, required, grace, since FROM factor_policy WHERE policy = 'policy'`, nil, func(scan func(dest ...any) error) error {
		var r Rule
		var required, since int64
		err := scan(&r.Group, &required, &r.Grace, &since)
		r.Required, r.Since = required != 0, core.At(since)
		set[r.Group] = r
		return err
	})
	list := make([]Rule, len(groups))
	for i, g := range groups {
		list[i] = set[g.Name]
		list[i].Group = g.Name
	}
	return list, err
}

func writeRule(ctx context.Context, tx *act.Tx, r Rule) error {
	required := 0
	if r.Required {
		required = 1
	}
	_, err := tx.Exec(ctx, `INSERT INTO factor_policy (policy, role, required, grace, since) VALUES ('policy', $1, $2, $3, $4)
		ON CONFLICT (policy, role) DO UPDATE SET required = excluded.required, grace = excluded.grace, since = excluded.since`,
		r.Group, required, r.Grace, core.Micros(r.Since))
	return err
}

func words(all *[]string) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var id string
		err := scan(&id)
		*all = append(*all, id)
		return err
	}
}

func totpIDs(ctx context.Context, v *act.View) (all []string, err error) {
	err = v.Each(ctx, `SELECT account FROM factor_totp ORDER BY account`, nil, words(&all))
	return all, err
}

func passkeyIDs(ctx context.Context, v *act.View) (all []string, err error) {
	err = v.Each(ctx, `SELECT id FROM factor_passkey ORDER BY id`, nil, words(&all))
	return all, err
}

func recoveryIDs(ctx context.Context, v *act.View) (all []string, err error) {
	err = v.Each(ctx, `SELECT DISTINCT account FROM factor_recovery ORDER BY account`, nil, words(&all))
	return all, err
}

func resetIDs(ctx context.Context, v *act.View) (all []string, err error) {
	err = v.Each(ctx, `SELECT account FROM factor_reset ORDER BY account`, nil, words(&all))
	return all, err
}

func policyIDs(ctx context.Context, v *act.View) (all []string, err error) {
	err = v.Each(ctx, `SELECT DISTINCT policy FROM factor_policy`, nil, words(&all))
	return all, err
}

func totpDigest(ctx context.Context, v *act.View, account string) (string, error) {
	a, found, err := appOf(ctx, v, account)
	if err != nil || !found {
		return "", err
	}
	return act.DigestOf(totpState{a.account, a.sealed, core.Micros(a.confirmed), a.last, a.pending, core.Micros(a.begun)})
}

func passkeyDigest(ctx context.Context, v *act.View, id string) (string, error) {
	p, err := passkeyByID(ctx, v, id)
	if core.CodeOf(err) == core.NotFound && err != nil {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	return act.DigestOf(passkeyState{p.ID, p.account, p.Name, p.handle, p.data, core.Micros(p.Made), core.Micros(p.Used), core.Micros(p.asked)})
}

func recoveryDigest(ctx context.Context, v *act.View, account string) (string, error) {
	r, err := codesOf(ctx, v, account)
	if err != nil || len(r.Hashes) == 0 {
		return "", err
	}
	return act.DigestOf(r)
}

func resetDigest(ctx context.Context, v *act.View, account string) (string, error) {
	at, found, err := resetAt(ctx, v, account)
	if err != nil || !found {
		return "", err
	}
	return act.DigestOf(resetState{account, at})
}

func policyDigest(ctx context.Context, v *act.View, _ string) (string, error) {
	list, err := rules(ctx, v)
	if err != nil {
		return "", err
	}
	ids, err := policyIDs(ctx, v)
	if err != nil || len(ids) == 0 {
		return "", err
	}
	return act.DigestOf(list)
}
