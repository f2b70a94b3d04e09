package ini

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"hostward/internal/core"
)

// Set gives a plain key a value. It replaces the bytes of the value that holds
// and no other byte. A new key goes to the end of its section, behind the last
// key there; a new section to the end of the file. Faults leave the file as it was.
func (f *File) Set(section, key, text string) error {
	if err := settable(section, key); err != nil {
		return err
	}
	value, err := encode(text)
	if err != nil {
		return err
	}
	if f.hasArray(section, key) {
		return refuse(key, "", "a key that is not used as an array (key[] = …) in the file")
	}
	if e, ok := f.Get(section, key); ok {
		return f.splice(e.start, e.end, value)
	}
	return f.add(section, key+" = "+value)
}

// Unset removes every line of a plain key, comments on these lines included.
// An absent key is no error.
func (f *File) Unset(section, key string) error {
	for {
		e, ok := f.Get(section, key)
		if !ok {
			return nil
		}
		if err := f.splice(e.line, e.next, ""); err != nil {
			return err
		}
	}
}

func (f *File) hasArray(section, key string) bool {
	return slices.ContainsFunc(f.entries, func(e Entry) bool {
		return e.Section == section && e.Key == key && e.Array
	})
}

// add writes a new line into a section.
func (f *File) add(section, line string) error {
	eol := f.eol()
	at, found := f.sectionEnd(section)
	if found {
		return f.splice(at, at, f.before(at, eol)+line+eol)
	}
	gap := ""
	if len(bytes.TrimPrefix(f.raw, []byte(bom))) > 0 {
		gap = f.before(len(f.raw), eol) + eol
	}
	return f.splice(len(f.raw), len(f.raw), gap+"["+section+"]"+eol+line+eol)
}

// sectionEnd returns where a new line of a section goes.
func (f *File) sectionEnd(name string) (at int, found bool) {
	if name == "" {
		found = true
		if bytes.HasPrefix(f.raw, []byte(bom)) {
			at = len(bom)
		}
	}
	for _, s := range f.sections {
		if s.name == name {
			at, found = s.next, true
		}
	}
	for _, e := range f.entries {
		if e.Section == name && e.next > at {
			at = e.next
		}
	}
	return at, found
}

// before returns the end of line that is missing in front of at.
func (f *File) before(at int, eol string) string {
	head := bytes.TrimPrefix(f.raw[:at], []byte(bom))
	if len(head) == 0 || isNewline(rune(head[len(head)-1])) {
		return ""
	}
	return eol
}

// eol returns the file's own end of line: its first one.
func (f *File) eol() string {
	i := bytes.IndexAny(f.raw, "\r\n")
	switch {
	case i < 0 || f.raw[i] == '\n':
		return "\n"
	case bytes.HasPrefix(f.raw[i:], []byte("\r\n")):
		return "\r\n"
	}
	return "\r"
}

// splice replaces bytes and reads the result again, so that what Set leaves
// behind is known to be readable.
func (f *File) splice(from, to int, text string) error {
	edited := slices.Concat(f.raw[:from], []byte(text), f.raw[to:])
	again, faults := Parse(edited)
	if len(faults) > 0 {
		return faults.Err()
	}
	*f = *again
	return nil
}

// encode writes a text so that it reads back as the same text: bare where that
// is plain, else in double quotes, in single ones where it has "${".
func encode(text string) (string, error) {
	switch {
	case isPlain(text):
		return text, nil
	case strings.ContainsRune(text, 0):
		return "", refuse("value", text, "text without NUL bytes")
	case !strings.Contains(text, "${"):
		return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(text) + `"`, nil
	case !strings.Contains(text, "'"):
		return "'" + text + "'", nil
	}
	return "", refuse("value", text, `text without "${", or with "${" and without "'"`)
}

// isPlain reports text that needs no quotes for any reader of such files.
func isPlain(text string) bool {
	if text == "" || text[0] == ' ' || text[len(text)-1] == ' ' || isConstant(text) {
		return false
	}
	for _, c := range []byte(text) {
		plain := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !plain && !strings.ContainsRune("_.,:/*@%+-", rune(c)) {
			return false
		}
	}
	return true
}

// settable refuses names that would not read back as themselves.
func settable(section, key string) error {
	probe := key + " = 1\n"
	if section != "" {
		probe = "[" + section + "]\n" + probe
	}
	f, faults := Parse([]byte(probe))
	if len(faults) == 0 && len(f.entries) == 1 && len(f.sections) <= 1 {
		if e := f.entries[0]; e.Section == section && e.Key == key && !e.Array && e.Text == "1" {
			return nil
		}
	}
	return refuse("key", fmt.Sprintf("[%s] %s", section, key), "a section and a key as they stand in a file")
}

func refuse(field, value, accepted string) error {
	return core.Faults{{Field: field, Value: value, Accepted: accepted}}.Err()
}
