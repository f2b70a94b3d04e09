package access

import (
	"context"
	"crypto/sha256"
	"encoding/hex"

	"hostward/internal/act"
	"hostward/internal/core"
)

// now returns mode and version alone: what a look-up needs. Without a row
// everybody is let in.
func now(ctx context.Context, v *act.View) (mode, version string, err error) {
	mode = AllBut
	_, err = v.Get(ctx, `SELECT mode, version FROM access_policy WHERE id = 'administrators'`, nil, &mode, &version)
	return mode, version, err
}

// read returns the whole policy.
func read(ctx context.Context, v *act.View) (p policy, err error) {
	p.mode = AllBut
	var refused, allowed string
	if _, err = v.Get(ctx, `SELECT mode, version, refused, allowed FROM access_policy WHERE id = 'administrators'`, nil, &p.mode, &p.version, &refused, &allowed); err != nil {
		return p, err
	}
	p.lists = map[string][]Entry{}
	for mode, text := range map[string]string{AllBut: refused, Only: allowed} {
		if p.lists[mode], err = decode(text); err != nil {
			return p, err
		}
	}
	return p, nil
}

// write keeps the policy under a version that no other had.
func write(ctx context.Context, tx *act.Tx, p policy) error {
	refused, err := encode(p.lists[AllBut])
	if err != nil {
		return err
	}
	allowed, err := encode(p.lists[Only])
	if err != nil {
		return err
	}
	_, err = tx.Exec(ctx, `INSERT INTO access_policy (id, mode, version, refused, allowed) VALUES ('administrators', $1, $2, $3, $4)
		ON CONFLICT (id) DO UPDATE SET mode = excluded.mode, version = excluded.version, refused = excluded.refused, allowed = excluded.allowed`,
		p.mode, core.NewID("v"), refused, allowed)
	return err
}

// digest covers the row as it is.
func digest(ctx context.Context, v *act.View, _ string) (string, error) {
	var row struct {
		Mode    string `json:"mode"`
		Version string `json:"version"`
		Refused string `json:"refused"` // SHA-256 of the list
		Allowed string `json:"allowed"`
	}
	found, err := v.Get(ctx, `SELECT mode, version, refused, allowed FROM access_policy WHERE id = 'administrators'`, nil, &row.Mode, &row.Version, &row.Refused, &row.Allowed)
	if err != nil || !found {
		return "", err
	}
	row.Refused, row.Allowed = hash(row.Refused), hash(row.Allowed)
	return act.DigestOf(row)
}

func hash(text string) string {
	sum := sha256.Sum256([]byte(text))
	return hex.EncodeToString(sum[:])
}

func ids(ctx context.Context, v *act.View) ([]string, error) {
	_, version, err := now(ctx, v)
	if err != nil || version == "" {
		return nil, err
	}
	return []string{self.ID}, nil
}
