package outside

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"hostward/internal/rr"
	"hostward/internal/rr/ask"
)

// judge turns what was measured into findings, and into what others want to know.
func (s *survey) judge() {
	for _, look := range []func(){
		s.judgeParents, s.judgeGlue, s.judgeServers, s.judgeNetworks, s.judgeNS, s.judgeSerials, s.judgeSOA, s.judgeTTLs,
		s.judgeKeys, s.judgeDS, s.judgeSignatures, s.judgeCDS, s.judgeResolver,
	} {
		look()
	}
	slices.SortStableFunc(s.Findings, func(a, b Finding) int { return rank(a.Severity) - rank(b.Severity) })
	s.tell()
}

func rank(s Severity) int { return slices.Index([]Severity{Error, Warning, Notice}, s) }

// silence adds what a question without an answer means.
func (s *survey) silence(id ID, h host, err error) {
	switch {
	case errors.Is(err, errForbidden):
		s.found(PrivateAddress, h.String(), "The address is private or local and was not asked.")
	case errors.Is(err, errSpent) || h.addr.Is6() && errors.Is(err, ask.ErrUnreachable):
		s.found(NotMeasured, h.String(), "The server was not reached from here: "+err.Error()+".")
	default:
		s.found(id, h.String(), "No answer: "+err.Error()+".")
	}
}

func (s *survey) judgeParents() {
	answered, delegated := false, false
	for i := range s.parents {
		d := &s.parents[i]
		answered, delegated = answered || d.err == nil, delegated || len(d.ns) > 0
		switch {
		case d.err != nil:
			s.silence(ParentSilent, d.host, d.err)
		case d.bad != nil:
			s.found(DSUnproved, d.String(), "Asked for the DS: "+d.bad.Error()+".")
		}
	}
	for _, name := range s.lost {
		s.found(ParentSilent, string(name), "No address was found for it.")
	}
	if answered && !delegated {
		s.found(NoDelegation, "", fmt.Sprintf("No server of %s has NS records for %s.", s.Parent, s.zone))
	}
	s.same(ParentsDiffer, func(yield func(host, string)) {
		for _, d := range s.parents {
			if d.err == nil && d.bad == nil && !d.own {
				yield(d.host, list("NS", d.ns)+"; "+list("DS", d.ds))
			}
		}
	})
}

// same adds a finding for each host that says something else than the first.
func (s *survey) same(id ID, all func(yield func(host, string))) {
	var first string
	var by host
	all(func(h host, text string) {
		switch {
		case first == "":
			first, by = text, h
		case text != first:
			s.found(id, h.String(), fmt.Sprintf("It has %s; %s has %s.", text, by, first))
		}
	})
}

// list writes the data of a set, in an order of its own.
func list(what string, records []rr.Record) string {
	if len(records) == 0 {
		return "no " + what
	}
	return what + " " + strings.Join(datas(records), ", ")
}

func datas(records []rr.Record) (out []string) {
	for _, r := range records {
		out = append(out, r.Data)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

func (s *survey) judgeGlue() {
	for _, d := range s.parents {
		for _, name := range targets(d.ns) {
			if d.own || !name.Under(s.zone) {
				continue
			}
			switch want, have := s.honest[name], d.glue[name]; {
			case len(have) == 0:
				s.found(GlueMissing, d.String(), fmt.Sprintf("It names %s and has no address for it.", name))
			case len(want) > 0 && !subset(have, want):
				s.found(GlueWrong, d.String(), fmt.Sprintf("It has %s for %s; the zone has %s.", texts(have), name, texts(want)))
			}
		}
	}
	for _, name := range s.owners {
		if !s.over && !slices.ContainsFunc(s.views, func(v view) bool { return v.name == name }) {
			s.found(NoAddress, "", fmt.Sprintf("No address was found for the nameserver %s.", name))
		}
	}
}

// subset reports whether every address is wanted. Parents may leave some out of an answer.
func subset(have, want []netip.Addr) bool {
	return !slices.ContainsFunc(have, func(a netip.Addr) bool { return !slices.Contains(want, a) })
}

func texts(as []netip.Addr) string {
	var out []string
	for _, a := range as {
		out = append(out, a.String())
	}
	slices.Sort(out)
	return strings.Join(out, ", ")
}

func (s *survey) judgeServers() {
	for i := range s.views {
		v := &s.views[i]
		if v.err != nil && v.stream != nil || v.err != nil && v.soa.Code == "" {
			s.silence(ServerSilent, v.host, v.err)
			continue
		}
		if !v.serves(s.zone) {
			s.found(ServerLame, v.String(), fmt.Sprintf("It answers %s, authoritative: %t, and has no SOA for the zone.", v.soa.Code, v.soa.Authoritative))
			continue
		}
		s.judgeServer(v)
	}
}

func (s *survey) judgeServer(v *view) {
	if v.gap != nil {
		s.silence(ServerSilent, v.host, v.gap)
	}
	for _, f := range []struct {
		is       bool
		id       ID
		measured string
	}{
		{v.err != nil, ServerSilent, fmt.Sprintf("It answers over TCP only: %v.", v.err)},
		{v.stream != nil && !errors.Is(v.stream, errSpent), NoTCP, fmt.Sprintf("It answers over UDP only: %v.", v.stream)},
		{v.plain, NoEDNS, "It answers questions without EDNS only."},
		{v.recurses, OpenRecursion, "It answered a question about the root, which it has to ask others for."},
		{v.hands, OpenTransfer, "It began to transfer the whole zone (AXFR) to us."},
	} {
		if f.is {
			s.found(f.id, v.String(), f.measured)
		}
	}
}

// judgeNetworks looks at how many servers there are, and where.
func (s *survey) judgeNetworks() {
	networks, six := map[netip.Prefix]bool{}, false
	for _, v := range s.views {
		bits := 24
		if v.addr.Is6() {
			bits, six = 48, true
		}
		networks[netip.PrefixFrom(v.addr, bits).Masked()] = true
	}
	switch {
	case len(s.owners) == 1:
		s.found(OneServer, "", fmt.Sprintf("%s is the only nameserver.", s.owners[0]))
	case len(networks) == 1:
		s.found(OneNetwork, "", "All nameservers are in one network: "+s.views[0].addr.String()+" and its neighbours.")
	}
	if len(s.views) > 0 && !six {
		s.found(NoIPv6, "", "No nameserver has an IPv6 address.")
	}
}

// serving returns the addresses that serve the zone.
func (s *survey) serving() (out []*view) {
	for i := range s.views {
		if v := &s.views[i]; v.serves(s.zone) {
			out = append(out, v)
		}
	}
	return out
}

// knowing returns the addresses that serve the zone and answered for all of types.
func (s *survey) knowing(types ...string) (out []*view) {
	for _, v := range s.serving() {
		if !slices.ContainsFunc(types, func(typ string) bool { _, ok := v.sets[typ]; return !ok }) {
			out = append(out, v)
		}
	}
	return out
}

// set returns an RRset of the apex as a server has it.
func (v *view) set(zone rr.Name, typ string) []rr.Record {
	return some(v.sets[typ].Find(ask.Answer, zone, typ))
}

func (s *survey) judgeNS() {
	s.same(NSDiffers, func(yield func(host, string)) {
		for _, d := range s.parents {
			if len(d.ns) > 0 && !d.own {
				yield(d.host, list("NS", d.ns))
				break
			}
		}
		for _, v := range s.knowing("NS") {
			yield(v.host, list("NS", v.set(s.zone, "NS")))
		}
	})
}

func (s *survey) judgeSerials() {
	s.same(SerialDiffers, func(yield func(host, string)) {
		for _, v := range s.serving() {
			yield(v.host, fmt.Sprintf("the serial %d", v.start(s.zone).serial))
		}
	})
	s.same(KeysDiffer, func(yield func(host, string)) {
		for _, v := range s.knowing("DNSKEY") {
			yield(v.host, "the keys "+keyNames(v.set(s.zone, "DNSKEY")))
		}
	})
}

// start is an SOA.
type start struct{ serial, refresh, retry, expire, minimum uint32 }

func readSOA(r rr.Record) (s start, ok bool) {
	f := strings.Fields(r.Data)
	if r.Type != "SOA" || len(f) != 7 {
		return s, false
	}
	for i, to := range []*uint32{&s.serial, &s.refresh, &s.retry, &s.expire, &s.minimum} {
		n, err := strconv.ParseUint(f[2+i], 10, 32)
		if err != nil {
			return s, false
		}
		*to = uint32(n)
	}
	return s, true
}

func (v *view) start(zone rr.Name) (s start) {
	for _, r := range v.soa.Find(ask.Answer, zone, "SOA") {
		s, _ = readSOA(r) // a server's SOA was read from the wire: it has its fields
	}
	return s
}

// judgeSOA looks at the timers, in seconds.
func (s *survey) judgeSOA() {
	for _, v := range s.serving() {
		soa := v.start(s.zone)
		for _, f := range []struct {
			odd  bool
			what string
		}{
			{soa.refresh < 300 || soa.refresh > 86400, fmt.Sprintf("refresh is %d s; 300 to 86400 is usual", soa.refresh)},
			{soa.retry < 60 || soa.retry > soa.refresh, fmt.Sprintf("retry is %d s; it is shorter than refresh and at least 60", soa.retry)},
			{soa.expire < 604800 || soa.expire > 4838400, fmt.Sprintf("expire is %d s; 7 to 56 days is usual", soa.expire)},
			{soa.minimum < 60 || soa.minimum > 86400, fmt.Sprintf("the TTL of negative answers is %d s; 60 to 86400 is usual", soa.minimum)},
		} {
			if f.odd {
				s.found(SOAOdd, "", "In the SOA "+f.what+".")
			}
		}
	}
}

func (s *survey) judgeTTLs() {
	odd := func(records []rr.Record) {
		for _, r := range records {
			if r.TTL < 60 || r.TTL > 2*86400 {
				s.found(TTLOdd, "", fmt.Sprintf("The TTL of %s is %d s.", r.Type, r.TTL))
			}
		}
	}
	for _, d := range s.parents {
		odd(d.ds)
	}
	for _, v := range s.serving() {
		odd(v.soa.Find(ask.Answer, s.zone, "SOA"))
		for _, typ := range answered() {
			odd(v.set(s.zone, typ))
		}
	}
}
