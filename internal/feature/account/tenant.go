package account

import (
	"context"

	"hostward/internal/act"
	"hostward/internal/core"
)

// Below returns the tenants below one, without itself. The provider has all.
func (a *Accounts) Below(ctx context.Context, v *act.View, tenant string) ([]string, error) {
	var all []string
	collect := func(scan func(dest ...any) error) error {
		var id string
		err := scan(&id)
		all = append(all, id)
		return err
	}
	if tenant == core.Provider {
		err := v.Each(ctx, `SELECT id FROM account WHERE role IN ('reseller', 'customer') ORDER BY id`, nil, collect)
		return all, err
	}
	err := v.Each(ctx, `SELECT id FROM account WHERE parent = $1 ORDER BY id`, []any{tenant}, collect)
	return all, err
}

// TenantName returns the log-in name of a tenant, or the id of one that is gone.
func (a *Accounts) TenantName(ctx context.Context, v *act.View, id string) (string, error) {
	if id == core.Provider {
		return "the provider", nil
	}
	x, err := byID(ctx, v, id)
	if core.CodeOf(err) == core.NotFound && err != nil {
		return id, nil
	}
	return x.Login, err
}
