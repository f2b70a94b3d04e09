package zone

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// BulkIn says which records of many zones become which.
type BulkIn struct {
	Type  string `json:"type" doc:"record type such as A, AAAA, CNAME, MX" rule:"required,max=16" cli:"arg"`
	From  string `json:"from" doc:"data of the records to look for, in full: an address, 10 mail.example.net" rule:"required,max=4096" cli:"arg"`
	To    string `json:"to" doc:"data that they get instead" rule:"required,max=4096" cli:"arg"`
	Owner string `json:"owner" doc:"only zones of this customer or reseller, by log-in name or id" rule:"max=254"`
	After string `json:"after" doc:"only zones whose name comes after this one" rule:"max=1020"`
}

// Matches are the records that would be replaced, in order of zone and name.
type Matches struct {
	From    string  `json:"from"` // as zones hold it
	To      string  `json:"to"`
	Zones   int     `json:"zones"` // with a match in this answer
	Records []Match `json:"records"`
	More    bool    `json:"more,omitempty"` // there are others after the last zone
}

// Match is one record that would be replaced.
type Match struct {
	ID   string `json:"id"`   // of the zone
	Zone string `json:"zone"` // for people
	Name string `json:"name"` // of the record, in full
	TTL  uint32 `json:"ttl"`

	at rr.Name // the zone
}

// maxMatches bounds one answer, so that what it finds in one zone fits into one
// change set.
const maxMatches = 2000

// read makes both ends canonical.
func (in *BulkIn) read() error {
	var faults core.Faults
	code, known := rr.TypeCode(strings.TrimSpace(in.Type))
	if !known || signedOnly(rr.TypeName(code)) || rr.TypeName(code) == "SOA" {
		faults.Add("type", in.Type, "a record type such as A, AAAA, CNAME, MX")
		return faults.Err()
	}
	in.Type = rr.TypeName(code)
	for field, text := range map[string]*string{"from": &in.From, "to": &in.To} {
		canonical, err := rr.ParseData(in.Type, quoted(in.Type, strings.TrimSpace(*text)), ".")
		if err != nil {
			e := edit{}
			e.fault(&faults, field, *text, err)
			continue
		}
		*text = canonical
	}
	if len(faults) == 0 && in.From == in.To {
		faults.Add("to", in.To, "something else than what is looked for")
	}
	slices.SortFunc(faults, func(a, b core.Fault) int { return strings.Compare(a.Field, b.Field) })
	return faults.Err()
}

func nowhere(context.Context, *act.View, *BulkIn) (core.Ref, error) { return core.Ref{}, nil }

func (z *Zones) bulkFind() act.Declaration {
	return act.Query[BulkIn, Matches]{
		Name: "zone.bulk.find", Doc: "Find the records of all one's zones that a replacement would change.", Class: class, Roles: act.Hosted,
		Sample: BulkIn{Type: "A", From: "192.0.2.10", To: "198.51.100.10"}, Target: nowhere,
		Run: func(ctx context.Context, v *act.View, in BulkIn) (Matches, error) {
			if err := in.read(); err != nil {
				return Matches{}, err
			}
			owners, err := z.scope(ctx, v, in.Owner)
			if err != nil {
				return Matches{}, err
			}
			return matches(ctx, v, owners, in)
		},
	}
}

// matches walks through the records of all zones in scope: this is asked seldom,
// and an index over all data would cost every change.
func matches(ctx context.Context, v *act.View, owners []string, in BulkIn) (Matches, error) {
	out := Matches{From: in.From, To: in.To}
	collect := func(scan func(dest ...any) error) error {
		var m Match
		var data string
		err := scan(&m.ID, &m.at, &m.Name, &m.TTL, &data)
		if m.Zone = shown(m.at); slices.Contains(strings.Split(data, "\n"), in.From) { // LIKE takes large letters for small ones
			out.Records = append(out.Records, m)
		}
		return err
	}
	like := "%" + escaped(in.From) + "%"
	var err error
	if owners == nil {
		const q = `SELECT z.id, z.name, r.name, r.ttl, r.data FROM zone_zone z JOIN zone_rrset r ON r.zone_id = z.id AND r.generation = z.generation WHERE z.deleted = 0 AND z.name > $1 AND r.type = $2 AND r.data LIKE $3 ESCAPE '\' ORDER BY z.name, r.name LIMIT $4`
		err = v.Each(ctx, q, []any{in.After, in.Type, like, maxMatches + 1}, collect)
	}
	for _, owner := range owners {
		const q = `SELECT z.id, z.name, r.name, r.ttl, r.data FROM zone_zone z JOIN zone_rrset r ON r.zone_id = z.id AND r.generation = z.generation WHERE z.owner = $5 AND z.deleted = 0 AND z.name > $1 AND r.type = $2 AND r.data LIKE $3 ESCAPE '\' ORDER BY z.name, r.name LIMIT $4`
		if err == nil {
			err = v.Each(ctx, q, []any{in.After, in.Type, like, maxMatches + 1, owner}, collect)
		}
	}
	slices.SortFunc(out.Records, func(a, b Match) int { return cmp.Or(cmp.Compare(a.at, b.at), cmp.Compare(a.Name, b.Name)) })
	out.More = len(out.Records) > maxMatches
	out.Records = first(out.Records, maxMatches)
	out.Zones = len(byZone(out.Records))
	return out, err
}

// byZone puts matches of one zone together.
func byZone(all []Match) [][]Match {
	var out [][]Match
	for i, m := range all {
		if i == 0 || m.ID != all[i-1].ID {
			out = append(out, nil)
		}
		out[len(out)-1] = append(out[len(out)-1], m)
	}
	return out
}

// bulkReplace changes zone after zone: each is a change set of its own, with its
// version, its record and its rules. What is refused stays as it is and is
// counted; a job that is cut off can be started again.
func (z *Zones) bulkReplace() act.Declaration {
	return act.Job[BulkIn]{
		Name: "zone.bulk.replace", Doc: "Replace a record's data in all one's zones, each in a change set of its own.", Class: class, Roles: act.Hosted,
		Confirm: true, Serves: serves(), Sample: BulkIn{Type: "A", From: "192.0.2.10", To: "198.51.100.10"}, Target: nowhere,
		Run: func(ctx context.Context, w *act.Work, in BulkIn) (string, error) {
			var s sweep
			for more := true; more; {
				found, err := s.find(ctx, w, in)
				if err != nil {
					return s.summary(), err
				}
				groups := byZone(found.Records)
				if more = found.More; more && len(groups) > 1 {
					groups = groups[:len(groups)-1] // the last zone may have been cut in two
				}
				for i, g := range groups {
					if err := s.replace(ctx, w, in.Type, found, g); err != nil {
						return s.summary(), err
					}
					in.After = string(g[0].at)
					w.Progress(int64(i+1), int64(len(groups)))
				}
			}
			return s.summary(), nil
		},
	}
}

// sweep counts what a replacement did.
type sweep struct {
	zones, records, refused int
	why                     string // the first refusal
}

func (s *sweep) find(ctx context.Context, w *act.Work, in BulkIn) (Matches, error) {
	r, err := w.Do(ctx, call("zone.bulk.find", in))
	found, _ := r.Output.(Matches)
	return found, err
}

func (s *sweep) replace(ctx context.Context, w *act.Work, typ string, found Matches, group []Match) error {
	in := EditIn{Zone: group[0].ID}
	for _, m := range group {
		in.Changes = append(in.Changes,
			Edit{Action: "add", Name: m.Name, Type: typ, Data: found.To},
			Edit{Action: "remove", Name: m.Name, Type: typ, Data: found.From})
	}
	_, err := w.Do(ctx, call("zone.edit", in))
	switch {
	case err == nil:
		s.zones, s.records = s.zones+1, s.records+len(group)
	case ctx.Err() != nil || core.CodeOf(err) == core.Internal || core.CodeOf(err) == core.Unavailable:
		return err
	default:
		if s.refused++; s.why == "" {
			s.why = group[0].Zone + ": " + core.AsError(err).Sentence()
		}
	}
	return nil
}

func (s *sweep) summary() string {
	text := fmt.Sprintf("replaced %s in %s", some(s.records, "record"), some(s.zones, "zone"))
	if s.refused > 0 {
		was := "was"
		if s.refused > 1 {
			was = "were"
		}
		text += fmt.Sprintf("; %s %s refused, the first is %s", some(s.refused, "zone"), was, s.why)
	}
	return text
}

// some is a number of things.
func some(n int, what string) string {
	if n != 1 {
		what += "s"
	}
	return fmt.Sprintf("%d %s", n, what)
}
