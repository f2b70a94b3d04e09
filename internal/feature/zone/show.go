package zone

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// ShowIn says which zone, and which of its records.
type ShowIn struct {
	Zone    string   `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Version int64    `json:"version" doc:"an older version; 0 is the newest"`
	Search  string   `json:"search" doc:"only records that hold this text in name or data" rule:"max=255"`
	Type    string   `json:"type" doc:"only records of this type" rule:"max=16"`
	Only    []string `json:"only" doc:"only these RRsets, each as full name and type: www.example.org. A"`
	File    bool     `json:"file" doc:"also as a zone file"`
	Check   bool     `json:"check" doc:"also what works but is probably not meant"`
	After   string   `json:"after" doc:"next of the page before" rule:"max=1100"`
	Limit   int      `json:"limit" doc:"most RRsets to return; 0 is 500" rule:"max=20000"`
}

// Set is one RRset as faces show it.
type Set struct {
	rr.RRset
	Label string `json:"-"` // the name as one writes it in this zone: @, www
}

// Shown is a zone with records.
type Shown struct {
	Zone
	Sets     int64     `json:"sets"`
	Created  time.Time `json:"created"`
	At       uint64    `json:"at"`    // version whose records these are
	Found    int       `json:"found"` // RRsets that match, on all pages
	RRsets   []Set     `json:"rrsets"`
	Next     string    `json:"next,omitempty"` // "after" of the next page
	File     string    `json:"file,omitempty"`
	Warnings []string  `json:"warnings,omitempty"`
	Taken    int64     `json:"taken,omitempty"`   // of a catalog: zones that it lists and that are here
	Untaken  []Untaken `json:"untaken,omitempty"` // and those that could not be taken
}

// Lines are the RRsets as a change set that changes nothing yet: what an
// editor begins with. A TTL stands in the first line of its RRset only, so that
// changing it there changes it for all.
func (s Shown) Lines() []Edit {
	var out []Edit
	for _, set := range s.RRsets {
		for i, d := range set.Data {
			e := Edit{Action: "set", Name: set.Label, Type: set.Type, Data: d}
			if i == 0 {
				e.TTL = number(set.TTL)
			}
			out = append(out, e)
		}
	}
	return out
}

// None is a change set without a line.
func (s Shown) None() []Edit { return nil }

// Begun is a change set with a line that has only its type.
func (s Shown) Begun(typ string) []Edit { return []Edit{{Type: typ}} }

// Gone are lines that remove the RRsets.
func (s Shown) Gone() []Edit {
	out := make([]Edit, len(s.RRsets))
	for i, set := range s.RRsets {
		out[i] = Edit{Action: "remove", Name: set.Label, Type: set.Type}
	}
	return out
}

// Lasting are lines that give the RRsets another TTL and leave their data.
func (s Shown) Lasting(ttl string) []Edit {
	out := s.Lines()
	for i := range out {
		out[i].TTL = ttl
	}
	return out
}

func (z *Zones) show() act.Declaration {
	return act.Query[ShowIn, Shown]{
		Name: "zone.show", Doc: "Show a zone, its records and what the nameserver answers with.", Class: class, Roles: act.Readers,
		Sample: ShowIn{Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *ShowIn) (core.Ref, error) { return target(ctx, v, in.Zone) },
		Run: func(ctx context.Context, v *act.View, in ShowIn) (Shown, error) {
			r, err := live(ctx, v, in.Zone)
			if err != nil {
				return Shown{}, err
			}
			out := Shown{Zone: r.public(), Sets: r.Sets, Created: instant(r.Created)}
			if out.OwnerName, err = z.ports.TenantName(ctx, v, r.Owner); err != nil {
				return out, err
			}
			z.serving(ctx, r, &out.Zone)
			if err := z.beside(ctx, v, r, &out.Zone); err != nil {
				return out, err
			}
			if err := z.taken(ctx, v, &out); err != nil {
				return out, err
			}
			all, at, err := setsOf(ctx, v, r, in.Version)
			if err != nil {
				return out, err
			}
			out.At = at
			out.choose(all, r.Name, in)
			if in.Check {
				_, warnings := rr.Validate(all, r.Name)
				out.Warnings = sentences(warnings)
			}
			if in.File {
				out.File, err = master(r.Name, all)
			}
			return out, err
		},
	}
}

// choose takes the records asked for.
func (s *Shown) choose(all []rr.RRset, zone rr.Name, in ShowIn) {
	text := strings.ToLower(strings.TrimSpace(in.Search))
	found := slices.Collect(filter(all, func(set rr.RRset) bool {
		return (in.Type == "" || strings.EqualFold(in.Type, set.Type)) && (text == "" || holds(set, text)) &&
			(in.Only == nil || slices.Contains(in.Only, set.Key().String()))
	}))
	s.Found = len(found)
	begin := 0
	if in.After != "" {
		begin = 1 + slices.IndexFunc(found, func(set rr.RRset) bool { return set.Key().String() == in.After })
	}
	found = found[begin:]
	if limit := cmp.Or(in.Limit, 500); len(found) > limit {
		found = found[:limit]
		s.Next = found[limit-1].Key().String()
	}
	s.RRsets = make([]Set, len(found))
	for i, set := range found {
		s.RRsets[i] = Set{RRset: set, Label: set.Name.Relative(zone)}
	}
}

func holds(s rr.RRset, text string) bool {
	if strings.Contains(string(s.Name), text) || strings.Contains(s.Name.Unicode(), text) {
		return true
	}
	return slices.ContainsFunc(s.Data, func(d string) bool { return strings.Contains(strings.ToLower(d), text) })
}

// beside adds how a zone is signed and where it is fed from.
func (z *Zones) beside(ctx context.Context, v *act.View, r row, out *Zone) error {
	g, err := keyringOf(ctx, v, r.ID)
	if err != nil {
		return err
	}
	f, err := primaryOf(ctx, v, r.ID)
	out.Signing, out.Follows, out.Lists, out.Catalog = g.inOneWord(), f.Primaries, f.Lists, f.Catalog
	if f.Lists {
		out.Serving = ""
	}
	return err
}

// serving asks the nameserver, and says so when it does not answer.
func (z *Zones) serving(ctx context.Context, r row, out *Zone) {
	out.Serving = "unknown"
	if z.ports.Served == nil {
		return
	}
	have, err := z.ports.Served(ctx, r.ref())
	if err != nil {
		return
	}
	out.Served, out.Serving = have, act.Pending
	if have == r.Version {
		out.Serving = act.InForce
	}
}

// ExportIn says which zone.
type ExportIn struct {
	Zone    string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Version int64  `json:"version" doc:"an older version; 0 is the newest"`
}

// piece is how much of a file is sent at once, in octets.
const piece = 256 << 10

// export sends the text of a zone file, in pieces that end with a line.
func (z *Zones) export() act.Declaration {
	return act.Stream[ExportIn]{
		Name: "zone.export", Doc: "Write a zone as a BIND zone file.", Class: class, Roles: act.Readers,
		Sample: ExportIn{Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *ExportIn) (core.Ref, error) { return target(ctx, v, in.Zone) },
		Run: func(ctx context.Context, f *act.Flow, in ExportIn) error {
			var text string
			err := f.View(ctx, func(v *act.View) error {
				r, err := live(ctx, v, in.Zone)
				if err != nil {
					return err
				}
				all, _, err := setsOf(ctx, v, r, in.Version)
				if err != nil {
					return err
				}
				text, err = master(r.Name, all)
				return err
			})
			for err == nil && text != "" {
				n := len(text)
				if n > piece {
					n = strings.LastIndexByte(text[:piece], '\n') + 1
				}
				err = f.Send(text[:n])
				text = text[n:]
			}
			return err
		},
	}
}

// master is RRsets as a master file.
func master(name rr.Name, all []rr.RRset) (string, error) {
	var b strings.Builder
	err := rr.WriteZone(&b, &rr.Zone{Origin: name, Sets: all})
	return b.String(), err
}
