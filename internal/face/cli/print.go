package cli

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"

	"golang.org/x/term"

	"hostward/internal/act"
)

// print shows the answer of a change or a query.
func (s *session) print(op *act.Op, body []byte) error {
	if s.output == "json" {
		_, err := s.out.Write(body)
		return err
	}
	answer, err := parse(body)
	if err != nil {
		return err
	}
	if s.output == "yaml" {
		return writeYAML(s.out, answer)
	}
	p := &printer{w: s.out, raw: s.raw()}
	p.show("", answer.get("output"), op.Output)
	if answer.get("state").text == act.Previewed {
		return s.diff(s.out, body)
	}
	p.state(answer)
	return p.err
}

// printer writes tables. Its columns come from the operation's declared type,
// so that they are the same whatever the values are.
type printer struct {
	w     io.Writer
	raw   bool // texts as they are: nobody's terminal is at risk
	shown bool
	err   error
}

func (p *printer) line(format string, args ...any) {
	if _, err := fmt.Fprintf(p.w, format+"\n", args...); err != nil {
		p.err = err
	}
}

// gap separates what follows from what was shown.
func (p *printer) gap() {
	if p.shown {
		p.line("")
	}
	p.shown = true
}

func (p *printer) show(title string, t *tree, shape reflect.Type) {
	switch {
	case t.kind == '0':
	case t.rows():
		p.gap()
		p.title(title)
		p.grid(t, columns(t, elem(shape)))
	case t.kind == 'a' && len(t.items) == 0:
		p.gap()
		p.title(title)
		p.line("none")
	case t.kind == 'a':
		p.gap()
		p.title(title)
		for _, item := range t.items {
			p.line("%s", item.cell())
		}
	case t.kind == 'o':
		p.object(title, t, shape)
	default:
		p.gap()
		p.text(t.text)
	}
}

// raw reports whether texts may be printed as they are: a zone file that goes
// into a file must not lose a byte.
func (s *session) raw() bool {
	f, ok := s.out.(*os.File)
	return !ok || !term.IsTerminal(int(f.Fd()))
}

// text prints one text; its own lines stay lines: a zone file, a key.
func (p *printer) text(s string) {
	if p.raw {
		p.line("%s", strings.TrimSuffix(s, "\n"))
		return
	}
	for l := range strings.SplitSeq(strings.TrimSuffix(s, "\n"), "\n") {
		cells := strings.Split(l, "\t")
		for i := range cells {
			cells[i] = clean(cells[i])
		}
		p.line("%s", strings.Join(cells, "\t"))
	}
}

func (p *printer) title(title string) {
	if title != "" {
		p.line("%s", title)
	}
}

// object prints short members as a block, and below it what is long or a
// table, with its name when there are several.
func (p *printer) object(title string, t *tree, shape reflect.Type) {
	var block, below []int
	for i, item := range t.items {
		switch {
		case item.kind == '0':
		case wide(item, typeOf(shape, t.keys[i])):
			below = append(below, i)
		default:
			block = append(block, i)
		}
	}
	if len(block) > 0 && len(below) != 1 || len(below) == 0 {
		p.block(title, t, block)
		block = nil
	}
	for _, i := range below {
		name := t.keys[i]
		if len(below) == 1 {
			name = title
		}
		p.show(name, t.items[i], typeOf(shape, t.keys[i]))
	}
	p.block("", t, block)
}

// wide reports what does not fit on the line of its name.
func wide(t *tree, shape reflect.Type) bool {
	switch t.kind {
	case 's':
		return strings.Contains(strings.TrimSuffix(t.text, "\n"), "\n")
	case 'a':
		e := indirect(elem(shape))
		return t.rows() || len(t.items) == 0 && e != nil && e.Kind() == reflect.Struct
	case 'o':
		for i, item := range t.items {
			if wide(item, typeOf(shape, t.keys[i])) {
				return true
			}
		}
	}
	return false
}

func (p *printer) block(title string, t *tree, which []int) {
	if len(which) == 0 {
		return
	}
	p.gap()
	p.title(title)
	w := tabwriter.NewWriter(p.w, 0, 0, 2, ' ', 0)
	for _, i := range which {
		fmt.Fprintf(w, "%s\t%s\n", clean(t.keys[i]), t.items[i].cell())
	}
	if err := w.Flush(); err != nil {
		p.err = err
	}
}

func (p *printer) grid(t *tree, names []string) {
	var b strings.Builder
	w := tabwriter.NewWriter(&b, 0, 0, 2, ' ', 0)
	heads := make([]string, len(names))
	for i, n := range names {
		heads[i] = strings.ToUpper(clean(n))
	}
	fmt.Fprintln(w, strings.Join(heads, "\t"))
	for _, row := range t.items {
		cells := make([]string, len(names))
		for i, n := range names {
			cells[i] = row.get(n).cell()
		}
		fmt.Fprintln(w, strings.Join(cells, "\t"))
	}
	_ = w.Flush() // a Builder takes everything
	for l := range strings.Lines(b.String()) {
		p.line("%s", strings.TrimRight(l, " \n"))
	}
}

// columns are the members of the declared type, then what else the rows have.
func columns(t *tree, shape reflect.Type) []string {
	names := members(shape)
	for _, row := range t.items {
		for _, key := range row.keys {
			if !slices.Contains(names, key) {
				names = append(names, key)
			}
		}
	}
	return names
}

func members(t reflect.Type) []string {
	t = indirect(t)
	if t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	var names []string
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); f.IsExported() && name != "" && name != "-" {
			names = append(names, name)
		}
	}
	return names
}

func indirect(t reflect.Type) reflect.Type {
	for t != nil && t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	return t
}

func elem(t reflect.Type) reflect.Type {
	if t = indirect(t); t != nil && (t.Kind() == reflect.Slice || t.Kind() == reflect.Array || t.Kind() == reflect.Map) {
		return t.Elem()
	}
	return nil
}

// typeOf is the type of the member of that name.
func typeOf(t reflect.Type, key string) reflect.Type {
	if t = indirect(t); t == nil || t.Kind() != reflect.Struct {
		return nil
	}
	for _, f := range reflect.VisibleFields(t) {
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name == key {
			return f.Type
		}
	}
	return nil
}

// state is the last line of a change: the state word and its record.
func (p *printer) state(answer *tree) {
	word := answer.get("state").text
	if word == "" {
		return
	}
	text := clean(word)
	if id := answer.get("record").text; id != "" {
		text += ", record " + clean(id)
	}
	if i := answer.get("index"); i.kind == 'n' {
		text += ", leaf " + i.text
	}
	p.line("%s", text)
}

// diff prints what a preview would change, old with "-" and new with "+".
func (s *session) diff(w io.Writer, body []byte) error {
	answer, err := parse(body)
	if err != nil {
		return err
	}
	p := &printer{w: w}
	changes := answer.get("changes")
	if len(changes.items) == 0 {
		p.line("preview: nothing would change")
		return p.err
	}
	for _, c := range changes.items {
		object := c.get("object")
		p.line("%s %s:%s", clean(c.get("event").text), clean(object.get("kind").text), clean(object.get("id").text))
		for _, f := range c.get("fields").items {
			p.field(f)
		}
	}
	p.line("preview: nothing was changed")
	return p.err
}

func (p *printer) field(f *tree) {
	name := clean(f.get("name").text)
	if f.get("secret").text == "true" {
		p.line("  ~ %s: (secret)", name)
		return
	}
	for _, side := range []struct{ sign, key string }{{"-", "old"}, {"+", "new"}} {
		v := f.get(side.key)
		if v.kind == '0' {
			continue
		}
		for l := range strings.SplitSeq(v.text, "\n") {
			p.line("  %s %s: %s", side.sign, name, clean(l))
		}
	}
}

// item prints one item of a stream.
func (s *session) item(line []byte) error {
	if s.output == "json" {
		_, err := fmt.Fprintf(s.out, "%s\n", line)
		return err
	}
	t, err := parse(line)
	if err != nil {
		return err
	}
	if s.output == "yaml" {
		if _, err := io.WriteString(s.out, "---\n"); err != nil {
			return err
		}
		return writeYAML(s.out, t)
	}
	if t.kind == 's' {
		p := &printer{w: s.out, raw: s.raw()}
		p.text(t.text)
		return p.err
	}
	_, err = fmt.Fprintln(s.out, t.cell())
	return err
}
