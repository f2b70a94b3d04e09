package ledger

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"hostward/internal/core"
)

// The longest free texts in bytes; more is cut, with "…" at the end.
const (
	maxReason = 1024
	maxAgent  = 512
	maxID     = 256
	maxName   = 256
	maxKind   = 64
)

// check refuses what only a mistake in the program can cause.
func (e *Entry) check() error {
	for _, s := range []struct{ what, value string }{
		{"id", e.ID}, {"action", e.Action}, {"class", e.Class}, {"door", e.Door},
		{"actor kind", e.Actor.Kind}, {"outcome", string(e.Outcome)},
	} {
		if s.value == "" || len(s.value) > maxID || clean(s.value, maxID) != s.value {
			return fmt.Errorf("the record's %s %q: it must be text of 1 to %d bytes", s.what, s.value, maxID)
		}
	}
	for i := range e.Events {
		v := &e.Events[i]
		if v.Name == "" || v.Object.Kind == "" || v.Object != cleanRef(v.Object) || (v.State != "" && v.State != "-" && !isHash(v.State)) {
			return fmt.Errorf(`event %d (%q) of record %s: it needs a name, an object and a state: 64 hex digits, "-" or ""`, i, v.Name, e.ID)
		}
	}
	return nil
}

// leaf fills everything but events and chains.
func (e *Entry) leaf(now core.Clock) (Leaf, secrets) {
	var p secrets
	at := e.Time
	if at.IsZero() {
		at = now()
	}
	l := Leaf{
		ID: e.ID, Time: micros(at), Action: e.Action, Class: e.Class, Door: e.Door,
		Actor:   e.Actor.party(partActor, "actor.name", &p),
		By:      e.By.party(partBy, "by.name", &p),
		Session: clean(e.Session, maxID), Object: cleanRef(e.Object), Tenant: clean(e.Tenant, maxID),
		Outcome: e.Outcome, Code: core.Code(clean(string(e.Code), maxKind)), Reason: clean(e.Reason, maxReason),
	}
	if l.Object.Kind == "" {
		l.Object = core.Ref{}
	}
	if e.Address != "" {
		l.IP = p.add(partSource, "ip", clean(e.Address, maxKind))
	}
	if e.Agent != "" {
		l.Agent = p.add(partSource, "agent", clean(e.Agent, maxAgent))
	}
	if e.Count > 1 {
		l.Count, l.First = e.Count, l.Time
		if !e.First.IsZero() {
			l.First = micros(e.First)
		}
	}
	return l, p
}

// micros is never before 1970: a leaf has no way to say so.
func micros(t time.Time) int64 { return max(t.UnixMicro(), 0) }

func (i Identity) party(part int, path string, p *secrets) Party {
	party := Party{Kind: clean(i.Kind, maxKind), ID: clean(i.ID, maxID)}
	if i.Name != "" {
		party.Name = p.add(part, path, clean(i.Name, maxName))
	}
	if party.Kind == "" && party != (Party{}) {
		party.Kind = "unknown"
	}
	return party
}

// addEvents puts events into l, their personal values into p and long
// differences into blobs, which it returns.
func (l *Leaf) addEvents(events []Event, long bool, p *secrets, seq int64, blobs []blobRow) []blobRow {
	for i := range events {
		e := &events[i]
		f := Fact{Name: clean(e.Name, maxName), Object: cleanRef(e.Object), Fields: make([]Field, len(e.Fields))}
		for j := range e.Fields {
			f.Fields[j] = e.Fields[j].commit("events."+strconv.Itoa(i)+".fields."+strconv.Itoa(j), p)
		}
		if long && fieldsSize(e.Fields) > smallFields {
			data := appendFields(nil, f.Fields)
			sum := sha256.Sum256(data)
			f.Blob = &BlobRef{Digest: hex.EncodeToString(sum[:]), Count: len(f.Fields), Size: len(data)}
			f.Fields = nil
			blobs = append(blobs, blobRow{f.Blob.Digest, seq, data})
		}
		l.Events = append(l.Events, f)
	}
	return blobs
}

// commit returns f as a leaf holds it.
func (f Field) commit(path string, p *secrets) Field {
	c := Field{Name: clean(f.Name, maxName), Personal: f.Personal && !f.Secret, Secret: f.Secret}
	if c.Name == "" {
		c.Name = "value"
	}
	if f.Secret {
		return c
	}
	keep := func(suffix string, v *string) *string {
		if v == nil {
			return nil
		}
		s := storable(*v)
		if f.Personal {
			s = p.add(partActor, path+suffix, s)
		}
		return &s
	}
	c.Old, c.New = keep(".old", f.Old), keep(".new", f.New)
	return c
}

// split cuts events into groups that fit one leaf each. long says that their
// differences together are too long for leaves (SPEC L2).
func split(events []Event) (parts [][]Event, long bool) {
	total := 0
	for i := range events {
		total += fieldsSize(events[i].Fields)
	}
	long = total > blobAbove
	start, used := 0, 0
	for i := range events {
		size := eventSize(&events[i], long)
		if used+size > leafBudget && i > start {
			parts = append(parts, events[start:i])
			start, used = i, 0
		}
		used += size
	}
	return append(parts, events[start:]), long
}

// eventSize is at least what an event, its link and its tenants take in a leaf.
func eventSize(e *Event, long bool) int {
	fields := fieldsSize(e.Fields)
	if long && fields > smallFields {
		fields = 160
	}
	names := encodedSize(e.Name) + 2*encodedSize(e.Object.Kind) + 2*encodedSize(e.Object.ID) + 3*encodedSize(e.Tenant)
	return fields + names + 600
}

func fieldsSize(fields []Field) int {
	n := 0
	for i := range fields {
		f := &fields[i]
		n += 40 + encodedSize(f.Name)
		for _, v := range []*string{f.Old, f.New} {
			switch {
			case v == nil || f.Secret:
			case f.Personal:
				n += 80
			default:
				n += 10 + encodedSize(*v)
			}
		}
	}
	return n
}

// encodedSize is at least the length of s in a leaf.
func encodedSize(s string) int {
	n := len(s)
	for i := range len(s) {
		if c := s[i]; c < 0x20 || c >= 0x80 {
			n += 5
		} else if c == '"' || c == '\\' {
			n++
		}
	}
	return n
}

func cleanRef(r core.Ref) core.Ref {
	return core.Ref{Kind: clean(r.Kind, maxKind), ID: clean(r.ID, maxID)}
}

// clean makes s storable and cuts it to most bytes.
func clean(s string, most int) string {
	if s = storable(s); len(s) <= most {
		return s
	}
	cut := most - len("…")
	for cut > 0 && !utf8.RuneStart(s[cut]) {
		cut--
	}
	return s[:cut] + "…"
}

// storable makes s valid UTF-8 without NUL, which PostgreSQL cannot store.
func storable(s string) string {
	if !utf8.ValidString(s) {
		s = strings.ToValidUTF8(s, "\uFFFD")
	}
	if strings.IndexByte(s, 0) >= 0 {
		s = strings.ReplaceAll(s, "\x00", "\uFFFD")
	}
	return s
}

func sortedKeys[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
