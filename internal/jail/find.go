package jail

import (
	"maps"
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
	var outer fields
	if f.prefix != nil {
		if !f.search(f.prefix, f.text) {
			return Failure{}, false
		}
		outer = f.groups(f.prefix)
		f.narrow(outer)
	}
	for i, e := range f.fail {
		if !possible.Has(i) || !f.search(e, f.text) {
			continue
		}
		failure, done, ok := f.matched(e, outer, w, now)
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
	f.text = append(append(f.text[:0], f.before...), f.behind...)
	if f.def.MaxLines > 1 {
		f.buffer = append(f.buffer, logLine{string(f.text), string(f.raw)})
		if over := len(f.buffer) - f.def.MaxLines; over > 0 {
			f.buffer = slices.Delete(f.buffer, 0, over)
		}
		f.text = joined(f.text[:0], f.buffer)
		return f.words.Find(f.text)
	}
	f.text = append(f.text, '\n')
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

// narrow leaves expressions only what the prefix calls content.
func (f *Filter) narrow(outer fields) {
	content := outer["content"]
	delete(outer, "content")
	if content == "" {
		return
	}
	f.text = append(append(f.text[:0], content...), '\n')
	if f.def.MaxLines > 1 {
		f.buffer = []logLine{{text: content}}
	}
}

// groups returns what the groups of the last match found.
func (f *Filter) groups(e *expr) fields {
	found := make(fields, len(e.names))
	for i, name := range e.names {
		if name == "" {
			continue
		}
		if text, ok := f.group(i); ok {
			found[name] = text
		}
	}
	if !e.plain {
		e.gather(found)
	}
	return found
}

// group returns what one group of the last match found. It is only good until
// the text changes if it is not copied: it is.
func (f *Filter) group(i int) (string, bool) {
	begin, end, ok := f.machine.Group(i)
	if !ok {
		return "", false
	}
	return string(f.text[begin:end]), true
}

// gather fills fields from their alternatives and joins those in parts.
func (e *expr) gather(found fields) {
	for _, alt := range e.alts {
		if v := found[alt.name]; v != "" && found[alt.field] == "" {
			found[alt.field] = v
		}
	}
	for _, part := range e.tuples {
		if first, ok := found[part.field]; ok {
			found[part.field] = first + " " + found[part.name]
		} else {
			found[part.field] = found[part.name]
		}
	}
}

// ignored reports whether an ignoreregex matches.
func (f *Filter) ignored(text []byte) bool {
	return slices.ContainsFunc(f.ignore, func(e *expr) bool { return f.search(e, text) })
}

// matched makes a failure of the match that an expression has just had. It reports
// done if no other expression is to be asked.
func (f *Filter) matched(e *expr, outer fields, w moment, now time.Time) (failure Failure, done, ok bool) {
	inner := f.groups(e)
	own, rest := f.split(e)
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
	r := &record{fields: e.over(outer, inner)}
	lines := make([]string, len(own))
	for i, line := range own {
		lines[i] = line.full
	}
	if id, ok := r.fields["mlfid"]; ok {
		r = f.known.merge(id, r, lines, now)
		if r.fields["nofail"] != "" {
			return Failure{}, true, false
		}
	} else {
		r.lines = lines
	}
	return f.failure(r, inner, w)
}

// over puts what an expression found over what the prefix did. A group that took no
// part hides that of the prefix.
func (e *expr) over(outer, inner fields) fields {
	if len(outer) == 0 {
		return inner
	}
	for _, name := range e.names {
		delete(outer, name)
	}
	maps.Copy(outer, inner)
	return outer
}

// judged is what an ignoreregex sees once a failregex has matched.
func (f *Filter) judged(own []logLine) []byte {
	if f.def.MaxLines > 1 {
		return joined(nil, own)
	}
	return f.text
}

// failure says whom a record is about, if that is known.
func (f *Filter) failure(r *record, inner fields, w moment) (failure Failure, done, ok bool) {
	id, named := r.fields["fid"]
	hostName, isHost := firstOf(r.fields, "ip4", "ip6", "dns")
	if !isHost && !named {
		if _, connected := r.fields["mlfid"]; connected {
			r.pending = true
			return Failure{}, true, false
		}
		return Failure{}, false, false // the expression's groups took no part
	}
	out := Failure{Time: w.time, Skew: w.skew, Host: hostName, User: r.fields["user"], Lines: slices.Clone(r.lines), Line: string(f.raw)}
	if named && id != hostName {
		out.ID = id
	}
	out.Users = slices.Clone(r.users)
	if len(out.Users) == 0 && out.User != "" {
		out.Users = []string{out.User}
	}
	out.Addr = prefix(hostName, r.fields["cidr"])
	if !isHost {
		out.Addr = prefix(id, "")
	}
	out.Fields = maps.Clone(r.fields)
	return out, true, true
}

func firstOf(f fields, names ...string) (string, bool) {
	for _, name := range names {
		if v, ok := f[name]; ok {
			return v, true
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

// split returns the lines that the last match is about, and the others.
func (f *Filter) split(e *expr) (own, rest []logLine) {
	if f.def.MaxLines == 1 {
		return []logLine{{full: string(f.raw)}}, nil
	}
	if len(f.buffer) <= 1 {
		return f.buffer, nil
	}
	begin, end, _ := f.machine.Group(0)
	from := strings.LastIndexByte(string(f.text[:min(begin+1, len(f.text))]), '\n') + 1
	to := len(f.text)
	if i := strings.IndexByte(string(f.text[max(end-1, 0):]), '\n'); i >= 0 {
		to = max(end-1, 0) + i + 1
	}
	first := min(strings.Count(string(f.text[:from]), "\n"), len(f.buffer))
	behind := min(strings.Count(string(f.text[:to]), "\n"), len(f.buffer))
	own = slices.Clone(f.buffer[first:max(first, behind)])
	rest = slices.Clone(f.buffer[:first])
	own, rest = f.skipped(e, own, rest)
	return own, append(rest, f.buffer[max(first, behind):]...)
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
