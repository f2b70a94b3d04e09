package conf

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// Options are names and values in the order in which they were first set.
type Options struct {
	names  []string
	values map[string]string
}

// NewOptions returns options without any.
func NewOptions() *Options { return &Options{values: map[string]string{}} }

// Set gives an option a value.
func (o *Options) Set(name, value string) {
	if _, ok := o.values[name]; !ok {
		o.names = append(o.names, name)
	}
	o.values[name] = value
}

// Get returns the value of an option.
func (o *Options) Get(name string) (string, bool) {
	v, ok := o.values[name]
	return v, ok
}

// Names returns the names in order.
func (o *Options) Names() []string { return o.names }

// Update sets all options of another.
func (o *Options) Update(other *Options) {
	for _, name := range other.names {
		o.Set(name, other.values[name])
	}
}

// Clone returns a copy.
func (o *Options) Clone() *Options {
	c := NewOptions()
	c.Update(o)
	return c
}

// Config is what some files say, one over the other.
type Config struct {
	defaults *Options
	order    []string
	sections map[string]*Options
}

func newConfig() *Config {
	return &Config{defaults: NewOptions(), sections: map[string]*Options{}}
}

// section returns a section; if there is none it is made, if that is asked for.
func (c *Config) section(name string, create bool) *Options {
	if name == Default {
		return c.defaults
	}
	s := c.sections[name]
	if s == nil && create {
		s = NewOptions()
		c.sections[name] = s
		c.order = append(c.order, name)
	}
	return s
}

// known is the section that holds what the options of another were before a
// later file set them.
func known(section string) string { return "KNOWN/" + section }

// Sections returns the names of the sections in order, but DEFAULT.
func (c *Config) Sections() []string {
	return slices.DeleteFunc(slices.Clone(c.order), func(name string) bool { return strings.HasPrefix(name, known("")) })
}

// Has reports whether there is a section.
func (c *Config) Has(section string) bool { return c.section(section, false) != nil }

// Defines reports whether a section itself, not DEFAULT, has an option.
func (c *Config) Defines(section, option string) bool {
	s := c.section(section, false)
	if s == nil {
		return false
	}
	_, ok := s.Get(option)
	return ok
}

// Names returns the options of a section in order, without those of DEFAULT.
func (c *Config) Names(section string) []string {
	if s := c.section(section, false); s != nil {
		return s.Names()
	}
	return nil
}

// Set gives an option of a section a value.
func (c *Config) Set(section, option, value string) { c.section(section, true).Set(option, value) }

// conditional is a section that holds under a condition: [Init?family=inet6].
var conditional = regexp.MustCompile(`^(\w+)(\?.+)$`)

// merge puts another file over this one.
func (c *Config) merge(file *Config) {
	c.defaults.Update(file.defaults)
	for _, name := range file.order {
		added := file.sections[name]
		if m := conditional.FindStringSubmatch(name); m != nil {
			name, added = m[1], added.suffixed(m[2])
		}
		old := c.section(name, false)
		if old != nil {
			before := c.section(known(name), true)
			for _, option := range added.names {
				if v, ok := old.Get(option); ok {
					before.Set(option, v)
				}
			}
		}
		c.section(name, true).Update(added)
	}
}

func (o *Options) suffixed(suffix string) *Options {
	s := NewOptions()
	for _, name := range o.names {
		s.Set(name+suffix, o.values[name])
	}
	return s
}

// A MissingError says that there is no such option, or no such section.
type MissingError struct{ Section, Option string }

func (e *MissingError) Error() string {
	return fmt.Sprintf("section [%s] has no option %q", e.Section, e.Option)
}
