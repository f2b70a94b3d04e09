package login

import (
	"context"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// sessions appends each row of id, account, method, hash, started, seen, idle,
// expires, address, agent, proved, strong, linked, acting.
func sessions(list *[]Session) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var s Session
		var started, seen, idle, expires, proved, strong, linked int64
		err := scan(&s.ID, &s.Account, &s.Method, &s.hash, &started, &seen, &idle, &expires, &s.Address, &s.Agent, &proved, &strong, &linked, &s.Acting)
		s.Started, s.Seen, s.Expires, s.proved = core.At(started), core.At(seen), core.At(expires), core.At(proved)
		s.idle, s.strong, s.linked = time.Duration(idle)*time.Microsecond, strong != 0, linked != 0
		*list = append(*list, s)
		return err
	}
}

func sessionByID(ctx context.Context, v *act.View, id string) (Session, error) {
	var list []Session
	err := v.Each(ctx, `SELECT id, account, method, hash, started, seen, idle, expires, address, agent, proved, strong, linked, acting
		FROM login_session WHERE id = $1`, []any{id}, sessions(&list))
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
	err := v.Each(ctx, `SELECT id, account, method, hash, started, seen, idle, expires, address, agent, proved, strong, linked, acting
		FROM login_session WHERE hash = $1`, []any{hash}, sessions(&list))
	if err != nil || len(list) == 0 {
		return Session{}, false, err
	}
	return list[0], true, nil
}

// sessionsOf returns the sessions of an account, newest first.
func sessionsOf(ctx context.Context, v *act.View, account string) ([]Session, error) {
	list := []Session{}
	err := v.Each(ctx, `SELECT id, account, method, hash, started, seen, idle, expires, address, agent, proved, strong, linked, acting
		FROM login_session WHERE account = $1 ORDER BY started DESC, id`, []any{account}, sessions(&list))
	return list, err
}

// sessionsActing returns the sessions in which somebody acts as an account.
func sessionsActing(ctx context.Context, v *act.View, account string) ([]Session, error) {
	var list []Session
	err := v.Each(ctx, `SELECT id, account, method, hash, started, seen, idle, expires, address, agent, proved, strong, linked, acting
		FROM login_session WHERE acting = $1 ORDER BY id`, []any{account}, sessions(&list))
	return list, err
}

// sessionsOver returns sessions that ended by themselves.
func sessionsOver(ctx context.Context, v *act.View, most int) ([]Session, error) {
	var list []Session
	err := v.Each(ctx, `SELECT id, account, method, hash, started, seen, idle, expires, address, agent, proved, strong, linked, acting
		FROM login_session WHERE expires <= $1 OR seen + idle <= $1 ORDER BY expires LIMIT $2`, []any{v.Now().UnixMicro(), most}, sessions(&list))
	return list, err
}

func insertSession(ctx context.Context, tx *act.Tx, s Session) error {
	_, err := tx.Exec(ctx, `INSERT INTO login_session (id, account, method, hash, started, seen, idle, expires, address, agent, proved, strong, linked, acting)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, 0, '')`, s.ID, s.Account, s.Method, s.hash, core.Micros(s.Started), core.Micros(s.Seen),
		s.idle.Microseconds(), core.Micros(s.Expires), s.Address, s.Agent, core.Micros(s.proved), bit(s.strong))
	return err
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// writeProof keeps how a session was proved last, and its new token.
func writeProof(ctx context.Context, tx *act.Tx, s Session) error {
	_, err := tx.Exec(ctx, `UPDATE login_session SET hash = $1, method = $2, proved = $3, strong = $4, linked = $5, expires = $6 WHERE id = $7`,
		s.hash, s.Method, core.Micros(s.proved), bit(s.strong), bit(s.linked), core.Micros(s.Expires), s.ID)
	return err
}

func writeActing(ctx context.Context, tx *act.Tx, id, account string) error {
	_, err := tx.Exec(ctx, `UPDATE login_session SET acting = $1 WHERE id = $2`, account, id)
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

// setups appends each row of id, account, hash, purpose, created, expires, used.
func setups(list *[]setup) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var s setup
		var created, expires, used int64
		err := scan(&s.id, &s.account, &s.hash, &s.purpose, &created, &expires, &used)
		s.created, s.expires, s.used = core.At(created), core.At(expires), core.At(used)
		*list = append(*list, s)
		return err
	}
}

func setupByID(ctx context.Context, v *act.View, id string) (setup, bool, error) {
	var list []setup
	err := v.Each(ctx, `SELECT id, account, hash, purpose, created, expires, used FROM login_setup WHERE id = $1`, []any{id}, setups(&list))
	if err != nil || len(list) == 0 {
		return setup{}, false, err
	}
	return list[0], true, nil
}

func setupByHash(ctx context.Context, v *act.View, hash string) (setup, bool, error) {
	var list []setup
	err := v.Each(ctx, `SELECT id, account, hash, purpose, created, expires, used FROM login_setup WHERE hash = $1`, []any{hash}, setups(&list))
	if err != nil || len(list) == 0 {
		return setup{}, false, err
	}
	return list[0], true, nil
}

// setupsOf returns every link of an account; "" has those for the first administrator.
func setupsOf(ctx context.Context, v *act.View, account string) ([]setup, error) {
	var list []setup
	err := v.Each(ctx, `SELECT id, account, hash, purpose, created, expires, used FROM login_setup WHERE account = $1 ORDER BY id`, []any{account}, setups(&list))
	return list, err
}

// setupsOver returns links that nobody needs to be told about any more.
func setupsOver(ctx context.Context, v *act.View, most int) ([]setup, error) {
	var list []setup
	err := v.Each(ctx, `SELECT id, account, hash, purpose, created, expires, used FROM login_setup WHERE expires <= $1 ORDER BY expires LIMIT $2`,
		[]any{v.Now().Add(-setupMemory).UnixMicro(), most}, setups(&list))
	return list, err
}

func insertSetup(ctx context.Context, tx *act.Tx, s setup) error {
	_, err := tx.Exec(ctx, `INSERT INTO login_setup (id, account, hash, purpose, created, expires, used) VALUES ($1, $2, $3, $4, $5, $6, 0)`,
		s.id, s.account, s.hash, s.purpose, core.Micros(s.created), core.Micros(s.expires))
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
	found, err := v.Get(ctx, `SELECT phc, changed, failures, failed, judged, weak FROM login_credential WHERE account = $1`, []any{account},
		&c.phc, &c.changed, &c.failures, &c.failed, &c.judged, &c.weak)
	return c, found, err
}

// inPlain returns passwords that are kept in plain text.
func inPlain(ctx context.Context, v *act.View, most int) (list []credential, err error) {
	err = v.Each(ctx, `SELECT account, phc FROM login_credential WHERE upper(substr(phc, 1, 7)) = '{PLAIN}' ORDER BY account LIMIT $1`, []any{most},
		func(scan func(dest ...any) error) error {
			var c credential
			err := scan(&c.account, &c.phc)
			list = append(list, c)
			return err
		})
	return list, err
}

// setCredential replaces the password and forgets the failures.
func setCredential(ctx context.Context, tx *act.Tx, account string, f fresh) error {
	_, err := tx.Exec(ctx, `INSERT INTO login_credential (account, phc, changed, failures, failed, judged, weak) VALUES ($1, $2, $3, 0, 0, $4, '')
		ON CONFLICT (account) DO UPDATE SET phc = excluded.phc, changed = excluded.changed, failures = 0, failed = 0, judged = excluded.judged, weak = ''`,
		account, f.phc, tx.Now().UnixMicro(), f.judged)
	return err
}

func setJudged(ctx context.Context, tx *act.Tx, account, judged, weak string) error {
	_, err := tx.Exec(ctx, `UPDATE login_credential SET judged = $1, weak = $2 WHERE account = $3`, judged, weak, account)
	return err
}

// census counts passwords: all, those found good under a demand, those that must
// be changed.
func census(ctx context.Context, v *act.View, demand string) (total, good, weak int, err error) {
	_, err = v.Get(ctx, `SELECT count(*), coalesce(sum(CASE WHEN weak = '' AND judged IN ($1, $2) THEN 1 ELSE 0 END), 0),
		coalesce(sum(CASE WHEN weak <> '' THEN 1 ELSE 0 END), 0) FROM login_credential`, []any{asked(demand, false), asked(demand, true)}, &total, &good, &weak)
	return total, good, weak, err
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
	var last, until, kept int64
	_, err := v.Get(ctx, `SELECT failures, last, until, kept FROM login_throttle WHERE key = $1`, []any{key}, &b.failures, &last, &until, &kept)
	b.last, b.until, b.kept = core.At(last), core.At(until), core.At(kept)
	return b, err
}

func setBurden(ctx context.Context, tx *act.Tx, key string, b burden) error {
	_, err := tx.Exec(ctx, `INSERT INTO login_throttle (key, door, failures, last, until, kept) VALUES ($1, 'login', $2, $3, $4, $5)
		ON CONFLICT (key) DO UPDATE SET failures = excluded.failures, last = excluded.last, until = excluded.until, kept = excluded.kept`,
		key, b.failures, core.Micros(b.last), core.Micros(b.until), core.Micros(b.kept))
	return err
}

func deleteBurden(ctx context.Context, tx *act.Tx, key string) (bool, error) {
	n, err := tx.Exec(ctx, `DELETE FROM login_throttle WHERE key = $1`, key)
	return n > 0, err
}

// forgetBurdens removes what counts no more.
func forgetBurdens(ctx context.Context, tx *act.Tx) error {
	_, err := tx.Exec(ctx, `DELETE FROM login_throttle WHERE kept <= $1`, tx.Now().UnixMicro())
	return err
}

// devices appends each row of id, account, hash, agent, address, made, seen, failures.
func devices(list *[]Device) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		var d Device
		var made, seen int64
		err := scan(&d.ID, &d.account, &d.hash, &d.Agent, &d.Address, &made, &seen, &d.failures)
		d.Made, d.Seen = core.At(made), core.At(seen)
		*list = append(*list, d)
		return err
	}
}

func oneDevice(list []Device, err error) (Device, bool, error) {
	if err != nil || len(list) == 0 {
		return Device{}, false, err
	}
	return list[0], true, nil
}

func deviceByID(ctx context.Context, v *act.View, id string) (Device, bool, error) {
	var list []Device
	err := v.Each(ctx, `SELECT id, account, hash, agent, address, made, seen, failures FROM login_device WHERE id = $1`, []any{id}, devices(&list))
	return oneDevice(list, err)
}

func deviceByHash(ctx context.Context, v *act.View, hash string) (Device, bool, error) {
	var list []Device
	err := v.Each(ctx, `SELECT id, account, hash, agent, address, made, seen, failures FROM login_device WHERE hash = $1`, []any{hash}, devices(&list))
	return oneDevice(list, err)
}

// devicesOf returns the devices of an account, the last seen first.
func devicesOf(ctx context.Context, v *act.View, account string) ([]Device, error) {
	list := []Device{}
	err := v.Each(ctx, `SELECT id, account, hash, agent, address, made, seen, failures FROM login_device WHERE account = $1 ORDER BY seen DESC, id`, []any{account}, devices(&list))
	return list, err
}

func insertDevice(ctx context.Context, tx *act.Tx, d Device) error {
	_, err := tx.Exec(ctx, `INSERT INTO login_device (id, account, hash, agent, address, made, seen, failures) VALUES ($1, $2, $3, $4, $5, $6, $6, 0)`,
		d.ID, d.account, d.hash, d.Agent, d.Address, core.Micros(d.Made))
	return err
}

// touchDevice notes a log-in from a device, and forgets what failed before.
func touchDevice(ctx context.Context, tx *act.Tx, id, address string) error {
	_, err := tx.Exec(ctx, `UPDATE login_device SET seen = $1, address = $2, failures = 0 WHERE id = $3`, tx.Now().UnixMicro(), address, id)
	return err
}

// blameDevice keeps how often log-ins from a device failed; it was not seen by that.
func blameDevice(ctx context.Context, tx *act.Tx, id string, failures int) error {
	_, err := tx.Exec(ctx, `UPDATE login_device SET failures = $1 WHERE id = $2`, failures, id)
	return err
}

func deleteDevice(ctx context.Context, tx *act.Tx, id string) error {
	_, err := tx.Exec(ctx, `DELETE FROM login_device WHERE id = $1`, id)
	return err
}

func deviceIDs(ctx context.Context, v *act.View) ([]string, error) {
	var all []string
	err := v.Each(ctx, `SELECT id FROM login_device ORDER BY id`, nil, words(&all))
	return all, err
}

// limitsNow returns the limits in force, and whether somebody set them.
func limitsNow(ctx context.Context, v *act.View) (Limits, bool, error) {
	x := defaults()
	found, err := v.Get(ctx, `SELECT failures, admin_idle, admin_total, reseller_idle, reseller_total, customer_idle, customer_total
		FROM login_limits WHERE id = 'limits'`, nil, &x.Failures, &x.AdminIdle, &x.AdminTotal, &x.ResellerIdle, &x.ResellerTotal, &x.CustomerIdle, &x.CustomerTotal)
	return x, found, err
}

func writeLimits(ctx context.Context, tx *act.Tx, x Limits) error {
	_, err := tx.Exec(ctx, `INSERT INTO login_limits (id, failures, admin_idle, admin_total, reseller_idle, reseller_total, customer_idle, customer_total)
		VALUES ('limits', $1, $2, $3, $4, $5, $6, $7) ON CONFLICT (id) DO UPDATE SET failures = excluded.failures, admin_idle = excluded.admin_idle,
		admin_total = excluded.admin_total, reseller_idle = excluded.reseller_idle, reseller_total = excluded.reseller_total,
		customer_idle = excluded.customer_idle, customer_total = excluded.customer_total`,
		x.Failures, x.AdminIdle, x.AdminTotal, x.ResellerIdle, x.ResellerTotal, x.CustomerIdle, x.CustomerTotal)
	return err
}

func limitsDigest(ctx context.Context, v *act.View, _ string) (string, error) {
	x, found, err := limitsNow(ctx, v)
	if err != nil || !found {
		return "", err
	}
	return act.DigestOf(x)
}

func limitsIDs(ctx context.Context, v *act.View) ([]string, error) {
	_, found, err := limitsNow(ctx, v)
	if err != nil || !found {
		return nil, err
	}
	return []string{limitsRef.ID}, nil
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
