package access

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"hostward/internal/core"
)

// The modes.
const (
	AllBut = "all-but-listed"
	Only   = "only-listed"
)

// sentences say what a mode means.
var sentences = map[string]string{
	AllBut: "Allowed, excluding the networks in the list.",
	Only:   "Denied from the networks that are not listed.",
}

// Entry is one network of a list.
type Entry struct {
	Network core.Network `json:"network"`
	Note    string       `json:"note,omitempty"`
	Since   time.Time    `json:"since"`
}

// policy is what the database says.
type policy struct {
	mode    string
	version string
	lists   map[string][]Entry // by mode
}

var self = core.Ref{Kind: "access", ID: "administrators"}

// mostListed bounds one list. A look-up in so many takes a fraction of a
// microsecond, reading them in some 100 ms.
const mostListed = 200_000

// list is that of a mode; "" is the mode in force.
func (p policy) list(mode string) []Entry { return p.lists[p.of(mode)] }

func (p policy) of(mode string) string {
	if mode == "" {
		return p.mode
	}
	return mode
}

// set makes of a list what look-ups go by.
func set(list []Entry) *core.Networks {
	networks := make([]core.Network, len(list))
	for i, e := range list {
		networks[i] = e.Network
	}
	return core.NewNetworks(networks)
}

// admits reports whether a mode with a set lets an address in.
func admits(mode string, listed *core.Networks, address netip.Addr) bool {
	return listed.Contains(address) == (mode == Only)
}

// with returns a list with networks added, those that are there already left
// out, and how many were new.
func with(list []Entry, more []Entry) ([]Entry, []Entry) {
	have := map[core.Network]bool{}
	for _, e := range list {
		have[e.Network] = true
	}
	var added []Entry
	for _, e := range more {
		if !have[e.Network] {
			have[e.Network] = true
			added = append(added, e)
		}
	}
	all := append(slices.Clone(list), added...)
	slices.SortFunc(all, func(a, b Entry) int {
		return cmp.Or(a.Network.First.Compare(b.Network.First), a.Network.Last.Compare(b.Network.Last))
	})
	return all, added
}

// without returns a list without networks, and those that were in it.
func without(list []Entry, less []core.Network) (rest, removed []Entry) {
	gone := map[core.Network]bool{}
	for _, n := range less {
		gone[n] = true
	}
	for _, e := range list {
		if gone[e.Network] {
			removed = append(removed, e)
		} else {
			rest = append(rest, e)
		}
	}
	return rest, removed
}

// text is a list as people read it in a record: one network a line.
func text(list []Entry) *string {
	if len(list) == 0 {
		return nil
	}
	lines := make([]string, len(list))
	for i, e := range list {
		lines[i] = e.Network.String()
		if e.Note != "" {
			lines[i] += " # " + e.Note
		}
	}
	s := strings.Join(lines, "\n")
	return &s
}

// parseLine reads one line of a file: a network, and behind # a note.
func parseLine(line string, since time.Time) (e Entry, found bool, err error) {
	network, note, _ := strings.Cut(line, "#")
	if strings.TrimSpace(network) == "" {
		return e, false, nil
	}
	e = Entry{Note: strings.TrimSpace(note), Since: since}
	e.Network, err = core.ParseNetwork(network)
	return e, true, err
}

const noteAccepted = "a note must be one line of at most 200 bytes"

// fits reports whether a note can stand in a record and on a screen as it is.
func fits(note string) bool {
	control := func(c rune) bool { return unicode.IsControl(c) && c != '\t' }
	return len(note) <= 200 && utf8.ValidString(note) && !strings.ContainsFunc(note, control)
}

func encode(list []Entry) (string, error) {
	b, err := json.Marshal(list)
	return string(b), err
}

func decode(text string) (list []Entry, err error) {
	if text == "" {
		return nil, nil
	}
	if err := json.Unmarshal([]byte(text), &list); err != nil {
		return nil, fmt.Errorf("reading a list of networks: %w", err)
	}
	return list, nil
}
