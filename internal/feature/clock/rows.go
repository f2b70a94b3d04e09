package clock

import (
	"context"
	"encoding/json"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

var self = core.Ref{Kind: "clock", ID: "clock"}

// read returns what the clock should go by, and whether anybody said so.
func read(ctx context.Context, v *act.View) (d Desired, said bool, err error) {
	var text string
	said, err = v.Get(ctx, `SELECT wish FROM clock_wish WHERE id = 'clock'`, nil, &text)
	if err != nil || !said {
		return defaults(), said, err
	}
	return d, said, json.Unmarshal([]byte(text), &d)
}

func write(ctx context.Context, tx *act.Tx, d Desired) error {
	text, err := json.Marshal(d)
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO clock_wish (id, wish) VALUES ('clock', $1) ON CONFLICT (id) DO UPDATE SET wish = excluded.wish`, string(text))
	return err
}

// standing is an alarm with its beginning.
type standingAlarm struct {
	Alarm
	Since int64 `json:"since"`
}

// alarms returns those that stand, the oldest first.
func alarms(ctx context.Context, v *act.View) (list []standingAlarm, err error) {
	err = v.Each(ctx, `SELECT code, about, text, since FROM clock_alarm WHERE clock_id = 'clock' ORDER BY since, code, about`, nil, func(scan func(...any) error) error {
		var a standingAlarm
		err := scan(&a.Code, &a.About, &a.Text, &a.Since)
		list = append(list, a)
		return err
	})
	return list, err
}

func begin(ctx context.Context, tx *act.Tx, a Alarm) error {
	_, err := tx.Exec(ctx, `INSERT INTO clock_alarm (clock_id, code, about, text, since) VALUES ('clock', $1, $2, $3, $4)`, a.Code, a.About, a.Text, tx.Now().UnixMicro())
	return err
}

func end(ctx context.Context, tx *act.Tx, a Alarm) error {
	_, err := tx.Exec(ctx, `DELETE FROM clock_alarm WHERE clock_id = 'clock' AND code = $1 AND about = $2`, a.Code, a.About)
	return err
}

// digest covers what should be and the alarms that stand.
func digest(ctx context.Context, v *act.View, _ string) (string, error) {
	var state struct {
		Wish   *Desired        `json:"wish"`
		Alarms []standingAlarm `json:"alarms"`
	}
	d, said, err := read(ctx, v)
	if err != nil {
		return "", err
	}
	if said {
		state.Wish = &d
	}
	if state.Alarms, err = alarms(ctx, v); err != nil || !said && state.Alarms == nil {
		return "", err
	}
	return act.DigestOf(state)
}

func ids(ctx context.Context, v *act.View) ([]string, error) {
	d, err := digest(ctx, v, self.ID)
	if d == "" {
		return nil, err
	}
	return []string{self.ID}, err
}

// Point is what was measured in a while.
type Point struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Looks   int       `json:"looks"`   // 0: chronyd said nothing
	Low     int64     `json:"low"`     // nanoseconds that the clock was ahead, at least
	High    int64     `json:"high"`    // and at most
	Stratum int       `json:"stratum"` // 0: it followed no source
	Usable  int       `json:"usable"`  // sources, at least
	Boot    string    `json:"-"`
	Up      int64     `json:"-"`
}

// Least is the offset in seconds, at least.
func (p Point) Least() float64 { return float64(p.Low) / 1e9 }

// Most is the offset in seconds, at most.
func (p Point) Most() float64 { return float64(p.High) / 1e9 }

const (
	dayForm = "2006-01-02"
	fine    = 7 * 24 * time.Hour   // for so long each point is kept,
	kept    = 400 * 24 * time.Hour // and the hours for so long
)

func dayOf(at time.Time) string { return at.UTC().Format(dayForm) }

func dayRef(day string) core.Ref { return core.Ref{Kind: "clockday", ID: day} }

// points returns what was measured between two times, in order.
func points(ctx context.Context, v *act.View, from, to time.Time) (list []Point, err error) {
	err = v.Each(ctx, `SELECT begun, ended, looks, low, high, stratum, usable, boot, up FROM clock_point WHERE begun >= $1 AND begun < $2 ORDER BY begun`,
		[]any{from.UnixMicro(), to.UnixMicro()}, func(scan func(...any) error) error {
			p, err := point(scan)
			list = append(list, p)
			return err
		})
	return list, err
}

func point(scan func(...any) error) (p Point, err error) {
	var begun, ended int64
	err = scan(&begun, &ended, &p.Looks, &p.Low, &p.High, &p.Stratum, &p.Usable, &p.Boot, &p.Up)
	p.From, p.To = core.At(begun), core.At(ended)
	return p, err
}

// dayPoints returns those of one day, in order.
func dayPoints(ctx context.Context, v *act.View, day string) (list []Point, err error) {
	err = v.Each(ctx, `SELECT begun, ended, looks, low, high, stratum, usable, boot, up FROM clock_point WHERE day = $1 ORDER BY begun`,
		[]any{day}, func(scan func(...any) error) error {
			p, err := point(scan)
			list = append(list, p)
			return err
		})
	return list, err
}

// insert keeps a point. Of two that begin at once, after the clock was set back, the
// later counts.
func insert(ctx context.Context, tx *act.Tx, day string, p Point) error {
	_, err := tx.Exec(ctx, `INSERT INTO clock_point (day, begun, ended, looks, low, high, stratum, usable, boot, up) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
		ON CONFLICT (day, begun) DO UPDATE SET ended = excluded.ended, looks = excluded.looks, low = excluded.low, high = excluded.high,
		stratum = excluded.stratum, usable = excluded.usable, boot = excluded.boot, up = excluded.up`,
		day, p.From.UnixMicro(), p.To.UnixMicro(), p.Looks, p.Low, p.High, p.Stratum, p.Usable, p.Boot, p.Up)
	return err
}

func dayOwner(ctx context.Context, v *act.View, id string) (string, error) {
	found, err := v.Get(ctx, `SELECT 1 FROM clock_point WHERE day = $1 LIMIT 1`, []any{id}, new(int))
	if err == nil && !found {
		err = core.Errorf(core.NotFound, "nothing was measured on %.20q", id)
	}
	return core.Provider, err
}

func dayDigest(ctx context.Context, v *act.View, id string) (string, error) {
	type state struct {
		Point
		Boot string `json:"boot"`
		Up   int64  `json:"up"`
	}
	list, err := dayPoints(ctx, v, id)
	if err != nil || list == nil {
		return "", err
	}
	var all []state
	for _, p := range list {
		all = append(all, state{p, p.Boot, p.Up})
	}
	return act.DigestOf(all)
}

func dayIDs(ctx context.Context, v *act.View) (list []string, err error) {
	err = v.Each(ctx, `SELECT DISTINCT day FROM clock_point`, nil, func(scan func(...any) error) error {
		var day string
		err := scan(&day)
		list = append(list, day)
		return err
	})
	return list, err
}

// old returns days with more than its hours that are before a day, some of them.
func old(ctx context.Context, v *act.View, before string, more int) (list []string, err error) {
	err = v.Each(ctx, `SELECT day FROM clock_point WHERE begun < $1 GROUP BY day HAVING COUNT(*) > $2 ORDER BY MIN(begun) LIMIT 5`,
		[]any{startOf(before), more}, func(scan func(...any) error) error {
			var day string
			err := scan(&day)
			list = append(list, day)
			return err
		})
	return list, err
}

func startOf(day string) int64 {
	t, _ := time.Parse(dayForm, day) // it was written by dayOf
	return t.UnixMicro()
}

func dropDay(ctx context.Context, tx *act.Tx, day string) (int64, error) {
	return tx.Exec(ctx, `DELETE FROM clock_point WHERE day = $1`, day)
}
