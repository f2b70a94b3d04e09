package firewall

import (
	"fmt"
	"slices"
	"strings"

	"hostward/internal/core"
)

// The table that is ours, and the file that is loaded at boot.
const (
	tableFamily = "inet"
	tableName   = "hostward"
	// BootFile holds the table for hostward-firewall.service.
	BootFile = "/var/lib/hostward-agent/firewall.nft"
)

// text writes a table, line by line.
type text struct {
	strings.Builder
}

func (t *text) line(format string, args ...any) { fmt.Fprintf(t, format+"\n", args...) }

// Table is the table as nft reads it. Without elements its sets are empty.
func (d Desired) Table(elements bool) string {
	t := &text{}
	t.line("table %s %s {", tableFamily, tableName)
	for _, s := range d.Services {
		t.line("\tcounter %s { }", counterOf(s.Name))
	}
	for _, name := range []string{"invalid", "dropped_input", "dropped_forward", "dropped_output", "past_us"} {
		t.line("\tcounter %s { }", name)
	}
	for _, s := range d.Sets {
		for _, four := range []bool{true, false} {
			t.set(s, four, elements)
		}
	}
	t.input(d)
	t.forward(d)
	t.output(d)
	t.line("}")
	return t.String()
}

// Boot is the file that is loaded at boot: it replaces the table, as loading does.
func (d Desired) Boot() string {
	return fmt.Sprintf("#!/usr/sbin/nft -f\n# Hostward writes this file; what is changed by hand is found and undone.\ntable %[1]s %[2]s\ndelete table %[1]s %[2]s\n%[3]s",
		tableFamily, tableName, d.Table(true))
}

func counterOf(service string) string { return "service_" + strings.ReplaceAll(service, "-", "_") }

func setOf(name string, four bool) string {
	if four {
		return "set_" + name + "_4"
	}
	return "set_" + name + "_6"
}

// contents are the elements of a set of one family, and whether each is one address:
// then the kernel can keep them as a hash.
func (s Set) contents(four bool) (list []core.Network, single bool) {
	whole := family(networks(s.Networks), four)
	if slices.ContainsFunc(whole, func(n core.Network) bool { return n.First != n.Last }) {
		return merge(whole), false
	}
	slices.SortFunc(whole, func(a, b core.Network) int { return a.First.Compare(b.First) })
	return slices.Compact(whole), true
}

func (t *text) set(s Set, four, elements bool) {
	kind := "ipv6_addr"
	if four {
		kind = "ipv4_addr"
	}
	list, single := s.contents(four)
	t.line("\tset %s {", setOf(s.Name, four))
	t.line("\t\ttype %s", kind)
	if !single {
		t.line("\t\tflags interval")
	}
	if elements && len(list) > 0 {
		t.line("\t\telements = { %s }", joined(list, ",\n\t\t\t"))
	}
	t.line("\t}")
}

func joined[T fmt.Stringer](list []T, between string) string {
	words := make([]string, len(list))
	for i, x := range list {
		words[i] = x.String()
	}
	return strings.Join(words, between)
}

// always is what no direction can do without. Packets that belong to no connection
// go first: nothing below should see them.
func (t *text) always(device string) {
	if device != "" {
		t.line("\t\t%s \"lo\" accept", device)
	}
	t.line("\t\tct state established,related accept")
	t.line("\t\tct state invalid counter name \"invalid\" drop")
}

func (t *text) input(d Desired) {
	t.line("\tchain input {")
	t.line("\t\ttype filter hook input priority filter; policy drop;")
	// Neighbours, routers and their groups have no connection: RFC 4890 4.4. Hops prove that it comes from the link.
	t.line("\t\ticmpv6 type { nd-router-advert, nd-neighbor-solicit, nd-neighbor-advert } ip6 hoplimit 255 accept")
	t.line("\t\ticmpv6 type { mld-listener-query, mld-listener-report, mld-listener-done, mld2-listener-report } accept")
	t.line("\t\tip protocol igmp accept")
	t.always("iifname")
	t.line("\t\ticmp type { destination-unreachable, time-exceeded, parameter-problem } accept")
	t.line("\t\ticmpv6 type { destination-unreachable, packet-too-big, time-exceeded, parameter-problem } accept")
	t.line("\t\ticmp type echo-request limit rate 50/second burst 100 packets accept")
	t.line("\t\ticmpv6 type echo-request limit rate 50/second burst 100 packets accept")
	t.line("\t\tudp sport 67 udp dport 68 accept comment \"DHCP\"")
	t.line("\t\tip6 saddr fe80::/10 udp sport 547 udp dport 546 accept comment \"DHCPv6\"")
	t.rules(d, "input", "saddr", "th dport")
	t.services(d, false, "saddr")
	t.end("input", d.Log)
}

func (t *text) forward(d Desired) {
	t.line("\tchain forward {")
	t.line("\t\ttype filter hook forward priority filter; policy drop;")
	t.always("")
	// The port that the outside names, also where somebody's table has changed it.
	t.rules(d, "forward", "saddr", "ct original proto-dst")
	if d.Containers != none {
		for _, b := range d.Bridges {
			t.line("\t\tiifname %q accept comment \"containers outward\"", b)
		}
	}
	if d.Containers == open {
		t.line("\t\tct status dnat counter name \"past_us\" accept comment \"published by somebody else's table\"")
	}
	t.end("forward", d.Log)
}

func (t *text) output(d Desired) {
	t.line("\tchain output {")
	if d.Output == allow {
		t.line("\t\ttype filter hook output priority filter; policy accept;")
		t.rules(d, "output", "daddr", "th dport")
		t.line("\t}")
		return
	}
	t.line("\t\ttype filter hook output priority filter; policy drop;")
	t.line("\t\tmeta l4proto { icmp, ipv6-icmp, igmp } accept")
	t.always("oifname")
	t.line("\t\tudp sport 68 udp dport 67 accept comment \"DHCP\"")
	t.line("\t\tudp sport 546 udp dport 547 accept comment \"DHCPv6\"")
	t.rules(d, "output", "daddr", "th dport")
	t.services(d, true, "daddr")
	t.end("output", d.Log)
}

// end counts what nothing above decided; the policy drops it.
func (t *text) end(chain string, log bool) {
	if log {
		t.line("\t\tlimit rate 10/minute burst 20 packets log prefix \"hostward %s: \"", chain)
	}
	t.line("\t\tcounter name \"dropped_%s\"", chain)
	t.line("\t}")
}

func (t *text) services(d Desired, out bool, end string) {
	for _, s := range d.Services {
		if s.Out != out || len(s.To) == 1 && s.To[0] == Nobody {
			continue
		}
		for _, proto := range []string{"tcp", "udp"} {
			ports := spans(s.Ports, proto)
			if len(ports) == 0 {
				continue
			}
			for _, match := range peers(s.To, end) {
				t.line("\t\t%s%s dport %s counter name %q accept", match, proto, braces(ports), counterOf(s.Name))
			}
		}
	}
}

func (t *text) rules(d Desired, direction, end, port string) {
	for _, r := range d.Rules {
		if r.Direction != direction {
			continue
		}
		for _, match := range peers(r.Peers, end) {
			t.line("\t\t%s%scounter %s%s", match, r.match(port), verdicts(r.Action), note(r.Comment))
		}
	}
}

// match is the protocol and ports of a rule.
func (r Rule) match(port string) string {
	var list []span
	for _, p := range r.Ports {
		if s, ok := parseSpan(p, r.Protocol); ok {
			list = append(list, s)
		}
	}
	switch {
	case len(list) == 0 && r.Protocol == "any":
		return ""
	case len(list) == 0:
		return "meta l4proto " + r.Protocol + " "
	case r.Protocol == "any":
		return "meta l4proto { tcp, udp } " + port + " " + braces(joinSpans(list)) + " "
	}
	return "meta l4proto " + r.Protocol + " " + port + " " + braces(joinSpans(list)) + " "
}

func verdicts(action string) string {
	if action == "reject" {
		return "reject with icmpx admin-prohibited"
	}
	return action
}

func note(comment string) string {
	if comment == "" {
		return ""
	}
	return fmt.Sprintf(" comment \"%s\"", comment)
}

func braces(list []span) string {
	if len(list) == 1 {
		return list[0].String()
	}
	return "{ " + joined(list, ", ") + " }"
}

// peers are the matches of an address against whom something is open to: one for all,
// else one for each family and set.
func peers(to []string, end string) (out []string) {
	if len(to) == 0 || len(to) == 1 && to[0] == All {
		return []string{""}
	}
	list := merge(networks(to))
	for _, four := range []bool{true, false} {
		word := "ip6 "
		if four {
			word = "ip "
		}
		switch own := family(list, four); len(own) {
		case 0:
		case 1:
			out = append(out, word+end+" "+own[0].String()+" ")
		default:
			out = append(out, word+end+" { "+joined(own, ", ")+" } ")
		}
		for _, name := range to {
			if name, ok := strings.CutPrefix(name, "@"); ok {
				out = append(out, word+end+" @"+setOf(name, four)+" ")
			}
		}
	}
	return out
}
