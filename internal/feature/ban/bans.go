package ban

import (
	"cmp"
	"context"
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

// ListIn is the input of ban.list.
type ListIn struct {
	Jail    string `json:"jail" rule:"max=60" doc:"only bans of this jail; manual: those by hand"`
	Address string `json:"address" rule:"max=100" doc:"only bans that cover this address, or lie in this network"`
	After   string `json:"after" rule:"max=200" doc:"where the list goes on: next of the page before"`
	Limit   int    `json:"limit" rule:"max=1000" doc:"how many at most; 0: 200"`

	prefix netip.Prefix
}

// Validate holds the rules beyond the tags.
func (l *ListIn) Validate(f *core.Faults) {
	if l.Address != "" {
		l.prefix = checkPrefix(f, "address", l.Address)
	}
}

func checkPrefix(f *core.Faults, at, text string) netip.Prefix {
	p, err := parsePrefix(text)
	if err != nil {
		f.Add(at, text, err.Error())
	}
	return p
}

// Banned is somebody who is kept out.
type Banned struct {
	Address  string    `json:"address"`
	Jail     string    `json:"jail"`
	Since    time.Time `json:"since"`
	Until    time.Time `json:"until,omitzero"` // zero: until somebody lifts it
	Times    int       `json:"times"`
	Failures int       `json:"failures"`
	Lines    []string  `json:"lines,omitempty"`
}

func banned(b host.Ban) Banned {
	return Banned{shown(b.Prefix), canonical(b.Jail), b.Since, b.Until, b.Times, b.Failures, b.Lines}
}

// Asked is what an engine is still to do.
type Asked struct {
	ID      string    `json:"id"`
	Verb    string    `json:"verb"`
	Address string    `json:"address"`
	Since   time.Time `json:"since"`
	Fault   string    `json:"fault,omitempty"`
}

// List is the output of ban.list.
type List struct {
	Engine  string   `json:"engine"`
	Total   int      `json:"total"` // of all jails
	Found   int      `json:"found"` // that fit
	Bans    []Banned `json:"bans"`  // newest first, without lines
	Waiting []Asked  `json:"waiting,omitempty"`
	Next    string   `json:"next,omitempty"`
	Fault   string   `json:"fault,omitempty"` // why the engine cannot be asked
}

const usualList = 200

func (b *Bans) list() act.Query[ListIn, List] {
	return act.Query[ListIn, List]{
		Name: "ban.list", Doc: "List who is kept out now.", Class: class, Roles: readers, Logged: true, Serves: serves(), Sample: ListIn{Jail: "ssh"}, Target: nowhere[ListIn],
		Run: func(ctx context.Context, v *act.View, in ListIn) (List, error) {
			out := List{Bans: []Banned{}}
			asked, err := waiting(ctx, v)
			if err != nil {
				return out, err
			}
			for _, o := range asked {
				out.Waiting = append(out.Waiting, Asked{o.ID, o.verb(), shown(o.Prefix), o.Made, o.Fault})
			}
			all, p, err := b.now(ctx, v)
			out.Engine = p.Engine
			if core.CodeOf(err) == core.Unavailable {
				out.Fault = core.AsError(err).Sentence()
				return out, nil
			}
			if err != nil {
				return out, err
			}
			out.Total = len(all)
			in.pick(all, &out)
			return out, nil
		},
	}
}

// now asks the engine who is banned, newest first.
func (b *Bans) now(ctx context.Context, v *act.View) ([]host.Ban, Policy, error) {
	g, p, err := b.guard(ctx, v)
	if err != nil {
		return nil, p, err
	}
	ctx, stop := context.WithTimeout(ctx, briefly)
	defer stop()
	all, err := g.Bans(ctx)
	slices.SortFunc(all, func(a, b host.Ban) int { return strings.Compare(placeOf(b), placeOf(a)) })
	return all, p, silent(p.Engine, err)
}

// placeOf is where a ban stands in the list; larger is newer.
func placeOf(b host.Ban) string {
	return fmt.Sprintf("%016d,%s,%s", max(b.Since.UnixMicro(), 0), b.Prefix, b.Jail)
}

func (in ListIn) pick(all []host.Ban, out *List) {
	most := cmp.Or(in.Limit, usualList)
	jail, at := canonical(in.Jail), ""
	for _, x := range all {
		if in.Jail != "" && canonical(x.Jail) != jail || in.prefix.IsValid() && !x.Prefix.Overlaps(in.prefix) {
			continue
		}
		out.Found++
		switch {
		case in.After != "" && placeOf(x) >= in.After:
		case len(out.Bans) == most:
			out.Next = at
		default:
			b := banned(x)
			b.Lines, at = nil, placeOf(x)
			out.Bans = append(out.Bans, b)
		}
	}
}

// AddIn is the input of ban.add.
type AddIn struct {
	Address string `json:"address" cli:"arg" rule:"required,max=100" doc:"address or network to keep out, such as 192.0.2.7 or 2001:db8::/64"`
	For     string `json:"for" rule:"max=20" doc:"how long: 10m, 1h, 2d, 1w, or until lifted; left out: 1d"`
	Reason  string `json:"reason" rule:"max=200" doc:"why; it is shown with the ban"`
	Force   bool   `json:"force" doc:"do it even if you, or somebody with a live session, come from there"`

	prefix netip.Prefix
	length time.Duration // 0: until lifted
}

// Validate holds the rules beyond the tags.
func (a *AddIn) Validate(f *core.Faults) {
	before := len(*f)
	a.prefix = checkPrefix(f, "address", a.Address)
	if len(*f) == before {
		if fault := cmp.Or(wide(a.prefix), ours(a.prefix)); fault != "" {
			f.Add("address", a.Address, fault)
		}
	}
	length, ok := parseLength(cmp.Or(a.For, "1d"))
	if !ok {
		f.Add("for", a.For, lengthForms)
	}
	a.length = max(length, 0)
}

// Ordered is what the engine was told to do.
type Ordered struct {
	ID      string `json:"id"`
	Address string `json:"address"`
	For     string `json:"for,omitempty"`
}

func (b *Bans) add() act.Change[AddIn, Ordered] {
	return act.Change[AddIn, Ordered]{
		Name: "ban.add", Doc: "Keep an address or a network out, whichever engine is in use.", Class: class, Roles: act.Admins, Proof: proof,
		Must: []string{"ban.ordered"}, Wakes: []string{wakes}, Serves: serves(), Sample: AddIn{Address: "192.0.2.7", For: "1d", Reason: "scans us"}, Target: target[AddIn],
		Run: func(ctx context.Context, tx *act.Tx, in AddIn) (Ordered, error) {
			if err := b.maySpare(ctx, &tx.View, in); err != nil {
				return Ordered{}, err
			}
			o := Order{Prefix: in.prefix, For: in.length, Reason: in.Reason}
			text := forGood
			if in.length > 0 {
				text = length(seconds(in.length))
			}
			return Ordered{Address: shown(in.prefix), For: text}.of(order(ctx, tx, o, act.Field{Name: "for", New: &text}))
		},
	}
}

func (o Ordered) of(id string, err error) (Ordered, error) {
	o.ID = id
	return o, err
}

// order keeps an order, and records it.
func order(ctx context.Context, tx *act.Tx, o Order, more ...act.Field) (string, error) {
	o.ID, o.Made = core.NewID("b"), tx.Now()
	salt := core.NewToken()
	o.salt = salt.Reveal()
	list, err := waiting(ctx, &tx.View)
	if err != nil {
		return "", err
	}
	if len(list) >= mostWaiting {
		return "", core.Errorf(core.Conflict, "%d bans wait for the engine already: it does not answer", len(list))
	}
	if err := insertOrder(ctx, tx, o); err != nil {
		return "", err
	}
	verb, address := o.verb(), shown(o.Prefix)
	fields := append([]act.Field{{Name: "verb", New: &verb}, {Name: "address", New: &address, Personal: true}}, more...)
	if o.Reason != "" {
		fields = append(fields, act.Field{Name: "reason", New: &o.Reason})
	}
	return o.ID, tx.Record(ctx, "ban.ordered", o.ref(), fields...)
}

// mostWaiting bounds what an engine that is down is to do later.
const mostWaiting = 1000

// maySpare refuses a ban of a trusted network, and, unless it is forced, one that keeps
// out somebody at work.
func (b *Bans) maySpare(ctx context.Context, v *act.View, in AddIn) error {
	p, err := read(ctx, v)
	if err != nil {
		return err
	}
	if p.Engine == None {
		return errNone()
	}
	if t, ok := p.covered(in.prefix); ok {
		return core.Errorf(core.Conflict, "%s is a trusted network; take it out of these first", shown(t.Network))
	}
	if in.Force {
		return nil
	}
	if me, err := netip.ParseAddr(v.Actor().Address); err == nil && in.prefix.Contains(me.Unmap().WithZone("")) {
		return core.Errorf(core.Conflict, "this would keep out %s, the address you come from: force it if that is meant", me)
	}
	if b.ports.Sessions == nil {
		return nil
	}
	live, err := b.ports.Sessions(ctx, v)
	if err != nil {
		return err
	}
	if slices.ContainsFunc(live, func(a netip.Addr) bool { return in.prefix.Contains(a.Unmap().WithZone("")) }) {
		return core.Errorf(core.Conflict, "somebody with a live session comes from there: force it if that is meant")
	}
	return nil
}

// LiftIn is the input of ban.lift.
type LiftIn struct {
	Address string `json:"address" cli:"arg" rule:"required,max=100" doc:"address or network; every ban that covers it or lies in it is lifted, in all jails"`
	Reason  string `json:"reason" rule:"max=200" doc:"why"`

	prefix netip.Prefix
}

// Validate holds the rules beyond the tags.
func (l *LiftIn) Validate(f *core.Faults) { l.prefix = checkPrefix(f, "address", l.Address) }

func (b *Bans) lift() act.Change[LiftIn, Ordered] {
	return act.Change[LiftIn, Ordered]{
		Name: "ban.lift", Doc: "Let an address or a network in again, in all jails at once.", Class: class, Roles: act.Admins,
		Must: []string{"ban.ordered"}, Wakes: []string{wakes}, Serves: serves(), Sample: LiftIn{Address: "192.0.2.7", Reason: "forgot the password"}, Target: target[LiftIn],
		Run: func(ctx context.Context, tx *act.Tx, in LiftIn) (Ordered, error) {
			return Ordered{Address: shown(in.prefix)}.of(order(ctx, tx, Order{Lift: true, Prefix: in.prefix, Reason: in.Reason}))
		},
	}
}

// WhyIn is the input of ban.why.
type WhyIn struct {
	Address string `json:"address" cli:"arg" rule:"required,max=100" doc:"address or network"`

	prefix netip.Prefix
}

// Validate holds the rules beyond the tags.
func (w *WhyIn) Validate(f *core.Faults) { w.prefix = checkPrefix(f, "address", w.Address) }

// Why is the output of ban.why.
type Why struct {
	Address string   `json:"address"`
	Engine  string   `json:"engine"`
	Out     bool     `json:"out"`               // it is kept out now
	Bans    []Banned `json:"bans"`              // that cover it or lie in it, with the lines that led to them
	History []Event  `json:"history"`           // newest first
	Trusted string   `json:"trusted,omitempty"` // trusted network that covers it
	Fault   string   `json:"fault,omitempty"`   // why the engine cannot be asked
}

const mostWhy = 100

func (b *Bans) why() act.Query[WhyIn, Why] {
	return act.Query[WhyIn, Why]{
		Name: "ban.why", Doc: "Say why an address is kept out, with the lines of logs, and what happened before.", Class: class, Roles: readers, Logged: true, Serves: serves(),
		Sample: WhyIn{Address: "192.0.2.7"}, Target: nowhere[WhyIn],
		Run: func(ctx context.Context, v *act.View, in WhyIn) (Why, error) {
			out := Why{Address: shown(in.prefix), Bans: []Banned{}}
			all, p, err := b.now(ctx, v)
			out.Engine = p.Engine
			if core.CodeOf(err) == core.Unavailable {
				out.Fault, err = core.AsError(err).Sentence(), nil
			}
			if err != nil {
				return out, err
			}
			for _, x := range all {
				if x.Prefix.Overlaps(in.prefix) && len(out.Bans) < mostWhy {
					out.Bans = append(out.Bans, banned(x))
					out.Out = out.Out || x.Prefix.Bits() <= in.prefix.Bits()
				}
			}
			if t, ok := p.covered(in.prefix); ok {
				out.Trusted = shown(t.Network)
			}
			out.History, err = history(ctx, v, in.prefix)
			return out, err
		},
	}
}

// history returns what was noted about a prefix: that exactly, and whatever covers it.
func history(ctx context.Context, v *act.View, p netip.Prefix) ([]Event, error) {
	out := []Event{}
	for bits := p.Bits(); bits > 0; bits-- {
		whole := netip.PrefixFrom(p.Addr(), bits).Masked()
		err := v.Each(ctx, `SELECT n, engine, seq, time, what, jail, prefix, cause, until, times, failures, lines FROM ban_event WHERE prefix = $1 ORDER BY time DESC LIMIT $2`,
			[]any{whole.String(), mostWhy}, events(&out))
		if err != nil {
			return nil, err
		}
	}
	slices.SortStableFunc(out, func(a, b Event) int { return b.Time.Compare(a.Time) })
	return out[:min(len(out), mostWhy)], nil
}

func events(list *[]Event) func(scan func(dest ...any) error) error {
	return func(scan func(dest ...any) error) error {
		e, err := scanEvent(scan)
		if err != nil {
			return err
		}
		p, err := netip.ParsePrefix(e.Prefix)
		x := Event{core.At(e.Time), e.What, e.Jail, shown(p), e.Cause, core.At(e.Until), e.Times, e.Failures, nil, e.Engine}
		if err == nil {
			err = json.Unmarshal([]byte(e.Lines), &x.Lines)
		}
		*list = append(*list, x)
		return err
	}
}

// Tested is the output of ban.test.
type Tested struct {
	Engine string `json:"engine"`
	Works  bool   `json:"works"`
	Fault  string `json:"fault,omitempty"`
}

// TestIn is the input of ban.test; what it found is filled in before the transaction.
type TestIn struct{ found Tested }

func (b *Bans) test() act.Change[TestIn, Tested] {
	return act.Change[TestIn, Tested]{
		Name: "ban.test", Doc: "Try whether a ban really keeps out: ban an address of a documentation network, send from it, lift the ban.", Class: class, Roles: act.Admins,
		Must: []string{"banpolicy.tested"}, Serves: serves(), Sample: TestIn{}, Target: target[TestIn],
		Prepare: func(ctx context.Context, v *act.View, in *TestIn) error {
			g, p, err := b.guard(ctx, v)
			if err != nil {
				return err
			}
			v.Release()
			in.found = Tested{Engine: p.Engine, Works: true}
			if err := g.Test(ctx); err != nil {
				in.found.Works, in.found.Fault = false, err.Error()
			}
			return nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in TestIn) (Tested, error) {
			word := "works"
			if !in.found.Works {
				word = "does not work: " + in.found.Fault
			}
			return in.found, tx.Record(ctx, "banpolicy.tested", self, act.Field{Name: "engine", New: &in.found.Engine}, act.Field{Name: "result", New: &word})
		},
	}
}
