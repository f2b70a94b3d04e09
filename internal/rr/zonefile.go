package rr

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"hostward/internal/core"
)

// Options say how a zone file is read. The zero value is usable.
type Options struct {
	Origin     Name   // what relative names are below until $ORIGIN; "" takes the zone's name from the file
	TTL        uint32 // seconds, where the file has neither $TTL nor a TTL nor a SOA
	MaxRecords int    // most records, what $GENERATE makes included; 0 means 1 000 000
	MaxBytes   int64  // longest file; 0 means 256 MiB
	MaxFaults  int    // most faults reported; 0 means 10
	KeepSigned bool   // keep RRSIG, NSEC, NSEC3, NSEC3PARAM instead of leaving them out with a note

	oneLine bool
}

const (
	defaultRecords = 1_000_000
	defaultBytes   = 256 << 20
	defaultFaults  = 10
)

// Zone is what a file holds. RRsets are sorted by Key.
type Zone struct {
	Origin Name
	Sets   []RRset
	Notes  core.Faults // what was read otherwise than written: a TTL made equal, signatures left out

	lines []begun
}

// ParseZone reads a master file (RFC 1035 5.1, RFC 2308 4, RFC 3597) with
// $ORIGIN, $TTL and BIND's $GENERATE. $INCLUDE is refused. Letters beyond
// ASCII are accepted in comments and, as IDN, in names. The zone's name is
// opt.Origin, or the owner of the SOA record. Reading goes on after an error;
// the first ones are returned together, each with line and column, as one
// Invalid error. Whether the records make a zone is Validate's question.
func ParseZone(r io.Reader, opt Options) (*Zone, error) {
	limit := opt.MaxBytes
	if limit == 0 {
		limit = defaultBytes
	}
	src, err := io.ReadAll(io.LimitReader(r, limit+1))
	if err != nil {
		return nil, fmt.Errorf("reading the zone file: %w", err)
	}
	if int64(len(src)) > limit {
		return nil, core.Errorf(core.Invalid, "the zone file is too long: at most %d octets are accepted", limit)
	}
	p := newParser(string(src), opt)
	p.run()
	if err := p.err("the zone file is not valid"); err != nil {
		return nil, err
	}
	return p.zone()
}

// parser holds what one line of a zone file hands on to the next.
type parser struct {
	scan    *scanner
	opt     Options
	origin  Name
	owner   Name
	lost    bool   // the last owner was unreadable: lines that repeat it are left out
	ttl     *int64 // $TTL
	last    *int64 // last TTL given in a record
	soaTTL  *int64 // minimum of the SOA
	records []parsed
	signed  int // records left out since signing makes them
	faults  core.Faults
	full    bool
}

func newParser(src string, opt Options) *parser {
	if opt.MaxRecords == 0 {
		opt.MaxRecords = defaultRecords
	}
	if opt.MaxFaults == 0 {
		opt.MaxFaults = defaultFaults
	}
	p := &parser{scan: newScanner(src), opt: opt, origin: opt.Origin}
	p.records = make([]parsed, 0, min(strings.Count(src, "\n")+1, opt.MaxRecords, 1000))
	if opt.TTL > 0 || opt.oneLine {
		t := int64(opt.TTL)
		p.soaTTL = &t
	}
	return p
}

func (p *parser) run() {
	for !p.full {
		e, fault, ok := p.scan.next()
		switch {
		case !ok:
			return
		case fault != nil:
			p.fault(fault.pos, fault.value, fault.accept)
		default:
			p.entry(e)
		}
	}
}

func (p *parser) err(public string) error {
	if len(p.faults) == 0 {
		return nil
	}
	return &core.Error{Code: core.Invalid, Public: public, Faults: p.faults}
}

func (p *parser) fault(pos int, value, accept string) {
	p.faults.Add(p.scan.where(pos), strings.Clone(value), accept) // not the whole file
	p.full = p.full || len(p.faults) >= p.opt.MaxFaults
}

// directive is one of the lines that begin with $.
type directive func(p *parser, e entry)

func (p *parser) entry(e entry) {
	first := e.tokens[0]
	if !e.blank && !first.quoted && strings.HasPrefix(first.text, "$") && !p.opt.oneLine {
		p.directive(e)
		return
	}
	owner, rest := p.owner, e.tokens
	if !e.blank {
		name, err := ParseName(first.text, p.origin)
		p.lost = err != nil
		if err != nil {
			p.fault(first.pos, first.text, reason(err))
			return
		}
		p.owner, owner, rest = name, name, e.tokens[1:]
	}
	if p.lost {
		return
	}
	if owner == "" {
		p.fault(first.pos, first.text, "the first record begins with a name: @ is the zone itself")
		return
	}
	p.record(owner, rest, e)
}

func (p *parser) directive(e entry) {
	run, ok := map[string]directive{
		"$ORIGIN": (*parser).originLine, "$TTL": (*parser).ttlLine,
		"$INCLUDE": (*parser).includeLine, "$GENERATE": (*parser).generateLine,
	}[strings.ToUpper(e.tokens[0].text)]
	if !ok {
		p.fault(e.tokens[0].pos, e.tokens[0].text, "$ORIGIN, $TTL and $GENERATE are accepted")
		return
	}
	run(p, e)
}

func (p *parser) originLine(e entry) {
	if len(e.tokens) != 2 {
		p.fault(e.tokens[0].pos, e.tokens[0].text, "one name follows $ORIGIN")
		return
	}
	name, err := ParseName(e.tokens[1].text, p.origin)
	if err != nil {
		p.fault(e.tokens[1].pos, e.tokens[1].text, reason(err))
		return
	}
	p.origin = name
}

func (p *parser) ttlLine(e entry) {
	if len(e.tokens) == 2 {
		if ttl, ok := parseTTL(e.tokens[1].text); ok {
			p.ttl = &ttl
			return
		}
	}
	t := e.tokens[len(e.tokens)-1]
	p.fault(t.pos, t.text, ttlAccepted+" follows $TTL")
}

func (p *parser) includeLine(e entry) {
	p.fault(e.tokens[0].pos, e.tokens[0].text, "the records themselves: other files are never read")
}

const ttlAccepted = "a time in seconds up to 2147483647, or such as 1h30m or 2w,"

// parseTTL reads seconds, or BIND's units.
func parseTTL(s string) (int64, bool) {
	var total, n int64
	digits, timed := 0, false
	for i := range len(s) {
		switch f := unit(s[i]); {
		case '0' <= s[i] && s[i] <= '9':
			n = n*10 + int64(s[i]-'0')
			digits++
		case f > 0 && digits > 0:
			total += n * f
			n, digits, timed = 0, 0, true
		default:
			return 0, false
		}
		if n > MaxTTL || total > MaxTTL {
			return 0, false
		}
	}
	total += n
	return total, total <= MaxTTL && (digits > 0 || timed)
}

// unit returns the seconds of a unit, 0 if it is none.
func unit(c byte) int64 {
	switch c | 0x20 {
	case 's':
		return 1
	case 'm':
		return 60
	case 'h':
		return 3600
	case 'd':
		return 86400
	case 'w':
		return 7 * 86400
	}
	return 0
}

// record reads TTL and class in any order, then type and data.
func (p *parser) record(owner Name, tokens []token, e entry) {
	ttl, rest, ok := p.header(tokens, e)
	if !ok {
		return
	}
	typ := rest[0]
	code, known := TypeCode(typ.text)
	if !known || typ.quoted {
		p.fault(typ.pos, typ.text, "a record type such as A, AAAA, MX, or TYPE65400 (RFC 3597)")
		return
	}
	data := rest[1:]
	if !p.international(code, data) {
		return
	}
	wire, bad := encode(code, flatten(data), p.origin)
	if bad != nil {
		p.dataFault(code, bad, typ, data)
		return
	}
	seconds, ok := p.ttlOf(ttl, code, wire)
	if !ok {
		p.fault(typ.pos, typ.text, "a TTL before the type, or $TTL at the top of the file")
		return
	}
	r := parsed{Record: Record{owner, uint32(seconds), TypeName(code), decode(code, wire)}, wire: wire, line: e.line}
	p.add(r, code, typ.pos)
}

// header takes TTL and class off the front; what is left begins with the type.
func (p *parser) header(tokens []token, e entry) (ttl *int64, rest []token, ok bool) {
	class := false
	for i, t := range tokens {
		if t.quoted {
			return ttl, tokens[i:], true
		}
		if n, isTTL := parseTTL(t.text); isTTL && ttl == nil {
			given := n // the heap sees only the one that is kept
			ttl = &given
			continue
		}
		switch up := strings.ToUpper(t.text); {
		case class || up != "IN" && up != "CLASS1" && up != "CH" && up != "HS" && up != "CS" && !strings.HasPrefix(up, "CLASS"):
			if t.text[0] >= '0' && t.text[0] <= '9' && ttl == nil {
				p.fault(t.pos, t.text, ttlAccepted+" or a type")
				return nil, nil, false
			}
			return ttl, tokens[i:], true
		case up != "IN" && up != "CLASS1":
			p.fault(t.pos, t.text, "class IN")
			return nil, nil, false
		}
		class = true
	}
	p.fault(e.tokens[len(e.tokens)-1].pos, e.tokens[len(e.tokens)-1].text, "a type and its data, which are missing")
	return nil, nil, false
}

// ttlOf decides the TTL: the record's own, $TTL, the last one given (RFC 1035
// 5.1), the SOA's minimum as BIND takes it.
func (p *parser) ttlOf(given *int64, code uint16, wire []byte) (int64, bool) {
	if code == typeSOA && len(wire) >= 4 {
		m := wire[len(wire)-4:]
		minimum := int64(m[0])<<24 | int64(m[1])<<16 | int64(m[2])<<8 | int64(m[3])
		if minimum <= MaxTTL && p.soaTTL == nil {
			p.soaTTL = &minimum
		}
	}
	if given != nil {
		p.last = given
		return *given, true
	}
	for _, t := range []*int64{p.ttl, p.last, p.soaTTL} {
		if t != nil {
			return *t, true
		}
	}
	return 0, false
}

func (p *parser) add(r parsed, code uint16, pos int) {
	switch code {
	case typeRRSIG, typeNSEC, typeNSEC3, typeNSEC3PARAM:
		if !p.opt.KeepSigned && !p.opt.oneLine {
			p.signed++
			return
		}
	}
	if len(p.records) >= p.opt.MaxRecords {
		p.fault(pos, "", fmt.Sprintf("at most %d records", p.opt.MaxRecords))
		p.full = true
		return
	}
	r.rank = rankOf(code)
	if n := len(p.records); n > 0 && p.records[n-1].Name == r.Name {
		r.name = p.records[n-1].name
	} else {
		r.name = r.Name.order()
	}
	p.records = append(p.records, r)
}

// international converts IDN names in the data and refuses other letters
// beyond ASCII: no reader would know their encoding.
func (p *parser) international(code uint16, data []token) bool {
	for i, t := range data {
		if isASCII(t.text) {
			continue
		}
		if t.quoted || !namesIn(code) {
			p.fault(t.pos, t.text, `ASCII; octets above 127 are written \DDD`)
			return false
		}
		name, err := ParseName(t.text, ".")
		if err != nil {
			p.fault(t.pos, t.text, reason(err))
			return false
		}
		data[i].text = string(name)
		if !strings.HasSuffix(t.text, ".") {
			data[i].text = strings.TrimSuffix(string(name), ".")
		}
	}
	return true
}

// namesIn reports whether the type has a domain name among its fields.
func namesIn(code uint16) bool {
	return LayoutOf(code).Names > 0 || slices.Contains([]string{"SVCB", "HTTPS", "LP", "TALINK", "IPSECKEY", "AMTRELAY", "HIP"}, TypeName(code))
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

// flatten joins tokens to one line.
func flatten(tokens []token) string {
	if len(tokens) == 1 {
		return tokens[0].written()
	}
	var room [512]byte
	b := room[:0]
	for i, t := range tokens {
		if i > 0 && !t.glued {
			b = append(b, ' ')
		}
		b = t.append(b)
	}
	return string(b)
}

// dataFault points at the token the codec stumbled over.
func (p *parser) dataFault(code uint16, bad *dataError, typ token, data []token) {
	at, off := typ, 0 // where a token begins in the line
	for i, t := range data {
		if i > 0 && !t.glued {
			off++
		}
		if bad.at >= off {
			at = t
		}
		off += len(t.written())
	}
	text := accepted(TypeName(code))
	if !strings.HasPrefix(bad.why, "bad ") { // the library's name for the field, which stands in the text
		text += " (" + bad.why + ")"
	}
	p.fault(at.pos, at.written(), text)
}

// reason is an error's sentence.
func reason(err error) string { return core.AsError(err).Sentence() }

// zone makes RRsets of the records.
func (p *parser) zone() (*Zone, error) {
	z := &Zone{Origin: p.opt.Origin}
	for _, r := range p.records {
		if z.Origin == "" && r.Type == "SOA" {
			z.Origin = r.Name
		}
	}
	if z.Origin == "" {
		return nil, core.Errorf(core.Invalid, "the zone's name is unknown: give it, or a SOA record in the file")
	}
	var mixed []Key
	z.Sets, z.lines, mixed = group(p.records)
	for _, k := range mixed {
		z.Notes.Add(z.field(k), "", "the records of one name and type share one TTL (RFC 2181 5.2): the lowest is taken")
	}
	if p.signed > 0 {
		z.Notes.Add("", strconv.Itoa(p.signed), "RRSIG, NSEC, NSEC3 and NSEC3PARAM records are left out: signing makes them")
	}
	return z, nil
}

// field names an RRset and the line it began on.
func (z *Zone) field(k Key) string {
	if i, ok := slices.BinarySearchFunc(z.lines, k, func(b begun, k Key) int { return b.Compare(k) }); ok {
		return fmt.Sprintf("line %d, %s", z.lines[i].line, k)
	}
	return k.String()
}
