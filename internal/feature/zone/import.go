package zone

import (
	"context"
	"crypto/sha256"
	"fmt"
	"io"
	"slices"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// ImportIn is a zone file.
type ImportIn struct {
	File    act.File `json:"file" doc:"zone file in BIND's format" rule:"required" form:"textarea" cli:"arg"`
	Name    string   `json:"name" doc:"domain name of the zone; left out: the owner of the file's SOA record" rule:"max=1020"`
	Owner   string   `json:"owner" doc:"customer or reseller who will own a new zone, by log-in name or id; left out: you" rule:"max=254"`
	Replace bool     `json:"replace" doc:"the zone may be there already: its records become those of the file, in one step"`

	parsed *parsed
}

// parsed is what Prepare made of the file.
type parsed struct {
	draft
	origin   rr.Name
	warnings core.Faults
	digest   string // SHA-256 of the file
}

func (z *Zones) importFile() act.Declaration {
	return act.Change[ImportIn, Changed]{
		Name: "zone.import", Doc: "Import a zone from a BIND zone file, or make an existing zone equal to one.", Class: class,
		Roles: act.Hosted, Must: []string{"zone.imported"}, May: []string{signed}, Wakes: []string{nameserver, signer}, Serves: serves(),
		Sample:  ImportIn{File: act.NewFile(sampleFile), Name: "example.org"},
		Target:  z.importTarget,
		Prepare: z.parse,
		Run: func(ctx context.Context, tx *act.Tx, in ImportIn) (Changed, error) {
			r, there, err := byName(ctx, &tx.View, in.parsed.origin)
			if err != nil {
				return Changed{}, err
			}
			if there && in.Replace {
				return z.replace(ctx, tx, r, in.parsed)
			}
			return z.fromFile(ctx, tx, in)
		},
	}
}

const sampleFile = `$ORIGIN example.org.
$TTL 1h
@   IN SOA ns1.example.net. hostmaster.example.org. 2026110100 4h 1h 2w 15m
    IN NS  ns1.example.net.
    IN NS  ns2.example.net.
www IN A   192.0.2.10
`

// importTarget is the zone that will be replaced, or who will own the new one.
// Before Prepare has read the file its name may be unknown; the transaction
// asks again.
func (z *Zones) importTarget(ctx context.Context, v *act.View, in *ImportIn) (core.Ref, error) {
	if in.Replace && in.Name != "" {
		name, err := apexName(in.Name)
		if err != nil {
			return core.Ref{}, misnamed("name", in.Name, err)
		}
		if r, there, err := byName(ctx, v, name); err != nil || there {
			return r.ref(), err
		}
	}
	return z.account(ctx, v, &in.Owner)
}

// parse reads and checks the whole file before the transaction.
func (z *Zones) parse(ctx context.Context, v *act.View, in *ImportIn) error {
	opt := rr.Options{MaxRecords: maxRecords}
	if in.Name != "" {
		name, err := apexName(in.Name)
		if err != nil {
			return misnamed("name", in.Name, err)
		}
		opt.Origin = name
	}
	f, err := v.Open(in.File)
	if err != nil {
		return err
	}
	defer f.Close()
	sum := sha256.New()
	file, err := rr.ParseZone(io.TeeReader(f, sum), opt)
	if err != nil {
		return err
	}
	in.Name = string(file.Origin)
	in.parsed, err = check(file, fmt.Sprintf("%x", sum.Sum(nil)))
	return err
}

// check applies the rules of a zone and adds up its digest.
func check(file *rr.Zone, digest string) (*parsed, error) {
	if _, err := apexName(string(file.Origin)); err != nil {
		return nil, err
	}
	faults, warnings := file.Validate()
	if len(faults) > 0 {
		return nil, &core.Error{Code: core.Invalid, Public: "the zone file does not make a valid zone; nothing was imported", Faults: first(faults, 10)}
	}
	d, err := newDraft(file.Origin, file.Sets)
	return &parsed{draft: d, origin: file.Origin, digest: digest, warnings: append(file.Notes, warnings...)}, err
}

func first[T any](list []T, n int) []T { return list[:min(n, len(list))] }

// fromFile makes a new zone of a file; its serial stays as it is.
func (z *Zones) fromFile(ctx context.Context, tx *act.Tx, in ImportIn) (Changed, error) {
	p := in.parsed
	if err := z.claim(ctx, &tx.View, p.origin, in.Owner); err != nil {
		if core.CodeOf(err) == core.Conflict && !in.Replace {
			err = core.Errorf(core.Conflict, "%s; if the zone is yours, import it with replace", core.AsError(err).Sentence())
		}
		return Changed{}, err
	}
	r, err := insert(ctx, tx, "zone.import", p.origin, in.Owner, p.draft)
	if err != nil {
		return Changed{}, err
	}
	if err := tx.Record(ctx, "zone.imported", r.ref(), append(r.fields(), p.fields(p.changes)...)...); err != nil {
		return Changed{}, err
	}
	return r.made(p.warnings), z.signNew(ctx, tx, r)
}

// replace makes the records of an existing zone those of the file.
func (z *Zones) replace(ctx context.Context, tx *act.Tx, r row, p *parsed) (Changed, error) {
	before := r
	changes, err := become(ctx, tx, &r, "zone.import", p.draft)
	if err != nil || len(changes) == 0 {
		return r.changed(nil, p.warnings), err
	}
	fields := append(p.fields(changes), act.Field{Name: "serial", Old: ptr(number(before.Serial)), New: ptr(number(r.Serial))})
	return r.changed(changes, p.warnings), tx.Record(ctx, "zone.imported", r.ref(), fields...)
}

// become commits a version of a zone that has the draft's records; the serial
// goes on upwards. No changes: the zone has them already.
func become(ctx context.Context, tx *act.Tx, r *row, action string, d draft) ([]rr.Change, error) {
	old, err := unsorted(ctx, &tx.View, *r)
	if err != nil {
		return nil, err
	}
	changes := rr.Diff(old, d.sets)
	if len(changes) == 0 || onlyOlder(changes, *r) {
		return nil, nil
	}
	changes, soa, serial := counted(changes, old, *r, tx)
	r.Serial = serial
	return changes, commit(ctx, tx, r, action, changes, d.sum(soa))
}

// counted gives a change the next serial. It returns the change, the SOA that
// it leaves, and the serial.
func counted(changes []rr.Change, old []rr.RRset, r row, tx *act.Tx) ([]rr.Change, rr.RRset, uint32) {
	k := rr.Key{Name: r.Name, Type: "SOA"}
	before := rr.RRset{Name: k.Name, Type: k.Type}
	if i := slices.IndexFunc(old, func(s rr.RRset) bool { return s.Key() == k }); i >= 0 {
		before = old[i]
	}
	left := map[rr.Key]rr.RRset{k: before}
	rest := slices.DeleteFunc(slices.Clone(changes), func(c rr.Change) bool {
		if c.Key() == k {
			left[k] = c.New
		}
		return c.Key() == k
	})
	serial := bump(left, r, tx.Now())
	return append(rr.Diff([]rr.RRset{before}, members(left)), rest...), left[k], serial
}

// maxFields bounds how many RRsets an import's record names one by one: above
// it counts, the file's digest and the state digest stand for them, and the
// history of the zone, which the state digest covers, has every one.
const maxFields = 1000

func (p *parsed) fields(changes []rr.Change) []act.Field {
	return append([]act.Field{{Name: "file", New: ptr("sha256:" + p.digest)}}, summary(changes)...)
}

// summary says how many records came and went, and which, if they are few.
func summary(changes []rr.Change) []act.Field {
	in, out := tally(changes)
	fields := []act.Field{
		{Name: "records.added", New: ptr(number(in))},
		{Name: "records.removed", New: ptr(number(out))},
	}
	if len(changes) > maxFields {
		return fields
	}
	for _, c := range changes {
		if c.New.Type == "SOA" && onlyCounted(c) {
			continue
		}
		_, f := field(c)
		fields = append(fields, f)
	}
	return fields
}
