package zone

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"fmt"

	"hostward/internal/act"
	"hostward/internal/rr/sign"
)

// keyringOf returns how a zone is signed.
func keyringOf(ctx context.Context, v *act.View, id string) (g keyring, err error) {
	var wish, state string
	g.Keys = map[sign.KeyID]string{}
	g.there, err = v.Get(ctx, `SELECT wish, state, since, next FROM zone_signing WHERE zone_id = $1`, []any{id}, &wish, &state, &g.Since, &g.Next)
	if err != nil || !g.there {
		return g, err
	}
	if err := json.Unmarshal([]byte(wish), &g.Wish); err != nil {
		return g, fmt.Errorf("reading how zone %s is signed: %w", id, err)
	}
	if err := json.Unmarshal([]byte(state), &g.State); err != nil {
		return g, fmt.Errorf("reading the keys of zone %s: %w", id, err)
	}
	return g, eachKey(ctx, v, id, func(key, sealed string) error {
		var k sign.KeyID
		err := k.UnmarshalText([]byte(key))
		g.Keys[k] = sealed
		return err
	})
}

func eachKey(ctx context.Context, v *act.View, id string, f func(key, sealed string) error) error {
	return v.Each(ctx, `SELECT id, sealed FROM zone_key WHERE zone_id = $1`, []any{id}, func(scan func(dest ...any) error) error {
		var key, sealed string
		if err := scan(&key, &sealed); err != nil {
			return err
		}
		return f(key, sealed)
	})
}

// writeKeyring keeps how a zone is signed; was is what is stored now.
func writeKeyring(ctx context.Context, tx *act.Tx, id string, was, g keyring) error {
	wish, state := g.texts()
	_, err := tx.Exec(ctx, `INSERT INTO zone_signing (zone_id, wish, state, since, next) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (zone_id) DO UPDATE SET wish = excluded.wish, state = excluded.state, since = excluded.since, next = excluded.next`,
		id, wish, state, int64(g.Since), g.Next)
	for _, k := range g.ids() {
		if err == nil && was.Keys[k] != g.Keys[k] {
			_, err = tx.Exec(ctx, `INSERT INTO zone_key (zone_id, id, sealed) VALUES ($1, $2, $3) ON CONFLICT (zone_id, id) DO UPDATE SET sealed = excluded.sealed`,
				id, k.String(), g.Keys[k])
		}
	}
	for _, k := range was.ids() {
		if _, kept := g.Keys[k]; err == nil && !kept {
			_, err = tx.Exec(ctx, `DELETE FROM zone_key WHERE zone_id = $1 AND id = $2`, id, k.String())
		}
	}
	return err
}

// maxTTL is the greatest TTL of a zone's records.
func maxTTL(ctx context.Context, v *act.View, r row) (ttl uint32, err error) {
	_, err = v.Get(ctx, `SELECT COALESCE(MAX(ttl), 0) FROM zone_rrset WHERE zone_id = $1 AND generation = $2`, []any{r.ID, r.Generation}, &ttl)
	return ttl, err
}

func unbase64(text string) []byte {
	b, err := base64.StdEncoding.DecodeString(text)
	if err != nil {
		return nil // the keeper says that it cannot open it
	}
	return b
}
