package ini

import (
	"slices"
	"strings"
)

// File is a parsed file: its bytes, and where in them each value stands.
type File struct {
	raw      []byte
	entries  []Entry
	sections []section
}

// Entry is one "key = value".
type Entry struct {
	Section string // "" before the first section
	Key     string // "allowedIPs", "api.includeImmutable"; of "a[b] = c" it is "a"
	Array   bool   // written key[] or key[Index]
	Index   string // what stands in the brackets
	Text    string // the value without its quotes and escapes
	Quoted  bool   // the value stood in quotes: "on" is then a text for PHP
	Line    int    // of the value, from 1
	Column  int    // of the value, in bytes from 1

	start, end int // the value's bytes, quotes included
	line, next int // the bytes of the lines it stands on; next is where the following line begins
}

// section is one "[name]" line.
type section struct {
	name string
	line int // where its line begins
	next int // where the following line begins
}

// Bytes returns the file as it is to be written: byte for byte what was
// parsed, with the values that were set.
func (f *File) Bytes() []byte { return slices.Clone(f.raw) }

// Entries returns all entries in the file's order.
func (f *File) Entries() []Entry { return slices.Clone(f.entries) }

// Get returns the entry that holds for a plain key: the last one.
func (f *File) Get(section, key string) (Entry, bool) {
	for _, e := range slices.Backward(f.entries) {
		if e.Section == section && e.Key == key && !e.Array {
			return e, true
		}
	}
	return Entry{}, false
}

// Array returns the elements of key[] in the file's order.
func (f *File) Array(section, key string) []Entry {
	var out []Entry
	for _, e := range f.entries {
		if e.Section == section && e.Key == key && e.Array {
			out = append(out, e)
		}
	}
	return out
}

// Bool reads the value as a switch, as PHP does: on, yes, true and 1 are on;
// off, no, false, none, null and 0 are off, in any case of letters. Nothing
// else is a switch.
func (e Entry) Bool() (on, ok bool) {
	switch strings.ToLower(e.Text) {
	case "on", "yes", "true", "1":
		return true, true
	case "off", "no", "false", "none", "null", "0":
		return false, true
	}
	return false, false
}
