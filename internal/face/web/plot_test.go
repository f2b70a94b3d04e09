package web_test

import (
	"strings"
	"testing"
	"time"

	"hostward/internal/face/web"
)

// TestACurveKeepsItsScale: what is beyond the limit stands out at the edge, and the
// rest is drawn as large as it can be.
func TestACurveKeepsItsScale(t *testing.T) {
	var s web.Sheet
	begin := time.Date(2026, 11, 27, 0, 0, 0, 0, time.UTC)
	at := func(hour int) time.Time { return begin.Add(time.Duration(hour) * time.Hour) }
	list := append(s.Stretches(), s.Stretch(at(0), at(6), -1e-6, 2e-6, true), s.Stretch(at(6), at(12), -3, 0, true), s.Stretch(at(12), at(18), 0, 0, false))
	got := string(s.Curve("Offset", at(0), at(24), 0.1, list))
	for _, want := range []string{
		`aria-label="Offset: 3 measurements, at most 3 s"`, `4 µs from top to bottom`,
		`<rect class="good" x="0.0" y="0.0" width="250.0" height="54.0"><title>2026-11-27 00:00: -1 µs to 2 µs</title>`,
		`<rect class="bad" x="250.0" y="36.0" width="250.0" height="36.0"><title>2026-11-27 06:00: -3 s to 0 ns</title>`,
		`<rect class="wait" x="500.0" y="0.0" width="250.0" height="72.0"><title>2026-11-27 12:00: not known</title>`,
	} {
		if !strings.Contains(got, want) {
			t.Errorf("it lacks %s in\n%s", want, got)
		}
	}
	for name, got := range map[string]string{
		"without measurements": string(s.Curve("Offset", at(0), at(24), 0.1, nil)), "of no time": string(s.Curve("Offset", at(1), at(1), 0.1, list)),
		"of what is no time": string(s.Curve("Offset", "then", at(1), 0.1, list)),
	} {
		if got != "" {
			t.Errorf("%s it draws %s", name, got)
		}
	}
}
