package actionlog

import (
	"slices"
	"strings"

	"hostward/internal/ledger"
)

// matches holds one record against a filter, for streams, which read every
// record anyway.
func matches(f ledger.Filter, r ledger.Record) bool {
	e := r.Entry
	return any1(f.Classes, e.Class) && any1(f.Actions, e.Action) && any1(f.Doors, e.Door) && any1(f.Outcomes, e.Outcome) &&
		(f.From.IsZero() || !e.Time.Before(f.From)) && (f.To.IsZero() || e.Time.Before(f.To)) &&
		(f.Actor == "" || f.Actor == e.Actor.ID || f.Actor == e.By.ID) &&
		(f.Name == "" || strings.EqualFold(f.Name, e.Actor.Name) || strings.EqualFold(f.Name, e.By.Name)) &&
		(f.Address == "" || f.Address == e.Address) && (f.Session == "" || f.Session == e.Session) &&
		about(f, r) && says(f.Text, r)
}

func any1[T comparable](list []T, x T) bool { return len(list) == 0 || slices.Contains(list, x) }

func about(f ledger.Filter, r ledger.Record) bool {
	if f.Object.Kind == "" {
		return true
	}
	if f.Object.ID == "" && r.Entry.Object.Kind == f.Object.Kind || f.Object == r.Entry.Object {
		return true
	}
	return slices.ContainsFunc(r.Objects, func(l ledger.Link) bool {
		return l.Object == f.Object || f.Object.ID == "" && l.Object.Kind == f.Object.Kind
	})
}

// says looks for each word in the bytes of the record.
func says(text string, r ledger.Record) bool {
	leaf := strings.ToLower(string(r.Leaf))
	for word := range strings.FieldsSeq(strings.ToLower(text)) {
		if !strings.Contains(leaf, word) {
			return false
		}
	}
	return true
}
