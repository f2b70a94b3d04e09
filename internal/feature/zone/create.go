package zone

import (
	"context"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// CreateIn is a new zone.
type CreateIn struct {
	Name        string   `json:"name" doc:"domain name of the zone, such as example.org" rule:"required,max=1020" cli:"arg"`
	Owner       string   `json:"owner" doc:"customer or reseller who will own it, by log-in name or id; left out: you" rule:"max=254"`
	Nameservers []string `json:"nameservers" doc:"names of its nameservers; left out: those of this server" rule:"max=13"`
}

func (z *Zones) create() act.Declaration {
	return act.Change[CreateIn, Changed]{
		Name: "zone.create", Doc: "Create a zone with SOA and NS records.", Class: class,
		Roles: act.Hosted, Must: []string{"zone.created"}, May: []string{signed}, Wakes: []string{nameserver, signer}, Serves: serves(),
		Sample: CreateIn{Name: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *CreateIn) (core.Ref, error) {
			return z.account(ctx, v, &in.Owner)
		},
		Run: func(ctx context.Context, tx *act.Tx, in CreateIn) (Changed, error) {
			name, err := apexName(in.Name)
			if err != nil {
				return Changed{}, misnamed("name", in.Name, err)
			}
			begun, err := z.begin(ctx, tx, name, in)
			if err != nil {
				return Changed{}, err
			}
			return z.found(ctx, tx, "zone.create", name, in.Owner, begun, "zone.created")
		},
	}
}

// misnamed is the fault of a field that should hold a name.
func misnamed(field, value string, err error) error {
	return core.Faults{{Field: field, Value: value, Accepted: core.AsError(err).Sentence()}}.Err()
}

// account finds the tenant that will own a new zone, the actor's own by
// default, and makes its id of the text in owner.
func (z *Zones) account(ctx context.Context, v *act.View, owner *string) (core.Ref, error) {
	if *owner == "" {
		*owner = v.Actor().Tenant
	}
	if *owner != core.Provider {
		id, err := z.ports.Tenant(ctx, v, *owner)
		if err != nil {
			return core.Ref{}, err
		}
		*owner = id
	}
	if *owner == v.Actor().Tenant {
		return core.Ref{}, nil // one's own tenant needs no further right
	}
	if *owner == core.Provider {
		return core.Ref{}, core.Errorf(core.NotFound, "there is no customer %q", *owner)
	}
	return core.Ref{Kind: "account", ID: *owner}, nil
}

// begin returns the RRsets that a new zone has: SOA and NS.
func (z *Zones) begin(ctx context.Context, tx *act.Tx, name rr.Name, in CreateIn) ([]rr.RRset, error) {
	t, err := z.template(ctx, &tx.View, name, in.Owner)
	if err != nil {
		return nil, err
	}
	if len(in.Nameservers) > 0 {
		t.Servers = in.Nameservers
	}
	servers, err := hosts(t.Servers)
	if err != nil {
		return nil, err
	}
	mailbox, err := zoneName(t.Mailbox)
	if err != nil {
		return nil, err
	}
	return canonicalSets([]rr.RRset{
		{Name: name, Type: "SOA", TTL: t.TTL, Data: []string{soa(servers[0], mailbox, tx.Now()).String()}},
		{Name: name, Type: "NS", TTL: t.TTL, Data: texts(servers)},
	}), nil
}

func canonicalSets(all []rr.RRset) []rr.RRset {
	for i, s := range all {
		all[i] = canonical(s)
	}
	return all
}

// soa is the SOA record of a new zone: secondaries are told of changes, so
// refresh only catches what was lost; expire outlives holidays (RFC 1912 2.2,
// RIPE-203 for its proportions); negative answers are kept for 15 minutes.
func soa(primary, mailbox rr.Name, now time.Time) rr.SOA {
	const longAgo = 1990010100
	return rr.SOA{Primary: primary, Mailbox: mailbox, Serial: rr.SerialNext(longAgo, now),
		Refresh: 14400, Retry: 3600, Expire: 1209600, Minimum: 900}
}

// hosts reads the names of nameservers; a final dot may be left out.
func hosts(list []string) ([]rr.Name, error) {
	var out []rr.Name
	for _, text := range list {
		name, err := zoneName(text)
		if err != nil {
			return nil, misnamed("nameservers", text, err)
		}
		out = append(out, name)
	}
	return out, nil
}

func texts(names []rr.Name) []string {
	var out []string
	for _, n := range names {
		out = append(out, string(n))
	}
	return out
}

// found makes a zone of RRsets as its version 1 and records it.
func (z *Zones) found(ctx context.Context, tx *act.Tx, action string, name rr.Name, owner string, all []rr.RRset, event string, more ...act.Field) (Changed, error) {
	if err := z.claim(ctx, &tx.View, name, owner); err != nil {
		return Changed{}, err
	}
	faults, warnings := rr.Validate(all, name)
	if len(faults) > 0 {
		return Changed{}, &core.Error{Code: core.Invalid, Public: "the zone would not be valid", Faults: faults}
	}
	d, err := newDraft(name, all)
	if err != nil {
		return Changed{}, err
	}
	r, err := insert(ctx, tx, action, name, owner, d)
	if err != nil {
		return Changed{}, err
	}
	fields := append(r.fields(), more...)
	for _, c := range d.changes {
		_, f := field(c)
		fields = append(fields, f)
	}
	if err := tx.Record(ctx, event, r.ref(), fields...); err != nil {
		return Changed{}, err
	}
	return r.made(warnings), z.signNew(ctx, tx, r)
}

// draft is a whole zone, worked out: for a large one that takes longer than
// the writer should wait, so an import does it before.
type draft struct {
	sets    []rr.RRset
	changes []rr.Change // from nothing
	text    string      // of the first version
	rest    rr.Accumulator
	soa     rr.RRset // not in rest, since its serial may move
}

func newDraft(name rr.Name, all []rr.RRset) (d draft, err error) {
	if err := tooLarge(name, len(all)); err != nil {
		return d, err
	}
	d.sets, d.changes = all, rr.Diff(nil, all)
	for _, s := range all {
		if s.Type == "SOA" {
			d.soa = s
			continue
		}
		d.rest.Add(s)
	}
	d.text, err = deltas(d.changes)
	return d, err
}

// sum is that of all RRsets, with this SOA.
func (d draft) sum(soa rr.RRset) *rr.Accumulator {
	sum := d.rest
	sum.Add(soa)
	return &sum
}

// insert writes a new zone.
func insert(ctx context.Context, tx *act.Tx, action string, name rr.Name, owner string, d draft) (row, error) {
	soa, _ := rr.ParseSOA(d.soa.Data[0])
	r := row{ID: core.NewID("z"), Name: name, Owner: owner, Serial: soa.Serial, Generation: firstGeneration, Created: tx.Now().UnixMicro()}
	r.recount(d.changes)
	s := sums{Sets: *d.sum(d.soa)}
	if err := s.advance(ctx, tx, &r, action, d.changes, d.text); err != nil {
		return r, err
	}
	if err := insertZone(ctx, tx, r, s); err != nil {
		return r, err
	}
	return r, writeAll(ctx, tx, r, d.changes)
}

// fields says what a new zone is.
func (r row) fields() []act.Field {
	return []act.Field{
		{Name: "name", New: ptr(string(r.Name))},
		{Name: "owner", New: ptr(r.Owner)},
		{Name: "serial", New: ptr(number(r.Serial))},
	}
}

// claim refuses a name that is taken, and one above or below a zone of
// somebody else: who serves sub.example.org takes a part of example.org away
// from whom it belongs to. Administrators may, and whoever acts for both.
func (z *Zones) claim(ctx context.Context, v *act.View, name rr.Name, owner string) error {
	if _, taken, err := byName(ctx, v, name); err != nil || taken {
		if err == nil {
			err = core.Errorf(core.Conflict, "the name %s is taken on this server", shown(name))
		}
		return err
	}
	if v.Actor().Role&(act.Admins|act.System) != 0 {
		return nil
	}
	if name.Labels() < 2 {
		return core.Faults{{Field: "name", Value: shown(name), Accepted: "a name of at least two labels such as example.org; a whole top-level domain is for administrators"}}.Err()
	}
	return z.unrelated(ctx, v, name, owner)
}

func (z *Zones) unrelated(ctx context.Context, v *act.View, name rr.Name, owner string) error {
	owners, err := relatives(ctx, v, name)
	if err != nil {
		return err
	}
	for _, other := range owners {
		if ok, err := z.actsFor(ctx, v, other); err != nil {
			return err
		} else if other != owner && !ok {
			return core.Errorf(core.Denied, "%s is refused: a zone above or below this name belongs to somebody else; an administrator can create it", shown(name))
		}
	}
	return nil
}

// relatives returns who owns the live zones above and below a name.
func relatives(ctx context.Context, v *act.View, name rr.Name) ([]string, error) {
	var owners []string
	for up := name.Parent(); up != "."; up = up.Parent() {
		r, found, err := byName(ctx, v, up)
		if err != nil {
			return nil, err
		}
		if found {
			owners = append(owners, r.Owner)
		}
	}
	from := place(name)
	to := strings.TrimSuffix(from, " ") + "!" // the character after the blank
	const q = `SELECT DISTINCT owner FROM zone_zone WHERE deleted = 0 AND place > $1 AND place < $2`
	err := v.Each(ctx, q, []any{from, to}, func(scan func(dest ...any) error) error {
		var owner string
		err := scan(&owner)
		owners = append(owners, owner)
		return err
	})
	return owners, err
}
