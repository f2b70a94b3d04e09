package clock

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// SampleIn is what was seen of the clock since the last time.
type SampleIn struct {
	From    int64   `json:"from" doc:"when the first look was, in microseconds since 1970 by this clock"`
	To      int64   `json:"to" doc:"when the last look was"`
	Looks   int     `json:"looks" doc:"how many of them told an offset"`
	Low     int64   `json:"low" doc:"nanoseconds that the clock was ahead, at least"`
	High    int64   `json:"high" doc:"and at most"`
	Stratum int     `json:"stratum" doc:"of the clock at the last look; 0: it followed no source"`
	Usable  int     `json:"usable" doc:"sources that could be used, at least"`
	Boot    string  `json:"boot" rule:"max=64" doc:"which boot of the machine it is"`
	Up      int64   `json:"up" doc:"microseconds since the boot, at the last look"`
	Jumped  int64   `json:"jumped" doc:"microseconds by which the clock was stepped; 0: it was not"`
	Alarms  []Alarm `json:"alarms" doc:"what is wrong at the last look"`
}

// JumpOf returns by how much the clock was stepped between two instants of one boot,
// in microseconds; 0 if it cannot be told from the noise of looking.
func JumpOf(before, after Instant) int64 {
	jump := (after.Wall - before.Wall) - (after.Up - before.Up)
	if before.Boot == "" || before.Boot != after.Boot || max(jump, -jump) <= leastJump+before.Slack+after.Slack {
		return 0
	}
	return jump
}

// leastJump is the smallest step that is told from the noise, in microseconds.
const leastJump = 100_000

// Instant is a time by the clock and by the time since boot, in microseconds.
type Instant struct {
	Boot            string
	Wall, Up, Slack int64
}

// Instant is when it was seen.
func (o Observed) Instant() Instant { return Instant{o.Boot, o.Wall.UnixMicro(), o.Up, o.Slack} }

// Add takes one more look into a sample.
func (in *SampleIn) Add(o Observed) {
	if in.From == 0 {
		in.From, in.Usable = o.Wall.UnixMicro(), math.MaxInt
	}
	in.To, in.Boot, in.Up, in.Stratum, in.Usable = o.Wall.UnixMicro(), o.Boot, o.Up, o.Tracking.Stratum, min(in.Usable, o.Usable())
	if !o.Tracking.Synchronised() {
		return
	}
	offset := int64(o.Tracking.Offset * 1e9)
	if in.Looks == 0 {
		in.Low, in.High = offset, offset
	}
	in.Looks, in.Low, in.High = in.Looks+1, min(in.Low, offset), max(in.High, offset)
}

func (c *Clock) sample() act.Change[SampleIn, struct{}] {
	return act.Change[SampleIn, struct{}]{
		Name: "clock.sample", Doc: "Keep what was measured of the clock, and say what changed.", Class: class, Roles: act.System, Serves: serves(),
		Must: []string{"clockday.measured"}, May: append([]string{"clockday.thinned", "clockday.dropped", "clock.jumped", "clock.lost", "clock.found"}, c.ports.Notices.Tells()...),
		Sample: SampleIn{From: 1795807162000000, To: 1795807762000000, Looks: 20, Low: -1200, High: 4100, Stratum: 2, Usable: 4, Boot: "5f0e", Up: 52051050000},
		Target: target[SampleIn],
		Run: func(ctx context.Context, tx *act.Tx, in SampleIn) (struct{}, error) {
			var faults core.Faults
			if in.From <= 0 || in.To < in.From {
				faults.Add("to", fmt.Sprint(in.To), "a time that is not before from")
			}
			if err := faults.Err(); err != nil {
				return struct{}{}, err
			}
			if err := c.measured(ctx, tx, in); err != nil {
				return struct{}{}, err
			}
			if err := c.jumped(ctx, tx, in); err != nil {
				return struct{}{}, err
			}
			return struct{}{}, c.changed(ctx, tx, in.Alarms)
		},
	}
}

// Sample keeps what was seen.
func (c *Clock) Sample(ctx context.Context, b *act.Bus, in SampleIn) error {
	_, _, err := c.sample().Call(ctx, b, act.SystemActor("clock"), in)
	return err
}

// Last returns the end of the last sample of a boot, and the alarms that stand.
func (c *Clock) Last(ctx context.Context, v *act.View, boot string) (at Instant, standing []Alarm, err error) {
	at.Boot = boot
	found, err := v.Get(ctx, `SELECT ended, up FROM clock_point WHERE boot = $1 ORDER BY up DESC LIMIT 1`, []any{boot}, &at.Wall, &at.Up)
	if err != nil || !found {
		at = Instant{}
	}
	list, other := alarms(ctx, v)
	for _, a := range list {
		standing = append(standing, a.Alarm)
	}
	return at, standing, errors.Join(err, other)
}

func (c *Clock) measured(ctx context.Context, tx *act.Tx, in SampleIn) error {
	p := Point{From: core.At(in.From), To: core.At(in.To), Looks: in.Looks, Low: in.Low, High: in.High, Stratum: in.Stratum, Usable: in.Usable, Boot: in.Boot, Up: in.Up}
	day := dayOf(p.From)
	if err := insert(ctx, tx, day, p); err != nil {
		return err
	}
	offset := "unknown"
	if p.Looks > 0 {
		offset = core.Seconds(float64(p.Low)/1e9) + " to " + core.Seconds(float64(p.High)/1e9)
	}
	err := tx.Record(ctx, "clockday.measured", dayRef(day), field("offset", offset), field("stratum", fmt.Sprint(p.Stratum)), field("usable", fmt.Sprint(p.Usable)))
	if err != nil {
		return err
	}
	return tidy(ctx, tx)
}

// tidy makes hours of days that are old, and drops the oldest.
func tidy(ctx context.Context, tx *act.Tx) error {
	gone, err := old(ctx, &tx.View, dayOf(tx.Now().Add(-kept)), 0)
	if err != nil {
		return err
	}
	for _, day := range gone {
		if err := tx.Record(ctx, "clockday.dropped", dayRef(day)); err != nil {
			return err
		}
		if _, err := dropDay(ctx, tx, day); err != nil {
			return err
		}
	}
	fat, err := old(ctx, &tx.View, dayOf(tx.Now().Add(-fine)), 24)
	for _, day := range fat {
		if err == nil {
			err = thin(ctx, tx, day)
		}
	}
	return err
}

// thin makes one point of each hour of a day.
func thin(ctx context.Context, tx *act.Tx, day string) error {
	list, err := dayPoints(ctx, &tx.View, day)
	if err != nil {
		return err
	}
	hours := Hours(list)
	if _, err := dropDay(ctx, tx, day); err != nil {
		return err
	}
	for _, p := range hours {
		if err := insert(ctx, tx, day, p); err != nil {
			return err
		}
	}
	return tx.Record(ctx, "clockday.thinned", dayRef(day), act.Field{Name: "points", Old: ptr(fmt.Sprint(len(list))), New: ptr(fmt.Sprint(len(hours)))})
}

// Hours joins the points that begin in one hour.
func Hours(list []Point) (out []Point) {
	for _, p := range list {
		n := len(out) - 1
		if n < 0 || !out[n].From.Truncate(time.Hour).Equal(p.From.Truncate(time.Hour)) {
			out = append(out, p)
			continue
		}
		h := &out[n]
		switch {
		case h.Looks == 0:
			h.Low, h.High = p.Low, p.High
		case p.Looks > 0:
			h.Low, h.High = min(h.Low, p.Low), max(h.High, p.High)
		}
		h.To, h.Looks, h.Stratum, h.Usable, h.Boot, h.Up = p.To, h.Looks+p.Looks, p.Stratum, min(h.Usable, p.Usable), p.Boot, p.Up
	}
	return out
}

// jumped puts a step of the clock on record.
func (c *Clock) jumped(ctx context.Context, tx *act.Tx, in SampleIn) error {
	if in.Jumped == 0 {
		return nil
	}
	far := core.Seconds(float64(in.Jumped) / 1e6)
	if in.Jumped > 0 {
		far = "+" + far
	}
	at := core.At(in.To).Format(time.RFC3339)
	if err := tx.Record(ctx, "clock.jumped", self, field("by", far), field("until", at)); err != nil {
		return err
	}
	return c.tell(ctx, tx, "The server's clock jumped", "Between two looks it was stepped by "+far+"; afterwards it showed "+at+". Records carry the time that the clock showed.")
}

// changed puts alarms that began or ended on record, and tells the administrators.
func (c *Clock) changed(ctx context.Context, tx *act.Tx, now []Alarm) error {
	before, err := alarms(ctx, &tx.View)
	if err != nil {
		return err
	}
	var begun, ended []string
	for _, a := range now {
		if !slices.ContainsFunc(before, func(b standingAlarm) bool { return b.Key() == a.Key() }) {
			begun = append(begun, a.Text)
			if err := begin(ctx, tx, a); err != nil {
				return err
			}
		}
	}
	for _, b := range before {
		if !slices.ContainsFunc(now, func(a Alarm) bool { return a.Key() == b.Key() }) {
			ended = append(ended, b.Text)
			if err := end(ctx, tx, b.Alarm); err != nil {
				return err
			}
		}
	}
	if ended != nil {
		left := "Nothing else is wrong with it."
		if len(now) > 0 {
			left = fmt.Sprintf("Still so: %s.", strings.Join(texts(now), "; "))
		}
		if err := c.say(ctx, tx, "clock.found", act.Field{Name: "wrong", Old: ptr(strings.Join(ended, "; "))}, "The server's clock: an alarm is over", "No longer so: "+strings.Join(ended, "; ")+". "+left); err != nil {
			return err
		}
	}
	if begun == nil {
		return nil
	}
	return c.say(ctx, tx, "clock.lost", field("wrong", strings.Join(begun, "; ")), "Something is wrong with the server's clock", strings.Join(begun, "; ")+". The page Clock shows how it stands.")
}

func (c *Clock) say(ctx context.Context, tx *act.Tx, event string, f act.Field, subject, text string) error {
	if err := tx.Record(ctx, event, self, f); err != nil {
		return err
	}
	return c.tell(ctx, tx, subject, text)
}

func (c *Clock) tell(ctx context.Context, tx *act.Tx, subject, text string) error {
	who, err := c.ports.Administrators(ctx, &tx.View)
	for _, id := range who {
		if err == nil {
			err = c.ports.Notices.Tell(ctx, tx, id, subject, text)
		}
	}
	return err
}

func texts(list []Alarm) (out []string) {
	for _, a := range list {
		out = append(out, a.Text)
	}
	return out
}

func field(name, value string) act.Field { return act.Field{Name: name, New: &value} }

func ptr(s string) *string { return &s }
