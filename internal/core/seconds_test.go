package core_test

import (
	"testing"

	"hostward/internal/core"
)

func TestSecondsAreWrittenInTheirNearestUnit(t *testing.T) {
	for s, want := range map[float64]string{0: "0 ns", 4.2e-9: "4 ns", -1.25e-6: "-1.25 µs", 0.0013: "1.3 ms", 0.1: "100 ms", 1: "1 s", 59.94: "59.9 s", -86400: "-86400 s"} {
		if got := core.Seconds(s); got != want {
			t.Errorf("%g is written %q, not %q", s, got, want)
		}
	}
}
