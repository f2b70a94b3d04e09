package policy

import (
	"context"
	"net/url"
	"slices"
	"strings"

	"hostward/internal/act"
)

// LastAdopted returns what the file said when it was last put on record.
func LastAdopted(ctx context.Context, v *act.View) (map[string]string, error) {
	all := map[string]string{}
	err := v.Each(ctx, `SELECT name, value FROM policy_value WHERE policy_id = $1`, []any{only}, func(scan func(...any) error) error {
		var name, value string
		err := scan(&name, &value)
		all[name] = value
		return err
	})
	return all, err
}

func write(ctx context.Context, tx *act.Tx, v Value) error {
	_, err := tx.Exec(ctx, `INSERT INTO policy_value (policy_id, name, value) VALUES ($1, $2, $3)
		ON CONFLICT (policy_id, name) DO UPDATE SET value = excluded.value`, only, v.Name, v.Value)
	return err
}

// Wishes returns the values that the file does not say yet.
func Wishes(ctx context.Context, v *act.View) ([]Value, error) {
	var all []Value
	err := v.Each(ctx, `SELECT name, value FROM policy_wish WHERE policy_id = $1`, []any{only}, func(scan func(...any) error) error {
		var w Value
		err := scan(&w.Name, &w.Value)
		all = append(all, w)
		return err
	})
	slices.SortFunc(all, byName) // here, since databases differ in how they sort text
	return all, err
}

func byName(a, b Value) int { return strings.Compare(a.Name, b.Name) }

// fulfil forgets the wishes: the file was written, and what it says counts.
func fulfil(ctx context.Context, tx *act.Tx) (int64, error) {
	return tx.Exec(ctx, `DELETE FROM policy_wish WHERE policy_id = $1`, only)
}

// digest covers adopted values and wishes, in order.
func digest(ctx context.Context, v *act.View, _ string) (string, error) {
	var state struct {
		Values []Value `json:"values"`
		Wishes []Value `json:"wishes"`
	}
	err := v.Each(ctx, `SELECT name, value FROM policy_value WHERE policy_id = $1`, []any{only}, func(scan func(...any) error) error {
		var x Value
		err := scan(&x.Name, &x.Value)
		state.Values = append(state.Values, x)
		return err
	})
	if err != nil {
		return "", err
	}
	slices.SortFunc(state.Values, byName)
	if state.Wishes, err = Wishes(ctx, v); err != nil || len(state.Values)+len(state.Wishes) == 0 {
		return "", err
	}
	return act.DigestOf(state)
}

func ids(ctx context.Context, v *act.View) ([]string, error) {
	d, err := digest(ctx, v, only)
	if d == "" {
		return nil, err
	}
	return []string{only}, err
}

// calls makes the Calls of a page that runs queries without input: name and
// operation in pairs.
func calls(pairs ...string) func(map[string]string, url.Values) map[string]act.Call {
	return func(map[string]string, url.Values) map[string]act.Call {
		all := map[string]act.Call{}
		for i := 0; i < len(pairs); i += 2 {
			all[pairs[i]] = act.Call{Op: pairs[i+1]}
		}
		return all
	}
}
