package jail

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"hostward/internal/jail/date"
	"hostward/internal/jail/literal"
	"hostward/internal/jail/pattern"
)

// A Definition is what a filter is made of, as text, once all values are filled in.
type Definition struct {
	Prefix      string   // prefregex
	Fail        []string // failregex, one each
	Ignore      []string // ignoreregex
	MaxLines    int      // how many lines an expression may span; 0: one
	DatePattern string   // one template a line; empty: the default ones
	UseDNS      string   // "no": <HOST> matches addresses only
	TimeZone    string   // logtimezone: of dates that name none
	Encoding    string   // logencoding: auto, utf-8, ascii or iso-8859-1
	FindTime    time.Duration
	Location    *time.Location // of dates where TimeZone is empty; nil: time.Local
}

// mostLines is how many lines an expression may span.
const mostLines = 1000

// A Filter finds failures in lines. It keeps what it learns of the dates and of the
// connections of its log, so each log needs its own (Clone). It is not for use by
// several goroutines at once.
type Filter struct {
	rules
	mode    Mode
	dates   *date.Detector
	machine pattern.Machine
	last    time.Time // the last date that was found
	known   connections
	gaveUp  uint64
	buffer  []logLine // the lines that an expression may span

	// Of the line that is read now.
	raw     []byte // the line
	decoded []byte // its memory, if it had to be changed
	before  []byte // what stands before its date
	behind  []byte
	whole   []byte // the line without its date, or all lines of the buffer
	text    []byte // what the expressions see of that
	line    string // raw, once something matched
	source  string // of which text is a part, at offset
	offset  int
	copied  bool   // line and source are there
	outer   Fields // what the prefix found
	inner   Fields // what the expression found
	marks   mark   // what they say of the connection
	full    []string
	lists   []string
	room    strings.Builder
	single  [1]logLine
}

// rules are the part of a filter that never changes.
type rules struct {
	def     Definition
	prefix  *expr
	content int // the group of prefix that the others see
	fail    []*expr
	ignore  []*expr
	words   *literal.Set // of fail
	latin1  bool
}

// A logLine is a line that stays in the buffer.
type logLine struct {
	text string // without its date
	full string
}

// NewFilter compiles a definition. The error says which expression is at fault.
func NewFilter(d Definition) (*Filter, error) {
	f := &Filter{}
	if d.Location == nil {
		d.Location = time.Local
	}
	f.def = d
	f.def.MaxLines = max(1, d.MaxLines)
	if err := f.compile(); err != nil {
		return nil, err
	}
	var err error
	f.dates, err = date.New(d.DatePattern, d.TimeZone, d.Location)
	return f, err
}

func (r *rules) compile() error {
	d := r.def
	switch strings.ToLower(strings.ReplaceAll(d.Encoding, "_", "-")) {
	case "", "auto", "utf-8", "utf8", "ascii", "us-ascii":
	case "iso-8859-1", "latin-1", "latin1":
		r.latin1 = true
	default:
		return fmt.Errorf("logencoding = %q: accepted is auto, utf-8, ascii or iso-8859-1", d.Encoding)
	}
	var err error
	if d.Prefix != "" {
		if r.prefix, err = newExpr(d.Prefix, d.UseDNS, false); err != nil {
			return fmt.Errorf("prefregex: %w", err)
		}
		r.content = r.prefix.Group("content")
	}
	var words [][]string
	for i, text := range d.Fail {
		e, err := newExpr(text, d.UseDNS, d.MaxLines > 1)
		if err != nil {
			return fmt.Errorf("failregex %d: %w", i+1, err)
		}
		if !e.identifies() && (r.prefix == nil || !r.prefix.identifies()) {
			return fmt.Errorf("failregex %d: %q says nowhere who it was: accepted is an expression with <HOST>, <ADDR>, <F-ID> or <F-MLFID>", i+1, clipped(text))
		}
		if r.prefix != nil {
			e.hide(r.prefix)
		}
		if e.Group("mlfid") < 0 && (r.prefix == nil || r.prefix.Group("mlfid") < 0) {
			clear(e.kinds) // without a connection they are fields as others, and the line is a failure
		}
		r.fail = append(r.fail, e)
		words = append(words, e.Required())
	}
	r.words = literal.New(words)
	for i, text := range d.Ignore {
		e, err := newExpr(text, d.UseDNS, false)
		if err != nil {
			return fmt.Errorf("ignoreregex %d: %w", i+1, err)
		}
		r.ignore = append(r.ignore, e)
	}
	return nil
}

// Clone returns a filter of the same definition that has seen no line yet.
func (f *Filter) Clone() *Filter {
	return &Filter{rules: f.rules, mode: f.mode, dates: f.dates.Clone()}
}

// Definition returns what the filter is made of.
func (f *Filter) Definition() Definition { return f.def }

// SetMode says what becomes of dates from the next line on. A new filter is Live.
func (f *Filter) SetMode(m Mode) { f.mode = m }

// GaveUp is how many times an expression needed more steps on a line than it
// may take, and the line counted as no match of it.
func (f *Filter) GaveUp() uint64 { return f.gaveUp }

// Beyond says what the filter's expressions need that a finite automaton does not
// know, such as "look-ahead", and whether the time of each is bounded by the
// length of line and expression all the same.
func (f *Filter) Beyond() (needs []string, linear bool) {
	linear = true
	for _, e := range append(append([]*expr{f.prefix}, f.fail...), f.ignore...) {
		if e == nil {
			continue
		}
		linear = linear && e.Linear()
		for _, need := range e.Beyond() {
			if !slices.Contains(needs, need) {
				needs = append(needs, need)
			}
		}
	}
	slices.Sort(needs)
	return needs, linear
}

// Match reads the next line of the log, with or without its line break, and reports
// whether it is a failure, or completes one. The line may change once Match has
// returned.
func (f *Filter) Match(line []byte, now time.Time) (Failure, bool) {
	line = f.decode(line)
	w := f.when(line, now)
	if !f.counts(&w, now) {
		return Failure{}, false
	}
	return f.find(w, now)
}

// MatchAt is Match for a line whose date is known, such as one of the journal. The
// line is "host identifier[pid]: message" then.
func (f *Filter) MatchAt(line []byte, at, now time.Time) (Failure, bool) {
	line = f.decode(line)
	f.raw, f.before, f.behind = line, nil, line
	w := moment{time: at, known: true}
	f.last = at
	if !f.counts(&w, now) {
		return Failure{}, false
	}
	return f.find(w, now)
}

// A moment is the time of a line.
type moment struct {
	time  time.Time
	known bool
	none  bool // the line has no date, and lacks one
	skew  time.Duration
}

// recent is how long the date of one line holds for those that have none.
const recent = time.Minute

// when finds the date of a line and cuts it out.
func (f *Filter) when(line []byte, now time.Time) moment {
	f.raw, f.before, f.behind = line, nil, line
	found, ok := f.dates.Find(line, now)
	if ok && found.Known {
		f.before, f.behind = line[:found.Begin], line[found.End:]
		f.last = found.Time
		return moment{time: found.Time, known: true}
	}
	lasting := f.last.After(now.Add(-recent))
	switch {
	case ok && found.Begin == found.End && lasting:
		return moment{time: f.last, known: true}
	case ok && found.Begin == found.End:
		return moment{time: now, known: true}
	case lasting:
		return moment{time: f.last, known: true, none: true}
	}
	if ok {
		f.before, f.behind = line[:found.Begin], line[found.End:]
	}
	return moment{time: now, known: f.mode != CatchUp, none: true}
}

// counts reports whether a line is new enough, and sets a date right that cannot be.
func (f *Filter) counts(w *moment, now time.Time) bool {
	switch {
	case f.mode == CatchUp:
		return !w.known || !w.time.Before(now.Add(-f.def.FindTime))
	case f.mode == Live:
		if off := w.time.Sub(now); off.Abs() >= recent+time.Second {
			w.skew, w.time = off, now
			f.last = now
		}
	}
	return true
}
