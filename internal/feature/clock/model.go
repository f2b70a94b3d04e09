package clock

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"hostward/internal/core"
)

// Source is one source of time: a server, or a name that stands for several.
type Source struct {
	Name    string `json:"name"` // of the host, or its address
	Kind    string `json:"kind"` // server or pool
	NTS     bool   `json:"nts"`  // it must prove itself (RFC 8915)
	IBurst  bool   `json:"iburst"`
	Prefer  bool   `json:"prefer"`
	MinPoll int    `json:"minpoll"` // it is asked every 2 to the power of this seconds at most
	MaxPoll int    `json:"maxpoll"` // and at least
}

// Burst is IBurst as the input of an operation has it.
func (s Source) Burst() string {
	if s.IBurst {
		return "on"
	}
	return "off"
}

// Desired is what the clock should go by.
type Desired struct {
	Sources    []Source `json:"sources" log:"-"`
	MinSources int      `json:"min_sources"` // that agree, before the clock is touched
	Step       string   `json:"step"`        // when it may be stepped, not slewed
	StepAbove  int      `json:"step_above"`  // milliseconds
	Auth       string   `json:"auth"`        // what authenticated sources mean for the others
	Bound      int      `json:"bound"`       // milliseconds: an offset above is an alarm
}

// Limits and defaults.
const (
	mostSources = 16
	leastPoll   = 1
	mostPoll    = 17
	minPoll     = 6
	maxPoll     = 10
	mostStep    = 3_600_000 // milliseconds
	mostBound   = 60_000    // milliseconds
)

// modes are what chrony knows for authselectmode.
func modes() []string { return []string{"require", "prefer", "mix", "ignore"} }

// stepping is when the clock may be stepped: at start is in the first three updates.
func stepping() map[string]int { return map[string]int{"start": 3, "always": -1, "never": 0} }

// defaults are four operators who are independent of each other and serve NTS to
// the public. Nothing of it is in effect until it is applied.
func defaults() Desired {
	d := Desired{MinSources: 2, Step: "start", StepAbove: 1000, Auth: "mix", Bound: 100}
	for _, name := range []string{"time.cloudflare.com", "nts.netnod.se", "ptbtime1.ptb.de", "ntppool1.time.nl"} {
		d.Sources = append(d.Sources, Source{Name: name, Kind: "server", NTS: true, IBurst: true, MinPoll: minPoll, MaxPoll: maxPoll})
	}
	return d
}

func (d Desired) equal(o Desired) bool {
	return slices.Equal(d.Sources, o.Sources) && d.MinSources == o.MinSources && d.Step == o.Step && d.StepAbove == o.StepAbove && d.Auth == o.Auth && d.Bound == o.Bound
}

// Validate refuses what would not be carried out, or would break chrony's files.
func (d Desired) Validate() error {
	var faults core.Faults
	if len(d.Sources) == 0 || len(d.Sources) > mostSources {
		faults.Add("sources", fmt.Sprint(len(d.Sources)), fmt.Sprintf("1 to %d sources", mostSources))
	}
	for i, s := range d.Sources {
		s.check(&faults)
		if slices.ContainsFunc(d.Sources[:i], func(o Source) bool { return o.Name == s.Name }) {
			faults.Add("name", s.Name, "a source that is not in the list already")
		}
	}
	within(&faults, "min_sources", d.MinSources, 1, d.most())
	within(&faults, "step_above", d.StepAbove, 1, mostStep)
	if _, ok := stepping()[d.Step]; !ok {
		faults.Add("step", d.Step, "start, always or never")
	}
	within(&faults, "bound", d.Bound, 1, mostBound)
	if !slices.Contains(modes(), d.Auth) {
		faults.Add("auth", d.Auth, strings.Join(modes(), ", "))
	}
	if d.Auth == "require" && !slices.ContainsFunc(d.Sources, func(s Source) bool { return s.NTS }) {
		faults.Add("auth", d.Auth, "prefer, mix or ignore, while no source proves itself by NTS: the clock would follow nothing")
	}
	return faults.Err()
}

// most is how many sources can be there: a pool stands for several.
func (d Desired) most() int {
	if slices.ContainsFunc(d.Sources, func(s Source) bool { return s.Kind == "pool" }) {
		return mostSources
	}
	return max(len(d.Sources), 1)
}

func within(f *core.Faults, field string, value, least, most int) {
	if value < least || value > most {
		f.Add(field, fmt.Sprint(value), fmt.Sprintf("%d to %d", least, most))
	}
}

func (s Source) check(f *core.Faults) {
	address, err := netip.ParseAddr(s.Name)
	switch {
	case err == nil && (address.Zone() != "" || address.String() != s.Name):
		f.Add("name", s.Name, "an address as it is usually written, such as 2001:db8::1, without a zone")
	case err == nil && s.Kind == "pool":
		f.Add("kind", s.Kind, "server, for an address: a pool is a name that stands for several")
	case err != nil && !hostname(s.Name):
		f.Add("name", s.Name, "the name of a host, such as time.example.org, or its address")
	}
	if s.Kind != "server" && s.Kind != "pool" {
		f.Add("kind", s.Kind, "server or pool")
	}
	within(f, "minpoll", s.MinPoll, leastPoll, mostPoll)
	within(f, "maxpoll", s.MaxPoll, min(max(s.MinPoll, leastPoll), mostPoll), mostPoll)
}

// hostname reports whether a name is one of letters, digits and hyphens, in lower
// case: it goes into a file where a blank would begin another word.
func hostname(name string) bool {
	labels := strings.Split(name, ".")
	if name == "" || len(name) > 253 || strings.Trim(labels[len(labels)-1], "0123456789") == "" {
		return false
	}
	return !slices.ContainsFunc(labels, func(l string) bool {
		return l == "" || len(l) > 63 || l[0] == '-' || l[len(l)-1] == '-' || strings.Trim(l, "abcdefghijklmnopqrstuvwxyz0123456789-") != ""
	})
}

// line is the source as chrony reads it.
func (s Source) line() string {
	words := []string{s.Kind, s.Name}
	for _, o := range []struct {
		on   bool
		word string
	}{{s.IBurst, "iburst"}, {s.NTS, "nts"}, {s.Prefer, "prefer"}} {
		if o.on {
			words = append(words, o.word)
		}
	}
	return fmt.Sprintf("%s minpoll %d maxpoll %d", strings.Join(words, " "), s.MinPoll, s.MaxPoll)
}

const heading = "# Hostward writes this file. What is changed by hand is seen, and set right or shown.\n"

// sourcesText is the content of SourcesPath.
func (d Desired) sourcesText() string {
	var b strings.Builder
	b.WriteString(heading)
	for _, s := range d.Sources {
		b.WriteString(s.line() + "\n")
	}
	return b.String()
}

// settings are the lines of SettingsPath, by directive.
func (d Desired) settings() []setting {
	return []setting{
		{"minsources", fmt.Sprint(d.MinSources)},
		{"makestep", fmt.Sprintf("%d.%03d %d", d.StepAbove/1000, d.StepAbove%1000, stepping()[d.Step])},
		{"authselectmode", d.Auth},
	}
}

type setting struct{ directive, value string }

func (d Desired) settingsText() string {
	var b strings.Builder
	b.WriteString(heading)
	for _, s := range d.settings() {
		b.WriteString(s.directive + " " + s.value + "\n")
	}
	return b.String()
}
