package ban

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"path"
	"slices"
	"strconv"
	"strings"

	"hostward/deploy"
	"hostward/internal/act"
	"hostward/internal/control"
	"hostward/internal/host"
)

// Files that are ours: they are written whole, and nobody else's is.
const (
	JailsPath  = "/etc/fail2ban/jail.d/hostward.local"
	FilterPath = "/etc/fail2ban/filter.d/" + panelFilter + ".conf"
	ActionPath = "/etc/fail2ban/action.d/hostward.conf"
	WatchPath  = "/etc/hostward-watch/jail.d/hostward.conf"

	panelFilter = "hostward-panel"
	ownLog      = "/var/log/fail2ban.log"
	client      = "/usr/bin/fail2ban-client"
)

func reload() host.Run { return host.Run{Args: []string{client, "reload"}} }

// touch makes the log that recidive reads, where the server has never run.
func touch() host.Run { return host.Run{Args: []string{"/usr/bin/touch", ownLog}} }

func start() host.Run { return host.Run{Args: []string{"/usr/sbin/service", "fail2ban", "start"}} }

// Desired is what should be: everything an engine needs to know, in words of ours.
type Desired struct {
	Engine   string         `json:"engine"`
	PanelLog string         `json:"panelLog"`
	Again    bool           `json:"again"`
	Most     int            `json:"most"`
	Jails    []Jail         `json:"jails"`
	Trusted  []netip.Prefix `json:"trusted"`
}

// Observed is what is.
type Observed struct {
	Files     map[string]string  `json:"files"`             // ours that are there, with what they hold
	Sources   map[string]Source  `json:"sources"`           // of jails whose log is there
	Programs  map[string]bool    `json:"programs"`          // jails whose program is there
	Installed bool               `json:"installed"`         // Fail2Ban is
	Up        bool               `json:"up"`                // and runs
	Running   map[string]Running `json:"running,omitempty"` // its jails
	Logs      bool               `json:"logs"`              // and has written its own log
	Journal   string             `json:"journal,omitempty"` // why its jails cannot read the journal
	Others    []string           `json:"others,omitempty"`  // its jails that are not ours
}

// Source is what a jail reads: a file, or the journal.
type Source struct {
	Path  string `json:"path,omitempty"`
	Match string `json:"match,omitempty"`
}

// Running are the settings that a jail of Fail2Ban goes by now.
type Running struct {
	MaxRetry string   `json:"maxRetry"`
	FindTime string   `json:"findTime"`
	BanTime  string   `json:"banTime"`
	Again    string   `json:"again"`
	Reads    []string `json:"reads"`
	Ignores  []string `json:"ignores"`
}

// Control is the control of bans.
func (b *Bans) Control() control.Machine {
	return control.Of(control.Spec[Desired, Observed]{
		Name: "bans", Title: "Bans", Page: "/bans", Serves: serves(),
		Owns: host.Owns{Files: []string{JailsPath, FilterPath, ActionPath, WatchPath}, Commands: [][]string{reload().Args, start().Args, touch().Args}},
		Desired: func(ctx context.Context, v *act.View) (Desired, error) {
			p, err := read(ctx, v)
			d := Desired{Engine: p.Engine, PanelLog: b.ports.PanelLog, Again: p.Again, Most: p.Most, Jails: p.jails(), Trusted: []netip.Prefix{}}
			for _, t := range p.Trusted {
				d.Trusted = append(d.Trusted, t.Network)
			}
			return d, err
		},
		Validate: Desired.Validate, Observe: observe, Plan: plan, Diff: diff, Alarms: alarms,
	})
}

// Validate refuses what no engine is told, whoever ordered it.
func (d Desired) Validate() error {
	var faults []error
	say := func(bad bool, format string, args ...any) {
		if bad {
			faults = append(faults, fmt.Errorf(format, args...))
		}
	}
	say(!slices.Contains([]string{Watch, Fail2Ban, None}, d.Engine), "engine %q: must be watch, fail2ban or none", d.Engine)
	say(!path.IsAbs(d.PanelLog) || path.Clean(d.PanelLog) != d.PanelLog || strings.ContainsFunc(d.PanelLog, odd), "panel log %q: must be the plain absolute path of a file", d.PanelLog)
	say(d.Most <= 0 || d.Most > seconds(mostLength), "most %d: must be from 1 to %d seconds", d.Most, seconds(mostLength))
	say(len(d.Jails) != len(names()), "there must be %d jails, not %d", len(names()), len(d.Jails))
	for i, j := range d.Jails {
		say(i < len(names()) && j.Name != names()[i], "jail %q: the jails are %s, in this order", j.Name, strings.Join(names(), ", "))
		say(!slices.Contains([]string{On, Off, Auto}, j.State), "jail %s, state %q: must be on, off or auto", j.Name, j.State)
		say(j.MaxRetry < 1 || j.MaxRetry > mostRetry, "jail %s, failures %d: must be from 1 to %d", j.Name, j.MaxRetry, mostRetry)
		say(j.FindTime < 1 || j.FindTime > seconds(mostLength), "jail %s, how long a failure counts %d: must be from 1 to %d seconds", j.Name, j.FindTime, seconds(mostLength))
		say(j.BanTime == 0 || j.BanTime < -1 || j.BanTime > seconds(mostLength), "jail %s, length of a ban %d: must be -1, or from 1 to %d seconds", j.Name, j.BanTime, seconds(mostLength))
	}
	say(len(d.Trusted) > mostTrusted, "at most %d networks can be trusted", mostTrusted)
	for _, p := range d.Trusted {
		say(!p.IsValid() || p != p.Masked() || wide(p) != "", "trusted network %s: must be a network of at least /%d (IPv4) or /%d (IPv6)", p, host.Widest4, host.Widest6)
	}
	return errors.Join(faults...)
}

// odd reports what has a meaning in a configuration of Fail2Ban, or ends a line.
func odd(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`%<>[]{}*?"'\;#$`+"`", r) }

// observe looks at our files, for the logs, and at the server of Fail2Ban.
func observe(ctx context.Context, eyes host.Eyes, want *Desired) (Observed, error) {
	o := Observed{Files: map[string]string{}, Sources: map[string]Source{}, Programs: map[string]bool{}}
	for _, at := range []string{JailsPath, FilterPath, ActionPath, WatchPath} {
		text, found, err := eyes.ReadFile(at)
		if err != nil {
			return o, err
		}
		if found {
			o.Files[at] = string(text)
		}
	}
	found := func(pattern string) bool {
		list, err := eyes.Glob(pattern)
		return err == nil && len(list) > 0
	}
	o.Installed = found(client)
	if want != nil {
		if want.Engine == Fail2Ban && !o.Installed {
			return o, errors.New("Fail2Ban is chosen for the engine and is not installed: install the package fail2ban, or choose another engine")
		}
		o.sources(*want, found)
	}
	if !o.Installed {
		return o, nil
	}
	return o, o.ask(ctx, eyes)
}

// sources finds what each jail can read.
func (o *Observed) sources(want Desired, found func(pattern string) bool) {
	journal := found("/run/systemd/journal/socket")
	if want.Engine == Fail2Ban && journal && !found("/usr/lib/python3/dist-packages/systemd/journal.py") {
		journal, o.Journal = false, "Fail2Ban reads the journal only with the package python3-systemd, which is not installed"
	}
	for _, m := range models(want.PanelLog) {
		o.Programs[m.name] = m.program == "" || found(m.program)
		i := slices.IndexFunc(m.logs, found)
		switch {
		case m.name == recidive && want.Engine == Watch:
			o.Sources[m.name] = Source{} // it counts its own bans
		case m.name == recidive:
			o.Sources[m.name], o.Logs = Source{Path: ownLog}, i >= 0 // its server writes it
		case i >= 0:
			o.Sources[m.name] = Source{Path: m.logs[i]}
		case m.journal != "" && journal:
			o.Sources[m.name] = Source{Match: m.journal}
		}
	}
}

// questions are put to fail2ban-client in one go, since each start of it takes as long
// as all of them.
var questions = []string{"maxretry", "findtime", "bantime", "bantime.increment", "logpath", "journalmatch", "ignoreip"}

// ask asks the server what its jails go by.
func (o *Observed) ask(ctx context.Context, eyes host.Eyes) error {
	var script strings.Builder
	script.WriteString("status\n")
	sections := []string{Manual}
	for _, m := range models("") {
		sections = append(sections, m.section)
	}
	for _, s := range sections {
		for _, q := range questions {
			script.WriteString("get " + s + " " + q + "\n")
		}
	}
	out, err := eyes.Output(ctx, "/bin/sh", "-c", "printf %s \"$0\" | "+client+" -i 2>/dev/null", script.String())
	if _, ended := errors.AsType[*host.Exit](err); err != nil && !ended {
		return err // at the end of its input it ends with a status that tells nothing
	}
	answers := strings.Split(string(out), "fail2ban> ")
	if len(answers) < 2+len(sections)*len(questions) || !strings.Contains(answers[1], "Jail list:") {
		return nil // it does not run
	}
	o.Up, o.Running = true, map[string]Running{}
	all := listed(answers[1])
	for i, s := range sections {
		if a := answers[2+i*len(questions):]; slices.Contains(all, s) {
			o.Running[s] = Running{MaxRetry: word(a[0]), FindTime: word(a[1]), BanTime: word(a[2]), Again: word(a[3]),
				Reads: slices.Concat(branches(a[4]), branches(a[5])), Ignores: branches(a[6])}
		}
	}
	o.Others = slices.DeleteFunc(all, func(s string) bool { return slices.Contains(sections, s) })
	return nil
}

func word(text string) string { return strings.TrimSpace(text) }

// listed reads the names of jails in what status prints.
func listed(text string) []string {
	_, list, _ := strings.Cut(text, "Jail list:")
	return strings.FieldsFunc(list, func(r rune) bool { return r == ',' || r == ' ' || r == '\t' || r == '\n' })
}

// branches reads what fail2ban-client prints as a tree of one level.
func branches(text string) []string {
	out := []string{}
	for l := range strings.Lines(text) {
		if s, ok := strings.CutPrefix(l, "|- "); ok {
			out = append(out, word(s))
		} else if s, ok := strings.CutPrefix(l, "`- "); ok {
			out = append(out, word(s))
		}
	}
	slices.Sort(out)
	return out
}

// on reports whether a jail is to run: where its state is auto, that goes by what is
// there; and none runs that would read nothing, since Fail2Ban does not start with it.
func (d Desired) on(j Jail, have Observed) bool {
	_, reads := have.Sources[j.Name]
	return reads && (j.State == On || j.State == Auto && have.Programs[j.Name])
}

const heading = "# Written by Hostward as its policy of bans says, and written again when it was changed.\n# Your own settings go into other files of this folder.\n"

// fail2ban is the text of our jails for Fail2Ban. Each section says all that matters:
// what a DEFAULT of somebody else says, counts for his jails.
func (d Desired) fail2ban(have Observed) string {
	var t strings.Builder
	t.WriteString(heading)
	for i, m := range models(d.PanelLog) {
		j := d.Jails[i]
		if !d.on(j, have) {
			fmt.Fprintf(&t, "\n[%s]\nenabled = false\n", m.section)
			continue
		}
		fmt.Fprintf(&t, "\n[%s]\nenabled = true\nfilter = %s\n", m.section, m.filter)
		t.WriteString(have.Sources[j.Name].text(false))
		d.limits(&t, j)
		fmt.Fprintf(&t, "action = hostward[name=%s]\n", m.section)
	}
	// Bans by hand: no line of a log leads to one.
	fmt.Fprintf(&t, "\n[%s]\nenabled = true\nfilter = %s\nbackend = polling\nlogpath = /dev/null\nbantime = -1\nbantime.increment = false\nmaxretry = %d\nfindtime = %d\nignoreip = %s\naction = hostward[name=%s]\n",
		Manual, panelFilter, manualRetry, manualFind, d.ignored(), Manual)
	return t.String()
}

// What the jail of bans by hand would go by if a line of a log ever led to one.
const manualRetry, manualFind = 5, 600

// watch is the text of our jails for our own engine, in the same language. It brings
// along the filters it needs. Where its folder says nothing at all about jails it has
// some of its own, so that those which are off are named, and all are while another
// engine is chosen.
func (d Desired) watch(have Observed) string {
	var t strings.Builder
	t.WriteString(heading)
	for i, m := range models(d.PanelLog) {
		j := d.Jails[i]
		if d.Engine != Watch || !d.on(j, have) {
			fmt.Fprintf(&t, "\n[%s]\nenabled = false\n", m.name)
			continue
		}
		fmt.Fprintf(&t, "\n[%s]\nenabled = true\nfilter = %s\n", m.name, m.filter)
		t.WriteString(have.Sources[j.Name].text(true))
		d.limits(&t, j)
	}
	return t.String()
}

// text says what a jail reads.
func (s Source) text(watch bool) string {
	switch {
	case s.Match != "":
		return "backend = systemd\njournalmatch = " + s.Match + "\n"
	case s.Path != "" && watch:
		return "logpath = " + s.Path + "\n"
	case s.Path != "":
		return "backend = auto\nlogpath = " + s.Path + "\n"
	}
	return ""
}

func (d Desired) limits(t *strings.Builder, j Jail) {
	fmt.Fprintf(t, "maxretry = %d\nfindtime = %d\nbantime = %d\nbantime.increment = %t\n", j.MaxRetry, j.FindTime, j.BanTime, d.Again)
	if d.Again {
		fmt.Fprintf(t, "bantime.maxtime = %d\n", max(d.Most, j.BanTime))
	}
	fmt.Fprintf(t, "ignoreip = %s\n", d.ignored())
}

// ignored are the networks that no jail keeps out.
func (d Desired) ignored() string {
	words := []string{"127.0.0.0/8", "::1"}
	for _, p := range d.Trusted {
		words = append(words, shown(p))
	}
	return strings.Join(words, " ")
}

// action keeps out by a set that takes networks, from everything: who guesses
// passwords at one door has no business at another.
const action = heading + `
[INCLUDES]
before = nftables.conf

[Definition]
type = custom
_nft_add_set = <nftables> add set <table_family> <table> <addr_set> \{ type <addr_type>\; flags interval\; \}
               <nftables> add rule <table_family> <table> <chain> %(rule_stat)s

[Init]
blocktype = drop
`

// files are ours as they should be.
func (d Desired) files(have Observed) map[string]string {
	files := map[string]string{WatchPath: d.watch(have)}
	if d.Engine == Fail2Ban {
		files[JailsPath], files[FilterPath], files[ActionPath] = d.fail2ban(have), deploy.PanelFilter, action
	}
	return files
}

// plan writes what differs and takes away what is the other engine's, then has
// Fail2Ban read it.
func plan(want *Desired, have Observed) []host.Step {
	files := map[string]string{}
	if want != nil {
		files = want.files(have)
	}
	var steps []host.Step
	again := false
	// Filter and action before the jails that name them; the other way round to let go.
	for _, at := range []string{FilterPath, ActionPath, JailsPath, WatchPath} {
		text, ok := files[at]
		if was, is := have.Files[at]; ok && (!is || was != text) {
			steps = append(steps, host.WriteFile{Path: at, Mode: 0o644, Content: text})
			again = again || strings.HasPrefix(at, "/etc/fail2ban/")
		}
	}
	for _, at := range []string{JailsPath, ActionPath, FilterPath, WatchPath} {
		_, ok := files[at]
		if _, is := have.Files[at]; !ok && is {
			steps = append(steps, host.RemoveFile{Path: at})
			again = again || strings.HasPrefix(at, "/etc/fail2ban/")
		}
	}
	if want != nil && want.Engine == Fail2Ban && !have.Logs {
		steps = append(steps, touch())
	}
	switch {
	case want != nil && want.Engine == Fail2Ban && !have.Up:
		steps = append(steps, start())
	case have.Up && (again || want != nil && want.Engine == Fail2Ban && len(want.stale(have)) > 0):
		steps = append(steps, reload())
	}
	return steps
}

// stale says in which jails Fail2Ban goes by something else.
func (d Desired) stale(have Observed) (lines []string) {
	say := func(format string, args ...any) { lines = append(lines, fmt.Sprintf(format, args...)) }
	for i, m := range models(d.PanelLog) {
		j := d.Jails[i]
		is, runs := have.Running[m.section]
		if on := d.on(j, have); on != runs {
			say("jail %s: %s", m.name, map[bool]string{true: "it should run", false: "it runs and should not"}[on])
			continue
		} else if !on {
			continue
		}
		d.differs(is, m.name, j, have.Sources[j.Name], say)
	}
	manual, runs := have.Running[Manual]
	if !runs {
		say("jail %s, for bans by hand: it should run", Manual)
	} else if manual.BanTime != "-1" || !slices.Equal(manual.Ignores, d.ignores()) {
		say("jail %s, for bans by hand: it goes by something else", Manual)
	}
	return lines
}

func (d Desired) differs(is Running, name string, j Jail, from Source, say func(format string, args ...any)) {
	for _, x := range []struct{ what, is, want string }{
		{"failures", is.MaxRetry, strconv.Itoa(j.MaxRetry)}, {"how long a failure counts", is.FindTime, strconv.Itoa(j.FindTime)},
		{"length of a ban", is.BanTime, strconv.Itoa(j.BanTime)},
		{"longer each time", strings.ToLower(strings.ReplaceAll(is.Again, "None", "false")), strconv.FormatBool(d.Again)},
		{"trusted networks", strings.Join(is.Ignores, " "), strings.Join(d.ignores(), " ")},
	} {
		if x.is != x.want {
			say("jail %s, %s: %s, and should be %s", name, x.what, cmp.Or(x.is, "nothing"), x.want)
		}
	}
	// A pattern stands for the files there are; that it reads any is what counts.
	if len(is.Reads) == 0 || from.Path != "" && !strings.Contains(from.Path, "*") && !slices.Contains(is.Reads, from.Path) {
		say("jail %s: it reads %s, and should read %s", name, cmp.Or(strings.Join(is.Reads, ", "), "nothing"), cmp.Or(from.Path, from.Match))
	}
}

// ignores is what Fail2Ban lists for what it was told to ignore.
func (d Desired) ignores() []string {
	out := strings.Fields(d.ignored())
	slices.Sort(out)
	return slices.Compact(out)
}

// diff says the difference to people.
func diff(want *Desired, have Observed) (lines []string) {
	files := map[string]string{}
	if want != nil {
		files = want.files(have)
	}
	for _, at := range slices.Sorted(maps.Keys(have.Files)) {
		if _, ok := files[at]; !ok {
			lines = append(lines, at+" goes")
		}
	}
	for _, at := range slices.Sorted(maps.Keys(files)) {
		was, is := have.Files[at]
		if !is {
			lines = append(lines, at+" is not there")
		} else if was != files[at] {
			lines = append(lines, changes(at, was, files[at])...)
		}
	}
	if want != nil && want.Engine == Fail2Ban {
		if !have.Logs {
			lines = append(lines, ownLog+" is not there")
		}
		if !have.Up {
			return append(lines, "Fail2Ban does not run")
		}
		lines = append(lines, want.stale(have)...)
	}
	return lines
}

// changes are the lines of a file that go and those that come, with their section.
func changes(at, was, now string) (lines []string) {
	before, after := keyed(was), keyed(now)
	for _, l := range before {
		if !slices.Contains(after, l) {
			lines = append(lines, at+": − "+l)
		}
	}
	for _, l := range after {
		if !slices.Contains(before, l) {
			lines = append(lines, at+": + "+l)
		}
	}
	if lines == nil {
		lines = append(lines, at+" is written otherwise")
	}
	return lines
}

func keyed(text string) (out []string) {
	section := ""
	for l := range strings.Lines(text) {
		l = strings.TrimRight(l, " \t\r\n")
		if strings.HasPrefix(l, "[") {
			section = l + " "
		} else if l != "" && !strings.HasPrefix(l, "#") {
			out = append(out, section+strings.TrimSpace(l))
		}
	}
	return out
}

// alarms say what is wrong although everything is done.
func alarms(want *Desired, have Observed) (lines []string) {
	if want == nil {
		return nil
	}
	if want.Engine == None {
		return []string{"no engine is chosen: nobody is banned"}
	}
	for _, j := range want.Jails {
		if _, reads := have.Sources[j.Name]; j.State == On && !reads {
			why := "its log is not there"
			if have.Journal != "" && j.Name == "ssh" {
				why += ", and " + have.Journal
			}
			lines = append(lines, fmt.Sprintf("jail %s is on and reads nothing: %s", j.Name, why))
		}
	}
	if want.Engine == Watch && have.Up {
		running := slices.Concat(slices.Collect(maps.Keys(have.Running)), have.Others)
		slices.Sort(running)
		lines = append(lines, "Fail2Ban runs beside our own engine, with its jails "+strings.Join(running, ", "))
	}
	return lines
}
