package firewall

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"hostward/internal/core"
)

// Words for whom something is open to, besides networks and "@set".
const (
	All    = "all"
	Nobody = "nobody"
)

// Desired is what the firewall should be. It is what the agent is ordered, and it
// validates all of it again.
type Desired struct {
	Panel      uint16    `json:"panel"`      // port on which the panel listens, which must stay reachable
	Output     string    `json:"output"`     // "allow", "deny": what is not declared
	Containers string    `json:"containers"` // "open": what they publish passes; "closed": only what a rule declares; "none": nothing is forwarded for them
	Bridges    []string  `json:"bridges"`    // interfaces of containers, "br-*" for all that begin so
	Log        bool      `json:"log"`        // some of what is dropped goes to the kernel's log
	Lockout    bool      `json:"lockout"`    // somebody said explicitly that the panel may be shut
	Services   []Service `json:"services"`
	Rules      []Rule    `json:"rules"`
	Sets       []Set     `json:"sets"`
}

// Service is a service of the catalogue as it is open.
type Service struct {
	Name  string   `json:"name"`
	To    []string `json:"to"` // "all", "nobody", or networks and "@set"
	Ports []string `json:"ports"`
	Out   bool     `json:"out"`
}

// Rule is a rule of the operator's own. Rules go before services, in their order.
type Rule struct {
	ID        string   `json:"id" log:"-"`
	Direction string   `json:"direction"` // "input", "output", "forward"
	Protocol  string   `json:"protocol"`  // "tcp", "udp", "any"
	Ports     []string `json:"ports"`     // "80", "1000-2000"; none: all. Of what is forwarded: as the outside names it
	Peers     []string `json:"peers"`     // networks and "@set" at the other end; none: all
	Action    string   `json:"action"`    // "accept", "drop", "reject"
	Comment   string   `json:"comment"`
}

// Set is a named set of networks of both families.
type Set struct {
	Name     string   `json:"name"`
	Networks []string `json:"networks"`
}

// Limits of what a firewall holds.
const (
	mostElements = 100_000 // in one set
	mostTotal    = 200_000 // in all sets: an order must fit into host.MaxOrder
	mostSets     = 100
	mostRules    = 1000
	mostPeers    = 256 // networks in one place: more belong into a set
	mostPorts    = 64
)

// Defaults of the settings.
const (
	allow  = "allow"
	deny   = "deny"
	open   = "open"
	closed = "closed"
	none   = "none"
)

// span is a run of ports of one protocol.
type span struct {
	proto       string
	first, last uint16
}

func (s span) String() string {
	if s.first == s.last {
		return strconv.Itoa(int(s.first))
	}
	return fmt.Sprintf("%d-%d", s.first, s.last)
}

// parseSpan reads 80 and 1000-2000.
func parseSpan(text, proto string) (span, bool) {
	from, to, ranged := strings.Cut(text, "-")
	if !ranged {
		to = from
	}
	a, aerr := strconv.ParseUint(from, 10, 16)
	b, berr := strconv.ParseUint(to, 10, 16)
	s := span{proto, uint16(a), uint16(b)}
	return s, aerr == nil && berr == nil && a > 0 && a <= b && s.String() == text
}

// parsePort reads 80/tcp and 1000-2000/udp.
func parsePort(text string) (span, bool) {
	ports, proto, _ := strings.Cut(text, "/")
	s, ok := parseSpan(ports, proto)
	return s, ok && (proto == "tcp" || proto == "udp")
}

// spans are the ports of one protocol among some, sorted and joined, so that nft
// takes them as one set.
func spans(ports []string, proto string) (out []span) {
	for _, p := range ports {
		if s, ok := parsePort(p); ok && s.proto == proto {
			out = append(out, s)
		}
	}
	return joinSpans(out)
}

func joinSpans(list []span) (out []span) {
	slices.SortFunc(list, func(a, b span) int { return cmp.Compare(a.first, b.first) })
	for _, s := range list {
		if n := len(out); n > 0 && int(s.first) <= int(out[n-1].last)+1 {
			out[n-1].last = max(out[n-1].last, s.last)
			continue
		}
		out = append(out, s)
	}
	return out
}

// merge sorts networks and joins those that overlap or touch, so that nft takes them
// as intervals and a list that is read back can be compared.
func merge(list []core.Network) (out []core.Network) {
	list = slices.Clone(list)
	slices.SortFunc(list, func(a, b core.Network) int { return a.First.Compare(b.First) })
	for _, n := range list {
		if k := len(out); k > 0 && out[k-1].First.Is4() == n.First.Is4() {
			last := &out[k-1].Last
			if next := last.Next(); !next.IsValid() || n.First.Compare(next) <= 0 {
				if n.Last.Compare(*last) > 0 {
					*last = n.Last
				}
				continue
			}
		}
		out = append(out, n)
	}
	return out
}

// networks reads what was validated, and leaves names of sets out.
func networks(list []string) (out []core.Network) {
	for _, text := range list {
		if n, err := core.ParseNetwork(text); err == nil {
			out = append(out, n)
		}
	}
	return out
}

// family are the networks of one family.
func family(list []core.Network, four bool) (out []core.Network) {
	for _, n := range list {
		if n.First.Is4() == four {
			out = append(out, n)
		}
	}
	return out
}

func setName(name string) bool {
	if name == "" || len(name) > 24 || name[0] < 'a' || name[0] > 'z' {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyz0123456789_") == ""
}

const setNameAccepted = "at most 24 small letters, digits and underscores, a letter first"

func bridge(name string) bool {
	name = strings.TrimSuffix(name, "*")
	if name == "" || len(name) > 15 {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_-.") == ""
}

// comment tells whether nft can hold a text in quotes.
func comment(text string) bool {
	return len(text) <= 100 && utf8.ValidString(text) && !strings.ContainsFunc(text, func(r rune) bool { return r == '"' || r == '\\' || !unicode.IsPrint(r) })
}

const commentAccepted = "at most 100 octets of text without quotes and backslashes"

// Validate refuses what nft would not take, and what would shut out everybody.
func (d Desired) Validate() error {
	var f core.Faults
	d.faults(&f)
	if err := f.Err(); err != nil {
		return err
	}
	if d.Panel != 0 && !d.Lockout && len(d.reach("tcp", d.Panel).From) == 0 {
		return core.Errorf(core.Conflict, "this would shut out everybody from the panel at port %d; say so explicitly with lockout, if it is meant", d.Panel)
	}
	return nil
}

func (d Desired) faults(f *core.Faults) {
	one := func(field, value string, accepted ...string) {
		if !slices.Contains(accepted, value) {
			f.Add(field, value, "one of "+strings.Join(accepted, ", "))
		}
	}
	one("output", d.Output, allow, deny)
	one("containers", d.Containers, open, closed, none)
	for _, b := range d.Bridges {
		if !bridge(b) {
			f.Add("bridges", b, "the name of an interface such as docker0, or the beginning of one such as br-*")
		}
	}
	sets, total := map[string]bool{}, 0
	for _, s := range d.Sets {
		if !setName(s.Name) || sets[s.Name] {
			f.Add("sets", s.Name, setNameAccepted+", once")
		}
		sets[s.Name] = true
		total += len(s.Networks)
		checkNetworks(f, "sets", s.Networks, mostElements, nil)
	}
	if len(d.Sets) > mostSets || total > mostTotal {
		f.Add("sets", fmt.Sprintf("%d with %d networks", len(d.Sets), total), fmt.Sprintf("at most %d sets with %d networks together", mostSets, mostTotal))
	}
	seen := map[string]bool{}
	for _, s := range d.Services {
		e, ok := entry(s.Name)
		if !ok || seen[s.Name] || s.Out != e.Out {
			f.Add("services", s.Name, "a service of the catalogue, once")
		}
		seen[s.Name] = true
		checkOpen(f, "services", s.To, sets)
		for _, p := range s.Ports {
			if _, ok := parsePort(p); !ok {
				f.Add("services", p, portAccepted)
			}
		}
		if len(s.Ports) == 0 || len(s.Ports) > mostPorts {
			f.Add("services", s.Name, fmt.Sprintf("1 to %d ports", mostPorts))
		}
	}
	if len(d.Rules) > mostRules {
		f.Add("rules", strconv.Itoa(len(d.Rules)), fmt.Sprintf("at most %d rules", mostRules))
	}
	for _, r := range d.Rules {
		r.faults(f, sets)
	}
}

const (
	portAccepted = "a port with its protocol, such as 8080/tcp or 49152-49407/tcp"
	spanAccepted = "a port such as 8080, or a range such as 49152-49407"
)

// checkOpen looks at whom something is open to.
func checkOpen(f *core.Faults, field string, to []string, sets map[string]bool) {
	if len(to) == 1 && (to[0] == All || to[0] == Nobody) {
		return
	}
	if len(to) == 0 {
		f.Add(field, "", "all, nobody, or networks and @set")
	}
	checkNetworks(f, field, to, mostPeers, sets)
}

// checkNetworks looks at networks; at names of sets too if there may be some.
func checkNetworks(f *core.Faults, field string, list []string, most int, sets map[string]bool) {
	if len(list) > most {
		f.Add(field, strconv.Itoa(len(list)), fmt.Sprintf("at most %d networks", most))
	}
	for _, text := range list {
		if name, ok := strings.CutPrefix(text, "@"); ok && sets != nil {
			if !sets[name] {
				f.Add(field, text, "the name of a set that there is, behind @")
			}
			continue
		}
		if n, err := core.ParseNetwork(text); err != nil {
			f.Add(field, text, err.Error())
		} else if n.String() != text {
			f.Add(field, text, n.String())
		}
	}
}

func (r Rule) faults(f *core.Faults, sets map[string]bool) {
	for _, c := range []struct {
		field, value string
		accepted     []string
	}{{"direction", r.Direction, []string{"input", "output", "forward"}}, {"protocol", r.Protocol, []string{"tcp", "udp", "any"}}, {"action", r.Action, []string{"accept", "drop", "reject"}}} {
		if !slices.Contains(c.accepted, c.value) {
			f.Add(c.field, c.value, "one of "+strings.Join(c.accepted, ", "))
		}
	}
	for _, p := range r.Ports {
		if _, ok := parseSpan(p, r.Protocol); !ok {
			f.Add("ports", p, spanAccepted)
		}
	}
	if len(r.Ports) > mostPorts {
		f.Add("ports", strconv.Itoa(len(r.Ports)), fmt.Sprintf("at most %d", mostPorts))
	}
	if !comment(r.Comment) {
		f.Add("comment", r.Comment, commentAccepted)
	}
	checkNetworks(f, "peers", r.Peers, mostPeers, sets)
}

// protocols are those whose ports a rule is about.
func (r Rule) protocols() []string {
	if r.Protocol == "any" {
		return []string{"tcp", "udp"}
	}
	return []string{r.Protocol}
}

// about reports whether a rule is about a port.
func (r Rule) about(proto string, port uint16) bool {
	if !slices.Contains(r.protocols(), proto) {
		return false
	}
	return len(r.Ports) == 0 || slices.ContainsFunc(r.Ports, func(p string) bool {
		s, ok := parseSpan(p, proto)
		return ok && s.first <= port && port <= s.last
	})
}

// about reports whether a service is about a port.
func (s Service) about(proto string, port uint16) bool {
	return slices.ContainsFunc(s.Ports, func(p string) bool {
		x, ok := parsePort(p)
		return ok && x.proto == proto && x.first <= port && port <= x.last
	})
}
