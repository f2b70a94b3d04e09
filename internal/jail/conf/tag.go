package conf

import (
	"fmt"
	"regexp"
	"strings"
)

// tag is <name>; blanks and further brackets are no part of a name.
var tag = regexp.MustCompile(`<([^ <>]+)>`)

// mostTimes is how often one tag is filled into one value.
const mostTimes = 25

// Substitute fills tags in values: <name> becomes the value of the option of that
// name, or else what more knows of it. Tags that neither knows stay. Options of
// except, and tags of those names, are left alone.
func Substitute(options *Options, except map[string]bool, more func(string) (string, bool, error)) (*Options, error) {
	s := substitution{options: options.Clone(), except: except, more: more, counts: map[string]map[string]int{}}
	done := map[string]bool{}
	for again := true; again; {
		again = false
		for _, name := range s.options.names {
			if except[name] || done[name] {
				continue
			}
			changed, err := s.fill(name)
			if err != nil {
				return nil, err
			}
			value := s.options.values[name]
			again = again || changed && tag.MatchString(value)
			done[name] = !strings.Contains(value, "<")
		}
	}
	return s.options, nil
}

type substitution struct {
	options *Options
	except  map[string]bool
	more    func(string) (string, bool, error)
	counts  map[string]map[string]int // how often a tag was filled into a value
}

// fill goes once through a value and reports whether it changed it.
func (s *substitution) fill(name string) (bool, error) {
	value := s.options.values[name]
	if s.counts[name] == nil {
		s.counts[name] = map[string]int{}
	}
	changed := false
	for from := 0; from <= len(value); {
		m := tag.FindStringSubmatchIndex(value[from:])
		if m == nil {
			break
		}
		begin, end := from+m[0], from+m[1]
		found := value[begin+1 : end-1]
		if s.except[found] {
			from = end
			continue
		}
		if found == name || s.counts[name][found] > mostTimes {
			return false, fmt.Errorf("option %q: tag <%s> leads back to itself", name, found)
		}
		filling, ok, err := s.value(found)
		if err != nil {
			return false, err
		}
		if !ok {
			from = end
			continue
		}
		value = strings.ReplaceAll(value, "<"+found+">", filling)
		if len(value) > mostText {
			return false, fmt.Errorf("option %q is longer than %d bytes with its tags filled in", name, mostText)
		}
		s.counts[name][found]++
		changed, from = true, begin
	}
	if changed {
		s.options.Set(name, value)
	}
	return changed, nil
}

func (s *substitution) value(name string) (string, bool, error) {
	if v, ok := s.options.Get(name); ok {
		return v, true, nil
	}
	return s.more(name)
}
