package clock

import (
	"cmp"
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/host"
)

// Notices tells people something.
type Notices interface {
	Tell(ctx context.Context, tx *act.Tx, account, subject, text string) error
	Tells() []string
}

// Ports are what the feature needs of others; none may be nil.
type Ports struct {
	// Status is the last that was seen of the control; false: nothing yet.
	Status func() (host.Status, bool)
	// Administrators are told of alarms.
	Administrators func(ctx context.Context, v *act.View) ([]string, error)
	Notices        Notices
}

// Clock is the feature.
type Clock struct{ ports Ports }

// New makes the feature.
func New(p Ports) *Clock { return &Clock{p} }

//go:embed sql
var migrations embed.FS

const class = "panel"

func serves() []string { return []string{"2690:3.2.6"} }

func target[I any](context.Context, *act.View, *I) (core.Ref, error) { return core.Ref{}, nil }

func own[I any](context.Context, *act.View, *I) (core.Ref, error) { return self, nil }

// Feature declares it.
func (c *Clock) Feature() act.Feature {
	return act.Feature{Name: "clock", SQL: migrations, Pages: pages(),
		Ops: []act.Declaration{c.show(), c.series(), c.add(), c.remove(), c.change(), c.sample()},
		Kinds: []act.Kind{
			{Name: "clock", Title: "Clock", Path: "/clock", Digest: digest, IDs: ids,
				Owner: func(context.Context, *act.View, string) (string, error) { return core.Provider, nil }},
			{Name: "clockday", Title: "Clock by day", Path: "/clock", Digest: dayDigest, IDs: dayIDs, Owner: dayOwner},
		}}
}

// AddIn is a source of time.
type AddIn struct {
	Name    string `json:"name" cli:"arg" rule:"required,max=253" doc:"name of the host, such as time.example.org, or its address"`
	Kind    string `json:"kind" rule:"enum=server|pool" doc:"pool: the name stands for several servers; left out: server"`
	NTS     bool   `json:"nts" doc:"it must prove itself (Network Time Security); it is not believed otherwise"`
	Prefer  bool   `json:"prefer" doc:"follow it rather than others that are as good"`
	IBurst  string `json:"iburst" rule:"enum=on|off" doc:"ask a few times at once at the start, to be right within seconds; left out: on"`
	MinPoll int    `json:"minpoll" doc:"ask at most every 2 to the power of this seconds, 1 to 17; left out: 6, a minute"`
	MaxPoll int    `json:"maxpoll" doc:"ask at least every 2 to the power of this seconds; left out: 10, a quarter of an hour"`
}

func (in AddIn) source() Source {
	name := strings.TrimSuffix(strings.ToLower(strings.TrimSpace(in.Name)), ".")
	if a, err := netip.ParseAddr(name); err == nil {
		name = a.String()
	}
	s := Source{Name: name, Kind: cmp.Or(in.Kind, "server"), NTS: in.NTS, Prefer: in.Prefer, IBurst: in.IBurst != "off", MinPoll: cmp.Or(in.MinPoll, minPoll)}
	s.MaxPoll = cmp.Or(in.MaxPoll, max(s.MinPoll, maxPoll))
	return s
}

// Out is what the clock should go by after a change.
type Out struct {
	Desired
	Note string `json:"note"`
}

func out(d Desired) Out {
	return Out{d, "Nothing of it is in effect until the control of the clock is applied."}
}

func (c *Clock) add() act.Declaration {
	return act.Change[AddIn, Out]{
		Name: "clock.source.add", Doc: "Add a source of time, or change how one is asked.", Class: class, Roles: act.Admins, Serves: serves(),
		May: []string{"clock.changed"}, Sample: AddIn{Name: "time.example.org", NTS: true}, Target: own[AddIn],
		Run: func(ctx context.Context, tx *act.Tx, in AddIn) (Out, error) {
			return edit(ctx, tx, func(d *Desired) error {
				s := in.source()
				if i := d.index(s.Name); i >= 0 {
					d.Sources[i] = s
				} else {
					d.Sources = append(d.Sources, s)
				}
				return nil
			})
		},
	}
}

func (d Desired) index(name string) int {
	return slices.IndexFunc(d.Sources, func(s Source) bool { return same(s.Name, name) })
}

// RemoveIn names a source.
type RemoveIn struct {
	Name string `json:"name" cli:"arg" rule:"required,max=253" doc:"name or address of the source"`
}

func (c *Clock) remove() act.Declaration {
	return act.Change[RemoveIn, Out]{
		Name: "clock.source.remove", Doc: "Take a source of time out of the list.", Class: class, Roles: act.Admins, Serves: serves(),
		May: []string{"clock.changed"}, Sample: RemoveIn{Name: "time.cloudflare.com"}, Target: own[RemoveIn],
		Run: func(ctx context.Context, tx *act.Tx, in RemoveIn) (Out, error) {
			return edit(ctx, tx, func(d *Desired) error {
				i := d.index(strings.TrimSpace(in.Name))
				if i < 0 {
					return core.Errorf(core.NotFound, "there is no source %.80q in the list", in.Name)
				}
				d.Sources = slices.Delete(d.Sources, i, i+1)
				return nil
			})
		},
	}
}

// ChangeIn is how the clock is kept. What is left out stays.
type ChangeIn struct {
	MinSources int    `json:"min_sources" doc:"sources that must agree before the clock is touched"`
	Step       string `json:"step" rule:"enum=start|always|never" doc:"when a clock that is far off is stepped: within the first three updates, always, or never; otherwise it is led there slowly"`
	StepAbove  int    `json:"step_above" doc:"milliseconds above which it is stepped, 1 to 3600000"`
	Auth       string `json:"auth" rule:"enum=require|prefer|mix|ignore" doc:"require: sources that do not prove themselves are not used; prefer: only if there is no other; mix: they must agree with those that do; ignore: all count the same"`
	Bound      int    `json:"bound" doc:"milliseconds of offset above which there is an alarm, 1 to 60000"`
}

func (c *Clock) change() act.Declaration {
	return act.Change[ChangeIn, Out]{
		Name: "clock.setting.change", Doc: "Change how many sources of time must agree, when the clock may be stepped, and when there is an alarm.", Class: class,
		Roles: act.Admins, Serves: serves(), May: []string{"clock.changed"}, Sample: ChangeIn{MinSources: 3, Bound: 50}, Target: own[ChangeIn],
		Run: func(ctx context.Context, tx *act.Tx, in ChangeIn) (Out, error) {
			return edit(ctx, tx, func(d *Desired) error {
				d.MinSources, d.Step, d.StepAbove = cmp.Or(in.MinSources, d.MinSources), cmp.Or(in.Step, d.Step), cmp.Or(in.StepAbove, d.StepAbove)
				d.Auth, d.Bound = cmp.Or(in.Auth, d.Auth), cmp.Or(in.Bound, d.Bound)
				return nil
			})
		},
	}
}

// edit changes what should be, if it is acceptable, and puts the difference on record.
func edit(ctx context.Context, tx *act.Tx, change func(*Desired) error) (Out, error) {
	was, said, err := read(ctx, &tx.View)
	if err != nil {
		return Out{}, err
	}
	now := was
	now.Sources = slices.Clone(was.Sources)
	if err := change(&now); err != nil {
		return Out{}, err
	}
	if err := now.Validate(); err != nil || said && was.equal(now) {
		return out(was), err
	}
	if err := write(ctx, tx, now); err != nil {
		return Out{}, err
	}
	return out(now), tx.Record(ctx, "clock.changed", self, differences(was, now)...)
}

// differences are the settings that changed, and each source that came, went, or is
// asked in another way.
func differences(was, now Desired) []act.Field {
	a, b := was, now
	a.Sources, b.Sources = nil, nil
	fields := act.Diff(&a, &b)
	for _, s := range was.Sources {
		i := now.index(s.Name)
		switch {
		case i < 0:
			fields = append(fields, act.Field{Name: "source", Old: ptr(s.line())})
		case now.Sources[i] != s:
			fields = append(fields, act.Field{Name: "source", Old: ptr(s.line()), New: ptr(now.Sources[i].line())})
		}
	}
	for _, s := range now.Sources {
		if was.index(s.Name) < 0 {
			fields = append(fields, act.Field{Name: "source", New: ptr(s.line())})
		}
	}
	return fields
}

// Standing is how the clock stands.
type Standing struct {
	Desired   Desired       `json:"desired"`
	Default   bool          `json:"default"`          // nobody changed anything yet
	Unapplied bool          `json:"unapplied"`        // what should be is not what was applied
	State     string        `json:"state"`            // of the control
	Since     time.Time     `json:"since,omitzero"`   // it is in this state
	Seen      time.Time     `json:"seen,omitzero"`    // when it was looked at
	Fault     string        `json:"fault,omitempty"`  // why it could not be looked at
	Plan      []string      `json:"plan,omitempty"`   // what differs from what was applied
	Alarms    []StoodFor    `json:"alarms,omitempty"` // that are on record
	Observed  *Observed     `json:"observed,omitempty"`
	Sources   []SourceState `json:"sources"`
	UTC       string        `json:"utc"`
	Local     string        `json:"local,omitempty"`
	Zone      string        `json:"zone,omitempty"`
	Next      []string      `json:"next,omitempty"` // what could be better
}

// StoodFor is an alarm and since when it stands.
type StoodFor struct {
	Text  string    `json:"text"`
	Since time.Time `json:"since"`
}

// SourceState is a source as it should be and as chronyd has it; either may be
// missing.
type SourceState struct {
	Name   string  `json:"name"`
	Wanted *Source `json:"wanted,omitempty"`
	Peers  []Peer  `json:"peers,omitempty"`
}

func (c *Clock) show() act.Declaration {
	return act.Query[struct{}, Standing]{
		Name: "clock.show", Doc: "Show how the server's clock stands, and which sources of time it follows.", Class: class, Roles: act.Admins | act.Auditor,
		Serves: serves(), Target: target[struct{}],
		Run: func(ctx context.Context, v *act.View, _ struct{}) (Standing, error) {
			d, said, err := read(ctx, v)
			if err != nil {
				return Standing{}, err
			}
			standing, err := alarms(ctx, v)
			s := Standing{Desired: d, Default: !said, State: host.Idle, UTC: v.Now().UTC().Format("2006-01-02 15:04:05")}
			for _, a := range standing {
				s.Alarms = append(s.Alarms, StoodFor{a.Text, core.At(a.Since)})
			}
			if status, ok := c.ports.Status(); ok {
				s.State, s.Since, s.Seen, s.Fault, s.Plan = status.State, status.Since, status.Seen, status.Fault, status.Plan
				s.Observed = Read(status)
			}
			s.complete(v.Now())
			return s, err
		},
	}
}

// Read returns what a status says of the clock; nil: nothing that could be read.
func Read(s host.Status) *Observed {
	var o Observed
	if len(s.Observed) == 0 || json.Unmarshal(s.Observed, &o) != nil {
		return nil
	}
	return &o
}

// complete joins what should be with what is.
func (s *Standing) complete(now time.Time) {
	for _, w := range s.Desired.Sources {
		s.Sources = append(s.Sources, SourceState{Name: w.Name, Wanted: &w})
	}
	defer s.advise()
	if s.Unapplied = true; s.Observed == nil {
		return
	}
	o := s.Observed
	s.Unapplied = o.Ordered == nil || !o.Ordered.equal(s.Desired)
	for _, p := range o.Sources {
		i := slices.IndexFunc(s.Sources, func(x SourceState) bool { return same(x.Name, p.Name) })
		if i < 0 {
			s.Sources, i = append(s.Sources, SourceState{Name: p.Name}), len(s.Sources)
		}
		s.Sources[i].Peers = append(s.Sources[i].Peers, p)
	}
	if zone, err := time.LoadLocation(o.Zone); err == nil && o.Zone != "" {
		s.Zone, s.Local = o.Zone, now.In(zone).Format("2006-01-02 15:04:05 MST (-07:00)")
	}
}

// advise says what could be better, though nothing is wrong.
func (s *Standing) advise() {
	say := func(when bool, format string, args ...any) {
		if when {
			s.Next = append(s.Next, fmt.Sprintf(format, args...))
		}
	}
	say(s.Fault == "" && s.Observed == nil, "Nothing was seen of the clock yet: the server is looked at within half a minute of its start.")
	say(s.Unapplied && s.State != host.Idle, "What is set here is not what was applied. Apply it for it to count.")
	say(s.State == host.Idle, "The clock is not under control: what is set here takes effect when it is applied.")
	say(len(s.Desired.Sources) < 3, "With less than three sources nobody can tell which one is wrong. Add one of another operator.")
	say(!slices.ContainsFunc(s.Desired.Sources, func(x Source) bool { return x.NTS }), "No source has to prove itself: whoever is on the way can set this clock. Add one with NTS.")
	if s.Observed == nil {
		return
	}
	told := map[string]bool{}
	for _, p := range s.Observed.Sources {
		file, line, _ := strings.Cut(p.From, ":")
		if p.Ours() || told[p.From] || p.From == "" {
			continue
		}
		told[p.From] = true
		say(true, "%s is a source by line %s of %s, a file that is not ours and stays as it is. To do without it, take out that line and restart chrony; or let sources that do not prove themselves count for nothing, by the setting require.", p.Name, line, file)
	}
	say(!s.Observed.Proofs && s.Observed.Running, "How sources prove themselves is told to root alone: with the agent, it is seen here.")
}

// SeriesIn says how far back.
type SeriesIn struct {
	Hours int `json:"hours" rule:"max=9600" doc:"how many hours back; left out: 24"`
}

// Series is what was measured.
type Series struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Bound  int       `json:"bound"` // milliseconds: above is an alarm
	Points []Point   `json:"points"`
}

// Limit is Bound in seconds.
func (s Series) Limit() float64 { return float64(s.Bound) / 1000 }

func (c *Clock) series() act.Declaration {
	return act.Query[SeriesIn, Series]{
		Name: "clock.series", Doc: "Show what the offset of the server's clock was over time.", Class: class, Roles: act.Admins | act.Auditor,
		Serves: serves(), Sample: SeriesIn{Hours: 24}, Target: target[SeriesIn],
		Run: func(ctx context.Context, v *act.View, in SeriesIn) (Series, error) {
			if in.Hours < 0 {
				return Series{}, core.Faults{{Field: "hours", Value: fmt.Sprint(in.Hours), Accepted: "1 to 9600"}}.Err()
			}
			d, _, err := read(ctx, v)
			if err != nil {
				return Series{}, err
			}
			s := Series{To: v.Now(), From: v.Now().Add(-time.Duration(cmp.Or(in.Hours, 24)) * time.Hour), Bound: d.Bound, Points: []Point{}}
			list, err := points(ctx, v, s.From, s.To)
			if in.Hours > int(fine/time.Hour) {
				list = Hours(list)
			}
			s.Points = append(s.Points, list...)
			return s, err
		},
	}
}
