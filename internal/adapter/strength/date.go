package strength

import (
	"math"
	"strings"
)

// shapes of dates: a and b are day and month in either order, y the year, a
// point any separator.
const shapes = "yyyy aabb aabbyy yyaabb aabbyyyy yyyyaabb " +
	"a.b.yy aa.b.yy a.bb.yy aa.bb.yy a.b.yyyy aa.b.yyyy a.bb.yyyy aa.bb.yyyy " +
	"yyyy.a.b yyyy.aa.b yyyy.a.bb yyyy.aa.bb yy.aa.bb aa.bb. aa.yyyy yyyy.aa"

// dates finds dates and years.
func (t text) dates() (found []piece) {
	for _, shape := range strings.Fields(shapes) {
		for from := 0; from+len(shape) <= len(t.runes); from++ {
			to := from + len(shape)
			if d, ok := parseDay(shape, t.runes[from:to]); ok && d.possible() {
				found = append(found, piece{from: from, to: to, kind: date, cost: math.Log10(d.guesses())})
			}
		}
	}
	return found
}

// field is a number in a date.
type field struct{ value, digits int }

// day is a date as it is written.
type day struct {
	a, b, year field
	parted     bool
}

func parseDay(shape string, runes []rune) (d day, ok bool) {
	for i, c := range shape {
		switch r, f := runes[i], d.field(c); {
		case f == nil && strings.ContainsRune(" -/._\\,", r):
			d.parted = true
		case f != nil && '0' <= r && r <= '9':
			f.value, f.digits = f.value*10+int(r-'0'), f.digits+1
		default:
			return d, false
		}
	}
	return d, true
}

// field is nil for a separator.
func (d *day) field(letter rune) *field {
	switch letter {
	case 'a':
		return &d.a
	case 'b':
		return &d.b
	case 'y':
		return &d.year
	}
	return nil
}

// possible reports whether the calendar has it, and people of today remember it.
func (d day) possible() bool {
	low, high := min(d.a.value, d.b.value), max(d.a.value, d.b.value)
	switch {
	case d.year.digits == 4 && (d.year.value < 1900 || d.year.value > 2049):
		return false
	case d.b.digits > 0:
		return 1 <= low && low <= 12 && high <= 31
	case d.a.digits > 0:
		return 1 <= high && high <= 12
	}
	return true
}

// guesses takes a hundred years for likely, and two orders of day and month.
func (d day) guesses() float64 {
	n := 1.0
	if d.year.digits > 0 {
		n *= 100
	}
	if d.b.digits > 0 {
		n *= 366 * 2
	} else if d.a.digits > 0 {
		n *= 12
	}
	if d.parted {
		n *= 4
	}
	return n
}
