package rr

import (
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"hostward/internal/core"
)

// Validate checks that sets make a zone (SPEC D1). Faults make the zone one
// that no server could serve correctly; warnings name what works but is
// probably not meant. Fields are "name TYPE". The sets' data must be
// canonical, as ParseZone, ParseRecord and ParseData return it.
func Validate(sets []RRset, origin Name) (faults, warnings core.Faults) {
	return validate(&Zone{Origin: origin, Sets: sets})
}

// Validate checks the zone like the function Validate; fields begin with the
// line of the file on which the RRset starts.
func (z *Zone) Validate() (faults, warnings core.Faults) { return validate(z) }

func validate(z *Zone) (faults, warnings core.Faults) {
	c := newCheck(z)
	if len(c.faults) > 0 { // names outside the zone make the other rules meaningless
		return c.faults, c.warnings
	}
	c.apex()
	for _, name := range c.names {
		n := c.nodes[name]
		c.cname(name, n)
		c.dname(name, n)
		c.delegation(name, n)
		c.occluded(name, n)
		for _, typ := range n.order {
			c.set(n.sets[typ])
		}
	}
	return c.faults, c.warnings
}

// node is all sets of one name.
type node struct {
	sets  map[string]RRset
	order []string
}

func (n *node) has(typ string) bool { _, ok := n.sets[typ]; return ok }

// check holds a zone while it is validated.
type check struct {
	zone             *Zone
	nodes            map[Name]*node
	names            []Name
	inner            map[Name]bool // names that exist: those with records, and empty ones above them
	faults, warnings core.Faults
}

func newCheck(z *Zone) *check {
	c := &check{zone: z, nodes: map[Name]*node{}, inner: map[Name]bool{}}
	for _, s := range z.Sets {
		if len(s.Data) == 0 {
			continue
		}
		if !s.Name.Under(z.Origin) {
			c.fault(s.Key(), "a name in the zone "+string(z.Origin))
			continue
		}
		c.insert(s)
	}
	sortNames(c.names)
	return c
}

func (c *check) insert(s RRset) {
	n := c.nodes[s.Name]
	if n == nil {
		n = &node{sets: map[string]RRset{}}
		c.nodes[s.Name] = n
		c.names = append(c.names, s.Name)
		for up := s.Name; !c.inner[up]; up = up.Parent() {
			c.inner[up] = true
			if up == c.zone.Origin {
				break
			}
		}
	}
	if n.has(s.Type) {
		c.fault(s.Key(), "one RRset of each name and type: TTLs are equal in it (RFC 2181 5.2)")
		return
	}
	n.sets[s.Type] = s
	n.order = append(n.order, s.Type)
}

func (c *check) fault(k Key, accepted string) { c.add(&c.faults, k, accepted) }
func (c *check) warn(k Key, text string)      { c.add(&c.warnings, k, text) }

// mostFindings keeps a report readable when one mistake, such as a wrong
// origin, breaks every record.
const mostFindings = 100

func (c *check) add(to *core.Faults, k Key, text string) {
	switch {
	case len(*to) < mostFindings:
		to.Add(c.zone.field(k), "", text)
	case len(*to) == mostFindings:
		to.Add("", "", fmt.Sprintf("only the first %d are listed", mostFindings))
	}
}

// apex: one SOA and at least one NS (RFC 1035 5.2, RFC 1034 4.2.1).
func (c *check) apex() {
	origin := c.zone.Origin
	top := c.nodes[origin]
	if top == nil || !top.has("SOA") {
		c.fault(Key{origin, "SOA"}, "exactly one SOA record at the zone's own name")
	}
	if top == nil || !top.has("NS") {
		c.fault(Key{origin, "NS"}, "NS records at the zone's own name")
	} else if len(top.sets["NS"].Data) < 2 {
		c.warn(Key{origin, "NS"}, "a single nameserver: two are asked for (RFC 2182 5)")
	}
	if top != nil && top.has("DS") {
		c.fault(Key{origin, "DS"}, "DS records stand in the parent zone (RFC 4035 2.4)")
	}
}

// cname: nothing beside a CNAME (RFC 2181 10.1; RFC 4034 3, 4 for signatures).
func (c *check) cname(name Name, n *node) {
	if !n.has("CNAME") {
		return
	}
	k := Key{name, "CNAME"}
	if len(n.sets["CNAME"].Data) > 1 {
		c.fault(k, "one CNAME record at a name, not several")
	}
	if name == c.zone.Origin {
		c.fault(k, "no CNAME at the zone's own name: it needs SOA and NS records; use A and AAAA")
		return
	}
	if others := beside(n, "CNAME", "RRSIG", "NSEC", "KEY"); len(others) > 0 {
		c.fault(k, "a CNAME beside no other record; this name also has "+strings.Join(others, ", "))
	}
}

func beside(n *node, except ...string) (others []string) {
	for _, typ := range n.order {
		if !slices.Contains(except, typ) {
			others = append(others, typ)
		}
	}
	return others
}

// dname: single, and not at a delegation (RFC 6672 2.4).
func (c *check) dname(name Name, n *node) {
	if !n.has("DNAME") {
		return
	}
	k := Key{name, "DNAME"}
	if len(n.sets["DNAME"].Data) > 1 {
		c.fault(k, "one DNAME record at a name, not several (RFC 6672 2.4)")
	}
	if n.has("NS") && name != c.zone.Origin {
		c.fault(k, "a DNAME or a delegation at a name, not both (RFC 6672 2.4)")
	}
	if name.Wildcard() {
		c.warn(k, "a DNAME at a wildcard is not defined (RFC 4592 4.4)")
	}
}

// delegation: DS only beside NS; the parent answers for nothing else there.
func (c *check) delegation(name Name, n *node) {
	cut := n.has("NS") && name != c.zone.Origin
	if n.has("DS") && !cut && name != c.zone.Origin {
		c.fault(Key{name, "DS"}, "DS records only beside the NS records of a delegation (RFC 4035 2.4)")
	}
	if n.has("SOA") && name != c.zone.Origin {
		c.fault(Key{name, "SOA"}, "a SOA record only at the zone's own name")
	}
	if !cut {
		return
	}
	if name.Wildcard() {
		c.warn(Key{name, "NS"}, "a delegation at a wildcard is not defined (RFC 4592 4.2)")
	}
	if hidden := beside(n, "NS", "DS", "DNAME", "A", "AAAA", "RRSIG", "NSEC"); len(hidden) > 0 {
		c.warn(Key{name, strings.Join(hidden, ", ")}, "never answered: the name is delegated")
	}
}

// occluded: what stands below a DNAME is refused (RFC 6672 2.4); what stands
// below a delegation is answered only as glue.
func (c *check) occluded(name Name, n *node) {
	for up := name; up != c.zone.Origin; {
		up = up.Parent()
		above := c.nodes[up]
		switch {
		case above == nil:
		case above.has("DNAME"):
			c.fault(Key{name, strings.Join(n.order, ", ")}, fmt.Sprintf("no records below the DNAME at %s (RFC 6672 2.4)", up))
			return
		case above.has("NS") && up != c.zone.Origin:
			c.glue(name, n, up)
			return
		}
	}
}

func (c *check) glue(name Name, n *node, cut Name) {
	hidden := beside(n, "A", "AAAA")
	if !c.serves(name) {
		hidden = n.order
	}
	if len(hidden) > 0 {
		c.warn(Key{name, strings.Join(hidden, ", ")}, fmt.Sprintf("never answered: it is below the delegation of %s and no glue", cut))
	}
}

// serves reports whether a nameserver of the zone or of a delegation has the name.
func (c *check) serves(name Name) bool {
	for up := name; ; up = up.Parent() {
		if n := c.nodes[up]; n != nil && n.has("NS") && slices.Contains(n.sets["NS"].Data, string(name)) {
			return true
		}
		if up == c.zone.Origin {
			return false
		}
	}
}

// set checks what one RRset says.
func (c *check) set(s RRset) {
	if s.TTL > MaxTTL {
		c.fault(s.Key(), fmt.Sprintf("a TTL up to %d seconds (RFC 2181 8)", MaxTTL))
	}
	c.length(s)
	switch s.Type {
	case "SOA":
		c.soa(s)
	case "NS", "MX", "SRV":
		for _, d := range s.Data {
			c.target(s, d)
		}
	}
	c.owner(s)
}

// length: an RRset must fit into one message of 65535 octets (RFC 1035 4.2.2).
func (c *check) length(s RRset) {
	const room = 65535 - 12 - maxName - 4 - 11 // header, question, OPT
	text := 0
	for _, d := range s.Data {
		text += len(d) + 12
	}
	if text < room/4 { // no presentation form is shorter than a quarter of its wire form
		return
	}
	wires, err := s.Wire()
	n := 0
	for _, w := range wires {
		n += 12 + len(w)
	}
	if err != nil || n > room {
		c.fault(s.Key(), fmt.Sprintf("at most %d octets of records of one name and type", room))
	}
}

func (c *check) soa(s RRset) {
	if len(s.Data) > 1 {
		c.fault(s.Key(), "exactly one SOA record, not several")
	}
	soa, ok := ParseSOA(s.Data[0])
	switch {
	case !ok:
		c.fault(s.Key(), accepted("SOA"))
	case soa.Retry >= soa.Refresh:
		c.warn(s.Key(), "retry is usually shorter than refresh (RFC 1912 2.2)")
	case soa.Expire < soa.Refresh+soa.Retry:
		c.warn(s.Key(), "expire is shorter than refresh and retry together: a secondary would give up early")
	}
}

// target checks the host an NS, MX or SRV record names.
func (c *check) target(s RRset, data string) {
	f := fields(data)
	host := Name(f[len(f)-1])
	if host == "." {
		if s.Type == "MX" && len(s.Data) > 1 {
			c.fault(s.Key(), "the null MX stands alone (RFC 7505 3)")
		}
		if s.Type == "NS" {
			c.fault(s.Key(), "a host name, not the root")
		}
		return
	}
	if isAddress(host.Relative(c.zone.Origin)) {
		c.fault(s.Key(), fmt.Sprintf("a host name, not the address %s", host.Relative(c.zone.Origin)))
		return
	}
	if host.Under(c.zone.Origin) {
		c.inside(s, host)
	}
}

func isAddress(s string) bool {
	_, err := netip.ParseAddr(strings.TrimSuffix(s, "."))
	return err == nil
}

// inside checks a target of this zone: no alias (RFC 2181 10.3), with an
// address, or glue where the delegation needs it (RFC 1034 4.2.1).
func (c *check) inside(s RRset, host Name) {
	n := c.find(host)
	glue := s.Type == "NS" && (s.Name == c.zone.Origin || host.Under(s.Name))
	switch {
	case n != nil && n.has("CNAME"):
		c.warn(s.Key(), fmt.Sprintf("%s is an alias: the name of a host with addresses is asked for (RFC 2181 10.3)", host))
	case n != nil && (n.has("A") || n.has("AAAA")), c.elsewhere(host) && !glue:
	case glue:
		c.warn(s.Key(), fmt.Sprintf("%s has no address in this zone: nobody could find it (missing glue)", host))
	default:
		c.warn(s.Key(), fmt.Sprintf("%s has no address in this zone", host))
	}
}

// find returns the node that answers for name, the wildcard's if need be (RFC 4592 3.3).
func (c *check) find(name Name) *node {
	if n := c.nodes[name]; n != nil || c.inner[name] {
		return n
	}
	for up := name.Parent(); up.Under(c.zone.Origin); up = up.Parent() {
		if c.inner[up] {
			return c.nodes["*."+up]
		}
	}
	return nil
}

// elsewhere reports whether name is below a delegation or a DNAME: its
// addresses are then not this zone's to give.
func (c *check) elsewhere(name Name) bool {
	for up := name; up != c.zone.Origin; up = up.Parent() {
		if n := c.nodes[up]; n != nil && (n.has("NS") || n.has("DNAME") && up != name) {
			return true
		}
	}
	return false
}

// owner: hosts are letters, digits and hyphens (RFC 1123 2.1); the underscore
// is tolerated, as everybody does.
func (c *check) owner(s RRset) {
	if s.Type != "A" && s.Type != "AAAA" && s.Type != "MX" {
		return
	}
	for i, l := range s.Name.labels() {
		if l == "*" && i == 0 {
			continue
		}
		if strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-_") != "" || l[0] == '-' || l[len(l)-1] == '-' {
			c.warn(s.Key(), "a host name is usually of letters, digits and hyphens only: "+strconv.Quote(l))
			return
		}
	}
}

// fields cuts canonical data at its spaces, which may be escaped or quoted.
func fields(data string) []string {
	e, _, _ := newScanner(data).next()
	out := make([]string, 0, len(e.tokens))
	for _, t := range e.tokens {
		out = append(out, t.text)
	}
	if len(out) == 0 {
		return []string{""}
	}
	return out
}
