package handlers

import (
	"slices"
	"strings"
)

// mostCells bounds the table of a comparison.
const mostCells = 4_000_000

// Diff returns the lines in which two texts differ, "-" before those that go and "+"
// before those that come, in order.
func Diff(old, new string) (out []string) {
	a, b := strings.SplitAfter(old, "\n"), strings.SplitAfter(new, "\n")
	for len(a) > 0 && len(b) > 0 && a[0] == b[0] {
		a, b = a[1:], b[1:]
	}
	for len(a) > 0 && len(b) > 0 && a[len(a)-1] == b[len(b)-1] {
		a, b = a[:len(a)-1], b[:len(b)-1]
	}
	both := common(a, b)
	for len(a) > 0 || len(b) > 0 {
		switch {
		case len(a) > 0 && (len(both) == 0 || a[0] != both[0]):
			out, a = said(out, "-", a[0]), a[1:]
		case len(b) > 0 && (len(both) == 0 || b[0] != both[0]):
			out, b = said(out, "+", b[0]), b[1:]
		default:
			a, b, both = a[1:], b[1:], both[1:]
		}
	}
	return out
}

func said(out []string, sign, line string) []string {
	if line == "" {
		return out
	}
	return append(out, sign+strings.TrimRight(line, "\r\n"))
}

// common is the longest sequence of lines that both have; none if it takes too long.
func common(a, b []string) (out []string) {
	if len(a)*len(b) > mostCells {
		return nil
	}
	best := make([][]int, len(a)+1)
	for i := range best {
		best[i] = make([]int, len(b)+1)
	}
	for i := range slices.Backward(a) {
		for j := range slices.Backward(b) {
			if a[i] == b[j] {
				best[i][j] = best[i+1][j+1] + 1
			} else {
				best[i][j] = max(best[i+1][j], best[i][j+1])
			}
		}
	}
	for i, j := 0, 0; i < len(a) && j < len(b); {
		switch {
		case a[i] == b[j]:
			out, i, j = append(out, a[i]), i+1, j+1
		case best[i+1][j] >= best[i][j+1]:
			i++
		default:
			j++
		}
	}
	return out
}
