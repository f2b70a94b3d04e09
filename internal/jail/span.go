package jail

import (
	"errors"
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"
)

// Span reads a length of time as fail2ban writes it: seconds, or a sum of numbers
// with units such as "1d 12h", "1year-6mo" or "1h*2". A month is a twelfth of a
// year, and a year has 365.25 days. Negative is for ever.
func Span(s string) (time.Duration, error) {
	p := spanParser{rest: strings.ToLower(s)}
	v, err := p.sum()
	if p.blank(); err == nil && p.rest != "" {
		err = fmt.Errorf("%q is no length of time", s)
	}
	switch {
	case err != nil:
		return 0, err
	case math.IsNaN(v) || v > math.MaxInt64/1e9:
		return math.MaxInt64, nil
	case v < math.MinInt64/1e9:
		return math.MinInt64, nil
	}
	return time.Duration(v * float64(time.Second)), nil
}

const (
	day  = 24 * 60 * 60
	year = 365.25 * day
)

// spanUnits are the units and their short forms, in seconds.
var spanUnits = func() map[string]float64 {
	units := map[string]float64{}
	for names, seconds := range map[string]float64{
		"seconds second sec se ss s": 1,
		"minutes minute min mi mm m": 60,
		"hours hour hou ho hh h":     60 * 60,
		"days day da dd d":           day,
		"weeks week wee we ww w":     7 * day,
		"months month mon mo":        year / 12,
		"years year yea ye yy y":     year,
	} {
		for name := range strings.FieldsSeq(names) {
			units[name] = seconds
		}
	}
	return units
}()

type spanParser struct {
	rest  string
	depth int
}

func (p *spanParser) blank() { p.rest = strings.TrimLeft(p.rest, " \t\n") }

func (p *spanParser) take(c byte) bool {
	p.blank()
	if p.rest == "" || p.rest[0] != c {
		return false
	}
	p.rest = p.rest[1:]
	return true
}

// sum: terms that stand side by side are added.
func (p *spanParser) sum() (float64, error) {
	v, err := p.product()
	for err == nil {
		var more float64
		switch p.blank(); {
		case p.take('-'):
			more, err = p.product()
			v -= more
		case p.take('+') || p.rest != "" && p.rest[0] >= '0' && p.rest[0] <= '9':
			more, err = p.product()
			v += more
		default:
			return v, nil
		}
	}
	return 0, err
}

func (p *spanParser) product() (float64, error) {
	v, err := p.factor()
	for err == nil {
		var by float64
		switch {
		case p.take('*'):
			by, err = p.factor()
			v *= by
		case p.take('/'):
			if by, err = p.factor(); by == 0 && err == nil {
				err = errors.New("division by 0")
			}
			v /= by
		default:
			return v, nil
		}
	}
	return 0, err
}

func (p *spanParser) factor() (float64, error) {
	if p.depth++; p.depth > 100 {
		return 0, errors.New("too many parentheses and signs")
	}
	defer func() { p.depth-- }()
	switch {
	case p.take('-'):
		v, err := p.factor()
		return -v, err
	case p.take('+'):
		return p.factor()
	case p.take('('):
		v, err := p.sum()
		if err == nil && !p.take(')') {
			err = errors.New("a parenthesis is left open")
		}
		return v, err
	}
	return p.number()
}

func (p *spanParser) number() (float64, error) {
	digits := span(p.rest, "0123456789.")
	v, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return 0, fmt.Errorf("%q is no number", clipped(p.rest))
	}
	p.rest = p.rest[len(digits):]
	after := strings.TrimLeft(p.rest, " \t\n")
	unit := span(after, "abcdefghijklmnopqrstuvwxyz")
	if unit == "" {
		return v, nil
	}
	seconds, ok := spanUnits[unit]
	if !ok {
		return 0, fmt.Errorf("%q is no unit of time", unit)
	}
	p.rest = after[len(unit):]
	return v * seconds, nil
}

// span returns the longest beginning of s that is made of the characters.
func span(s, characters string) string {
	return s[:len(s)-len(strings.TrimLeft(s, characters))]
}
