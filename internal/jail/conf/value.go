package conf

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
)

const (
	deepest  = 10      // values within values
	mostRefs = 10_000  // references that one value may lead to
	mostText = 1 << 20 // bytes of one value once all is filled in
)

// Get returns the value of an option with all it refers to filled in. The options
// of vars go over those of the section, and those over DEFAULT. If there is none
// the error is a *MissingError.
func (c *Config) Get(section, option string, vars *Options) (string, error) {
	s := &scope{config: c, section: section, vars: vars}
	value, ok := s.raw(strings.ToLower(option))
	if !ok {
		return "", &MissingError{section, option}
	}
	var b strings.Builder
	if err := s.expand(&b, value, 1); err != nil {
		return "", fmt.Errorf("option %q of section [%s]: %w", option, section, err)
	}
	return b.String(), nil
}

// A scope is where names of options are looked up.
type scope struct {
	config  *Config
	section string
	vars    *Options
	refs    int
}

func (s *scope) raw(name string) (string, bool) {
	own := s.config.section(s.section, false)
	if own == nil {
		return "", false
	}
	for _, o := range []*Options{s.vars, own, s.config.defaults} {
		if o == nil {
			continue
		}
		if v, ok := o.Get(name); ok {
			return v, true
		}
	}
	return "", false
}

// reference is %(name)s at the beginning.
var reference = regexp.MustCompile(`^%\(([^)]+)\)s`)

func (s *scope) expand(b *strings.Builder, rest string, depth int) error {
	if depth > deepest {
		return fmt.Errorf("values refer to values more than %d deep: they may refer to themselves", deepest)
	}
	for rest != "" {
		text, after, found := strings.Cut(rest, "%")
		b.WriteString(text)
		if b.Len() > mostText {
			return fmt.Errorf("the value is longer than %d bytes", mostText)
		}
		if !found {
			return nil
		}
		if rest = "%" + after; strings.HasPrefix(after, "%") {
			b.WriteByte('%')
			rest = after[1:]
			continue
		}
		m := reference.FindStringSubmatch(rest)
		if m == nil {
			return fmt.Errorf("after %% must come another %% or (name)s, found %q", clipped(rest))
		}
		if s.refs++; s.refs > mostRefs {
			return fmt.Errorf("the value refers to more than %d others", mostRefs)
		}
		value, ok := s.lookup(m[1])
		if !ok {
			return fmt.Errorf("%%(%s)s refers to nothing", m[1])
		}
		if err := s.expand(b, value, depth+1); err != nil {
			return err
		}
		rest = rest[len(m[0]):]
	}
	return nil
}

// lookup finds what %(name)s and %(section/name)s refer to.
func (s *scope) lookup(name string) (string, bool) {
	if name == "__name__" {
		return s.section, true
	}
	if v, ok := s.raw(strings.ToLower(name)); ok {
		return v, true
	}
	section, option, ok := sectionOption(name)
	if !ok || name != strings.ToLower(name) && !strings.HasPrefix(name, "default/") {
		return "", false
	}
	var from *Options
	switch section {
	case "default":
	case "known":
		from = s.config.section(known(s.section), false)
	default:
		if from = s.config.section(section, false); from == nil {
			return "", false
		}
	}
	if from != nil {
		if v, ok := from.Get(option); ok {
			return v, true
		}
	}
	return s.config.defaults.Get(option)
}

var sectionName = regexp.MustCompile(`^[\w-]+$`)

func sectionOption(name string) (section, option string, ok bool) {
	section, option, ok = strings.Cut(name, "/")
	return section, option, ok && option != "" && sectionName.MatchString(section)
}

// GetAny is Get that also takes names such as "section/option" and "known/option",
// as tags have them.
func (c *Config) GetAny(section, name string, vars *Options) (string, error) {
	if in, option, ok := sectionOption(name); ok && !strings.ContainsAny(option, " \t\n>") {
		places := []string{in}
		switch strings.ToLower(in) {
		case "known":
			places = []string{known(section), section}
		case "default":
			places = []string{Default}
		}
		for _, place := range places {
			v, err := c.Get(place, option, nil)
			if missing := (*MissingError)(nil); !errors.As(err, &missing) {
				return v, err
			}
		}
	}
	return c.Get(section, name, vars)
}
