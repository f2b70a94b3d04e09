package zone

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// ShowIn says which zone, and which of its records.
type ShowIn struct {
	Zone    string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Version int64  `json:"version" doc:"an older version; 0 is the newest"`
	Search  string `json:"search" doc:"only records that hold this text in name or data" rule:"max=255"`
	Type    string `json:"type" doc:"only records of this type" rule:"max=16"`
	After   string `json:"after" doc:"next of the page before" rule:"max=1100"`
	Limit   int    `json:"limit" doc:"most RRsets to return; 0 is 500" rule:"max=20000"`
}

// Set is one RRset as faces show it.
type Set struct {
	rr.RRset
	Label string `json:"label"` // the name as one writes it in this zone: @, www
}

// Shown is a zone with records.
type Shown struct {
	Zone
	Serving string `json:"serving"` // "in force", "pending" or "unknown", asked of the nameserver
	Served  uint64 `json:"served"`  // version that the nameserver answers with; 0: none
	At      uint64 `json:"at"`      // version whose records these are
	Records []Set  `json:"sets"`    // hides the count of Zone on purpose: see Counts
	Counts  Counts `json:"counts"`
	Next    string `json:"next,omitempty"` // "after" of the next page
}

// Counts are those of the newest version, and of what a search found.
type Counts struct {
	Sets    int64 `json:"sets"`
	Records int64 `json:"records"`
	Found   int   `json:"found"` // RRsets
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
			out := Shown{Zone: r.public(), Counts: Counts{Sets: r.Sets, Records: r.Records}}
			if out.OwnerName, err = z.ports.TenantName(ctx, v, r.Owner); err != nil {
				return out, err
			}
			all, at, err := setsOf(ctx, v, r, in.Version)
			if err != nil {
				return out, err
			}
			out.At = at
			out.choose(all, r.Name, in)
			return out, z.serving(ctx, r, &out)
		},
	}
}

// choose takes the records asked for.
func (s *Shown) choose(all []rr.RRset, zone rr.Name, in ShowIn) {
	text := strings.ToLower(strings.TrimSpace(in.Search))
	found := slices.Collect(filter(all, func(set rr.RRset) bool {
		return (in.Type == "" || strings.EqualFold(in.Type, set.Type)) && (text == "" || holds(set, text))
	}))
	s.Counts.Found = len(found)
	begin := 0
	if in.After != "" {
		begin = 1 + slices.IndexFunc(found, func(set rr.RRset) bool { return set.Key().String() == in.After })
	}
	found = found[begin:]
	if limit := cmp.Or(in.Limit, 500); len(found) > limit {
		found = found[:limit]
		s.Next = found[limit-1].Key().String()
	}
	s.Records = make([]Set, len(found))
	for i, set := range found {
		s.Records[i] = Set{RRset: set, Label: set.Name.Relative(zone)}
	}
}

func holds(s rr.RRset, text string) bool {
	if strings.Contains(string(s.Name), text) || strings.Contains(s.Name.Unicode(), text) {
		return true
	}
	return slices.ContainsFunc(s.Data, func(d string) bool { return strings.Contains(strings.ToLower(d), text) })
}

// serving asks the nameserver, and says so when nobody can be asked.
func (z *Zones) serving(ctx context.Context, r row, out *Shown) error {
	out.Serving = "unknown"
	if z.ports.Served == nil {
		return nil
	}
	have, err := z.ports.Served(ctx, r.ref())
	if err != nil {
		return nil //nolint:nilerr // a nameserver that is down is "unknown", not an error of this page
	}
	out.Served, out.Serving = have, act.Pending
	if have == r.Version {
		out.Serving = act.InForce
	}
	return nil
}

// ExportIn says which zone.
type ExportIn struct {
	Zone    string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Version int64  `json:"version" doc:"an older version; 0 is the newest"`
}

// Exported is a zone file.
type Exported struct {
	Name    string `json:"name"` // for the file
	Version uint64 `json:"version"`
	Text    string `json:"text"`
}

func (z *Zones) export() act.Declaration {
	return act.Query[ExportIn, Exported]{
		Name: "zone.export", Doc: "Write a zone as a BIND zone file.", Class: class, Roles: act.Readers, Logged: true,
		Sample: ExportIn{Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *ExportIn) (core.Ref, error) { return target(ctx, v, in.Zone) },
		Run: func(ctx context.Context, v *act.View, in ExportIn) (Exported, error) {
			r, err := live(ctx, v, in.Zone)
			if err != nil {
				return Exported{}, err
			}
			all, at, err := setsOf(ctx, v, r, in.Version)
			if err != nil {
				return Exported{}, err
			}
			var b strings.Builder
			err = rr.WriteZone(&b, &rr.Zone{Origin: r.Name, Sets: all})
			return Exported{Name: fileName(r.Name), Version: at, Text: b.String()}, err
		},
	}
}

// fileName is a name that every file system takes.
func fileName(n rr.Name) string {
	clean := strings.Map(func(c rune) rune {
		if strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_.", c) {
			return c
		}
		return '-'
	}, strings.TrimSuffix(string(n), "."))
	return clean + ".zone"
}
