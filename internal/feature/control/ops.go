package control

import (
	"context"
	"encoding/json"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
	"unicode"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/host"
)

var serves = []string{"2690:6.3", "2690:3.2"}

// All is the input of control.list.
type All struct{}

// List is every control.
type List struct {
	Controls []Standing `json:"controls"`
}

func (c *Controls) list() act.Declaration {
	return act.Query[All, List]{
		Name: "control.list", Doc: "Show how each control of this server stands.", Class: class, Roles: act.Admins | act.Auditor, Serves: serves,
		Target: func(context.Context, *act.View, *All) (core.Ref, error) {
			return core.Ref{Kind: "agent", ID: agentID}, nil
		},
		Run: func(ctx context.Context, v *act.View, _ All) (List, error) {
			list, err := c.Standing(ctx, v)
			for i := range list {
				list[i].Desired, list[i].Observed = nil, nil
			}
			return List{list}, err
		},
	}
}

func (c *Controls) show() act.Declaration {
	return act.Query[Named, Standing]{
		Name: "control.show", Doc: "Show what a control should be, what it is, and the difference.", Class: class, Roles: act.Admins | act.Auditor, Serves: serves,
		Sample: Named{"firewall"}, Target: c.target,
		Run: func(ctx context.Context, v *act.View, in Named) (Standing, error) {
			return c.one(ctx, v, in.Control)
		},
	}
}

func (c *Controls) one(ctx context.Context, v *act.View, name string) (Standing, error) {
	list, err := c.Standing(ctx, v)
	if err != nil {
		return Standing{}, err
	}
	for _, s := range list {
		if s.Control == name {
			return s, nil
		}
	}
	return Standing{}, core.Errorf(core.NotFound, "there is no control %q", name)
}

// Plan is what control.plan answers.
type Plan struct {
	Control string `json:"control"`
	host.Planned
}

// plan asks the agent; nothing is done.
func (c *Controls) plan() act.Declaration {
	return act.Query[Named, Plan]{
		Name: "control.plan", Doc: "Show what would be done to the machine, and do nothing.", Class: class, Roles: act.Admins | act.Auditor, Serves: serves,
		Sample: Named{"firewall"}, Target: c.target,
		Run: func(ctx context.Context, v *act.View, in Named) (Plan, error) {
			p, err := c.planned(ctx, v, in.Control)
			return Plan{in.Control, p}, err
		},
	}
}

func (c *Controls) planned(ctx context.Context, v *act.View, name string) (host.Planned, error) {
	m, err := c.machine(name)
	if err != nil {
		return host.Planned{}, err
	}
	desired, err := m.Desired(ctx, v)
	if err != nil {
		return host.Planned{}, err
	}
	if err := m.Check(desired); err != nil {
		return host.Planned{}, core.Errorf(core.Invalid, "%v", err)
	}
	return c.agent.Plan(ctx, name, desired)
}

// Apply is the input of control.apply.
type Apply struct {
	Named
	Seconds int  `json:"seconds,omitempty" doc:"undone after so many seconds unless confirmed, for what can shut you out; 60 if not said" rule:"min=10,max=900"`
	Keep    bool `json:"keep,omitempty" doc:"keep it without a confirmation, even if it shuts you out"`
	Leave   bool `json:"leave,omitempty" doc:"show drift only, and do not mend it by itself"`

	planned host.Planned
	highest uint64
}

// Applied is what control.apply answers.
type Applied struct {
	Control string   `json:"control"`
	Number  uint64   `json:"number"`
	Seconds int      `json:"seconds,omitempty"` // confirm within so many
	Plan    []string `json:"plan"`              // what differed when it was ordered
}

const inTime = 60

// apply orders what the panel has. That it can be done is looked at first.
func (c *Controls) apply() act.Declaration {
	return act.Change[Apply, Applied]{
		Name: "control.apply", Doc: "Bring a control into force as it is set in the panel.", Class: class, Roles: act.Admins, Proof: 15 * time.Minute,
		Must: []string{"control.ordered"}, Wakes: []string{wake}, Serves: serves,
		Sample: Apply{Named: Named{"firewall"}, Seconds: inTime},
		Target: func(ctx context.Context, v *act.View, in *Apply) (core.Ref, error) {
			return c.target(ctx, v, &in.Named)
		},
		Prepare: func(ctx context.Context, v *act.View, in *Apply) (err error) {
			if in.highest, err = c.free(ctx, in.Control); err == nil {
				in.planned, err = c.planned(ctx, v, in.Control)
			}
			return err
		},
		Run: func(ctx context.Context, tx *act.Tx, in Apply) (Applied, error) {
			m, err := c.machine(in.Control)
			if err != nil {
				return Applied{}, err
			}
			o := host.Order{Control: in.Control, Mend: !in.Leave}
			if m.Lockout && !in.Keep {
				o.Confirm = in.Seconds
				if o.Confirm == 0 {
					o.Confirm = inTime
				}
			}
			if o.Desired, err = m.Desired(ctx, &tx.View); err != nil {
				return Applied{}, err
			}
			if err := m.Check(o.Desired); err != nil {
				return Applied{}, core.Errorf(core.Invalid, "%v", err)
			}
			o, err = give(ctx, tx, o, in.highest)
			return Applied{Control: in.Control, Number: o.Number, Seconds: o.Confirm, Plan: in.planned.Lines}, err
		},
	}
}

// free returns the highest number that the agent has taken, unless an order waits: the
// next one would be refused, and nobody could confirm the one that waits. An agent that
// does not answer gets the order later.
func (c *Controls) free(ctx context.Context, name string) (highest uint64, err error) {
	list, err := c.agent.Statuses(ctx)
	if err != nil {
		return 0, nil //nolint:nilerr // the order waits for it
	}
	for _, s := range list {
		if s.Control == name && s.Waiting > 0 {
			return 0, core.Errorf(core.Conflict, "order %d of %s waits for a confirmation: confirm or revert it first", s.Waiting, name)
		} else if s.Control == name {
			highest = s.Highest
		}
	}
	return highest, nil
}

// give puts the next order of a control on record. Its number is above every one that
// the agent has taken, also where the database is an older copy.
func give(ctx context.Context, tx *act.Tx, o host.Order, highest uint64) (host.Order, error) {
	before, err := orderOf(ctx, &tx.View, o.Control)
	if err != nil {
		return o, err
	}
	o.Number = max(before.Number, min(highest, host.MaxNumber-1)) + 1
	if o.Number > host.MaxNumber {
		return o, core.Errorf(core.Conflict, "%s has had its last order, %d", o.Control, host.MaxNumber)
	}
	raw, err := o.Bytes()
	if err != nil {
		return o, err
	}
	if len(raw) > host.MaxOrder {
		return o, core.Errorf(core.Invalid, "what %s should be takes %d octets, more than the %d of an order", o.Control, len(raw), host.MaxOrder)
	}
	if err := put(ctx, tx, o, raw); err != nil {
		return o, err
	}
	fields := append(differences(before.Desired, o.Desired),
		field("number", number(before.Number), number(o.Number)),
		field("confirm", strconv.Itoa(before.Confirm), strconv.Itoa(o.Confirm)),
		field("mend", strconv.FormatBool(before.Mend), strconv.FormatBool(o.Mend)))
	return o, tx.Record(ctx, "control.ordered", ref(o.Control), fields...)
}

// differences names the words of a desired state that are others now. Their old and
// new values are on record.
func differences(before, after json.RawMessage) []act.Field {
	var was, is map[string]json.RawMessage
	// What is no object differs as a whole.
	if json.Unmarshal(or(before, "{}"), &was) != nil || json.Unmarshal(or(after, "{}"), &is) != nil {
		return []act.Field{field("desired", string(before), string(after))}
	}
	var list []act.Field
	for _, name := range keys(was, is) {
		if string(was[name]) != string(is[name]) {
			list = append(list, field(name, string(was[name]), string(is[name])))
		}
	}
	return list
}

// Release is the input of control.release.
type Release struct {
	Named

	highest uint64
}

func (c *Controls) release() act.Declaration {
	return act.Change[Release, Applied]{
		Name: "control.release", Doc: "Let go of a control: what it put on the machine goes, and nobody keeps it in order.", Class: class, Roles: act.Admins,
		Proof: 15 * time.Minute, Confirm: true, Must: []string{"control.ordered"}, Wakes: []string{wake}, Serves: serves,
		Sample: Release{Named: Named{"firewall"}},
		Target: func(ctx context.Context, v *act.View, in *Release) (core.Ref, error) {
			return c.target(ctx, v, &in.Named)
		},
		Prepare: func(ctx context.Context, _ *act.View, in *Release) (err error) {
			in.highest, err = c.free(ctx, in.Control)
			return err
		},
		Run: func(ctx context.Context, tx *act.Tx, in Release) (Applied, error) {
			before, err := orderOf(ctx, &tx.View, in.Control)
			if err == nil && len(before.Desired) == 0 {
				err = core.Errorf(core.Conflict, "%s is not under control", in.Control)
			}
			if err != nil {
				return Applied{}, err
			}
			o, err := give(ctx, tx, host.Order{Control: in.Control, Mend: true}, in.highest)
			return Applied{Control: in.Control, Number: o.Number, Plan: []string{}}, err
		},
	}
}

// Confirm is the input of control.confirm.
type Confirm struct {
	Named
	Number  uint64 `json:"number,omitempty" doc:"number of the order; the one that waits if not said" rule:"max=1000000000"`
	Console bool   `json:"console,omitempty" doc:"over the local socket, or from this machine itself: I am at its console or have tried a new connection from outside"`
}

// Answer is what control.confirm and control.revert say.
type Answer struct {
	Control string `json:"control"`
	Number  uint64 `json:"number"`
}

// confirm wants to come over a connection that is newer than the change: it shows
// that people still get in.
func (c *Controls) confirm() act.Declaration {
	return act.Change[Confirm, Answer]{
		Name: "control.confirm", Doc: "Keep what was applied: people still get in.", Class: class, Roles: act.Admins,
		Must: []string{"control.kept"}, Wakes: []string{wake}, Serves: serves, Sample: Confirm{Named: Named{"firewall"}, Number: 1},
		Target: func(ctx context.Context, v *act.View, in *Confirm) (core.Ref, error) {
			return c.target(ctx, v, &in.Named)
		},
		Prepare: func(ctx context.Context, v *act.View, in *Confirm) error {
			s, err := c.awaiting(ctx, v, in.Control, &in.Number)
			if err != nil {
				return err
			}
			return newer(ctx, v, s, in.Console)
		},
		Run: func(ctx context.Context, tx *act.Tx, in Confirm) (Answer, error) {
			return reply(ctx, tx, in.Control, in.Number, keep, "control.kept")
		},
	}
}

// newer refuses a connection that was open before the change.
func newer(ctx context.Context, v *act.View, s Standing, console bool) error {
	o, err := orderOf(ctx, v, s.Control)
	if err != nil {
		return err
	}
	who := v.Actor()
	began := s.Until.Add(-time.Duration(o.Confirm) * time.Second)
	switch {
	case within(who) && console, !within(who) && who.Connected.After(began):
		return nil
	case within(who):
		return core.Errorf(core.Conflict, "a connection within this machine, as a tunnel over SSH is one, says nothing about the network: open a new connection to this server from outside first, then confirm with --console")
	}
	return core.Errorf(core.Conflict, "this connection was open before the change, so it does not show that you still get in; a new one is opened now: confirm once more")
}

// within reports whether somebody comes over the local socket or from this machine
// itself. A tunnel over a connection that stands does, and ends with it.
func within(who act.Actor) bool {
	a, err := netip.ParseAddr(who.Address)
	return who.Door == "cli" || err == nil && a.Unmap().IsLoopback()
}

// awaiting returns the control if an order of it waits; it fills in its number.
func (c *Controls) awaiting(ctx context.Context, v *act.View, name string, number *uint64) (Standing, error) {
	s, err := c.one(ctx, v, name)
	switch {
	case err != nil:
	case s.State == Unknown:
		err = core.Errorf(core.Unavailable, "%s", s.Fault)
	case s.Waiting == 0 && s.Undone != "":
		err = core.Errorf(core.Conflict, "nothing waits for a confirmation: %s", s.Undone)
	case s.Waiting == 0:
		err = core.Errorf(core.Conflict, "no order of %s waits for a confirmation", name)
	case *number != 0 && *number != s.Waiting:
		err = core.Errorf(core.Conflict, "order %d of %s waits for a confirmation, not %d", s.Waiting, name, *number)
	}
	*number = s.Waiting
	return s, err
}

// Revert is the input of control.revert.
type Revert struct {
	Named
	Number uint64 `json:"number,omitempty" doc:"number of the order; the one that waits if not said" rule:"max=1000000000"`
}

func (c *Controls) revert() act.Declaration {
	return act.Change[Revert, Answer]{
		Name: "control.revert", Doc: "Undo at once what was applied and waits for a confirmation.", Class: class, Roles: act.Admins,
		Must: []string{"control.undone"}, Wakes: []string{wake}, Serves: serves, Sample: Revert{Named: Named{"firewall"}, Number: 1},
		Target: func(ctx context.Context, v *act.View, in *Revert) (core.Ref, error) {
			return c.target(ctx, v, &in.Named)
		},
		Prepare: func(ctx context.Context, v *act.View, in *Revert) error {
			_, err := c.awaiting(ctx, v, in.Control, &in.Number)
			return err
		},
		Run: func(ctx context.Context, tx *act.Tx, in Revert) (Answer, error) {
			return reply(ctx, tx, in.Control, in.Number, undo, "control.undone")
		},
	}
}

// reply notes what is to become of an order that waits; the agent is told after.
func reply(ctx context.Context, tx *act.Tx, name string, n uint64, word, event string) (Answer, error) {
	o, err := orderOf(ctx, &tx.View, name)
	if err == nil && o.Number != n {
		err = core.Errorf(core.Conflict, "order %d of %s is the last one here, not %d", o.Number, name, n)
	}
	if err == nil {
		err = answer(ctx, tx, name, word)
	}
	if err != nil {
		return Answer{}, err
	}
	return Answer{name, n}, tx.Record(ctx, event, ref(name), field("number", "", number(n)))
}

func field(name, before, after string) act.Field {
	f := act.Field{Name: name}
	if before != "" {
		f.Old = &before
	}
	if after != "" {
		f.New = &after
	}
	return f
}

func number(n uint64) string {
	if n == 0 {
		return ""
	}
	return strconv.FormatUint(n, 10)
}

// Entry is one entry of the agent's journal, as control.note takes it.
type Entry struct {
	Seq     uint64   `json:"seq" doc:"number of the entry" rule:"required"`
	Time    string   `json:"time" doc:"when, RFC 3339" rule:"required,max=64"`
	Prev    string   `json:"prev,omitempty" doc:"hash of the entry before" rule:"max=64"`
	Hash    string   `json:"hash" doc:"its own hash" rule:"required,max=64"`
	Control string   `json:"control,omitempty" doc:"which control" rule:"max=40"`
	What    string   `json:"what" doc:"what the agent did or saw" rule:"required,max=20"`
	Order   uint64   `json:"order,omitempty" doc:"number of the order"`
	Leaf    string   `json:"leaf,omitempty" doc:"record that proves the order" rule:"max=64"`
	Lines   []string `json:"lines,omitempty" doc:"steps, or what differs"`
	Reason  string   `json:"reason,omitempty" doc:"why" rule:"max=4096"`
}

// Journal is the input of control.note.
type Journal struct {
	Entries []Entry `json:"entries" doc:"entries of the agent's journal, in order" rule:"required"`
}

// mostName is how long the name of a control may be.
const mostName = 40

// told are the events of the journal's words.
func told() []string {
	var list []string
	for _, what := range []string{host.Started, host.Intends, host.Done, host.Waits, host.Confirmed, host.Reverted, host.Broken, host.Drifted,
		host.Mended, host.Vanished, host.Refused, host.Blind, host.Alarmed, host.Eased, host.Pinned} {
		list = append(list, "control."+what, "agent."+what)
	}
	return list
}

// note puts on record what the agent's journal tells. It is the system's own.
func (c *Controls) note() act.Declaration {
	return act.Change[Journal, struct{}]{
		Name: "control.note", Doc: "Put on record what the agent did and saw.", Class: class, Roles: act.System,
		Must: []string{"agent.told"}, May: append(told(), "agent.gap"), Serves: serves,
		Sample: Journal{[]Entry{{Seq: 1, Time: "2026-01-01T00:00:00Z", Hash: strings.Repeat("0", 64), What: host.Started}}},
		Target: func(context.Context, *act.View, *Journal) (core.Ref, error) {
			return core.Ref{Kind: "agent", ID: agentID}, nil
		},
		Run: record,
	}
}

func record(ctx context.Context, tx *act.Tx, in Journal) (struct{}, error) {
	agent := core.Ref{Kind: "agent", ID: agentID}
	seq, hash, err := taken(ctx, &tx.View)
	if err != nil {
		return struct{}{}, err
	}
	from, gap := seq, ""
	for _, e := range in.Entries {
		if e.Seq != seq+1 || e.Prev != hash {
			gap = fmt.Sprintf("entry %d does not follow entry %d: the agent's journal was altered, or began anew", e.Seq, seq)
		}
		seq, hash = e.Seq, e.Hash
	}
	if err := take(ctx, tx, seq, hash); err != nil {
		return struct{}{}, err
	}
	if gap != "" {
		if err := tx.Record(ctx, "agent.gap", agent, field("why", "", gap)); err != nil {
			return struct{}{}, err
		}
	}
	for _, e := range in.Entries {
		on, event := agent, "agent."+e.What
		if o, err := orderOf(ctx, &tx.View, e.Control); err != nil {
			return struct{}{}, err
		} else if o.Number > 0 {
			on, event = ref(e.Control), "control."+e.What
		}
		if err := tx.Record(ctx, event, on, e.fields()...); err != nil {
			return struct{}{}, err
		}
	}
	return struct{}{}, tx.Record(ctx, "agent.told", agent, field("entry", number(from), number(seq)), field("hash", "", hash))
}

func (e Entry) fields() []act.Field {
	list := []act.Field{field("time", "", e.Time)}
	for _, f := range []act.Field{field("control", "", e.Control), field("order", "", number(e.Order)), field("record", "", e.Leaf),
		field("lines", "", strings.Join(e.Lines, "\n")), field("reason", "", e.Reason)} {
		if f.New != nil {
			list = append(list, f)
		}
	}
	return list
}

// Taken returns the number of the last entry of the journal that is on record.
func (c *Controls) Taken(ctx context.Context, v *act.View) (uint64, error) {
	seq, _, err := taken(ctx, v)
	return seq, err
}

// Due is an order that the agent must have, as it is on record, and what people
// said of it.
type Due struct {
	Control    string
	Number     uint64
	Raw        []byte
	Keep, Undo bool
}

// Due returns the last order of each control.
func (c *Controls) Due(ctx context.Context, v *act.View) (list []Due, err error) {
	all, err := orders(ctx, v)
	for _, m := range c.machines {
		if o := all[m.Name]; o.Number > 0 {
			list = append(list, Due{m.Name, o.Number, o.Raw, o.Answer == keep, o.Answer == undo})
		}
	}
	return list, err
}

// Note puts on record what the agent's journal tells.
func (c *Controls) Note(ctx context.Context, bus *act.Bus, lines []host.Line) error {
	in := Journal{}
	for _, l := range lines {
		in.Entries = append(in.Entries, Entry{Seq: l.Seq, Time: l.Time.UTC().Format(time.RFC3339Nano), Prev: l.Prev, Hash: l.Hash, Control: brief(l.Control),
			What: l.What, Order: l.Order, Leaf: l.Leaf, Lines: plain(l.Lines...), Reason: strings.Join(plain(l.Reason), "")})
	}
	_, err := bus.Do(ctx, act.Call{Op: "control.note", Actor: act.SystemActor("agent"), Input: input(in)})
	return err
}

// brief is the name of a control, as an operation takes it: one entry that is refused
// would keep every later one from the log.
func brief(name string) string {
	return strings.ToValidUTF8(plain(name[:min(len(name), mostName)])[0], "")
}

// plain is text of other programs as an operation takes it: on one line each.
func plain(lines ...string) []string {
	out := make([]string, len(lines))
	for i, l := range lines {
		out[i] = strings.Map(func(r rune) rune {
			if unicode.IsControl(r) || r == unicode.ReplacementChar {
				return ' '
			}
			return r
		}, l)
	}
	return out
}
