package password

import (
	"context"

	"hostward/internal/act"
	"hostward/internal/core"
)

// read returns the policy; without a row the defaults.
func read(ctx context.Context, v *act.View) (policy, bool, error) {
	p := policy{Level: defaultLevel}
	var adopted int64
	l := &p.List
	found, err := v.Get(ctx, `SELECT level, file, digest, kind, entries, source, adopted FROM password_policy WHERE id = 'policy'`, nil,
		&p.Level, &l.File, &l.Digest, &l.Kind, &l.Entries, &l.Source, &adopted)
	l.Adopted = core.At(adopted)
	return p, found, err
}

func write(ctx context.Context, tx *act.Tx, p policy) error {
	_, err := tx.Exec(ctx, `INSERT INTO password_policy (id, level, file, digest, kind, entries, source, adopted) VALUES ('policy', $1, $2, $3, $4, $5, $6, $7)
		ON CONFLICT (id) DO UPDATE SET level = excluded.level, file = excluded.file, digest = excluded.digest, kind = excluded.kind,
		entries = excluded.entries, source = excluded.source, adopted = excluded.adopted`,
		p.Level, p.List.File, p.List.Digest, p.List.Kind, p.List.Entries, p.List.Source, core.Micros(p.List.Adopted))
	return err
}

func digest(ctx context.Context, v *act.View, _ string) (string, error) {
	p, found, err := read(ctx, v)
	if err != nil || !found {
		return "", err
	}
	l := p.List
	return act.DigestOf(state{p.Level, l.File, l.Digest, l.Kind, l.Entries, l.Source, core.Micros(l.Adopted)})
}

func ids(ctx context.Context, v *act.View) ([]string, error) {
	_, found, err := read(ctx, v)
	if err != nil || !found {
		return nil, err
	}
	return []string{self.ID}, nil
}
