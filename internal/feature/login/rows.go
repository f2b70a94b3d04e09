package login

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

// sessions appends each row of id, account, hash, started, seen, idle, expires, address, agent.
func sessions(list *[]Session) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var s Session
		var started, seen, idle, expires int64
		err := scan(&s.ID, &s.Account, &s.hash, &started, &seen, &idle, &expires, &s.Address, &s.Agent)
		s.Started, s.Seen, s.Expires = at(started), at(seen), at(expires)
		s.idle = time.Duration(idle) * time.Microsecond
		*list = append(*list, s)
		return err
	}
}

func sessionByID(ctx context.Context, v *act.View, id string) (Session, error) {
	var list []Session
	err := v.Each(ctx, `SELECT id, account, hash, started, seen, idle, expires, address, agent FROM login_session WHERE id = $1`, []any{id}, sessions(&list))
	if err != nil {
		return Session{}, err
	}
	if len(list) == 0 {
		return Session{}, core.Errorf(core.NotFound, "there is no session %q", clip(id))
	}
	return list[0], nil
}

// sessionByHash reports whether a token opens a session, over or not.
func sessionByHash(ctx context.Context, v *act.View, hash string) (Session, bool, error) {
	var list []Session
	err := v.Each(ctx, `SELECT id, account, hash, started, seen, idle, expires, address, agent FROM login_session WHERE hash = $1`, []any{hash}, sessions(&list))
	if err != nil || len(list) == 0 {
		return Session{}, false, err
	}
	return list[0], true, nil
}

// sessionsOf returns the sessions of an account, newest first.
func sessionsOf(ctx context.Context, v *act.View, account string) ([]Session, error) {
	list := []Session{}
	err := v.Each(ctx, `SELECT id, account, hash, started, seen, idle, expires, address, agent FROM login_session
		WHERE account = $1 ORDER BY started DESC, id`, []any{account}, sessions(&list))
	return list, err
}

// sessionsOver returns sessions that ended by themselves.
func sessionsOver(ctx context.Context, v *act.View, most int) ([]Session, error) {
	var list []Session
	err := v.Each(ctx, `SELECT id, account, hash, started, seen, idle, expires, address, agent FROM login_session
		WHERE expires <= $1 OR seen + idle <= $1 ORDER BY expires LIMIT $2`, []any{v.Now().UnixMicro(), most}, sessions(&list))
	return list, err
}

func insertSession(ctx context.Context, tx *act.Tx, s Session) error {
	_, err := tx.Exec(ctx, `INSERT INTO login_session (id, account, hash, started, seen, idle, expires, address, agent)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)`, s.ID, s.Account, s.hash, micros(s.Started), micros(s.Seen),
		s.idle.Microseconds(), micros(s.Expires), s.Address, s.Agent)
	return err
}

func renewSession(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `UPDATE login_session SET seen = $1 WHERE id = $2`, tx.Now().UnixMicro(), id)
	return err
}

func deleteSession(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM login_session WHERE id = $1`, id)
	return err
}

// setups appends each row of id, account, hash, created, expires, used.
func setups(list *[]setup) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var s setup
		var created, expires, used int64
		err := scan(&s.id, &s.account, &s.hash, &created, &expires, &used)
		s.created, s.expires, s.used = at(created), at(expires), at(used)
		*list = append(*list, s)
		return err
	}
}

func setupByID(ctx context.Context, v *act.View, id string) (setup, bool, error) {
	var list []setup
	err := v.Each(ctx, `SELECT id, account, hash, created, expires, used FROM login_setup WHERE id = $1`, []any{id}, setups(&list))
	if err != nil || len(list) == 0 {
		return setup{}, false, err
	}
	return list[0], true, nil
}

func setupByHash(ctx context.Context, v *act.View, hash string) (setup, bool, error) {
	var list []setup
	err := v.Each(ctx, `SELECT id, account, hash, created, expires, used FROM login_setup WHERE hash = $1`, []any{hash}, setups(&list))
	if err != nil || len(list) == 0 {
		return setup{}, false, err
	}
	return list[0], true, nil
}

// setupsOf returns every link of an account; "" has those for the first administrator.
func setupsOf(ctx context.Context, v *act.View, account string) ([]setup, error) {
	var list []setup
	err := v.Each(ctx, `SELECT id, account, hash, created, expires, used FROM login_setup WHERE account = $1 ORDER BY id`, []any{account}, setups(&list))
	return list, err
}

// setupsOver returns links that nobody needs to be told about any more.
func setupsOver(ctx context.Context, v *act.View, most int) ([]setup, error) {
	var list []setup
	err := v.Each(ctx, `SELECT id, account, hash, created, expires, used FROM login_setup WHERE expires <= $1 ORDER BY expires LIMIT $2`,
		[]any{v.Now().Add(-setupMemory).UnixMicro(), most}, setups(&list))
	return list, err
}

func insertSetup(ctx context.Context, tx *act.Tx, s setup) error {
	_, err := tx.Exec(ctx, `INSERT INTO login_setup (id, account, hash, created, expires, used) VALUES ($1, $2, $3, $4, $5, 0)`,
		s.id, s.account, s.hash, micros(s.created), micros(s.expires))
	return err
}

// useSetup claims a link; false: somebody else did.
func useSetup(ctx context.Context, tx *act.Tx, id string) (bool, error) {
	n, err := tx.Exec(ctx, `UPDATE login_setup SET used = $1 WHERE id = $2 AND used = 0`, tx.Now().UnixMicro(), id)
	return n == 1, err
}

func deleteSetup(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM login_setup WHERE id = $1`, id)
	return err
}

func credentialOf(ctx context.Context, v *act.View, account string) (credential, bool, error) {
	c := credential{account: account}
	found, err := v.Get(ctx, `SELECT phc, changed, failures, failed FROM login_credential WHERE account = $1`, []any{account},
		&c.phc, &c.changed, &c.failures, &c.failed)
	return c, found, err
}

// setCredential replaces the password and forgets the failures.
func setCredential(ctx context.Context, tx *act.Tx, account, phc string) error {
	_, err := tx.Exec(ctx, `INSERT INTO login_credential (account, phc, changed, failures, failed) VALUES ($1, $2, $3, 0, 0)
		ON CONFLICT (account) DO UPDATE SET phc = excluded.phc, changed = excluded.changed, failures = 0, failed = 0`,
		account, phc, tx.Now().UnixMicro())
	return err
}

// rehash keeps the password and stores what checks it at today's cost.
func rehash(ctx context.Context, tx *act.Tx, account, phc string) error {
	_, err := tx.Exec(ctx, `UPDATE login_credential SET phc = $1 WHERE account = $2`, phc, account)
	return err
}

func setFailures(ctx context.Context, tx *act.Tx, account string, n int, when int64) error {
	_, err := tx.Exec(ctx, `UPDATE login_credential SET failures = $1, failed = $2 WHERE account = $3`, n, when, account)
	return err
}

func deleteCredential(ctx context.Context, tx *act.Tx, account string) (bool, error) {
	n, err := tx.Exec(ctx, `DELETE FROM login_credential WHERE account = $1`, account)
	return n > 0, err
}

func burdenOf(ctx context.Context, v *act.View, key string) (burden, error) {
	var b burden
	var last, until int64
	_, err := v.Get(ctx, `SELECT failures, last, until FROM login_throttle WHERE key = $1`, []any{key}, &b.failures, &last, &until)
	b.last, b.until = at(last), at(until)
	return b, err
}

func setBurden(ctx context.Context, tx *act.Tx, key string, b burden) error {
	_, err := tx.Exec(ctx, `INSERT INTO login_throttle (key, door, failures, last, until) VALUES ($1, 'login', $2, $3, $4)
		ON CONFLICT (key) DO UPDATE SET failures = excluded.failures, last = excluded.last, until = excluded.until`,
		key, b.failures, micros(b.last), micros(b.until))
	return err
}

func deleteBurden(ctx context.Context, tx *act.Tx, key string) (bool, error) {
	n, err := tx.Exec(ctx, `DELETE FROM login_throttle WHERE key = $1`, key)
	return n > 0, err
}

// forgetBurdens removes what counts no more.
func forgetBurdens(ctx context.Context, tx *act.Tx) error {
	_, err := tx.Exec(ctx, `DELETE FROM login_throttle WHERE until <= $1`, tx.Now().Add(-window).UnixMicro())
	return err
}

func sessionIDs(ctx context.Context, v *act.View) ([]string, error) {
	var all []string
	err := v.Each(ctx, `SELECT id FROM login_session ORDER BY id`, nil, words(&all))
	return all, err
}

func setupIDs(ctx context.Context, v *act.View) ([]string, error) {
	var all []string
	err := v.Each(ctx, `SELECT id FROM login_setup ORDER BY id`, nil, words(&all))
	return all, err
}

func credentialIDs(ctx context.Context, v *act.View) ([]string, error) {
	var all []string
	err := v.Each(ctx, `SELECT account FROM login_credential ORDER BY account`, nil, words(&all))
	return all, err
}

func words(all *[]string) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var id string
		err := scan(&id)
		*all = append(*all, id)
		return err
	}
}

func clip(s string) string {
	if len(s) > 40 {
		return s[:40]
	}
	return s
}
