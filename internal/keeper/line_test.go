package keeper

import (
	"testing"
	"time"
)

// TestStrangersHaveAnAllowance counts how many passwords of strangers are hashed in
// a flood of a minute: those after a quiet time, and ten a second.
func TestStrangersHaveAnAllowance(t *testing.T) {
	l := newLine(1)
	now := time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	taken := 0
	for range 60 * 1000 {
		if now = now.Add(time.Millisecond); l.allowed(now) {
			taken++
		}
	}
	if want := strangersAhead + 600; taken < want-1 || taken > want+1 {
		t.Errorf("%d in a minute, want %d", taken, want)
	}
	now = now.Add(time.Hour)
	for taken = 0; l.allowed(now); taken++ {
	}
	if taken != strangersAhead {
		t.Errorf("after an hour %d at once, want %d", taken, strangersAhead)
	}
}
