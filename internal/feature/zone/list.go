package zone

import (
	"cmp"
	"context"
	"slices"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
)

// ListIn says which zones to list.
type ListIn struct {
	Search string `json:"search" doc:"part of the name" rule:"max=255"`
	Owner  string `json:"owner" doc:"only zones of this customer or reseller, by log-in name or id" rule:"max=254"`
	After  string `json:"after" doc:"name of the last zone of the page before" rule:"max=1020"`
	Limit  int    `json:"limit" doc:"most zones to return; 0 is 100" rule:"max=1000"`
}

// Listed is one page of zones.
type Listed struct {
	Zones []Zone `json:"zones"`
	Total int64  `json:"total"`          // of all pages
	Next  string `json:"next,omitempty"` // "after" of the next page
}

func (z *Zones) list() act.Declaration {
	return act.Query[ListIn, Listed]{
		Name: "zone.list", Doc: "List zones by name.", Class: class, Roles: act.Readers,
		Sample: ListIn{Search: "example"},
		Target: func(context.Context, *act.View, *ListIn) (core.Ref, error) { return core.Ref{}, nil },
		Run: func(ctx context.Context, v *act.View, in ListIn) (Listed, error) {
			owners, err := z.scope(ctx, v, in.Owner)
			if err != nil {
				return Listed{}, err
			}
			p := page{after: in.After, like: pattern(in.Search), limit: cmp.Or(in.Limit, 100)}
			return z.listed(ctx, v, owners, p)
		},
	}
}

func (z *Zones) listed(ctx context.Context, v *act.View, owners []string, p page) (out Listed, err error) {
	p.limit++ // one more tells whether there is a next page
	rows, err := search(ctx, v, owners, p)
	if err != nil {
		return out, err
	}
	if len(rows) == p.limit {
		rows = rows[:p.limit-1]
		out.Next = string(rows[len(rows)-1].Name)
	}
	out.Zones = make([]Zone, len(rows))
	names := map[string]string{}
	for i, r := range rows {
		out.Zones[i] = r.public()
		z.serving(ctx, r, &out.Zones[i])
		if err := z.beside(ctx, v, r, &out.Zones[i]); err != nil {
			return out, err
		}
		if out.Zones[i].OwnerName, err = z.ownerName(ctx, v, names, r.Owner); err != nil {
			return out, err
		}
	}
	out.Total, err = count(ctx, v, owners, p.like)
	return out, err
}

// ownerName asks for each name once.
func (z *Zones) ownerName(ctx context.Context, v *act.View, known map[string]string, id string) (string, error) {
	name, ok := known[id]
	if ok {
		return name, nil
	}
	name, err := z.ports.TenantName(ctx, v, id)
	known[id] = name
	return name, err
}

// scope returns the tenants whose zones the actor sees, all of them or one
// that he names; nil is everybody's.
func (z *Zones) scope(ctx context.Context, v *act.View, only string) ([]string, error) {
	mine := []string(nil)
	if root := v.Actor().Tenant; root != core.Provider {
		below, err := z.ports.Below(ctx, v, root)
		if err != nil {
			return nil, err
		}
		mine = append([]string{root}, below...)
	}
	if only == "" {
		return mine, nil
	}
	id := only
	if only != core.Provider {
		var err error
		if id, err = z.ports.Tenant(ctx, v, only); err != nil {
			return nil, err
		}
	}
	if mine != nil && !slices.Contains(mine, id) {
		return nil, core.Errorf(core.NotFound, "there is no customer %q", only)
	}
	return []string{id}, nil
}

// page is one page of zones by name.
type page struct {
	after string // name
	like  string // LIKE pattern, "" for all
	limit int
}

// pattern makes a LIKE pattern of a text, with \ as escape.
func pattern(text string) string {
	text = strings.ToLower(strings.TrimSpace(text))
	if text == "" {
		return "%"
	}
	return "%" + escaped(text) + "%"
}

// escaped is a LIKE pattern that matches this text alone.
func escaped(text string) string {
	return strings.NewReplacer(`\`, `\\`, `%`, `\%`, `_`, `\_`).Replace(text)
}

// search returns live zones in order of their names. The scope of a reseller
// is many tenants: each is one short walk along an index, and the walks are
// merged here.
func search(ctx context.Context, v *act.View, owners []string, p page) ([]row, error) {
	var out []row
	collect := func(scan func(dest ...any) error) error {
		var r row
		err := scanRow(&r, scan)
		out = append(out, r)
		return err
	}
	if owners == nil {
		const q = `SELECT ` + columns + ` FROM zone_zone WHERE deleted = 0 AND name > $1 AND (name LIKE $2 ESCAPE '\' OR shown LIKE $2 ESCAPE '\') ORDER BY name LIMIT $3`
		return out, v.Each(ctx, q, []any{p.after, p.like, p.limit}, collect)
	}
	for _, owner := range owners {
		const q = `SELECT ` + columns + ` FROM zone_zone WHERE owner = $4 AND deleted = 0 AND name > $1 AND (name LIKE $2 ESCAPE '\' OR shown LIKE $2 ESCAPE '\') ORDER BY name LIMIT $3`
		if err := v.Each(ctx, q, []any{p.after, p.like, p.limit, owner}, collect); err != nil {
			return nil, err
		}
	}
	slices.SortFunc(out, func(a, b row) int { return cmp.Compare(a.Name, b.Name) })
	return first(out, p.limit), nil
}

func count(ctx context.Context, v *act.View, owners []string, like string) (total int64, err error) {
	if owners == nil {
		const q = `SELECT COUNT(*) FROM zone_zone WHERE deleted = 0 AND (name LIKE $1 ESCAPE '\' OR shown LIKE $1 ESCAPE '\')`
		_, err = v.Get(ctx, q, []any{like}, &total)
		return total, err
	}
	for _, owner := range owners {
		var n int64
		const q = `SELECT COUNT(*) FROM zone_zone WHERE owner = $2 AND deleted = 0 AND (name LIKE $1 ESCAPE '\' OR shown LIKE $1 ESCAPE '\')`
		if _, err := v.Get(ctx, q, []any{like, owner}, &n); err != nil {
			return 0, err
		}
		total += n
	}
	return total, nil
}
