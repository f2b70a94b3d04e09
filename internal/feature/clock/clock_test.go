package clock_test

import (
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/feature/account/accounttest"
	"hostward/internal/feature/clock"
	"hostward/internal/feature/notice"
	"hostward/internal/host"
)

type input = accounttest.Input

var root = accounttest.Root()

// bench is the feature on a bus, with a status that the test sets.
type bench struct {
	*accounttest.House
	clock  *clock.Clock
	status *host.Status
}

func each(t *testing.T, f func(t *testing.T, b *bench)) {
	t.Helper()
	b := &bench{}
	accounttest.EachWith(t, accounttest.More{Join: func(h *accounttest.House) ([]act.Feature, act.Jobs) {
		*b = bench{House: h}
		b.clock = clock.New(clock.Ports{Notices: h.Notices, Administrators: func(ctx context.Context, v *act.View) (ids []string, err error) {
			err = h.Accounts.Everyone(ctx, v, func(who act.Actor, _ time.Time) {
				if who.Role&act.Admins != 0 {
					ids = append(ids, who.ID)
				}
			})
			return ids, err
		}, Status: func() (host.Status, bool) {
			if b.status == nil {
				return host.Status{}, false
			}
			return *b.status, true
		}})
		return []act.Feature{b.clock.Feature()}, nil
	}}, func(t *testing.T, _ *accounttest.House) { f(t, b) })
}

func (b *bench) show() clock.Standing {
	b.T.Helper()
	return b.Must(root, "clock.show", nil).Output.(clock.Standing)
}

func (b *bench) series(hours int) []clock.Point {
	b.T.Helper()
	return b.Must(root, "clock.series", input{"hours": hours}).Output.(clock.Series).Points
}

// keep keeps a sample of ten minutes that ends now.
func (b *bench) keep(low, high int64, more func(*clock.Sample)) {
	b.T.Helper()
	now := b.Clock().Truncate(time.Microsecond)
	s := clock.Sample{Point: clock.Point{From: now.Add(-10 * time.Minute), To: now, Looks: 20, Low: low, High: high, Stratum: 2, Usable: 4, Boot: "one", Up: now.UnixMicro() - 1e15}}
	if more != nil {
		more(&s)
	}
	n := len(b.Leaves())
	if err := b.clock.Keep(b.T.Context(), b.Bus, s); err != nil {
		b.T.Fatal(err)
	}
	if len(b.Leaves()) != n+1 {
		b.T.Error("it left no record, or more than one")
	}
}

func (b *bench) events() (names []string) {
	for _, e := range b.Last().Events {
		names = append(names, e.Name)
	}
	return names
}

func TestSourcesAreAddedChangedAndRemoved(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		s := b.show()
		if !s.Default || !s.Unapplied || s.State != host.Idle || len(s.Desired.Sources) != 4 || slices.ContainsFunc(s.Desired.Sources, func(x clock.Source) bool { return !x.NTS }) {
			t.Fatalf("at first it is %+v", s)
		}
		r := b.Must(root, "clock.source.add", input{"name": " Time.Example.ORG. ", "nts": true, "prefer": true})
		if f := r.Changes[0].Fields; len(f) != 1 || f[0].Old != nil || *f[0].New != "server time.example.org iburst nts prefer minpoll 6 maxpoll 10" {
			t.Errorf("recorded %+v", r.Changes)
		}
		if r := b.Must(root, "clock.source.add", input{"name": "time.example.org", "nts": true, "prefer": true}); r.State != act.Unchanged {
			t.Errorf("once more it is %s", r.State)
		}
		r = b.Must(root, "clock.source.add", input{"name": "time.example.org", "kind": "pool", "iburst": "off", "minpoll": 11})
		if f := r.Changes[0].Fields; len(f) != 1 || f[0].Old == nil || *f[0].New != "pool time.example.org minpoll 11 maxpoll 11" {
			t.Errorf("recorded %+v", r.Changes)
		}
		b.Must(root, "clock.source.add", input{"name": "2001:DB8:0::1"})
		if got := b.show().Desired.Sources[5]; got.Name != "2001:db8::1" {
			t.Errorf("an address is kept as %+v", got)
		}
		b.Must(root, "clock.source.remove", input{"name": "2001:db8:0::1"})
		b.Must(root, "clock.source.remove", input{"name": "time.example.org"})
		if s := b.show(); s.Default || len(s.Desired.Sources) != 4 {
			t.Errorf("then it is %+v", s.Desired)
		}
		r = b.Must(root, "clock.setting.change", input{"min_sources": 3, "step": "never", "bound": 50})
		if f := r.Changes[0].Fields; len(f) != 3 || f[0].Name != "min_sources" || *f[1].New != "never" || *f[2].Old != "100" {
			t.Errorf("recorded %+v", r.Changes)
		}
		if d := b.show().Desired; d.Auth != "mix" || d.StepAbove != 1000 || d.MinSources != 3 {
			t.Errorf("what was left out is not as it was: %+v", d)
		}
	})
}

func TestBadInputIsNamed(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		add, change := "clock.source.add", "clock.setting.change"
		for _, c := range []struct {
			op   string
			in   input
			says string
		}{
			{add, input{"name": "time.example.org\nlocal"}, "name"}, {add, input{"name": "time example"}, "name"}, {add, input{"name": "-a.example"}, "name"},
			{add, input{"name": "1.2.3"}, "name"}, {add, input{"name": "a..b"}, "name"}, {add, input{"name": "zeit.österreich.at"}, "name"}, {add, input{"name": strings.Repeat("a", 64) + ".example"}, "name"},
			{add, input{"name": "fe80::1%eth0"}, "without a zone"}, {add, input{"name": "192.0.2.1", "kind": "pool"}, "kind"}, {add, input{"name": "a.example", "kind": "peer"}, "kind"},
			{add, input{"name": "a.example", "minpoll": 18}, "minpoll"}, {add, input{"name": "a.example", "minpoll": 8, "maxpoll": 7}, "8 to 17"},
			{change, input{"min_sources": 5}, "1 to 4"}, {change, input{"step": "often"}, "step"}, {change, input{"step_above": 4_000_000}, "step_above"},
			{change, input{"auth": "all"}, "auth"}, {change, input{"bound": 60_001}, "1 to 60000"},
			{"clock.series", input{"hours": 9601}, "hours"},
		} {
			if says := b.Refused(core.Invalid, root, c.op, c.in); !strings.Contains(says, c.says) {
				t.Errorf("%v is refused with %q", c.in, says)
			}
		}
		b.Refused(core.NotFound, root, "clock.source.remove", input{"name": "time.example.org"})
		b.Must(root, change, input{"auth": "require", "min_sources": 1})
		for i, s := range b.show().Desired.Sources {
			if i == 3 {
				if says := b.Refused(core.Invalid, root, add, input{"name": s.Name}); !strings.Contains(says, "the clock would follow nothing") {
					t.Errorf("the last source that proves itself goes: %q", says)
				}
			} else {
				b.Must(root, add, input{"name": s.Name})
			}
		}
		for i := range 12 {
			b.Must(root, add, input{"name": fmt.Sprintf("n%d.example", i)})
		}
		if says := b.Refused(core.Invalid, root, add, input{"name": "more.example"}); !strings.Contains(says, "1 to 16 sources") {
			t.Errorf("too many are refused with %q", says)
		}
		b.Must(root, change, input{"min_sources": 16})
		if says := b.Refused(core.Invalid, root, "clock.source.remove", input{"name": "n1.example"}); !strings.Contains(says, "min_sources") {
			t.Errorf("fewer than must agree are refused with %q", says)
		}
		for _, bad := range []clock.Sample{{}, {Point: clock.Point{From: time.Unix(2, 0), To: time.Unix(1, 0)}}} {
			if err := b.clock.Keep(t.Context(), b.Bus, bad); core.CodeOf(err) != core.Invalid || err == nil {
				t.Errorf("a sample without times: %v", err)
			}
		}
	})
}

// TestASeriesIsThinnedAndEnds keeps ten minutes for a week, hours for 400 days.
func TestASeriesIsThinnedAndEnds(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		for i := range 8 {
			b.keep(int64(-1000*i), int64(500*i), nil)
			b.Pass(10 * time.Minute)
		}
		list := b.series(0)
		if len(list) != 8 || list[7].Low != -7000 || list[7].High != 3500 || list[7].Looks != 20 || list[3].Least() != -3e-6 {
			t.Fatalf("kept are %+v", list)
		}
		for range 20 { // enough for more than the hours of a day
			b.keep(-1, 1, nil)
			b.Pass(10 * time.Minute)
		}
		b.keep(0, 0, func(s *clock.Sample) { s.Looks, s.Stratum, s.Usable = 0, 0, 0 })
		b.Pass(8 * 24 * time.Hour)
		b.keep(2, 3, nil)
		if got := b.events(); !slices.Equal(got, []string{"clockday.measured", "clockday.thinned"}) {
			t.Errorf("recorded %v", got)
		}
		list = b.series(9600)
		if b.Count("clock_point") != len(list) || len(list) != 7 { // from 8:50 to 13:40, and one more
			t.Fatalf("after a week there are %d: %+v", len(list), list)
		}
		if h := list[1]; h.Low != -6000 || h.High != 3000 || h.Looks != 120 || h.From.Minute() != 0 {
			t.Errorf("an hour is %+v", h)
		}
		if h := list[5]; h.Usable != 0 || h.Stratum != 0 || h.Looks != 60 {
			t.Errorf("the hour in which the sources were lost is %+v", h)
		}
		b.Pass(400 * 24 * time.Hour)
		b.keep(2, 3, nil)
		if got := b.events(); !slices.Equal(got, []string{"clockday.measured", "clockday.dropped"}) || b.Count("clock_point") != 2 {
			t.Errorf("after 400 days: %v, %d points", got, b.Count("clock_point"))
		}
	})
}

func TestAnAlarmIsToldWhenItBeginsAndWhenItEnds(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		boss := b.Init()
		shop := b.Account(root, "shop", "customer", "provider")
		told := func(a act.Actor) []notice.Notice {
			return b.Must(a, "notice.list", nil).Output.(notice.List).Notices
		}
		before := len(told(boss))
		lost := clock.Alarm{Code: "lost", About: "a.example", Text: "a.example has not answered for 1m0s"}
		with := func(list ...clock.Alarm) func(*clock.Sample) {
			return func(s *clock.Sample) { s.Alarms = list }
		}
		b.keep(1, 2, with(lost))
		if got := b.events(); !slices.Equal(got, []string{"clockday.measured", "clock.lost", "notice.told"}) {
			t.Errorf("recorded %v", got)
		}
		if s := b.show(); len(s.Alarms) != 1 || s.Alarms[0].Text != lost.Text {
			t.Errorf("the page shows %+v", s.Alarms)
		}
		b.Pass(time.Minute)
		lost.Text = "a.example has not answered for 2m0s"
		b.keep(1, 2, with(lost))
		if got := b.events(); !slices.Equal(got, []string{"clockday.measured"}) {
			t.Errorf("while it lasts, %v is recorded", got)
		}
		few := clock.Alarm{Code: "few", Text: "1 source of time can be used, and 2 are asked for"}
		b.Pass(time.Minute)
		b.keep(1, 2, with(few))
		if got := b.events(); !slices.Equal(got, []string{"clockday.measured", "clock.found", "notice.told", "clock.lost", "notice.told"}) {
			t.Errorf("when one ends and another begins, %v is recorded", got)
		}
		b.Pass(time.Minute)
		b.keep(1, 2, func(s *clock.Sample) { s.Jumped = -3_600_000_000 })
		if got := b.events(); !slices.Equal(got, []string{"clockday.measured", "clock.jumped", "notice.told", "clock.found", "notice.told"}) {
			t.Errorf("for a jump %v is recorded", got)
		}
		if by := *b.Last().Events[1].Fields[0].New; by != "-3600 s" {
			t.Errorf("it jumped by %s", by)
		}
		if got := told(boss); len(got) != before+5 || !slices.ContainsFunc(got, func(n notice.Notice) bool { return strings.Contains(n.Text, "stepped by -3600 s") }) {
			t.Errorf("the administrator was told %+v", got)
		}
		if got := told(shop); len(got) != 0 {
			t.Errorf("a customer was told %+v", got)
		}
		var at clock.Instant
		var standing []clock.Alarm
		if err := b.Look(t.Context(), "test", func(v *act.View) (err error) {
			at, standing, err = b.clock.Last(t.Context(), v, "one")
			return err
		}); err != nil || at.Boot != "one" || at.Wall == 0 || len(standing) != 0 {
			t.Errorf("last was %+v with %v: %v", at, standing, err)
		}
	})
}

func TestWhatShouldBeIsShownBesideWhatIs(t *testing.T) {
	each(t, func(t *testing.T, b *bench) {
		d := b.show().Desired
		observed := clock.Observed{Running: true, Proofs: true, Zone: "Europe/Berlin", Ordered: &d, Sources: []clock.Peer{
			{Name: "time.cloudflare.com", Address: "2001:db8::1", From: clock.SourcesPath + ":2", State: "*", Reach: 0o377},
			{Name: "2.debian.pool.ntp.org", Address: "192.0.2.9", From: "/etc/chrony/chrony.conf:8", State: "-", Reach: 1},
			{Name: "2.debian.pool.ntp.org", Address: "192.0.2.10", From: "/etc/chrony/chrony.conf:8", State: "-", Reach: 1}}}
		raw, err := json.Marshal(observed)
		if err != nil {
			t.Fatal(err)
		}
		b.status = &host.Status{Control: "clock", State: host.InForce, Observed: raw}
		s := b.show()
		if s.Unapplied || s.State != host.InForce || len(s.Sources) != 5 || len(s.Sources[0].Peers) != 1 || len(s.Sources[4].Peers) != 2 || s.Sources[4].Wanted != nil {
			t.Errorf("it shows %+v", s)
		}
		if len(s.Next) != 1 || !strings.Contains(s.Next[0], "by line 8 of /etc/chrony/chrony.conf") {
			t.Errorf("it advises %q", s.Next)
		}
		if s.UTC != "2026-11-22 09:00:00" || s.Local != "2026-11-22 10:00:00 CET (+01:00)" {
			t.Errorf("the time is %s, %s", s.UTC, s.Local)
		}
		b.Must(root, "clock.setting.change", input{"bound": 7})
		if s := b.show(); !s.Unapplied || len(s.Next) != 2 {
			t.Errorf("after a change it shows %+v", s)
		}
		b.status.Observed = []byte(`{"running":"perhaps"}`)
		if s := b.show(); s.Observed != nil {
			t.Errorf("of words it does not know it makes %+v", s.Observed)
		}
	})
}
