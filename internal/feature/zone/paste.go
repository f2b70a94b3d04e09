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
	"hostward/internal/rr/sign"
)

// PasteIn is a zone file, or a few lines of one.
type PasteIn struct {
	Zone string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Text string `json:"text" doc:"records as a zone file or another provider shows them, one a line" rule:"required,max=1048576" form:"textarea" cli:"arg"`
	How  string `json:"how" doc:"add these records to those of the zone, or replace all of them; left out: add" rule:"enum=add|replace"`
	Apex bool   `json:"apex" doc:"take SOA and NS of the zone itself too, which are those of its old nameservers mostly"`

	made []Edit
	warned
}

// paste reads records as they are found elsewhere. They become the lines of a
// change set, so that they are judged, previewed and recorded like one.
func (z *Zones) paste() act.Declaration {
	return changing(z, "zone.paste", "Add records from the text of a zone file, or replace those of a zone by them.",
		PasteIn{Zone: "example.org", Text: "www 300 IN A 192.0.2.10\n@ IN MX 10 mail.example.net.\n"}, z.pasted, z.told)
}

func (in PasteIn) lines() (string, []Edit) { return in.Zone, in.made }

func (z *Zones) pasted(ctx context.Context, v *act.View, in *PasteIn) error {
	r, err := live(ctx, v, in.Zone)
	if err != nil {
		return err
	}
	have, err := sets(ctx, v, r)
	if err != nil {
		return err
	}
	file, err := rr.ParseZone(strings.NewReader(in.Text), rr.Options{Origin: r.Name, TTL: cmp.Or(ttlOf(have, r.Name), 3600), MaxRecords: maxRecords})
	if err != nil {
		return err
	}
	p := pasting{zone: r.Name, apex: in.Apex, notes: file.Notes}
	taken := p.take(file.Sets)
	if err := p.faults.Err(); err != nil {
		return err
	}
	in.made = written(taken, in.How == "replace")
	if in.How == "replace" {
		in.made = append(in.made, p.rest(have, taken)...)
	}
	warnings, err := z.look(ctx, v, in.Zone, in.made)
	in.warn(append(p.notes, warnings...))
	return err
}

// ttlOf is the TTL of a zone's SOA record: what lines without a TTL get.
func ttlOf(all []rr.RRset, zone rr.Name) uint32 {
	i := slices.IndexFunc(all, func(s rr.RRset) bool { return s.Key() == rr.Key{Name: zone, Type: "SOA"} })
	if i < 0 {
		return 0
	}
	return all[i].TTL
}

// pasting is what is read from a pasted text and what is left out of it.
type pasting struct {
	zone   rr.Name
	apex   bool
	notes  core.Faults
	faults core.Faults
}

// take returns what the zone takes over.
func (p *pasting) take(all []rr.RRset) []rr.RRset {
	var out []rr.RRset
	var made, old, full []string
	for _, s := range all {
		if name, twice := strings.CutSuffix(string(s.Name), string(p.zone+p.zone)); twice && p.zone != "." {
			s.Name = rr.Name(name) + p.zone
			full = append(full, s.Key().String())
		}
		switch {
		case !s.Name.Under(p.zone):
			p.faults.Add("text", s.Key().String(), "names in the zone "+shown(p.zone))
		case sign.Makes(p.zone, s.Key()):
			made = append(made, s.Key().String())
		case !p.apex && delegating(p.zone, s.Key()):
			old = append(old, s.Key().String())
		default:
			out = append(out, s)
		}
	}
	p.note(made, "%s left out: signing makes what is needed of it")
	p.note(old, "%s left out: the zone keeps its own")
	p.note(full, "%s read as the full name, though its final dot is missing")
	return out
}

func (p *pasting) note(keys []string, says string) {
	if len(keys) > 0 {
		verb := " is"
		if len(keys) > 1 {
			verb = " are"
		}
		p.notes.Add("", "", fmt.Sprintf(says, strings.Join(first(keys, 5), ", ")+verb))
	}
}

// delegating reports the SOA and NS records of the zone itself.
func delegating(zone rr.Name, k rr.Key) bool {
	return k.Name == zone && (k.Type == "SOA" || k.Type == "NS")
}

// written are RRsets as lines of a change set.
func written(all []rr.RRset, replace bool) []Edit {
	action := "add"
	if replace {
		action = "set"
	}
	var out []Edit
	for _, s := range all {
		for _, d := range s.Data {
			out = append(out, Edit{Action: action, Name: string(s.Name), Type: s.Type, TTL: number(s.TTL), Data: d})
		}
	}
	return out
}

// rest removes what the zone has and the text has not.
func (p *pasting) rest(have, taken []rr.RRset) []Edit {
	stays := map[rr.Key]bool{}
	for _, s := range taken {
		stays[s.Key()] = true
	}
	var out []Edit
	for _, s := range have {
		if !stays[s.Key()] && s.Type != "SOA" && (p.apex && len(taken) > 0 || !delegating(p.zone, s.Key())) {
			out = append(out, Edit{Action: "remove", Name: string(s.Name), Type: s.Type})
		}
	}
	return out
}
