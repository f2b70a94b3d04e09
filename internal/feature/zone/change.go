package zone

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// Changed is the answer of every operation that changes a zone.
type Changed struct {
	ID       string   `json:"id"`
	Zone     string   `json:"zone"` // for people
	Version  uint64   `json:"version"`
	Serial   uint32   `json:"serial"`
	Added    int64    `json:"added"`   // records
	Removed  int64    `json:"removed"` // records
	Diff     []string `json:"diff,omitempty"`
	Warnings []string `json:"warnings,omitempty"` // what works but is probably not meant
}

// Warned is for faces that show warnings beside a preview.
func (c Changed) Warned() []string { return c.Warnings }

// maxDiff bounds the lines of a diff in one answer.
const maxDiff = 2000

func (r row) changed(changes []rr.Change, warnings core.Faults) Changed {
	c := Changed{ID: r.ID, Zone: shown(r.Name), Version: r.Version, Serial: r.Serial, Diff: lines(changes), Warnings: sentences(warnings)}
	c.Added, c.Removed = tally(changes)
	return c
}

// sentences are warnings as people read them.
func sentences(warnings core.Faults) []string {
	var out []string
	for _, w := range warnings {
		out = append(out, w.String())
	}
	return out
}

// made is the answer for a new zone: its diff would be the zone itself.
func (r row) made(warnings core.Faults) Changed {
	c := r.changed(nil, warnings)
	c.Added = r.Records
	return c
}

// lines is a diff as text, cut with a last line that says so.
func lines(changes []rr.Change) []string {
	var out []string
	for _, c := range changes {
		out = append(out, c.Lines()...)
		if len(out) > maxDiff {
			return append(out[:maxDiff], "… more lines are left out")
		}
	}
	return out
}

// bump puts the next serial into the SOA of the RRsets that a change leaves
// (RFC 1982), unless it has a greater one already.
func bump(left map[rr.Key]rr.RRset, r row, now time.Time) uint32 {
	k := rr.Key{Name: r.Name, Type: "SOA"}
	s := left[k]
	if len(s.Data) != 1 {
		return r.Serial // Validate refuses it
	}
	soa, ok := rr.ParseSOA(s.Data[0])
	if !ok {
		return r.Serial
	}
	if !rr.SerialAfter(soa.Serial, r.Serial) {
		soa.Serial = rr.SerialNext(r.Serial, now)
	}
	s.Data = []string{soa.String()}
	left[k] = s
	return soa.Serial
}

// commit writes one version: rows, history, sums. It records nothing; that is
// the operation's part, and the gate sees to it. r becomes what is stored.
// sum, if known, is that of all RRsets afterwards.
func commit(ctx context.Context, tx *act.Tx, r *row, action string, changes []rr.Change, sum *rr.Accumulator) error {
	s, err := readSums(ctx, &tx.View, r.ID)
	if err != nil {
		return err
	}
	g, err := keyringOf(ctx, &tx.View, r.ID)
	if err != nil {
		return err
	}
	if err := g.reserved(r.Name, changes); err != nil {
		return err
	}
	if err := r.mayChange(ctx, tx, action); err != nil {
		return err
	}
	if sum != nil {
		s.Sets = *sum
	} else {
		s.apply(changes)
	}
	r.recount(changes)
	if err := tooLarge(r.Name, int(r.Sets)); err != nil {
		return err
	}
	text, err := deltas(changes)
	if err != nil {
		return err
	}
	if err := s.advance(ctx, tx, r, action, changes, text); err != nil {
		return err
	}
	if err := writeAll(ctx, tx, *r, changes); err != nil {
		return err
	}
	return updateZone(ctx, tx, *r, s)
}

// mayChange refuses to edit what is fed from elsewhere: the next transfer would
// take it back.
func (r row) mayChange(ctx context.Context, tx *act.Tx, action string) error {
	f, err := primaryOf(ctx, &tx.View, r.ID)
	if err != nil || !f.there() || slices.Contains([]string{"zone.receive", "zone.delete", "zone.delist", "zone.undelete"}, action) {
		return err
	}
	return core.Errorf(core.Conflict, "the zone follows %s: change it there, or make it your own first (zone.unfollow)", f.Primaries)
}

// advance writes the next version into the history; text is its deltas.
func (s *sums) advance(ctx context.Context, tx *act.Tx, r *row, action string, changes []rr.Change, text string) error {
	r.Version++
	r.Changed = tx.Now().UnixMicro()
	e := version{Version: r.Version, Serial: r.Serial, At: r.Changed, Actor: tx.Actor().ID, Action: action, Change: text}
	e.Added, e.Removed = tally(changes)
	s.History = e.after(s.History)
	return insertVersion(ctx, tx, r.ID, e)
}

// writeAll removes before it adds.
func writeAll(ctx context.Context, tx *act.Tx, r row, changes []rr.Change) error {
	isNew := func(c rr.Change) bool { return len(c.Old.Data) == 0 }
	for _, c := range changes {
		if isNew(c) {
			continue
		}
		if err := writeChange(ctx, tx, r, c); err != nil {
			return err
		}
	}
	rest, err := insertMany(ctx, tx, r, slices.Collect(filter(changes, isNew)))
	for _, c := range rest {
		if err == nil {
			err = writeChange(ctx, tx, r, c)
		}
	}
	return err
}

func filter[T any](list []T, keep func(T) bool) func(yield func(T) bool) {
	return func(yield func(T) bool) {
		for _, x := range list {
			if keep(x) && !yield(x) {
				return
			}
		}
	}
}

// Events of record changes.
const (
	added   = "zone.record.added"
	removed = "zone.record.removed"
	altered = "zone.record.changed"
)

// record notes old and new values, one event for each way RRsets changed, one
// field for each RRset. A SOA that only counted on is the field "serial".
func record(ctx context.Context, tx *act.Tx, before, after row, changes []rr.Change) error {
	fields := map[string][]act.Field{}
	for _, c := range changes {
		if c.New.Type == "SOA" && onlyCounted(c) {
			continue
		}
		event, f := field(c)
		fields[event] = append(fields[event], f)
	}
	serial := act.Field{Name: "serial", Old: ptr(number(before.Serial)), New: ptr(number(after.Serial))}
	if len(fields) == 0 { // the SOA's serial itself was set
		fields[altered] = nil
	}
	for _, event := range []string{added, removed, altered} {
		f, ok := fields[event]
		if !ok {
			continue
		}
		if err := tx.Record(ctx, event, after.ref(), append(f, serial)...); err != nil {
			return err
		}
	}
	return nil
}

// onlyCounted reports whether nothing of a SOA changed but the serial.
func onlyCounted(c rr.Change) bool {
	if len(c.Old.Data) != 1 || len(c.New.Data) != 1 || c.Old.TTL != c.New.TTL {
		return false
	}
	a, okA := rr.ParseSOA(c.Old.Data[0])
	b, okB := rr.ParseSOA(c.New.Data[0])
	a.Serial = b.Serial
	return okA && okB && a == b
}

// field is one RRset's change: the records that came and went, or all of them
// when the TTL changed.
func field(c rr.Change) (event string, f act.Field) {
	f.Name = c.Key().String()
	gone, come := c.Removed, c.Added
	if c.Old.TTL != c.New.TTL && len(c.Old.Data) > 0 && len(c.New.Data) > 0 {
		gone, come = c.Old.Data, c.New.Data
	}
	f.Old, f.New = value(c.Old.TTL, gone), value(c.New.TTL, come)
	switch {
	case f.Old == nil:
		return added, f
	case f.New == nil:
		return removed, f
	}
	return altered, f
}

// value is records as a field shows them: TTL and data, one record a line.
func value(ttl uint32, data []string) *string {
	if len(data) == 0 {
		return nil
	}
	out := make([]string, len(data))
	for i, d := range data {
		out[i] = fmt.Sprintf("%d %s", ttl, d)
	}
	return ptr(strings.Join(out, "\n"))
}

func ptr(s string) *string { return &s }

// split is the lines of a field's value.
func split(s *string) []string {
	if s == nil {
		return nil
	}
	return strings.Split(*s, "\n")
}
