package ledger

import (
	"fmt"
	"math"
	"strings"
	"unicode/utf8"

	"hostward/internal/core"
)

// DecodeLeaf reads the bytes of a leaf. It accepts exactly what AppendJSON
// writes and nothing else, so that one content has one encoding and one hash.
// Strings of the result share memory with one copy of data.
func DecodeLeaf(data []byte) (*Leaf, error) {
	l := new(Leaf)
	if err := decodeLeaf(string(data), l); err != nil {
		return nil, err
	}
	return l, nil
}

// decodeLeaf fills l, whose slices it reuses.
func decodeLeaf(text string, l *Leaf) error {
	if len(text) > MaxLeaf {
		return fmt.Errorf("the leaf has %d bytes; the most is %d", len(text), MaxLeaf)
	}
	d := decoder{s: text}
	*l = Leaf{Events: l.Events[:0], Objects: l.Objects[:0], Tenants: l.Tenants[:0]}
	d.leaf(l)
	if d.at != len(d.s) {
		d.fail("the end")
	}
	return d.err
}

// DecodeFields reads the bytes of a blob.
func DecodeFields(data []byte) ([]Field, error) {
	d := decoder{s: string(data)}
	fields := d.fields("")
	if d.at != len(d.s) || len(fields) == 0 {
		d.fail("a list of fields and the end")
	}
	return fields, d.err
}

// decoder moves over s. After the first error it stands at the end, so that
// every loop stops.
type decoder struct {
	s   string
	at  int
	err error
}

func (d *decoder) fail(expected string) {
	if d.err == nil {
		d.err = fmt.Errorf("byte %d of the leaf: expected %s", d.at, expected)
		d.at = len(d.s)
	}
}

func (d *decoder) leaf(l *Leaf) {
	l.ID = d.required(`{"v":1,"id":`)
	l.Time = d.time(`,"time":`)
	l.Action = d.required(`,"action":`)
	l.Class = d.required(`,"class":`)
	l.Door = d.required(`,"door":`)
	d.want(`,"actor":`)
	l.Actor = d.party()
	if d.have(`,"by":`) {
		l.By = d.party()
	}
	l.Session = d.optional(`,"session":`)
	l.IP = d.hash(`,"ip":`)
	l.Agent = d.hash(`,"agent":`)
	if d.have(`,"object":`) {
		l.Object = d.ref()
	}
	l.Tenant = d.optional(`,"tenant":`)
	l.Outcome = Outcome(d.required(`,"outcome":`))
	l.Code = core.Code(d.optional(`,"code":`))
	l.Reason = d.optional(`,"reason":`)
	if d.have(`,"count":`) {
		l.Count = int(d.number(2, math.MaxInt32))
		l.First = d.time(`,"first":`)
	}
	if d.have(`,"part":`) {
		l.Part = int(d.number(1, math.MaxInt32))
		d.want(`,"parts":`)
		l.Parts = int(d.number(2, math.MaxInt32))
	}
	l.Events = decodeList(d, `,"events":`, l.Events, (*decoder).fact)
	l.Objects = decodeList(d, `,"objects":`, l.Objects, (*decoder).link)
	l.Tenants = decodeList(d, `,"tenants":`, l.Tenants, (*decoder).tenant)
	d.want("}")
}

func (d *decoder) party() Party {
	p := Party{Kind: d.required(`{"kind":`), ID: d.optional(`,"id":`), Name: d.hash(`,"name":`)}
	d.want("}")
	return p
}

func (d *decoder) ref() core.Ref {
	r := core.Ref{Kind: d.required(`{"kind":`), ID: d.optional(`,"id":`)}
	d.want("}")
	return r
}

func (d *decoder) fact() Fact {
	f := Fact{Name: d.required(`{"name":`)}
	d.want(`,"object":`)
	f.Object = d.ref()
	if d.have(`,"blob":`) {
		f.Blob = &BlobRef{Digest: d.wantHash(`{"sha256":`)}
		d.want(`,"count":`)
		f.Blob.Count = int(d.number(1, math.MaxInt32))
		d.want(`,"bytes":`)
		f.Blob.Size = int(d.number(1, math.MaxInt32))
		d.want("}")
	} else {
		f.Fields = d.fields(`,"fields":`)
	}
	d.want("}")
	return f
}

func (d *decoder) fields(key string) []Field {
	return decodeList(d, key, nil, (*decoder).field)
}

func (d *decoder) field() Field {
	f := Field{Name: d.required(`{"name":`)}
	if d.have(`,"secret":true}`) {
		f.Secret = true
		return f
	}
	f.Personal = d.have(`,"personal":true`)
	f.Old = d.value(`,"old":`, f.Personal)
	f.New = d.value(`,"new":`, f.Personal)
	d.want("}")
	return f
}

// value reads an optional value, which may be empty unless it is a commitment.
func (d *decoder) value(key string, personal bool) *string {
	if !d.have(key) {
		return nil
	}
	s := d.text()
	if personal && !isHash(s) {
		d.fail("a commitment of 64 hex digits")
	}
	return &s
}

func (d *decoder) link() Link {
	k := Link{Object: core.Ref{Kind: d.required(`{"kind":`), ID: d.wantText(`,"id":`)}, Tenant: d.optional(`,"tenant":`)}
	k.N, k.Prev = d.chain()
	k.State = d.wantText(`,"state":`)
	if k.State != "" && k.State != "-" && !isHash(k.State) {
		d.fail(`a state: 64 hex digits, "-" or ""`)
	}
	d.want("}")
	return k
}

func (d *decoder) tenant() TenantLink {
	k := TenantLink{ID: d.required(`{"id":`)}
	k.N, k.Prev = d.chain()
	d.want("}")
	return k
}

// chain reads a counter and the hash that goes with it: none for the first.
func (d *decoder) chain() (n uint64, prev string) {
	d.want(`,"n":`)
	n = d.number(1, math.MaxInt64)
	prev = d.hash(`,"prev":`)
	if (n == 1) != (prev == "") {
		d.fail("prev exactly when n is above 1")
	}
	return n, prev
}

// decodeList reads a list that is left out when it is empty.
func decodeList[T any](d *decoder, key string, list []T, one func(*decoder) T) []T {
	if d.at >= len(d.s) || !d.have(key) {
		return list
	}
	d.want("[")
	for d.err == nil {
		list = append(list, one(d))
		if !d.have(",") {
			break
		}
	}
	d.want("]")
	return list
}

// have steps over text if it comes next.
func (d *decoder) have(text string) bool {
	if !strings.HasPrefix(d.s[d.at:], text) {
		return false
	}
	d.at += len(text)
	return true
}

func (d *decoder) want(text string) {
	if !d.have(text) {
		d.fail(text)
	}
}

func (d *decoder) wantText(key string) string { d.want(key); return d.text() }

func (d *decoder) required(key string) string {
	s := d.wantText(key)
	if s == "" {
		d.fail("text that is not empty")
	}
	return s
}

func (d *decoder) optional(key string) string {
	if !d.have(key) {
		return ""
	}
	return d.required("")
}

func (d *decoder) hash(key string) string {
	if !d.have(key) {
		return ""
	}
	return d.wantHash("")
}

func (d *decoder) wantHash(key string) string {
	s := d.wantText(key)
	if !isHash(s) {
		d.fail("64 hex digits")
	}
	return s
}

func isHash(s string) bool {
	if len(s) != 64 {
		return false
	}
	for i := range len(s) {
		if c := s[i]; (c < '0' || c > '9') && (c < 'a' || c > 'f') {
			return false
		}
	}
	return true
}

// number reads a decimal number without sign or leading zero.
func (d *decoder) number(least, most uint64) uint64 {
	var n uint64
	start := d.at
	for d.at < len(d.s) && d.s[d.at] >= '0' && d.s[d.at] <= '9' && d.at-start < 19 {
		n = n*10 + uint64(d.s[d.at]-'0')
		d.at++
	}
	if d.at == start || d.s[start] == '0' || n < least || n > most {
		d.fail(fmt.Sprintf("a number from %d to %d", least, most))
	}
	return n
}

// text reads a string. Without escapes it is a part of the input.
func (d *decoder) text() string {
	if !d.have(`"`) {
		d.fail("a string")
		return ""
	}
	start, ascii := d.at, true
	for i := start; i < len(d.s); i++ {
		switch c := d.s[i]; {
		case c == '"':
			d.at = i + 1
			return d.utf8(d.s[start:i], ascii)
		case c == '\\':
			return d.escaped(start)
		case c < 0x20:
			d.fail("an escape instead of a control character")
			return ""
		case c >= 0x80:
			ascii = false
		}
	}
	d.fail("the end of a string")
	return ""
}

func (d *decoder) utf8(s string, ascii bool) string {
	if !ascii && !utf8.ValidString(s) {
		d.fail("UTF-8")
	}
	return s
}

// escaped reads a string with escapes; only the escape that appendString
// would have chosen is accepted.
func (d *decoder) escaped(start int) string {
	var b []byte
	for i := start; i < len(d.s); {
		c := d.s[i]
		switch {
		case c == '"':
			d.at = i + 1
			return d.utf8(string(b), false)
		case c < 0x20:
			d.fail("an escape instead of a control character")
			return ""
		case c != '\\':
			b = append(b, c)
			i++
		default:
			plain, n := unescape(d.s[i:])
			if n == 0 {
				d.fail("the shortest escape of a character that needs one")
				return ""
			}
			b = append(b, plain)
			i += n
		}
	}
	d.fail("the end of a string")
	return ""
}

// unescape returns the character that s begins with as an escape and the
// length of the escape, 0 if it is not canonical.
func unescape(s string) (byte, int) {
	if len(s) < 2 {
		return 0, 0
	}
	if s[1] != 'u' {
		for _, c := range []byte("\"\\\b\f\n\r\t") {
			if shortEscape(c) == s[1] {
				return c, 2
			}
		}
		return 0, 0
	}
	if len(s) < 6 || s[2:4] != "00" || (s[4] != '0' && s[4] != '1') {
		return 0, 0
	}
	low := strings.IndexByte("0123456789abcdef", s[5])
	c := (s[4]-'0')<<4 | byte(low)
	if low < 0 || shortEscape(c) != 0 {
		return 0, 0
	}
	return c, 6
}

// time reads core.TimeFormat in quotes, years 1970 to 9999.
func (d *decoder) time(key string) int64 {
	d.want(key)
	const pattern = `"0000-00-00T00:00:00.000000Z"`
	if len(d.s)-d.at < len(pattern) {
		d.fail("a time")
		return 0
	}
	t := d.s[d.at : d.at+len(pattern)]
	for i := range len(pattern) {
		if pattern[i] == '0' && (t[i] < '0' || t[i] > '9') || pattern[i] != '0' && t[i] != pattern[i] {
			d.fail("a time like 2026-11-22T17:04:05.000000Z")
			return 0
		}
	}
	year, month, day := digits(t[1:5]), digits(t[6:8]), digits(t[9:11])
	hour, minute, second := digits(t[12:14]), digits(t[15:17]), digits(t[18:20])
	if year < 1970 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || hour > 23 || minute > 59 || second > 59 {
		d.fail("a time that exists, from 1970 on")
		return 0
	}
	d.at += len(pattern)
	days := daysBefore(year, month) + day - 1
	return int64(((days*24+hour)*60+minute)*60+second)*1e6 + int64(digits(t[21:27]))
}

func digits(s string) int {
	n := 0
	for i := range len(s) {
		n = n*10 + int(s[i]-'0')
	}
	return n
}

func leap(year int) bool { return year%4 == 0 && (year%100 != 0 || year%400 == 0) }

func daysIn(year, month int) int {
	switch month {
	case 2:
		if leap(year) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// daysBefore counts the days from 1970-01-01 to the first of a month, with
// years that begin in March.
func daysBefore(year, month int) int {
	if month <= 2 {
		year--
		month += 12
	}
	return 365*year + year/4 - year/100 + year/400 + (153*(month-3)+2)/5 - 719468
}
