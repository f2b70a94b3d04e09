package clock

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"hostward/internal/act"
	"hostward/internal/control"
	"hostward/internal/host"
)

// Files that are ours. Debian's chrony.conf includes both folders.
const (
	SourcesPath  = "/etc/chrony/sources.d/hostward.sources"
	SettingsPath = "/etc/chrony/conf.d/hostward.conf"
)

// Commands that are ours. Where there is no systemd, Debian's script starts nothing
// while the old process is on its way out, so that one is waited for.
func reload() []string  { return []string{"/usr/bin/chronyc", "reload", "sources"} }
func restart() []string { return []string{"/usr/sbin/service", "chrony", "restart"} }
func start() []string   { return []string{"/usr/sbin/service", "chrony", "start"} }
func stop() []string {
	return []string{"/usr/sbin/start-stop-daemon", "--stop", "--oknodo", "--retry", "TERM/20/KILL/5", "--pidfile", pidPath, "--exec", "/usr/sbin/chronyd"}
}

// Name is the control's.
const Name = "clock"

// Control is the control of the clock.
func (c *Clock) Control() control.Machine {
	return control.Of(control.Spec[Desired, Observed]{
		Name: Name, Title: "Clock", Page: "/clock", Serves: serves(),
		Owns:     host.Owns{Files: []string{SourcesPath, SettingsPath}, Commands: [][]string{reload(), restart(), stop(), start()}},
		Desired:  func(ctx context.Context, v *act.View) (Desired, error) { d, _, err := read(ctx, v); return d, err },
		Validate: Desired.Validate,
		Observe:  observe, Plan: plan, Diff: diff,
		Alarms: func(_ *Desired, have Observed) []string { return have.texts() },
	})
}

// plan writes what differs, then has chronyd read it: by a reload where only sources
// changed.
func plan(want *Desired, have Observed) []host.Step {
	if want == nil {
		return letGo(have)
	}
	var steps []host.Step
	again := !have.Running || have.Stale || have.strangers(want) != nil || want.untaken(have)
	if have.Files[SettingsPath] != want.settingsText() {
		steps = append(steps, host.WriteFile{Path: SettingsPath, Mode: 0o644, Content: want.settingsText()})
		again = true
	}
	reread := false
	if have.Files[SourcesPath] != want.sourcesText() {
		steps = append(steps, host.WriteFile{Path: SourcesPath, Mode: 0o644, Content: want.sourcesText()})
		reread = true
		again = again || want.held(have)
	}
	return append(steps, have.commands(again, reread)...)
}

// letGo takes our files away.
func letGo(have Observed) []host.Step {
	var steps []host.Step
	_, sources := have.Files[SourcesPath]
	_, settings := have.Files[SettingsPath]
	if settings {
		steps = append(steps, host.RemoveFile{Path: SettingsPath})
	}
	if sources {
		steps = append(steps, host.RemoveFile{Path: SourcesPath})
	}
	if !have.Running {
		return steps
	}
	return append(steps, have.commands(settings || have.Stale || have.strangers(nil) != nil, sources)...)
}

func (o Observed) commands(again, reread bool) []host.Step {
	switch {
	case again && o.Systemd:
		return []host.Step{host.Run{Args: restart()}}
	case again:
		return []host.Step{host.Run{Args: stop()}, host.Run{Args: start()}}
	case reread:
		return []host.Step{host.Run{Args: reload()}}
	}
	return nil
}

// missing are the sources that chronyd does not have as they should be.
func (d Desired) missing(have Observed) (names []string) {
	for _, s := range d.Sources {
		if !slices.ContainsFunc(have.Sources, func(p Peer) bool {
			return same(p.Name, s.Name) && (!have.Proofs || s.NTS == (p.Auth.Mode == "NTS"))
		}) {
			names = append(names, s.Name)
		}
	}
	return names
}

// untaken reports whether a source is missing although our file names it: chronyd
// was not told, or somebody deleted it there. Rereading the same line changes nothing.
func (d Desired) untaken(have Observed) bool {
	lines := strings.Split(have.Files[SourcesPath], "\n")
	return slices.ContainsFunc(d.missing(have), func(name string) bool { return slices.Contains(lines, d.Sources[d.index(name)].line()) })
}

// held reports whether an address comes that chronyd has under another line: when it
// rereads, it may refuse the new line before it lets go of the old one.
func (d Desired) held(have Observed) bool {
	lines := strings.Split(have.Files[SourcesPath], "\n")
	return slices.ContainsFunc(d.Sources, func(s Source) bool {
		return !slices.Contains(lines, s.line()) && slices.ContainsFunc(have.Sources, func(p Peer) bool { return p.Address != "" && same(p.Address, s.Name) })
	})
}

// strangers are sources that chronyd follows although no file names them: left over,
// or added by hand. Only a restart makes an end of them.
func (o Observed) strangers(want *Desired) (names []string) {
	for _, p := range o.Sources {
		if p.From == "" && (want == nil || want.index(p.Name) < 0) {
			names = append(names, p.Name)
		}
	}
	return names
}

// diff says the difference to people.
func diff(want *Desired, have Observed) []string {
	var lines []string
	say := func(ok bool, format string, args ...any) {
		if ok {
			lines = append(lines, fmt.Sprintf(format, args...))
		}
	}
	if want == nil {
		_, sources := have.Files[SourcesPath]
		say(sources, "the sources that Hostward added go, and chronyd is left with: %s", strings.Join(have.others(), ", "))
		_, settings := have.Files[SettingsPath]
		say(settings, "the settings of Hostward go, and those of the other files count")
	} else {
		say(!have.Running, "chronyd is not running")
		for _, line := range changes(have.Files[SettingsPath], want.settingsText()) {
			say(true, "settings: %s", line)
		}
		for _, line := range changes(have.Files[SourcesPath], want.sourcesText()) {
			say(true, "sources: %s", line)
		}
		if missing := want.missing(have); have.Running && missing != nil {
			say(true, "chronyd does not have as they should be: %s", strings.Join(missing, ", "))
		}
	}
	say(have.Running && have.Stale, "chronyd has not read its settings since they changed")
	for _, name := range have.strangers(want) {
		say(true, "chronyd follows %s, which no file names", name)
	}
	return lines
}

// changes are the lines that go and those that come.
func changes(was, now string) (lines []string) {
	list := func(text string) []string {
		return slices.DeleteFunc(strings.Split(text, "\n"), func(l string) bool { return l == "" || l == strings.TrimSpace(heading) })
	}
	before, after := list(was), list(now)
	for _, l := range before {
		if !slices.Contains(after, l) {
			lines = append(lines, "− "+l)
		}
	}
	for _, l := range after {
		if !slices.Contains(before, l) {
			lines = append(lines, "+ "+l)
		}
	}
	if lines == nil && was != now {
		lines = append(lines, "the file is written differently, and means the same")
	}
	return lines
}

// others are the sources that other files name.
func (o Observed) others() []string {
	names := []string{}
	for _, p := range o.Sources {
		if p.From != "" && !strings.HasPrefix(p.From, SourcesPath+":") && !slices.Contains(names, p.Name) {
			names = append(names, p.Name)
		}
	}
	if len(names) == 0 {
		names = append(names, "nothing")
	}
	return names
}
