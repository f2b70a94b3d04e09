package date

import (
	"fmt"
	"math"
	"strings"
	"time"

	"hostward/internal/jail/pattern"
)

// A Detector finds dates in the lines of one log. It learns from each, and is not
// for use by several goroutines at once.
type Detector struct {
	list     []*learned
	calendar calendar
	machine  pattern.Machine
	read     naive // the date that a quick way has read
	lastAt   int   // in list; none: len(list)
	last     boundary
	unused   int // the first of list that never matched
	same     same
}

// same is the last date, if a quick way has read it: lines come many a second.
type same struct {
	Found
	text [40]byte // the date and the byte behind it; Found.End is its length
	now  int64
}

// learned is a template and what a log taught about it.
type learned struct {
	*template
	tries    int // matches it found, whether or not they were used
	hits     int
	used     time.Time
	distance int
}

// boundary is what stood around the last date.
type boundary struct {
	begin, end                int
	before, first, last, next int // bytes, none: -1
}

// none is a distance that no match has.
const none = math.MaxInt32

// A Found date is where it stands and when that is.
type Found struct {
	Begin, End int       // what is cut out of the line
	Time       time.Time // if Known
	Known      bool      // there is such a date; otherwise it only looks like one
}

// New returns a detector for date patterns, one a line of text; without any it
// knows the usual forms. Dates that name no zone are of zone, or where that is
// empty of location.
func New(patterns, zone string, location *time.Location) (*Detector, error) {
	d := &Detector{calendar: calendar{location: location}, last: boundary{begin: 1, end: none}, lastAt: none}
	if zone != "" {
		minutes, err := checkZone(zone)
		if err != nil {
			return nil, err
		}
		d.calendar.zone, d.calendar.zoned = minutes, true
	}
	for text := range strings.SplitSeq(patterns, "\n") {
		if text = strings.TrimSpace(text); text == "" {
			continue
		}
		if err := d.add(text); err != nil {
			return nil, err
		}
	}
	if len(d.list) == 0 {
		return d, d.append(usual(), true)
	}
	return d, nil
}

// add takes one date pattern.
func (d *Detector) add(text string) error {
	key := text
	if !strings.Contains(text, "%") {
		key = strings.ToUpper(text)
	}
	again := len(d.list) > 0
	switch {
	case key == "{DEFAULT}": // adds nothing: without any other they are there anyway
		return nil
	case key == atLine:
		var anchored []*template
		for _, t := range usual() {
			if t.anchored {
				anchored = append(anchored, t)
			}
		}
		return d.append(anchored, again)
	case strings.Contains(key, "{DATE}"):
		all, err := around(text)
		if err != nil {
			return err
		}
		return d.append(all, again)
	case key == "{NONE}":
		text = unbound + "^"
	}
	t, err := parseTemplate(text)
	if err != nil {
		return err
	}
	return d.append([]*template{t}, false)
}

// append adds templates; those whose name is there already are refused, or left out.
func (d *Detector) append(templates []*template, leaveOut bool) error {
	for _, t := range templates {
		if d.has(t.name) {
			if leaveOut {
				continue
			}
			return fmt.Errorf("date pattern %q is there twice", t.name)
		}
		d.list = append(d.list, &learned{template: t, distance: none})
	}
	return nil
}

func (d *Detector) has(name string) bool {
	for _, l := range d.list {
		if l.name == name {
			return true
		}
	}
	return false
}

// Clone returns a detector of the same patterns that has seen no line yet.
func (d *Detector) Clone() *Detector {
	c := &Detector{calendar: d.calendar, last: boundary{begin: 1, end: none}, lastAt: none}
	for _, l := range d.list {
		c.list = append(c.list, &learned{template: l.template, distance: none})
	}
	return c
}

// Find looks for the date of a line, which must be valid UTF-8.
func (d *Detector) Find(line []byte, now time.Time) (Found, bool) {
	if d.repeated(line, now) {
		return d.same.Found, true
	}
	d.same.End = 0
	d.calendar.now = now
	s, l, ok := d.match(line, now)
	if !ok {
		return Found{}, false
	}
	f := Found{Begin: s.cutBegin, End: s.cutEnd}
	if f.Begin < f.End {
		f.Time, f.Known = l.time(&d.machine, line, s, &d.calendar, &d.read)
	}
	if s.read && s.end < len(d.same.text) && s.end < len(line) {
		d.same.Found, d.same.now = f, now.Unix()
		copy(d.same.text[:], line[:s.end+1])
	}
	return f, true
}

// repeated reports whether a line has the date of the last one, and learns from it as
// match does. What a quick way asks of the byte behind the date is asked here too.
func (d *Detector) repeated(line []byte, now time.Time) bool {
	end := d.same.End
	if end == 0 || len(line) < end+2 || !quickBehind(line[end+1]) || d.same.now != now.Unix() || string(line[:end+1]) != string(d.same.text[:end+1]) {
		return false
	}
	l := d.list[d.lastAt]
	l.tries++
	l.hits++
	l.used = now
	return true
}

// match finds the date, by the template of the last one if that will do.
func (d *Detector) match(line []byte, now time.Time) (span, *learned, bool) {
	s, ok, skip, kept := d.again(line)
	at := d.lastAt
	if !ok {
		if s, at, ok = d.search(line, skip, kept); !ok {
			return span{}, nil, false
		}
	}
	d.learn(at, s, line, now)
	return s, d.list[d.lastAt], true
}

// reserve is a match that counts if there is no better one.
type reserve struct {
	span
	at int // in list; negative: none
}

// again tries the last template where it matched last. It returns which template
// need not be tried again, and a match that is not sure.
func (d *Detector) again(line []byte) (s span, ok bool, skip int, kept reserve) {
	skip, kept = none, reserve{at: -1}
	if d.lastAt >= len(d.list) {
		return span{}, false, skip, kept
	}
	l := d.list[d.lastAt]
	switch {
	case l.anchored:
		s, ok = l.find(&d.machine, line, 0, len(line), &d.read)
		skip = d.lastAt
	case d.last.fits(line):
		end := min(d.last.end, len(line))
		if begin := d.last.begin; begin <= end {
			s, ok = l.find(&d.machine, line, begin, end, &d.read)
		}
	default:
		s, ok = l.find(&d.machine, line, 0, len(line), &d.read)
		skip = d.lastAt
	}
	if !ok {
		return s, false, skip, kept
	}
	l.tries++
	if len(d.list) > 1 && !l.anchored && (s.begin != d.last.begin || s.end != d.last.end) {
		return span{}, false, skip, reserve{s, d.lastAt}
	}
	return s, true, skip, kept
}

// fits reports whether the same characters stand around the place of the last date,
// or within it at its edges if those are no letters or digits.
func (b *boundary) fits(line []byte) bool {
	begins := byteAt(line, b.begin-1) == b.before || byteAt(line, b.begin) == b.first && !alphanumeric(b.first)
	ends := byteAt(line, b.end) == b.next || byteAt(line, b.end-1) == b.last && !alphanumeric(b.last)
	return begins && ends
}

func byteAt(line []byte, i int) int {
	if i < 0 || i >= len(line) {
		return -1
	}
	return int(line[i])
}

func alphanumeric(b int) bool {
	return b >= '0' && b <= '9' || b|0x20 >= 'a' && b|0x20 <= 'z' || b >= 0x80
}

// search tries all templates in their order.
func (d *Detector) search(line []byte, skip int, kept reserve) (span, int, bool) {
	for i, l := range d.list {
		if i == skip {
			continue
		}
		s, ok := l.find(&d.machine, line, 0, len(line), &d.read)
		if !ok {
			continue
		}
		l.tries++
		last := i+1 >= len(d.list)
		switch {
		case last, l.anchored, s.begin == 0 && l.hits > 0 && d.list[i+1].tries == 0:
			return s, i, true
		case s.begin > l.distance || s.begin > d.last.begin:
			if kept.at < 0 || s.begin < kept.begin { // perhaps a date within the message
				kept = reserve{s, i}
			}
			continue
		}
		return s, i, true
	}
	if kept.at < 0 {
		return span{}, 0, false
	}
	if s := kept.span; !s.read { // the machine looked for others since
		d.list[kept.at].find(&d.machine, line, s.from, s.to, &d.read)
	}
	return kept.span, kept.at, true
}

func (d *Detector) learn(at int, s span, line []byte, now time.Time) {
	l := d.list[at]
	l.hits++
	l.used, l.distance = now, s.begin
	if d.unused == at {
		d.unused++
	}
	d.last.begin, d.last.end = s.begin, s.end
	if !l.anchored { // what stands around the date is asked for only then
		d.last.before, d.last.first = byteAt(line, s.begin-1), byteAt(line, s.begin)
		d.last.last, d.last.next = byteAt(line, s.end-1), byteAt(line, s.end)
	}
	if at > 0 && at != d.lastAt {
		at = d.promote(at)
	}
	d.lastAt = at
}

// idle is how long a template must not have matched so that any other may take its
// place.
const idle = 5 * time.Minute

func (l *learned) rank() float64 {
	return float64(l.hits) * l.weight / float64(max(1, l.distance))
}

// promote moves a template towards the front if it matches more often than what is
// there, and returns where it then is.
func (d *Detector) promote(at int) int {
	l := d.list[at]
	over := func(place int) bool {
		return l.rank() > d.list[place].rank() || l.used.Add(-idle).After(d.list[place].used)
	}
	to := at / 2
	if d.unused < at {
		to = d.unused
	}
	if !over(to) {
		if to == at-1 || !over(at-1) {
			return at
		}
		to = at - 1
	}
	copy(d.list[to+1:at+1], d.list[to:at])
	d.list[to] = l
	for d.unused < len(d.list) && d.list[d.unused].hits > 0 {
		d.unused++
	}
	return to
}
