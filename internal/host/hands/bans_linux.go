package hands

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"math"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/google/nftables"
	"github.com/google/nftables/expr"
	"golang.org/x/sys/unix"

	"hostward/internal/core"
	"hostward/internal/host"
)

const (
	banTable = "hostward_ban"
	banChain = "gate"
	// perMessage is how many elements go into one netlink message. Its length has 16
	// bits: longer ones lose elements without an error.
	perMessage = 500
	// perFlush is how many elements go into one transaction, so that it fits into the
	// socket's buffer.
	perFlush = 2000
)

// Bans keeps prefixes out by nftables: the table inet hostward_ban, which is ours
// alone. Its chain hangs before everything (prerouting, priority raw), so that it
// sees all packets that come in, also those to be forwarded and those of
// connections that are established. For each width of prefix there is a hash set
// with timeouts; a packet's source is cut to that width and looked up. There are no
// interval sets: those are read back whole at each change. The end of a ban is
// kept by the kernel, whatever becomes of us.
type Bans struct {
	table *nftables.Table
	chain *nftables.Chain

	mu   sync.Mutex
	have map[netip.Prefix]host.Ban // as last seen or set; nil: not looked yet
	sets map[width]*nftables.Set
}

var _ host.Kernel = (*Bans)(nil)

// NewBans returns the hands for bans. Nothing is done before the first call.
func NewBans() *Bans {
	b := &Bans{table: &nftables.Table{Name: banTable, Family: nftables.TableFamilyINet}}
	b.chain = &nftables.Chain{Name: banChain, Table: b.table, Type: nftables.ChainTypeFilter, Hooknum: nftables.ChainHookPrerouting,
		Priority: nftables.ChainPriorityRaw}
	return b
}

// width is a set's width of prefix in a family.
type width struct {
	six  bool
	bits int
}

// usual are the widths that are there from the first; another comes with the first
// ban of it.
var usual = []width{{false, 32}, {false, 24}, {true, 128}, {true, 64}, {true, 56}, {true, 48}}

func widthOf(p netip.Prefix) width { return width{p.Addr().Is6(), p.Bits()} }

func (w width) name() string {
	if w.six {
		return fmt.Sprintf("v6_%d", w.bits)
	}
	return fmt.Sprintf("v4_%d", w.bits)
}

func parseWidth(name string) (w width, ok bool) {
	family := 0
	_, err := fmt.Sscanf(name, "v%d_%d", &family, &w.bits)
	w.six = family == 6
	return w, err == nil && w.name() == name
}

func (b *Bans) set(w width) *nftables.Set {
	s := &nftables.Set{Table: b.table, Name: w.name(), HasTimeout: true, Counter: true, KeyType: nftables.TypeIPAddr}
	if w.six {
		s.KeyType = nftables.TypeIP6Addr
	}
	return s
}

// rule drops what comes from a prefix in the set of a width.
func (b *Bans) rule(w width) *nftables.Rule {
	family, at, length := byte(unix.NFPROTO_IPV4), uint32(12), uint32(4) // the source's place in the header
	if w.six {
		family, at, length = unix.NFPROTO_IPV6, 8, 16
	}
	exprs := []expr.Any{
		&expr.Meta{Key: expr.MetaKeyNFPROTO, Register: 1},
		&expr.Cmp{Op: expr.CmpOpEq, Register: 1, Data: []byte{family}},
		&expr.Payload{DestRegister: 1, Base: expr.PayloadBaseNetworkHeader, Offset: at, Len: length},
	}
	if w.bits < int(length)*8 {
		exprs = append(exprs, &expr.Bitwise{SourceRegister: 1, DestRegister: 1, Len: length,
			Mask: net.CIDRMask(w.bits, int(length)*8), Xor: make([]byte, length)})
	}
	exprs = append(exprs, &expr.Lookup{SourceRegister: 1, SetName: w.name()}, &expr.Counter{}, &expr.Verdict{Kind: expr.VerdictDrop})
	return &nftables.Rule{Table: b.table, Chain: b.chain, Exprs: exprs}
}

// Ban implements host.Kernel.
func (b *Bans) Ban(ctx context.Context, bans []host.Ban) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	wanted, refused := acceptable(bans)
	if len(wanted) == 0 {
		return refused
	}
	return errors.Join(refused, b.insist(ctx, wanted, nil))
}

// Unban implements host.Kernel.
func (b *Bans) Unban(ctx context.Context, prefixes []netip.Prefix) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.insist(ctx, nil, prefixes)
}

// insist changes the sets, after a fresh look where what we remembered was not so,
// and reads large changes back.
func (b *Bans) insist(ctx context.Context, add map[netip.Prefix]time.Time, remove []netip.Prefix) (err error) {
	for range 3 {
		if err = ctx.Err(); err != nil {
			return err
		}
		if b.have == nil {
			if err = b.look(); err != nil {
				return err
			}
		}
		if err = b.change(add, remove); err == nil && len(add) > perMessage {
			err = b.readBack(add)
		}
		if err == nil {
			return nil
		}
		b.have = nil // somebody else changed the sets, or a ban ended meanwhile
	}
	return fmt.Errorf("changing the kernel's bans: %w", err)
}

// acceptable are the ends of the bans that may be, by prefix.
func acceptable(bans []host.Ban) (map[netip.Prefix]time.Time, error) {
	wanted, now := make(map[netip.Prefix]time.Time, len(bans)), time.Now()
	own, refused := ownAddresses()
	for _, ban := range bans {
		p := host.Plain(ban.Prefix)
		err := host.Bannable(p)
		if i := slices.IndexFunc(own, p.Contains); err == nil && i >= 0 {
			err = core.Errorf(core.Invalid, "%s is not banned: %s is an address of this machine", p, own[i])
		}
		if err != nil {
			refused = errors.Join(refused, err)
		} else if ban.Until.IsZero() || ban.Until.After(now) {
			wanted[p] = ban.Until
		}
	}
	return wanted, refused
}

func ownAddresses() (own []netip.Addr, err error) {
	addrs, err := net.InterfaceAddrs()
	for _, a := range addrs {
		if p, err := netip.ParsePrefix(a.String()); err == nil {
			own = append(own, p.Addr().Unmap().WithZone(""))
		}
	}
	return own, err
}

// change carries out additions and removals in as many transactions as it takes.
func (b *Bans) change(add map[netip.Prefix]time.Time, remove []netip.Prefix) error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	for p := range add {
		if w := widthOf(p); b.sets[w] == nil {
			if err := b.addWidth(c, w); err != nil {
				return err
			}
		}
	}
	var gone []netip.Prefix
	for _, p := range remove {
		if _, ok := b.have[host.Plain(p)]; ok {
			gone = append(gone, host.Plain(p))
		}
	}
	for part := range slices.Chunk(slices.Concat(gone, slices.Collect(maps.Keys(add))), perFlush) {
		if err := b.flush(c, part, add); err != nil {
			return err
		}
	}
	return nil
}

func (b *Bans) addWidth(c *nftables.Conn, w width) error {
	s := b.set(w)
	if err := c.AddSet(s, nil); err != nil {
		return err
	}
	c.AddRule(b.rule(w))
	if err := c.Flush(); err != nil {
		return err
	}
	b.sets[w] = s
	return nil
}

// flush puts prefixes right in one transaction: out of the set, and in again where
// add has them. That is how a ban gets another end: an element that is there keeps
// the one it has.
func (b *Bans) flush(c *nftables.Conn, part []netip.Prefix, add map[netip.Prefix]time.Time) error {
	now := time.Now()
	out, in := map[width][]nftables.SetElement{}, map[width][]nftables.SetElement{}
	for _, p := range part {
		w, key := widthOf(p), p.Addr().AsSlice()
		if old, ok := b.have[p]; ok && !ended(old, now) {
			out[w] = append(out[w], nftables.SetElement{Key: key})
		}
		if until, ok := add[p]; ok {
			in[w] = append(in[w], nftables.SetElement{Key: key, Timeout: left(until, now)})
		}
	}
	for _, way := range []struct {
		elements map[width][]nftables.SetElement
		put      func(*nftables.Set, []nftables.SetElement) error
	}{{out, c.SetDeleteElements}, {in, c.SetAddElements}} {
		for w, elements := range way.elements {
			for some := range slices.Chunk(elements, perMessage) {
				if err := way.put(b.sets[w], some); err != nil {
					return err
				}
			}
		}
	}
	if err := c.Flush(); err != nil {
		return err
	}
	for _, p := range part {
		if until, ok := add[p]; ok {
			b.have[p] = host.Ban{Prefix: p, Until: until}
		} else {
			delete(b.have, p)
		}
	}
	return nil
}

func ended(ban host.Ban, now time.Time) bool { return !ban.Until.IsZero() && !ban.Until.After(now) }

// left is how long an element stays, 0 for ever. The kernel counts milliseconds.
func left(until, now time.Time) time.Duration {
	if until.IsZero() {
		return 0
	}
	return min(max(until.Sub(now), time.Second), math.MaxInt32*time.Second)
}

// readBack looks whether everything that was added is there.
func (b *Bans) readBack(add map[netip.Prefix]time.Time) error {
	if err := b.look(); err != nil {
		return err
	}
	missing := 0
	for p := range add {
		if _, ok := b.have[p]; !ok {
			missing++
		}
	}
	if missing > 0 {
		return fmt.Errorf("%d of %d bans are not in the kernel's sets", missing, len(add))
	}
	return nil
}

// Banned implements host.Kernel. A table that is missing, or is not as we made it,
// is made anew on this occasion, with what was in its sets.
func (b *Bans) Banned(ctx context.Context) ([]host.Ban, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if err := b.look(); err != nil {
		return nil, err
	}
	return slices.Collect(maps.Values(b.have)), nil
}

// Clear removes the table, and with it every ban.
func (b *Bans) Clear(ctx context.Context) error {
	b.mu.Lock()
	defer b.mu.Unlock()
	c, err := nftables.New()
	if err != nil {
		return errors.Join(ctx.Err(), err)
	}
	c.AddTable(b.table) // removing needs one that is there
	c.DelTable(b.table)
	b.have, b.sets = nil, nil
	return c.Flush()
}

// look reads the sets, and makes the table if it is not whole.
func (b *Bans) look() error {
	c, err := nftables.New()
	if err != nil {
		return err
	}
	b.have, b.sets = nil, nil
	sets, have := map[width]*nftables.Set{}, map[netip.Prefix]host.Ban{}
	found, err := c.GetSets(b.table)
	if err != nil && !errors.Is(err, unix.ENOENT) && !strings.Contains(err.Error(), unix.ENOENT.Error()) {
		return fmt.Errorf("reading the kernel's bans: %w", err)
	}
	for _, s := range found {
		if w, ok := parseWidth(s.Name); ok {
			if err := readSet(c, s, w, have); err != nil {
				return fmt.Errorf("reading the kernel's bans: %w", err)
			}
			sets[w] = b.set(w)
		}
	}
	if b.whole(c, sets) {
		b.sets, b.have = sets, have
		return nil
	}
	return b.make(c, have)
}

func readSet(c *nftables.Conn, s *nftables.Set, w width, have map[netip.Prefix]host.Ban) error {
	elements, err := c.GetSetElements(s)
	now := time.Now()
	for _, e := range elements {
		a, ok := netip.AddrFromSlice(e.Key)
		if !ok {
			continue
		}
		ban := host.Ban{Prefix: netip.PrefixFrom(a, w.bits)}
		if e.Timeout > 0 {
			ban.Until = now.Add(e.Expires)
		}
		if e.Counter != nil {
			ban.Dropped = e.Counter.Packets
		}
		have[ban.Prefix] = ban
	}
	return err
}

// whole says whether the chain hangs where it should and drops what is in each set.
func (b *Bans) whole(c *nftables.Conn, sets map[width]*nftables.Set) bool {
	chain, err := c.ListChain(b.table, banChain)
	if err != nil || chain.Hooknum == nil || *chain.Hooknum != *b.chain.Hooknum || chain.Priority == nil || *chain.Priority != *b.chain.Priority {
		return false
	}
	rules, err := c.GetRules(b.table, b.chain)
	if err != nil || len(rules) != len(sets) {
		return false
	}
	drops := map[string]bool{}
	for _, r := range rules {
		if name, ok := drop(r); ok {
			drops[name] = true
		}
	}
	for w := range sets {
		if !drops[w.name()] {
			return false
		}
	}
	return !slices.ContainsFunc(usual, func(w width) bool { return sets[w] == nil })
}

// drop returns the set whose members a rule of ours drops.
func drop(r *nftables.Rule) (set string, ok bool) {
	for _, e := range r.Exprs {
		switch e := e.(type) {
		case *expr.Lookup:
			set, ok = e.SetName, !e.Invert
		case *expr.Verdict:
			return set, ok && e.Kind == expr.VerdictDrop
		}
	}
	return "", false
}

// make makes the table anew, in one transaction, and puts back what was in the sets.
func (b *Bans) make(c *nftables.Conn, had map[netip.Prefix]host.Ban) error {
	c.AddTable(b.table)
	c.DelTable(b.table)
	c.AddTable(b.table)
	c.AddChain(b.chain)
	sets := map[width]*nftables.Set{}
	for _, w := range usual {
		sets[w] = b.set(w)
		if err := c.AddSet(sets[w], nil); err != nil {
			return err
		}
		c.AddRule(b.rule(w))
	}
	if err := c.Flush(); err != nil {
		return fmt.Errorf("making the table of bans: %w", err)
	}
	b.sets, b.have = sets, map[netip.Prefix]host.Ban{}
	again := make(map[netip.Prefix]time.Time, len(had))
	for p, ban := range had {
		again[p] = ban.Until
	}
	return b.change(again, nil)
}
