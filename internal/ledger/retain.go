package ledger

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Rules say how long personal values are kept, by retention kind. Zero: as
// long as the record.
type Rules struct {
	Identity time.Duration
	Address  time.Duration
	Record   time.Duration
}

// DefaultRules are those of SPEC L5.
var DefaultRules = Rules{Identity: 365 * 24 * time.Hour, Address: 90 * 24 * time.Hour}

func (r Rules) of(kind string) time.Duration {
	switch kind {
	case KindIdentity:
		return r.Identity
	case KindAddress:
		return r.Address
	case KindRecord:
		return r.Record
	}
	return 0
}

// Hold keeps personal values that are due for erasure (SPEC L5): those of
// records in a span of time, of one tenant or, with Tenant "", of all.
type Hold struct {
	ID       string
	Tenant   string
	From, To time.Time // From included, To not; zero: no bound
	Reason   string
}

// AddHold begins a hold.
func AddHold(ctx context.Context, tx Tx, h Hold) error {
	to := int64(1<<62 - 1)
	if !h.To.IsZero() {
		to = h.To.UnixMicro()
	}
	_, err := tx.Exec(ctx, `INSERT INTO ledger_hold (id, tenant, from_time, to_time, reason) VALUES ($1, $2, $3, $4, $5)`,
		h.ID, h.Tenant, moment(h.From), to, storable(h.Reason))
	if err != nil {
		return fmt.Errorf("adding a legal hold: %w", err)
	}
	return nil
}

// EndHold ends a hold; false: there was none.
func EndHold(ctx context.Context, tx Tx, id string) (bool, error) {
	n, err := tx.Exec(ctx, `DELETE FROM ledger_hold WHERE id = $1`, id)
	if err != nil {
		return false, fmt.Errorf("ending a legal hold: %w", err)
	}
	return n > 0, nil
}

// Holds lists the holds, by id.
func Holds(ctx context.Context, r Reader) ([]Hold, error) {
	spans, err := readHolds(ctx, r)
	if err != nil {
		return nil, err
	}
	list := make([]Hold, len(spans))
	for i, s := range spans {
		list[i] = s.Hold
	}
	return list, nil
}

// span is a Hold with its times in microseconds.
type span struct {
	Hold
	from, to int64
}

func (s span) keeps(l *Leaf) bool {
	return l.Time >= s.from && l.Time < s.to &&
		(s.Tenant == "" || slices.ContainsFunc(l.Tenants, func(t TenantLink) bool { return t.ID == s.Tenant }))
}

func readHolds(ctx context.Context, r Reader) ([]span, error) {
	rows, err := r.Query(ctx, `SELECT id, tenant, from_time, to_time, reason FROM ledger_hold ORDER BY id`)
	if err != nil {
		return nil, fmt.Errorf("reading legal holds: %w", err)
	}
	defer rows.Close()
	var list []span
	for rows.Next() {
		var s span
		if err := rows.Scan(&s.ID, &s.Tenant, &s.from, &s.to, &s.Reason); err != nil {
			return nil, fmt.Errorf("reading legal holds: %w", err)
		}
		if s.from > 0 {
			s.From = time.UnixMicro(s.from).UTC()
		}
		if s.to < 1<<62-1 {
			s.To = time.UnixMicro(s.to).UTC()
		}
		list = append(list, s)
	}
	return list, rows.Err()
}

// Erasure is what Erase did.
type Erasure struct {
	Counts map[string]int64 // values erased, by period
	Held   int64            // rows that a hold has kept, of those looked at
	Over   []string         // periods that are over and empty: their keys may go
	More   bool             // there is more to do: call again
}

// Total is the number of rows erased.
func (e Erasure) Total() int64 {
	var n int64
	for _, c := range e.Counts {
		n += c
	}
	return n
}

// Events describe the erasure for its record; without any, nothing was erased
// and there is nothing to record.
func (e Erasure) Events() []Event {
	var list []Event
	for _, period := range sortedKeys(e.Counts) {
		list = append(list, logEvent(ErasedEvent, plain("period", period), plain("count", strconv.FormatInt(e.Counts[period], 10))))
	}
	return list
}

// DropKeys destroys the keys of the periods that are over, so that copies in
// backups are unreadable too. Call it after COMMIT; every later Erase names
// them again, so a crash in between costs nothing.
func (e Erasure) DropKeys(ctx context.Context, keys Keys) error {
	var errs []error
	for _, p := range e.Over {
		errs = append(errs, keys.DropPeriod(ctx, p))
	}
	return errors.Join(errs...)
}

// Erase deletes up to limit personal values whose time is over and that no
// hold keeps. Proofs stay valid: a leaf holds commitments only. It goes by
// blocks of 256 records: a value goes with the first run after the youngest
// record of its block is due.
func Erase(ctx context.Context, tx Tx, now time.Time, rules Rules, limit int) (Erasure, error) {
	e := Erasure{Counts: map[string]int64{}}
	holds, err := readHolds(ctx, tx)
	if err != nil {
		return e, err
	}
	periods, err := readPeriods(ctx, tx)
	if err != nil {
		return e, fmt.Errorf("reading periods: %w", err)
	}
	for _, p := range periods {
		keep := rules.of(kindOf(p))
		if keep == 0 {
			continue
		}
		bound, err := dueBelow(ctx, tx, now.Add(-keep))
		if err != nil {
			return e, err
		}
		if err := e.erase(ctx, tx, p, bound, holds, limit-int(e.Total())); err != nil {
			return e, fmt.Errorf("erasing personal values of %s: %w", p, err)
		}
		if e.More = e.Total() >= int64(limit); e.More {
			return e, nil
		}
	}
	e.Over, err = over(ctx, tx, now, rules, periods)
	return e, err
}

func kindOf(period string) string {
	kind, _, _ := strings.Cut(period, "/")
	return kind
}

// dueBelow returns the seq below which every record of a complete block is older than before.
func dueBelow(ctx context.Context, r Reader, before time.Time) (int64, error) {
	var young sql.NullInt64
	if err := r.QueryRow(ctx, `SELECT MIN(block) FROM ledger_block WHERE last_time >= $1`, before.UnixMicro()).Scan(&young); err != nil {
		return 0, fmt.Errorf("finding records that are due: %w", err)
	}
	if young.Valid {
		return young.Int64 * BlockSize, nil
	}
	next, err := countEntries(ctx, r)
	if err != nil || next == 0 {
		return 0, err
	}
	return dueInTail(ctx, r, next/BlockSize*BlockSize, before.UnixMicro())
}

// dueInTail counts on through the records that no block sums up yet.
func dueInTail(ctx context.Context, r Reader, from, before int64) (int64, error) {
	bound := from
	young := errors.New("young enough")
	err := eachLeaf(ctx, r, from, func(seq int64, leaf []byte) error {
		l, err := DecodeLeaf(leaf)
		if err == nil && l.Time >= before {
			return young
		}
		bound = seq + 1
		return err
	})
	if errors.Is(err, young) {
		err = nil
	}
	return bound, err
}

// erase deletes rows of one period below a seq.
func (e *Erasure) erase(ctx context.Context, tx Tx, period string, bound int64, holds []span, limit int) error {
	after, err := firstOf(ctx, tx, period)
	if err != nil {
		return err
	}
	for after--; limit > 0; {
		ids, err := readIDs(ctx, tx, period, after, bound*8, min(limit, 512))
		if err != nil || len(ids) == 0 {
			return err
		}
		after = ids[len(ids)-1]
		for _, id := range ids {
			held, err := isHeld(ctx, tx, id/8, holds)
			if err != nil {
				return err
			}
			if held {
				e.Held++
				continue
			}
			if _, err := tx.Exec(ctx, `DELETE FROM ledger_personal WHERE id = $1`, id); err != nil {
				return err
			}
			e.Counts[period]++
			limit--
		}
	}
	return nil
}

func firstOf(ctx context.Context, r Reader, period string) (id int64, err error) {
	return id, r.QueryRow(ctx, `SELECT first FROM ledger_period WHERE period = $1`, period).Scan(&id)
}

// readIDs reads along the primary key: rows of one period lie within a month.
func readIDs(ctx context.Context, r Reader, period string, after, below int64, limit int) ([]int64, error) {
	rows, err := r.Query(ctx, `SELECT id FROM ledger_personal WHERE period = $1 AND id > $2 AND id < $3 ORDER BY id LIMIT $4`,
		period, after, below, limit)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var ids []int64
	for rows.Next() {
		var id int64
		if err := rows.Scan(&id); err != nil {
			return nil, err
		}
		ids = append(ids, id)
	}
	return ids, rows.Err()
}

func isHeld(ctx context.Context, r Reader, seq int64, holds []span) (bool, error) {
	if len(holds) == 0 {
		return false, nil
	}
	list, err := readRange(ctx, r, seq, seq+1)
	if err != nil || len(list) == 0 {
		return false, err
	}
	l, err := DecodeLeaf(list[0].leaf)
	if err != nil {
		return true, nil // unreadable: what it belongs to cannot be told, so it stays
	}
	return slices.ContainsFunc(holds, func(s span) bool { return s.keeps(l) }), nil
}

// over finds the periods whose last day is due and that have no row left, and
// returns them with those found before. A clock that went back may have spread
// a period's rows, so the whole table is asked, once in the life of each.
func over(ctx context.Context, tx Tx, now time.Time, rules Rules, periods []string) ([]string, error) {
	for _, p := range periods {
		if !rules.past(p, now) {
			continue
		}
		_, err := tx.Exec(ctx, `UPDATE ledger_period SET over = 1 WHERE period = $1
			AND NOT EXISTS (SELECT 1 FROM ledger_personal WHERE ledger_personal.period = ledger_period.period)`, p)
		if err != nil {
			return nil, fmt.Errorf("looking for values of %s: %w", p, err)
		}
	}
	list, err := readOver(ctx, tx)
	// The mark alone destroys no key: somebody may have set it by hand.
	return slices.DeleteFunc(list, func(p string) bool { return !rules.past(p, now) }), err
}

// past reports whether everything of a period is due: its month is over, and
// the time to keep it too.
func (r Rules) past(period string, now time.Time) bool {
	keep := r.of(kindOf(period))
	m, err := time.Parse("2006-01", period[strings.IndexByte(period, '/')+1:])
	return err == nil && keep > 0 && !m.AddDate(0, 1, 0).Add(keep).After(now)
}

func readOver(ctx context.Context, r Reader) ([]string, error) {
	rows, err := r.Query(ctx, `SELECT period FROM ledger_period WHERE over = 1`)
	if err != nil {
		return nil, fmt.Errorf("reading periods: %w", err)
	}
	defer rows.Close()
	var list []string
	for rows.Next() {
		var p string
		if err := rows.Scan(&p); err != nil {
			return nil, fmt.Errorf("reading periods: %w", err)
		}
		list = append(list, p)
	}
	slices.Sort(list)
	return list, rows.Err()
}
