package actionlog

import (
	"context"
	"strconv"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/ledger"
)

// Selection says which records: empty fields restrict nothing.
type Selection struct {
	From    string   `json:"from" doc:"Records since this time: RFC 3339, or a date" rule:"max=40"`
	To      string   `json:"to" doc:"Records before this time: RFC 3339, or a date" rule:"max=40"`
	Class   []string `json:"class" doc:"Class: dns, authentication, account, log, panel" rule:"max=20"`
	Action  []string `json:"action" doc:"Operation: zone.edit, login.enter" rule:"max=20"`
	Outcome []string `json:"outcome" doc:"Outcome" rule:"max=5,enum=done|unchanged|refused|failed|read"`
	Door    []string `json:"door" doc:"Door: web, rest, cli, dns, agent, job" rule:"max=6"`
	Actor   string   `json:"actor" doc:"Who: account id or log-in name" rule:"max=200"`
	Address string   `json:"address" doc:"Source IP address" rule:"max=64"`
	Object  string   `json:"object" doc:"What it was about: kind, or kind:id" rule:"max=200"`
	Session string   `json:"session" doc:"Session or token id" rule:"max=80"`
	Text    string   `json:"text" doc:"Words that occur in the record" rule:"max=200"`
}

// Listing is a Selection with a place in it.
type Listing struct {
	Selection
	Before int `json:"before" doc:"Go on below this record number; 0: the newest" rule:"min=0"`
	Limit  int `json:"limit" doc:"How many records, at most 500; 0: 50" rule:"min=0,max=500"`
}

// Listed is one page of records, newest first.
type Listed struct {
	Records []Record `json:"records"`
	Next    int64    `json:"next,omitempty"` // Before of the next page
	// More says that the page is short only because enough was searched for one
	// call: go on with Next.
	More bool `json:"more,omitempty"`
}

func (l *Log) list() act.Declaration {
	return act.Query[Listing, Listed]{
		Name: "log.list", Doc: "List records of the action log, newest first.", Class: class, Roles: act.Readers, Logged: true,
		Serves: serves(), Sample: Listing{Selection: Selection{Class: []string{"dns"}}}, Target: nothing[Listing],
		Run: func(ctx context.Context, v *act.View, in Listing) (Listed, error) {
			f, err := in.filter()
			if err != nil {
				return Listed{}, err
			}
			f.Before, f.Limit = int64(in.Before), in.Limit
			scope, err := l.scope(ctx, v)
			if err != nil {
				return Listed{}, err
			}
			p, err := l.ports.Browser.List(ctx, v.Ledger(), scope, f)
			return Listed{Records: shown(p.Records, scope), Next: p.Next, More: !p.Searched}, err
		},
	}
}

// filter reads a Selection.
func (s Selection) filter() (ledger.Filter, error) {
	f := ledger.Filter{Classes: trim(s.Class), Actions: trim(s.Action), Doors: trim(s.Door), Address: s.Address, Session: s.Session, Text: s.Text}
	for _, o := range trim(s.Outcome) {
		f.Outcomes = append(f.Outcomes, ledger.Outcome(o))
	}
	if isID(s.Actor) {
		f.Actor = s.Actor
	} else {
		f.Name = s.Actor
	}
	f.Object.Kind, f.Object.ID, _ = strings.Cut(s.Object, ":")
	var faults core.Faults
	f.From, f.To = moment(&faults, "from", s.From), moment(&faults, "to", s.To)
	return f, faults.Err()
}

// isID tells ids of accounts, system users and jobs from log-in names.
func isID(s string) bool { return strings.HasPrefix(s, "a_") || strings.HasPrefix(s, "uid:") }

// trim drops the empty choices of a form.
func trim(list []string) []string {
	var out []string
	for _, s := range list {
		if s != "" {
			out = append(out, s)
		}
	}
	return out
}

func moment(faults *core.Faults, field, s string) time.Time {
	if s == "" {
		return time.Time{}
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil {
			return t.UTC()
		}
	}
	faults.Add(field, s, "must be a time like 2026-11-22T08:00:00Z or a date like 2026-11-22")
	return time.Time{}
}

// One names one record.
type One struct {
	Record string `json:"record" doc:"Id of the record (r_…), or its number" rule:"required,max=60" cli:"arg"`
}

func (l *Log) show() act.Declaration {
	return act.Query[One, Record]{
		Name: "log.show", Doc: "Show one record with everything that is still kept of it.", Class: class, Roles: act.Readers, Logged: true,
		Serves: serves(), Sample: One{"0"}, Target: nothing[One],
		Run: func(ctx context.Context, v *act.View, in One) (Record, error) {
			r, scope, err := l.one(ctx, v, in)
			if err != nil {
				return Record{}, err
			}
			out := show(r, scope)
			out.Leaf = string(r.Leaf)
			return out, nil
		},
	}
}

func (l *Log) one(ctx context.Context, v *act.View, in One) (r ledger.Record, scope ledger.Scope, err error) {
	if scope, err = l.scope(ctx, v); err != nil {
		return r, scope, err
	}
	if seq, bad := strconv.ParseInt(in.Record, 10, 64); bad == nil {
		r, err = l.ports.Browser.Get(ctx, v.Ledger(), scope, seq)
	} else {
		r, err = l.ports.Browser.Find(ctx, v.Ledger(), scope, in.Record)
	}
	return r, scope, err
}

func (l *Log) status() act.Declaration {
	return act.Query[struct{}, Status]{
		Name: "log.status", Doc: "Say how far the log is sealed and witnessed, and what that proves.", Class: class, Roles: act.Readers,
		Serves: serves(), Target: nothing[struct{}],
		Run: func(ctx context.Context, v *act.View, _ struct{}) (Status, error) {
			s, err := l.ports.Status(ctx)
			for i := range s.Witnesses { // an error names hosts and paths of this server
				if s.Witnesses[i].Error != "" && v.Actor().Tenant != core.Provider && v.Actor().Role != act.System {
					s.Witnesses[i].Error = "it has not cosigned at its last turn"
				}
			}
			return s, err
		},
	}
}

// Depth says how much is looked at.
type Depth struct {
	Thorough bool `json:"thorough" doc:"Open every personal value and recompute every summary, instead of a sample"`
}

func (l *Log) verify() act.Declaration {
	return act.Query[Depth, Report]{
		Name: "log.verify", Doc: "Recompute the whole log and the state it stands for, and name what was altered.", Class: class,
		Roles: act.Admins | act.Auditor, Logged: true, Serves: serves(), Target: nothing[Depth],
		Run: func(ctx context.Context, _ *act.View, in Depth) (Report, error) {
			return l.ports.Verify(ctx, in.Thorough, nil)
		},
	}
}

// check verifies in the background: the house starts one at each start (SPEC
// L8), and the verdict stays on record as the end of the job.
func (l *Log) check() act.Declaration {
	return act.Job[struct{}]{
		Name: "log.check", Doc: "Verify the log and the state in the background, and keep the verdict.", Class: class,
		Roles: act.Admins | act.Auditor, Serves: serves(), Target: nothing[struct{}],
		Run: func(ctx context.Context, w *act.Work, _ struct{}) (string, error) {
			r, err := l.ports.Verify(ctx, true, w.Progress)
			if err == nil && !r.Sound {
				err = core.Errorf(core.Conflict, "%s", r.Sentence)
			}
			return r.Sentence, err
		},
	}
}

// prove gives the file itself, so that "log prove ID > FILE" and a download
// are what a C2SP tlog-proof tool reads. The record's bytes are in it.
func (l *Log) prove() act.Declaration {
	return act.Stream[One]{
		Name: "log.prove", Doc: "Give the proof that a record is in the log, as a file that standard tools verify.", Class: class,
		Roles: act.Readers, Serves: serves(), Sample: One{"0"}, Target: nothing[One],
		Run: func(ctx context.Context, s *act.Flow, in One) error {
			var r ledger.Record
			err := s.View(ctx, func(v *act.View) (err error) {
				r, _, err = l.one(ctx, v, in)
				return err
			})
			if err != nil {
				return err
			}
			if r.Leaf == nil {
				return core.Errorf(core.Denied, "this record also concerns others, so its bytes are not shown; ask your provider for the proof")
			}
			p, err := l.ports.Prove(ctx, r.Seq)
			if err != nil {
				return err
			}
			return s.Send(p.File)
		},
	}
}

// About names one object.
type About struct {
	Object string `json:"object" doc:"What it is about: kind:id, such as zone:z_…" rule:"required,max=200" cli:"arg"`
}

func (l *Log) complete() act.Declaration {
	return act.Query[About, Completeness]{
		Name: "log.complete", Doc: "Prove that the log holds nothing else about an object: where its chain of records ends.", Class: class,
		Roles: act.Readers, Logged: true, Serves: serves(), Sample: About{"zone:z_00000000000000000000000000"},
		Target: func(_ context.Context, _ *act.View, in *About) (core.Ref, error) {
			kind, id, ok := strings.Cut(in.Object, ":")
			if !ok {
				return core.Ref{}, core.Faults{{Field: "object", Value: in.Object, Accepted: "must be kind:id"}}.Err()
			}
			return core.Ref{Kind: kind, ID: id}, nil
		},
		Run: func(ctx context.Context, _ *act.View, in About) (Completeness, error) {
			kind, id, _ := strings.Cut(in.Object, ":")
			return l.ports.Complete(ctx, core.Ref{Kind: kind, ID: id})
		},
	}
}

// Bars is the output of log.histogram: how many records in each span of time.
type Bars struct {
	Bars []Bar `json:"bars"`
	All  bool  `json:"all"` // false: too many to look at each; only the newest are counted
}

// Bar counts the records that began in [From, To), by outcome.
type Bar struct {
	From    time.Time `json:"from"`
	To      time.Time `json:"to"`
	Done    int64     `json:"done"` // unchanged and read included
	Refused int64     `json:"refused"`
	Failed  int64     `json:"failed"`
}

const mostBars = 96

func (l *Log) histogram() act.Declaration {
	return act.Query[Selection, Bars]{
		Name: "log.histogram", Doc: "Count records over time: the last day by the hour, or what is selected.", Class: class, Roles: act.Readers, Logged: true,
		Serves: serves(), Sample: Selection{Class: []string{"dns"}}, Target: nothing[Selection],
		Run: func(ctx context.Context, v *act.View, in Selection) (Bars, error) {
			f, err := in.filter()
			if err != nil {
				return Bars{}, err
			}
			n := span(&f, v.Now())
			scope, err := l.scope(ctx, v)
			if err != nil {
				return Bars{}, err
			}
			h, err := l.ports.Browser.Histogram(ctx, v.Ledger(), scope, f, n)
			return bars(h, f.To), err
		},
	}
}

// span fills in what the selection leaves open, in whole hours, and returns how
// many bars that makes.
func span(f *ledger.Filter, now time.Time) int {
	if f.To.IsZero() {
		f.To = now.Truncate(time.Hour).Add(time.Hour)
	}
	if f.From.IsZero() {
		f.From = f.To.Add(-24 * time.Hour)
	}
	hours := int(f.To.Sub(f.From) / time.Hour)
	return max(min(hours, mostBars), 1)
}

func bars(h ledger.Histogram, to time.Time) Bars {
	out := Bars{All: h.Searched, Bars: make([]Bar, len(h.Bars))}
	for i, b := range h.Bars {
		end := to
		if i+1 < len(h.Bars) {
			end = h.Bars[i+1].From
		}
		out.Bars[i] = Bar{From: b.From, To: end, Refused: b.Counts[ledger.Refused], Failed: b.Counts[ledger.Failed],
			Done: b.Counts[ledger.Done] + b.Counts[ledger.Unchanged] + b.Counts[ledger.Read]}
	}
	return out
}

// Since and Until are the ends of a bar as a form's time fields take them.
func (b Bar) Since() string { return b.From.Format("2006-01-02T15:04") }
func (b Bar) Until() string { return b.To.Format("2006-01-02T15:04") }
