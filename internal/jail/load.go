package jail

import (
	"errors"
	"fmt"
	"io/fs"
	"math"
	"strconv"
	"strings"
	"time"

	"hostward/internal/jail/conf"
)

// What every file may refer to, as with fail2ban.
const (
	fail2banVersion = "1.0.2"
	fail2banFolder  = "/etc/fail2ban"
)

// Load reads the folder. It returns an error only if there is no jail.conf and no
// jail.local at all; everything else that is wrong is among the faults. Filters of
// jails that are off are not read. A file that cannot be read says nothing; its
// fault says so.
func Load(fsys fs.FS) (*Config, error) {
	jails, faults := conf.Read(fsys, "jail")
	if jails == nil {
		return nil, errors.New("neither jail.conf nor jail.local is there")
	}
	jails.Set(conf.Default, "fail2ban_version", fail2banVersion)
	jails.Set(conf.Default, "fail2ban_confpath", fail2banFolder)
	c := &Config{}
	for _, f := range faults {
		c.Faults = append(c.Faults, Fault{File: f.File, Text: f.Err.Error()})
	}
	for _, name := range jails.Sections() {
		if name == "INCLUDES" || name == "Definition" {
			continue
		}
		r := jailReader{fsys: fsys, conf: jails, name: name}
		j, err := r.read()
		if err != nil {
			c.Faults = append(c.Faults, faultOf(name, err))
			continue
		}
		c.Jails = append(c.Jails, j)
	}
	return c, nil
}

func faultOf(jail string, err error) Fault {
	if file := (*conf.FileError)(nil); errors.As(err, &file) {
		return Fault{Jail: jail, File: file.File, Text: file.Err.Error()}
	}
	return Fault{Jail: jail, Text: err.Error()}
}

// jailOptions are the options of a jail that are its own; those of filters follow.
var jailOptions = append([]string{
	"enabled", "backend", "maxretry", "maxmatches", "findtime", "bantime",
	"bantime.increment", "bantime.factor", "bantime.formula", "bantime.multipliers",
	"bantime.maxtime", "bantime.rndtime", "bantime.overalljails",
	"ignorecommand", "ignoreself", "ignoreip", "filter",
	"logtimezone", "logencoding", "logpath", "action", "port", "protocol",
}, filterOptions...)

// tolerated are options that fail2ban does not read from a jail, and whose faults
// therefore break none.
var tolerated = map[string]bool{"port": true, "protocol": true}

// A jailReader reads one section of jail.conf.
type jailReader struct {
	fsys fs.FS
	conf *conf.Config
	name string
}

func (r *jailReader) read() (Jail, error) {
	first, err := r.options([]string{"enabled", "backend", "filter"})
	if err != nil {
		return Jail{}, err
	}
	if v, _ := first.Get("enabled"); !isTrue(v) {
		return r.off(first), nil
	}
	spec, _ := first.Get("filter")
	if strings.TrimSpace(spec) == "" {
		options, err := r.options(jailOptions)
		if err != nil {
			return Jail{}, err
		}
		return r.jail(options)
	}
	return r.withFilter(spec, first)
}

// off is a jail that is not enabled. What it says counts as far as it can be read.
func (r *jailReader) off(first *conf.Options) Jail {
	if options, err := r.options(jailOptions); err == nil {
		if j, err := r.jail(options); err == nil {
			return j
		}
	}
	backend, _ := first.Get("backend")
	return Jail{Name: r.name, Backend: backend}
}

// withFilter reads the filter once for what the jail may refer to as known/…, and
// then once more beneath what the jail says.
func (r *jailReader) withFilter(spec string, first *conf.Options) (Jail, error) {
	f, err := readFilter(r.fsys, spec)
	if err != nil {
		return Jail{}, err
	}
	backend, _ := first.Get("backend")
	f.logtype(map[bool]string{true: "journal", false: "file"}[strings.HasPrefix(backend, "systemd")])
	known, err := f.combined(first, true)
	if err != nil {
		return Jail{}, err
	}
	for _, name := range known.Names() {
		if !strings.HasPrefix(name, "known/") {
			v, _ := known.Get(name)
			r.conf.Set(r.name, "known/"+name, v)
		}
	}
	options, err := r.options(jailOptions)
	if err != nil {
		return Jail{}, err
	}
	own, err := f.combined(options, false)
	if err != nil {
		return Jail{}, err
	}
	j, err := r.jail(options)
	if err != nil {
		return Jail{}, err
	}
	return j, r.attach(&j, f, own, options)
}

func (r *jailReader) attach(j *Jail, f *filterReader, own, options *conf.Options) error {
	d := Definition{TimeZone: j.LogTimeZone, Encoding: j.LogEncoding, FindTime: j.FindTime}
	err := d.set(options)
	if err == nil {
		err = d.set(own)
	}
	if v, ok := options.Get("datepattern"); ok {
		d.DatePattern = v
	}
	if err != nil {
		return fmt.Errorf("filter %s: %w", f.name, err)
	}
	if j.Filter, err = NewFilter(d); err != nil {
		return fmt.Errorf("filter %s: %w", f.name, err)
	}
	j.UseDNS = j.Filter.def.UseDNS
	for _, o := range []*conf.Options{own, options} {
		matches, err := journalMatches(o)
		if err != nil {
			return err
		}
		j.JournalMatch = append(j.JournalMatch, matches...)
	}
	return nil
}

// options returns those of the names that the jail or DEFAULT has.
func (r *jailReader) options(names []string) (*conf.Options, error) {
	all := conf.NewOptions()
	for _, name := range names {
		v, err := r.conf.Get(r.name, name, nil)
		switch missing := (*conf.MissingError)(nil); {
		case err == nil:
			all.Set(name, v)
		case !errors.As(err, &missing) && !tolerated[name]:
			return nil, err
		}
	}
	return all, nil
}

// jail makes a jail of its options, all but its filter.
func (r *jailReader) jail(options *conf.Options) (Jail, error) {
	v := values{options: options}
	j := Jail{
		Name:          r.name,
		Enabled:       v.bool("enabled", false),
		LogPath:       logPaths(v.text("logpath", "")),
		Backend:       v.text("backend", "auto"),
		LogEncoding:   v.text("logencoding", "auto"),
		LogTimeZone:   v.text("logtimezone", ""),
		MaxRetry:      v.int("maxretry", 3),
		MaxMatches:    v.int("maxmatches", 50),
		FindTime:      v.span("findtime", 10*time.Minute),
		BanTime:       v.span("bantime", 10*time.Minute),
		Increment:     v.increment(),
		Ignore:        words(v.text("ignoreip", "")),
		IgnoreSelf:    v.bool("ignoreself", true),
		IgnoreCommand: v.text("ignorecommand", ""),
		UseDNS:        v.text("usedns", "warn"),
		Port:          v.text("port", ""),
		Protocol:      v.text("protocol", ""),
		Actions:       splitActions(v.text("action", "")),
	}
	name, _, err := splitOptions(v.text("filter", ""))
	if err != nil {
		return Jail{}, fmt.Errorf("filter: %w", err)
	}
	j.FilterName = name
	return j, v.err
}

// values reads options as what they are. It keeps the first fault.
type values struct {
	options *conf.Options
	err     error
}

func (v *values) text(name, otherwise string) string {
	if s, ok := v.options.Get(name); ok {
		return s
	}
	return otherwise
}

func (v *values) fail(name, value, accepted string) {
	if v.err == nil {
		v.err = fmt.Errorf("%s = %q: accepted is %s", name, value, accepted)
	}
}

func (v *values) bool(name string, otherwise bool) bool {
	if s, ok := v.options.Get(name); ok {
		return isTrue(s)
	}
	return otherwise
}

func isTrue(s string) bool {
	switch strings.ToLower(s) {
	case "1", "on", "true", "yes":
		return true
	}
	return false
}

func (v *values) int(name string, otherwise int) int {
	s, ok := v.options.Get(name)
	if !ok {
		return otherwise
	}
	n, err := strconv.Atoi(strings.TrimSpace(s))
	if err != nil || n < 0 || n > math.MaxInt32 {
		v.fail(name, s, "a whole number")
		return otherwise
	}
	return n
}

func (v *values) span(name string, otherwise time.Duration) time.Duration {
	s, ok := v.options.Get(name)
	if !ok || s == "" {
		return otherwise
	}
	d, err := Span(s)
	if err != nil {
		v.fail(name, s, "a time such as 600, 10m or 1d 12h")
		return otherwise
	}
	return d
}

func (v *values) number(name, s string) float64 {
	f, err := strconv.ParseFloat(strings.TrimSpace(s), 64)
	if err != nil || f < 0 || math.IsInf(f, 0) || math.IsNaN(f) {
		v.fail(name, s, "a number of at least 0")
	}
	return f
}

func (v *values) increment() Increment {
	i := Increment{
		On:         v.bool("bantime.increment", false),
		Factor:     1,
		Formula:    v.text("bantime.formula", ""),
		MaxTime:    v.span("bantime.maxtime", 0),
		RandomTime: v.span("bantime.rndtime", 0),
		Overall:    v.bool("bantime.overalljails", false),
	}
	if s := v.text("bantime.factor", ""); s != "" {
		i.Factor = v.number("bantime.factor", s)
	}
	for _, s := range words(v.text("bantime.multipliers", "")) {
		i.Multipliers = append(i.Multipliers, v.number("bantime.multipliers", s))
	}
	return i
}

// logPaths reads one glob a line, each perhaps with "tail" or "head" behind it.
func logPaths(s string) []LogPath {
	var all []LogPath
	for line := range strings.SplitSeq(s, "\n") {
		if line = strings.TrimSpace(line); line == "" {
			continue
		}
		p := LogPath{Glob: line}
		if i := strings.LastIndexByte(line, ' '); i >= 0 {
			p = LogPath{Glob: strings.TrimSpace(line[:i]), Tail: line[i+1:] == "tail"}
		}
		all = append(all, p)
	}
	return all
}

func words(s string) []string {
	return strings.FieldsFunc(s, func(c rune) bool { return strings.ContainsRune(" ,\n\t\r", c) })
}
