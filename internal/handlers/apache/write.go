package apache

import (
	"fmt"
	"slices"
	"strings"
)

// Written is what the files should hold: those that differ from what they are.
// The drop-in is among them, with no text if it should not be there.
type Written struct {
	Texts map[string]string
	Blind []string // what the policy cannot be carried into
}

// Under returns the texts under which a policy holds. The configuration must be
// that of before; nil for the policy: as it was before.
func (c *Config) Under(p *Policy) Written {
	w := &writer{Config: c, out: Written{Texts: map[string]string{}}, edits: map[string][]edit{}}
	ours := ""
	if p != nil {
		ours = w.plan(*p)
	}
	w.out.Texts[c.src.DropIn] = ours
	for _, f := range c.Files {
		if text := f.with(w.edits[f.Path]); text != f.text {
			w.out.Texts[f.Path] = text
		}
	}
	return w.out
}

type writer struct {
	*Config
	out   Written
	edits map[string][]edit
}

// edit replaces a span of an original.
type edit struct {
	span [2]int
	says []string
}

// with returns the original with edits.
func (f File) with(edits []edit) string {
	slices.SortFunc(edits, func(a, b edit) int { return a.span[0] - b.span[0] })
	var out strings.Builder
	at := 0
	for _, e := range edits {
		if e.span[0] < at {
			continue // the same lines, included twice
		}
		out.WriteString(f.original[at:e.span[0]])
		out.WriteString(put(f.original[e.span[0]:e.span[1]], e.says))
		at = e.span[1]
	}
	out.WriteString(f.original[at:])
	return out.String()
}

// verdict is what a section should say.
type verdict struct {
	s      *Section
	says   Allowed
	loose  bool // it allows more now
	within bool // a section with a list of ours is above it, so that it must say its own
	list   bool // it gets a list
}

// lines are what the section should say.
func (v verdict) lines() (out []string) {
	if v.s.over {
		out = append(out, v.says.over())
	}
	if v.list {
		out = append(out, v.says.only())
	}
	return out
}

// plan makes the edits and returns the text of the drop-in.
func (w *writer) plan(p Policy) string {
	verdicts := w.verdicts(p)
	var blocks []string
	again := slices.ContainsFunc(verdicts, func(v verdict) bool { return w.Reached && v.s.early && (v.loose || v.within) })
	for _, v := range verdicts {
		switch {
		case w.Reached && v.s.early:
			if !again {
				continue
			}
			blocks = append(blocks, v.block())
		case v.loose || v.within:
			w.edit(v)
		default:
			continue
		}
		if v.list && w.unsure(v.s) {
			w.out.Blind = append(w.out.Blind, fmt.Sprintf("%s:%d: a pattern and a list (AllowOverrideList) meet in the same folders; sites there may do something else than before, though not choose handlers", v.s.File, v.s.Line))
		}
	}
	return dropIn(append(blocks, w.exceptions(p, verdicts)...))
}

func (w *writer) verdicts(p Policy) (out []verdict) {
	var lists []*Section
	for i := range w.Sections {
		s := &w.Sections[i]
		v := verdict{s: s}
		had, loose := w.word(s, p)
		v.says, v.list = had, s.listed
		if !p.exempt(s.Path) {
			v.says, v.loose = had.Under(p, w.modules), loose != nil
			v.list = s.listed || had.may("FileInfo")
		}
		if v.loose && v.list {
			lists = append(lists, s)
		}
		if v.loose {
			if v.says.quiet() {
				w.out.Blind = append(w.out.Blind, fmt.Sprintf("%s:%d: forbidden lines are ignored there (Nonfatal), so that the source of a script is sent out instead of an error", s.File, s.Line))
			}
		}
		out = append(out, v)
	}
	for i := range out {
		v := &out[i]
		v.within = slices.ContainsFunc(lists, func(l *Section) bool {
			return (l.Host == 0 || v.s.Host == 0 || l.Host == v.s.Host) && meets(parts(l.Path), parts(v.s.Path))
		})
		v.list = v.list || v.within
	}
	return out
}

// block is the section again, with the conditions around it.
func (v verdict) block() string {
	var b strings.Builder
	for _, open := range v.s.wrap {
		b.WriteString(open + "\n")
	}
	b.WriteString(v.s.open + "\n\t" + strings.Join(v.lines(), "\n\t") + "\n</Directory>\n")
	for _, open := range slices.Backward(v.s.wrap) {
		name, _, _ := strings.Cut(strings.Trim(open, "<>"), " ")
		b.WriteString("</" + name + ">\n")
	}
	return b.String()
}

func (w *writer) edit(v verdict) {
	for _, f := range w.Files {
		if f.Path != v.s.File {
			continue
		}
		if !strings.HasSuffix(f.original[v.s.span[0]:v.s.span[1]], "\n") {
			w.out.Blind = append(w.out.Blind, fmt.Sprintf("%s:%d: the line has no end and is left alone", v.s.File, v.s.Line))
			return
		}
		for _, e := range w.edits[f.Path] {
			if e.span == v.s.span && !slices.Equal(e.says, v.lines()) {
				w.out.Blind = append(w.out.Blind, fmt.Sprintf("%s:%d: the file is included several times, and the line does not mean the same each time", v.s.File, v.s.Line))
			}
		}
		w.edits[f.Path] = append(w.edits[f.Path], edit{v.s.span, v.lines()})
		return
	}
}

// exceptions gives folders below a section that changes what they had. A block of
// the main server for a deeper folder comes after that of a host for one above.
func (w *writer) exceptions(p Policy, verdicts []verdict) (blocks []string) {
	for _, dir := range p.Exceptions {
		had, last := w.At(dir, w.hostOf(dir))
		for host := range w.Hosts { // served by none in particular: whoever may most has it
			if had.Loose(p) == nil {
				had, last = w.At(dir, host)
			}
		}
		if had.Loose(p) == nil || p.exempt(last.Path) {
			continue
		}
		own := slices.ContainsFunc(verdicts, func(v verdict) bool {
			return v.s.Host != 0 && len(parts(v.s.Path)) == len(parts(dir)) && covers(parts(v.s.Path), parts(dir))
		})
		if own || !w.Reached {
			w.out.Blind = append(w.out.Blind, fmt.Sprintf("the exception %s has no effect: what %s:%d says of it cannot be said otherwise from outside", dir, last.File, last.Line))
			continue
		}
		blocks = append(blocks, fmt.Sprintf("# an exception\n<Directory \"%s\">\n\t%s\n</Directory>\n", dir, strings.ReplaceAll(had.String(), "\n", "\n\t")))
	}
	return blocks
}

// hostOf is the host that serves a folder, the main server if none does.
func (c *Config) hostOf(dir string) int {
	best, host := -1, 0
	for i, h := range c.Hosts {
		for _, root := range h.Roots {
			if covers(parts(root), parts(dir)) && len(root) > best {
				best, host = len(root), i
			}
		}
	}
	return host
}
