package firewall

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"iter"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"hostward/internal/core"
	"hostward/internal/host"
)

// The programs that are run to look.
const (
	nft = "/usr/sbin/nft"
	ss  = "/usr/bin/ss"
)

// Listener is a program that waits at a port.
type Listener struct {
	Proto   string `json:"proto"`
	Address string `json:"address"` // "*": all of both families
	Port    uint16 `json:"port"`
	Program string `json:"program,omitempty"`
}

// outside reports whether somebody else than this server itself can reach it.
func (l Listener) outside() bool {
	a, err := netip.ParseAddr(l.Address)
	return err != nil || !a.IsLoopback()
}

// parseListeners reads what ss -Htulnp prints.
func parseListeners(out string) (list []Listener) {
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		if len(f) < 5 {
			continue
		}
		i := strings.LastIndexByte(f[4], ':')
		port, err := strconv.ParseUint(f[4][i+1:], 10, 16)
		if i < 0 || err != nil || f[0] != "tcp" && f[0] != "udp" {
			continue
		}
		address, _, _ := strings.Cut(f[4][:i], "%")
		l := Listener{Proto: f[0], Address: strings.Trim(address, "[]"), Port: uint16(port)}
		if _, who, ok := strings.Cut(line, `users:(("`); ok {
			l.Program, _, _ = strings.Cut(who, `"`)
		}
		if !slices.Contains(list, l) {
			list = append(list, l)
		}
	}
	return list
}

// Exposed is a port at which a program waits, and who reaches it.
type Exposed struct {
	Listener
	Reach
	Open bool `json:"open"` // to anybody but this server itself
}

// Foreign is a table of somebody else. It is never touched.
type Foreign struct {
	Name   string   `json:"name"` // "ip nat"
	Rules  int      `json:"rules"`
	Hooks  []string `json:"hooks,omitempty"` // "prerouting", "forward": where it acts
	Digest string   `json:"digest"`          // of its rules, without counters and elements
}

// Published is a port that a table of somebody else sends on, before our input chain
// sees it.
type Published struct {
	Table   string `json:"table"`
	Proto   string `json:"proto"` // "any": the rule names none that could be read
	First   uint16 `json:"first"` // 0: every port
	Last    uint16 `json:"last"`
	Address string `json:"address,omitempty"` // at which it is published; "": all
	To      string `json:"to"`
	State   string `json:"state"` // "open past the firewall", "closed", "declared by rule 3 for all"
}

// Port is the port as people write it.
func (p Published) Port() string {
	if p.First == 0 {
		return "every port"
	}
	return span{first: p.First, last: p.Last}.String() + "/" + p.Proto
}

// parseForeign reads a table as nft prints it, and what it publishes.
func parseForeign(name, out string) (Foreign, []Published) {
	sum := sha256.Sum256([]byte(out))
	t := Foreign{Name: name, Digest: hex.EncodeToString(sum[:])}
	var list []Published
	inChain := false
	for line := range strings.Lines(out) {
		f := strings.Fields(line)
		switch {
		case len(f) == 0:
		case f[0] == "chain":
			inChain = true
		case f[0] == "}":
			inChain = false
		case f[0] == "type":
			if i := slices.Index(f, "hook"); i >= 0 && i+1 < len(f) && !slices.Contains(t.Hooks, f[i+1]) {
				t.Hooks = append(t.Hooks, f[i+1])
			}
		case inChain:
			t.Rules++
			list = append(list, published(name, f)...)
		}
	}
	return t, list
}

// published reads one rule. What it does not understand counts as every port: it is
// better to warn too much.
func published(table string, f []string) []Published {
	p := Published{Table: table, Proto: "any"}
	at := slices.Index(f, "dnat")
	switch {
	case at >= 0:
		if to := slices.Index(f[at:], "to"); to >= 0 && at+to+1 < len(f) {
			p.To = strings.Join(f[at+to+1:], " ")
			p.To, _, _ = strings.Cut(p.To, " ")
		}
	case slices.Contains(f, `"DNAT"`):
		p.To, at = "a place that nft cannot read", len(f)
	default:
		return nil
	}
	if i := slices.Index(f[:at], "daddr"); i >= 0 && i+1 < at {
		p.Address = f[i+1]
	}
	i := slices.Index(f[:at], "dport")
	if i < 1 || i+1 >= at {
		return []Published{p}
	}
	proto := f[i-1]
	if proto != "tcp" && proto != "udp" {
		proto = "any"
	}
	words := f[i+1 : i+2]
	if words[0] == "{" {
		end := slices.Index(f[i:], "}")
		if end < 0 {
			return []Published{p}
		}
		words = f[i+2 : i+end]
	}
	var list []Published
	for _, w := range words {
		s, ok := parseSpan(strings.TrimSuffix(w, ","), proto)
		if !ok {
			return []Published{p} // "!=", a map, a set
		}
		one := p
		one.Proto, one.First, one.Last = proto, s.first, s.last
		list = append(list, one)
	}
	return list
}

// local reports whether a port is published for this server itself only.
func (p Published) local() bool {
	a, err := netip.ParseAddr(p.Address)
	return err == nil && a.IsLoopback()
}

// Counter is how much passed at one place since the table was loaded.
type Counter struct {
	Name    string `json:"name"`
	Packets uint64 `json:"packets"`
	Bytes   uint64 `json:"bytes"`
}

func parseCounters(out []byte) (list []Counter, err error) {
	var all struct {
		Nftables []struct {
			Counter *struct {
				Family, Table string
				Counter
			} `json:"counter"`
		} `json:"nftables"`
	}
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("what nft says of counters cannot be read: %w", err)
	}
	for _, x := range all.Nftables {
		if c := x.Counter; c != nil && c.Family == tableFamily && c.Table == tableName {
			list = append(list, c.Counter)
		}
	}
	return list, nil
}

// Observed is what the firewall is.
type Observed struct {
	Loaded    bool        `json:"loaded"`
	Boot      bool        `json:"boot"`           // what is loaded at boot is what should be
	Sets      []string    `json:"sets,omitempty"` // whose elements differ from what they should be
	Counters  []Counter   `json:"counters,omitempty"`
	Exposure  []Exposed   `json:"exposure"`
	Published []Published `json:"published,omitempty"`
	Foreign   []Foreign   `json:"foreign,omitempty"`
	Blind     []string    `json:"blind,omitempty"` // what could not be looked at

	table, wanted string // as nft prints them, without elements
	file          bool   // there is one for the boot
}

// observe looks at the table, the file for the boot, who listens, and the tables of
// others.
func observe(ctx context.Context, eyes host.Eyes, want *Desired) (o Observed, err error) {
	live, err := eyes.Table(ctx, tableFamily, tableName, "")
	if err != nil {
		return o, fmt.Errorf("looking at the firewall: %w", err)
	}
	var elements map[string][]core.Network
	o.table, elements = withoutElements(live)
	o.Loaded = live != ""
	boot, there, err := eyes.ReadFile(BootFile)
	if err != nil {
		return o, fmt.Errorf("looking at what is loaded at boot: %w", err)
	}
	o.file = there
	if want != nil {
		if o.wanted, err = eyes.Table(ctx, tableFamily, tableName, want.Table(false)); err != nil {
			return o, fmt.Errorf("trying the rules in an empty network: %w", err)
		}
		o.Boot = string(boot) == want.Boot()
		o.Sets = want.differing(elements)
	}
	o.around(ctx, eyes, want)
	return o, nil
}

// around looks at the rest, which is shown and steers nothing: what cannot be looked
// at is named.
func (o *Observed) around(ctx context.Context, eyes host.Eyes, want *Desired) {
	blind := func(what string, err error) {
		if err != nil {
			o.Blind = append(o.Blind, what+": "+err.Error())
		}
	}
	counted, err := eyes.Output(ctx, nft, "-j", "-t", "list", "ruleset")
	if err == nil {
		o.Counters, err = parseCounters(counted)
	}
	blind("counters", err)
	out, err := eyes.Output(ctx, ss, "-Htulnp")
	blind("who listens", err)
	o.Exposure = exposure(parseListeners(string(out)), o.Loaded, want)
	blind("tables of others", o.others(ctx, eyes))
	for i, p := range o.Published {
		switch {
		case p.local():
			o.Published[i].State = "for this server itself"
		case !o.Loaded || want == nil:
			o.Published[i].State = openPast
		default:
			o.Published[i].State = want.past(p)
		}
	}
	if names, _, err := eyes.ReadFile("/proc/net/ip_tables_names"); err == nil && len(names) > 0 {
		o.Blind = append(o.Blind, "rules of the older iptables, which nft cannot show: iptables-legacy lists them")
	}
}

// exposure is who reaches what. Without a firewall, everybody reaches everything.
func exposure(list []Listener, loaded bool, want *Desired) []Exposed {
	out := []Exposed{}
	for _, l := range list {
		x := Exposed{Listener: l, Open: l.outside()}
		switch {
		case !x.Open:
		case !loaded || want == nil:
			x.From = []string{All}
		default:
			x.Reach = want.reach(l.Proto, l.Port)
			x.Open = len(x.From) > 0
		}
		out = append(out, x)
	}
	return out
}

// others looks at their tables. Of all that nft lists, only the terse ruleset is quick
// where sets are large.
func (o *Observed) others(ctx context.Context, eyes host.Eyes) error {
	out, err := eyes.Output(ctx, nft, "-s", "-t", "list", "ruleset")
	for name, text := range tables(string(out)) {
		if name == tableFamily+" "+tableName {
			continue
		}
		t, list := parseForeign(name, text)
		o.Foreign = append(o.Foreign, t)
		for _, p := range list {
			if !slices.Contains(o.Published, p) {
				o.Published = append(o.Published, p)
			}
		}
	}
	return err
}

// tables cuts a ruleset into its tables, by family and name.
func tables(ruleset string) iter.Seq2[string, string] {
	return func(yield func(name, text string) bool) {
		name, text := "", ""
		for line := range strings.Lines(ruleset) {
			if f := strings.Fields(line); strings.HasPrefix(line, "table ") && len(f) >= 3 {
				name, text = f[1]+" "+f[2], ""
			}
			text += line
			if strings.TrimRight(line, "\n") == "}" && name != "" {
				if !yield(name, text) {
					return
				}
				name = ""
			}
		}
	}
}

// withoutElements takes the elements of sets out of a table as nft prints it.
func withoutElements(text string) (string, map[string][]core.Network) {
	var rest strings.Builder
	elements := map[string][]core.Network{}
	name, inside := "", false
	for line := range strings.Lines(text) {
		word := strings.TrimSpace(line)
		if !inside {
			if after, ok := strings.CutPrefix(word, "set "); ok {
				name = strings.TrimSuffix(after, " {")
			}
			if word, inside = strings.CutPrefix(word, "elements = {"); !inside {
				rest.WriteString(line)
				continue
			}
		}
		if strings.HasSuffix(word, "}") {
			word, inside = strings.TrimSuffix(word, "}"), false
		}
		for item := range strings.SplitSeq(word, ",") {
			if item = strings.TrimSpace(item); item == "" {
				continue
			}
			n, err := core.ParseNetwork(item)
			if err != nil {
				n = core.Network{} // never what should be
			}
			elements[name] = append(elements[name], n)
		}
	}
	return rest.String(), elements
}

// differing are the sets whose elements are not what they should be.
func (d Desired) differing(have map[string][]core.Network) (names []string) {
	for _, s := range d.Sets {
		for _, four := range []bool{true, false} {
			if !slices.Equal(merge(family(networks(s.Networks), four)), merge(have[setOf(s.Name, four)])) {
				names = append(names, setOf(s.Name, four))
			}
		}
	}
	return names
}
