package watch

import (
	"container/heap"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hostward/internal/core"
	"hostward/internal/host"
	"hostward/internal/jail"
)

// What memory is bounded by. Strangers can send from more addresses than any memory
// holds: whoever was silent for longest is forgotten first, and of bans the one that
// ends soonest is lifted first.
const (
	mostTracked = 1 << 16 // prefixes counted in one jail
	mostHeld    = 1 << 17 // bans in force
	mostPast    = 1 << 17 // prefixes whose earlier bans are remembered
	mostShown   = 5       // lines kept of a prefix
	mostLine    = 300     // octets kept of a line
	mostLines   = 2 << 20 // octets of lines of prefixes that are counted; beyond it fewer are kept of each
	remembered  = 7 * 24 * time.Hour
)

// When networks of IPv6 are banned whole: when so many of their parts are. A /64
// counts one, a /56 as many as it takes to ban it.
const (
	widen56 = 4  // banned /64 in a /56
	widen48 = 16 // banned /64, or 4 banned /56, in a /48
)

// Manual is the jail of bans that a person asked for.
const Manual = "manual"

// book counts failures, and knows who is banned, until when and why. It looks at no
// clock and touches nothing: who holds it tells it the time, and carries out what
// changed.
type book struct {
	now   time.Time
	most  int                                         // bans in force
	spare func(jail string, p netip.Prefix) string    // why a prefix, or part of it, is never banned; "" if it may be
	event func(what, by string, ban host.Ban)         // takes what happened
	dirty map[netip.Prefix]struct{}                   // what may be other in the kernel now
	cells map[string]*cell                            // by name of the jail
	held  map[netip.Prefix][]*held                    // in force
	kin   map[netip.Prefix]int                        // how much of a /56 or /48 is banned
	past  map[string]*generations[netip.Prefix, past] // by jail; "" of all
	ends  ends
	lines int // octets of lines
}

// cell is one jail.
type cell struct {
	name string
	Rules
	tracking *tracking
	failures uint64
	bans     uint64
}

// held is a ban in force.
type held struct {
	host.Ban
	at int // in ends
}

func newBook(spare func(string, netip.Prefix) string, event func(what, by string, ban host.Ban)) *book {
	return &book{most: mostHeld, spare: spare, event: event, dirty: map[netip.Prefix]struct{}{}, cells: map[string]*cell{},
		held: map[netip.Prefix][]*held{}, kin: map[netip.Prefix]int{}, past: map[string]*generations[netip.Prefix, past]{}}
}

// jail makes a jail known, or gives one other rules; its counts stay.
func (b *book) jail(name string, r Rules) {
	c := b.cells[name]
	if c == nil {
		c = &cell{name: name, tracking: newTracking(mostTracked)}
		b.cells[name] = c
	}
	c.Rules = r
}

// close ends a jail: its bans are lifted, its counts forgotten.
func (b *book) close(name string) {
	for _, h := range slices.Clone(b.ends) {
		if h.Jail == name {
			b.drop(h)
			b.event("unbanned", "the jail is off", h.Ban)
		}
	}
	for _, t := range b.cells[name].tracking.by {
		b.forget(t)
	}
	delete(b.cells, name)
}

// key is the prefix by which an address is counted: an address of IPv4, a /64 of
// IPv6, because one host has as many addresses there as it likes. Where that /64
// is home to somebody who is never banned, its addresses are counted one by one.
func (b *book) key(jail string, a netip.Addr) netip.Prefix {
	a = a.Unmap().WithZone("")
	p := netip.PrefixFrom(a, a.BitLen())
	if a.Is6() {
		if net, err := a.Prefix(64); err == nil && host.Bannable(net) == nil && b.spare(jail, net) == "" {
			p = net
		}
	}
	return p
}

// fail counts a failure. Who is known by a name only is not looked up and not
// counted: whose address a name is, strangers say.
func (b *book) fail(name string, f jail.Failure, line []byte) {
	c := b.cells[name]
	if c == nil {
		return
	}
	c.failures++
	p := f.Addr
	if f.ID != "" {
		p = parseID(f.ID)
	}
	switch {
	case !p.IsValid():
	case p.IsSingleIP():
		b.count(c, b.key(name, p.Addr()), f.Time, line)
	default:
		b.count(c, host.Plain(p), f.Time, line)
	}
}

// parseID reads an <F-ID>, which may be an address or a network or something else.
func parseID(id string) netip.Prefix {
	if a, err := netip.ParseAddr(id); err == nil {
		return netip.PrefixFrom(a, a.BitLen())
	}
	p, _ := netip.ParsePrefix(id) // the zero value is none
	return p
}

func (b *book) count(c *cell, p netip.Prefix, at time.Time, line []byte) {
	if at.After(b.now) {
		at = b.now
	}
	since := b.now.Add(-c.FindTime)
	if !at.After(since) || b.covered(c.name, p) {
		return
	}
	t, gone := c.tracking.of(p)
	if gone != nil {
		b.forget(gone)
	}
	before := b.before(c, p)
	t.add(at.Unix(), c.weight(before))
	b.keep(c, t, line)
	n := t.count(at.Add(-c.FindTime).Unix() + 1)
	if n < max(1, c.MaxRetry) {
		return
	}
	b.forget(t)
	c.tracking.drop(t)
	if t.lines.count == 0 && c.MaxLines > 0 {
		t.lines.add(line[:min(len(line), mostLine)], 1)
	}
	b.sentence(c, p, at, n, told(t.lines))
}

func (b *book) forget(t *tracker) { b.lines -= t.lines.size() }

// keep keeps a line with a tracker, as far as there is room.
func (b *book) keep(c *cell, t *tracker, line []byte) {
	most := min(c.MaxLines, c.MaxRetry)
	switch {
	case b.lines > 2*mostLines:
		most = 0
	case b.lines > mostLines:
		most = min(most, 1)
	}
	before := t.lines.size()
	t.lines.add(line[:min(len(line), mostLine)], most)
	b.lines += t.lines.size() - before
}

// told are lines as people read them.
func told(lines evidence) []string {
	out := make([]string, 0, lines.count)
	for l := range lines.all() {
		out = append(out, strings.ToValidUTF8(string(l), "�"))
	}
	return out
}

// sentence bans a prefix that has failed too often, unless it is spared.
func (b *book) sentence(c *cell, p netip.Prefix, at time.Time, failures int, lines []string) {
	ban := host.Ban{Prefix: p, Jail: c.name, Since: at, Times: b.before(c, p) + 1, Failures: failures, Lines: lines}
	if d := c.last(ban.Times - 1); d >= 0 {
		ban.Until = at.Add(d)
	}
	why := b.spare(c.name, p)
	if err := host.Bannable(p); err != nil {
		why = err.Error()
	}
	switch {
	case why != "":
		b.event("spared", why, ban)
	case !ban.Until.IsZero() && !ban.Until.After(b.now): // read so late that it is over
	default:
		b.impose(c, ban)
	}
}

// impose puts a ban in force, and those that follow from it.
func (b *book) impose(c *cell, ban host.Ban) {
	c.bans++
	b.hold(ban)
	b.event("banned", "", ban)
	b.note(c.name, ban)
	for _, other := range b.cells {
		if other.Recidive && !c.Recidive && c.name != Manual {
			b.count(other, ban.Prefix, ban.Since, fmt.Appendf(nil, "%s banned %s for the %d. time", c.name, ban.Prefix, ban.Times))
		}
	}
	b.widen(c, ban)
}

// hold puts a ban in force in the place of an earlier one of the same jail.
func (b *book) hold(ban host.Ban) {
	b.release(ban.Prefix, func(h *held) bool { return h.Jail == ban.Jail })
	if b.ends.Len() >= b.most {
		h := b.ends[0]
		b.drop(h)
		b.event("unbanned", fmt.Sprintf("there are more than %d bans", b.most), h.Ban)
	}
	h := &held{Ban: ban}
	if len(b.held[ban.Prefix]) == 0 {
		b.relate(ban.Prefix, 1)
	}
	b.held[ban.Prefix] = append(b.held[ban.Prefix], h)
	heap.Push(&b.ends, h)
	b.dirty[ban.Prefix] = struct{}{}
}

// drop takes one ban out of force.
func (b *book) drop(h *held) {
	p := h.Prefix
	b.held[p] = slices.DeleteFunc(b.held[p], func(x *held) bool { return x == h })
	if len(b.held[p]) == 0 {
		delete(b.held, p)
		b.relate(p, -1)
	}
	heap.Remove(&b.ends, h.at)
	b.dirty[p] = struct{}{}
}

func (b *book) release(p netip.Prefix, which func(*held) bool) (gone []host.Ban) {
	for _, h := range slices.Clone(b.held[p]) {
		if which(h) {
			b.drop(h)
			gone = append(gone, h.Ban)
		}
	}
	return gone
}

// relate counts a banned network with those it is part of.
func (b *book) relate(p netip.Prefix, n int) {
	if !p.Addr().Is6() || p.Bits() != 64 && p.Bits() != 56 {
		return
	}
	for _, bits := range []int{56, 48} {
		if bits >= p.Bits() {
			continue
		}
		wide, _ := p.Addr().Prefix(bits)
		b.kin[wide] += n * weightOf(p)
		if b.kin[wide] == 0 {
			delete(b.kin, wide)
		}
	}
}

func weightOf(p netip.Prefix) int {
	if p.Bits() == 56 {
		return widen56
	}
	return 1
}

// widen bans the network around a prefix whole when enough of it is banned, and
// nobody is in it who is never banned.
func (b *book) widen(c *cell, ban host.Ban) {
	if !ban.Prefix.Addr().Is6() {
		return
	}
	for _, step := range []struct{ bits, most int }{{48, widen48}, {56, widen56}} {
		wide, err := ban.Prefix.Addr().Prefix(step.bits)
		if err != nil || ban.Prefix.Bits() <= step.bits || b.kin[wide] < step.most || b.spare(c.name, wide) != "" {
			continue
		}
		whole := host.Ban{Prefix: wide, Jail: c.name, Since: ban.Since, Until: ban.Until, Times: ban.Times, Lines: ban.Lines}
		for p := range b.held {
			if wide.Contains(p.Addr()) && p.Bits() > wide.Bits() {
				for _, part := range b.release(p, func(*held) bool { return true }) {
					whole.Failures += part.Failures
					whole.Until = later(whole.Until, part.Until)
				}
			}
		}
		b.hold(whole)
		b.event("widened", fmt.Sprintf("%d or more of its networks were banned", step.most), whole)
		if step.bits == 56 {
			b.widen(c, whole)
		}
		return
	}
}

// later is the later end of two bans; zero is never.
func later(x, y time.Time) time.Time {
	if x.IsZero() || y.IsZero() {
		return time.Time{}
	}
	if y.After(x) {
		return y
	}
	return x
}

// covered says whether a jail keeps a prefix out already: what its lines still tell
// was on its way.
func (b *book) covered(jail string, p netip.Prefix) bool {
	if len(b.held) == 0 {
		return false
	}
	widths := [...]int{128, 64, 56, 48}
	for _, bits := range widths {
		if p.Addr().Is4() {
			bits = 32
		}
		if bits > p.Bits() {
			continue
		}
		wide, err := p.Addr().Prefix(bits)
		if err == nil && slices.ContainsFunc(b.held[wide], func(h *held) bool { return h.Jail == jail }) {
			return true
		}
		if p.Addr().Is4() {
			return false
		}
	}
	return false
}

// manual bans a prefix for a person; 0: until somebody lifts it.
func (b *book) manual(p netip.Prefix, d time.Duration, reason string) error {
	p = host.Plain(p)
	if err := host.Bannable(p); err != nil {
		return err
	}
	if d < 0 {
		return core.Errorf(core.Invalid, "duration: 0 (until it is lifted) or more is accepted, not %s", d)
	}
	if why := b.spare(Manual, p); why != "" {
		return core.Errorf(core.Conflict, "%s is not banned: %s", p, why)
	}
	ban := host.Ban{Prefix: p, Jail: Manual, Since: b.now, Times: b.before(b.cells[Manual], p) + 1}
	if d > 0 {
		ban.Until = b.now.Add(min(d, longest))
	}
	if reason != "" {
		ban.Lines = []string{strings.ToValidUTF8(reason[:min(len(reason), mostLine)], "�")}
	}
	b.impose(b.cells[Manual], ban)
	return nil
}

// lift lifts every ban that covers a prefix or lies in it, and forgets what was
// counted there. It returns how many there were.
func (b *book) lift(p netip.Prefix, by string) (n int) {
	p = host.Plain(p)
	for q := range b.held {
		if q.Overlaps(p) {
			for _, ban := range b.release(q, func(*held) bool { return true }) {
				b.event("unbanned", by, ban)
				n++
			}
		}
	}
	for _, c := range b.cells {
		for q, t := range c.tracking.by {
			if q.Overlaps(p) {
				b.forget(t)
				c.tracking.drop(t)
			}
		}
	}
	for _, times := range b.past {
		times.drop(p.Overlaps)
	}
	return n
}

// tick tells the time and ends the bans whose time is over.
func (b *book) tick(now time.Time) {
	b.now = now
	for len(b.ends) > 0 && !b.ends[0].Until.IsZero() && !b.ends[0].Until.After(now) {
		h := b.ends[0]
		b.drop(h)
		b.event("unbanned", "its time was over", h.Ban)
	}
}

// shift moves everything in time: the clock was set.
func (b *book) shift(d time.Duration) {
	for _, c := range b.cells {
		for _, t := range c.tracking.by {
			for i := range t.moments {
				t.moments[i].at += int64(d / time.Second)
			}
		}
	}
	for _, h := range b.ends {
		h.Since = h.Since.Add(d)
		if !h.Until.IsZero() {
			h.Until = h.Until.Add(d)
		}
		b.dirty[h.Prefix] = struct{}{}
	}
}

// want returns until when a prefix is to be kept out, zero for ever; false: it may
// come in.
func (b *book) want(p netip.Prefix) (until time.Time, ok bool) {
	for i, h := range b.held[p] {
		if i == 0 {
			until = h.Until
		}
		until = later(until, h.Until)
	}
	return until, len(b.held[p]) > 0
}

// before is how often a prefix was banned before.
func (b *book) before(c *cell, p netip.Prefix) int {
	jail := c.name
	if c.Increment.AllJails {
		jail = ""
	}
	if x, ok := b.past[jail].get(p); ok && b.now.Sub(x.until) < remembered {
		return x.times
	}
	return 0
}

// note remembers a ban for the next one.
func (b *book) note(jail string, ban host.Ban) {
	until := ban.Until
	if until.IsZero() {
		until = b.now.Add(longest)
	}
	for _, name := range []string{jail, ""} {
		if b.past[name] == nil {
			b.past[name] = newGenerations[netip.Prefix, past](mostPast)
		}
		x, _ := b.past[name].get(ban.Prefix)
		b.past[name].put(ban.Prefix, past{x.times + 1, until})
	}
}

// ends are the bans in force, the one that ends first in front.
type ends []*held

func (e ends) Len() int { return len(e) }

// Less implements heap.Interface.
func (e ends) Less(i, j int) bool {
	x, y := e[i].Until, e[j].Until
	return !x.IsZero() && (y.IsZero() || x.Before(y))
}

// Swap implements heap.Interface.
func (e ends) Swap(i, j int) {
	e[i], e[j] = e[j], e[i]
	e[i].at, e[j].at = i, j
}

// Push implements heap.Interface.
func (e *ends) Push(x any) {
	h := x.(*held)
	h.at = len(*e)
	*e = append(*e, h)
}

// Pop implements heap.Interface.
func (e *ends) Pop() any {
	h := (*e)[len(*e)-1]
	*e = (*e)[:len(*e)-1]
	return h
}
