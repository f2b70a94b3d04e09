package jail

import "unicode/utf8"

// decode makes a line valid UTF-8, without its line break. What cannot be read is
// replaced, as Python does.
func (f *Filter) decode(line []byte) []byte {
	for len(line) > 0 && (line[len(line)-1] == '\n' || line[len(line)-1] == '\r') {
		line = line[:len(line)-1]
	}
	switch {
	case f.latin1:
		f.decoded = f.decoded[:0]
		for _, b := range line {
			f.decoded = utf8.AppendRune(f.decoded, rune(b))
		}
		return f.decoded
	case utf8.Valid(line):
		return line
	}
	f.decoded = replaced(f.decoded[:0], line)
	return f.decoded
}

// replaced appends a line with U+FFFD in place of each longest run of bytes that
// begins a character and is none.
func replaced(out, line []byte) []byte {
	for len(line) > 0 {
		r, size := utf8.DecodeRune(line)
		if r == utf8.RuneError && size == 1 {
			size = broken(line)
		}
		out = utf8.AppendRune(out, r)
		line = line[size:]
	}
	return out
}

// broken is how many bytes at the beginning of a text could begin a character: at
// least one.
func broken(line []byte) int {
	for size := min(3, len(line)); size > 1; size-- {
		if !utf8.FullRune(line[:size]) {
			return size
		}
	}
	return 1
}
