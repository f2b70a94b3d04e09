package store

import "strings"

// positional writes $1, $2 … as ? where they stand once each and in this
// order: SQLite keeps $1 as the name of a parameter, and the driver looks
// every name up in a list, which for a row of many rows is most of the work.
// Any other text, and any with quotes, is left as it is.
func positional(text string) string {
	q := text
	if strings.ContainsAny(q, "'\"`[?@:") || !strings.Contains(q, "$") {
		return q
	}
	var b strings.Builder
	b.Grow(len(q))
	next := 1
	for {
		before, rest, found := strings.Cut(q, "$")
		b.WriteString(before)
		if !found {
			return b.String()
		}
		n, digits := 0, 0
		for digits < len(rest) && rest[digits] >= '0' && rest[digits] <= '9' {
			n, digits = n*10+int(rest[digits]-'0'), digits+1
		}
		if digits == 0 || n != next {
			return text
		}
		b.WriteByte('?')
		q, next = rest[digits:], next+1
	}
}
