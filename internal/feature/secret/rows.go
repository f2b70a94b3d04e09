package secret

import (
	"context"

	"hostward/internal/act"
)

// state is a note as it is kept.
type state struct {
	Note
	Since int64 `json:"since"`
}

// noted returns every note, that of the secret key first.
func noted(ctx context.Context, v *act.View) (list []state, err error) {
	err = v.Each(ctx, `SELECT purpose, secret, generation, kept, since FROM secret_note ORDER BY purpose`, nil, func(scan func(dest ...any) error) error {
		var s state
		err := scan(&s.Purpose, &s.Secret, &s.Generation, &s.Values, &s.Since)
		list = append(list, s)
		return err
	})
	return list, err
}

func notedOf(ctx context.Context, v *act.View, purpose string) (s state, err error) {
	s.Purpose = purpose
	_, err = v.Get(ctx, `SELECT secret, generation, kept, since FROM secret_note WHERE purpose = $1`, []any{purpose}, &s.Secret, &s.Generation, &s.Values, &s.Since)
	return s, err
}

func write(ctx context.Context, tx *act.Tx, n Note) error {
	_, err := tx.Exec(ctx, `INSERT INTO secret_note (server, purpose, secret, generation, kept, since) VALUES ('server', $1, $2, $3, $4, $5)
		ON CONFLICT (purpose) DO UPDATE SET secret = excluded.secret, generation = excluded.generation, kept = excluded.kept, since = excluded.since`,
		n.Purpose, n.Secret, n.Generation, n.Values, tx.Now().UnixMicro())
	return err
}

func digest(ctx context.Context, v *act.View, _ string) (string, error) {
	list, err := noted(ctx, v)
	if err != nil || len(list) == 0 {
		return "", err
	}
	return act.DigestOf(list)
}

func ids(ctx context.Context, v *act.View) ([]string, error) {
	list, err := noted(ctx, v)
	if err != nil || len(list) == 0 {
		return nil, err
	}
	return []string{self.ID}, nil
}
