package outside

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"sync"

	"hostward/internal/rr"
	"hostward/internal/rr/ask"
)

// Bounds of a search. 13 servers is what fitted into 512 octets; some have more.
const (
	mostNames     = 20
	mostAddresses = 60
	mostRecords   = 40 // of one set; nobody who means well has more
	deepest       = 4  // names of servers whose servers' names have to be found, and so on
)

var (
	errSpent     = errors.New("the check has asked all it may ask")
	errForbidden = errors.New("the address is not one of the public internet")
)

// host is one address of a server.
type host struct {
	name rr.Name
	addr netip.Addr
}

func (h host) String() string { return fmt.Sprintf("%s (%s)", h.name, h.addr) }

// place is whose servers know a name.
type place struct {
	zone  rr.Name
	names []rr.Name // of its servers, also of those without an address
	hosts []host
}

// search finds servers from the root down, as a resolver without a cache would.
type search struct {
	cfg   Config
	known map[rr.Name]place
	mu    sync.Mutex
	spent int
	quiet map[netip.Addr]bool // did not answer
}

// ask asks one server: twice over UDP, then over TCP where the answer was cut.
func (s *search) ask(ctx context.Context, at netip.Addr, q ask.Question) (r ask.Reply, err error) {
	if !s.cfg.Allow(at) {
		return r, errForbidden
	}
	client := ask.Client{Dial: s.cfg.Dial, Wait: s.cfg.Wait}
	address := netip.AddrPortFrom(at, 53).String()
	for range 2 {
		if err := s.spend(); err != nil {
			return r, err
		}
		if r, err = client.Ask(ctx, address, q); err != nil && ctx.Err() != nil {
			return r, errSpent
		}
		if err == nil || q.Stream || errors.Is(err, ask.ErrUnreachable) {
			break
		}
	}
	s.note(at, err)
	if err == nil && r.Truncated && !q.Stream {
		q.Stream = true
		return s.ask(ctx, at, q)
	}
	return r, err
}

// note remembers who is silent, so that the search does not wait for him again and again.
func (s *search) note(at netip.Addr, err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err != nil {
		s.quiet[at] = true
	}
}

// likely returns hosts with those last that did not answer.
func (s *search) likely(hosts []host) []host {
	s.mu.Lock()
	defer s.mu.Unlock()
	out := slices.Clone(hosts)
	slices.SortStableFunc(out, func(a, b host) int {
		switch qa, qb := s.quiet[a.addr], s.quiet[b.addr]; {
		case qa == qb:
			return 0
		case qa:
			return 1
		}
		return -1
	})
	return out
}

func (s *search) spend() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.spent++
	if s.spent > s.cfg.Questions {
		return errSpent
	}
	return nil
}

// find returns the zone that holds name, as the servers from the root down say.
func (s *search) find(ctx context.Context, name rr.Name, depth int) (place, error) {
	if p, ok := s.known[name]; ok {
		return p, nil
	}
	if name == "." {
		p := place{zone: "."}
		for _, a := range s.cfg.Roots {
			p.hosts = append(p.hosts, host{"root.", a})
		}
		return p, nil
	}
	above, err := s.find(ctx, name.Parent(), depth)
	if err != nil {
		return place{}, err
	}
	p, err := s.cut(ctx, above, name, depth)
	if err == nil {
		s.known[name] = p
	}
	return p, err
}

// cut asks the servers of a zone whether name is delegated.
func (s *search) cut(ctx context.Context, above place, name rr.Name, depth int) (place, error) {
	var last error
	for _, h := range s.likely(above.hosts) {
		r, err := s.ask(ctx, h.addr, ask.Question{Name: name, Type: "NS"})
		if err == nil && r.Code != "NOERROR" && r.Code != "NXDOMAIN" {
			err = fmt.Errorf("%s says %s", h, r.Code)
		}
		if err != nil {
			last = err
			continue
		}
		ns := nsOf(r, name)
		if len(ns) == 0 {
			return above, nil
		}
		names := targets(ns)
		hosts := s.hosts(ctx, names, glueOf(r, above.zone), depth)
		if len(hosts) == 0 {
			return place{}, fmt.Errorf("finding the servers of %s: none of their names has an address", name)
		}
		return place{name, names, hosts}, nil
	}
	return place{}, fmt.Errorf("finding the servers of %s: asking those of %s: %w", name, above.zone, last)
}

// some are as many records of a set as are looked at.
func some(records []rr.Record) []rr.Record { return records[:min(len(records), mostRecords)] }

// nsOf returns the NS records of name, of a referral or of the zone itself.
func nsOf(r ask.Reply, name rr.Name) []rr.Record {
	if ns := r.Find(ask.Answer, name, "NS"); len(ns) > 0 {
		return ns
	}
	return r.Find(ask.Authority, name, "NS")
}

// targets returns the names of servers, sorted, and no more than there is a use for.
func targets(ns []rr.Record) (out []rr.Name) {
	for _, r := range ns {
		out = append(out, rr.Name(r.Data))
	}
	slices.Sort(out)
	out = slices.Compact(out)
	return out[:min(len(out), mostNames)]
}

// addresses are those of servers by name.
type addresses map[rr.Name][]netip.Addr

// add adds what A and AAAA records of names below zone say.
func (as addresses) add(records []rr.Record, zone rr.Name) {
	for _, r := range records {
		a, err := netip.ParseAddr(r.Data)
		if err == nil && (r.Type == "A" || r.Type == "AAAA") && r.Name.Under(zone) && !slices.Contains(as[r.Name], a) {
			as[r.Name] = append(as[r.Name], a)
		}
	}
}

// glueOf returns the addresses in a referral of a zone's server: of names that it may speak for.
func glueOf(r ask.Reply, zone rr.Name) addresses {
	as := addresses{}
	as.add(r.Sections[ask.Additional], zone)
	return as
}

// hosts returns the addresses of servers, from glue or found.
func (s *search) hosts(ctx context.Context, names []rr.Name, glue addresses, depth int) (out []host) {
	for _, name := range names {
		found := glue[name]
		if len(found) == 0 && depth < deepest {
			found = s.resolve(ctx, name, depth+1)
		}
		for _, a := range found {
			out = append(out, host{name, a})
		}
	}
	return out[:min(len(out), mostAddresses)]
}

// resolve finds the addresses of a name; there are none where nobody knows any.
func (s *search) resolve(ctx context.Context, name rr.Name, depth int) []netip.Addr {
	p, err := s.find(ctx, name.Parent(), depth)
	if err != nil {
		return nil
	}
	return s.addressesAt(ctx, p.hosts, name)[name]
}

// addressesAt asks servers for the addresses of a name, one after another until one answers.
func (s *search) addressesAt(ctx context.Context, hosts []host, name rr.Name) addresses {
	as := addresses{}
	for _, typ := range []string{"A", "AAAA"} {
		for _, h := range s.likely(hosts) {
			r, err := s.ask(ctx, h.addr, ask.Question{Name: name, Type: typ})
			if err == nil && (r.Code == "NOERROR" || r.Code == "NXDOMAIN") {
				as.add(r.Find(ask.Answer, name, typ), name)
				break
			}
		}
	}
	return as
}
