package peer

import (
	"cmp"
	"context"
	"net/netip"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// AddIn is another nameserver.
type AddIn struct {
	Name    string   `json:"name" cli:"arg" rule:"required,max=100" doc:"what you call it, such as ns2.example.net"`
	Sources []string `json:"addresses" rule:"max=32" doc:"addresses or networks it asks from; left out: from anywhere, which needs a key"`
	Told    []string `json:"notify" rule:"max=16" doc:"addresses at which it is told of new versions (NOTIFY), with a port if it is not 53; left out: it is not told"`
	Key     string   `json:"key" rule:"max=255" doc:"name or id of the TSIG key that it signs with; left out: none, which needs addresses"`
	Zones   []string `json:"zones" rule:"max=5000" doc:"zones it may take; left out: all"`
}

// Server is a nameserver as faces show it.
type Server struct {
	ID      string    `json:"id"`
	Name    string    `json:"name"`
	Sources []string  `json:"addresses,omitempty"`
	Told    []string  `json:"notify,omitempty"`
	Key     string    `json:"key,omitempty"`
	Zones   []string  `json:"zones,omitempty"`
	Made    time.Time `json:"made"`
	State   string    `json:"state,omitempty"`  // "in force", "pending", "drift": of what it was told
	Behind  int       `json:"behind,omitempty"` // zones of which it has not acknowledged the newest version
}

func (p *Peers) add() act.Declaration {
	return act.Change[AddIn, Server]{
		Name: "peer.add", Doc: "Let another nameserver take zones from this one (AXFR, IXFR), and tell it of new versions.", Class: class,
		Roles: act.Admins, Must: []string{"peer.added"}, Wakes: []string{wakes}, Serves: serves(),
		Sample: AddIn{Name: "ns2.example.net", Sources: []string{"192.0.2.53"}, Told: []string{"192.0.2.53"}}, Target: target[AddIn],
		Run: func(ctx context.Context, tx *act.Tx, in AddIn) (Server, error) {
			r, err := p.server(ctx, &tx.View, in)
			if err != nil {
				return Server{}, err
			}
			r.ID, r.Made = core.NewID("n"), tx.Now().UnixMicro()
			if err := insertServer(ctx, tx, r); err != nil {
				return Server{}, err
			}
			return r.shown(""), tx.Record(ctx, "peer.added", r.ref(), act.Diff(nil, r)...)
		},
	}
}

// server reads the input.
func (p *Peers) server(ctx context.Context, v *act.View, in AddIn) (server, error) {
	r := server{Name: strings.TrimSpace(in.Name)}
	var faults core.Faults
	var sources []netip.Prefix
	for _, text := range in.Sources {
		n, err := network(strings.TrimSpace(text))
		if err != nil {
			faults.Add("addresses", text, "an address such as 192.0.2.53, or a network such as 2001:db8::/64")
			continue
		}
		sources = append(sources, n)
	}
	r.Sources = joined(sources)
	var told []string
	for _, text := range in.Told {
		at, err := addrPort(strings.TrimSpace(text))
		if err != nil {
			faults.Add("notify", text, "an address such as 192.0.2.53, or with a port 192.0.2.53:5353 or [2001:db8::53]:5353")
			continue
		}
		told = append(told, at.String())
	}
	r.Told = strings.Join(told, " ")
	var zones []string
	for _, text := range in.Zones {
		name, err := rr.ParseName(strings.TrimSpace(text), ".")
		if err != nil {
			faults.Add("zones", text, "the name of a zone")
			continue
		}
		zones = append(zones, string(name))
	}
	slices.Sort(zones)
	r.Zones = strings.Join(slices.Compact(zones), " ")
	if in.Key != "" {
		k, err := keyOf(ctx, v, in.Key)
		if core.CodeOf(err) == core.NotFound {
			faults.Add("key", in.Key, "name or id of a TSIG key")
		} else if err != nil {
			return r, err
		}
		r.Key = k.ID
	}
	if r.Key == "" && r.Sources == "" {
		faults.Add("addresses", "", "addresses, a key, or both: otherwise everybody could take all zones")
	}
	if err := faults.Err(); err != nil {
		return r, err
	}
	return r, freeServer(ctx, v, r.Name)
}

func joined[T interface{ String() string }](list []T) string {
	out := make([]string, len(list))
	for i, x := range list {
		out[i] = x.String()
	}
	return strings.Join(out, " ")
}

// network reads an address or a network.
func network(text string) (netip.Prefix, error) {
	if a, err := netip.ParseAddr(text); err == nil {
		return a.Unmap().Prefix(a.Unmap().BitLen())
	}
	n, err := netip.ParsePrefix(text)
	return n.Masked(), err
}

// addrPort reads an address; without a port it is 53.
func addrPort(text string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(a, 53), nil
	}
	return netip.ParseAddrPort(text)
}

// ServerIn names a server.
type ServerIn struct {
	Server string `json:"peer" cli:"arg" rule:"required,max=100" doc:"name or id of the nameserver"`
}

func (p *Peers) remove() act.Declaration {
	return act.Change[ServerIn, Nothing]{
		Name: "peer.remove", Doc: "Let another nameserver take no zones from this one any more.", Class: class,
		Roles: act.Admins, Must: []string{"peer.removed"}, Confirm: true, Wakes: []string{wakes}, Serves: serves(),
		Sample: ServerIn{Server: "ns2.example.net"},
		Target: func(ctx context.Context, v *act.View, in *ServerIn) (core.Ref, error) {
			r, err := serverOf(ctx, v, in.Server)
			return r.ref(), err
		},
		Run: func(ctx context.Context, tx *act.Tx, in ServerIn) (Nothing, error) {
			r, err := serverOf(ctx, &tx.View, in.Server)
			if err != nil {
				return Nothing{}, err
			}
			if _, err := tx.Exec(ctx, `DELETE FROM peer_server WHERE id = $1`, r.ID); err != nil {
				return Nothing{}, err
			}
			return Nothing{}, tx.Record(ctx, "peer.removed", r.ref(), act.Diff(r, nil)...)
		},
	}
}

// ServerList is the output of peer.list.
type ServerList struct {
	Servers []Server  `json:"servers"`
	Waiting []Telling `json:"waiting,omitempty"` // what is not acknowledged, first what went wrong
}

// mostWaiting is how many of those are listed.
const mostWaiting = 100

func (p *Peers) list() act.Declaration {
	return act.Query[Nothing, ServerList]{
		Name: "peer.list", Doc: "List the nameservers that take zones from this one, and what they were told.", Class: class,
		Roles: act.Admins | act.Auditor, Serves: serves(), Sample: Nothing{}, Target: target[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (ServerList, error) {
			rows, err := servers(ctx, v)
			if err != nil {
				return ServerList{}, err
			}
			names, err := keyNames(ctx, v)
			if err != nil {
				return ServerList{}, err
			}
			var told []Telling
			if p.ports.Told != nil {
				told, _ = p.ports.Told(ctx) // the nameserver may be down; what is configured is shown all the same
			}
			out := ServerList{Servers: []Server{}}
			for _, r := range rows {
				s := r.shown(string(names[r.Key]))
				out.Waiting = append(out.Waiting, s.with(told)...)
				out.Servers = append(out.Servers, s)
			}
			slices.SortStableFunc(out.Waiting, func(a, b Telling) int { return cmp.Compare(b.Fault, a.Fault) })
			out.Waiting = out.Waiting[:min(len(out.Waiting), mostWaiting)]
			return out, nil
		},
	}
}

func (r server) shown(key string) Server {
	return Server{ID: r.ID, Name: r.Name, Sources: strings.Fields(r.Sources), Told: strings.Fields(r.Told), Key: strings.TrimSuffix(key, "."),
		Zones: strings.Fields(r.Zones), Made: core.At(r.Made)}
}

// with says what became of telling it, and returns what it has not acknowledged.
func (s *Server) with(told []Telling) (waiting []Telling) {
	zones := map[string]bool{}
	for _, t := range told {
		if t.Server != s.Name {
			continue
		}
		s.State = cmp.Or(s.State, act.InForce)
		if t.Known == t.Serial && t.Fault == "" {
			continue
		}
		waiting, zones[t.Zone] = append(waiting, t), true
		if s.State != act.Drift {
			s.State = act.Pending
		}
		if t.Fault != "" {
			s.State = act.Drift
		}
	}
	s.Behind = len(zones)
	return waiting
}
