package jail_test

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"

	"hostward/internal/jail/date"
)

// dated are lines with dates of every form, and some that only look like one.
var dated = []string{
	"2005-01-23T21:59:59.981746 x", "2005-01-23 21:59:59 x", "2005-01-23  8:59:59 x", "2005/01/23 21:59:59 x", "2006.12.21 06:43:20 x",
	"2005-01-23T21:59:59Z x", "2005-01-23T21:59:59+02:00 x", "2005-01-23T21:59:59.123-0530 x", "2005-01-23T21:59:59.123456789+02:00 x",
	"2005-01-23T21:59:59 UTC x", "2005-01-23 21:59:59,099 +01 x", "Sun Jan 23 21:59:59.011 2005 x", "Sun Jan 23 21:59:59 2005 x", "Jan 23 21:59:59 x",
	"Jan  3 21:59:59 x", "Jan 03 21:59:59 x", "Dec 31 23:59:59 x", "Aug 14 12:00:01 x", "Aug 15 12:00:00 x", "Aug 15 12:00:01 x", "Aug 16 12:00:00 x",
	"Feb 29 12:00:00 x", "Feb 30 12:00:00 x", "Jan 23 21:59:60 x", "jan 23 21:59:59 x", "Sun Jan 23 2005 21:59:59.011 x", "23/01/2005 21:59:59 x",
	"23/01/05 21:59:59 x", "17-07-2008 17:23:25 x", "[31/Oct/2006:09:22:55 -0000] x", "26-Jul-2007 15:20:52 x", "26-Jul-2007 15:20:52.252 x",
	"26-Jul-2007 15:20:52 +0200 x", "05/20/2008:01:57:39 x", "01-27-2012 16:22:44.252 x", "1106513999 x", "[1106513999] x", "1106513999.123 x",
	"type=X msg=audit(1106513999.123:1): x", "23:59:59 x", "12:00:01 x", "<09/16/08@05:03:30> x", "130322 11:46:11 x", "050123  1:59:59 x",
	"Apr 15, 2013 8:34:08 PM x", "Apr 15, 2013 12:34:08 AM x", "Apr-27-13 02:33:06 x", "20050123T215959 x", "20050123 215959 x", "20050123  85959 x",
	"PDT Apr 16 21:05:29 x", "ABC Apr 16 21:05:29 x", "+00:00 Jan 23 21:59:59.011 2005 x", "@40000000503e8bd42bc8b46c x", "no date at all",
	"x y 2005-01-23 21:59:59 z", "x Jan 23 21:59:59 y", "[Sun Jan 23 21:59:59 2005] x", "(2005-01-23 21:59:59) x", "!!2005-01-23 21:59:59 x", "!!!2005-01-23 21:59:59 x",
	"0000-00-00 00:00:00 x", "2005-13-23 21:59:59 x", "2005-01-23 24:00:00 x", "Mar 27 02:30:00 x", "Oct 31 01:30:00 x", "Jan 23 21:59:59", "Jan 23 21:59:59: x",
	"Jan 23 21:59:59 2004 x", "Jan 23 21:59:59 2029 x", "Jan 23 21:59:59 2xx x", "é Jan 23 21:59:59 x", "2005-01-23T21:59:59.9 +0100 x",
}

// TestDatesAreFoundAsFail2banDoes asks both, line by line, each line alone and then
// many in random order, since a detector learns.
func TestDatesAreFoundAsFail2banDoes(t *testing.T) {
	f2b := startFail2ban(t)
	var jobs []dateJob
	for _, line := range dated {
		jobs = append(jobs, dateJob{Lines: []string{line}})
	}
	random := rand.New(rand.NewPCG(3, 4))
	for range 20 {
		var lines []string
		few := dated[:1+random.IntN(len(dated))]
		for range 200 {
			lines = append(lines, few[random.IntN(len(few))])
		}
		jobs = append(jobs, dateJob{Lines: lines})
	}
	for _, patterns := range [][]string{
		{"{^LN-BEG}"}, {"{DEFAULT}"}, {"{NONE}"}, {"EPOCH"}, {"^EPOCH"}, {"{^LN-BEG}LEPOCH"}, {`audit\({EPOCH}`}, {`\[{LEPOCH}\]`}, {"TAI64N"}, {"^TAI64N"},
		{`^\[{DATE}`}, {`{DATE}$`}, {`%Y-%m-%d %H:%M:%S`}, {`{^LN-BEG}%ExY(?P<_sep>[-/.])%m(?P=_sep)%d[T ]%H:%M:%S(?:[.,]%f)?(?:\s*%z)?`, `{^LN-BEG}(?:%a )?%b %d %H:%M:%S(?:\.%f)?(?: %ExY)?`},
		{`**%H:%M:%S**`}, {`{UNB}%H:%M`}, {`^%b %d`, `{^LN-BEG}`}, {`%d/%B/%Y`, `%j %H`}, {`\b%y%m%d\b`}, {`%I:%M:%S %p`}, {`:%Exk:%ExM:%ExS %Exz`}, {`%A`, `%W %w`},
	} {
		jobs = append(jobs, dateJob{Patterns: patterns, Lines: dated})
	}
	jobs = append(jobs, dateJob{Lines: []string{"", "Jan 23 21:59:59 x", ""}}, dateJob{Zone: "UTC+0300", Lines: dated}, dateJob{Zone: "CEST", Lines: dated})
	for _, job := range jobs {
		job.compare(t, f2b)
	}
}

type dateJob struct {
	Patterns []string `json:"patterns,omitempty"`
	Zone     string   `json:"zone,omitempty"`
	Lines    []string `json:"dates"`
}

func (j dateJob) compare(t *testing.T, f2b *fail2ban) {
	t.Helper()
	var want struct {
		Dates []*struct {
			Text string   `json:"text"`
			Time *float64 `json:"time"`
		} `json:"dates"`
	}
	f2b.ask(j, &want)
	d, err := date.New(strings.Join(j.Patterns, "\n"), j.Zone, zurich(t))
	if err != nil {
		t.Errorf("%q: %v", j.Patterns, err)
		return
	}
	for i, line := range j.Lines {
		got, w := "none", "none"
		if f, ok := d.Find([]byte(line), now); ok {
			got = fmt.Sprintf("%q no date", line[f.Begin:f.End])
			if f.Known {
				got = fmt.Sprintf("%q %.6f", line[f.Begin:f.End], float64(f.Time.UnixMicro())/1e6)
			}
		}
		if found := want.Dates[i]; found != nil {
			w = fmt.Sprintf("%q no date", found.Text)
			if found.Time != nil {
				w = fmt.Sprintf("%q %.6f", found.Text, *found.Time)
			}
		}
		if got != w {
			t.Errorf("patterns %q, zone %q: line %d %q: %s, want %s", j.Patterns, j.Zone, i, line, got, w)
			return
		}
	}
}

func TestDatePatternsThatMeanNothingAreRefused(t *testing.T) {
	for _, c := range []struct{ patterns, zone, want string }{
		{"%Q", "", "%Q is no part of a date"},
		{"100%", "", "% is no part of a date"},
		{"(%Y", "", "date pattern"},
		{"(?i)%b %d", "", "flags that are not at the start"}, // fail2ban takes it, and then fails on each line
		{"%Y\n%Y", "", "is there twice"},
		{"", "Mars", "accepted is an offset"},
	} {
		if _, err := date.New(c.patterns, c.zone, zurich(t)); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q %q: %v, want %q", c.patterns, c.zone, err, c.want)
		}
	}
}
