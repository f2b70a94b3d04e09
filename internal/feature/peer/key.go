package peer

import (
	"context"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// CreateIn is a new key.
type CreateIn struct {
	Name      string      `json:"name" cli:"arg" rule:"required,max=255" doc:"domain name of the key, the same on both sides, such as acme.example.org"`
	Algorithm string      `json:"algorithm" rule:"enum=hmac-sha256|hmac-sha384|hmac-sha512" doc:"left out: hmac-sha256, which every server knows"`
	Secret    core.Secret `json:"secret" form:"password" rule:"max=700" doc:"of a key that is there already, in base64; left out: a new one is made"`
}

// Created is a key that was made. Every face must be able to show the secret this
// once, so it is plain.
type Created struct {
	ID        string `json:"id"`
	Name      string `json:"name"`
	Algorithm string `json:"algorithm"`
	Secret    string `json:"secret"`
	Dig       string `json:"dig"` // behind -y of dig, kdig and nsupdate
	BIND      string `json:"bind"`
	Knot      string `json:"knot"`
	NSD       string `json:"nsd"`
	PowerDNS  string `json:"powerdns"`
}

func created(id string, k transfer.Key) Created {
	text := func(f transfer.Form) string { t := k.Text(f); return t.Reveal() }
	return Created{ID: id, Name: strings.TrimSuffix(string(k.Name), "."), Algorithm: string(k.Algorithm), Secret: k.Secret.Reveal(), Dig: text(transfer.FormDig),
		BIND: text(transfer.FormBIND), Knot: text(transfer.FormKnot), NSD: text(transfer.FormNSD), PowerDNS: text(transfer.FormPowerDNS)}
}

func (p *Peers) createKey() act.Declaration {
	return act.Change[CreateIn, Created]{
		Name: "tsig.create", Doc: "Make a TSIG key for another nameserver, or for a program that updates zones.", Class: class,
		Roles: act.Hosted, Must: []string{"tsig.created"}, Reveals: true, Wakes: []string{wakes}, Serves: serves(),
		Sample: CreateIn{Name: "acme.example.org"}, Target: target[CreateIn],
		Run: func(ctx context.Context, tx *act.Tx, in CreateIn) (Created, error) {
			name, err := p.keyName(ctx, &tx.View, in.Name)
			if err != nil {
				return Created{}, err
			}
			k := transfer.Key{Name: name, Algorithm: transfer.Algorithm(in.Algorithm), Secret: in.Secret}
			if in.Algorithm == "" {
				k.Algorithm = transfer.SHA256
			}
			if in.Secret.Empty() {
				if k, err = p.ports.NewKey(name, k.Algorithm); err != nil {
					return Created{}, err
				}
			}
			if err := k.Validate(); err != nil {
				return Created{}, err
			}
			if err := free(ctx, &tx.View, name); err != nil {
				return Created{}, err
			}
			r := key{ID: core.NewID("k"), Name: name, Algorithm: string(k.Algorithm), Owner: tx.Actor().Tenant, Made: tx.Now().UnixMicro()}
			if r.Sealed, err = p.ports.Seal(ctx, k); err != nil {
				return Created{}, err
			}
			if err := insertKey(ctx, tx, r); err != nil {
				return Created{}, err
			}
			return created(r.ID, k), tx.Record(ctx, "tsig.created", r.ref(),
				act.Field{Name: "name", New: ptr(string(name))}, act.Field{Name: "algorithm", New: ptr(r.Algorithm)}, act.Field{Name: "secret", Secret: true})
		},
	}
}

// keyName reads the name of a key. Who is no administrator names it below a zone of
// his own.
func (p *Peers) keyName(ctx context.Context, v *act.View, text string) (rr.Name, error) {
	name, err := rr.ParseName(strings.TrimSpace(text), ".")
	if err != nil || name == "." {
		return "", core.Faults{{Field: "name", Value: text, Accepted: "a domain name such as acme.example.org"}}.Err()
	}
	if v.Actor().Role&(act.Admins|act.System) != 0 {
		return name, nil
	}
	for at := name; at != "."; at = at.Parent() {
		z, err := p.ports.Zone(ctx, v, string(at))
		if core.CodeOf(err) == core.NotFound {
			continue
		}
		if err != nil {
			return "", err
		}
		if ok, err := p.ports.Reaches(ctx, v, z.Owner); err != nil || ok {
			return name, err
		}
		break
	}
	return "", core.Faults{{Field: "name", Value: text, Accepted: "a name below one of your zones"}}.Err()
}

// KeyIn names a key.
type KeyIn struct {
	Key string `json:"key" cli:"arg" rule:"required,max=255" doc:"name or id of the key"`
}

// Nothing is an output without fields.
type Nothing struct{}

func (p *Peers) deleteKey() act.Declaration {
	return act.Change[KeyIn, Nothing]{
		Name: "tsig.delete", Doc: "Delete a TSIG key: nothing it signs is accepted any more.", Class: class,
		Roles: act.Hosted, Must: []string{"tsig.deleted"}, Confirm: true, Wakes: []string{wakes}, Serves: serves(),
		Sample: KeyIn{Key: "acme.example.org"}, Target: keyTarget,
		Run: func(ctx context.Context, tx *act.Tx, in KeyIn) (Nothing, error) {
			k, err := keyOf(ctx, &tx.View, in.Key)
			if err != nil {
				return Nothing{}, err
			}
			used, err := usedBy(ctx, &tx.View, k.ID)
			if err != nil {
				return Nothing{}, err
			}
			if len(used) > 0 {
				return Nothing{}, core.Errorf(core.Conflict, "the key is that of %s: remove that first", strings.Join(used, ", "))
			}
			if err := dropKey(ctx, tx, k.ID); err != nil {
				return Nothing{}, err
			}
			return Nothing{}, tx.Record(ctx, "tsig.deleted", k.ref(), act.Field{Name: "name", Old: ptr(string(k.Name))})
		},
	}
}

func keyTarget(ctx context.Context, v *act.View, in *KeyIn) (core.Ref, error) {
	k, err := keyOf(ctx, v, in.Key)
	return k.ref(), err
}

// Key is a key as faces show it.
type Key struct {
	ID        string    `json:"id"`
	Name      string    `json:"name"`
	Algorithm string    `json:"algorithm"`
	Owner     string    `json:"owner"`
	Made      time.Time `json:"made"`
	Rules     []Rule    `json:"rules,omitempty"`
	Servers   []string  `json:"servers,omitempty"` // that use it
}

// Rule is what a key may change in a zone.
type Rule struct {
	Zone  string   `json:"zone"` // name
	ID    string   `json:"zone_id"`
	Match string   `json:"match"`
	Name  string   `json:"name"`
	Types []string `json:"types,omitempty"`
}

// KeyList is the output of tsig.list.
type KeyList struct {
	Keys []Key `json:"keys"`
}

func (p *Peers) listKeys() act.Declaration {
	return act.Query[Nothing, KeyList]{
		Name: "tsig.list", Doc: "List TSIG keys, without their secrets.", Class: class, Roles: act.Readers, Serves: serves(), Sample: Nothing{}, Target: target[Nothing],
		Run: func(ctx context.Context, v *act.View, _ Nothing) (KeyList, error) {
			owners, err := p.scope(ctx, v)
			if err != nil {
				return KeyList{}, err
			}
			return p.keysOf(ctx, v, owners)
		},
	}
}

// scope is whose keys the caller sees; nil: everybody's.
func (p *Peers) scope(ctx context.Context, v *act.View) ([]string, error) {
	me := v.Actor()
	if me.Role&(act.Admins|act.Auditor|act.System) != 0 {
		return nil, nil
	}
	below, err := p.ports.Below(ctx, v, me.Tenant)
	return append(below, me.Tenant), err
}

func (p *Peers) keysOf(ctx context.Context, v *act.View, owners []string) (KeyList, error) {
	rows, err := keys(ctx, v)
	out := KeyList{Keys: []Key{}}
	for _, k := range rows {
		if err != nil {
			return out, err
		}
		if owners != nil && !slices.Contains(owners, k.Owner) {
			continue
		}
		shown := Key{ID: k.ID, Name: strings.TrimSuffix(string(k.Name), "."), Algorithm: k.Algorithm, Owner: k.Owner, Made: core.At(k.Made)}
		if shown.Servers, err = usedBy(ctx, v, k.ID); err != nil {
			return out, err
		}
		shown.Rules, err = p.rulesOf(ctx, v, k.ID)
		out.Keys = append(out.Keys, shown)
	}
	return out, err
}

func (p *Peers) rulesOf(ctx context.Context, v *act.View, id string) (out []Rule, err error) {
	list, err := rules(ctx, v, id)
	for _, r := range list {
		if err != nil {
			return out, err
		}
		z, err := p.ports.Zone(ctx, v, r.Zone)
		if core.CodeOf(err) == core.NotFound {
			continue // it is deleted
		}
		if err != nil {
			return out, err
		}
		out = append(out, Rule{Zone: strings.TrimSuffix(string(z.Name), "."), ID: z.ID, Match: r.Match, Name: string(r.Name), Types: strings.Fields(r.Types)})
	}
	return out, err
}

// AllowIn lets a key change part of a zone.
type AllowIn struct {
	Key   string   `json:"key" cli:"arg" rule:"required,max=255" doc:"name or id of the key"`
	Zone  string   `json:"zone" cli:"arg" rule:"required,max=1020" doc:"name or id of the zone"`
	Match string   `json:"match" rule:"enum=exactly|subtree|wildcard" doc:"exactly: this name; subtree: it and all below; wildcard: everything one or more labels below; left out: subtree"`
	Name  string   `json:"name" rule:"max=1020" doc:"name in the zone, such as _acme-challenge; left out: the zone itself"`
	Types []string `json:"types" rule:"max=50" doc:"record types such as TXT; left out: all but SOA, NS and DS"`
}

func (p *Peers) allow() act.Declaration {
	return act.Change[AllowIn, Rule]{
		Name: "tsig.allow", Doc: "Let a TSIG key change names of a zone by dynamic update.", Class: class,
		Roles: act.Hosted, Must: []string{"tsig.allowed"}, Wakes: []string{wakes}, Serves: serves(),
		Sample: AllowIn{Key: "acme.example.org", Zone: "example.org", Match: "subtree", Name: "_acme-challenge", Types: []string{"TXT"}},
		Target: func(ctx context.Context, v *act.View, in *AllowIn) (core.Ref, error) {
			z, err := p.ports.Zone(ctx, v, in.Zone)
			return core.Ref{Kind: "zone", ID: z.ID}, err
		},
		Run: func(ctx context.Context, tx *act.Tx, in AllowIn) (Rule, error) {
			k, err := p.ownKey(ctx, &tx.View, in.Key)
			if err != nil {
				return Rule{}, err
			}
			z, err := p.ports.Zone(ctx, &tx.View, in.Zone)
			if err != nil {
				return Rule{}, err
			}
			r, err := in.rule(z)
			if err != nil {
				return Rule{}, err
			}
			if err := writeRule(ctx, tx, k.ID, r); err != nil {
				return Rule{}, err
			}
			shown := Rule{Zone: strings.TrimSuffix(string(z.Name), "."), ID: z.ID, Match: r.Match, Name: string(r.Name), Types: strings.Fields(r.Types)}
			return shown, tx.Record(ctx, "tsig.allowed", k.ref(), act.Field{Name: "zone", New: ptr(string(z.Name))},
				act.Field{Name: "names", New: ptr(r.Match + " " + string(r.Name))}, act.Field{Name: "types", New: ptr(r.Types)})
		},
	}
}

// ownKey returns a key of a tenant that the caller acts for; another one is as
// absent.
func (p *Peers) ownKey(ctx context.Context, v *act.View, text string) (key, error) {
	k, err := keyOf(ctx, v, text)
	if err != nil {
		return k, err
	}
	ok, err := p.ports.Reaches(ctx, v, k.Owner)
	if err == nil && !ok {
		err = core.Errorf(core.NotFound, "there is no TSIG key %.80q", text)
	}
	return k, err
}

func (in AllowIn) rule(z Zone) (rule, error) {
	r := rule{Zone: z.ID, Match: in.Match, Name: z.Name}
	if r.Match == "" {
		r.Match = string(transfer.Subtree)
	}
	var faults core.Faults
	if text := strings.TrimSpace(in.Name); text != "" {
		name, err := rr.ParseName(text, z.Name)
		if full, ferr := rr.ParseName(text, "."); err == nil && ferr == nil && full.Under(z.Name) {
			name = full
		}
		if err != nil || !name.Under(z.Name) {
			faults.Add("name", in.Name, "a name in the zone")
		}
		r.Name = name
	}
	if r.Match == string(transfer.Wildcard) && !r.Name.Wildcard() {
		r.Name = "*." + r.Name
	}
	var types []string
	for i, t := range in.Types {
		code, ok := rr.TypeCode(strings.TrimSpace(t))
		if !ok {
			faults.Add("types", in.Types[i], "a record type such as TXT")
			continue
		}
		types = append(types, rr.TypeName(code))
	}
	slices.Sort(types)
	r.Types = strings.Join(slices.Compact(types), " ")
	return r, faults.Err()
}

// ForbidIn takes what a key may do in a zone back.
type ForbidIn struct {
	Key  string `json:"key" cli:"arg" rule:"required,max=255" doc:"name or id of the key"`
	Zone string `json:"zone" cli:"arg" rule:"required,max=1020" doc:"name or id of the zone"`
}

func (p *Peers) forbid() act.Declaration {
	return act.Change[ForbidIn, Nothing]{
		Name: "tsig.forbid", Doc: "Let a TSIG key change nothing of a zone any more.", Class: class,
		Roles: act.Hosted, May: []string{"tsig.forbidden"}, Wakes: []string{wakes}, Serves: serves(),
		Sample: ForbidIn{Key: "acme.example.org", Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *ForbidIn) (core.Ref, error) {
			z, err := p.ports.Zone(ctx, v, in.Zone)
			return core.Ref{Kind: "zone", ID: z.ID}, err
		},
		Run: func(ctx context.Context, tx *act.Tx, in ForbidIn) (Nothing, error) {
			k, err := p.ownKey(ctx, &tx.View, in.Key)
			if err != nil {
				return Nothing{}, err
			}
			z, err := p.ports.Zone(ctx, &tx.View, in.Zone)
			if err != nil {
				return Nothing{}, err
			}
			n, err := tx.Exec(ctx, `DELETE FROM peer_rule WHERE key_id = $1 AND zone_id = $2`, k.ID, z.ID)
			if err != nil || n == 0 {
				return Nothing{}, err
			}
			return Nothing{}, tx.Record(ctx, "tsig.forbidden", k.ref(), act.Field{Name: "zone", Old: ptr(string(z.Name))})
		},
	}
}
