//go:build linux

package house_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// TestTheSumsOfTheASVSPageAreThoseOfItsRows counts what docs/asvs.md says about each
// requirement.
func TestTheSumsOfTheASVSPageAreThoseOfItsRows(t *testing.T) {
	page := read(t, "docs/asvs.md")
	sums := map[string]int{"1not": 5, "2not": 24, "3not": 7} // V10, which stands in one sentence
	all := 36
	for line := range strings.SplitSeq(page, "\n") {
		kind := "met"
		switch {
		case !strings.HasPrefix(line, "| "):
			continue
		case strings.Contains(line, "*Departs*"):
			kind = "departs"
		case strings.Contains(line, "not applicable"):
			kind = "not"
		}
		for _, m := range regexp.MustCompile(`\b\d+\.\d+\.\d+, (\d)`).FindAllStringSubmatch(line, -1) {
			sums[m[1]+kind]++
			all++
		}
	}
	for _, level := range []string{"1", "2", "3"} {
		want := fmt.Sprintf("| level %s | %d | %d | %d |", level, sums[level+"met"], sums[level+"departs"], sums[level+"not"])
		if !strings.Contains(page, want) {
			t.Errorf("the sums of docs/asvs.md are not those of its rows: want %q", want)
		}
	}
	if all != 132 {
		t.Errorf("docs/asvs.md speaks of %d requirements, the standard has 132", all)
	}
}
