package cli

import (
	"fmt"
	"io"
	"os"
	"reflect"
	"slices"
	"strings"
	"text/tabwriter"
	"unicode/utf8"

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
	p := s.printer()
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
	width int  // of the terminal; 0: none
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

// printer prints for what is behind out: a terminal is kept from harm and has
// a width; a file must not lose a byte of a zone file.
func (s *session) printer() *printer {
	p := &printer{w: s.out, raw: true}
	if f, ok := s.out.(*os.File); ok && term.IsTerminal(int(f.Fd())) {
		p.raw = false
		p.width, _, _ = term.GetSize(int(f.Fd()))
	}
	return p
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
		case item.kind != 'a' && item.cell() == "":
		case wide(item, typeOf(shape, t.keys[i])):
			below = append(below, i)
		default:
			block = append(block, i)
		}
	}
	if len(below) != 1 || !t.items[below[0]].rows() {
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

// maxInline is how long a list may be to stand on the line of its name.
const maxInline = 80

// wide reports what does not fit on the line of its name.
func wide(t *tree, shape reflect.Type) bool {
	switch t.kind {
	case 's':
		return strings.Contains(strings.TrimSuffix(t.text, "\n"), "\n")
	case 'a':
		e := indirect(elem(shape))
		return t.rows() || len(t.cell()) > maxInline || len(t.items) == 0 && e != nil && e.Kind() == reflect.Struct
	case 'o':
		if len(t.keys) > 4 {
			return true
		}
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

// grid prints rows under their names. Columns without any value and lists of
// objects are left out; on a terminal so are those on the right that do not
// fit, and a last line names them. What a program reads has them all.
func (p *printer) grid(t *tree, names []string) {
	var heads []string
	var cells [][]string // by column
	for _, n := range names {
		if column, ok := columnOf(t, n); ok {
			heads, cells = append(heads, n), append(cells, column)
		}
	}
	fit := p.fit(heads, cells)
	for r := -1; r < len(t.items); r++ {
		var b strings.Builder
		for c := range fit {
			text := strings.ToUpper(clean(heads[c]))
			if r >= 0 {
				text = cells[c][r]
			}
			b.WriteString(pad(text, widthOf(heads[c], cells[c])+2))
		}
		p.line("%s", strings.TrimRight(b.String(), " "))
	}
	if fit < len(heads) {
		p.line("left out for want of room: %s", clean(strings.Join(heads[fit:], ", ")))
	}
}

// columnOf are the cells of one column; false: there is nothing to show.
func columnOf(t *tree, name string) ([]string, bool) {
	column, filled := make([]string, len(t.items)), false
	for i, row := range t.items {
		item := row.get(name)
		if item.rows() {
			return nil, false
		}
		column[i] = item.brief()
		filled = filled || column[i] != ""
	}
	return column, filled
}

// fit is how many columns stand side by side; the first always does.
func (p *printer) fit(heads []string, cells [][]string) int {
	if p.width == 0 {
		return len(heads)
	}
	used := 0
	for i := range heads {
		used += widthOf(heads[i], cells[i])
		if used > p.width && i > 0 {
			return i
		}
		used += 2
	}
	return len(heads)
}

func widthOf(head string, column []string) int {
	w := utf8.RuneCountInString(head)
	for _, c := range column {
		w = max(w, utf8.RuneCountInString(c))
	}
	return w
}

func pad(s string, to int) string {
	return s + strings.Repeat(" ", max(0, to-utf8.RuneCountInString(s)))
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
		p := s.printer()
		p.text(t.text)
		return p.err
	}
	_, err = fmt.Fprintln(s.out, t.line())
	return err
}
