package ledger

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"golang.org/x/mod/sumdb/tlog"

	"hostward/internal/core"
)

// Record is one record as it is read again.
type Record struct {
	Seq     int64 // number in the log, never used again
	Epoch   int
	Index   int64 // leaf index in the tree of its epoch
	Hash    tlog.Hash
	State   State
	Entry   Entry        // with the personal values that still exist
	Erased  []string     // paths of personal values that are gone
	Long    []BlobRef    // differences kept outside the leaf that are not in Entry: not asked for, or aged out
	Objects []Link       // chains of the objects
	Tenants []TenantLink // tenants concerned; for a scope only its own
	Part    int
	Parts   int
	Leaf    []byte // the bytes in the tree; nil when the scope hides some of it
}

// Scope is what a reader may see: everything, or records that concern one of
// his tenants, and of those only the events about his tenants' objects.
type Scope struct {
	All     bool
	Tenants []string
}

// Everything is the scope of administrators and auditors.
var Everything = Scope{All: true}

func (s Scope) tenant(id string) bool { return s.All || slices.Contains(s.Tenants, id) }

func (s Scope) sees(l *Leaf) bool {
	return s.All || slices.ContainsFunc(l.Tenants, func(t TenantLink) bool { return s.tenant(t.ID) })
}

// Browser reads the log.
type Browser struct {
	Keys   Keys
	Status func(seq int64) State // Sealer.Status; nil: committed is all that is known
}

// record turns a leaf into a Record, without personal values and blobs.
func (b Browser) record(e Epoch, seq int64, leaf []byte, l *Leaf, scope Scope) Record {
	r := Record{
		Seq: seq, Epoch: e.Number, Index: seq - e.Base, Hash: LeafHash(leaf), State: Committed,
		Entry: l.entry(), Objects: slices.Clone(l.Objects), Tenants: slices.Clone(l.Tenants),
		Part: l.Part, Parts: l.Parts, Leaf: slices.Clone(leaf),
	}
	if b.Status != nil {
		r.State = b.Status(seq)
	}
	r.restrict(scope)
	return r
}

// entry is the plain part of the record.
func (l *Leaf) entry() Entry {
	e := Entry{
		ID: l.ID, Time: time.UnixMicro(l.Time).UTC(), Action: l.Action, Class: l.Class, Door: l.Door,
		Actor: Identity{Kind: l.Actor.Kind, ID: l.Actor.ID}, By: Identity{Kind: l.By.Kind, ID: l.By.ID},
		Session: l.Session, Object: l.Object, Tenant: l.Tenant, Outcome: l.Outcome, Code: l.Code,
		Reason: l.Reason, Count: l.Count,
	}
	if l.Count > 0 {
		e.First = time.UnixMicro(l.First).UTC()
	}
	for i := range l.Events {
		e.Events = append(e.Events, l.event(i))
	}
	return e
}

func (l *Leaf) event(i int) Event {
	f := &l.Events[i]
	e := Event{Name: f.Name, Object: f.Object, Fields: make([]Field, len(f.Fields))}
	for j, field := range f.Fields {
		if field.Personal {
			field.Old, field.New = nil, nil
		}
		e.Fields[j] = field
	}
	for _, k := range l.Objects {
		if k.Object == f.Object {
			e.Tenant, e.State = k.Tenant, k.State
		}
	}
	return e
}

// restrict takes away what a scope may not see.
func (r *Record) restrict(s Scope) {
	foreign := func(tenant string) bool { return !s.tenant(tenant) }
	if s.All || !slices.ContainsFunc(r.Tenants, func(t TenantLink) bool { return foreign(t.ID) }) {
		return
	}
	r.Leaf = nil
	r.Tenants = slices.DeleteFunc(r.Tenants, func(t TenantLink) bool { return foreign(t.ID) })
	r.Objects = slices.DeleteFunc(r.Objects, func(k Link) bool { return foreign(k.Tenant) })
	for i := range r.Entry.Events {
		if e := &r.Entry.Events[i]; foreign(e.Tenant) {
			*e = Event{}
		}
	}
	if foreign(r.Entry.Tenant) {
		r.Entry.Object, r.Entry.Tenant = core.Ref{}, ""
	}
}

// complete opens the personal values of a record and, if long, loads long
// differences; then it drops the events that restrict has emptied.
func (b Browser) complete(ctx context.Context, r Reader, rec *Record, l *Leaf, long bool) error {
	openings, err := b.open(ctx, r, rec.Seq, l)
	if err != nil {
		return err
	}
	if long {
		if err := loadBlobs(ctx, r, rec, l); err != nil {
			return err
		}
	}
	for path, commitment := range l.commitments() {
		rec.show(path, commitment, openings)
	}
	for i := range rec.Entry.Events {
		if e := &rec.Entry.Events[i]; e.Name != "" {
			showFields(rec, l, i, openings)
		}
	}
	for i, f := range l.Events {
		if f.Blob != nil && rec.Entry.Events[i].Name != "" && len(rec.Entry.Events[i].Fields) == 0 {
			rec.Long = append(rec.Long, *f.Blob)
		}
	}
	rec.Entry.Events = slices.DeleteFunc(rec.Entry.Events, func(e Event) bool { return e.Name == "" })
	return nil
}

// commitments yields those outside events, by path.
func (l *Leaf) commitments() map[string]string {
	m := map[string]string{}
	for path, c := range map[string]string{"actor.name": l.Actor.Name, "by.name": l.By.Name, "ip": l.IP, "agent": l.Agent} {
		if c != "" {
			m[path] = c
		}
	}
	return m
}

// show puts the value at path into the entry, if it is there and true.
func (r *Record) show(path, commitment string, openings map[string]Opening) {
	o, ok := openings[path]
	if !ok || o.Commit() != commitment {
		r.Erased = append(r.Erased, path)
		return
	}
	switch path {
	case "actor.name":
		r.Entry.Actor.Name = o.Value
	case "by.name":
		r.Entry.By.Name = o.Value
	case "ip":
		r.Entry.Address = o.Value
	case "agent":
		r.Entry.Agent = o.Value
	}
}

// showFields opens the personal fields of event i. Its fields are those of the
// leaf, or of the blob, whose commitments restrict never touches.
func showFields(r *Record, l *Leaf, i int, openings map[string]Opening) {
	e := &r.Entry.Events[i]
	for j := range e.Fields {
		f := &e.Fields[j]
		if !f.Personal {
			continue
		}
		old, new := f.Old, f.New
		if l.Events[i].Blob == nil {
			old, new = l.Events[i].Fields[j].Old, l.Events[i].Fields[j].New
		}
		path := "events." + strconv.Itoa(i) + ".fields." + strconv.Itoa(j)
		f.Old = r.opened(path+".old", old, openings)
		f.New = r.opened(path+".new", new, openings)
	}
}

func (r *Record) opened(path string, commitment *string, openings map[string]Opening) *string {
	if commitment == nil {
		return nil
	}
	o, ok := openings[path]
	if !ok || o.Commit() != *commitment {
		r.Erased = append(r.Erased, path)
		return nil
	}
	return &o.Value
}

// open reads the personal values of one record, by path. Values whose period
// is dropped are not there.
func (b Browser) open(ctx context.Context, r Reader, seq int64, l *Leaf) (map[string]Opening, error) {
	rows, err := r.Query(ctx, `SELECT id, period, sealed FROM ledger_personal WHERE id >= $1 AND id < $2`, seq*8, seq*8+8)
	if err != nil {
		return nil, fmt.Errorf("reading personal values: %w", err)
	}
	defer rows.Close()
	found := map[string]Opening{}
	for rows.Next() {
		var row personalRow
		if err := rows.Scan(&row.id, &row.period, &row.sealed); err != nil {
			return nil, fmt.Errorf("reading personal values: %w", err)
		}
		list, err := openRow(ctx, b.Keys, l.ID, row)
		if errors.Is(err, ErrPeriodDropped) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("reading personal values of record %d: %w", seq, err)
		}
		for _, o := range list {
			found[o.Path] = o
		}
	}
	return found, rows.Err()
}

func openRow(ctx context.Context, keys Keys, id string, row personalRow) ([]Opening, error) {
	plain, err := keys.OpenPersonal(ctx, row.period, personalAD(id, int(row.id%8)), row.sealed)
	if err != nil {
		return nil, err
	}
	return unpackOpenings(plain)
}

// loadBlobs puts long differences into the events. A blob whose retention has
// ended stays away and shows as Long.
func loadBlobs(ctx context.Context, r Reader, rec *Record, l *Leaf) error {
	for i := range l.Events {
		ref := l.Events[i].Blob
		if ref == nil || rec.Entry.Events[i].Name == "" {
			continue
		}
		data, err := readBlob(ctx, r, ref.Digest)
		if err != nil {
			return err
		}
		if data == nil {
			continue
		}
		if rec.Entry.Events[i].Fields, err = DecodeFields(data); err != nil {
			return fmt.Errorf("long difference %s: %w", ref.Digest, err)
		}
	}
	return nil
}

func readBlob(ctx context.Context, r Reader, digest string) ([]byte, error) {
	rows, err := r.Query(ctx, `SELECT data FROM ledger_blob WHERE digest = $1`, digest)
	if err != nil {
		return nil, fmt.Errorf("reading a long difference: %w", err)
	}
	defer rows.Close()
	var data []byte
	if rows.Next() {
		err = rows.Scan(&data)
	}
	return data, errors.Join(err, rows.Err())
}
