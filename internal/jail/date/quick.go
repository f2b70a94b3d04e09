package date

import "unicode/utf8"

// quick reads a date at the beginning of a line as a certain template does, and
// returns where it ends. If it says 0, the template may still match.
type quick func(line []byte, n *naive) int

// quickOf returns the one of a date pattern; nil if there is none. It takes the
// plain cases only: exactly the form, at the very beginning, followed by a blank.
func quickOf(text string) quick {
	switch text {
	case atLine + forms[0]:
		return isoQuick
	case atLine + forms[1]:
		return syslogQuick
	}
	return nil
}

// two reads two digits, or a blank and one where blank is set; -1 is no number.
func two(a, b byte, blank bool) int {
	if a == ' ' && blank {
		a = '0'
	}
	if a < '0' || a > '9' || b < '0' || b > '9' {
		return -1
	}
	return int(a-'0')*10 + int(b-'0')
}

// clock reads hh:mm:ss.
func (n *naive) clock(b []byte) bool {
	if b[2] != ':' || b[5] != ':' {
		return false
	}
	n.hour, n.minute, n.second = two(b[0], b[1], false), two(b[3], b[4], false), two(b[6], b[7], false)
	return n.hour >= 0 && n.hour < 24 && n.minute >= 0 && n.minute < 60 && n.second >= 0 && n.second < 60
}

// syslogQuick reads "Jan _2 15:04:05 " with something other than a year behind it.
func syslogQuick(line []byte, n *naive) int {
	if len(line) < 17 || line[3] != ' ' || line[6] != ' ' || line[15] != ' ' || !quickBehind(line[16]) {
		return 0
	}
	*n = naive{}
	n.month = monthOf(line[0], line[1], line[2])
	n.day = two(line[4], line[5], true)
	if n.month == 0 || n.day < 1 || n.day > 31 || !n.clock(line[7:15]) {
		return 0
	}
	return 15
}

// quickBehind reports whether a byte behind a date and its blank begins no year.
func quickBehind(b byte) bool { return b < utf8.RuneSelf && b != '2' }

func monthOf(a, b, c byte) int {
	const names = "JanFebMarAprMayJunJulAugSepOctNovDec"
	for i := 0; i < len(names); i += 3 {
		if names[i] == a && names[i+1] == b && names[i+2] == c {
			return i/3 + 1
		}
	}
	return 0
}

// isoQuick reads "2006-01-02T15:04:05", perhaps with a fraction of up to six
// digits, perhaps with an offset such as +02:00 or a Z, and then a blank.
func isoQuick(line []byte, n *naive) int {
	if len(line) < 21 || line[0] != '2' || line[1] != '0' || line[4] != '-' || line[7] != '-' || line[10] != 'T' {
		return 0
	}
	*n = naive{}
	n.year = 2000 + two(line[2], line[3], false)
	n.month, n.day = two(line[5], line[6], false), two(line[8], line[9], false)
	if n.year < 2000 || n.month < 1 || n.month > 12 || n.day < 1 || n.day > 31 || !n.clock(line[11:19]) {
		return 0
	}
	end := fraction(line, 19)
	end = n.offset(line, end)
	if !n.zoned || end >= len(line) || line[end] != ' ' {
		return 0
	}
	return end
}

func fraction(line []byte, at int) int {
	if at+1 >= len(line) || line[at] != '.' {
		return at
	}
	end := at + 1
	for end < len(line) && end < at+7 && line[end] >= '0' && line[end] <= '9' {
		end++
	}
	if end == at+1 {
		return at
	}
	return end
}

func (n *naive) offset(line []byte, at int) int {
	switch rest := line[at:]; {
	case len(rest) > 0 && rest[0] == 'Z':
		n.zoned = true
		return at + 1
	case len(rest) >= 6 && (rest[0] == '+' || rest[0] == '-') && rest[3] == ':' && rest[1] <= '1':
		hours, minutes := two(rest[1], rest[2], false), two(rest[4], rest[5], false)
		if hours < 0 || minutes < 0 {
			return at
		}
		n.zone, n.zoned = hours*60+minutes, true
		if rest[0] == '-' {
			n.zone = -n.zone
		}
		return at + 6
	}
	return at
}
