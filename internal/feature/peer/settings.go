package peer

import (
	"context"
	"net/netip"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// SealedKey is a key with its secret as the keeper sealed it, in base64.
type SealedKey struct {
	Name      rr.Name
	Algorithm transfer.Algorithm
	Sealed    string
}

// Neighbour is a server as the nameserver is told of it.
type Neighbour struct {
	Name    string
	Sources []netip.Prefix
	Told    []netip.AddrPort
	Key     rr.Name // "": none
	Zones   []rr.Name
}

// Settings are what the nameserver is to be told: every key, every server, and
// whether any key may update a zone.
type Settings struct {
	Keys    []SealedKey
	Servers []Neighbour
	Updates bool
}

// Settings reads them.
func (p *Peers) Settings(ctx context.Context, v *act.View) (out Settings, err error) {
	list, err := keys(ctx, v)
	if err != nil {
		return out, err
	}
	names := map[string]rr.Name{}
	for _, k := range list {
		names[k.ID] = k.Name
		out.Keys = append(out.Keys, SealedKey{k.Name, transfer.Algorithm(k.Algorithm), k.Sealed})
	}
	rows, err := servers(ctx, v)
	if err != nil {
		return out, err
	}
	for _, s := range rows {
		n, err := s.neighbour(names)
		if err != nil {
			return out, err
		}
		out.Servers = append(out.Servers, n)
	}
	out.Updates, err = v.Get(ctx, `SELECT 1 FROM peer_rule LIMIT 1`, nil, new(int))
	return out, err
}

func (s server) neighbour(names map[string]rr.Name) (Neighbour, error) {
	out := Neighbour{Name: s.Name, Key: names[s.Key]}
	for text := range strings.FieldsSeq(s.Sources) {
		n, err := network(text)
		if err != nil {
			return out, err
		}
		out.Sources = append(out.Sources, n)
	}
	for text := range strings.FieldsSeq(s.Told) {
		at, err := netip.ParseAddrPort(text)
		if err != nil {
			return out, err
		}
		out.Told = append(out.Told, at)
	}
	for text := range strings.FieldsSeq(s.Zones) {
		out.Zones = append(out.Zones, rr.Name(text))
	}
	return out, nil
}

// MayUse reports whether the caller may have something signed with a key.
func (p *Peers) MayUse(ctx context.Context, v *act.View, name rr.Name) (bool, error) {
	_, err := p.ownKey(ctx, v, string(name))
	return err == nil, core.UnlessNotFound(err)
}

// Policy returns what a key may change in a zone.
func (p *Peers) Policy(ctx context.Context, v *act.View, name rr.Name, zone string) (transfer.Policy, error) {
	k, err := keyOf(ctx, v, string(name))
	if err != nil {
		return nil, core.UnlessNotFound(err)
	}
	list, err := rules(ctx, v, k.ID)
	var out transfer.Policy
	for _, r := range list {
		if r.Zone == zone {
			out = append(out, transfer.Rule{Key: k.Name, Match: transfer.Match(r.Match), Name: r.Name, Types: strings.Fields(r.Types)})
		}
	}
	return out, err
}

// ResealIn is what the keeper sealed again.
type ResealIn struct {
	Key string `json:"key" rule:"required,max=40" doc:"id of the key"`
	Was string `json:"was" rule:"required,max=2000" doc:"as it was sealed, base64"`
	Now string `json:"now" rule:"required,max=2000" doc:"as it is sealed now, base64"`
}

func (p *Peers) resealKeys() act.Change[ResealIn, Nothing] {
	return act.Change[ResealIn, Nothing]{
		Name: "tsig.reseal", Doc: "Keep the secret of a TSIG key that was sealed again under a new key.", Class: class, Roles: act.System,
		May: []string{"tsig.resealed"}, Serves: serves(), Sample: ResealIn{Key: "k_0123456789abcdefghjkmnpqrs", Was: "AA==", Now: "AA=="},
		Target: func(_ context.Context, _ *act.View, in *ResealIn) (core.Ref, error) {
			return core.Ref{Kind: "tsig", ID: in.Key}, nil
		},
		Run: func(ctx context.Context, tx *act.Tx, in ResealIn) (Nothing, error) {
			n, err := tx.Exec(ctx, `UPDATE peer_key SET sealed = $3 WHERE id = $1 AND sealed = $2`, in.Key, in.Was, in.Now)
			if err != nil || n == 0 {
				return Nothing{}, err
			}
			return Nothing{}, tx.Record(ctx, "tsig.resealed", core.Ref{Kind: "tsig", ID: in.Key}, act.Field{Name: "secret", Secret: true})
		},
	}
}

// Reseal seals every secret again and returns how many there are.
func (p *Peers) Reseal(ctx context.Context, b *act.Bus, seal func(ctx context.Context, name rr.Name, sealed string) (string, error)) (int, error) {
	var list []key
	err := b.Look(ctx, "reseal", func(v *act.View) (err error) {
		list, err = keys(ctx, v)
		return err
	})
	for _, k := range list {
		if err != nil {
			return 0, err
		}
		var now string
		if now, err = seal(ctx, k.Name, k.Sealed); err == nil {
			_, _, err = p.resealKeys().Call(ctx, b, act.SystemActor("reseal"), ResealIn{Key: k.ID, Was: k.Sealed, Now: now})
		}
	}
	return len(list), err
}

// Holds says in words what a tenant owns here, or "".
func (p *Peers) Holds(ctx context.Context, v *act.View, tenant string) (string, error) {
	found, err := v.Get(ctx, `SELECT 1 FROM peer_key WHERE owner = $1 LIMIT 1`, []any{tenant}, new(int))
	if err != nil || !found {
		return "", err
	}
	return "TSIG keys", nil
}
