package jail

import (
	"errors"
	"fmt"
	"io/fs"
	"strconv"
	"strings"

	"hostward/internal/jail/conf"
)

// filterOptions are what a filter's section [Definition] may say of what a filter
// does; all else in it serves to build these.
var filterOptions = []string{"usedns", "prefregex", "ignoreregex", "failregex", "maxlines", "datepattern", "journalmatch"}

// ReadFilter reads a filter of filter.d as it is without any jail: spec is its name,
// perhaps with options as jail.conf has them, such as "sshd[mode=aggressive]".
func ReadFilter(fsys fs.FS, spec string) (Definition, error) {
	f, err := readFilter(fsys, spec)
	if err != nil {
		return Definition{}, err
	}
	options, err := f.combined(nil, false)
	if err != nil {
		return Definition{}, err
	}
	var d Definition
	return d, d.set(options)
}

// A filterReader reads one file of filter.d.
type filterReader struct {
	name string
	conf *conf.Config
	init *conf.Options // options given to it, and then those of [Init]
	own  *conf.Options
	vars *conf.Options
}

func readFilter(fsys fs.FS, spec string) (*filterReader, error) {
	name, options, err := splitOptions(spec)
	if err != nil {
		return nil, fmt.Errorf("filter %q: %w", spec, err)
	}
	if name = strings.TrimSpace(name); !fs.ValidPath("filter.d/" + name) {
		return nil, fmt.Errorf("filter %q: accepted is the name of a file below filter.d, without .conf", name)
	}
	c, faults := conf.Read(fsys, "filter.d/"+name)
	if len(faults) > 0 {
		return nil, fmt.Errorf("filter %s: %w", name, faults[0])
	}
	if c == nil {
		return nil, fmt.Errorf("filter %s: there is no filter.d/%s.conf", name, name)
	}
	return &filterReader{name: name, conf: c, init: options}, nil
}

const definition = "Definition"

// logtype says how lines begin if neither the jail nor the filter does.
func (f *filterReader) logtype(t string) {
	if v, _ := f.init.Get("logtype"); v == "" && !f.conf.Defines(definition, "logtype") {
		f.init.Set("logtype", t)
	}
}

// combined returns the options of a filter with everything filled in, beneath those
// of a jail: an option that the jail has is not among them. With all, every option of
// [Definition] is.
func (f *filterReader) combined(jail *conf.Options, all bool) (*conf.Options, error) {
	if err := f.read(jail, all); err != nil {
		return nil, fmt.Errorf("filter %s: %w", f.name, err)
	}
	options := f.own.Clone()
	options.Update(f.init)
	except := map[string]bool{}
	for _, name := range options.Names() {
		if before, after, ok := strings.Cut(name, "?"); ok && before != "" && after != "" {
			except[before] = true
		}
	}
	options, err := conf.Substitute(options, except, f.more)
	if err != nil {
		return nil, fmt.Errorf("filter %s: %w", f.name, err)
	}
	return options, nil
}

// more finds what a tag means that is no option so far.
func (f *filterReader) more(name string) (string, bool, error) {
	v, err := f.conf.GetAny(definition, name, f.vars)
	if missing := (*conf.MissingError)(nil); errors.As(err, &missing) {
		return "", false, nil
	}
	return v, err == nil, err
}

func (f *filterReader) read(jail *conf.Options, all bool) error {
	f.vars = conf.NewOptions()
	if jail != nil {
		f.vars.Update(jail)
	}
	f.vars.Update(f.init)
	f.own = conf.NewOptions()
	for _, name := range filterOptions {
		if _, ok := f.vars.Get(name); ok {
			continue
		}
		if err := f.take(name, f.vars); err != nil {
			return err
		}
	}
	if err := f.readInit(); err != nil || !all {
		return err
	}
	for _, name := range f.conf.Names(definition) {
		if _, ok := f.own.Get(name); ok {
			continue
		}
		if err := f.take(name, nil); err != nil {
			return err
		}
	}
	return nil
}

func (f *filterReader) take(name string, vars *conf.Options) error {
	v, err := f.conf.Get(definition, name, vars)
	if missing := (*conf.MissingError)(nil); errors.As(err, &missing) {
		return nil
	}
	if err == nil {
		f.own.Set(name, v)
	}
	return err
}

// readInit takes what [Init] says and nobody has said before.
func (f *filterReader) readInit() error {
	for _, name := range f.conf.Names("Init") {
		v, err := f.conf.Get("Init", name, nil)
		if err != nil {
			return err
		}
		if !strings.HasPrefix(name, "known/") {
			f.init.Set("known/"+name, v)
		}
		if _, ok := f.init.Get(name); !ok {
			f.init.Set(name, v)
		}
	}
	return nil
}

// set takes from options what a filter does. What is there already stays, but for
// expressions, which are added.
func (d *Definition) set(options *conf.Options) error {
	for _, name := range options.Names() {
		v, _ := options.Get(name)
		switch name {
		case "prefregex":
			d.Prefix = or(v, d.Prefix)
		case "failregex":
			d.Fail = append(d.Fail, expressions(v)...)
		case "ignoreregex":
			d.Ignore = append(d.Ignore, expressions(v)...)
		case "datepattern":
			d.DatePattern = or(v, d.DatePattern)
		case "usedns":
			d.UseDNS = strings.ToLower(v)
		case "maxlines":
			n, err := strconv.Atoi(strings.TrimSpace(v))
			if err != nil || n < 1 || n > mostLines {
				return fmt.Errorf("maxlines = %q: accepted is a whole number from 1 to %d", v, mostLines)
			}
			d.MaxLines = n
		}
	}
	return nil
}

func or(a, b string) string {
	if a != "" {
		return a
	}
	return b
}

func expressions(s string) []string {
	var all []string
	for line := range strings.SplitSeq(s, "\n") {
		if line != "" {
			all = append(all, line)
		}
	}
	return all
}

func journalMatches(options *conf.Options) ([][]string, error) {
	v, _ := options.Get("journalmatch")
	var all [][]string
	for _, line := range expressions(v) {
		words, err := shellWords(line)
		if err != nil {
			return nil, fmt.Errorf("journalmatch = %q: %w", line, err)
		}
		if len(words) > 0 {
			all = append(all, words)
		}
	}
	return all, nil
}
