package clock

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Sample is what was seen of the clock since the last time.
type Sample struct {
	Point
	Jumped int64 // microseconds by which the clock was stepped at its end; 0: it was not
	Alarms []Alarm
}

// SampleIn is a Sample as an operation takes it. Numbers that may be negative are
// text.
type SampleIn struct {
	From    int64   `json:"from" rule:"required,min=1" doc:"when the first look was, in microseconds since 1970 by this clock"`
	To      int64   `json:"to" rule:"required,min=1" doc:"when the last look was"`
	Looks   int     `json:"looks" doc:"how many of them told an offset"`
	Low     string  `json:"low" rule:"max=20" doc:"nanoseconds that the clock was ahead, at least"`
	High    string  `json:"high" rule:"max=20" doc:"and at most"`
	Stratum int     `json:"stratum" doc:"of the clock at the last look; 0: it followed no source"`
	Usable  int     `json:"usable" doc:"sources that could be used, at least"`
	Boot    string  `json:"boot" rule:"max=64" doc:"which boot of the machine it is"`
	Up      int64   `json:"up" doc:"microseconds since the boot, at the last look"`
	Jumped  string  `json:"jumped" rule:"max=20" doc:"microseconds by which the clock was stepped; left out: it was not"`
	Alarms  []Alarm `json:"alarms" doc:"what is wrong at the last look"`
}

func (s Sample) in() SampleIn {
	in := SampleIn{From: s.From.UnixMicro(), To: s.To.UnixMicro(), Looks: s.Looks, Low: fmt.Sprint(s.Low), High: fmt.Sprint(s.High), Stratum: s.Stratum, Usable: s.Usable, Boot: s.Boot, Up: s.Up, Alarms: s.Alarms}
	if s.Jumped != 0 {
		in.Jumped = fmt.Sprint(s.Jumped)
	}
	return in
}

// read is the other way of Sample.in.
func (in SampleIn) read() (s Sample, err error) {
	var faults core.Faults
	number := func(name, text string) int64 {
		n, err := strconv.ParseInt(cmp.Or(text, "0"), 10, 64)
		if err != nil {
			faults.Add(name, text, "a whole number")
		}
		return n
	}
	if in.To < in.From {
		faults.Add("to", fmt.Sprint(in.To), "a time that is not before from")
	}
	s = Sample{Point{From: core.At(in.From), To: core.At(in.To), Looks: in.Looks, Low: number("low", in.Low), High: number("high", in.High),
		Stratum: in.Stratum, Usable: in.Usable, Boot: in.Boot, Up: in.Up}, number("jumped", in.Jumped), in.Alarms}
	return s, faults.Err()
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

// Empty reports whether nothing was seen yet.
func (s *Sample) Empty() bool { return s.From.IsZero() }

// Add takes one more look into a sample.
func (s *Sample) Add(o Observed) {
	if s.Empty() {
		s.From, s.Usable = o.Wall, o.Usable()
	}
	s.To, s.Boot, s.Up, s.Stratum, s.Usable = o.Wall, o.Boot, o.Up, o.Tracking.Stratum, min(s.Usable, o.Usable())
	if !o.Following {
		return
	}
	offset := int64(o.Tracking.Offset * 1e9)
	if s.Looks == 0 {
		s.Low, s.High = offset, offset
	}
	s.Looks, s.Low, s.High = s.Looks+1, min(s.Low, offset), max(s.High, offset)
}

func (c *Clock) sample() act.Change[SampleIn, struct{}] {
	return act.Change[SampleIn, struct{}]{
		Name: "clock.sample", Doc: "Keep what was measured of the clock, and say what changed.", Class: class, Roles: act.System, Serves: serves(),
		Must: []string{"clockday.measured"}, May: append([]string{"clockday.thinned", "clockday.dropped", "clock.jumped", "clock.lost", "clock.found"}, c.ports.Notices.Tells()...),
		Sample: SampleIn{From: 1795807162000000, To: 1795807762000000, Looks: 20, Low: "-1200", High: "4100", Stratum: 2, Usable: 4, Boot: "5f0e", Up: 52051050000},
		Target: target[SampleIn],
		Run: func(ctx context.Context, tx *act.Tx, in SampleIn) (struct{}, error) {
			s, err := in.read()
			if err == nil {
				err = c.measured(ctx, tx, s.Point)
			}
			if err == nil {
				err = c.jumped(ctx, tx, s)
			}
			if err == nil {
				err = c.changed(ctx, tx, s.Alarms)
			}
			return struct{}{}, err
		},
	}
}

// Keep keeps what was seen.
func (c *Clock) Keep(ctx context.Context, b *act.Bus, s Sample) error {
	_, _, err := c.sample().Call(ctx, b, act.SystemActor("clock"), s.in())
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

func (c *Clock) measured(ctx context.Context, tx *act.Tx, p Point) error {
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
	n := 0
	if _, err := tx.Get(ctx, `SELECT COUNT(*) FROM clock_point WHERE day = $1`, []any{day}, &n); err != nil || n > 1 {
		return err
	}
	return tidy(ctx, tx) // with the first point of a day
}

// tidy makes hours of days that are old, and drops the oldest; some at a time.
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
func (c *Clock) jumped(ctx context.Context, tx *act.Tx, s Sample) error {
	if s.Jumped == 0 {
		return nil
	}
	far := core.Seconds(float64(s.Jumped) / 1e6)
	if s.Jumped > 0 {
		far = "+" + far
	}
	at := s.To.Format(time.RFC3339)
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
