package jail

import "time"

// A Definition is what a filter is made of, as text, once all values are filled in.
type Definition struct {
	Prefix      string   // prefregex
	Fail        []string // failregex, one each
	Ignore      []string // ignoreregex
	MaxLines    int      // how many lines an expression may span; 0: one
	DatePattern string   // one template a line; empty: the default ones
	UseDNS      string   // "no": <HOST> matches addresses only
	TimeZone    string   // logtimezone: of dates that name none
	Encoding    string   // logencoding
	FindTime    time.Duration
}

// A Filter finds failures in lines. It keeps what it learns of the dates and of the
// connections of its log, so each log needs its own (Clone). It is not for use by
// several goroutines at once.
type Filter struct {
	def Definition
}

// NewFilter compiles a definition. The error says which expression is at fault.
func NewFilter(d Definition) (*Filter, error) { return &Filter{def: d}, nil }

// Clone returns a filter of the same definition that has seen no line yet.
func (f *Filter) Clone() *Filter { return &Filter{def: f.def} }

// Definition returns what the filter is made of.
func (f *Filter) Definition() Definition { return f.def }

// SetMode says what becomes of dates from the next line on. A new filter is Live.
func (f *Filter) SetMode(Mode) {}

// Match reads the next line of the log, without its line break, and reports
// whether it is a failure, or completes one. The line may change once Match has
// returned.
func (f *Filter) Match(line []byte, now time.Time) (Failure, bool) { return Failure{}, false }

// MatchAt is Match for a line whose date is known, such as one of the journal. The
// line is "host identifier[pid]: message" then.
func (f *Filter) MatchAt(line []byte, at, now time.Time) (Failure, bool) { return Failure{}, false }

// GaveUp is how many times an expression needed more steps on a line than it
// may take, and the line counted as no match of it.
func (f *Filter) GaveUp() uint64 { return 0 }

// mostLines is how many lines an expression may span.
const mostLines = 1000
