package core

import (
	"fmt"
	"math"
)

// Seconds writes a span of time in its nearest unit, three digits exact: 1.3 ms.
func Seconds(s float64) string {
	for _, u := range []struct {
		least float64
		unit  string
	}{{1, "s"}, {1e-3, "ms"}, {1e-6, "µs"}} {
		if math.Abs(s) >= u.least {
			if math.Abs(s) >= 1000*u.least {
				return fmt.Sprintf("%.0f %s", s/u.least, u.unit)
			}
			return fmt.Sprintf("%.3g %s", s/u.least, u.unit)
		}
	}
	return fmt.Sprintf("%.0f ns", s*1e9)
}
