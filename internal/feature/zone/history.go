package zone

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// HistoryIn says which zone.
type HistoryIn struct {
	Zone   string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Before int64  `json:"before" doc:"only versions before this one; 0 begins with the newest"`
	Limit  int    `json:"limit" doc:"most versions to return; 0 is 50" rule:"max=1000"`
}

// Version is one version of a zone.
type Version struct {
	Version uint64    `json:"version"`
	Serial  uint32    `json:"serial"`
	At      time.Time `json:"at"`
	Actor   string    `json:"actor"` // id; the log knows the name
	Action  string    `json:"action"`
	Added   int64     `json:"added"` // records
	Removed int64     `json:"removed"`
}

// History is versions, newest first.
type History struct {
	ID       string    `json:"id"`
	Zone     string    `json:"zone"`
	Versions []Version `json:"versions"`
	Next     int64     `json:"next,omitempty"` // "before" of the next page
}

func (z *Zones) history() act.Declaration {
	return act.Query[HistoryIn, History]{
		Name: "zone.history", Doc: "List the versions of a zone, newest first.", Class: class, Roles: act.Readers,
		Sample: HistoryIn{Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *HistoryIn) (core.Ref, error) {
			return target(ctx, v, in.Zone)
		},
		Run: func(ctx context.Context, v *act.View, in HistoryIn) (History, error) {
			r, err := live(ctx, v, in.Zone)
			if err != nil {
				return History{}, err
			}
			return historyOf(ctx, v, r, cmp.Or(in.Before, newest), cmp.Or(in.Limit, 50))
		},
	}
}

func historyOf(ctx context.Context, v *act.View, r row, before int64, limit int) (History, error) {
	out := History{ID: r.ID, Zone: shown(r.Name)}
	const q = `SELECT version, serial, at, actor, action, added, removed FROM zone_version WHERE zone_id = $1 AND version < $2 ORDER BY version DESC LIMIT $3`
	err := v.Each(ctx, q, []any{r.ID, before, limit}, func(scan func(dest ...any) error) error {
		var e Version
		var at int64
		err := scan(&e.Version, &e.Serial, &at, &e.Actor, &e.Action, &e.Added, &e.Removed)
		e.At = instant(at)
		out.Versions = append(out.Versions, e)
		return err
	})
	if n := len(out.Versions); n == limit && out.Versions[n-1].Version > 1 {
		out.Next = int64(out.Versions[n-1].Version)
	}
	return out, err
}

// DiffIn names two versions.
type DiffIn struct {
	Zone string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	From int64  `json:"from" doc:"the version to begin with; 0 is the one before"`
	To   int64  `json:"to" doc:"the version to end with, which may be the older one; 0 is the newest"`
	Back bool   `json:"back" doc:"begin with the newest version: what restoring the other one would change"`
}

// Diff is what lies between two versions.
type Diff struct {
	ID      string    `json:"id"`
	Zone    string    `json:"zone"`
	From    uint64    `json:"from"`
	To      uint64    `json:"to"`
	Lines   []string  `json:"lines"` // "- record", "+ record"
	Changes []Between `json:"changes"`
}

// Fields are the changes as a page shows old and new values.
func (d Diff) Fields() []act.Field {
	out := make([]act.Field, len(d.Changes))
	for i, c := range d.Changes {
		out[i] = act.Field{Name: string(c.Name) + " " + c.Type, Old: joined(c.Removed), New: joined(c.Added)}
	}
	return out
}

func joined(list []string) *string {
	if list == nil {
		return nil
	}
	return ptr(strings.Join(list, "\n"))
}

// Between is what happened to one RRset.
type Between struct {
	Name    rr.Name  `json:"name"`
	Type    string   `json:"type"`
	Added   []string `json:"added,omitempty"`   // TTL and data
	Removed []string `json:"removed,omitempty"` // TTL and data
}

func (z *Zones) diff() act.Declaration {
	return act.Query[DiffIn, Diff]{
		Name: "zone.diff", Doc: "Compare two versions of a zone.", Class: class, Roles: act.Readers,
		Sample: DiffIn{Zone: "example.org", From: 1},
		Target: func(ctx context.Context, v *act.View, in *DiffIn) (core.Ref, error) { return target(ctx, v, in.Zone) },
		Run: func(ctx context.Context, v *act.View, in DiffIn) (Diff, error) {
			r, err := live(ctx, v, in.Zone)
			if err != nil {
				return Diff{}, err
			}
			to := uint64(cmp.Or(in.To, int64(r.Version)))
			from := uint64(cmp.Or(in.From, int64(to)-1)) // of version 1: the empty zone
			if in.Back {
				from = r.Version
			}
			var faults core.Faults
			if to > r.Version {
				faults.Add("to", fmt.Sprint(to), fmt.Sprintf("a version from 1 to %d", r.Version))
			}
			if from > r.Version {
				faults.Add("from", fmt.Sprint(from), fmt.Sprintf("a version from 1 to %d", r.Version))
			}
			if err := faults.Err(); err != nil {
				return Diff{}, err
			}
			changes, err := apart(ctx, v, r, from, to)
			return difference(r, from, to, changes), err
		},
	}
}

func difference(r row, from, to uint64, changes []rr.Change) Diff {
	out := Diff{ID: r.ID, Zone: shown(r.Name), From: from, To: to, Lines: lines(changes)}
	for _, c := range changes {
		_, f := field(c)
		k := c.Key()
		out.Changes = append(out.Changes, Between{Name: k.Name, Type: k.Type,
			Added: split(f.New), Removed: split(f.Old)})
	}
	return out
}

// apart returns what turns one version into another, older or newer. On the
// way back a SOA that only counts is left out: serials never go back.
func apart(ctx context.Context, v *act.View, r row, from, to uint64) ([]rr.Change, error) {
	if from <= to {
		return between(ctx, v, r, from, to)
	}
	forth, err := between(ctx, v, r, to, from)
	var old, new []rr.RRset
	for _, c := range forth {
		if c.New.Type != "SOA" || !onlyCounted(c) {
			old, new = append(old, c.New), append(new, c.Old)
		}
	}
	return rr.Diff(old, new), err
}

// between returns what turns version from into version to, from the history:
// the first old and the last new of each RRset. A version that is missing is
// an error: every one is kept.
func between(ctx context.Context, v *act.View, r row, from, to uint64) ([]rr.Change, error) {
	old, new := map[rr.Key]rr.RRset{}, map[rr.Key]rr.RRset{}
	next := from + 1
	err := versions(ctx, v, r.ID, from, to, func(e version) error {
		if e.Version != next {
			return fmt.Errorf("zone %s: version %d is missing in its history", r.ID, next)
		}
		next++
		return e.each(func(o, n rr.RRset) {
			if _, seen := old[o.Key()]; !seen {
				old[o.Key()] = o
			}
			new[n.Key()] = n
		})
	})
	if err == nil && next != to+1 {
		err = fmt.Errorf("zone %s: version %d is missing in its history", r.ID, next)
	}
	return rr.Diff(members(old), members(new)), err
}

// each calls f for every RRset that the version changed.
func (e version) each(f func(old, new rr.RRset)) error {
	var ds []delta
	if err := json.Unmarshal([]byte(e.Change), &ds); err != nil {
		return fmt.Errorf("reading version %d of the history: %w", e.Version, err)
	}
	for _, d := range ds {
		f(d.ends())
	}
	return nil
}

// setsOf returns the RRsets of a version, 0 for the newest: an older one is
// the newest with the changes since taken back.
func setsOf(ctx context.Context, v *act.View, r row, version int64) ([]rr.RRset, uint64, error) {
	all, err := sets(ctx, v, r)
	if err != nil || version == 0 || uint64(version) == r.Version {
		return all, r.Version, err
	}
	if uint64(version) > r.Version {
		return nil, 0, core.Faults{{Field: "version", Value: fmt.Sprint(version), Accepted: fmt.Sprintf("a version from 1 to %d", r.Version)}}.Err()
	}
	since, err := between(ctx, v, r, uint64(version), r.Version)
	if err != nil {
		return nil, 0, err
	}
	then := map[rr.Key]rr.RRset{}
	for _, s := range all {
		then[s.Key()] = s
	}
	for _, c := range since {
		then[c.Key()] = c.Old
	}
	out := slices.Collect(filter(members(then), func(s rr.RRset) bool { return len(s.Data) > 0 }))
	rr.SortRRsets(out)
	return out, uint64(version), nil
}
