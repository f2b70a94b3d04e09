package house

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/feature/actionlog"
	"hostward/internal/feature/clock"
	"hostward/internal/host"
)

// looks are looks at a machine of the test, half a minute apart.
type looks struct {
	*testing.T
	h     *House
	boot  string
	wall  time.Time
	up    time.Duration
	alarm []clock.Alarm
}

// look passes a while and has the house see how the clock stands then.
func (l *looks) look(n int) {
	l.Helper()
	for range n {
		l.wall, l.up = l.wall.Add(30*time.Second), l.up+30*time.Second
		l.h.clock.saw(l.Context(), l.status())
	}
}

func (l *looks) status() host.Status {
	o := clock.Observed{Running: true, Following: true, Wall: l.wall, Up: l.up.Microseconds(), Slack: 10_000, Boot: l.boot, Alarms: l.alarm,
		Tracking: clock.Tracking{Stratum: 2, Leap: "Normal", Offset: 0.000002}}
	raw, err := json.Marshal(o)
	if err != nil {
		l.Fatal(err)
	}
	return host.Status{Control: "clock", State: host.InForce, Order: 1, Observed: raw}
}

// told are the events of what the clock left in the log, the oldest first.
func (l *looks) told() string {
	l.Helper()
	var names []string
	for _, r := range slices.Backward(do[actionlog.Listed](l.T, l.h, "log.list", map[string]any{"action": []string{"clock.sample"}}).Records) {
		for _, e := range r.Events {
			names = append(names, e.Name)
		}
	}
	return strings.Join(names, " ")
}

func TestLooksAtTheClockBecomeItsSeries(t *testing.T) {
	h, _ := testHouse(t)
	l := &looks{T: t, h: h, boot: "one", wall: time.Now().UTC().Truncate(time.Microsecond).Add(-5 * time.Hour), up: time.Hour}
	tells := func(when, want string) {
		t.Helper()
		if got := l.told(); got != want {
			t.Fatalf("%s the log has %s", when, got)
		}
	}
	l.look(20)
	tells("before ten minutes are over", "")
	l.look(1)
	all := "clockday.measured"
	tells("after ten minutes", all)
	for range 5 {
		h.clock.saw(t.Context(), l.status())
	}
	tells("seen twice, a look counts once, and", all)

	lost := clock.Alarm{Code: "lost", About: "a.example", Text: "a.example has not answered for 1m0s"}
	l.alarm = []clock.Alarm{lost}
	l.look(1)
	l.alarm = nil
	l.look(1)
	tells("after one bad look", all)
	l.alarm = []clock.Alarm{lost}
	l.look(2)
	all += " clockday.measured clock.lost"
	tells("after two bad looks", all)
	l.look(1)
	tells("while it lasts", all)
	l.alarm = nil
	l.look(7)
	l.alarm = []clock.Alarm{lost}
	l.look(1)
	l.alarm = nil
	l.look(5)
	tells("while it comes and goes", all)
	l.look(5)
	all += " clockday.measured clock.found"
	tells("after five minutes without it", all)

	l.look(2)
	l.wall = l.wall.Add(-time.Hour)
	l.look(1)
	all += " clockday.measured clockday.measured clock.jumped"
	tells("after a jump", all)
	l.boot, l.up = "two", time.Minute
	l.wall = l.wall.Add(time.Minute)
	l.look(2)
	tells("after a boot", all)

	s := l.status()
	s.Seen, s.State, s.Fault = l.wall, host.Failed, "chrony is not installed"
	for range 2 { // what was observed is what was seen before
		s.Seen = s.Seen.Add(time.Second)
		h.clock.saw(t.Context(), s)
		h.clock.saw(t.Context(), s)
	}
	all += " clockday.measured clock.lost"
	tells("when it cannot be looked at", all)
	if got := do[clock.Standing](t, h, "clock.show", nil); len(got.Alarms) != 1 || !strings.Contains(got.Alarms[0].Text, "chrony is not installed") || got.Fault == "" {
		t.Errorf("the page shows %+v", got)
	}

	again := &clockWatch{house: h} // the panel starts anew, and the clock was stepped meanwhile
	h.clock = again
	l.wall = l.wall.Add(time.Minute)
	l.look(1)
	all += " clockday.measured clock.jumped"
	tells("after a jump while the panel was down", all)
	l.look(9)
	all += " clockday.measured clock.found"
	tells("when it can be looked at again", all)
}

// TestWhatCannotBeKeptIsKeptLater: a jump is not forgotten because the database was
// away.
func TestWhatCannotBeKeptIsKeptLater(t *testing.T) {
	h, _ := testHouse(t)
	l := &looks{T: t, h: h, boot: "one", wall: time.Now().UTC().Truncate(time.Microsecond).Add(-5 * time.Hour), up: time.Hour}
	l.look(2)
	l.wall = l.wall.Add(time.Hour)
	gone, cancel := context.WithCancel(t.Context())
	cancel()
	l.wall, l.up = l.wall.Add(30*time.Second), l.up+30*time.Second
	h.clock.saw(gone, l.status())
	if got := l.told(); got != "" {
		t.Fatalf("the log has %s", got)
	}
	l.look(1)
	if got, want := l.told(), "clockday.measured clockday.measured clock.jumped"; got != want {
		t.Errorf("the log has %s", got)
	}
	if points := do[clock.Series](t, h, "clock.series", map[string]any{"hours": 24}).Points; len(points) < 1 || fmt.Sprint(points[0].Looks) != "2" {
		t.Errorf("kept are %+v", points)
	}
}
