package zone

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"hostward/internal/act"
	"hostward/internal/core"
	"hostward/internal/rr"
)

// Edit is one line of a change set.
type Edit struct {
	Action string `json:"action" doc:"add one record; remove one record, or without data the whole RRset; set the whole RRset: several set lines of one name and type together are its new content; left out: add" rule:"enum=add|remove|set"`
	Name   string `json:"name" doc:"name below the zone such as www; @ for the zone itself; with a final dot the full name" rule:"max=1020"`
	Type   string `json:"type" doc:"record type such as A, AAAA, MX, TXT" rule:"required,max=16"`
	TTL    string `json:"ttl" doc:"seconds, or such as 1h30m; empty keeps the RRset's, or takes the SOA record's" rule:"max=16"`
	Data   string `json:"data" doc:"the record's data as in a zone file, such as 10 mail" rule:"max=262144"`

	// Parts are for who does not know how data is written.
	Parts []string `json:"parts" doc:"the data part by part, instead of data: 10 and mail of an MX record; free text needs no quotes" rule:"blank,max=16" form:"parts"`

	alone bool // of an input whose own fields these are
}

// edit is a line that was read.
type edit struct {
	Edit
	field string // of the input, for faults
	key   rr.Key
	ttl   *uint32
	data  string // canonical; "" for the whole RRset
}

// parse reads lines for a zone and collects every fault.
func parse(lines []Edit, zone rr.Name, faults *core.Faults) []edit {
	out := make([]edit, 0, len(lines))
	for i, l := range lines {
		e := edit{Edit: l}
		if len(lines) > 1 || !l.alone {
			e.field = fmt.Sprintf("changes.%d.", i)
		}
		before := len(*faults)
		e.readName(zone, faults)
		e.readTTL(faults)
		e.readData(zone, faults)
		if len(*faults) == before {
			out = append(out, e)
		}
	}
	return out
}

func (e *edit) fault(faults *core.Faults, name, value string, err error) {
	told := core.AsError(err)
	says := told.Sentence()
	if len(told.Faults) == 1 { // where in the line it is helps nobody: there is one
		says = told.Faults[0].Accepted
	}
	faults.Add(e.field+name, value, says)
}

// readName takes a name that ends in the zone's own, without the final dot,
// as the full name: nobody means www.example.org.example.org.
func (e *edit) readName(zone rr.Name, faults *core.Faults) {
	text := strings.TrimSpace(e.Name)
	if text == "" {
		text = "@"
	}
	name, err := rr.ParseName(text, zone)
	if full, ferr := rr.ParseName(text, "."); err == nil && ferr == nil && full.Under(zone) {
		name = full
	}
	switch {
	case err != nil:
		e.fault(faults, "name", e.Name, err)
	case !name.Under(zone):
		faults.Add(e.field+"name", e.Name, "a name in the zone "+shown(zone))
	}
	e.key.Name = name
}

func (e *edit) readTTL(faults *core.Faults) {
	text := strings.TrimSpace(e.TTL)
	if text == "" {
		return
	}
	ttl, err := rr.ParseTTL(text)
	if err != nil {
		e.fault(faults, "ttl", e.TTL, err)
	}
	e.ttl = &ttl
}

func (e *edit) readData(zone rr.Name, faults *core.Faults) {
	code, known := rr.TypeCode(strings.TrimSpace(e.Type))
	if !known {
		faults.Add(e.field+"type", e.Type, "a record type such as A, AAAA, MX, TXT, or TYPE65400")
		return
	}
	e.key.Type = rr.TypeName(code)
	if signedOnly(e.key.Type) {
		faults.Add(e.field+"type", e.Type, "a record type that people write: signing makes this one")
		return
	}
	data, at, ok := e.written(zone, faults)
	if !ok || data == "" && e.Action == "remove" {
		return
	}
	canonical, err := rr.ParseData(e.key.Type, data, zone)
	switch {
	case err != nil:
		e.fault(faults, at, data, err)
	case doubled(data, canonical, zone):
		faults.Add(e.field+at, data, fmt.Sprintf("a full name ends with a dot: %s. is meant, not %s", shown(zone), zone+zone))
	}
	e.data = canonical
}

// written is the data as a line, and the field that a fault of it is about. Of
// parts that are right one by one and wrong together, it is the last.
func (e *edit) written(zone rr.Name, faults *core.Faults) (data, at string, ok bool) {
	data = strings.TrimSpace(e.Data)
	if !slices.ContainsFunc(e.Parts, func(p string) bool { return p != "" }) {
		return quoted(e.key.Type, data), "data", true
	}
	kind, known := rr.KindOf(e.key.Type)
	switch {
	case !known:
		faults.Add(e.field+"data", "", fmt.Sprintf("one line: the parts of %s are not known", e.key.Type))
		return "", "", false
	case data != "":
		faults.Add(e.field+"data", e.Data, "either data or its parts, not both")
		return "", "", false
	}
	text, wrong := kind.Join(e.Parts, zone)
	for _, f := range wrong {
		faults.Add(e.field+f.Field, f.Value, f.Accepted)
	}
	return text, fmt.Sprintf("parts.%d", len(kind.Parts)-1), len(wrong) == 0
}

// signedOnly reports whether only a signer makes records of this type.
func signedOnly(typ string) bool {
	return slices.Contains([]string{"RRSIG", "NSEC", "NSEC3", "NSEC3PARAM"}, typ)
}

// doubled reports a name that got the zone's name twice, which nobody wrote.
func doubled(text, canonical string, zone rr.Name) bool {
	twice := string(zone + zone)
	return !strings.Contains(strings.ToLower(text), twice) && strings.Contains(canonical, twice) && !strings.HasPrefix(canonical, `"`)
}

// perform changes the RRsets in left by the lines, one after another.
func perform(lines []edit, r row, left map[rr.Key]rr.RRset, faults *core.Faults) {
	base := left[rr.Key{Name: r.Name, Type: "SOA"}].TTL
	was := maps.Clone(left)
	fresh := map[rr.Key]bool{} // sets that a set line has begun
	for _, e := range lines {
		s := left[e.key]
		kept := s.TTL
		if len(s.Data) == 0 {
			kept = base
		}
		s.Name, s.Type, s.Data = e.key.Name, e.key.Type, slices.Clone(s.Data)
		switch {
		case e.Action == "remove":
			s.Data = e.without(s.Data, was[e.key].Data, faults)
		case e.Action == "set" && !fresh[e.key]:
			fresh[e.key] = true
			s.Data = []string{e.data}
		case !slices.Contains(s.Data, e.data):
			s.Data = append(s.Data, e.data)
		}
		s.TTL = kept
		if e.ttl != nil {
			s.TTL = *e.ttl
		}
		left[e.key] = s
	}
	for _, e := range lines {
		left[e.key] = canonical(left[e.key])
	}
}

// without removes one record, or all; what was never there cannot be removed.
// What set lines of the same change set left out already may be.
func (e *edit) without(data, was []string, faults *core.Faults) []string {
	if len(was) == 0 && len(data) == 0 {
		faults.Add(e.field+"name", e.Name, fmt.Sprintf("a record that is there: %s has none", e.key))
		return data
	}
	if e.data == "" {
		return nil
	}
	i := slices.Index(data, e.data)
	switch {
	case i >= 0:
		return slices.Delete(data, i, i+1)
	case !slices.Contains(was, e.data):
		faults.Add(e.field+"data", e.Data, fmt.Sprintf("a record that is there: %s has %s", e.key, strings.Join(was, ", ")))
	}
	return data
}

// canonical sorts the records of a set.
func canonical(s rr.RRset) rr.RRset {
	if len(s.Data) == 0 {
		return s
	}
	grouped, _ := rr.Group(s.Records())
	return grouped[0]
}

// around reads the RRsets that decide whether a change is valid: those at the
// names it is about, at every name above, and at the zone itself. A DNAME also
// decides about the names below it: then all are read.
func around(ctx context.Context, v *act.View, r row, lines []edit) (map[rr.Key]rr.RRset, error) {
	const few = 200
	names := map[rr.Name]bool{r.Name: true}
	for _, e := range lines {
		for n := e.key.Name; n != r.Name && !names[n]; n = n.Parent() {
			names[n] = true
		}
		if e.key.Type == "DNAME" || len(names) > few {
			return everything(ctx, v, r)
		}
	}
	found := map[rr.Key]rr.RRset{}
	for n := range names {
		if err := setsAt(ctx, v, r, n, found); err != nil {
			return nil, err
		}
	}
	return found, nil
}

func everything(ctx context.Context, v *act.View, r row) (map[rr.Key]rr.RRset, error) {
	all, err := unsorted(ctx, v, r)
	found := make(map[rr.Key]rr.RRset, len(all))
	for _, s := range all {
		found[s.Key()] = s
	}
	return found, err
}

func members(m map[rr.Key]rr.RRset) []rr.RRset { return slices.Collect(maps.Values(m)) }

// plan works out what lines do to a zone, from the RRsets given. Nothing to
// change gives no changes. serial is the one afterwards.
func plan(lines []Edit, r row, have map[rr.Key]rr.RRset, now time.Time) (changes []rr.Change, left map[rr.Key]rr.RRset, serial uint32, err error) {
	var faults core.Faults
	edits := parse(lines, r.Name, &faults)
	left = maps.Clone(have)
	perform(edits, r, left, &faults)
	if err := faults.Err(); err != nil {
		return nil, nil, 0, err
	}
	touched := []rr.Key{{Name: r.Name, Type: "SOA"}}
	for _, e := range edits {
		touched = append(touched, e.key)
	}
	if changes = moved(touched, have, left); len(changes) == 0 || onlyOlder(changes, r) {
		return nil, left, r.Serial, nil
	}
	serial = bump(left, r, now)
	return moved(touched, have, left), left, serial, nil
}

// moved compares the RRsets of these keys.
func moved(keys []rr.Key, have, left map[rr.Key]rr.RRset) []rr.Change {
	var old, new []rr.RRset
	seen := map[rr.Key]bool{}
	for _, k := range keys {
		if !seen[k] {
			seen[k] = true
			old, new = append(old, having(have, k)), append(new, having(left, k))
		}
	}
	return rr.Diff(old, new)
}

func having(m map[rr.Key]rr.RRset, k rr.Key) rr.RRset {
	s := m[k]
	s.Name, s.Type = k.Name, k.Type
	return s
}

// onlyOlder reports a SOA whose one change is a serial that is not greater:
// there is nothing to do.
func onlyOlder(changes []rr.Change, r row) bool {
	if len(changes) != 1 || changes[0].New.Type != "SOA" || !onlyCounted(changes[0]) {
		return false
	}
	soa, _ := rr.ParseSOA(changes[0].New.Data[0])
	return !rr.SerialAfter(soa.Serial, r.Serial)
}

// valid returns the faults of what a change leaves.
func valid(left map[rr.Key]rr.RRset, zone rr.Name) error {
	faults, _ := rr.Validate(members(left), zone)
	if len(faults) == 0 {
		return nil
	}
	return &core.Error{Code: core.Invalid, Public: "the zone would not be valid", Faults: faults}
}

// look is what Prepare does for every change of records: all rules over the
// whole zone, on a snapshot, so that the writer need not. It returns the
// warnings that the change brings. Faults of a zone that changed meanwhile are
// found again by apply.
func (z *Zones) look(ctx context.Context, v *act.View, zone string, lines []Edit) (core.Faults, error) {
	_, warnings, err := z.try(ctx, v, zone, lines)
	return warnings, err
}

// try works out what lines do to a zone, and the warnings that they bring.
func (z *Zones) try(ctx context.Context, v *act.View, zone string, lines []Edit) ([]rr.Change, core.Faults, error) {
	r, err := live(ctx, v, zone)
	if err != nil {
		return nil, nil, err
	}
	have, err := everything(ctx, v, r)
	if err != nil {
		return nil, nil, err
	}
	changes, left, _, err := plan(lines, r, have, v.Now())
	if err != nil || len(changes) == 0 {
		return nil, nil, err
	}
	if err := tooLarge(r.Name, len(left)); err != nil {
		return nil, nil, err
	}
	faults, after := rr.Validate(members(left), r.Name)
	if len(faults) > 0 {
		return nil, nil, valid(left, r.Name)
	}
	if len(after) == 0 {
		return changes, nil, nil
	}
	_, before := rr.Validate(members(have), r.Name)
	return changes, slices.Collect(filter(after, func(f core.Fault) bool { return !slices.Contains(before, f) })), nil
}

// apply makes a change set one version, inside the transaction.
func (z *Zones) apply(ctx context.Context, tx *act.Tx, action, zone string, lines []Edit, warnings core.Faults) (Changed, error) {
	r, err := live(ctx, &tx.View, zone)
	if err != nil {
		return Changed{}, err
	}
	var faults core.Faults
	have, err := around(ctx, &tx.View, r, parse(lines, r.Name, &faults))
	if err != nil {
		return Changed{}, err
	}
	changes, left, serial, err := plan(lines, r, have, tx.Now())
	if err != nil {
		return Changed{}, err
	}
	if len(changes) == 0 {
		return r.changed(nil, nil), nil
	}
	if err := valid(left, r.Name); err != nil {
		return Changed{}, err
	}
	return z.save(ctx, tx, r, action, serial, changes, warnings)
}

// told is apply for lines that were made of something else: what became of that is said
// even where nothing changes.
func (z *Zones) told(ctx context.Context, tx *act.Tx, action, zone string, lines []Edit, warnings core.Faults) (Changed, error) {
	out, err := z.apply(ctx, tx, action, zone, lines, nil)
	out.Warnings = sentences(warnings)
	return out, err
}

// save commits a version and records it.
func (z *Zones) save(ctx context.Context, tx *act.Tx, r row, action string, serial uint32, changes []rr.Change, warnings core.Faults) (Changed, error) {
	before := r
	r.Serial = serial
	if err := commit(ctx, tx, &r, action, changes, nil); err != nil {
		return Changed{}, err
	}
	return r.changed(changes, warnings), record(ctx, tx, before, r, changes)
}
