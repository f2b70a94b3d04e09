package zone

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// ManyIn is an archive of zone files.
type ManyIn struct {
	File    act.File `json:"file" doc:"tar, tar.gz or zip archive of zone files, each of one zone; on the command line also a folder" rule:"required" form:"file" cli:"arg"`
	Owner   string   `json:"owner" doc:"customer or reseller who will own new zones, by log-in name or id; left out: you" rule:"max=254"`
	Replace bool     `json:"replace" doc:"zones may be there already: their records become those of their files"`
	Whole   bool     `json:"whole" doc:"all or nothing: import no zone at all as long as a file has a fault or its zone is there already"`
}

// Many is what an archive holds, and what becomes of it.
type Many struct {
	New     int        `json:"new"`     // zones
	Replace int        `json:"replace"` // zones
	There   int        `json:"there"`   // zones that are left as they are
	Faulty  int        `json:"faulty"`  // files
	Files   []Incoming `json:"files"`
}

// Incoming is one file of an archive.
type Incoming struct {
	File    string   `json:"file"`
	Zone    string   `json:"zone,omitempty"`
	State   string   `json:"state"` // new, replace, there, faulty, left out
	Records int      `json:"records,omitempty"`
	Says    []string `json:"says,omitempty"` // faults, with line and column

	name rr.Name
	text []byte
}

// importMany takes many zones over at once. It is looked at first: what is wrong
// with one file does not stop the others.
func (z *Zones) importMany() act.Declaration {
	return act.Job[ManyIn]{
		Name: "zone.bulk.import", Doc: "Import many zones from an archive of zone files, each in a step of its own.", Class: class, Roles: act.Hosted,
		Confirm: true, Serves: serves(), Sample: ManyIn{File: act.NewFile(sampleFile)},
		Target: func(ctx context.Context, v *act.View, in *ManyIn) (core.Ref, error) {
			return z.account(ctx, v, &in.Owner)
		},
		Look: func(ctx context.Context, v *act.View, in ManyIn) (any, error) { return z.incoming(ctx, v, in) },
		Run: func(ctx context.Context, w *act.Work, in ManyIn) (string, error) {
			c := call("zone.bulk.import", in)
			c.Preview = true
			r, err := w.Do(ctx, c)
			if err != nil {
				return "", err
			}
			m, _ := r.Output.(Many)
			if in.Whole && m.Faulty+m.There > 0 {
				return "", core.Errorf(core.Invalid, "nothing was imported: %s", strings.Join(m.troubles(), "; "))
			}
			return m.work(ctx, w, in)
		},
	}
}

// incoming reads an archive and says what would become of each file.
func (z *Zones) incoming(ctx context.Context, v *act.View, in ManyIn) (Many, error) {
	var m Many
	f, err := v.Open(in.File)
	if err != nil {
		return m, err
	}
	data, err := io.ReadAll(io.LimitReader(f, maxArchive+1))
	if err := f.Close(); err != nil {
		return m, err
	}
	if err != nil {
		return m, err
	}
	seen := map[rr.Name]string{}
	err = unpack(data, func(p packed) error {
		one := Incoming{File: label(p.name), State: "left out", text: p.text}
		switch {
		case noZone(p.name):
		case p.why != "":
			one.State, one.Says = "faulty", []string{p.why}
		default:
			if err := z.judge(ctx, v, in, p.name, &one, seen); err != nil {
				return err
			}
		}
		m.add(one)
		return nil
	})
	if err == nil && len(m.Files) == 0 {
		err = core.Errorf(core.Invalid, "the archive holds no files")
	}
	return m, err
}

// judge finds out what importing one file would do.
func (z *Zones) judge(ctx context.Context, v *act.View, in ManyIn, name string, one *Incoming, seen map[rr.Name]string) error {
	origin, records, err := readFile(one.text, name)
	if err == nil {
		one.name, one.Zone, one.Records, one.State = origin, shown(origin), records, "new"
		if other, twice := seen[origin]; twice {
			err = core.Errorf(core.Conflict, "%s has this zone too", other)
		} else {
			seen[origin] = one.File
			err = z.destined(ctx, v, in, one)
		}
	}
	if core.CodeOf(err) == core.Internal || core.CodeOf(err) == core.Unavailable {
		return err
	}
	if err != nil {
		one.State, one.Says = "faulty", says(err)
	}
	return nil
}

// destined says whether a zone is new, or what becomes of the one that is there.
func (z *Zones) destined(ctx context.Context, v *act.View, in ManyIn, one *Incoming) error {
	r, there, err := byName(ctx, v, one.name)
	if err != nil {
		return err
	}
	mine := false
	if there {
		if mine, err = z.actsFor(ctx, v, r.Owner); err != nil {
			return err
		}
	}
	switch {
	case !mine: // of others it is said as little as anywhere
		return z.claim(ctx, v, one.name, in.Owner)
	case in.Replace:
		one.State = "replace"
	default:
		one.State = "there"
	}
	return nil
}

// readFile reads the zone in a file. Its name is what the file says; where the
// file says none, the file's own name does.
func readFile(text []byte, name string) (rr.Name, int, error) {
	if !utf8.Valid(text) {
		return "", 0, core.Errorf(core.Invalid, "it is no text in UTF-8")
	}
	file, err := rr.ParseZone(bytes.NewReader(text), rr.Options{MaxRecords: maxRecords})
	if origin := named(name); err != nil && origin != "" {
		file, err = rr.ParseZone(bytes.NewReader(text), rr.Options{MaxRecords: maxRecords, Origin: origin})
	}
	if err != nil {
		return "", 0, err
	}
	if _, err := check(file, ""); err != nil {
		return "", 0, err
	}
	records := 0
	for _, s := range file.Sets {
		records += len(s.Data)
	}
	return file.Origin, records, nil
}

// says are the first faults of a file, with line and column.
func says(err error) []string {
	e := core.AsError(err)
	if len(e.Faults) == 0 {
		return []string{e.Sentence()}
	}
	return sentences(first(e.Faults, 5))
}

func (m *Many) add(one Incoming) {
	m.Files = append(m.Files, one)
	if n := map[string]*int{"new": &m.New, "replace": &m.Replace, "there": &m.There, "faulty": &m.Faulty}[one.State]; n != nil {
		*n++
	}
}

// work imports what can be, zone after zone. What is refused meanwhile is faulty
// from then on; a job that is cut off can be started again.
func (m Many) work(ctx context.Context, w *act.Work, in ManyIn) (string, error) {
	var done Many
	for i, one := range m.Files {
		if one.State == "new" || one.State == "replace" {
			_, err := w.Do(ctx, call("zone.import", ImportIn{File: act.NewFile(string(one.text)), Name: string(one.name), Owner: in.Owner, Replace: one.State == "replace"}))
			switch {
			case err == nil:
			case ctx.Err() != nil || core.CodeOf(err) == core.Internal || core.CodeOf(err) == core.Unavailable:
				return done.summary(), err
			default:
				one.State, one.Says = "faulty", says(err)
			}
		}
		done.add(one)
		w.Progress(int64(i+1), int64(len(m.Files)))
	}
	return done.summary(), nil
}

// troubles are the files that were not imported, each with its first fault.
func (m Many) troubles() []string {
	const most = 20
	var out []string
	for _, one := range m.Files {
		switch one.State {
		case "faulty":
			out = append(out, fmt.Sprintf("%s: %.150s", one.File, one.Says[0]))
		case "there":
			out = append(out, one.Zone+" is there already")
		}
	}
	if len(out) > most {
		out = append(out[:most], fmt.Sprintf("and %d more", len(out)-most))
	}
	return out
}

func (m Many) summary() string {
	text := "imported " + some(m.New, "new zone")
	if m.Replace > 0 {
		text += fmt.Sprintf(", replaced %d", m.Replace)
	}
	if t := m.troubles(); len(t) > 0 {
		text += "; not imported: " + strings.Join(t, "; ")
	}
	return text
}
