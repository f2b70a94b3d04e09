package outside

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"hostward/internal/rr"
	"hostward/internal/rr/ask"
)

// delegation is what one server of the parent says.
type delegation struct {
	host
	err  error
	own  bool // it is a server of the zone as well, so its NS are the zone's
	ns   []rr.Record
	glue addresses
	ds   []rr.Record
	ttl  uint32 // of the DS, or of the answer that there is none
	bad  error  // why its word on the DS is not to be used
}

// view is what one address of the zone itself says.
type view struct {
	host
	err      error                // it gave no answer over UDP, or none with EDNS
	plain    bool                 // it answers without EDNS only
	stream   error                // it gave no answer over TCP
	soa      ask.Reply            // of the apex
	sets     map[string]ask.Reply // by type, those that were answered
	gap      error                // why one was not
	denial   ask.Reply
	missing  rr.Name // what the denial is about
	recurses bool
	hands    bool // the whole zone to a stranger
}

// answered are the types that each server is asked for at the apex.
func answered() []string { return []string{"NS", "DNSKEY", "CDS", "CDNSKEY"} }

// survey is one check.
type survey struct {
	search
	Report
	zone     rr.Name
	parents  []delegation
	views    []view
	owners   []rr.Name // names of the zone's servers, at the parent or in the zone
	honest   addresses // of servers below the zone, as the zone's own servers say
	resolved ask.Reply
	refused  error     // the resolver did not answer
	lost     []rr.Name // servers of the parent without an address
	over     bool      // not all was asked: the bounds were reached
}

// measure asks everybody. It fails if the parent cannot be found.
func (s *survey) measure(ctx context.Context) error {
	above, err := s.find(ctx, s.zone.Parent(), 0)
	if err != nil {
		return fmt.Errorf("checking %s: %w", s.zone, err)
	}
	s.Parent = above.zone
	above.hosts = s.whole(ctx, above)
	s.parents = each(above.hosts, func(h host) delegation { return s.delegation(ctx, h) })
	hosts := s.servers(ctx)
	s.views = each(hosts, func(h host) view { return s.view(ctx, h) })
	s.askResolver(ctx)
	s.over = ctx.Err() != nil || s.spent > s.cfg.Questions
	return nil
}

// whole returns the addresses of all the parent's servers: those that its own parent names,
// and those that it names itself, since some resolvers ask these. It keeps the names
// without an address: what those servers have is not known.
func (s *survey) whole(ctx context.Context, p place) []host {
	hosts := slices.Clone(p.hosts)
	for _, name := range append(slices.Clone(p.names), targets(s.apexNS(ctx, p.hosts, p.zone))...) {
		if slices.ContainsFunc(hosts, func(h host) bool { return h.name == name }) || slices.Contains(s.lost, name) {
			continue
		}
		found := s.resolve(ctx, name, 1)
		for _, a := range found {
			if !slices.ContainsFunc(hosts, func(h host) bool { return h.addr == a }) {
				hosts = append(hosts, host{name, a})
			}
		}
		if len(found) == 0 {
			s.lost = append(s.lost, name)
		}
	}
	return hosts
}

// each asks many at once, and keeps their order.
func each[T any](hosts []host, what func(host) T) []T {
	out := make([]T, len(hosts))
	room := make(chan struct{}, 16)
	var all sync.WaitGroup
	for i, h := range hosts {
		all.Go(func() {
			room <- struct{}{}
			out[i] = what(h)
			<-room
		})
	}
	all.Wait()
	return out
}

// delegation asks one of the parent's servers. The DS is asked over TCP, where a
// stranger off the path cannot answer in its place.
func (s *survey) delegation(ctx context.Context, h host) (d delegation) {
	d.host = h
	r, err := s.ask(ctx, h.addr, ask.Question{Name: s.zone, Type: "NS"})
	if err != nil {
		d.err = err
		return d
	}
	d.own, d.ns, d.glue = r.Authoritative, nsOf(r, s.zone), glueOf(r, s.Parent)
	r, err = s.ask(ctx, h.addr, ask.Question{Name: s.zone, Type: "DS", Stream: true})
	if err != nil {
		r, err = s.ask(ctx, h.addr, ask.Question{Name: s.zone, Type: "DS"})
	}
	d.readDS(r, s.zone)
	if d.bad = errors.Join(err, d.bad); d.bad == nil {
		d.bad = s.provesDS(ctx, h, r, d)
	}
	return d
}

// readDS takes the DS of an answer, or that there is none (RFC 2308 5).
func (d *delegation) readDS(r ask.Reply, zone rr.Name) {
	d.ds = some(r.Find(ask.Answer, zone, "DS"))
	switch {
	case len(d.ds) > 0:
		d.ttl = d.ds[0].TTL
	case r.Code != "NOERROR" && r.Code != "NXDOMAIN" || !r.Authoritative:
		d.bad = fmt.Errorf("it says %s and nothing of the DS", or(r.Code, "nothing"))
	default:
		for _, soa := range r.Sections[ask.Authority] {
			if n, ok := readSOA(soa); ok {
				d.ttl = min(soa.TTL, n.minimum)
			}
		}
	}
}

// provesDS checks the parent's signature over the DS by the parent's keys, as the same
// server has them, where the parent is signed.
func (s *survey) provesDS(ctx context.Context, h host, r ask.Reply, d delegation) error {
	if len(d.ds) == 0 {
		return nil
	}
	keys, err := s.ask(ctx, h.addr, ask.Question{Name: s.Parent, Type: "DNSKEY"})
	if err != nil {
		return err
	}
	dnskey := keys.Find(ask.Answer, s.Parent, "DNSKEY")
	if len(dnskey) == 0 {
		return nil
	}
	if p := ask.Prove(d.ds, r.Sections[ask.Answer], dnskey, s.Parent, s.cfg.Clock()); len(p.Valid) == 0 {
		return fmt.Errorf("no signature over the DS holds: %v", p.Faults)
	}
	return nil
}

// servers returns all addresses of the zone's servers: those that the parent names, and
// those that the zone does.
func (s *survey) servers(ctx context.Context) []host {
	glue := addresses{}
	for _, d := range s.parents {
		s.owners = append(s.owners, targets(d.ns)...)
		for name, as := range d.glue {
			glue[name] = append(glue[name], as...)
		}
	}
	s.settleOwners()
	hosts := s.hosts(ctx, s.owners, glue, 0)
	if own := s.apexNS(ctx, hosts, s.zone); len(own) > 0 {
		s.owners = append(s.owners, targets(own)...)
		s.settleOwners()
	}
	s.honest = addresses{}
	for _, name := range s.owners {
		if name.Under(s.zone) {
			s.honest[name] = s.addressesAt(ctx, hosts, name)[name]
			glue[name] = append(glue[name], s.honest[name]...)
		}
	}
	hosts = s.hosts(ctx, s.owners, glue, 0)
	slices.SortFunc(hosts, func(a, b host) int { return compareHosts(a, b) })
	return slices.Compact(hosts)
}

func (s *survey) settleOwners() {
	slices.Sort(s.owners)
	s.owners = slices.Compact(s.owners)
	s.owners = s.owners[:min(len(s.owners), mostNames)]
}

func compareHosts(a, b host) int {
	if c := a.name.Compare(b.name); c != 0 {
		return c
	}
	return a.addr.Compare(b.addr)
}

// apexNS returns the NS in a zone itself, from the first server that has it.
func (s *survey) apexNS(ctx context.Context, hosts []host, zone rr.Name) []rr.Record {
	for _, h := range s.likely(hosts) {
		if r, err := s.ask(ctx, h.addr, ask.Question{Name: zone, Type: "NS"}); err == nil && r.Authoritative {
			return r.Find(ask.Answer, zone, "NS")
		}
	}
	return nil
}

// view asks one of the zone's servers everything.
func (s *survey) view(ctx context.Context, h host) (v view) {
	v.host, v.sets = h, map[string]ask.Reply{}
	soa := ask.Question{Name: s.zone, Type: "SOA"}
	v.soa, v.err = s.ask(ctx, h.addr, soa)
	if errors.Is(v.err, ask.ErrUnreachable) || errors.Is(v.err, errForbidden) || errors.Is(v.err, errSpent) {
		return v
	}
	if v.err != nil || !v.soa.EDNS {
		soa.Plain = true
		if r, err := s.ask(ctx, h.addr, soa); err == nil {
			v.soa, v.err, v.plain = r, nil, true
		}
	}
	soa.Stream = true
	stream, err := s.ask(ctx, h.addr, soa)
	if v.stream = err; v.err != nil && err == nil {
		v.soa = stream
	}
	if v.serves(s.zone) {
		s.viewZone(ctx, &v)
	}
	return v
}

// serves reports whether the server has the zone.
func (v *view) serves(zone rr.Name) bool {
	return v.soa.Authoritative && v.soa.Code == "NOERROR" && len(v.soa.Find(ask.Answer, zone, "SOA")) == 1
}

func (s *survey) viewZone(ctx context.Context, v *view) {
	for _, typ := range answered() {
		r, err := s.ask(ctx, v.addr, ask.Question{Name: s.zone, Type: typ, Plain: v.plain})
		if err == nil && (r.Code != "NOERROR" || !r.Authoritative) {
			err = fmt.Errorf("it answers %s", r.Code)
		}
		if err != nil {
			v.gap = fmt.Errorf("asked for %s: %w", typ, err)
			continue
		}
		v.sets[typ] = r
	}
	v.missing, _ = rr.ParseName("hostward-asks-for-what-is-not-there", s.zone)
	var err error
	if v.denial, err = s.ask(ctx, v.addr, ask.Question{Name: v.missing, Type: "TXT", Plain: v.plain}); err != nil {
		v.gap = fmt.Errorf("asked for a name that is not there: %w", err)
	}
	if r, err := s.ask(ctx, v.addr, ask.Question{Name: ".", Type: "NS", Recurse: true}); err == nil {
		v.recurses = r.Recursion && !r.Authoritative && len(r.Sections[ask.Answer]) > 0
	}
	if r, err := s.ask(ctx, v.addr, ask.Question{Name: s.zone, Type: "AXFR", Stream: true, Plain: true}); err == nil {
		v.hands = r.Code == "NOERROR" && len(r.Sections[ask.Answer]) > 0
	}
}

// askResolver asks the resolver of the settings, which need not be outside.
func (s *survey) askResolver(ctx context.Context) {
	if s.cfg.Resolver == "" {
		return
	}
	client := ask.Client{Dial: s.cfg.Dial, Wait: 2 * s.cfg.Wait}
	s.resolved, s.refused = client.Ask(ctx, s.cfg.Resolver, ask.Question{Name: s.zone, Type: "SOA", Recurse: true})
}
