package zone

import (
	"cmp"
	"context"
	"encoding/json"
	"slices"
	"strconv"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
	"hostward/internal/rr/sign"
)

// Events of signing.
const (
	signed   = "zone.signing.changed"
	turned   = "zone.keys.turned"
	retired  = "zone.key.retired"
	resigned = "zone.resigned"
	resealed = "zone.keys.resealed"
)

// signer is what looks after keys in the background.
const signer = "signing"

// prepared is what Prepare did for Run: it asked the nameserver.
type prepared struct{ observed sign.Observed }

// SignIn says how a zone is to be signed.
type SignIn struct {
	Zone      string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Algorithm string `json:"algorithm" doc:"ecdsa is ECDSAP256SHA256, which every resolver knows; ed25519 is newer; left out: as it is, or ecdsa" rule:"enum=ecdsa|ed25519"`
	Keys      string `json:"keys" doc:"csk is one key for everything; split is one for the parent and one for the records; left out: as it is, or csk" rule:"enum=csk|split"`
	Denial    string `json:"denial" doc:"nsec is quick for everybody; nsec3 makes it harder to list the names of the zone; left out: as it is, or nsec" rule:"enum=nsec|nsec3"`
	Renew     string `json:"renew" doc:"days after which keys are replaced: one number for all, or two for that of the records and that of the parent, such as 90 0; 0 is never; left out: as it is, or never" rule:"max=16"`

	prepared
}

// wish is what the input makes of the wish that is stored.
func (in SignIn) wish(was Wish) (Wish, error) {
	w := was
	w.Signed = true
	w.Algorithm, w.Keys, w.Denial = cmp.Or(in.Algorithm, w.Algorithm), cmp.Or(in.Keys, w.Keys), cmp.Or(in.Denial, w.Denial)
	w = w.usual()
	if in.Renew == "" {
		return w, nil
	}
	var days []int
	for text := range strings.FieldsSeq(in.Renew) {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil || n > 0 && n < 7 || n > 3650 || len(days) == 2 {
			return w, core.Faults{{Field: "renew", Value: in.Renew, Accepted: "0 for never or 7 to 3650 days, once or twice"}}.Err()
		}
		days = append(days, int(n))
	}
	w.ZSKDays, w.KSKDays = days[0], days[len(days)-1]
	return w, nil
}

func (z *Zones) sign() act.Declaration {
	return act.Change[SignIn, Signing]{
		Name: "zone.sign", Doc: "Sign a zone with DNSSEC, or change how it is signed.", Class: class,
		Roles: act.Hosted, May: []string{signed}, Wakes: []string{nameserver, signer}, Serves: signServes(),
		Sample: SignIn{Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *SignIn) (core.Ref, error) { return target(ctx, v, in.Zone) },
		Prepare: func(ctx context.Context, v *act.View, in *SignIn) error {
			return z.observe(ctx, v, in.Zone, &in.observed)
		},
		Run: func(ctx context.Context, tx *act.Tx, in SignIn) (Signing, error) {
			return z.rekey(ctx, tx, "zone.sign", signed, in.Zone, in.prepared, func(g *keyring) (err error) {
				g.Wish, err = in.wish(g.Wish)
				return err
			})
		},
	}
}

// signServes names the annex points that signing is evidence for.
func signServes() []string { return []string{"2690:6.7", "2690:9.2"} }

// UnsignIn says which zone.
type UnsignIn struct {
	Zone string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Now  bool   `json:"now" doc:"at once, without waiting for the DS to go: while one stands in the parent, nobody who validates reaches the zone"`

	prepared
}

func (z *Zones) unsign() act.Declaration {
	change := func(in UnsignIn) func(g *keyring) error {
		return func(g *keyring) error {
			if err := g.known(); err != nil {
				return err
			}
			g.Wish.Signed = false
			if in.Now {
				g.State = g.State.Abandon()
			}
			return nil
		}
	}
	return act.Change[UnsignIn, Signing]{
		Name: "zone.unsign", Doc: "End the signing of a zone: the parent is asked to remove the DS, and signatures stay until it is gone everywhere.", Class: class,
		Roles: act.Hosted, May: []string{signed}, Confirm: true, Wakes: []string{nameserver, signer}, Serves: signServes(),
		Sample: UnsignIn{Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *UnsignIn) (core.Ref, error) {
			return target(ctx, v, in.Zone)
		},
		Prepare: func(ctx context.Context, v *act.View, in *UnsignIn) error {
			return z.observe(ctx, v, in.Zone, &in.observed)
		},
		Run: func(ctx context.Context, tx *act.Tx, in UnsignIn) (Signing, error) {
			return z.rekey(ctx, tx, "zone.unsign", signed, in.Zone, in.prepared, change(in))
		},
	}
}

// known refuses a zone that never was to be signed.
func (g *keyring) known() error {
	if !g.there {
		return core.Errorf(core.Conflict, "the zone is not signed")
	}
	return nil
}

// RollIn names a key that is to be replaced.
type RollIn struct {
	Zone string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Key  string `json:"key" doc:"tag or id of the key; left out: each" rule:"max=16"`

	prepared
}

func (z *Zones) roll() act.Declaration {
	change := func(in RollIn) func(g *keyring) error {
		return func(g *keyring) error { return g.retire(in.Key) }
	}
	return act.Change[RollIn, Signing]{
		Name: "zone.key.roll", Doc: "Replace a key of a zone, step by step, so that nobody notices.", Class: class,
		Roles: act.Hosted, May: []string{retired}, Wakes: []string{nameserver, signer}, Serves: signServes(),
		Sample: RollIn{Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *RollIn) (core.Ref, error) { return target(ctx, v, in.Zone) },
		Prepare: func(ctx context.Context, v *act.View, in *RollIn) error {
			return z.observe(ctx, v, in.Zone, &in.observed)
		},
		Run: func(ctx context.Context, tx *act.Tx, in RollIn) (Signing, error) {
			return z.rekey(ctx, tx, "zone.key.roll", retired, in.Zone, in.prepared, change(in))
		},
	}
}

// retire asks for others in the place of keys: one by its tag or id, or all.
func (g *keyring) retire(text string) error {
	found := false
	for _, k := range g.State.Keys {
		named := text == "" || k.ID().String() == text || strconv.Itoa(int(k.Tag())) == text
		if !named || k.Retired || k.Duty == (sign.Duty{}) {
			continue
		}
		state, err := g.State.Retire(k.ID())
		if err != nil {
			return err
		}
		g.State, found = state, true
	}
	if !found {
		return core.Faults{{Field: "key", Value: text, Accepted: "tag or id of a key in use that is not being replaced already"}}.Err()
	}
	return nil
}

// ParentServer is what one nameserver of the parent says.
type ParentServer struct {
	Name   string   `json:"name" doc:"of the nameserver" rule:"max=255"`
	Failed bool     `json:"failed" doc:"it gave no answer that could be used"`
	DS     []string `json:"ds" doc:"data of the DS records"`
	TTL    uint32   `json:"ttl" doc:"of the DS, or of the answer that there is none, in seconds"`
}

// TurnIn is what was seen of a zone from outside.
type TurnIn struct {
	Zone   string         `json:"zone" doc:"id of the zone" rule:"required,max=40" cli:"arg"`
	Parent []ParentServer `json:"parent" doc:"what each nameserver of the parent says; empty: they could not be asked"`

	prepared
}

func (in TurnIn) servers() (out []sign.Server) {
	for _, p := range in.Parent {
		s := sign.Server{Name: p.Name, Failed: p.Failed, TTL: p.TTL}
		for _, text := range p.DS {
			ds, err := sign.ParseDS(text)
			s.Failed = s.Failed || err != nil
			s.DS = append(s.DS, ds)
		}
		out = append(out, s)
	}
	return out
}

// turn takes the keys of a zone one turn further, by what was seen.
func (z *Zones) turn() act.Change[TurnIn, Signing] {
	nothing := func(g *keyring) error { return g.known() }
	return act.Change[TurnIn, Signing]{
		Name: "zone.key.turn", Doc: "Take the keys of a zone one step further, by what was seen of it from outside.", Class: class,
		Roles: act.System, May: []string{turned}, Wakes: []string{nameserver}, Serves: signServes(),
		Sample: TurnIn{Zone: "z_0123456789abcdefghjkmnpqrs"},
		Target: func(ctx context.Context, v *act.View, in *TurnIn) (core.Ref, error) { return target(ctx, v, in.Zone) },
		Prepare: func(ctx context.Context, v *act.View, in *TurnIn) error {
			in.observed.Parent = in.servers()
			return z.observe(ctx, v, in.Zone, &in.observed)
		},
		Run: func(ctx context.Context, tx *act.Tx, in TurnIn) (Signing, error) {
			return z.rekey(ctx, tx, "zone.key.turn", turned, in.Zone, in.prepared, nothing)
		},
	}
}

// ResignIn names a zone whose signatures are due.
type ResignIn struct {
	Zone string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
}

// resign makes another version of a zone, in which signatures that expire soon are
// made anew.
func (z *Zones) resign() act.Change[ResignIn, Changed] {
	return act.Change[ResignIn, Changed]{
		Name: "zone.resign", Doc: "Make the signatures of a zone anew that expire soon.", Class: class,
		Roles: act.Hosted | act.System, Must: []string{resigned}, Wakes: []string{nameserver}, Serves: signServes(),
		Sample: ResignIn{Zone: "example.org"},
		Target: func(ctx context.Context, v *act.View, in *ResignIn) (core.Ref, error) {
			return target(ctx, v, in.Zone)
		},
		Run: func(ctx context.Context, tx *act.Tx, in ResignIn) (Changed, error) {
			r, err := live(ctx, &tx.View, in.Zone)
			if err != nil {
				return Changed{}, err
			}
			g, err := keyringOf(ctx, &tx.View, r.ID)
			if err == nil && !g.signs() {
				err = core.Errorf(core.Conflict, "the zone is not signed")
			}
			if err != nil {
				return Changed{}, err
			}
			before := r.Serial
			if err := z.count(ctx, tx, &r, "zone.resign"); err != nil {
				return Changed{}, err
			}
			return r.changed(nil, nil), tx.Record(ctx, resigned, r.ref(), act.Field{Name: "serial", Old: ptr(number(before)), New: ptr(number(r.Serial))})
		},
	}
}

// count makes a version of a zone whose records stay: its serial counts on.
func (z *Zones) count(ctx context.Context, tx *act.Tx, r *row, action string) error {
	have := map[rr.Key]rr.RRset{}
	if err := setsAt(ctx, &tx.View, *r, r.Name, have); err != nil {
		return err
	}
	k := rr.Key{Name: r.Name, Type: "SOA"}
	left := map[rr.Key]rr.RRset{k: have[k]}
	r.Serial = bump(left, *r, tx.Now())
	return commit(ctx, tx, r, action, moved([]rr.Key{k}, have, left), nil)
}

// observe says which state of the keys is served: the nameserver is asked.
func (z *Zones) observe(ctx context.Context, v *act.View, zone string, o *sign.Observed) error {
	r, err := live(ctx, v, zone)
	if err != nil {
		return err
	}
	g, err := keyringOf(ctx, v, r.ID)
	if err != nil {
		return err
	}
	if o.MaxTTL, err = maxTTL(ctx, v, r); err != nil {
		return err
	}
	have := r.Version
	if z.ports.Served != nil {
		if have, err = z.ports.Served(ctx, r.ref()); err != nil {
			return err
		}
	}
	o.Zone, o.KeyTTL, o.Revision, o.Complete = r.Name, keyTTL, g.State.Revision, true
	if have < g.Since { // an earlier one is served
		o.Revision, o.Complete = o.Revision-1, false
	}
	return nil
}

// keyTTL is the TTL of DNSKEY, in seconds: that of sign.Timing's zero value.
const keyTTL = 3600

// rekey changes how a zone is signed, takes its keys a turn further and keeps
// what came of it.
func (z *Zones) rekey(ctx context.Context, tx *act.Tx, action, event, zone string, p prepared, change func(*keyring) error) (Signing, error) {
	r, err := live(ctx, &tx.View, zone)
	if err != nil {
		return Signing{}, err
	}
	was, err := keyringOf(ctx, &tx.View, r.ID)
	if err != nil {
		return Signing{}, err
	}
	g := was.clone()
	if err := change(&g); err != nil {
		return Signing{}, err
	}
	if event != turned && was.there && g.equal(was) {
		return signingOf(r, was), nil
	}
	g.there = true
	err = g.turn(p.observed, tx.Now(), func(role sign.Role, a sign.Algorithm) (sign.Public, string, error) {
		return z.ports.NewKey(ctx, r.Name, role.Flags(), a)
	})
	if err != nil || was.there && g.same(was) {
		return signingOf(r, was), err
	}
	if event != turned || g.State.Revision != was.State.Revision {
		g.Next = tx.Now().UnixMicro() // who looks after keys in the background goes on from here
	}
	if err := z.keep(ctx, tx, &r, action, was, &g); err != nil {
		return Signing{}, err
	}
	return signingOf(r, g), tx.Record(ctx, event, r.ref(), keyFields(was, g)...)
}

// keep writes a keyring. Other duties, and another chain, are another version of
// the zone.
func (z *Zones) keep(ctx context.Context, tx *act.Tx, r *row, action string, was keyring, g *keyring) error {
	if err := r.mayChange(ctx, tx, action); err != nil {
		return err
	}
	if !was.signs() && g.signs() {
		if err := z.mayBeSigned(ctx, tx, *r, *g); err != nil {
			return err
		}
	}
	if g.State.Revision != was.State.Revision || g.signs() && g.Wish.Denial != was.Wish.Denial {
		if err := z.count(ctx, tx, r, action); err != nil {
			return err
		}
		g.Since = r.Version
	}
	return writeKeyring(ctx, tx, r.ID, was, *g)
}

// mayBeSigned refuses a zone with records that signing makes itself.
func (z *Zones) mayBeSigned(ctx context.Context, tx *act.Tx, r row, g keyring) error {
	have := map[rr.Key]rr.RRset{}
	if err := setsAt(ctx, &tx.View, r, r.Name, have); err != nil {
		return err
	}
	return g.reserved(r.Name, rr.Diff(nil, members(have)))
}

// keyFields is what a record of the log says of keys.
func keyFields(was, g keyring) []act.Field {
	fields := act.Diff(was.Wish, g.Wish)
	for _, f := range []struct{ name, old, new string }{
		{"keyring", was.inWords(), g.inWords()},
		{"waits", waitsInWords(was), waitsInWords(g)},
	} {
		if f.old != f.new {
			fields = append(fields, act.Field{Name: f.name, Old: ptr(f.old), New: ptr(f.new)})
		}
	}
	return fields
}

// inWords is one line for each key: what it is and does.
func (g keyring) inWords() string {
	var lines []string
	for _, k := range g.State.Keys {
		line := []string{string(k.Role), strconv.Itoa(int(k.Tag())), k.Algorithm.String() + ":"}
		for _, d := range []struct {
			is   bool
			word string
		}{{k.Duty.Publish, "published"}, {k.Duty.SignKeys, "signs keys"}, {k.Duty.SignData, "signs records"}, {k.Duty.Submit, "DS wanted"}, {k.Retired, "to be replaced"}} {
			if d.is {
				line = append(line, d.word+",")
			}
		}
		lines = append(lines, strings.TrimRight(strings.Join(line, " "), ",:"))
	}
	return strings.Join(lines, "\n")
}

func waitsInWords(g keyring) string {
	var out []string
	for _, w := range g.State.Waits {
		out = append(out, string(w.Reason))
	}
	return strings.Join(out, ", ")
}

// Looked is a zone whose keys are to be looked at.
type Looked struct {
	ID     string
	Name   rr.Name
	Parent bool // what its parent has matters
}

// Due returns the zones whose keys are to be looked at by now.
func (z *Zones) Due(ctx context.Context, b *act.Bus, now time.Time) (out []Looked, err error) {
	err = b.Look(ctx, signer, func(v *act.View) error {
		const q = `SELECT zone_id, name, state FROM zone_signing JOIN zone_zone ON id = zone_id WHERE next <= $1 AND deleted = 0 ORDER BY next`
		return v.Each(ctx, q, []any{now.UnixMicro()}, func(scan func(dest ...any) error) error {
			var l Looked
			var text string
			if err := scan(&l.ID, &l.Name, &text); err != nil {
				return err
			}
			var s sign.State
			err := json.Unmarshal([]byte(text), &s)
			l.Parent = s.RemoveDS || slices.ContainsFunc(s.Keys, func(k sign.Managed) bool { return k.Duty.Submit }) ||
				slices.ContainsFunc(s.DS, func(c sign.Copy) bool { return c.Foreign || len(c.Keys) > 0 })
			out = append(out, l)
			return err
		})
	})
	return out, err
}

// Turn takes the keys of one zone a turn further, by what its parent says. It
// returns when to do so again if nothing was worth keeping.
func (z *Zones) Turn(ctx context.Context, b *act.Bus, id string, parent []ParentServer) (Signing, error) {
	out, _, err := z.turn().Call(ctx, b, act.SystemActor(signer), TurnIn{Zone: id, Parent: parent})
	return out, err
}

// Resign makes the signatures of one zone anew that expire soon.
func (z *Zones) Resign(ctx context.Context, b *act.Bus, id string) error {
	_, _, err := z.resign().Call(ctx, b, act.SystemActor(signer), ResignIn{Zone: id})
	return err
}
