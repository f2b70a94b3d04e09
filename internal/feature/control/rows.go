package control

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/host"
)

// order is a row of control_order.
type order struct {
	host.Order
	Raw    []byte
	Answer string // keep, undo, or nothing yet
	Made   time.Time
}

func orders(ctx context.Context, v *act.View) (map[string]order, error) {
	all := map[string]order{}
	err := v.Each(ctx, `SELECT raw, answer, made FROM control_order`, nil, func(scan func(...any) error) error {
		var raw, answer string
		var made int64
		if err := scan(&raw, &answer, &made); err != nil {
			return err
		}
		o, err := parse(raw, answer, made)
		all[o.Control] = o
		return err
	})
	return all, err
}

// orderOf returns the last order of a control; its Number is 0 if there was none.
func orderOf(ctx context.Context, v *act.View, name string) (order, error) {
	var raw, answer string
	var made int64
	found, err := v.Get(ctx, `SELECT raw, answer, made FROM control_order WHERE control = $1`, []any{name}, &raw, &answer, &made)
	if err != nil || !found {
		return order{}, err
	}
	return parse(raw, answer, made)
}

func parse(raw, answer string, made int64) (order, error) {
	o, err := host.ParseOrder([]byte(raw))
	if err != nil {
		return order{}, fmt.Errorf("an order in the database: %w", err)
	}
	return order{Order: o, Raw: []byte(raw), Answer: answer, Made: core.At(made)}, nil
}

func put(ctx context.Context, tx *act.Tx, o host.Order, raw []byte) error {
	_, err := tx.Exec(ctx, `INSERT INTO control_order (control, number, raw, answer, made) VALUES ($1, $2, $3, '', $4)
		ON CONFLICT (control) DO UPDATE SET number = excluded.number, raw = excluded.raw, answer = '', made = excluded.made`,
		o.Control, int64(o.Number), string(raw), tx.Now().UnixMicro()) //nolint:gosec // it counts up from 1
	return err
}

const (
	keep = "keep"
	undo = "undo"
)

func answer(ctx context.Context, tx *act.Tx, name, word string) error {
	_, err := tx.Exec(ctx, `UPDATE control_order SET answer = $1 WHERE control = $2`, word, name)
	return err
}

func orderDigest(ctx context.Context, v *act.View, name string) (string, error) {
	o, err := orderOf(ctx, v, name)
	if err != nil || o.Number == 0 {
		return "", err
	}
	return host.Digest(o.Raw), nil
}

func orderIDs(ctx context.Context, v *act.View) (ids []string, err error) {
	err = v.Each(ctx, `SELECT control FROM control_order ORDER BY control`, nil, func(scan func(...any) error) error {
		var id string
		err := scan(&id)
		ids = append(ids, id)
		return err
	})
	return ids, err
}

const agentID = "agent"

// taken returns how far the journal was taken.
func taken(ctx context.Context, v *act.View) (seq uint64, hash string, err error) {
	var n int64
	_, err = v.Get(ctx, `SELECT seq, hash FROM control_agent WHERE id = $1`, []any{agentID}, &n, &hash)
	return uint64(n), hash, err //nolint:gosec // it counts up from 0
}

func take(ctx context.Context, tx *act.Tx, seq uint64, hash string) error {
	_, err := tx.Exec(ctx, `INSERT INTO control_agent (id, seq, hash) VALUES ($1, $2, $3)
		ON CONFLICT (id) DO UPDATE SET seq = excluded.seq, hash = excluded.hash`, agentID, int64(seq), hash) //nolint:gosec // it counts up from 0
	return err
}

func agentDigest(ctx context.Context, v *act.View, id string) (string, error) {
	seq, hash, err := taken(ctx, v)
	if err != nil || seq == 0 || id != agentID {
		return "", err
	}
	sum := sha256.Sum256(fmt.Appendf(nil, "%d %s", seq, hash))
	return hex.EncodeToString(sum[:]), nil
}

func agentIDs(ctx context.Context, v *act.View) ([]string, error) {
	seq, _, err := taken(ctx, v)
	if err != nil || seq == 0 {
		return nil, err
	}
	return []string{agentID}, nil
}
