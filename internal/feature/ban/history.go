package ban

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/host"
)

// Event is something that an engine did.
type Event struct {
	Time     time.Time `json:"time"`
	What     string    `json:"what"` // banned, unbanned, widened, spared
	Jail     string    `json:"jail"`
	Address  string    `json:"address"`
	Cause    string    `json:"cause,omitempty"`
	Until    time.Time `json:"until,omitzero"`
	Times    int       `json:"times,omitempty"`
	Failures int       `json:"failures,omitempty"`
	Lines    []string  `json:"lines,omitempty"`
	Engine   string    `json:"engine"`
}

// EventsIn is the input of ban.events.
type EventsIn struct {
	Jail  string `json:"jail" rule:"max=60" doc:"only those of this jail"`
	What  string `json:"what" rule:"enum=banned|unbanned|widened|spared" doc:"only those of this kind"`
	After string `json:"after" rule:"max=60" doc:"where the list goes on: next of the page before"`
	Limit int    `json:"limit" rule:"max=1000" doc:"how many at most; 0: 100"`
}

// Events is the output of ban.events, newest first.
type Events struct {
	Events []Event `json:"events"`
	Next   string  `json:"next,omitempty"`
}

const usualEvents = 100

func (b *Bans) events() act.Query[EventsIn, Events] {
	return act.Query[EventsIn, Events]{
		Name: "ban.events", Doc: "List what the engines did in the last 90 days.", Class: class, Roles: readers, Logged: true, Serves: serves(),
		Sample: EventsIn{Jail: "ssh", What: "banned"}, Target: nowhere[EventsIn],
		Run: func(ctx context.Context, v *act.View, in EventsIn) (Events, error) {
			out := Events{Events: []Event{}}
			most := cmp.Or(in.Limit, usualEvents)
			before, n := "9999", int64(0)
			if in.After != "" {
				var err error
				if before, n, err = place(in.After); err != nil {
					return out, err
				}
			}
			jail := ""
			if in.Jail != "" {
				jail = canonical(in.Jail)
			}
			var at string
			err := v.Each(ctx, `SELECT n, engine, seq, time, what, jail, prefix, cause, until, times, failures, lines, day FROM ban_event
				WHERE (day < $1 OR day = $1 AND n < $2) AND ($3 = '' OR jail = $3) AND ($4 = '' OR what = $4) ORDER BY day DESC, n DESC LIMIT $5`,
				[]any{before, n, jail, in.What, most + 1}, func(scan func(dest ...any) error) error {
					var day string
					var number int64
					err := events(&out.Events)(func(dest ...any) error {
						err := scan(append(dest, &day)...)
						number = *dest[0].(*int64)
						return err
					})
					if len(out.Events) == most {
						at = day + "," + strconv.FormatInt(number, 10)
					}
					return err
				})
			if len(out.Events) > most {
				out.Events, out.Next = out.Events[:most], at
			}
			return out, err
		},
	}
}

// place reads where a list goes on.
func place(text string) (day string, n int64, err error) {
	day, number, _ := strings.Cut(text, ",")
	n, perr := strconv.ParseInt(number, 10, 64)
	if _, terr := time.Parse(time.DateOnly, day); perr != nil || terr != nil {
		err = core.Faults{{Field: "after", Value: text, Accepted: "next of the page before"}}.Err()
	}
	return day, n, err
}

// HistogramIn is the input of ban.histogram.
type HistogramIn struct {
	Hours int `json:"hours" rule:"max=2160" doc:"how many hours back; 0: 24"`
}

// Bar is how much happened within a while.
type Bar struct {
	From   time.Time `json:"from"`
	To     time.Time `json:"to"`
	Banned int       `json:"banned"`
	Again  int       `json:"again"` // of somebody who was banned before
	Spared int       `json:"spared"`
}

// Histogram is the output of ban.histogram.
type Histogram struct {
	Bars []Bar `json:"bars"`
}

const bars = 48

func (b *Bans) histogram() act.Query[HistogramIn, Histogram] {
	return act.Query[HistogramIn, Histogram]{
		Name: "ban.histogram", Doc: "Count bans over time.", Class: class, Roles: readers, Logged: true, Serves: serves(), Sample: HistogramIn{Hours: 24}, Target: nowhere[HistogramIn],
		Run: func(ctx context.Context, v *act.View, in HistogramIn) (Histogram, error) {
			hours := cmp.Or(in.Hours, 24)
			step := max(time.Duration(hours)*time.Hour/bars, time.Minute)
			end := v.Now().Truncate(step).Add(step)
			begin := end.Add(-bars * step)
			out := Histogram{make([]Bar, bars)}
			for i := range out.Bars {
				out.Bars[i].From = begin.Add(time.Duration(i) * step)
				out.Bars[i].To = out.Bars[i].From.Add(step)
			}
			err := v.Each(ctx, `SELECT time, what, times FROM ban_event WHERE time >= $1 AND time < $2`, []any{core.Micros(begin), core.Micros(end)},
				func(scan func(dest ...any) error) error {
					var at int64
					var what string
					var times int
					err := scan(&at, &what, &times)
					bar := &out.Bars[min(max(int(core.At(at).Sub(begin)/step), 0), bars-1)]
					switch {
					case what == "spared":
						bar.Spared++
					case what != "unbanned" && times > 1:
						bar.Again++
					case what != "unbanned":
						bar.Banned++
					}
					return err
				})
			return out, err
		},
	}
}

// SettleIn is the input of ban.settle.
type SettleIn struct {
	Ban   string `json:"ban" rule:"required,max=40" doc:"id of the order"`
	Fault string `json:"fault" rule:"max=1000" doc:"why it was not done; left out when it was"`
}

func (b *Bans) settle() act.Change[SettleIn, Nothing] {
	return act.Change[SettleIn, Nothing]{
		Name: "ban.settle", Doc: "Note what an engine did with an order.", Class: class, Roles: act.System, May: []string{"ban.done", "ban.waits", "ban.dropped"}, Serves: serves(),
		Sample: SettleIn{Ban: "b_0123456789abcdefghjkmnpqrs"},
		Target: func(_ context.Context, _ *act.View, in *SettleIn) (core.Ref, error) {
			return core.Ref{Kind: "ban", ID: in.Ban}, nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in SettleIn) (Nothing, error) {
			o, err := orderByID(ctx, &tx.View, in.Ban)
			if err != nil {
				return Nothing{}, err
			}
			verb, address := o.verb(), shown(o.Prefix)
			fields := []act.Field{{Name: "verb", Old: &verb}, {Name: "address", Old: &address, Personal: true}}
			event := "ban.done"
			if in.Fault != "" {
				fields = append(fields, act.Field{Name: "fault", New: &in.Fault})
				event = "ban.dropped"
			}
			switch {
			case in.Fault != "" && in.Fault == o.Fault && !o.Over(tx.Now()):
				return Nothing{}, nil // it waits still, and why is on record
			case in.Fault != "" && !o.Over(tx.Now()):
				if err := retryOrder(ctx, tx, o, in.Fault); err != nil {
					return Nothing{}, err
				}
				return Nothing{}, tx.Record(ctx, "ban.waits", o.ref(), fields...)
			}
			if err := tx.Record(ctx, event, o.ref(), fields...); err != nil {
				return Nothing{}, err
			}
			return Nothing{}, removeOrder(ctx, tx, o.ID)
		},
	}
}

// Settled notes what an engine did with an order; fault is "" when it was done.
func (b *Bans) Settled(ctx context.Context, bus *act.Bus, id, fault string) error {
	_, _, err := b.settle().Call(ctx, bus, act.SystemActor("bans"), SettleIn{id, clean(fault, mostLine)})
	return err
}

// Fact is an event as an engine numbered it.
type Fact struct {
	Seq      int      `json:"seq" rule:"required,min=1" doc:"number that the engine gave it"`
	Time     string   `json:"time" rule:"required,max=40" doc:"when, RFC 3339"`
	What     string   `json:"what" rule:"required,enum=banned|unbanned|widened|spared" doc:"what it did"`
	Jail     string   `json:"jail" rule:"required,max=60" doc:"which jail"`
	Prefix   string   `json:"prefix" rule:"required,max=100" doc:"whom"`
	Cause    string   `json:"cause" rule:"max=300" doc:"by what or whom"`
	Until    string   `json:"until" rule:"max=40" doc:"until when, RFC 3339; left out: until somebody lifts it"`
	Times    int      `json:"times" doc:"how often it was banned, with this one"`
	Failures int      `json:"failures" doc:"that led to it"`
	Lines    []string `json:"lines" rule:"max=20" doc:"of the log"`
}

// MostNoted is how many events one call notes.
const MostNoted = 500

// NoteIn is the input of ban.note.
type NoteIn struct {
	Engine string `json:"engine" rule:"required,enum=watch|fail2ban" doc:"which engine"`
	Facts  []Fact `json:"facts" rule:"required,max=500" doc:"what it did, in its order"`

	rows []event
}

// Validate holds the rules beyond the tags.
func (n *NoteIn) Validate(f *core.Faults) {
	for i, x := range n.Facts {
		e := event{Engine: n.Engine, Seq: int64(x.Seq), What: x.What, Jail: canonical(x.Jail), Cause: x.Cause, Times: x.Times, Failures: x.Failures}
		e.Time = checkTime(f, fmt.Sprintf("facts.%d.time", i), x.Time)
		if x.Until != "" {
			e.Until = checkTime(f, fmt.Sprintf("facts.%d.until", i), x.Until)
		}
		p, err := netip.ParsePrefix(x.Prefix)
		if err != nil {
			f.Add(fmt.Sprintf("facts.%d.prefix", i), x.Prefix, "a prefix such as 192.0.2.7/32")
		}
		e.Prefix = p.Masked().String()
		lines, err := json.Marshal(slices.Concat([]string{}, x.Lines))
		if err != nil {
			f.Add(fmt.Sprintf("facts.%d.lines", i), "", "text")
		}
		e.Lines = string(lines)
		n.rows = append(n.rows, e)
	}
}

func checkTime(f *core.Faults, at, text string) int64 {
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil {
		f.Add(at, text, "a time such as 2026-11-27T06:30:00Z")
	}
	return core.Micros(t)
}

// Kept is how long history is kept, with lines of logs: as long as the log keeps the
// addresses that people come from.
const Kept = 90 * day

func (b *Bans) note() act.Change[NoteIn, Nothing] {
	return act.Change[NoteIn, Nothing]{
		Name: "ban.note", Doc: "Note what an engine did, and forget what is older than 90 days.", Class: class, Roles: act.System, Must: []string{"ban.noted"}, May: []string{"ban.forgotten"}, Serves: serves(),
		Sample: NoteIn{Engine: Watch, Facts: []Fact{{Seq: 1, Time: "2026-11-27T06:30:00Z", What: "banned", Jail: "ssh", Prefix: "192.0.2.7/32", Until: "2026-11-27T07:30:00Z", Times: 1, Failures: 5}}},
		Target: func(_ context.Context, v *act.View, _ *NoteIn) (core.Ref, error) {
			return core.Ref{Kind: "ban", ID: v.Now().UTC().Format(time.DateOnly)}, nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in NoteIn) (Nothing, error) {
			today := tx.Now().UTC().Format(time.DateOnly)
			d, found, err := dayOf(ctx, &tx.View, today)
			if err != nil {
				return Nothing{}, err
			}
			if !found {
				salt := core.NewToken()
				d.salt, d.chain = salt.Reveal(), salt.Reveal()
			}
			for _, e := range in.rows {
				e.N = d.events
				if err := insertEvent(ctx, tx, today, e); err != nil {
					return Nothing{}, err
				}
				d.events, d.chain = d.events+1, e.chained(d.chain)
			}
			if err := writeDay(ctx, tx, d); err != nil {
				return Nothing{}, err
			}
			if err := tx.Record(ctx, "ban.noted", core.Ref{Kind: "ban", ID: today}, in.fields()...); err != nil {
				return Nothing{}, err
			}
			return Nothing{}, forget(ctx, tx)
		},
	}
}

// fields say how many of what, and who.
func (n NoteIn) fields() []act.Field {
	fields := []act.Field{{Name: "engine", New: &n.Engine}}
	for _, what := range []string{"banned", "widened", "spared", "unbanned"} {
		var who []string
		count := 0
		for _, e := range n.rows {
			if e.What == what {
				who, count = append(who, strings.TrimSuffix(strings.TrimSuffix(e.Prefix, "/32"), "/128")), count+1
			}
		}
		if count == 0 {
			continue
		}
		slices.Sort(who)
		fields = append(fields, act.Field{Name: what, New: ptr(strconv.Itoa(count))},
			act.Field{Name: what + " addresses", New: ptr(strings.Join(slices.Compact(who), " ")), Personal: true})
	}
	return fields
}

// mostForgotten is how many days one call forgets.
const mostForgotten = 3

// forget drops days whose time is over. What the log has of them goes by the log's own
// rules.
func forget(ctx context.Context, tx *act.Tx) error {
	old, err := daysBefore(ctx, &tx.View, tx.Now().Add(-Kept).UTC().Format(time.DateOnly), mostForgotten)
	for _, id := range old {
		if err == nil {
			err = tx.Record(ctx, "ban.forgotten", core.Ref{Kind: "ban", ID: id})
		}
		if err == nil {
			err = removeDay(ctx, tx, id)
		}
	}
	return err
}

// Noted notes at most MostNoted events. Control characters in what comes from logs are
// shown as marks.
func (b *Bans) Noted(ctx context.Context, bus *act.Bus, engine string, list []host.BanEvent) error {
	in := NoteIn{Engine: engine}
	for _, e := range list {
		f := Fact{Seq: int(min(e.Seq, 1<<62)), Time: e.Time.UTC().Format(time.RFC3339Nano), What: e.What, Jail: clean(e.Jail, 60), Prefix: e.Prefix.String(), Cause: clean(e.By, 300), Times: e.Times, Failures: e.Failures}
		if !e.Until.IsZero() {
			f.Until = e.Until.UTC().Format(time.RFC3339Nano)
		}
		for _, l := range e.Lines[:min(len(e.Lines), mostLines)] {
			if l = clean(l, mostLine); l != "" {
				f.Lines = append(f.Lines, l)
			}
		}
		in.Facts = append(in.Facts, f)
	}
	_, _, err := b.note().Call(ctx, bus, act.SystemActor("bans"), in)
	return err
}

// How much of the lines that led to a ban is kept.
const (
	mostLines = 10
	mostLine  = 500
)

func clean(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return '·'
		}
		return r
	}, strings.ToValidUTF8(text, "·"))
	for len(text) > most {
		text = strings.ToValidUTF8(text[:most], "")
	}
	return text
}

// State is what the house needs to serve the engine.
type State struct {
	Engine string
	Orders []Order
	Seq    uint64    // of the last event that is noted
	At     time.Time // when that happened
}

// State reads it.
func (b *Bans) State(ctx context.Context, v *act.View) (s State, err error) {
	p, err := read(ctx, v)
	if err != nil {
		return s, err
	}
	s.Engine = p.Engine
	if s.Orders, err = waiting(ctx, v); err != nil {
		return s, err
	}
	seq, at, err := last(ctx, v, p.Engine)
	s.Seq, s.At = uint64(seq), core.At(at)
	return s, err
}
