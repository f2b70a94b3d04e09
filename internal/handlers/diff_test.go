package handlers_test

import (
	"slices"
	"strings"
	"testing"

	"hostward/internal/handlers"
)

func TestDiff(t *testing.T) {
	for _, c := range []struct {
		old, new string
		want     []string
	}{
		{"a\nb\nc\n", "a\nb\nc\n", nil},
		{"a\nb\nc\n", "a\nB\nc\n", []string{"-b", "+B"}},
		{"a\nb\nc\nd\n", "a\nx\nc\ny\nd\n", []string{"-b", "+x", "+y"}},
		{"", "a\n", []string{"+a"}},
		{"a\r\nb", "a\r\nb\r\n", []string{"-b", "+b"}},
		{strings.Repeat("x\ny\n", 3000), strings.Repeat("z\nx\n", 3000), nil},
	} {
		got := handlers.Diff(c.old, c.new)
		if c.want != nil && !slices.Equal(got, c.want) || len(c.old) < 10 && c.want == nil && got != nil {
			t.Errorf("%q to %q: %q, want %q", c.old, c.new, got, c.want)
		}
	}
}
