package rr

import (
	"fmt"
	"strconv"
	"strings"
)

// generated is the most records one $GENERATE line may make.
const generated = 65_536

// span is the range of a $GENERATE line.
type span struct{ from, to, step int64 }

// generateLine reads BIND's "$GENERATE from-to[/step] owner [ttl] [class]
// type data" and makes the records.
func (p *parser) generateLine(e entry) {
	if len(e.tokens) < 4 {
		p.fault(e.tokens[0].pos, e.tokens[0].text, "a range, an owner, a type and data: 1-10 host$ A 192.0.2.$")
		return
	}
	r, ok := parseSpan(e.tokens[1].text)
	if !ok {
		p.fault(e.tokens[1].pos, e.tokens[1].text, fmt.Sprintf("a range such as 1-100 or 0-30/2 of at most %d steps", generated))
		return
	}
	body, ok := p.template(e.tokens[2:])
	for n := r.from; ok && n <= r.to && !p.full; n += r.step {
		ok = p.generate(e, body, n)
	}
}

func parseSpan(s string) (span, bool) {
	bounds, step, stepped := strings.Cut(s, "/")
	from, to, ok := strings.Cut(bounds, "-")
	if !stepped {
		step = "1"
	}
	r := span{}
	for _, f := range []struct {
		text string
		to   *int64
	}{{from, &r.from}, {to, &r.to}, {step, &r.step}} {
		n, err := strconv.ParseUint(f.text, 10, 31)
		ok = ok && err == nil
		*f.to = int64(n)
	}
	return r, ok && r.step > 0 && r.from <= r.to && (r.to-r.from)/r.step < generated
}

// template unwraps data that is quoted to hold spaces together, as BIND asks
// for, except where the type takes quoted strings.
func (p *parser) template(tokens []token) ([]token, bool) {
	last := len(tokens) - 1
	t := tokens[last]
	if !t.quoted || last == 0 {
		return tokens, true
	}
	switch strings.ToUpper(tokens[last-1].text) {
	case "TXT", "SPF", "HINFO", "CAA", "URI", "NAPTR":
		return tokens, true
	}
	inner := newScanner(t.text)
	e, fault, ok := inner.next()
	if !ok || fault != nil {
		p.fault(t.pos, t.text, "the data of a record")
		return nil, false
	}
	out := append([]token{}, tokens[:last]...)
	for _, in := range e.tokens {
		in.pos = t.pos
		out = append(out, in)
	}
	return out, true
}

// generate makes the record for one n; false ends the loop, so that one
// mistake is one fault.
func (p *parser) generate(e entry, body []token, n int64) bool {
	tokens := make([]token, len(body))
	for i, t := range body {
		text, ok := substitute(t.text, n)
		if !ok {
			p.fault(t.pos, t.text, "$ for the number, ${offset,width,base} with base d, o, x, X, n or N, $$ for a dollar")
			return false
		}
		tokens[i] = t
		tokens[i].text = text
	}
	owner, err := ParseName(tokens[0].text, p.origin)
	if err != nil {
		p.fault(tokens[0].pos, tokens[0].text, reason(err))
		return false
	}
	before := len(p.faults)
	p.record(owner, tokens[1:], e)
	return len(p.faults) == before
}

// substitute puts n for $ and ${offset[,width[,base]]}.
func substitute(s string, n int64) (string, bool) {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '\\' && i+1 < len(s):
			b.WriteString(s[i : i+2])
			i++
		case s[i] != '$':
			b.WriteByte(s[i])
		case strings.HasPrefix(s[i:], "$$"):
			b.WriteString(`\$`)
			i++
		case strings.HasPrefix(s[i:], "${"):
			end := strings.IndexByte(s[i:], '}')
			if end < 0 {
				return "", false
			}
			text, ok := modified(s[i+2:i+end], n)
			if !ok {
				return "", false
			}
			b.WriteString(text)
			i += end
		default:
			b.WriteString(strconv.FormatInt(n, 10))
		}
	}
	return b.String(), true
}

// modified formats n by "offset,width,base".
func modified(spec string, n int64) (string, bool) {
	f := strings.Split(spec, ",")
	offset, err := strconv.ParseInt(f[0], 10, 32)
	width := 0
	if len(f) > 1 && err == nil {
		width, err = strconv.Atoi(f[1])
	}
	base := "d"
	if len(f) > 2 {
		base = f[2]
	}
	n += offset
	if err != nil || len(f) > 3 || n < 0 || width < 0 || width > 255 {
		return "", false
	}
	switch base {
	case "d", "o", "x", "X":
		return fmt.Sprintf("%0*"+base, width, n), true
	case "n", "N":
		return nibbles(n, width, base == "N"), true
	}
	return "", false
}

// nibbles writes hex digits from the low end with dots between, for ip6.arpa;
// width counts the dots.
func nibbles(n int64, width int, upper bool) string {
	digits := "0123456789abcdef"
	if upper {
		digits = strings.ToUpper(digits)
	}
	var b strings.Builder
	for b.Len() == 0 || n > 0 || b.Len() < width {
		if b.Len() > 0 {
			b.WriteByte('.')
		}
		b.WriteByte(digits[n&15])
		n >>= 4
	}
	return b.String()
}
