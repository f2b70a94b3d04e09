package firewall

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hostward/internal/core"
)

// Reach is who reaches a port of this server.
type Reach struct {
	From []string `json:"from"`          // "all", or networks and "@set"; none: nobody
	But  []string `json:"but,omitempty"` // these are turned away before
	By   []string `json:"by,omitempty"`  // what opens it: "service web", "rule 3"
}

// String says it in words.
func (r Reach) String() string {
	if len(r.From) == 0 {
		return Nobody
	}
	s := strings.Join(r.From, ", ")
	if len(r.But) > 0 {
		s += ", but not " + strings.Join(r.But, ", ")
	}
	return s
}

// reach goes through the input chain as a packet to a port does.
func (d Desired) reach(proto string, port uint16) (r Reach) {
	for i, x := range d.Rules {
		if x.Direction != "input" || !x.about(proto, port) {
			continue
		}
		if x.Action != "accept" {
			if len(x.Peers) == 0 {
				return r
			}
			r.But = append(r.But, x.Peers...)
			continue
		}
		if r.add(x.Peers, fmt.Sprintf("rule %d", i+1)) {
			return r
		}
	}
	for _, s := range d.Services {
		if s.Out || !s.about(proto, port) || slices.Equal(s.To, []string{Nobody}) {
			continue
		}
		if r.add(s.To, "service "+s.Name) {
			return r
		}
	}
	return r
}

// add opens it to more, and reports whether it is open to all now.
func (r *Reach) add(peers []string, by string) bool {
	r.By = append(r.By, by)
	if len(peers) == 0 || slices.Equal(peers, []string{All}) {
		r.From = []string{All}
		return true
	}
	r.From = append(r.From, peers...)
	return false
}

// admits reports whether a port is open to an address.
func (d Desired) admits(a netip.Addr, proto string, port uint16) bool {
	if a.Unmap().IsLoopback() {
		return true
	}
	for _, x := range d.Rules {
		if x.Direction == "input" && x.about(proto, port) && d.among(x.Peers, a) {
			return x.Action == "accept"
		}
	}
	return slices.ContainsFunc(d.Services, func(s Service) bool { return !s.Out && s.about(proto, port) && d.among(s.To, a) })
}

// among reports whether an address is one of those that something is about.
func (d Desired) among(peers []string, a netip.Addr) bool {
	if len(peers) == 0 || slices.Equal(peers, []string{All}) {
		return true
	}
	has := func(list []string) bool {
		return slices.ContainsFunc(networks(list), func(n core.Network) bool { return n.Contains(a) })
	}
	return has(peers) || slices.ContainsFunc(d.Sets, func(s Set) bool { return slices.Contains(peers, "@"+s.Name) && has(s.Networks) })
}

// past is what becomes of a port that somebody else's table forwards.
func (d Desired) past(p Published) string {
	for i, x := range d.Rules {
		if x.Direction != "forward" || p.Proto != "any" && !x.about(p.Proto, p.First) || p.Proto == "any" && len(x.Ports) > 0 {
			continue
		}
		if x.Action == "accept" {
			return fmt.Sprintf("declared by rule %d for %s", i+1, Reach{From: orAll(x.Peers)})
		}
		if len(x.Peers) == 0 {
			return fmt.Sprintf("closed by rule %d", i+1)
		}
	}
	if d.Containers == open {
		return openPast
	}
	return "closed"
}

const openPast = "open past the firewall"

func orAll(list []string) []string {
	if len(list) == 0 {
		return []string{All}
	}
	return list
}
