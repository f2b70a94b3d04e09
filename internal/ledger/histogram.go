package ledger

import (
	"context"
	"fmt"
	"slices"
	"time"
)

// Bar is one column of a histogram: records that began in [From, next From),
// by outcome. A record that stands for several attempts counts as that many.
type Bar struct {
	From   time.Time
	Counts map[Outcome]int64
}

// Histogram counts over time. Searched is false when the records were too many
// to look at each: the bars then show the newest ones only.
type Histogram struct {
	Bars     []Bar
	Searched bool
}

// histogramPatience is how many records a histogram decodes at most, some 200 ms.
const histogramPatience = 64 * 1024

// Histogram counts what f selects in [f.From, f.To) in n bars. With only time,
// class and outcome in f and bars of whole hours it reads sums; otherwise it
// looks at the records. With several tenants in scope a record that concerns
// two of them counts twice in sums.
func (b Browser) Histogram(ctx context.Context, r Reader, scope Scope, f Filter, n int) (Histogram, error) {
	width := f.To.Sub(f.From) / time.Duration(max(n, 1))
	if f.From.IsZero() || width < time.Microsecond {
		return Histogram{}, fmt.Errorf("a histogram needs a beginning, a later end and at least one bar")
	}
	h := Histogram{Bars: make([]Bar, n), Searched: true}
	for i := range h.Bars {
		h.Bars[i] = Bar{From: f.From.Add(time.Duration(i) * width), Counts: map[Outcome]int64{}}
	}
	add := func(at int64, outcome Outcome, count int64) {
		if i := int(time.UnixMicro(at).Sub(f.From) / width); i >= 0 && i < n {
			h.Bars[i].Counts[outcome] += count
		}
	}
	if summable(f, width) {
		return h, b.sum(ctx, r, scope, f, add)
	}
	q, err := b.query(ctx, r, scope, f)
	if err != nil {
		return h, fmt.Errorf("counting records: %w", err)
	}
	q.budget = histogramPatience
	_, h.Searched, err = q.run(ctx, r, func(_ int64, _ []byte, l *Leaf) (bool, error) {
		add(l.Time, l.Outcome, l.times())
		return true, nil
	})
	return h, err
}

// summable reports whether the sums by hour answer f.
func summable(f Filter, width time.Duration) bool {
	hours := f.From.Truncate(time.Hour).Equal(f.From) && width%time.Hour == 0
	f.From, f.To, f.Classes, f.Outcomes, f.Before, f.Limit = time.Time{}, time.Time{}, nil, nil, 0, 0
	none := len(f.Actions) == 0 && len(f.Doors) == 0 && f.Actor == "" && f.Name == "" && f.Address == "" &&
		f.Object.Kind == "" && f.Session == "" && f.Text == ""
	return hours && none
}

// sum adds up complete blocks from their sums and the rest one by one.
func (b Browser) sum(ctx context.Context, r Reader, scope Scope, f Filter, add func(int64, Outcome, int64)) error {
	tenants := scope.Tenants
	if scope.All {
		tenants = []string{everyTenant}
	}
	for _, t := range tenants {
		if err := readCounts(ctx, r, t, f, add); err != nil {
			return fmt.Errorf("counting records: %w", err)
		}
	}
	var blocks int64
	if err := r.QueryRow(ctx, `SELECT COALESCE(MAX(block) + 1, 0) FROM ledger_block`).Scan(&blocks); err != nil {
		return fmt.Errorf("counting records: %w", err)
	}
	q, err := b.query(ctx, r, scope, f)
	if err != nil {
		return fmt.Errorf("counting records: %w", err)
	}
	q.each = func(_ int64, _ []byte, l *Leaf) (bool, error) {
		add(l.Time, l.Outcome, l.times())
		return true, nil
	}
	return q.scan(ctx, r, blocks*BlockSize, q.before)
}

func readCounts(ctx context.Context, r Reader, tenant string, f Filter, add func(int64, Outcome, int64)) error {
	rows, err := r.Query(ctx, `SELECT hour, class, outcome, n FROM ledger_count WHERE tenant = $1 AND hour >= $2 AND hour < $3`,
		tenant, f.From.UnixMicro(), f.To.UnixMicro())
	if err != nil {
		return err
	}
	defer rows.Close()
	for rows.Next() {
		var hour, n int64
		var class string
		var outcome Outcome
		if err := rows.Scan(&hour, &class, &outcome, &n); err != nil {
			return err
		}
		if (len(f.Classes) == 0 || slices.Contains(f.Classes, class)) && (len(f.Outcomes) == 0 || slices.Contains(f.Outcomes, outcome)) {
			add(hour, outcome, n)
		}
	}
	return rows.Err()
}
