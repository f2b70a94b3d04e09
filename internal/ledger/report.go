package ledger

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"hostward/internal/core"
)

// Report is the result of Verify.
type Report struct {
	Findings  []Finding // by record, then the rest; empty: nothing was changed
	More      int       // findings beyond those listed
	Epochs    int
	Records   int64 // in the database
	Sealed    int64 // of them in signed trees
	Witnessed int64 // of them in cosigned trees
	Lost      int64 // on record as lost by a recovery
	Objects   int   // chains of objects, compared with their heads
	Tenants   int
	Heads     int // heads records recomputed
	Files     int // tiles and bundles compared
	Personal  int // personal values that open their commitment
	Erased    int // personal values erased by rule
	Blobs     int
	States    int // objects whose state was compared with their newest record
	Newest    Tree
	Witnesses []string // whose cosignatures hold
	Took      time.Duration
}

// The kinds of findings.
const (
	AlteredRecord  = "altered"
	RemovedRecord  = "removed"
	InsertedRecord = "inserted"
	SwappedRecord  = "swapped"
	BrokenChain    = "chain"
	WrongHeads     = "heads"
	WrongFile      = "file"       // a tile or an entry bundle
	WrongSignature = "checkpoint" // a checkpoint that is missing, not ours or not the newest
	WrongHead      = "head"       // a row of ledger_head, ledger_tenant, ledger_block
	WrongPersonal  = "personal"
	WrongBlob      = "blob"
	WrongState     = "state" // an object differs from what its newest record says
)

// Finding is one thing that is not as it was sealed.
type Finding struct {
	Kind   string
	Seq    int64 // of the record, -1 for none
	Epoch  int
	Index  int64 // of the leaf in its epoch
	ID     string
	Action string
	Time   time.Time
	Object core.Ref // with WrongState and WrongHead
	What   string   // half a sentence
}

// String returns the finding as one sentence.
func (f Finding) String() string {
	if f.Seq < 0 {
		return f.What
	}
	about := []string{}
	for _, s := range []string{f.ID, f.Action} {
		if s != "" {
			about = append(about, s)
		}
	}
	if !f.Time.IsZero() {
		about = append(about, f.Time.Format(core.TimeFormat))
	}
	if len(about) == 0 {
		return fmt.Sprintf("record %d: %s", f.Seq, f.What)
	}
	return fmt.Sprintf("record %d (%s): %s", f.Seq, strings.Join(about, ", "), f.What)
}

// OK reports whether everything is as it was sealed.
func (r Report) OK() bool { return len(r.Findings) == 0 }

// First returns the first record that was altered, removed, inserted or
// swapped, or nil.
func (r Report) First() *Finding {
	for i := range r.Findings {
		if r.Findings[i].Seq >= 0 {
			return &r.Findings[i]
		}
	}
	return nil
}

// manyFindings bounds a report; the first ones say what there is to say.
const manyFindings = 200

func (r *Report) add(f Finding) {
	if len(r.Findings) >= manyFindings {
		r.More++
		return
	}
	r.Findings = append(r.Findings, f)
}

// order puts findings about records first, by record.
func (r *Report) order() {
	slices.SortStableFunc(r.Findings, func(a, b Finding) int {
		if (a.Seq < 0) != (b.Seq < 0) {
			return cmp.Compare(b.Seq, a.Seq)
		}
		return cmp.Or(cmp.Compare(a.Seq, b.Seq), cmp.Compare(a.rank(), b.rank()))
	})
}

// rank puts what was done to a record before what follows from it.
func (f Finding) rank() int {
	switch f.Kind {
	case AlteredRecord, RemovedRecord, InsertedRecord, SwappedRecord:
		return 0
	case WrongPersonal:
		return 2
	}
	return 1
}

// about fills in what identifies a record.
func (f Finding) about(l *Leaf) Finding {
	f.ID, f.Action, f.Time = l.ID, l.Action, time.UnixMicro(l.Time).UTC()
	return f
}

// differences names the parts of a leaf that differ.
func differences(sealed, found *Leaf) string {
	var list []string
	note := func(name, was, is string) {
		if was != is {
			list = append(list, fmt.Sprintf("%s was %q and is now %q", name, brief(was), brief(is)))
		}
	}
	note("id", sealed.ID, found.ID)
	note("time", stamp(sealed.Time), stamp(found.Time))
	note("action", sealed.Action, found.Action)
	note("class", sealed.Class, found.Class)
	note("door", sealed.Door, found.Door)
	note("actor", sealed.Actor.Kind+" "+sealed.Actor.ID, found.Actor.Kind+" "+found.Actor.ID)
	note("impersonator", sealed.By.Kind+" "+sealed.By.ID, found.By.Kind+" "+found.By.ID)
	note("session", sealed.Session, found.Session)
	note("object", sealed.Object.String(), found.Object.String())
	note("tenant", sealed.Tenant, found.Tenant)
	note("outcome", string(sealed.Outcome), string(found.Outcome))
	note("code", string(sealed.Code), string(found.Code))
	note("reason", sealed.Reason, found.Reason)
	note("count", fmt.Sprint(sealed.Count), fmt.Sprint(found.Count))
	names := sealed.Actor.Name + sealed.By.Name + sealed.IP + sealed.Agent
	note("a commitment to a name or address", names, found.Actor.Name+found.By.Name+found.IP+found.Agent)
	list = append(list, listDifferences(sealed, found)...)
	if len(list) == 0 {
		return "its bytes differ"
	}
	return strings.Join(list, "; ")
}

func listDifferences(sealed, found *Leaf) []string {
	var list []string
	for _, c := range []struct{ name, was, is string }{
		{"events", string(appendList(nil, "", sealed.Events, (*Fact).append)), string(appendList(nil, "", found.Events, (*Fact).append))},
		{"object chains", string(appendList(nil, "", sealed.Objects, (*Link).append)), string(appendList(nil, "", found.Objects, (*Link).append))},
		{"tenant chains", string(appendList(nil, "", sealed.Tenants, (*TenantLink).append)), string(appendList(nil, "", found.Tenants, (*TenantLink).append))},
	} {
		if at := firstDifference(c.was, c.is); at >= 0 {
			list = append(list, fmt.Sprintf("%s had …%q and have now …%q", c.name, around(c.was, at), around(c.is, at)))
		}
	}
	return list
}

func firstDifference(a, b string) int {
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return i
		}
	}
	if len(a) == len(b) {
		return -1
	}
	return min(len(a), len(b))
}

// around cuts a piece of s out, from a little before at.
func around(s string, at int) string {
	start := max(at-16, 0)
	return strings.ToValidUTF8(s[start:min(len(s), at+40)], "")
}

func brief(s string) string { return clean(s, 120) }

func stamp(micros int64) string { return time.UnixMicro(micros).UTC().Format(core.TimeFormat) }
