package zone

import (
	"context"

	"hostward/internal/act"
	"hostward/internal/core"
)

// set is an input that says how records change.
type set interface {
	lines() (zone string, lines []Edit)
	warn(core.Faults)
	told() core.Faults
}

// warned carries from Prepare to Run what works but is probably not meant.
type warned struct{ warnings core.Faults }

func (w *warned) warn(f core.Faults) { w.warnings = f }
func (w *warned) told() core.Faults  { return w.warnings }

// records makes an operation that changes records as its input says: the rules are
// looked at on a snapshot first, so that the writer has little left to do.
func records[I any, P interface {
	*I
	set
}](z *Zones, name, doc string, sample I) act.Declaration {
	prepare := func(ctx context.Context, v *act.View, in *I) error {
		zone, lines := P(in).lines()
		found, err := z.look(ctx, v, zone, lines)
		P(in).warn(found)
		return err
	}
	return changing[I, P](z, name, doc, sample, prepare, z.apply)
}

// changing makes an operation that changes records by the lines that its input has
// after prepare.
func changing[I any, P interface {
	*I
	set
}](z *Zones, name, doc string, sample I, prepare func(context.Context, *act.View, *I) error,
	apply func(ctx context.Context, tx *act.Tx, action, zone string, lines []Edit, warnings core.Faults) (Changed, error)) act.Declaration {
	return act.Change[I, Changed]{
		Name: name, Doc: doc, Class: class, Roles: act.Hosted,
		May: []string{added, removed, altered}, Wakes: []string{nameserver}, Serves: serves(), Sample: sample,
		Target: func(ctx context.Context, v *act.View, in *I) (core.Ref, error) {
			zone, _ := P(in).lines()
			return target(ctx, v, zone)
		},
		Prepare: prepare,
		Run: func(ctx context.Context, tx *act.Tx, in I) (Changed, error) {
			zone, lines := P(&in).lines()
			return apply(ctx, tx, name, zone, lines, P(&in).told())
		},
	}
}

// target is the target of every operation on a zone that is there.
func target(ctx context.Context, v *act.View, zone string) (core.Ref, error) {
	r, err := live(ctx, v, zone)
	if err != nil {
		return core.Ref{}, err
	}
	return r.ref(), nil
}

// EditIn is a change set.
type EditIn struct {
	Zone    string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Changes []Edit `json:"changes" doc:"what to change; all of it, or nothing" rule:"required,max=5000"`

	warned
}

func (in EditIn) lines() (string, []Edit) { return in.Zone, in.Changes }

// edit is behind the web editor; its diff is this operation's own preview.
func (z *Zones) edit() act.Declaration {
	return records(z, "zone.edit", "Change records of a zone in one step.",
		EditIn{Zone: "example.org", Changes: []Edit{
			{Action: "set", Name: "www", Type: "A", TTL: "300", Data: "192.0.2.10"},
			{Action: "add", Name: "@", Type: "TXT", Data: `"v=spf1 -all"`},
			{Action: "remove", Name: "old", Type: "A"}}})
}

// RecordIn is one record.
type RecordIn struct {
	Zone string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Name string `json:"name" doc:"name below the zone such as www; @ for the zone itself" rule:"required,max=1020" cli:"arg"`
	Type string `json:"type" doc:"record type such as A, AAAA, MX, TXT" rule:"required,max=16" cli:"arg"`
	Data string `json:"data" doc:"the record's data as in a zone file, such as 10 mail" rule:"required,max=262144" cli:"arg"`
	TTL  string `json:"ttl" doc:"seconds, or such as 1h30m; empty keeps the RRset's, or takes the SOA record's" rule:"max=16"`

	warned
}

func (in RecordIn) lines() (string, []Edit) {
	return in.Zone, []Edit{{Action: "add", Name: in.Name, Type: in.Type, TTL: in.TTL, Data: in.Data, alone: true}}
}

func (z *Zones) recordAdd() act.Declaration {
	return records(z, "zone.record.add", "Add one record to a zone.",
		RecordIn{Zone: "example.org", Name: "www", Type: "A", Data: "192.0.2.10", TTL: "1h"})
}

// RemoveIn is one record, or without data all of one name and type.
type RemoveIn struct {
	Zone string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Name string `json:"name" doc:"name below the zone such as www; @ for the zone itself" rule:"required,max=1020" cli:"arg"`
	Type string `json:"type" doc:"record type such as A, AAAA, MX, TXT" rule:"required,max=16" cli:"arg"`
	Data string `json:"data" doc:"the record's data; left out: all records of this name and type" rule:"max=262144" cli:"arg"`

	warned
}

func (in RemoveIn) lines() (string, []Edit) {
	return in.Zone, []Edit{{Action: "remove", Name: in.Name, Type: in.Type, Data: in.Data, alone: true}}
}

func (z *Zones) recordRemove() act.Declaration {
	return records(z, "zone.record.remove", "Remove one record of a zone, or all of one name and type.",
		RemoveIn{Zone: "example.org", Name: "www", Type: "A", Data: "192.0.2.10"})
}

// SetIn is the whole content of one RRset.
type SetIn struct {
	Zone string   `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Name string   `json:"name" doc:"name below the zone such as www; @ for the zone itself" rule:"required,max=1020" cli:"arg"`
	Type string   `json:"type" doc:"record type such as A, AAAA, MX, TXT" rule:"required,max=16" cli:"arg"`
	Data []string `json:"data" doc:"data of every record that this name and type shall have" rule:"required" cli:"arg"`
	TTL  string   `json:"ttl" doc:"seconds, or such as 1h30m; empty keeps the RRset's, or takes the SOA record's" rule:"max=16"`

	warned
}

func (in SetIn) lines() (string, []Edit) {
	out := make([]Edit, len(in.Data))
	for i, d := range in.Data {
		out[i] = Edit{Action: "set", Name: in.Name, Type: in.Type, TTL: in.TTL, Data: d, alone: true}
	}
	return in.Zone, out
}

func (z *Zones) recordSet() act.Declaration {
	return records(z, "zone.record.set", "Give one name and type exactly these records.",
		SetIn{Zone: "example.org", Name: "www", Type: "A", Data: []string{"192.0.2.10", "192.0.2.11"}, TTL: "300"})
}
