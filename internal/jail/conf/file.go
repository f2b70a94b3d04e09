package conf

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Default is the section whose options every section has.
const Default = "DEFAULT"

// mostSize is how large a file may be.
const mostSize = 4 << 20

// parse reads one file, without its includes. As with configparser, a section or
// an option that is there twice is refused.
func parse(text string) (*Config, error) {
	switch {
	case len(text) > mostSize:
		return nil, fmt.Errorf("the file has %d bytes: at most %d are read", len(text), mostSize)
	case !utf8.ValidString(text):
		return nil, errors.New("the file is not valid UTF-8")
	}
	r := reader{config: newConfig(), sections: map[string]bool{}, options: map[string]bool{}}
	for line := range strings.Lines(strings.ReplaceAll(strings.ReplaceAll(text, "\r\n", "\n"), "\r", "\n")) {
		r.number++
		if err := r.line(strings.TrimSuffix(line, "\n")); err != nil {
			return nil, fmt.Errorf("line %d: %w", r.number, err)
		}
	}
	r.finish()
	return r.config, nil
}

// A reader reads a file line by line.
type reader struct {
	config   *Config
	number   int
	section  *Options // that the next option goes to
	name     string   // of that section
	option   string   // that the next line may continue
	value    []string
	indent   int
	sections map[string]bool // seen in this file
	options  map[string]bool
}

func (r *reader) line(line string) error {
	text, commented := uncommented(line)
	value := strings.TrimSpace(text)
	if value == "" {
		if !commented && r.option != "" {
			r.value = append(r.value, "")
		}
		return nil
	}
	indent := strings.IndexFunc(line, func(c rune) bool { return !unicode.IsSpace(c) })
	if r.option != "" && indent > r.indent {
		r.value = append(r.value, value)
		return nil
	}
	r.indent = indent
	r.finish()
	if end := strings.LastIndexByte(value, ']'); value[0] == '[' && end > 1 {
		return r.enter(value[1:end])
	}
	return r.assign(value)
}

// uncommented cuts off what is a comment: a line that begins with # or ;, and what
// follows a ; behind a blank.
func uncommented(line string) (text string, commented bool) {
	if trimmed := strings.TrimSpace(line); strings.HasPrefix(trimmed, "#") || strings.HasPrefix(trimmed, ";") {
		return "", true
	}
	for i := range len(line) {
		if line[i] != ';' {
			continue
		}
		if before, _ := utf8.DecodeLastRuneInString(line[:i]); i == 0 || unicode.IsSpace(before) {
			return line[:i], true
		}
	}
	return line, false
}

func (r *reader) enter(name string) error {
	if r.sections[name] {
		return fmt.Errorf("section [%s] is there twice", name)
	}
	if name != Default {
		r.sections[name] = true
	}
	r.section, r.name = r.config.section(name, true), name
	return nil
}

func (r *reader) assign(text string) error {
	i := strings.IndexAny(text, "=:")
	switch {
	case r.section == nil:
		return fmt.Errorf("%q stands before the first [section]", clipped(text))
	case i <= 0:
		return fmt.Errorf("%q is no section, no option = value, and continues nothing", clipped(text))
	}
	option := strings.ToLower(strings.TrimSpace(text[:i]))
	if r.options[r.name+"\x00"+option] {
		return fmt.Errorf("option %q is there twice in section [%s]", option, r.name)
	}
	r.options[r.name+"\x00"+option] = true
	r.option, r.value = option, []string{strings.TrimSpace(text[i+1:])}
	return nil
}

// finish keeps the option that was read.
func (r *reader) finish() {
	if r.option != "" {
		r.section.Set(r.option, strings.TrimRightFunc(strings.Join(r.value, "\n"), unicode.IsSpace))
	}
	r.option, r.value = "", nil
}

func clipped(s string) string {
	if len(s) > 60 {
		return strings.ToValidUTF8(s[:60], "") + "…"
	}
	return s
}
