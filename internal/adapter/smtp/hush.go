package smtp

import "strings"

// hush keeps a server's reply from repeating what must stay between us. A
// filter that answers "554 blocked link https://..." would otherwise put a link
// that still works into a log.
type hush struct {
	secrets []string // the password, and how it was sent
	says    string   // what the mail says, see plain
	known   []string // addresses, which may be repeated
}

// tell is the length from which a piece of the mail tells something, in bytes:
// 11 letters of a token of 52 are no use to anybody.
const tell = 12

// line returns the first line of a reply, fit for a log.
func (h hush) line(reply string) string {
	first, _, _ := strings.Cut(reply, "\n")
	for _, secret := range h.secrets {
		first = strings.ReplaceAll(first, secret, "(secret)")
	}
	first = shorten(printable(first))
	low, words, at := plain(first), strings.Split(first, " "), 0
	for i, word := range words {
		if !h.knows(word) && h.repeats(low, at, at+len(word)) {
			words[i] = "(hidden)"
		}
		at += len(word) + 1
	}
	return strings.Join(words, " ")
}

func (h hush) knows(word string) bool {
	word = strings.Trim(word, "<>()[].,:;'\"")
	for _, a := range h.known {
		if word == a {
			return true
		}
	}
	return false
}

// repeats reports that a telling piece of the mail reaches into low[from:to].
func (h hush) repeats(low string, from, to int) bool {
	for i := max(0, from-tell+1); i < to && i+tell <= len(low); i++ {
		if strings.Contains(h.says, low[i:i+tell]) {
			return true
		}
	}
	return false
}

// plain makes texts comparable, byte for byte: servers fold case and lines.
func plain(s string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r - 'A' + 'a'
		case r == '\n' || r == '\r' || r == '\t':
			return ' '
		}
		return r
	}, s)
}
