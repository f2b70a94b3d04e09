package handler

import (
	"context"

	"hostward/internal/act"
	"hostward/internal/core"
)

// desired reads the rows. Without any nothing is forbidden.
func desired(ctx context.Context, v *act.View) (d Desired, err error) {
	apache, rewrite := 0, 1
	if _, err = v.Get(ctx, `SELECT apache, rewrite FROM handler_policy WHERE id = 'server'`, nil, &apache, &rewrite); err != nil {
		return d, err
	}
	d.Apache, d.Rewrite = apache == 1, rewrite == 1
	err = v.Each(ctx, `SELECT folder FROM handler_exception WHERE policy_id = 'server' ORDER BY folder`, nil, func(scan func(dest ...any) error) error {
		var folder string
		err := scan(&folder)
		d.Exceptions = append(d.Exceptions, folder)
		return err
	})
	return d, err
}

// write keeps the two switches.
func write(ctx context.Context, tx *act.Tx, d Desired) error {
	_, err := tx.Exec(ctx, `INSERT INTO handler_policy (id, apache, rewrite) VALUES ('server', $1, $2)
		ON CONFLICT (id) DO UPDATE SET apache = excluded.apache, rewrite = excluded.rewrite`, bit(d.Apache), bit(d.Rewrite))
	return err
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

func digest(ctx context.Context, v *act.View, _ string) (string, error) {
	ids, err := ids(ctx, v)
	if err != nil || ids == nil {
		return "", err
	}
	d, err := desired(ctx, v)
	if err != nil {
		return "", err
	}
	return act.DigestOf(d)
}

func ids(ctx context.Context, v *act.View) ([]string, error) {
	found, err := v.Get(ctx, `SELECT 1 FROM handler_policy UNION SELECT 1 FROM handler_exception LIMIT 1`, nil, new(int))
	if err != nil || !found {
		return nil, err
	}
	return []string{self.ID}, nil
}

func owner(context.Context, *act.View, string) (string, error) { return core.Provider, nil }
