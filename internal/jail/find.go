package jail

import (
	"bytes"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"hostward/internal/jail/literal"
)

// find looks for a failure in the line that was read last, and in those before that
// its expressions may span.
func (f *Filter) find(w moment, now time.Time) (Failure, bool) {
	possible := f.fill()
	if possible == 0 && f.def.MaxLines == 1 {
		return Failure{}, false
	}
	if len(f.ignore) > 0 && len(f.ignore) < len(f.fail)-2 && f.ignored(f.text) {
		return Failure{}, false
	}
	f.outer, f.marks = f.outer[:0], 0
	if f.prefix != nil {
		if !f.search(f.prefix, f.text) {
			return Failure{}, false
		}
		f.outer = f.groups(f.prefix, f.outer)
		f.narrow()
	}
	for i, e := range f.fail {
		if !possible.Has(i) || !f.search(e, f.text) {
			continue
		}
		failure, done, ok := f.matched(e, w, now)
		if ok {
			failure.Regex = i
			return failure, true
		}
		if done {
			break
		}
	}
	return Failure{}, false
}

// search looks for an expression, and counts when it gave up.
func (f *Filter) search(e *expr, text []byte) bool {
	ok := f.machine.Match(e.Pattern, text, 0)
	if !ok && f.machine.GaveUp() {
		f.gaveUp++
	}
	return ok
}

// fill puts the lines that expressions see into the text, and returns which of them
// may match.
func (f *Filter) fill() literal.Marks {
	f.copied = false
	if len(f.before) == 0 && f.def.MaxLines == 1 { // most lines end here
		possible := f.words.Find(f.behind)
		if possible != 0 {
			f.whole = append(append(f.whole[:0], f.behind...), '\n')
			f.text = f.whole
		}
		return possible
	}
	f.whole = append(append(f.whole[:0], f.before...), f.behind...)
	if f.def.MaxLines > 1 {
		f.buffer = append(f.buffer, logLine{string(f.whole), string(f.raw)})
		if over := len(f.buffer) - f.def.MaxLines; over > 0 {
			f.buffer = slices.Delete(f.buffer, 0, over)
		}
		f.whole = joined(f.whole[:0], f.buffer)
	} else {
		f.whole = append(f.whole, '\n')
	}
	f.text = f.whole
	return f.words.Find(f.text)
}

func joined(text []byte, lines []logLine) []byte {
	for i, line := range lines {
		if i > 0 {
			text = append(text, '\n')
		}
		text = append(text, line.text...)
	}
	return append(text, '\n')
}

// narrow leaves expressions only what the prefix calls content, which the last
// match has found.
func (f *Filter) narrow() {
	if f.content < 0 {
		return
	}
	f.outer.take("content")
	begin, end, ok := f.machine.Group(f.content)
	if !ok || begin == end {
		return
	}
	if f.def.MaxLines > 1 {
		f.buffer = []logLine{{text: string(f.text[begin:end])}}
	}
	if end == len(f.text)-1 {
		f.text = f.text[begin:]
		f.offset += begin
		return
	}
	f.text = append(slices.Clone(f.text[begin:end]), '\n')
	f.copied = false
}

// groups adds what the groups of the last match found.
func (f *Filter) groups(e *expr, found Fields) Fields {
	f.copy()
	for i, name := range e.names {
		if name == "" {
			continue
		}
		text, ok := f.group(i)
		switch {
		case !ok:
		case e.kinds[i] == 0:
			found = append(found, Field{name, text})
		case text != "":
			f.marks |= e.kinds[i]
		}
	}
	if !e.plain {
		found = e.gather(found)
	}
	return found
}

// copy makes a string of the text, of which fields are parts. Where the text is the
// end of a line that string is the line, which is needed anyway.
func (f *Filter) copy() {
	if f.copied {
		return
	}
	f.copied = true
	f.line = f.keep(f.raw)
	if f.source, f.offset = f.line, len(f.raw)-len(f.text)+1; f.offset >= 0 && len(f.before) == 0 && len(f.behind) == len(f.text)-1 {
		return
	}
	f.source, f.offset = string(f.text), 0
}

// roomy is how much memory of lines is asked for at once.
const roomy = 4 << 10

// list is an empty list for so many texts, as part of a longer one.
func (f *Filter) list(most int) []string {
	if len(f.lists) < most {
		f.lists = make([]string, max(most, roomy/64))
	}
	list := f.lists[:0:most]
	f.lists = f.lists[most:]
	return list
}

// keep makes a string of a line, as part of a longer one.
func (f *Filter) keep(line []byte) string {
	if len(line) > roomy/8 {
		return string(line)
	}
	if f.room.Cap()-f.room.Len() < len(line) {
		f.room = strings.Builder{}
		f.room.Grow(roomy)
	}
	begin := f.room.Len()
	f.room.Write(line)
	return f.room.String()[begin:]
}

// group returns what one group of the last match found.
func (f *Filter) group(i int) (string, bool) {
	begin, end, ok := f.machine.Group(i)
	if !ok {
		return "", false
	}
	if end += f.offset; end > len(f.source) { // the line break too
		return string(f.text[begin : end-f.offset]), true
	}
	return f.source[begin+f.offset : end], true
}

// gather fills fields from their alternatives and joins those in parts.
func (e *expr) gather(found Fields) Fields {
	for _, alt := range e.alts {
		if v := found.Get(alt.name); v != "" && found.Get(alt.field) == "" {
			found.set(alt.field, v)
		}
	}
	for _, part := range e.tuples {
		if first, ok := found.find(part.field); ok {
			found.set(part.field, first+" "+found.Get(part.name))
		} else {
			found.set(part.field, found.Get(part.name))
		}
	}
	return found
}

// ignored reports whether an ignoreregex matches.
func (f *Filter) ignored(text []byte) bool {
	return slices.ContainsFunc(f.ignore, func(e *expr) bool { return f.search(e, text) })
}

// matched makes a failure of the match that an expression has just had. It reports
// done if no other expression is to be asked.
func (f *Filter) matched(e *expr, w moment, now time.Time) (failure Failure, done, ok bool) {
	prefixed := f.marks
	f.inner = f.groups(e, f.inner[:0])
	marks := f.marks
	f.marks = prefixed
	own, rest := f.lines(e)
	if len(f.ignore) > 0 && f.ignored(f.judged(own)) {
		if f.def.MaxLines > 1 {
			f.buffer = rest
		}
		return Failure{}, true, false
	}
	if !w.known { // no date, and no date is assumed
		return Failure{}, false, false
	}
	if f.def.MaxLines > 1 {
		f.buffer = rest
	}
	f.full = f.full[:0]
	for _, line := range own {
		f.full = append(f.full, line.full)
	}
	found := f.over(e)
	id, connected := found.find("mlfid")
	if !connected {
		return f.failure(&record{fields: found, lines: f.full}, w)
	}
	r := f.known.merge(id, found, marks, f.full, now)
	if r.marks&nofail != 0 {
		return Failure{}, true, false
	}
	return f.failure(r, w)
}

// over puts what an expression found over what the prefix did. A group that took no
// part hides that of the prefix.
func (f *Filter) over(e *expr) Fields {
	switch {
	case len(f.outer) == 0:
		return f.inner
	case !e.hides:
		f.inner = append(f.inner, f.outer...)
		return f.inner
	}
	f.outer = slices.DeleteFunc(f.outer, func(o Field) bool { return slices.Contains(e.names, o.Name) })
	for _, field := range f.inner {
		f.outer.set(field.Name, field.Text)
	}
	return f.outer
}

// judged is what an ignoreregex sees once a failregex has matched.
func (f *Filter) judged(own []logLine) []byte {
	if f.def.MaxLines > 1 {
		return joined(nil, own)
	}
	return f.text
}

// failure says whom a record is about, if that is known.
func (f *Filter) failure(r *record, w moment) (failure Failure, done, ok bool) {
	id, named := r.fields.find("fid")
	hostName, isHost := r.fields.host()
	if !isHost && !named {
		_, connected := r.fields.find("mlfid")
		r.pending = connected
		return Failure{}, connected, false // if not connected, the expression's groups took no part
	}
	failure = Failure{
		Time: w.time, Skew: w.skew, Host: hostName, User: r.fields.Get("user"),
		Line: f.line, Fields: r.fields,
	}
	texts := append(f.list(len(r.lines)+len(r.users)+1), r.lines...)
	failure.Lines = texts[:len(texts):len(texts)]
	texts = append(texts, r.users...)
	if len(r.users) == 0 && failure.User != "" {
		texts = append(texts, failure.User)
	}
	failure.Users = texts[len(r.lines):]
	if named && id != hostName {
		failure.ID = id
	}
	if isHost {
		failure.Addr = prefix(hostName, r.fields.Get("cidr"))
	} else {
		failure.Addr = prefix(id, "")
	}
	return failure, true, true
}

// host returns the address or the name, an address first.
func (f Fields) host() (string, bool) {
	for _, name := range []string{"ip4", "ip6", "dns"} {
		if text, ok := f.find(name); ok {
			return text, true
		}
	}
	return "", false
}

// prefix is an address or a network; none if the text is a name or out of range.
func prefix(text, bits string) netip.Prefix {
	a, err := netip.ParseAddr(text)
	if err != nil || a.Zone() != "" {
		return netip.Prefix{}
	}
	n := a.BitLen()
	if bits != "" {
		if n, err = strconv.Atoi(bits); err != nil {
			return netip.Prefix{}
		}
	}
	if a.Is4In6() && n == 128 {
		a, n = a.Unmap(), 32
	}
	p, err := a.Prefix(n)
	if err != nil {
		return netip.Prefix{}
	}
	return p
}

// lines returns the lines that the last match is about, and the others.
func (f *Filter) lines(e *expr) (own, rest []logLine) {
	if f.def.MaxLines == 1 {
		f.single[0].full = f.line
		return f.single[:], nil
	}
	if len(f.buffer) <= 1 {
		return f.buffer, nil
	}
	begin, end, _ := f.machine.Group(0)
	from := bytes.LastIndexByte(f.text[:min(begin+1, len(f.text))], '\n') + 1
	to := len(f.text)
	if i := bytes.IndexByte(f.text[max(end-1, 0):], '\n'); i >= 0 {
		to = max(end-1, 0) + i + 1
	}
	first := min(bytes.Count(f.text[:from], []byte("\n")), len(f.buffer))
	behind := max(first, min(bytes.Count(f.text[:to], []byte("\n")), len(f.buffer)))
	own, rest = f.skipped(e, slices.Clone(f.buffer[first:behind]), slices.Clone(f.buffer[:first]))
	return own, append(rest, f.buffer[behind:]...)
}

// skipped takes the lines that <SKIPLINES> passed over from the match to the rest.
func (f *Filter) skipped(e *expr, own, rest []logLine) ([]logLine, []logLine) {
	var text strings.Builder
	for _, group := range e.skips {
		s, _ := f.group(group)
		text.WriteString(s)
	}
	from := 0
	for line := range strings.Lines(text.String()) {
		line = strings.TrimSuffix(line, "\n")
		for i := from; i < len(own); i++ {
			if own[i].text == line {
				rest = append(rest, own[i])
				own = slices.Delete(own, i, i+1)
				from = i
				break
			}
		}
	}
	return own, rest
}
