package peer

import (
	"context"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// key is a TSIG key as it is stored.
type key struct {
	ID        string  `json:"id"`
	Name      rr.Name `json:"name"`
	Algorithm string  `json:"algorithm"`
	Owner     string  `json:"owner"`
	Sealed    string  `json:"sealed"`
	Made      int64   `json:"made"`
}

func (k key) ref() core.Ref { return core.Ref{Kind: "tsig", ID: k.ID} }

// rule is what a key may change.
type rule struct {
	Zone  string  `json:"zone"` // id
	Match string  `json:"match"`
	Name  rr.Name `json:"name"`
	Types string  `json:"types"`
}

// server is another nameserver.
type server struct {
	ID      string `json:"id" log:"-"`
	Name    string `json:"name"`
	Sources string `json:"addresses"`
	Told    string `json:"notify"`
	Key     string `json:"key"` // id
	Zones   string `json:"zones"`
	Made    int64  `json:"made" log:"-"`
}

func (s server) ref() core.Ref { return core.Ref{Kind: "peer", ID: s.ID} }

// keys returns every key, ordered by name.
func keys(ctx context.Context, v *act.View) (out []key, err error) {
	err = v.Each(ctx, `SELECT id, name, algorithm, owner, sealed, made FROM peer_key ORDER BY name`, nil, func(scan func(dest ...any) error) error {
		var k key
		err := scan(&k.ID, &k.Name, &k.Algorithm, &k.Owner, &k.Sealed, &k.Made)
		out = append(out, k)
		return err
	})
	return out, err
}

func keyNames(ctx context.Context, v *act.View) (map[string]rr.Name, error) {
	list, err := keys(ctx, v)
	out := map[string]rr.Name{}
	for _, k := range list {
		out[k.ID] = k.Name
	}
	return out, err
}

// keyOf returns the key that text names, by id or by name.
func keyOf(ctx context.Context, v *act.View, text string) (k key, err error) {
	name, nameErr := rr.ParseName(text, ".")
	if nameErr != nil {
		name = ""
	}
	found, err := v.Get(ctx, `SELECT id, name, algorithm, owner, sealed, made FROM peer_key WHERE id = $1 OR name = $2`, []any{text, string(name)},
		&k.ID, &k.Name, &k.Algorithm, &k.Owner, &k.Sealed, &k.Made)
	if err == nil && !found {
		err = core.Errorf(core.NotFound, "there is no TSIG key %.80q", text)
	}
	return k, err
}

// free refuses a name that is taken.
func free(ctx context.Context, v *act.View, name rr.Name) error {
	_, err := keyOf(ctx, v, string(name))
	if err == nil {
		return core.Errorf(core.Conflict, "the name %s is that of a key already", name)
	}
	return core.UnlessNotFound(err)
}

func insertKey(ctx context.Context, tx *act.Tx, k key) error {
	_, err := tx.Exec(ctx, `INSERT INTO peer_key (id, name, algorithm, owner, sealed, made) VALUES ($1, $2, $3, $4, $5, $6)`,
		k.ID, string(k.Name), k.Algorithm, k.Owner, k.Sealed, k.Made)
	return err
}

func dropKey(ctx context.Context, tx *act.Tx, id string) error {
	if _, err := tx.Exec(ctx, `DELETE FROM peer_rule WHERE key_id = $1`, id); err != nil {
		return err
	}
	_, err := tx.Exec(ctx, `DELETE FROM peer_key WHERE id = $1`, id)
	return err
}

func rules(ctx context.Context, v *act.View, id string) (out []rule, err error) {
	err = v.Each(ctx, `SELECT zone_id, match, name, types FROM peer_rule WHERE key_id = $1 ORDER BY zone_id, match, name`, []any{id}, func(scan func(dest ...any) error) error {
		var r rule
		err := scan(&r.Zone, &r.Match, &r.Name, &r.Types)
		out = append(out, r)
		return err
	})
	return out, err
}

func writeRule(ctx context.Context, tx *act.Tx, id string, r rule) error {
	_, err := tx.Exec(ctx, `INSERT INTO peer_rule (key_id, zone_id, match, name, types) VALUES ($1, $2, $3, $4, $5)
		ON CONFLICT (key_id, zone_id, match, name) DO UPDATE SET types = excluded.types`, id, r.Zone, r.Match, string(r.Name), r.Types)
	return err
}

func keyOwner(ctx context.Context, v *act.View, id string) (string, error) {
	k, err := keyOf(ctx, v, id)
	return k.Owner, err
}

// keyState is what the digest of a key covers.
type keyState struct {
	key
	Rules []rule `json:"rules"`
}

func keyDigest(ctx context.Context, v *act.View, id string) (string, error) {
	k, err := keyOf(ctx, v, id)
	if err != nil {
		return "", core.UnlessNotFound(err)
	}
	list, err := rules(ctx, v, id)
	if err != nil {
		return "", err
	}
	return act.DigestOf(keyState{k, list})
}

func keyIDs(ctx context.Context, v *act.View) (ids []string, err error) {
	list, err := keys(ctx, v)
	for _, k := range list {
		ids = append(ids, k.ID)
	}
	return ids, err
}

// servers returns every server, ordered by name.
func servers(ctx context.Context, v *act.View) (out []server, err error) {
	err = v.Each(ctx, `SELECT id, name, sources, told, key_id, zones, made FROM peer_server ORDER BY name`, nil, func(scan func(dest ...any) error) error {
		var s server
		err := scan(&s.ID, &s.Name, &s.Sources, &s.Told, &s.Key, &s.Zones, &s.Made)
		out = append(out, s)
		return err
	})
	return out, err
}

// serverOf returns the server that text names, by id or by name.
func serverOf(ctx context.Context, v *act.View, text string) (s server, err error) {
	found, err := v.Get(ctx, `SELECT id, name, sources, told, key_id, zones, made FROM peer_server WHERE id = $1 OR name = $1`, []any{text},
		&s.ID, &s.Name, &s.Sources, &s.Told, &s.Key, &s.Zones, &s.Made)
	if err == nil && !found {
		err = core.Errorf(core.NotFound, "there is no nameserver %.80q", text)
	}
	return s, err
}

func freeServer(ctx context.Context, v *act.View, name string) error {
	if name == "" {
		return core.Faults{{Field: "name", Accepted: "what you call it"}}.Err()
	}
	_, err := serverOf(ctx, v, name)
	if err == nil {
		return core.Errorf(core.Conflict, "a nameserver is called %s already", name)
	}
	return core.UnlessNotFound(err)
}

func insertServer(ctx context.Context, tx *act.Tx, s server) error {
	_, err := tx.Exec(ctx, `INSERT INTO peer_server (id, name, sources, told, key_id, zones, made) VALUES ($1, $2, $3, $4, $5, $6, $7)`,
		s.ID, s.Name, s.Sources, s.Told, s.Key, s.Zones, s.Made)
	return err
}

// usedBy returns the names of the servers that use a key.
func usedBy(ctx context.Context, v *act.View, id string) (names []string, err error) {
	list, err := servers(ctx, v)
	for _, s := range list {
		if s.Key == id {
			names = append(names, s.Name)
		}
	}
	return names, err
}

func serverDigest(ctx context.Context, v *act.View, id string) (string, error) {
	s, err := serverOf(ctx, v, id)
	if err != nil {
		return "", core.UnlessNotFound(err)
	}
	return act.DigestOf(s)
}

func serverIDs(ctx context.Context, v *act.View) (ids []string, err error) {
	list, err := servers(ctx, v)
	for _, s := range list {
		ids = append(ids, s.ID)
	}
	return ids, err
}
