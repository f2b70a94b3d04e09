package zone

import (
	"context"
	"net/netip"
	"slices"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/transfer"
)

// Primary is where a zone is fetched from.
type Primary struct {
	Addresses []netip.AddrPort // the preferred one first
	Key       rr.Name          // of the TSIG key; "": none
}

// follows is where a zone is fed from, as it is stored.
type follows struct {
	Primaries string
	Key       string
	Lists     bool   // it is a catalog
	Catalog   string // id of the catalog that lists it; "": none
	Label     string // under which it stands there
}

func (f follows) there() bool { return f.Primaries != "" }

func (f follows) primary() (p Primary) {
	for text := range strings.FieldsSeq(f.Primaries) {
		if at, err := netip.ParseAddrPort(text); err == nil {
			p.Addresses = append(p.Addresses, at)
		}
	}
	p.Key = rr.Name(f.Key)
	return p
}

func primaryOf(ctx context.Context, v *act.View, id string) (f follows, err error) {
	var lists int64
	_, err = v.Get(ctx, `SELECT primaries, tsig, lists, catalog, label FROM zone_primary WHERE zone_id = $1`, []any{id}, &f.Primaries, &f.Key, &lists, &f.Catalog, &f.Label)
	f.Lists = lists == 1
	return f, err
}

// lines are what the digest of the zone covers of it.
func (f follows) lines() (out []string) {
	if f.there() {
		out = append(out, "follows", f.Primaries, f.Key)
	}
	if f.Lists {
		out = append(out, "lists")
	}
	if f.Catalog != "" {
		out = append(out, "catalog", f.Catalog, f.Label)
	}
	return out
}

// FetchIn says which zone is elsewhere, and where.
type FetchIn struct {
	Name      string   `json:"name" doc:"domain name of the zone" rule:"required,max=1020" cli:"arg"`
	Primaries []string `json:"primaries" doc:"addresses of its nameservers, the preferred one first, with a port if it is not 53" rule:"required,max=8" cli:"arg"`
	Key       string   `json:"key" doc:"name of the TSIG key with which they let it go" rule:"max=255"`
	Owner     string   `json:"owner" doc:"customer or reseller who will own it, by log-in name or id; left out: you" rule:"max=254"`
	Follow    bool     `json:"follow" doc:"stay a secondary of them: the zone follows every change there, and is not edited here"`
	Catalog   bool     `json:"catalog" doc:"it is a catalog zone (RFC 9432): follow every zone that it lists too, and drop those it lists no more; for administrators, and with follow"`

	parsed  *parsed
	follows follows
}

// fetchFrom imports a zone by transfer (AXFR), once or for good.
func (z *Zones) fetchFrom() act.Declaration {
	return act.Change[FetchIn, Changed]{
		Name: "zone.fetch", Doc: "Take a zone over from another nameserver (AXFR), once, or as a secondary for good.", Class: class,
		Roles: act.Hosted, Must: []string{"zone.fetched"}, May: []string{signed}, Wakes: []string{nameserver, signer, secondary, neighbours}, Serves: serves(),
		Sample: FetchIn{Name: "example.org", Primaries: []string{"192.0.2.53"}},
		Target: func(ctx context.Context, v *act.View, in *FetchIn) (core.Ref, error) {
			return z.account(ctx, v, &in.Owner)
		},
		Prepare: z.fetch,
		Run: func(ctx context.Context, tx *act.Tx, in FetchIn) (Changed, error) {
			p := in.parsed
			if err := z.claim(ctx, &tx.View, p.origin, in.Owner); err != nil {
				return Changed{}, err
			}
			r, err := insert(ctx, tx, "zone.fetch", p.origin, in.Owner, p.draft)
			if err != nil {
				return Changed{}, err
			}
			fields := append(r.fields(), p.fields(p.changes)...)
			fields = append(fields, act.Field{Name: "from", New: ptr(in.follows.Primaries)})
			if in.Follow {
				fields = append(fields, act.Field{Name: "follows", New: ptr(in.follows.Primaries)})
				in.follows.Lists = in.Catalog
				if err := writePrimary(ctx, tx, r.ID, in.follows); err != nil {
					return Changed{}, err
				}
			}
			if err := tx.Record(ctx, "zone.fetched", r.ref(), fields...); err != nil || in.Follow {
				return r.made(p.warnings), err
			}
			return r.made(p.warnings), z.signNew(ctx, tx, r)
		},
	}
}

// What follows primaries in the background, and what tells the nameserver who they are.
const (
	secondary  = "secondary"
	neighbours = "peers"
)

func writePrimary(ctx context.Context, tx *act.Tx, id string, f follows) error {
	lists := int64(0)
	if f.Lists {
		lists = 1
	}
	_, err := tx.Exec(ctx, `INSERT INTO zone_primary (zone_id, primaries, tsig, lists, catalog, label) VALUES ($1, $2, $3, $4, $5, $6)`, id, f.Primaries, f.Key, lists, f.Catalog, f.Label)
	return err
}

// fetch asks for the zone before the transaction.
func (z *Zones) fetch(ctx context.Context, v *act.View, in *FetchIn) error {
	name, err := apexName(in.Name)
	if err != nil {
		return misnamed("name", in.Name, err)
	}
	if err := in.read(); err != nil {
		return err
	}
	if err := z.claim(ctx, v, name, in.Owner); err != nil {
		return err
	}
	if in.Key != "" {
		ok, err := z.ports.MayUse(ctx, v, rr.Name(in.follows.Key))
		if err != nil || !ok {
			return core.Faults{{Field: "key", Value: in.Key, Accepted: "the name of a TSIG key of yours"}}.Err()
		}
	}
	if in.Catalog {
		if err := mayList(v.Actor(), in.Follow); err != nil {
			return err
		}
	}
	v.Release()
	sets, err := z.ports.Fetch(ctx, name, in.follows.primary())
	if err != nil {
		return err
	}
	if in.Catalog {
		if _, err := transfer.Members(name, sets); err != nil {
			return err
		}
	}
	if in.Follow {
		d, err := newDraft(name, flat(sets))
		in.parsed = &parsed{draft: d, origin: name}
		return err
	}
	in.parsed, err = check(&rr.Zone{Origin: name, Sets: slices.DeleteFunc(flat(sets), func(s rr.RRset) bool { return signedOnly(s.Type) || signersOwn(name, s) })}, "")
	return err
}

// signersOwn reports what only the signer of the zone made: his keys are elsewhere.
func signersOwn(zone rr.Name, s rr.RRset) bool {
	return s.Name == zone && slices.Contains([]string{"DNSKEY", "CDS", "CDNSKEY"}, s.Type)
}

// read checks the addresses and the key's name.
func (in *FetchIn) read() error {
	var faults core.Faults
	var list []string
	for _, text := range in.Primaries {
		at, err := addressOf(strings.TrimSpace(text))
		if err != nil {
			faults.Add("primaries", text, "an address such as 192.0.2.53, or with a port 192.0.2.53:5353")
			continue
		}
		list = append(list, at.String())
	}
	in.follows.Primaries = strings.Join(list, " ")
	if in.Key != "" {
		name, err := rr.ParseName(in.Key, ".")
		if err != nil {
			faults.Add("key", in.Key, "the name of a TSIG key")
		}
		in.follows.Key = string(name)
	}
	return faults.Err()
}

// addressOf reads an address; without a port it is 53.
func addressOf(text string) (netip.AddrPort, error) {
	if a, err := netip.ParseAddr(strings.Trim(text, "[]")); err == nil {
		return netip.AddrPortFrom(a, 53), nil
	}
	return netip.ParseAddrPort(text)
}

// flat puts the signatures of a name, which have a TTL for each set they cover,
// into one set: the nameserver gives each its own again (RFC 4034 3).
func flat(sets []rr.RRset) (out []rr.RRset) {
	at := map[rr.Name]int{}
	for _, s := range sets {
		i, again := at[s.Name]
		switch {
		case s.Type != "RRSIG":
		case again:
			out[i].TTL = min(out[i].TTL, s.TTL)
			out[i].Data = append(slices.Clone(out[i].Data), s.Data...)
			slices.Sort(out[i].Data)
			continue
		default:
			at[s.Name] = len(out)
		}
		out = append(out, s)
	}
	return out
}

// UnfollowIn names a zone.
type UnfollowIn struct {
	Zone string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
}

// unfollow makes a zone that was fed from elsewhere one's own.
func (z *Zones) unfollow() act.Declaration {
	return act.Change[UnfollowIn, Changed]{
		Name: "zone.unfollow", Doc: "Make a zone that follows another nameserver one's own: from then on it is edited here.", Class: class,
		Roles: act.Hosted, Must: []string{"zone.unfollowed"}, Confirm: true, Wakes: []string{nameserver, secondary, neighbours}, Serves: serves(),
		Sample: UnfollowIn{Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *UnfollowIn) (core.Ref, error) {
			return target(ctx, v, in.Zone)
		},
		Run: func(ctx context.Context, tx *act.Tx, in UnfollowIn) (Changed, error) {
			r, err := live(ctx, &tx.View, in.Zone)
			if err != nil {
				return Changed{}, err
			}
			f, err := primaryOf(ctx, &tx.View, r.ID)
			switch {
			case err == nil && !f.there():
				err = core.Errorf(core.Conflict, "the zone follows no other nameserver")
			case err == nil && f.Lists:
				err = core.Errorf(core.Conflict, "the zone is a catalog, which is of no use without its primary: delete it, and the zones that it lists stay")
			}
			if err != nil {
				return Changed{}, err
			}
			if _, err := tx.Exec(ctx, `DELETE FROM zone_primary WHERE zone_id = $1`, r.ID); err != nil {
				return Changed{}, err
			}
			changes, err := z.own(ctx, tx, &r)
			if err != nil {
				return Changed{}, err
			}
			return r.changed(changes, nil), tx.Record(ctx, "zone.unfollowed", r.ref(), act.Field{Name: "follows", Old: ptr(f.Primaries)})
		},
	}
}

// own takes out what the primary's signer made, and counts the serial on.
func (z *Zones) own(ctx context.Context, tx *act.Tx, r *row) ([]rr.Change, error) {
	old, err := unsorted(ctx, &tx.View, *r)
	if err != nil {
		return nil, err
	}
	kept := slices.DeleteFunc(slices.Clone(old), func(s rr.RRset) bool { return signedOnly(s.Type) || signersOwn(r.Name, s) })
	changes, _, serial := counted(rr.Diff(old, kept), old, *r, tx)
	r.Serial = serial
	return changes, commit(ctx, tx, r, "zone.unfollow", changes, nil)
}

// ReceiveIn is what a primary sent.
type ReceiveIn struct {
	Zone string `json:"zone" doc:"id of the zone" rule:"required,max=40" cli:"arg"`
	From string `json:"from" doc:"address of the primary" rule:"max=64"`

	sets []rr.RRset // the whole zone
}

// receive makes what a primary sent the next version. The serial is the primary's.
func (z *Zones) receive() act.Change[ReceiveIn, Changed] {
	return act.Change[ReceiveIn, Changed]{
		Name: "zone.receive", Doc: "Take in the newest version of a zone from its primary.", Class: class,
		Roles: act.System, May: []string{"zone.received"}, Wakes: []string{nameserver}, Serves: serves(),
		Sample: ReceiveIn{Zone: "z_0123456789abcdefghjkmnpqrs"},
		Target: func(ctx context.Context, v *act.View, in *ReceiveIn) (core.Ref, error) {
			return target(ctx, v, in.Zone)
		},
		Run: func(ctx context.Context, tx *act.Tx, in ReceiveIn) (Changed, error) {
			r, err := live(ctx, &tx.View, in.Zone)
			if err != nil {
				return Changed{}, err
			}
			f, err := primaryOf(ctx, &tx.View, r.ID)
			if err == nil && (!f.there() || len(in.sets) == 0) {
				err = core.Errorf(core.Conflict, "the zone follows no other nameserver, or nothing was received")
			}
			if err != nil {
				return Changed{}, err
			}
			old, err := unsorted(ctx, &tx.View, r)
			if err != nil {
				return Changed{}, err
			}
			changes := rr.Diff(old, in.sets)
			if len(changes) == 0 {
				return r.changed(nil, nil), nil
			}
			before := r
			if r.Serial, err = serialIn(in.sets, r); err != nil {
				return Changed{}, err
			}
			if err := commit(ctx, tx, &r, "zone.receive", changes, nil); err != nil {
				return Changed{}, err
			}
			in1, out := tally(changes)
			return r.changed(changes, nil), tx.Record(ctx, "zone.received", r.ref(), act.Field{Name: "from", New: ptr(in.From)},
				act.Field{Name: "serial", Old: ptr(number(before.Serial)), New: ptr(number(r.Serial))},
				act.Field{Name: "records.added", New: ptr(number(in1))}, act.Field{Name: "records.removed", New: ptr(number(out))})
		},
	}
}

func serialIn(sets []rr.RRset, r row) (uint32, error) {
	for _, s := range sets {
		if s.Name == r.Name && s.Type == "SOA" && len(s.Data) == 1 {
			if soa, ok := rr.ParseSOA(s.Data[0]); ok {
				return soa.Serial, nil
			}
		}
	}
	return 0, core.Errorf(core.Invalid, "what was received for %s has no SOA record", shown(r.Name))
}

// Following is a zone that is fed from elsewhere.
type Following struct {
	ID   string
	Name rr.Name
	Primary
	Lists   bool   // it is a catalog
	Catalog string // id of the catalog that lists it
	Label   string // under which it stands there
}

// Following returns every zone that is fed from elsewhere.
func (z *Zones) Following(ctx context.Context, v *act.View) (out []Following, err error) {
	const q = `SELECT zone_id, name, primaries, tsig, lists, catalog, label FROM zone_primary JOIN zone_zone ON id = zone_id WHERE deleted = 0 ORDER BY name`
	err = v.Each(ctx, q, nil, func(scan func(dest ...any) error) error {
		var f follows
		one := Following{}
		var lists int64
		err := scan(&one.ID, &one.Name, &f.Primaries, &f.Key, &lists, &one.Catalog, &one.Label)
		one.Primary, one.Lists = f.primary(), lists == 1
		out = append(out, one)
		return err
	})
	return out, err
}

// Here returns the RRsets of a zone as they are kept, in order.
func (z *Zones) Here(ctx context.Context, v *act.View, id string) ([]rr.RRset, error) {
	r, found, err := byID(ctx, v, id)
	if err != nil || !found {
		return nil, err
	}
	return sets(ctx, v, r)
}

// Receive takes in what a primary sent.
func (z *Zones) Receive(ctx context.Context, b *act.Bus, id, from string, sets []rr.RRset) (Changed, error) {
	out, _, err := z.receive().Call(ctx, b, act.SystemActor(secondary), ReceiveIn{Zone: id, From: from, sets: flat(sets)})
	return out, err
}
