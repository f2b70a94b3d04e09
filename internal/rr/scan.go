package rr

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// token is one word of a zone file, escapes kept as written.
type token struct {
	text   string
	quoted bool
	glued  bool // follows the token before without a space: key="value"
	pos    int  // offset in the input
}

// written returns the token as it stood in the file.
func (t token) written() string {
	if t.quoted {
		return `"` + t.text + `"`
	}
	return t.text
}

// append is written, behind b.
func (t token) append(b []byte) []byte {
	if t.quoted {
		return append(append(append(b, '"'), t.text...), '"')
	}
	return append(b, t.text...)
}

// entry is one logical line: parentheses are gone, comments too.
type entry struct {
	tokens []token
	blank  bool // begins with white space: the owner is the one before
	line   int
}

// lexFault is a lexical error at an offset.
type lexFault struct {
	pos           int
	value, accept string
}

// scanner cuts a master file (RFC 1035 5.1) into entries.
type scanner struct {
	src    string
	i      int
	line   int
	tokens []token // of the entry that was read last
}

func newScanner(src string) *scanner {
	return &scanner{src: src, line: 1, i: len(src) - len(strings.TrimPrefix(src, "\uFEFF")), tokens: make([]token, 0, 12)}
}

// next returns the next entry that has tokens, which are good until the entry
// after it is read. After a fault the scanner goes on with the next line. ok is
// false at the end.
func (s *scanner) next() (e entry, fault *lexFault, ok bool) {
	for s.i < len(s.src) {
		e = entry{tokens: s.tokens[:0], line: s.line, blank: isBlank(s.src[s.i])}
		fault = s.entry(&e)
		if s.tokens = e.tokens; fault != nil {
			s.skipLine()
			return e, fault, true
		}
		if len(e.tokens) > 0 {
			return e, nil, true
		}
	}
	return entry{}, nil, false
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }

// entry reads up to the end of a logical line.
func (s *scanner) entry(e *entry) *lexFault {
	open := -1 // offset of the parenthesis
	glued := false
	for s.i < len(s.src) {
		switch c := s.src[s.i]; c {
		case '\n':
			s.i++
			s.line++
			if open < 0 {
				return nil
			}
			glued = false
		case ' ', '\t', '\r':
			s.i++
			glued = false
		case ';':
			s.comment()
		case '(', ')':
			if (c == '(') == (open >= 0) {
				return &lexFault{s.i, string(c), "parentheses come in pairs, not one in another"}
			}
			open = -1
			if c == '(' {
				open = s.i
			}
			s.i++
			glued = false
		default:
			t, fault := s.token()
			if fault != nil {
				return fault
			}
			t.glued = glued
			e.tokens = append(e.tokens, t)
			glued = true
		}
	}
	if open >= 0 {
		return &lexFault{open, "(", "a closing parenthesis, which is missing"}
	}
	return nil
}

func (s *scanner) comment() {
	if n := strings.IndexByte(s.src[s.i:], '\n'); n >= 0 {
		s.i += n
		return
	}
	s.i = len(s.src)
}

func (s *scanner) skipLine() {
	s.comment()
	if s.i < len(s.src) {
		s.i++
		s.line++
	}
}

// token reads a word or a quoted string.
func (s *scanner) token() (token, *lexFault) {
	start := s.i
	quoted := s.src[s.i] == '"'
	if quoted {
		s.i++
	}
	for from := s.i; s.i < len(s.src); s.i++ {
		c := s.src[s.i]
		switch {
		case c == '\\':
			if s.i+1 >= len(s.src) || s.src[s.i+1] == '\n' || s.src[s.i+1] == '\r' {
				return token{}, &lexFault{s.i, `\`, `\ and a character, or \ and three digits`}
			}
			s.i++
		case quoted && c == '"':
			s.i++
			return token{text: s.src[from : s.i-1], quoted: true, pos: start}, nil
		case quoted && (c == '\n' || c == '\r'):
			return token{}, &lexFault{start, `"`, "a closing quote on the same line"}
		case !quoted && strings.IndexByte(" \t\r\n;()\"", c) >= 0:
			return token{text: s.src[from:s.i], pos: start}, nil
		case c < ' ' && c != '\t' || c == 0x7f:
			return token{}, &lexFault{s.i, fmt.Sprintf(`\%03d`, c), `control characters are accepted as \DDD only`}
		}
	}
	if quoted {
		return token{}, &lexFault{start, `"`, "a closing quote on the same line"}
	}
	return token{text: s.src[start:s.i], pos: start}, nil
}

// where says line and column, in characters from 1, of an offset.
func (s *scanner) where(pos int) string {
	pos = min(pos, len(s.src))
	line := 1 + strings.Count(s.src[:pos], "\n")
	from := strings.LastIndexByte(s.src[:pos], '\n') + 1
	return fmt.Sprintf("line %d, column %d", line, 1+utf8.RuneCountInString(s.src[from:pos]))
}
