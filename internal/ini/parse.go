package ini

import (
	"bytes"
	"fmt"
	"strings"

	"hostward/internal/core"
)

// MaxSize is how large a file may be, in bytes.
const MaxSize = 1 << 20

const bom = "\uFEFF"

// Parse reads a file. With faults there is no File; every fault names line and
// column and says what is accepted there. Parsing goes on behind a fault at
// the next line, and stops after 20 of them.
func Parse(data []byte) (*File, core.Faults) {
	if len(data) > MaxSize {
		return nil, core.Faults{{Field: "size", Value: fmt.Sprint(len(data)), Accepted: "at most 1048576 bytes"}}
	}
	p := &parser{File: File{raw: bytes.Clone(data)}, lineNo: 1}
	if bytes.HasPrefix(data, []byte(bom)) {
		p.at, p.lineStart = len(bom), len(bom)
	}
	for p.at < len(p.raw) && len(p.faults) < 20 {
		if err := p.statement(); err != nil {
			p.faults.Add(err.where, err.value, err.accepted)
			p.skipLine()
		}
	}
	if len(p.faults) > 0 {
		return nil, p.faults
	}
	return &p.File, nil
}

// parser walks over the bytes once. at is the next byte to read.
type parser struct {
	File
	faults    core.Faults
	section   string
	at        int
	lineNo    int
	lineStart int
}

// fault is one place where the text is not accepted.
type fault struct{ where, value, accepted string }

func (p *parser) fault(value, accepted string) *fault {
	return &fault{fmt.Sprintf("line %d, column %d", p.lineNo, p.at-p.lineStart+1), value, accepted}
}

// statement reads one line, or more where a quoted value spans them.
func (p *parser) statement() *fault {
	line := p.at
	p.blanks()
	switch c := p.peek(); {
	case c == eof || isNewline(c) || c == ';':
		return p.endOfLine()
	case c == '[':
		return p.header(line)
	case c == '#':
		return p.fault(p.word(), `a comment begins with ";" ("#" begins a key since PHP 7)`)
	}
	return p.assignment(line)
}

// header reads "[name]".
func (p *parser) header(line int) *fault {
	p.at++
	p.blanks()
	name, err := p.headerName()
	if err != nil {
		return err
	}
	p.blanks()
	if p.peek() != ']' {
		return p.fault(p.word(), `"]" closes the name of a section on the same line`)
	}
	p.at++
	p.blanks()
	if c := p.peek(); c != eof && !isNewline(c) && c != ';' {
		return p.fault(p.word(), `nothing but a comment stands behind "[section]"`)
	}
	if err := p.endOfLine(); err != nil {
		return err
	}
	p.section = name
	p.sections = append(p.sections, section{name: name, line: line, next: p.at})
	return nil
}

func (p *parser) headerName() (string, *fault) {
	if c := p.peek(); c == '"' || c == '\'' {
		text, err := p.quoted()
		if err == nil && text == "" {
			err = p.fault("", "the name of a section is not empty")
		}
		return text, err
	}
	start := p.at
	for c := p.peek(); c != eof && !isNewline(c) && !strings.ContainsRune("];\"'$\\\x00", c); c = p.peek() {
		p.at++
	}
	name := strings.TrimRight(string(p.raw[start:p.at]), " \t")
	if name == "" {
		return "", p.fault(p.word(), `the name of a section: letters, digits, ".", "-", "_" and blanks`)
	}
	return name, nil
}

// assignment reads "key = value", "key[] = value" or "key[index] = value".
func (p *parser) assignment(line int) *fault {
	e := Entry{Section: p.section, line: line}
	if err := p.key(&e); err != nil {
		return err
	}
	p.blanks()
	if p.peek() != '=' {
		return p.fault(p.word(), fmt.Sprintf(`"=" and a value stand behind the key %q`, e.Key))
	}
	p.at++
	p.blanks()
	if p.peek() == ';' {
		return p.fault("", `a value stands between "=" and a comment; an empty one is written ""`)
	}
	e.Line, e.Column, e.start = p.lineNo, p.at-p.lineStart+1, p.at
	if err := p.value(&e); err != nil {
		return err
	}
	e.end = p.at
	p.blanks()
	if c := p.peek(); c != eof && !isNewline(c) && c != ';' {
		return p.fault(p.word(), "one value a key; put a text with special characters into one pair of double quotes")
	}
	if err := p.endOfLine(); err != nil {
		return err
	}
	e.next = p.at
	p.entries = append(p.entries, e)
	return nil
}

func (p *parser) key(e *Entry) *fault {
	start := p.at
	for c := p.peek(); isKeyByte(c); c = p.peek() {
		p.at++
	}
	e.Key = strings.TrimRight(string(p.raw[start:p.at]), " ")
	if e.Key == "" {
		return p.fault(p.word(), `a key, "[section]" or a comment that begins with ";"`)
	}
	if isReserved(e.Key) {
		return p.fault(e.Key, "a key that is not one of PHP's words null, yes, no, true, false, on, off, none")
	}
	if p.peek() != '[' {
		return nil
	}
	p.at++
	e.Array = true
	return p.index(e)
}

func (p *parser) index(e *Entry) (err *fault) {
	p.blanks()
	if c := p.peek(); c == '"' || c == '\'' {
		if e.Index, err = p.quoted(); err != nil {
			return err
		}
	} else {
		start := p.at
		for c := p.peek(); isKeyByte(c); c = p.peek() {
			p.at++
		}
		e.Index = strings.TrimRight(string(p.raw[start:p.at]), " ")
	}
	if p.peek() != ']' {
		return p.fault(p.word(), `"]" closes the index of an array on the same line`)
	}
	p.at++
	return nil
}

func (p *parser) value(e *Entry) (err *fault) {
	if c := p.peek(); c == '"' || c == '\'' {
		e.Quoted = true
		e.Text, err = p.quoted()
		return err
	}
	return p.bare(e)
}

// bare reads a value without quotes: all up to a comment or the line's end,
// less the blanks before it.
func (p *parser) bare(e *Entry) *fault {
	start, end := p.at, p.at
	for c := p.peek(); c != eof && !isNewline(c) && c != ';'; c = p.peek() {
		if accepted := special(c, p.raw[p.at:]); accepted != "" {
			return p.fault(p.word(), accepted)
		}
		p.at++
		if c != ' ' && c != '\t' {
			end = p.at
		}
	}
	p.at = end
	e.Text = string(p.raw[start:end])
	return p.words(e.Text, start)
}

// words refuses a text that PHP would change: a constant becomes its value,
// and a word for a switch stands alone.
func (p *parser) words(text string, start int) *fault {
	fields := strings.FieldsFunc(text, func(c rune) bool { return c == ' ' || c == '\t' })
	for i, w := range fields {
		if isConstant(w) {
			p.at = start
			return p.fault(w, "no PHP constants; put the word into double quotes if it is meant as text")
		}
		if i == 0 && len(fields) > 1 && isReserved(w) {
			p.at = start
			return p.fault(text, fmt.Sprintf("%q stands alone; a text that begins with it goes into double quotes, a comment begins with \";\"", w))
		}
	}
	return nil
}

// quoted reads a text in single or double quotes, over several lines if it has
// them. In double quotes \" and \\ stand for " and \; every other backslash
// stands for itself, and so do all in single quotes.
func (p *parser) quoted() (string, *fault) {
	open, opened := p.peek(), p.fault("", "")
	p.at++
	var b strings.Builder
	for {
		c := p.peek()
		switch {
		case c == eof || c == 0:
			return "", &fault{opened.where, string(open), "a text that ends with the same quote it begins with"}
		case c == open:
			p.at++
			return b.String(), nil
		case c == '$' && open == '"' && p.next() == '{':
			return "", p.fault("${", `no ${…}: write the value itself, or put a text with "${" into single quotes`)
		case c == '\\' && open == '"' && (p.next() == '"' || p.next() == '\\'):
			p.at++
			b.WriteByte(p.raw[p.at])
			p.at++
		default:
			p.copyByte(&b)
		}
	}
}

// copyByte takes one byte, or one end of line, into a text.
func (p *parser) copyByte(b *strings.Builder) {
	start := p.at
	if !p.newline() {
		p.at++
	}
	b.Write(p.raw[start:p.at])
}

// endOfLine reads a comment and the line's end.
func (p *parser) endOfLine() *fault {
	if p.peek() == ';' {
		for c := p.peek(); c != eof && !isNewline(c); c = p.peek() {
			p.at++
		}
	}
	p.newline()
	return nil
}

// newline reads one end of line: LF, CRLF or CR.
func (p *parser) newline() bool {
	switch {
	case p.peek() == '\r' && p.next() == '\n':
		p.at += 2
	case isNewline(p.peek()):
		p.at++
	default:
		return false
	}
	p.lineNo++
	p.lineStart = p.at
	return true
}

func (p *parser) skipLine() {
	for p.at < len(p.raw) && !p.newline() {
		p.at++
	}
}

func (p *parser) blanks() {
	for p.peek() == ' ' || p.peek() == '\t' {
		p.at++
	}
}

// word returns what stands at the current place, for a fault.
func (p *parser) word() string {
	rest := p.raw[p.at:min(len(p.raw), p.at+80)]
	if i := bytes.IndexAny(rest, "\r\n"); i >= 0 {
		rest = rest[:i]
	}
	return string(rest)
}

// eof is what peek and next return behind the last byte.
const eof rune = -1

func (p *parser) peek() rune { return p.byteAt(p.at) }
func (p *parser) next() rune { return p.byteAt(p.at + 1) }

func (p *parser) byteAt(i int) rune {
	if i >= len(p.raw) {
		return eof
	}
	return rune(p.raw[i])
}
