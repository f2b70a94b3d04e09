package zone

import (
	"encoding/json"
	"strings"
	"time"

	"hostward/internal/core"
	"hostward/internal/rr"
)

// kind is the object kind of a zone.
const kind = "zone"

// Limits of one zone. Run holds the only writer, half a second for one so large; a
// larger one needs an import that is staged.
const (
	maxSets    = 100_000
	maxRecords = 250_000
)

// firstGeneration names the rows of a zone whose records were never staged.
const firstGeneration = 1

// Zone is a zone as faces show it. Its name has no final dot.
type Zone struct {
	Name      string    `json:"name"`
	Unicode   string    `json:"unicode,omitempty"` // with IDN labels as letters, where that differs
	Records   int64     `json:"records"`
	Serial    uint32    `json:"serial"`
	Version   uint64    `json:"version"`           // counts changes, from 1
	Serving   string    `json:"serving,omitempty"` // "in force", "pending" or "unknown": the nameserver was asked
	Served    uint64    `json:"served"`            // version that the nameserver answers with; 0: none
	Changed   time.Time `json:"changed"`
	Signing   string    `json:"signing,omitempty"` // "unsigned", "signed", "changing", "leaving"
	Follows   string    `json:"follows,omitempty"` // addresses of the primaries it is fed from
	Lists     bool      `json:"lists,omitempty"`   // it is a catalog of others (RFC 9432), which is not served
	Catalog   string    `json:"catalog,omitempty"` // id of the catalog that lists it
	OwnerName string    `json:"owner_name,omitempty"`
	Owner     string    `json:"owner"`
	ID        string    `json:"id"`
}

// Shown is the name as people read it.
func (z Zone) Shown() string {
	if z.Unicode != "" {
		return z.Unicode
	}
	return z.Name
}

// row is a zone as it is stored.
type row struct {
	ID                        string
	Name                      rr.Name
	Owner                     string
	Serial                    uint32
	Version                   uint64
	Generation, Sets, Records int64
	Created, Changed, Deleted int64 // microseconds
}

func (r row) ref() core.Ref { return core.Ref{Kind: kind, ID: r.ID} }

func (r row) public() Zone {
	z := Zone{ID: r.ID, Name: ascii(r.Name), Owner: r.Owner, Serial: r.Serial, Version: r.Version, Records: r.Records, Changed: instant(r.Changed)}
	if u := shown(r.Name); u != z.Name {
		z.Unicode = u
	}
	return z
}

// ascii is a name without its final dot.
func ascii(n rr.Name) string { return strings.TrimSuffix(string(n), ".") }

func instant(micros int64) time.Time { return time.UnixMicro(micros).UTC() }

// shown is a name as people read it.
func shown(n rr.Name) string {
	if n == "." {
		return "."
	}
	return strings.TrimSuffix(n.Unicode(), ".")
}

// place is a name's labels from the right, each ended by a blank, which no
// label holds unescaped: everything below a name begins with its place.
func place(n rr.Name) string {
	var b strings.Builder
	for _, l := range reversed(n) {
		b.WriteString(l)
		b.WriteByte(' ')
	}
	return b.String()
}

func reversed(n rr.Name) []string {
	if n == "." {
		return nil
	}
	up := n.Parent()
	label := string(n[:len(n)-1])
	if up != "." {
		label = string(n[:len(n)-len(up)-1])
	}
	return append(reversed(up), label)
}

// zoneName reads the name of a zone; a final dot may be left out.
func zoneName(text string) (rr.Name, error) {
	name, err := rr.ParseName(strings.TrimSpace(text), ".")
	if err == nil && name == "." {
		err = core.Errorf(core.Invalid, "the root is not hosted here: a domain name such as example.org is accepted")
	}
	return name, err
}

// apexName reads the name of a zone that is to be made. DNS would take any
// octet; in the name of a zone another one is a slip of the hand.
func apexName(text string) (rr.Name, error) {
	name, err := zoneName(text)
	if err == nil && strings.ContainsFunc(string(name), func(r rune) bool { return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyz0123456789-_/.", r) }) {
		err = core.Errorf(core.Invalid, "a zone is called by letters, digits, hyphens and underscores, like example.org, not %.80q", text)
	}
	return name, err
}

// delta is what one version did to one RRset, as zone_version keeps it.
type delta struct {
	Old *rr.RRset `json:"old,omitempty"` // absent: it was new
	New *rr.RRset `json:"new,omitempty"` // absent: it is gone
}

// deltas is the text that zone_version keeps of a change.
func deltas(changes []rr.Change) (string, error) {
	out := make([]delta, len(changes))
	for i, c := range changes {
		if len(c.Old.Data) > 0 {
			out[i].Old = &c.Old
		}
		if len(c.New.Data) > 0 {
			out[i].New = &c.New
		}
	}
	text, err := json.Marshal(out)
	return string(text), err
}

// ends returns both ends of a delta; the absent one has no data.
func (d delta) ends() (old, new rr.RRset) {
	switch {
	case d.Old == nil && d.New == nil:
	case d.Old == nil:
		new = *d.New
		old = rr.RRset{Name: new.Name, Type: new.Type}
	case d.New == nil:
		old = *d.Old
		new = rr.RRset{Name: old.Name, Type: old.Type}
	default:
		old, new = *d.Old, *d.New
	}
	return old, new
}

// tally counts the records a change adds and removes.
func tally(changes []rr.Change) (added, removed int64) {
	for _, c := range changes {
		added += int64(len(c.Added))
		removed += int64(len(c.Removed))
	}
	return added, removed
}

// tooLarge refuses what does not fit into one operation.
func tooLarge(name rr.Name, sets int) error {
	if sets <= maxSets {
		return nil
	}
	return core.Errorf(core.Invalid, "zone %s would have %d RRsets: at most %d are accepted", shown(name), sets, maxSets)
}

// absent is the answer for a zone that is not there.
func absent(text string) error {
	if r := []rune(text); len(r) > 80 {
		text = string(r[:80]) + "…"
	}
	return core.Errorf(core.NotFound, "there is no zone %q", text)
}
