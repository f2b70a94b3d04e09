package apache

import (
	"iter"
	"strings"
)

// line is one directive as Apache reads it: continued lines are one, comments and
// empty lines are none.
type line struct {
	no         int // of its first line, from 1
	start, end int // octets in the text, with the end of the line
	text       string
}

// logical returns every line of a text that is not empty, comments too.
func logical(text string) iter.Seq[line] {
	return func(yield func(line) bool) {
		no := 1
		for at := 0; at < len(text); {
			l := line{no: no, start: at}
			var joined strings.Builder
			for at < len(text) {
				end := len(text)
				if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
					end = at + i + 1
				}
				part := strings.TrimSuffix(strings.TrimSuffix(text[at:end], "\n"), "\r")
				at, no = end, no+1
				rest, more := strings.CutSuffix(part, `\`)
				joined.WriteString(rest)
				if !more {
					break
				}
			}
			l.end, l.text = at, strings.Trim(joined.String(), space)
			if l.text != "" && !yield(l) {
				return
			}
		}
	}
}

const space = " \t\r\n\v\f"

func (l line) comment() bool { return l.text[0] == '#' }

// split returns the name of a directive in lower case, "<directory" for a section,
// and its arguments as they are written.
func (l line) split() (name, args string) {
	name, args = l.text, ""
	if i := strings.IndexAny(l.text, space); i >= 0 {
		name, args = l.text[:i], strings.Trim(l.text[i:], space)
	}
	if name[0] == '<' {
		if rest, ok := strings.CutSuffix(name, ">"); ok {
			name = rest
		} else if i := strings.LastIndexByte(args, '>'); i >= 0 {
			args = strings.Trim(args[:i], space)
		}
	}
	return strings.ToLower(name), args
}

// words splits arguments as Apache does: by blanks, with quotes of both kinds.
func words(args string) (out []string) {
	for {
		args = strings.TrimLeft(args, space)
		if args == "" {
			return out
		}
		var w string
		w, args = word(args)
		out = append(out, w)
	}
}

func word(s string) (w, rest string) {
	q := s[0]
	if q != '"' && q != '\'' {
		if i := strings.IndexAny(s, space); i >= 0 {
			return s[:i], s[i:]
		}
		return s, ""
	}
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		switch {
		case s[i] == q:
			return b.String(), s[i+1:]
		case s[i] == '\\' && i+1 < len(s) && (s[i+1] == q || s[i+1] == '\\'):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), ""
}
