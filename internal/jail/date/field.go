package date

import (
	"fmt"
	"strings"
)

const (
	months   = "jan feb mar apr may jun jul aug sep oct nov dec"
	weekdays = "mon tue wed thu fri sat sun"
)

var (
	longMonths   = strings.Fields("january february march april may june july august september october november december")
	longWeekdays = strings.Fields("monday tuesday wednesday thursday friday saturday sunday")
)

// A field is a part of a date, such as %d: what it is called in the name of a
// template, and the expression it stands for.
type field struct{ name, expr string }

// fields are the parts by the letters that stand for them. Those of strptime mean
// what Python makes of them in the locale C; those with Ex are fail2ban's exact ones.
var fields = map[string]field{
	"%":   {"%", "%"},
	"a":   {"DAY", group("a", weekdays)},
	"A":   {"DAYNAME", group("A", "wednesday thursday saturday tuesday monday friday sunday")},
	"b":   {"MON", group("b", months)},
	"B":   {"MONTH", group("B", "september february november december january october august march april june july may")},
	"c":   {"%c", group("a", weekdays) + `\s+` + group("b", months) + `\s+` + plainDay + `\s+` + plainTime + `\s+(?P<Y>\d{4})`},
	"d":   {"Day", group("d", `[1-2]\d [0\x20]?[1-9] 3[0-1]`)},
	"f":   {"Microseconds", `(?P<f>[0-9]{1,6})`},
	"G":   {"%G", `(?P<G>\d{4})`},
	"H":   {"24hour", group("H", `[0-1]?\d 2[0-3]`)},
	"I":   {"12hour", group("I", `1[0-2] 0[1-9] [1-9]`)},
	"j":   {"Yearday", group("j", `36[0-6] 3[0-5]\d [1-2]\d\d 0[1-9]\d 00[1-9] [1-9]\d 0[1-9] [1-9]`)},
	"k":   {"%k", `\x20?(?P<H>[0-2]?\d)`},
	"l":   {"%l", `\x20?(?P<I>1?\d)`},
	"m":   {"Month", group("m", `0?[1-9] 1[0-2]`)},
	"M":   {"Minute", `(?P<M>[0-5]?\d)`},
	"p":   {"AMPM", group("p", "am pm")},
	"S":   {"Second", group("S", `[0-5]?\d 6[0-1]`)},
	"u":   {"%u", `(?P<u>[1-7])`},
	"U":   {"Yearweek", group("U", `5[0-3] [0-4]\d \d`)},
	"V":   {"%V", group("V", `5[0-3] 0[1-9] [1-4]\d \d`)},
	"w":   {"Weekday", `(?P<w>[0-6])`},
	"W":   {"Yearweek", group("W", `5[0-3] [0-4]\d \d`)},
	"x":   {"%x", `(?P<m>1[0-2]|0[1-9]|[1-9])/` + plainDay + `/(?P<y>\d\d)`},
	"X":   {"%X", plainTime},
	"y":   {"Year2", `(?P<y>\d\d)`},
	"Y":   {"Year", `(?P<Y>\d{4})`},
	"z":   {"Zone offset", group("z", `Z UTC GMT `+offset)},
	"Z":   {"Zone name", group("Z", `Z [A-Z]{3,5}`)},
	"Exd": {"ExDay", group("d", `[1-2]\d 0[1-9] 3[0-1]`)},
	"ExH": {"Ex24hour", group("H", `[0-1]\d 2[0-3]`)},
	"Exk": {"%Exk", `\x20?` + group("H", `[0-1]?\d 2[0-3]`)},
	"Exl": {"%Exl", `\x20?` + group("I", `1[0-2] \d`)},
	"Exm": {"ExMonth", group("m", `0[1-9] 1[0-2]`)},
	"ExM": {"ExMinute", `(?P<M>[0-5]\d)`},
	"ExS": {"ExSecond", group("S", `[0-5]\d 6[0-1]`)},
	"Exy": {"ExYear2", `(?P<y>\d{2})`},
	"ExY": {"ExYear", `(?P<Y>20\d\d)`},
	"Exz": {"ExZone offset", group("z", `(?:`+abbreviation+`)?`+offset+` `+abbreviation)},
	"ExZ": {"ExZone name", group("Z", abbreviation)},
}

const (
	offset       = `[+-][01]\d(?::?\d{2})?`
	abbreviation = `[A-Z](?:[A-Z]{2,4})?`
	plainDay     = `(?P<d>3[0-1]|[1-2]\d|0[1-9]|[1-9]|\x20[1-9])`
	plainTime    = `(?P<H>2[0-3]|[0-1]\d|\d):(?P<M>[0-5]\d|\d):(?P<S>6[0-1]|[0-5]\d|\d)`
)

// group is a named group of the words.
func group(name, words string) string {
	return "(?P<" + name + ">" + strings.ReplaceAll(words, " ", "|") + ")"
}

// fieldAt reads the field behind a percent sign.
func fieldAt(s string) (f field, length int, ok bool) {
	for _, length := range []int{3, 1} {
		if len(s) >= length {
			if f, ok := fields[s[:length]]; ok {
				return f, length, true
			}
		}
	}
	return field{}, 0, false
}

// expand makes a pattern with fields an expression and a name.
func expand(pattern string) (expr, name string, err error) {
	var e, n strings.Builder
	for rest := pattern; ; {
		text, after, found := strings.Cut(rest, "%")
		e.WriteString(text)
		n.WriteString(text)
		if !found {
			return e.String(), n.String(), nil
		}
		f, length, ok := fieldAt(after)
		if !ok {
			return "", "", fmt.Errorf("%%%.3s is no part of a date; a percent sign itself is %%%%", after)
		}
		e.WriteString(f.expr)
		n.WriteString(f.name)
		rest = after[length:]
	}
}
