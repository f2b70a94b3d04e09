package cli

import (
	"archive/tar"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"hostward/internal/act"
)

// input is where the fields of one operation stand on a command line.
type input struct {
	op     *act.Op
	places []act.Param // positional, in order
	flags  []flagged
}

// flagged is a field that is a flag.
type flagged struct {
	act.Param
	flag string
	set  *pflag.FlagSet
}

// ours are the flags of every command; a field with one of these names gets
// another.
var ours = []string{"output", "server", "ca", "data", "help", "dry-run", "yes", "reason", "if-match", "idempotency-key"}

func newInput(op *act.Op, set *pflag.FlagSet) *input {
	in := &input{op: op}
	for _, p := range op.Input {
		if p.Positional && p.Type != "secret" && p.Type != "objects" && p.Type != "boolean" {
			in.places = append(in.places, p)
			continue
		}
		f := flagged{p, flagName(op, p), set}
		if f.declare() {
			in.flags = append(in.flags, f)
		}
	}
	// Required arguments first: which one is missing must not depend on which
	// optional ones were given.
	slices.SortStableFunc(in.places, func(a, b act.Param) int { return rank(a) - rank(b) })
	return in
}

func rank(p act.Param) int {
	switch {
	case p.Type == "list":
		return 2
	case !p.Required:
		return 1
	}
	return 0
}

// flagName is the field's name with dashes: primaryServer is primary-server.
func flagName(op *act.Op, p act.Param) string {
	var b strings.Builder
	for i, r := range p.Name {
		if r >= 'A' && r <= 'Z' {
			if i > 0 {
				b.WriteByte('-')
			}
			r += 'a' - 'A'
		}
		b.WriteRune(r)
	}
	name := strings.ReplaceAll(b.String(), "_", "-")
	if slices.Contains(ours, name) {
		words := strings.Split(op.Name, ".")
		name = words[len(words)-2] + "-" + name
	}
	return name
}

// declare makes the flag; false: the field has none.
func (f flagged) declare() bool {
	doc := f.Doc
	if f.Enum != nil {
		doc += ": " + strings.Join(f.Enum, ", ")
	}
	if f.Required {
		doc += " (required)"
	}
	switch f.Type {
	case "boolean":
		f.set.Bool(f.flag, false, doc)
	case "integer":
		f.set.Int64(f.flag, 0, doc)
	case "list":
		f.set.StringArray(f.flag, nil, doc+"; may be repeated")
	case "objects":
		f.set.String(f.flag, "", doc+"; JSON, or @FILE, or @- for standard input")
	case "file":
		f.set.String(f.flag, "", doc+"; a path, or - for standard input")
	case "secret":
		if f.Required {
			return true // read without being asked for
		}
		f.set.Bool("set-"+f.flag, false, doc+"; read from standard input")
	default:
		f.set.String(f.flag, "", doc)
	}
	return true
}

// usage is the part of the usage line behind the words.
func (in *input) usage() string {
	var b strings.Builder
	for _, p := range in.places {
		word := strings.ToUpper(p.Name)
		if p.Type == "list" {
			word += "..."
		}
		if !p.Required {
			word = "[" + word + "]"
		}
		b.WriteString(" " + word)
	}
	b.WriteString(" [flags]")
	return b.String()
}

// arguments refuses a wrong number of them.
func (in *input) arguments(_ *cobra.Command, args []string) error {
	for i, p := range in.places {
		if p.Required && i >= len(args) {
			return fmt.Errorf("%s is missing: %s", strings.ToUpper(p.Name), p.Doc)
		}
		if p.Type == "list" {
			return nil
		}
	}
	if len(args) > len(in.places) {
		return fmt.Errorf("there is no place for %q", args[len(in.places)])
	}
	return nil
}

// member is one field with its value as JSON.
type member struct {
	act.Param
	value json.RawMessage
	large *os.File // instead of value: to be uploaded
	bytes []byte   // the same, already read
}

// read collects the fields that were given, in the order of the input.
func (in *input) read(args []string, stdin io.Reader, secrets *secrets) ([]member, error) {
	var members []member
	take := func(m member, ok bool, err error) error {
		if ok && err == nil {
			members = append(members, m)
		}
		return err
	}
	for i, p := range in.places {
		if i >= len(args) {
			break
		}
		if err := take(argument(p, args[i:], stdin)); err != nil {
			return nil, err
		}
	}
	for _, f := range in.flags {
		if err := take(f.read(stdin, secrets)); err != nil {
			return nil, err
		}
	}
	return members, nil
}

func argument(p act.Param, rest []string, stdin io.Reader) (member, bool, error) {
	m := member{Param: p}
	var err error
	switch p.Type {
	case "list":
		m.value, err = json.Marshal(rest)
	case "integer":
		m.value = json.RawMessage(rest[0])
		if !whole(rest[0]) {
			err = Usage("%s %q: must be a whole number", strings.ToUpper(p.Name), rest[0])
		}
	case "file":
		err = m.open(rest[0], stdin)
	default:
		m.value, err = textValue(p.Name, rest[0])
	}
	return m, true, err
}

func whole(s string) bool {
	digits := strings.TrimPrefix(s, "-")
	return digits != "" && len(digits) < 20 && strings.Trim(digits, "0123456789") == "" && (digits == "0" || digits[0] != '0')
}

func textValue(name, s string) (json.RawMessage, error) {
	if !utf8.ValidString(s) {
		return nil, Usage("%s: must be UTF-8", name)
	}
	return json.Marshal(s)
}

func (f flagged) read(stdin io.Reader, secrets *secrets) (member, bool, error) {
	m := member{Param: f.Param}
	if f.Type == "secret" {
		if asked, _ := f.set.GetBool("set-" + f.flag); !f.Required && !asked {
			return m, false, nil
		}
		text, err := secrets.next(f.Name)
		m.value = text
		return m, true, err
	}
	if !f.set.Changed(f.flag) {
		if f.Required && f.Type != "boolean" {
			return m, false, Usage("--%s is missing: %s", f.flag, f.Doc)
		}
		return m, false, nil
	}
	return m, true, m.flag(f, stdin)
}

func (m *member) flag(f flagged, stdin io.Reader) (err error) {
	switch f.Type {
	case "boolean":
		v, _ := f.set.GetBool(f.flag)
		m.value, err = json.Marshal(v)
	case "integer":
		v, _ := f.set.GetInt64(f.flag)
		m.value, err = json.Marshal(v)
	case "list":
		v, _ := f.set.GetStringArray(f.flag)
		m.value, err = json.Marshal(v)
	case "objects":
		v, _ := f.set.GetString(f.flag)
		m.value, err = objects(f.flag, v, stdin)
	case "file":
		v, _ := f.set.GetString(f.flag)
		err = m.open(v, stdin)
	default:
		v, _ := f.set.GetString(f.flag)
		m.value, err = textValue("--"+f.flag, v)
	}
	return err
}

// objects reads JSON from the word itself, from @FILE or from @-.
func objects(flag, word string, stdin io.Reader) (json.RawMessage, error) {
	text := []byte(word)
	if path, ok := strings.CutPrefix(word, "@"); ok {
		var err error
		if text, err = readAll(path, stdin); err != nil {
			return nil, Usage("--%s: %v", flag, err)
		}
	}
	if !json.Valid(text) {
		return nil, Usage("--%s: must be JSON, such as [{…}], or @FILE", flag)
	}
	return bytes.TrimSpace(text), nil
}

func readAll(path string, stdin io.Reader) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(io.LimitReader(stdin, 1<<20))
	}
	return os.ReadFile(path)
}

// inline is the most that a file may have to go along as text; more, or what
// is not UTF-8, is uploaded first.
const inline = 256 << 10

// open takes a file: small text as it is, the rest for an upload.
func (m *member) open(path string, stdin io.Reader) error {
	if path == "-" {
		text, err := io.ReadAll(io.LimitReader(stdin, 128<<20+1))
		m.text(text)
		return err
	}
	f, err := os.Open(path)
	if err != nil {
		return Usage("%v", err)
	}
	info, err := f.Stat()
	if err == nil && info.IsDir() {
		defer f.Close()
		if m.Form != "file" { // what can be typed is no archive
			return Usage("%s: must be a file", path)
		}
		m.bytes, err = folder(path)
		return err
	}
	if err != nil {
		f.Close()
		return Usage("%v", err)
	}
	if info.Size() > inline {
		m.large = f
		return nil
	}
	defer f.Close()
	text, err := io.ReadAll(f)
	m.text(text)
	return err
}

// folder packs the files of a folder and those below it, for operations that take
// an archive. Links are not followed.
func folder(dir string) ([]byte, error) {
	var b capped
	t := tar.NewWriter(&b)
	err := t.AddFS(os.DirFS(dir))
	if err = errors.Join(err, t.Close()); err != nil {
		return nil, Usage("%s: %v", dir, err)
	}
	return b.Bytes(), nil
}

// capped is a buffer for no more than an upload may have.
type capped struct{ bytes.Buffer }

func (c *capped) Write(p []byte) (int, error) {
	if c.Len()+len(p) > 128<<20 {
		return 0, errors.New("holds more than the 128 MB that are accepted")
	}
	return c.Buffer.Write(p)
}

func (m *member) text(text []byte) {
	if len(text) > inline || !utf8.Valid(text) {
		m.bytes = text
		return
	}
	m.value, _ = json.Marshal(string(text))
}

// object is the input as one JSON object.
func object(members []member) []byte {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, m := range members {
		if i > 0 {
			b.WriteByte(',')
		}
		name, _ := json.Marshal(m.Name)
		b.Write(name)
		b.WriteByte(':')
		b.Write(m.value)
	}
	b.WriteByte('}')
	return b.Bytes()
}

// query is the input as a query string; a list repeats its key.
func query(members []member) (url.Values, error) {
	values := url.Values{}
	for _, m := range members {
		var v any
		d := json.NewDecoder(bytes.NewReader(m.value))
		d.UseNumber()
		if err := d.Decode(&v); err != nil {
			return nil, err
		}
		if list, ok := v.([]any); ok {
			for _, one := range list {
				values.Add(m.Name, fmt.Sprint(one))
			}
			continue
		}
		values.Add(m.Name, fmt.Sprint(v))
	}
	return values, nil
}
