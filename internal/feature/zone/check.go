package zone

import (
	"context"
	"slices"
	"strconv"
	"strings"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// CheckIn is a change set that somebody is still writing.
type CheckIn struct {
	Zone    string `json:"zone" doc:"name or id of the zone" rule:"required,max=1020" cli:"arg"`
	Changes []Edit `json:"changes" doc:"what would be changed" rule:"max=5000"`
}

// Checked is what a change set would do, and what is wrong with it.
type Checked struct {
	Faults   []LineFault `json:"faults,omitempty"`
	Warnings []string    `json:"warnings,omitempty"` // what works but is probably not meant
	Diff     []string    `json:"diff,omitempty"`     // "- record", "+ record"
}

// LineFault is a fault of one line, or of the zone that all of them would make.
type LineFault struct {
	Line  int    `json:"line"` // from 0; -1: of the whole
	Field string `json:"field,omitempty"`
	Says  string `json:"says"` // a sentence without its full stop
}

// check is asked while people type. A fault is an answer here, no failure: who
// has written half a line has done nothing wrong yet.
func (z *Zones) check() act.Declaration {
	return act.Query[CheckIn, Checked]{
		Name: "zone.check", Doc: "Say what a change set would do to a zone, and what is wrong with it, line by line.", Class: class, Roles: act.Hosted,
		Sample: CheckIn{Zone: "example.org", Changes: []Edit{{Action: "add", Name: "www", Type: "AAAA", Data: "2001:db8::80"}}},
		Target: func(ctx context.Context, v *act.View, in *CheckIn) (core.Ref, error) { return target(ctx, v, in.Zone) },
		Run: func(ctx context.Context, v *act.View, in CheckIn) (Checked, error) {
			changes, warnings, err := z.try(ctx, v, in.Zone, in.Changes)
			if err != nil && core.CodeOf(err) != core.Invalid {
				return Checked{}, err
			}
			return Checked{Faults: byLine(err), Warnings: sentences(warnings), Diff: worthTelling(changes)}, nil
		},
	}
}

// byLine says which line each fault is about.
func byLine(err error) []LineFault {
	if err == nil {
		return nil
	}
	e := core.AsError(err)
	if len(e.Faults) == 0 {
		return []LineFault{{Line: -1, Says: e.Sentence()}}
	}
	var out []LineFault
	for _, f := range e.Faults {
		out = append(out, lineOf(f))
	}
	return out
}

func lineOf(f core.Fault) LineFault {
	if rest, ok := strings.CutPrefix(f.Field, "changes."); ok {
		number, field, _ := strings.Cut(rest, ".")
		if n, err := strconv.Atoi(number); err == nil {
			return LineFault{Line: n, Field: field, Says: f.Accepted}
		}
	}
	return LineFault{Line: -1, Says: f.String()}
}

// worthTelling is a diff without the serial, which always counts on.
func worthTelling(changes []rr.Change) []string {
	return lines(slices.Collect(filter(changes, func(c rr.Change) bool { return c.New.Type != "SOA" || !onlyCounted(c) })))
}

// quoted is the data of a TXT record as a file has it. People paste text such as
// v=spf1 mx -all or a DKIM key of 400 letters without quotes: it is one text.
func quoted(typ, data string) string {
	if typ != "TXT" && typ != "SPF" || data == "" || strings.HasPrefix(data, `\#`) {
		return data
	}
	if whole, one := strings.CutSuffix(strings.TrimPrefix(data, `"`), `"`); one && data[0] == '"' && len(whole) > 255 && !strings.ContainsAny(whole, `"\`) {
		return rr.Text(whole)
	}
	if strings.Contains(data, `"`) {
		return data
	}
	return rr.Text(data)
}
