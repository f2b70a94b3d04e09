package act

import (
	"fmt"
	"testing"
	"time"

	"hostward/internal/ledger"
)

// TestStrangersTogetherHaveABudgetOfExactRecords: however many networks they come
// from, none of their failures is lost from the counts.
func TestStrangersTogetherHaveABudgetOfExactRecords(t *testing.T) {
	l, now := newLimiter(), time.Date(2026, 11, 27, 9, 0, 0, 0, time.UTC)
	fail := func(n int) bool {
		return l.exact(&ledger.Entry{Action: "login.enter", Address: fmt.Sprintf("10.%d.%d.1", n>>8, n&255), Code: "unauthenticated"}, now)
	}
	exact := 0
	for n := range 2000 {
		if fail(n) {
			exact++
		}
	}
	if exact != exactOfAll {
		t.Errorf("%d exact records in a minute, want %d", exact, exactOfAll)
	}
	var counted uint64
	for _, e := range l.due(now.Add(time.Minute)) {
		counted += uint64(e.Count)
	}
	if counted != uint64(2000-exactOfAll) {
		t.Errorf("%d are counted", counted)
	}
	if now = now.Add(time.Minute); !fail(1) {
		t.Error("the next minute has no budget of its own")
	}
}
