package date

import (
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A naive date is what a line says, without what follows from now. What it does not
// say is unset.
type naive struct {
	year, month, day     int
	hour, minute, second int
	half                 int // of the day, of a twelve-hour clock
	twelve               bool
	weekday              int // 1 is Monday
	yearday              int
	week                 int // of the year, 0 too
	weekFrom             int // the weekday weeks begin with; 0: no week is given
	zone                 int // minutes east
	zoned                bool
}

const (
	beforeNoon = iota + 1
	afterNoon
)

// set takes a field of a date and reports whether it means something.
func (n *naive) set(field, text string) bool {
	switch field {
	case "b":
		n.month = slices.Index(strings.Fields(months), strings.ToLower(text)) + 1
		return n.month > 0
	case "B":
		n.month = slices.Index(longMonths, strings.ToLower(text)) + 1
		return n.month > 0
	case "a":
		n.weekday = slices.Index(strings.Fields(weekdays), strings.ToLower(text)) + 1
		return n.weekday > 0
	case "A":
		n.weekday = slices.Index(longWeekdays, strings.ToLower(text)) + 1
		return n.weekday > 0
	case "p":
		n.half = beforeNoon
		if strings.EqualFold(text, "pm") {
			n.half = afterNoon
		}
	case "z", "Z":
		n.zone, n.zoned = zoneOffset(text)
		return n.zoned
	case "y", "Y", "m", "d", "H", "I", "M", "S", "w", "j", "U", "W":
		v, err := strconv.Atoi(strings.TrimSpace(text))
		n.number(field[0], v)
		return err == nil
	}
	return true
}

func (n *naive) number(field byte, v int) {
	switch field {
	case 'y':
		if n.year = v; v <= 2000 {
			n.year = v + 2000
		}
	case 'Y':
		if n.year = v; v == 0 {
			n.year = -1 // there is none, but it is said
		}
	case 'm':
		n.month = v
	case 'd':
		n.day = v
	case 'H':
		n.hour = v
	case 'I':
		n.hour, n.twelve = v, true
	case 'M':
		n.minute = v
	case 'S':
		n.second = v
	case 'w':
		n.weekday = (v+6)%7 + 1
	case 'j':
		n.yearday = v
	case 'U':
		n.week, n.weekFrom = v, 7
	case 'W':
		n.week, n.weekFrom = v, 1
	}
}

// A calendar knows what time it is where the log is written.
type calendar struct {
	location *time.Location
	zone     int // minutes east, of dates that name no zone
	zoned    bool
	now      time.Time
	hour     int64 // the last one that was looked up, in hours since 1970 as if there were no zones
	begins   int64 // which second it began with
	wall     wall
}

// wall is what the clocks here show, for the second that was asked for last.
type wall struct {
	unix, at int64
	year     int
}

func (c *calendar) clock() wall {
	if s := c.now.Unix(); s != c.wall.unix || c.wall.year == 0 {
		now := c.now.In(c.location)
		c.wall = wall{s, seconds(now.Year(), int(now.Month()), now.Day(), now.Hour(), now.Minute(), now.Second()), now.Year()}
	}
	return c.wall
}

// seconds counts a date as if there were no zones. The days of a year that begins
// with March are counted, so that the leap day is the last one.
func seconds(year, month, day, hour, minute, second int) int64 {
	if month -= 2; month < 1 {
		month, year = month+12, year-1
	}
	days := int64(year*365 + year/4 - year/100 + year/400 + (153*(month-1)+2)/5 + day - 1 - 719468)
	return days*daySeconds + int64(hour*3600+minute*60+second)
}

const daySeconds = 24 * 60 * 60

// time makes a naive date a time, and reports whether there is such a date.
func (c *calendar) time(n *naive) (time.Time, bool) {
	if n.twelve {
		n.hour = n.hour % 12
		if n.half == afterNoon {
			n.hour += 12
		}
	}
	guessYear := n.year == 0
	if guessYear {
		n.year = c.clock().year
	}
	n.fromYearday()
	guessDay := n.month == 0 && n.day == 0
	if guessDay {
		now := c.now.In(c.location)
		n.month, n.day = int(now.Month()), now.Day()
	}
	if !n.valid() {
		return time.Time{}, false
	}
	if !n.zoned {
		n.zone, n.zoned = c.zone, c.zoned
	}
	return c.guess(n, guessYear, guessDay)
}

// guess goes back a day or a year where the date would lie ahead.
func (c *calendar) guess(n *naive, year, day bool) (time.Time, bool) {
	at := seconds(n.year, n.month, n.day, n.hour, n.minute, n.second)
	if n.zoned {
		at -= int64(n.zone) * 60
	}
	if year || day {
		wall := c.clock().at
		if day && at > wall {
			at -= daySeconds
		}
		if year && at > wall+daySeconds {
			back := *n
			if back.year--; !back.valid() {
				return time.Time{}, false
			}
			t := time.Unix(at, 0).UTC()
			at = seconds(back.year, n.month, n.day, t.Hour(), t.Minute(), t.Second())
		}
	}
	if n.zoned {
		return time.Unix(at, 0), true
	}
	return c.local(at), true
}

// local is the time at which clocks here show a date. It keeps the last hour.
func (c *calendar) local(at int64) time.Time {
	hour := at / 3600
	if hour != c.hour || c.begins == 0 {
		t := time.Unix(hour*3600, 0).UTC()
		c.hour = hour
		c.begins = time.Date(t.Year(), t.Month(), t.Day(), t.Hour(), 0, 0, 0, c.location).Unix()
	}
	return time.Unix(c.begins+at-hour*3600, 0)
}

// fromYearday finds month and day from the day of the year, or from the week and
// the day of the week.
func (n *naive) fromYearday() {
	if n.month != 0 && n.day != 0 {
		return
	}
	if n.yearday == 0 && n.weekFrom != 0 && n.weekday != 0 {
		first := (int(time.Date(n.year, 1, 1, 0, 0, 0, 0, time.UTC).Weekday()) - n.weekFrom%7 + 7) % 7
		n.yearday = 7*n.week - first + (n.weekday-n.weekFrom+7)%7 + 1
	}
	if n.yearday != 0 {
		t := time.Date(n.year, 1, n.yearday, 0, 0, 0, 0, time.UTC)
		n.year, n.month, n.day = t.Year(), int(t.Month()), t.Day()
	}
}

var monthDays = [13]int{0, 31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31}

// valid reports whether there is such a date and time of day.
func (n *naive) valid() bool {
	if n.year < 1 || n.month < 1 || n.month > 12 || n.day < 1 || n.hour > 23 || n.minute > 59 || n.second > 59 {
		return false
	}
	days := monthDays[n.month]
	if n.month == 2 && n.year%4 == 0 && (n.year%100 != 0 || n.year%400 == 0) {
		days = 29
	}
	return n.day <= days
}

// epochTime reads seconds since 1970, if they may be long also milliseconds or
// microseconds.
func epochTime(text string, long bool) (time.Time, bool) {
	v, err := strconv.ParseFloat(text, 64)
	if err != nil {
		return time.Time{}, false
	}
	if long && len(text) >= 13 {
		if len(text) >= 16 && !strings.Contains(text, ".") {
			v /= 1e6
		} else {
			v /= 1e3
		}
	}
	whole, fraction := math.Modf(v)
	return time.Unix(int64(whole), int64(math.Round(fraction*1e6))*1000), true
}

// taiTime reads a TAI64N label. As with fail2ban the seconds between TAI and UTC
// are not taken into account.
func taiTime(text string) (time.Time, bool) {
	if len(text) < 17 {
		return time.Time{}, false
	}
	v, err := strconv.ParseInt(text[2:17], 16, 64)
	return time.Unix(v, 0), err == nil
}
