package clock

import (
	"fmt"
	"math"
	"strings"
	"time"

	"hostward/internal/core"
)

// Alarm is one thing that is wrong with the clock. Code and About stay the same
// while it lasts; the text says how it stands now.
type Alarm struct {
	Code  string `json:"code" rule:"required,max=20" doc:"what kind of alarm it is"`
	About string `json:"about,omitempty" rule:"max=255" doc:"the source it is about"`
	Text  string `json:"text" rule:"required,max=1000" doc:"what is wrong, as a sentence"`
}

// Key tells alarms apart.
func (a Alarm) Key() string { return a.Code + " " + a.About }

// texts are the sentences of the alarms.
func (o Observed) texts() (list []string) {
	for _, a := range o.Alarms {
		list = append(list, a.Text)
	}
	return list
}

// alarms says what is wrong, whether or not anything differs from what should be. A
// clock that nobody put under control has none.
func (o Observed) alarms() []Alarm {
	want := o.Ordered
	if want == nil {
		return nil
	}
	var list []Alarm
	say := func(when bool, code, about, format string, args ...any) {
		if when {
			list = append(list, Alarm{code, about, fmt.Sprintf(format, args...)})
		}
	}
	say(!o.Running, "down", "", "chronyd is not running: nothing keeps the clock right")
	say(o.Running && o.Silent != "", "silent", "", "chronyd does not answer: %s", o.Silent)
	for _, name := range o.Rivals {
		say(true, "rival", name, "%s sets the clock too: stop and disable it, two that set one clock disturb each other", name)
	}
	for _, l := range o.Overriding {
		say(true, "overridden", l.At(), "%s says %q, which counts in place of what is set here since it is read later: take that line out, then restart chrony", l.At(), l.Words)
	}
	if !o.Running || o.Silent != "" {
		return list
	}
	bound := float64(want.Bound) / 1000
	say(o.Following && math.Abs(o.Tracking.Offset) > bound, "offset", "", "the clock is %s, and more than %s is too much", o.Tracking.Ahead(), core.Seconds(bound))
	for _, p := range o.Sources {
		say(p.State == "x", "wrong", p.Name, "%s (%s) does not agree with the other sources: this clock differs from it by %s", p.Name, p.Address, core.Seconds(p.Offset))
	}
	if !o.Settled {
		return list
	}
	say(!o.Following, "unsynchronised", "", "the clock is not synchronised: chronyd follows no source")
	for _, s := range want.Sources {
		code, text := o.standing(s)
		say(code != "", code, s.Name, "%s", text)
	}
	n := o.Usable()
	say(n < want.MinSources, "few", "", "%s of time can be used, and %d are asked for", plural(n, "source"), want.MinSources)
	return list
}

// standing says what is wrong with one source; of a pool, one good server is enough.
func (o Observed) standing(s Source) (code, text string) {
	for _, p := range o.Sources {
		switch {
		case !same(p.Name, s.Name):
		case p.Reach > 0 && (!s.NTS || !o.Proofs || p.Proved()):
			return "", ""
		case p.Address == "":
			code, text = "lost", fmt.Sprintf("%s has no address: the name cannot be resolved", s.Name)
		case s.NTS && o.Proofs && p.Auth.Bits == 0:
			code, text = "unauthenticated", fmt.Sprintf("%s has not proved itself by NTS after %s: its TCP port 4460 must be reachable, its certificate valid and our clock not far off", s.Name, plural(p.Auth.Attempts, "attempt"))
		case p.Last < 0:
			code, text = "lost", fmt.Sprintf("%s (%s) has not answered yet", s.Name, p.Address)
		default:
			code, text = "lost", fmt.Sprintf("%s (%s) has not answered for %s", s.Name, p.Address, time.Duration(p.Last)*time.Second)
		}
	}
	return code, text // not there at all: that is a difference, not an alarm
}

// Usable is how many sources answer and are not taken for wrong.
func (o Observed) Usable() (n int) {
	for _, p := range o.Sources {
		if p.Reach > 0 && strings.Contains("*+-", p.State) {
			n++
		}
	}
	return n
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}
